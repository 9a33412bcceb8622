"""Latency: how long a request travels to the venue and its answer back, constant or from recorded triples."""

from __future__ import annotations

from tradectl.core.jit import kernel, routine
from tradectl.core.layout import latency_at
from tradectl.core.money import muldiv_floor

__all__ = ["entry_latency", "response_latency"]


@routine
def interpolated(world, ts, answers):
    """Return the latency at `ts` between the two recorded triples around it, ns; outside them the nearest one's.

    Requests are placed by their request time, answers by the time the venue gave them; linear, rounded down.
    """
    low, high = 0, world.n_latencies - 1
    while low < high:  # at most 63 steps: the last row that is not after `ts`, or the first one
        middle = (low + high + 1) >> 1
        row = latency_at(world.latencies, middle)
        if (row.ts_answer if answers else row.ts_request) <= ts:
            low = middle
        else:
            high = middle - 1
    left = latency_at(world.latencies, low)
    right = latency_at(world.latencies, min(low + 1, world.n_latencies - 1))
    begun = left.ts_answer if answers else left.ts_request
    ended = right.ts_answer if answers else right.ts_request
    first = left.ts_response - left.ts_answer if answers else left.ts_exchange - left.ts_request
    second = right.ts_response - right.ts_answer if answers else right.ts_exchange - right.ts_request
    if ts <= begun or ended <= begun:
        return first
    return first + muldiv_floor(ts - begun, second - first, ended - begun)


@kernel
def entry_latency(world, engine, ts):
    """Return what passes between a decision at local time `ts` and its arrival at the venue, ns."""
    if world.n_latencies == 0:
        return engine.latency_compute_ns + engine.latency_entry_ns
    return engine.latency_compute_ns + interpolated(world, ts + engine.latency_compute_ns, False)


@kernel
def response_latency(world, engine, ts):
    """Return what passes between the venue's answer at exchange time `ts` and its arrival here, ns."""
    if world.n_latencies == 0:
        return engine.latency_response_ns
    return interpolated(world, ts, True)
