"""What the matching engine costs per operation, over a flow file or a made-up flow."""

from __future__ import annotations

import gc
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import types

from tradectl.bench.flow import generate_flow, load_flow
from tradectl.core.bits import FNV_OFFSET, cycles
from tradectl.core.book import NO_PRICE
from tradectl.core.book_layout import MAX_ORDERS, book_address, new_book
from tradectl.core.book_replay import DIGEST_FIELDS, OP_ADD, digest_book, replay_flow, time_flow
from tradectl.core.jit import entry

__all__ = ["bench_matching", "book_for", "clock", "replay"]

_WORD = (1 << 64) - 1
CALIBRATION_NS = 20_000_000


@entry(lambda: types.int64())
def read_cycles() -> int:
    """Return the cycle counter."""
    return cycles()


@entry(lambda: types.void(types.Array(types.int64, 1, "C")))
def time_nothing(ticks: Any) -> None:
    """Write to ticks (n,) i8 what a pair of clock readings measures around nothing."""
    for i in range(ticks.shape[0]):
        begun = cycles()
        ticks[i] = cycles() - begun


def clock() -> tuple[float, float]:
    """Calibrate the cycle counter; return ns per cycle and the median ns that a pair of readings costs."""
    read_cycles()
    begun_ns, begun = time.perf_counter_ns(), read_cycles()
    while time.perf_counter_ns() - begun_ns < CALIBRATION_NS:
        pass
    ended_ns, ended = time.perf_counter_ns(), read_cycles()
    ns_per_cycle = (ended_ns - begun_ns) / max(1, ended - begun)
    ticks = np.zeros(10_000, np.int64)
    time_nothing(ticks)
    return ns_per_cycle, float(np.median(ticks)) * ns_per_cycle


def book_for(flow: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """Return the bytes of an empty book that no operation of `flow` finds full, around its median price."""
    adds = flow["op"] == OP_ADD
    slots = min(max(1, int(np.count_nonzero(adds))), MAX_ORDERS)
    centre = int(np.median(flow["price"][adds])) if adds.any() else 0
    return new_book(slots, int(flow["id"].max()) + 1, centre)


def replay(flow: npt.NDArray[Any]) -> tuple[dict[str, Any], float]:
    """Replay `flow` on an empty book; return its digests as printed and the seconds of the replay alone."""
    blob = book_for(flow)
    totals = np.array([0, 0, FNV_OFFSET, 0], np.int64)
    replay_flow.load()
    begun = time.perf_counter()
    replay_flow(book_address(blob), flow, totals)
    seconds = time.perf_counter() - begun
    found = np.zeros(len(DIGEST_FIELDS), np.int64)
    digest_book(book_address(blob), found)
    trades, traded_qty, trade_hash, refused = (int(v) for v in totals)
    result: dict[str, Any] = {
        "trades": trades,
        "traded_qty": traded_qty,
        "trade_hash": f"{trade_hash & _WORD:016x}",
    }
    for name, value in zip(DIGEST_FIELDS, (int(v) for v in found), strict=True):
        result[name] = None if value == NO_PRICE else value
    result["book_hash"] = f"{int(found[0]) & _WORD:016x}"
    result["refused"] = refused
    return result, seconds


def _latencies(flow: npt.NDArray[Any]) -> dict[str, float]:
    """Time every operation by itself, the clock's own cost included; return percentiles in ns."""
    ns_per_cycle, clock_ns = clock()
    ticks = np.zeros(len(flow), np.int64)
    blob = book_for(flow)
    time_flow.load()
    time_flow(book_address(blob), flow, ticks)
    p50, p99, p99_9 = (float(v) * ns_per_cycle for v in np.percentile(ticks, (50, 99, 99.9)))
    named = {"p50_ns": p50, "p99_ns": p99, "p99_9_ns": p99_9, "clock_ns": clock_ns}
    return {name: round(value, 1) for name, value in named.items()}


def bench_matching(flow: Path | None = None, repeats: int = 5, ops: int = 1_000_000) -> dict[str, Any]:
    """Measure matching over the file `flow`, or `ops` made-up operations; medians of `repeats` replays.

    `refused` counts operations that the book refused, and market orders with an unfilled rest.
    """
    rows = generate_flow(ops) if flow is None else load_flow(flow)
    runs = []
    result: dict[str, Any] = {}
    for _ in range(max(1, repeats)):
        gc.collect()
        result, seconds = replay(rows)
        runs.append(seconds)
    seconds = float(np.median(runs))
    return {
        **result,
        "ops": len(rows),
        "ns_per_op": round(seconds / len(rows) * 1e9, 2),
        "ops_per_s": round(len(rows) / seconds),
        **_latencies(rows),
    }
