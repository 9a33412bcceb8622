"""A made-up market as depth and trade events: a wandering price, a thick book, far levels, trades at the touch."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import types

from tradectl.core.codes import EventFlag, EventKind
from tradectl.core.event import EVENT, empty_events
from tradectl.core.jit import entry, kernel
from tradectl.core.ladder import best, best_qty, qty_at, set_level
from tradectl.core.ladder_layout import NO_ASK, NO_BID, ladder_address, new_ladder
from tradectl.core.layout import event_at

__all__ = ["generate_ticks"]

CHUNK = 65_536
START_NS = 1_704_067_200_000_000_000
FIRST_PRICE = 5_000_000  # ticks
NEAR, FAR = 60, 40_000  # ticks from the fair price within which levels lie
FAR_STEP = 16  # ticks between far levels: orders far away stand at round prices, so that levels come back
TRADE, DEPTH = int(EventKind.TRADE), int(EventKind.DEPTH)
MESSAGE_END = int(EventFlag.MESSAGE_END)
SHARE_FAR, SHARE_TRADE, SHARE_MOVE, SHARE_REMOVE = 0.12, 0.10, 0.04, 0.35
_CURSOR = types.Array(types.int64, 1, "C")
_UNIFORM = types.Array(types.float64, 2, "C")


@kernel
def put(ladder, event, index, price, lots):
    """Write one depth event and apply it."""
    event.kind = DEPTH
    event.side = 1 - 2 * index
    event.w0 = price
    event.w1 = lots
    set_level(ladder, index, price, lots)


@entry(lambda: types.void(types.int64, types.int64, _UNIFORM, _CURSOR))
def fill_ticks(ladder, events, uniform, cursor):
    """Write n events at address `events`; uniform (n, 4) f8 in [0, 1): kind, side, distance, size.

    cursor (3,) i8: time in ns, fair price in ticks, level whose depth follows a trade (price, 0: none) by side.
    """
    for k in range(uniform.shape[0]):
        kind, coin, away, size = uniform[k]
        event = event_at(events, k)
        cursor[0] += 1 + int(400_000 * size * away)
        event.ts_event = cursor[0]
        event.ts_recv = cursor[0]
        event.flags = MESSAGE_END
        event.w2 = k
        index = 0 if coin < 0.5 else 1
        side = 1 - 2 * index
        if cursor[2] != 0:  # the depth that tells of the trade before it
            hit = 0 if cursor[2] > 0 else 1
            price = int(abs(cursor[2]))
            cursor[2] = 0
            put(ladder, event, hit, price, max(qty_at(ladder, hit, price) - cursor[3], 0))
            continue
        touch = best(ladder, index)
        if kind < SHARE_TRADE and touch != NO_BID and touch != NO_ASK:
            lots = 1 + int(best_qty(ladder, index) * size * 1.1)
            event.kind = TRADE
            event.side = -side
            event.w0 = touch
            event.w1 = lots
            cursor[2] = side * touch
            cursor[3] = lots
            continue
        if kind < SHARE_TRADE + SHARE_MOVE:
            cursor[1] += 1 if size < 0.5 else -1
        far = kind > 1.0 - SHARE_FAR
        distance = NEAR + int(FAR * away) if far else 1 + int(NEAR * away * away)
        price = int(cursor[1]) - side * distance
        if far:
            price = price // FAR_STEP * FAR_STEP
        opposite = best(ladder, 1 - index)
        if opposite != NO_BID and opposite != NO_ASK and side * price >= side * opposite:
            put(ladder, event, 1 - index, opposite, 0)
        else:
            removes = size < SHARE_REMOVE and qty_at(ladder, index, price) > 0
            put(ladder, event, index, price, 0 if removes else 1 + int(2_000 * size))


def generate_ticks(n: int, seed: int = 1) -> npt.NDArray[Any]:
    """Return `n` DEPTH and TRADE events of one instrument; a seed's bytes are fixed."""
    events = empty_events(n)
    blob = new_ladder()
    cursor = np.array([START_NS, FIRST_PRICE, 0, 0], np.int64)
    rng = np.random.Generator(np.random.PCG64(seed))
    for at in range(0, n, CHUNK):
        rows = min(CHUNK, n - at)
        fill_ticks(ladder_address(blob), events.ctypes.data + at * EVENT.itemsize, rng.random((rows, 4)), cursor)
    return events
