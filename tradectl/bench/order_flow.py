"""A made-up market order by order: additions, cancels and executions of recorded orders, as a venue tells them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import types

from tradectl.core.book import book_best_ask, book_best_bid, book_cancel, book_market, book_submit, book_trade
from tradectl.core.book_layout import book_address, book_at, new_book, order_at
from tradectl.core.book_match import NO_PRICE
from tradectl.core.codes import EventFlag, EventKind, TimeInForce
from tradectl.core.event import empty_events
from tradectl.core.jit import entry, kernel
from tradectl.core.layout import event_at

__all__ = ["LIVE_ORDERS", "generate_orders"]

CHUNK = 65_536  # operations whose random numbers are drawn at once
LIVE_ORDERS = 8_000  # resting orders that additions and cancels settle around
SLOTS = 1 << 16
FIRST_PRICE = 500_000  # ticks
START_NS = 1_704_067_200_000_000_000
SHARE_MARKET, SHARE_CANCEL, SHARE_MOVE = 0.04, 0.47, 0.002
NEAR = 40  # ticks from the fair price within which most orders are
ADD, CANCEL, EXEC = int(EventKind.ORDER_ADD), int(EventKind.ORDER_CANCEL), int(EventKind.ORDER_EXEC)
MESSAGE_END = int(EventFlag.MESSAGE_END)
GTC = int(TimeInForce.GTC)
_CURSOR = types.Array(types.int64, 1, "C")
_UNIFORM = types.Array(types.float64, 2, "C")
i8 = types.int64


@kernel
def put_order(event, ts, kind, side, price, lots, key):
    """Write one event, received as it happens, that ends its message."""
    event.ts_event = ts
    event.ts_recv = ts
    event.kind = kind
    event.side = side
    event.flags = MESSAGE_END
    event.w0 = price
    event.w1 = lots
    event.w2 = key


@kernel
def resting_slot(book, target):
    """Return the first resting order at or after a random slot (0: none within 64)."""
    state = book_at(book, 0)
    slot = 1 + int(target * (state.fresh - 1))
    for _ in range(64):
        if slot < state.fresh and order_at(book + state.orders, slot).qty_lots > 0:
            return slot
        slot += 1
    return 0


@entry(lambda: i8(i8, i8, i8, i8, _UNIFORM, _CURSOR))
def fill_orders(book, events, at, n, uniform, cursor):
    """Write events from row `at` on, less than `n`, at address `events`; return how many there are now.

    uniform (m, 5) f8 in [0, 1): kind, side, distance, size, target; cursor (3,) i8: time in ns, fair price in
    ticks, next order id.
    """
    state = book_at(book, 0)
    for k in range(uniform.shape[0]):
        kind, coin, away, size, target = uniform[k]
        side = 1 if coin < 0.5 else -1
        cursor[0] += 1 + int(400_000 * size * away)
        if away < SHARE_MOVE:
            cursor[1] += side
        key = int(cursor[2])
        if at >= n:
            break
        if kind < SHARE_MARKET and state.live > 100:
            book_market(book, key, side, 1 + int(60 * size * size))
            cursor[2] += 1
            for i in range(min(state.trade_count, n - at)):
                trade = book_trade(book, i)
                put_order(
                    event_at(events, at),
                    cursor[0],
                    EXEC,
                    -side,
                    trade.price_ticks,
                    trade.qty_lots,
                    trade.resting_id,
                )
                if i < state.trade_count - 1:
                    event_at(events, at).flags = 0
                at += 1
            continue
        slot = 0
        if kind < SHARE_MARKET + SHARE_CANCEL and target * LIVE_ORDERS < state.live:
            slot = resting_slot(book, target)
        if slot != 0:
            order = order_at(book + state.orders, slot)
            from_side = 1 if order.price_ticks <= book_best_bid(book) else -1
            put_order(event_at(events, at), cursor[0], CANCEL, from_side, order.price_ticks, 0, order.id)
            book_cancel(book, order.id)
        else:
            price = int(cursor[1]) - side * (1 + int(NEAR * away * away))
            touch = book_best_ask(book) if side > 0 else book_best_bid(book)
            if touch != NO_PRICE and side * price >= side * touch:
                price = touch - side
            put_order(event_at(events, at), cursor[0], ADD, side, price, 1 + int(120 * size), key)
            book_submit(book, key, side, price, 1 + int(120 * size), GTC, 0)
            cursor[2] += 1
        at += 1
    return at


def generate_orders(n: int, seed: int = 1) -> npt.NDArray[Any]:
    """Return `n` ORDER_ADD, ORDER_CANCEL and ORDER_EXEC events of one instrument; a seed's bytes are fixed."""
    events = empty_events(n)
    blob = new_book(SLOTS, 2 * n + CHUNK, FIRST_PRICE)
    cursor = np.array([START_NS, FIRST_PRICE, 1], np.int64)
    rng = np.random.Generator(np.random.PCG64(seed))
    at = 0
    while at < n:
        at = fill_orders(book_address(blob), events.ctypes.data, at, n, rng.random((CHUNK, 5)), cursor)
    events["flags"][-1] = MESSAGE_END
    return events
