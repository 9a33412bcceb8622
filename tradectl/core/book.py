"""The order-by-order book: price-time priority, one operation at a time, no allocation, codes returned.

A book's handle is its address (`core.book_layout`). Every operation leaves its trades in the book's trade
buffer (`trade_count`, `book_trade`) and the rest of its order in `leaves_lots`; a refused operation changes
nothing. Prices are ticks of either sign within ±2^60, quantities lots up to 2^40, sides +1 and -1.
"""

from __future__ import annotations

from typing import Any

from tradectl.core.book_layout import (
    MAX_PRICE_TICKS,
    MAX_QTY_LOTS,
    book_at,
    level_at,
    order_at,
    slot_at,
    trade_at,
)
from tradectl.core.book_match import (
    NO_PRICE,
    book_best_ask,
    book_best_bid,
    can_fill,
    free_slot,
    match_all,
    would_take,
)
from tradectl.core.book_window import append, far_append, follow, unlink
from tradectl.core.codes import OrderFlag, Reason, TimeInForce
from tradectl.core.jit import kernel, routine

__all__ = [
    "DUPLICATE_ORDER_ID", "NO_PRICE", "ORDER_ID_OUT_OF_RANGE", "book_best_ask", "book_best_bid",
    "book_cancel", "book_market", "book_modify", "book_resting_lots", "book_submit", "book_trade",
]  # fmt: skip

DUPLICATE_ORDER_ID = int(Reason.DUPLICATE_ORDER_ID)  # the client id rests already
ORDER_ID_OUT_OF_RANGE = int(Reason.ORDER_ID_OUT_OF_RANGE)  # not one of the dense ids

_GTC, _IOC, _FOK = int(TimeInForce.GTC), int(TimeInForce.IOC), int(TimeInForce.FOK)
_POST_ONLY = int(OrderFlag.POST_ONLY)
_DONE = int(Reason.NONE)
_UNKNOWN_SIDE = int(Reason.UNKNOWN_SIDE)
_UNKNOWN_TIME_IN_FORCE = int(Reason.UNKNOWN_TIME_IN_FORCE)
_QTY_NOT_POSITIVE = int(Reason.QTY_NOT_POSITIVE)
_QTY_ABOVE_MAXIMUM = int(Reason.QTY_ABOVE_MAXIMUM)
_PRICE_ABOVE_MAXIMUM = int(Reason.PRICE_ABOVE_MAXIMUM)
_UNKNOWN_ORDER = int(Reason.UNKNOWN_ORDER)
_WOULD_TAKE = int(Reason.POST_ONLY_WOULD_TAKE)
_IOC_REMAINDER, _FOK_UNFILLED = int(Reason.IOC_REMAINDER), int(Reason.FOK_UNFILLED)
_ORDERS_FULL = int(Reason.ORDERS_FULL)
_ANY_PRICE = 2 * MAX_PRICE_TICKS  # the limit of a market order to buy


@kernel
def book_trade(book: int, index: int) -> Any:
    """Return trade `index` (BOOK_TRADE) of the last operation, 0 <= index < its `trade_count`."""
    return trade_at(book + book_at(book, 0).trades, index)


@kernel
def book_resting_lots(book: int, order_id: int) -> int:
    """Return what rests of `order_id` in lots; 0 when it does not rest."""
    state = book_at(book, 0)
    if order_id < 0 or order_id >= state.id_capacity:
        return 0
    slot = slot_at(book + state.ids, order_id).slot
    return int(order_at(book + state.orders, slot).qty_lots) if slot != 0 else 0


@kernel
def _rest(book: int, level: int, index: int, order_id: int, price_ticks: int, qty_lots: int) -> int:
    """Let an order rest in a free slot: at `level` of the window, or far when that is outside."""
    state = book_at(book, 0)
    slot = state.free
    if slot != 0:
        state.free = order_at(book + state.orders, slot).next
    else:
        slot = state.fresh
        if slot > state.slots:
            return _ORDERS_FULL
        state.fresh = slot + 1
    order = order_at(book + state.orders, slot)
    order.id = order_id
    order.price_ticks = price_ticks
    order.qty_lots = qty_lots
    slot_at(book + state.ids, order_id).slot = slot
    state.live = state.live + 1
    if level >= 0 and level < state.window:
        append(book, level, slot)
        if (level - state.best[index]) * (1 - 2 * index) > 0:  # one branch for both sides, rarely taken
            state.best[index] = level
    else:
        far_append(book, index, slot)
    return _DONE


@routine
def _take(
    book: int, order_id: int, side: int, limit_ticks: int, qty_lots: int, time_in_force: int, flags: int
) -> int:
    """Submit an order that crosses, lies outside the window, or does not rest."""
    state = book_at(book, 0)
    if flags & _POST_ONLY and would_take(book, side, limit_ticks):
        return _WOULD_TAKE
    if time_in_force == _FOK and not can_fill(book, side, limit_ticks, qty_lots):
        return _FOK_UNFILLED
    left = match_all(book, order_id, side, limit_ticks, qty_lots)
    state.leaves_lots = left
    if left == 0:
        return _DONE
    if time_in_force != _GTC:
        return _IOC_REMAINDER
    if state.free == 0 and state.fresh > state.slots:
        return _ORDERS_FULL  # nothing has traded: an order that was used up would have left its slot
    index = (1 - side) >> 1
    level = limit_ticks - state.low
    if level < 0 or level >= state.window:
        follow(book, index, limit_ticks)
        level = limit_ticks - state.low
    return _rest(book, level, index, order_id, limit_ticks, left)


