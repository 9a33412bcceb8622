"""`advance`: the fold over a slice of events, the one entry point of every mode."""

from __future__ import annotations

from tradectl.core.codes import FoldCode
from tradectl.core.event import EVENT
from tradectl.core.jit import Words, entry
from tradectl.core.layout import engine_at, event_at, world_at
from tradectl.engine.step import step

__all__ = ["OUTPUT_MARGIN", "advance"]

DONE, DRAIN = int(FoldCode.DONE), int(FoldCode.DRAIN)
STRATEGY_RAISED, CAPACITY = int(FoldCode.STRATEGY_RAISED), int(FoldCode.CAPACITY)
OUTPUT_MARGIN = 16_384  # free rows of fills and orders before an event: more than one event has ever written

assert EVENT.itemsize == 64


@entry(Words(arguments=4, results=2))
def advance(world_address, events_address, low, high):
    """Fold events [low, high) at an address; return (FoldCode, index of the first event not applied).

    The world, its state and the events stay where they are; outputs grow behind the cursors in WORLD. A fold
    that stops stands at an event boundary: DRAIN wants the outputs taken away, the other codes end a run.
    """
    world = world_at(world_address, 0)
    engine = engine_at(world.engine, 0)
    for k in range(low, high):
        fills_left = world.fills_capacity - world.n_fills
        orders_left = world.orders_capacity - world.n_orders
        if fills_left < OUTPUT_MARGIN or orders_left < OUTPUT_MARGIN or world.n_equity >= world.equity_capacity:
            return DRAIN, k
        code = step(world, engine, event_at(events_address, k))
        if code != DONE:
            return code, k
        if engine.fault_strategy != 0:
            return STRATEGY_RAISED, k + 1
        if engine.fault_reason != 0:
            return CAPACITY, k + 1
    return DONE, high
