"""How an order trades in a book: best prices, matching within a limit, what is to be had."""

from __future__ import annotations

from tradectl.core.book_layout import book_at, level_at, order_at, slot_at, trade_at
from tradectl.core.book_window import next_level, recentre, vacate
from tradectl.core.jit import kernel, routine

__all__ = ["NO_PRICE", "book_best_ask", "book_best_bid", "can_fill", "free_slot", "match_all", "would_take"]

NO_PRICE = -(1 << 62)  # the best price of an empty side


@kernel
def book_best_bid(book: int) -> int:
    """Return the best bid in ticks, or NO_PRICE."""
    state = book_at(book, 0)
    if state.best[0] >= 0:
        return int(state.low + state.best[0])
    return _far_best(book, 0) if state.far_head[0] != 0 else NO_PRICE


@kernel
def book_best_ask(book: int) -> int:
    """Return the best ask in ticks, or NO_PRICE."""
    state = book_at(book, 0)
    if state.best[1] < state.window:
        return int(state.low + state.best[1])
    return _far_best(book, 1) if state.far_head[1] != 0 else NO_PRICE


@routine
def _far_best(book: int, index: int) -> int:
    """Find the best price of a far list that is not empty, and keep it."""
    state = book_at(book, 0)
    slot = state.far_head[index]
    best = order_at(book + state.orders, slot).price_ticks
    while slot != 0:
        order = order_at(book + state.orders, slot)
        best = max(best, order.price_ticks) if index == 0 else min(best, order.price_ticks)
        slot = order.next
    state.far_best[index] = best
    return int(best)


@kernel
def free_slot(book: int, slot: int) -> None:
    """Return a slot that is in no list to the chain of free ones and forget its client id."""
    state = book_at(book, 0)
    order = order_at(book + state.orders, slot)
    slot_at(book + state.ids, order.id).slot = 0
    order.qty_lots = 0
    order.next = state.free
    state.free = slot
    state.live = state.live - 1


@kernel
def _match(book: int, order_id: int, side: int, limit_level: int, qty_lots: int) -> int:
    """Trade with the window's levels up to `limit_level`, best first, first in first out; return the rest."""
    state = book_at(book, 0)
    index = (1 + side) >> 1  # a buy meets the asks
    level = state.best[index]
    orders, trades, count = book + state.orders, book + state.trades, state.trade_count
    while qty_lots > 0 and (limit_level - level) * side >= 0:
        place = level_at(book + state.levels, level)
        before = qty_lots
        slot = place.head
        while slot != 0:
            order = order_at(orders, slot)
            resting = order.qty_lots
            fill = min(resting, qty_lots)
            trade = trade_at(trades, count)
            trade.aggressor_id = order_id
            trade.resting_id = order.id
            trade.price_ticks = state.low + level
            trade.qty_lots = fill
            count += 1
            qty_lots -= fill
            if fill < resting:
                order.qty_lots = resting - fill
                break
            after = order.next
            free_slot(book, slot)
            slot = after
            if qty_lots == 0:
                break
        place.qty_lots = place.qty_lots - (before - qty_lots)
        place.head = slot
        if slot != 0:
            order_at(orders, slot).prev = 0
        else:
            place.tail = 0
            vacate(book, level)
            level = next_level(book, level, index)
    state.best[index] = level
    state.trade_count = count
    return qty_lots


@kernel
def _limit_level(book: int, side: int, limit_ticks: int) -> int:
    """Return the worst level that an order may trade at, kept short of the window's end."""
    state = book_at(book, 0)
    level = limit_ticks - state.low
    return int(min(level, state.window - 1) if side > 0 else max(level, 0))


@kernel
def match_all(book: int, order_id: int, side: int, limit_ticks: int, qty_lots: int) -> int:
    """Trade with everything within `limit_ticks`, the window following to far orders; return the rest."""
    state = book_at(book, 0)
    index = (1 + side) >> 1
    qty_lots = _match(book, order_id, side, _limit_level(book, side, limit_ticks), qty_lots)
    while qty_lots > 0 and state.far_head[index] != 0:
        if (limit_ticks - state.far_best[index]) * side < 0:
            break  # `far_best` may be better than any far order left: only then is the exact one needed
        best = _far_best(book, index)
        if (limit_ticks - best) * side < 0:
            break
        recentre(book, best - state.window // 2)
        qty_lots = _match(book, order_id, side, _limit_level(book, side, limit_ticks), qty_lots)
    return qty_lots


@kernel
def would_take(book: int, side: int, limit_ticks: int) -> bool:
    """Say whether an order with this limit would trade at once."""
    best = book_best_ask(book) if side > 0 else book_best_bid(book)
    return best != NO_PRICE and (limit_ticks - best) * side >= 0


@kernel
def can_fill(book: int, side: int, limit_ticks: int, qty_lots: int) -> bool:
    """Say whether `qty_lots` are to be had within `limit_ticks`: window levels first, then far orders."""
    state = book_at(book, 0)
    index = (1 + side) >> 1
    limit_level = _limit_level(book, side, limit_ticks)
    level = state.best[index]
    while qty_lots > 0 and (limit_level - level) * side >= 0:
        qty_lots -= level_at(book + state.levels, level).qty_lots
        level = next_level(book, level, index)
    slot = state.far_head[index]
    while slot != 0 and qty_lots > 0:
        order = order_at(book + state.orders, slot)
        if (limit_ticks - order.price_ticks) * side >= 0:
            qty_lots -= order.qty_lots
        slot = order.next
    return qty_lots <= 0