@kernel
def book_submit(
    book: int, order_id: int, side: int, price_ticks: int, qty_lots: int, time_in_force: int, flags: int
) -> int:
    """Submit a limit order (GTC rests, IOC, FOK; OrderFlag.POST_ONLY); return its Reason.

    NONE: traded and/or rests. IOC_REMAINDER: traded what it could, `leaves_lots` expired. FOK_UNFILLED,
    POST_ONLY_WOULD_TAKE, ORDERS_FULL and the 1xx reasons: nothing happened.
    """
    state = book_at(book, 0)
    state.trade_count = 0
    state.leaves_lots = qty_lots
    if order_id < 0 or order_id >= state.id_capacity:
        return ORDER_ID_OUT_OF_RANGE
    if qty_lots <= 0:
        return _QTY_NOT_POSITIVE
    if qty_lots > MAX_QTY_LOTS:
        return _QTY_ABOVE_MAXIMUM
    if price_ticks > MAX_PRICE_TICKS or price_ticks < -MAX_PRICE_TICKS:
        return _PRICE_ABOVE_MAXIMUM
    if side != 1 and side != -1:
        return _UNKNOWN_SIDE
    if time_in_force < _GTC or time_in_force > _FOK:
        return _UNKNOWN_TIME_IN_FORCE
    if slot_at(book + state.ids, order_id).slot != 0:
        return DUPLICATE_ORDER_ID
    level = price_ticks - state.low
    if time_in_force == _GTC and level >= 0 and level < state.window:
        index = (1 - side) >> 1
        if (level - state.best[1 - index]) * side < 0:  # the usual case: it rests without a trade
            return _rest(book, level, index, order_id, price_ticks, qty_lots)
    return _take(book, order_id, side, price_ticks, qty_lots, time_in_force, flags)


@kernel
def book_market(book: int, order_id: int, side: int, qty_lots: int) -> int:
    """Submit a market order (IOC); return NONE, IOC_REMAINDER or a 1xx Reason. Its id is only reported."""
    state = book_at(book, 0)
    state.trade_count = 0
    state.leaves_lots = qty_lots
    if qty_lots <= 0:
        return _QTY_NOT_POSITIVE
    if qty_lots > MAX_QTY_LOTS:
        return _QTY_ABOVE_MAXIMUM
    if side != 1 and side != -1:
        return _UNKNOWN_SIDE
    return _take(book, order_id, side, side * _ANY_PRICE, qty_lots, _IOC, 0)


@kernel
def book_cancel(book: int, order_id: int) -> int:
    """Cancel a resting order; return NONE, or UNKNOWN_ORDER when it does not rest."""
    state = book_at(book, 0)
    state.trade_count = 0
    state.leaves_lots = 0
    if order_id < 0 or order_id >= state.id_capacity:
        return _UNKNOWN_ORDER
    slot = slot_at(book + state.ids, order_id).slot
    if slot == 0:
        return _UNKNOWN_ORDER
    unlink(book, order_at(book + state.orders, slot).price_ticks - state.low, slot)
    free_slot(book, slot)
    return _DONE


@routine
def _replace(book: int, slot: int, order_id: int, price_ticks: int, qty_lots: int) -> int:
    """Cancel the order in `slot` and submit it anew with its side: it loses its place and may trade."""
    state = book_at(book, 0)
    level = order_at(book + state.orders, slot).price_ticks - state.low
    side = 1 if level < 0 or (level <= state.best[0] and level < state.window) else -1
    unlink(book, level, slot)
    free_slot(book, slot)
    return book_submit(book, order_id, side, price_ticks, qty_lots, _GTC, 0)


@kernel
def book_modify(book: int, order_id: int, price_ticks: int, qty_lots: int) -> int:
    """Set a resting order's price and remaining quantity; return its Reason.

    Less or as much at the same price keeps its place; any other change is a cancel and a new order.
    """
    state = book_at(book, 0)
    state.trade_count = 0
    state.leaves_lots = qty_lots
    if qty_lots <= 0:
        return _QTY_NOT_POSITIVE
    if qty_lots > MAX_QTY_LOTS:
        return _QTY_ABOVE_MAXIMUM
    if price_ticks > MAX_PRICE_TICKS or price_ticks < -MAX_PRICE_TICKS:
        return _PRICE_ABOVE_MAXIMUM
    if order_id < 0 or order_id >= state.id_capacity:
        return _UNKNOWN_ORDER
    slot = slot_at(book + state.ids, order_id).slot
    if slot == 0:
        return _UNKNOWN_ORDER
    order = order_at(book + state.orders, slot)
    if price_ticks != order.price_ticks or qty_lots > order.qty_lots:
        return _replace(book, slot, order_id, price_ticks, qty_lots)
    level = price_ticks - state.low
    if level >= 0 and level < state.window:
        place = level_at(book + state.levels, level)
        place.qty_lots = place.qty_lots - (order.qty_lots - qty_lots)
    order.qty_lots = qty_lots
    return _DONE
