"""`advance`: the fold over a slice of events, the one entry point of every mode.

A run of bars alone takes `advance_bars`: the same fold with what only tick data needs left out, which a user
who backtests bars need not wait for to be compiled. On such events both leave the same bytes.
"""

from __future__ import annotations

from tradectl.core.codes import FoldCode
from tradectl.core.event import EVENT
from tradectl.core.jit import Words, entry, kernel
from tradectl.core.layout import engine_at, event_at, world_at
from tradectl.engine.step import step, step_bars

__all__ = ["OUTPUT_MARGIN", "advance", "advance_bars"]

DONE, DRAIN = int(FoldCode.DONE), int(FoldCode.DRAIN)
STRATEGY_RAISED, CAPACITY = int(FoldCode.STRATEGY_RAISED), int(FoldCode.CAPACITY)
OUTPUT_MARGIN = 16_384  # free rows of fills and orders before an event: more than one event has ever written

assert EVENT.itemsize == 64


@kernel
def has_room(world):
    """Return whether the output buffers have room for what one event can write."""
    fills_left = world.fills_capacity - world.n_fills
    orders_left = world.orders_capacity - world.n_orders
    if world.n_fundings > world.fundings_capacity - OUTPUT_MARGIN:
        return False
    if world.n_plots > world.plots_limit:
        return False
    return fills_left >= OUTPUT_MARGIN and orders_left >= OUTPUT_MARGIN and world.n_equity < world.equity_capacity


@kernel
def stops(engine):
    """Return why the fold must stop after an event, or DONE."""
    if engine.fault_strategy != 0:
        return STRATEGY_RAISED
    return DONE if engine.fault_reason == 0 else CAPACITY


@entry(Words(arguments=4, results=2))
def advance(world_address, events_address, low, high):
    """Fold events [low, high) at an address; return (FoldCode, index of the first event not applied).

    The world, its state and the events stay where they are; outputs grow behind the cursors in WORLD. A fold
    that stops stands at an event boundary: DRAIN wants the outputs taken away, the other codes end a run.
    """
    world = world_at(world_address, 0)
    engine = engine_at(world.engine, 0)
    for k in range(low, high):
        if not has_room(world):
            return DRAIN, k
        code = step(world, engine, event_at(events_address, k))
        if code != DONE:
            return code, k
        if stops(engine) != DONE:
            return stops(engine), k + 1
    return DONE, high


@entry(Words(arguments=4, results=2))
def advance_bars(world_address, events_address, low, high):
    """Fold events of a run without tick data; otherwise as `advance`."""
    world = world_at(world_address, 0)
    engine = engine_at(world.engine, 0)
    for k in range(low, high):
        if not has_room(world):
            return DRAIN, k
        code = step_bars(world, engine, event_at(events_address, k))
        if code != DONE:
            return code, k
        if stops(engine) != DONE:
            return stops(engine), k + 1
    return DONE, high
