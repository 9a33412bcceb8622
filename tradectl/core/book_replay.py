"""Entry points over a whole book: replay a flow of operations, digest what it did and what is left."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types

from tradectl.core.bits import FNV_OFFSET, cycles, fnv_mix, signed
from tradectl.core.book import (
    NO_PRICE,
    book_best_ask,
    book_best_bid,
    book_cancel,
    book_market,
    book_modify,
    book_submit,
)
from tradectl.core.book_layout import book_at, level_at, order_at, trade_at
from tradectl.core.book_window import next_level
from tradectl.core.codes import TimeInForce
from tradectl.core.jit import entry, kernel, readonly

__all__ = [
    "DIGEST_FIELDS", "FLOW", "OP_ADD", "OP_CANCEL", "OP_MARKET", "OP_MODIFY", "digest_book",
    "replay_flow", "time_flow",
]  # fmt: skip

# One operation: side 0 buys, 1 sells; the quantity of OP_MODIFY is the new remaining one.
FLOW = np.dtype(
    [("id", "<u8"), ("price", "<i8"), ("qty", "<u4"), ("op", "u1"), ("side", "u1"), ("pad", "<u2")]
)
OP_ADD, OP_CANCEL, OP_MARKET, OP_MODIFY = 0, 1, 2, 3
DIGEST_FIELDS = ("book_hash", "live", "live_qty", "best_bid", "best_ask", "levels")
_GTC = int(TimeInForce.GTC)
_TOTALS = types.Array(types.int64, 1, "C")


@kernel
def _apply(book: int, row: Any) -> int:
    """Apply one row of a flow; return its Reason."""
    op, order_id, qty_lots = signed(row["op"]), signed(row["id"]), signed(row["qty"])
    if op == OP_ADD:
        side, price_ticks = 1 - 2 * signed(row["side"]), signed(row["price"])
        return book_submit(book, order_id, side, price_ticks, qty_lots, _GTC, 0)
    if op == OP_CANCEL:
        return book_cancel(book, order_id)
    if op == OP_MARKET:
        return book_market(book, order_id, 1 - 2 * signed(row["side"]), qty_lots)
    return book_modify(book, order_id, signed(row["price"]), qty_lots)


@entry(lambda: types.void(types.int64, readonly(FLOW), _TOTALS))
def replay_flow(book, flow, totals):
    """Apply `flow` (n,) of FLOW to the book at address `book`.

    totals (4,) i8, added to: trades, traded lots, digest of the trades (begin with FNV_OFFSET; aggressor id,
    resting id, price, quantity of each), refused operations.
    """
    state = book_at(book, 0)
    trades, traded, digest, refused = totals[0], totals[1], totals[2], totals[3]
    for i in range(flow.shape[0]):
        if _apply(book, flow[i]) != 0:
            refused += 1
        count = state.trade_count
        for k in range(count):
            trade = trade_at(book + state.trades, k)
            digest = fnv_mix(digest, trade.aggressor_id)
            digest = fnv_mix(digest, trade.resting_id)
            digest = fnv_mix(digest, trade.price_ticks)
            digest = fnv_mix(digest, trade.qty_lots)
            traded += trade.qty_lots
        trades += count
    totals[0], totals[1], totals[2], totals[3] = trades, traded, digest, refused


@entry(lambda: types.void(types.int64, readonly(FLOW), _TOTALS))
def time_flow(book, flow, ticks):
    """Apply `flow` (n,) and write each operation's own time in cycles to ticks (n,) i8."""
    for i in range(flow.shape[0]):
        begun = cycles()
        _apply(book, flow[i])
        ticks[i] = cycles() - begun


@kernel
def _mix_queue(book: int, head: int, price_ticks: int, totals: Any) -> None:
    """Mix the orders at `price_ticks` of the list from `head` into totals: digest, orders, lots."""
    state = book_at(book, 0)
    slot = head
    while slot != 0:
        order = order_at(book + state.orders, slot)
        if order.price_ticks == price_ticks:
            totals[0] = fnv_mix(fnv_mix(fnv_mix(totals[0], order.id), price_ticks), order.qty_lots)
            totals[1] += 1
            totals[2] += order.qty_lots
        slot = order.next


@kernel
def _next_far_price(book: int, index: int, after: int) -> int:
    """Return the best far price worse than `after`, or NO_PRICE."""
    state = book_at(book, 0)
    side = 1 - 2 * index
    found = NO_PRICE
    slot = state.far_head[index]
    while slot != 0:
        order = order_at(book + state.orders, slot)
        price = order.price_ticks
        if (after - price) * side > 0 and (found == NO_PRICE or (price - found) * side > 0):
            found = price
        slot = order.next
    return found


@kernel
def _mix_side(book: int, index: int, totals: Any) -> int:
    """Mix one side, best price first, into totals; return its number of price levels."""
    state = book_at(book, 0)
    levels = 0
    level = state.best[index]
    while level >= 0 and level < state.window:
        _mix_queue(book, level_at(book + state.levels, level).head, state.low + level, totals)
        level = next_level(book, level, index)
        levels += 1
    price = _next_far_price(book, index, -NO_PRICE if index == 0 else NO_PRICE)
    while price != NO_PRICE:
        _mix_queue(book, state.far_head[index], price, totals)
        price = _next_far_price(book, index, price)
        levels += 1
    return levels


@entry(lambda: types.void(types.int64, _TOTALS))
def digest_book(book, totals):
    """Write DIGEST_FIELDS of the book at address `book` to totals (6,) i8: bids, then asks, best first.

    The digest is FNV-1a over id, price and remaining quantity of each order; no best price: NO_PRICE.
    """
    totals[0] = FNV_OFFSET
    totals[1] = 0
    totals[2] = 0
    totals[3] = book_best_bid(book)
    totals[4] = book_best_ask(book)
    totals[5] = _mix_side(book, 0, totals) + _mix_side(book, 1, totals)
