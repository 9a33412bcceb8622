"""Taking liquidity from a displayed book: what is free at each level, and what own orders have used up.

What an own order took stays taken. With price levels (L1, L2) it is noted at its level, and only an increase of
the level gives it back; order by order (L3) the recorded orders themselves have less.
"""

from __future__ import annotations

from tradectl.core.codes import BookLevel, FillPhase, LiquiditySide, OrderType, Reason
from tradectl.core.depth_view import shown_best, shown_next
from tradectl.core.execute import UNCAPPED, can_pay, execute
from tradectl.core.jit import kernel, routine
from tradectl.core.l3 import l3_qty
from tradectl.core.l3_own import consume_queue
from tradectl.core.ladder import qty_at
from tradectl.core.ladder_layout import NO_ASK, NO_BID, NO_NOTE
from tradectl.core.ladder_notes import add_note, first_note, is_marked, note_at
from tradectl.core.layout import order_at
from tradectl.core.orders import is_live

__all__ = ["can_take_all", "free_at", "take"]

MARKET, STOP_MARKET = int(OrderType.MARKET), int(OrderType.STOP_MARKET)
QUOTES, BY_ORDER = int(BookLevel.QUOTES), int(BookLevel.ORDERS)
BOOK = int(FillPhase.BOOK)
TAKER = int(LiquiditySide.TAKER)
NOTES_FULL = int(Reason.NOTES_FULL)
CONSUMPTION = -1  # in place of the order's slot: this note is what own orders took


@kernel
def consumption_note(ladder, index, price_ticks):
    """Return the note of what own orders took at a level, or NO_NOTE."""
    if not is_marked(ladder, index, price_ticks):
        return NO_NOTE
    note = first_note(ladder, index, price_ticks)
    while note != NO_NOTE and note_at(ladder, note).order != CONSUMPTION:
        note = note_at(ladder, note).next
    return note


@kernel
def free_at(ladder, index, price_ticks):
    """Return the displayed lots at a level that own orders have not taken."""
    note = consumption_note(ladder, index, price_ticks)
    shown = qty_at(ladder, index, price_ticks)
    return shown if note == NO_NOTE else max(shown - note_at(ladder, note).lots, 0)


@routine
def consume(engine, ladder, index, price_ticks, lots):
    """Remember that own orders took `lots` at a level."""
    note = consumption_note(ladder, index, price_ticks)
    if note == NO_NOTE:
        note = add_note(ladder, index, price_ticks, CONSUMPTION)
        if note == NO_NOTE:
            engine.fault_reason = NOTES_FULL
            return
        note_at(ladder, note).value = qty_at(ladder, index, price_ticks)  # what the level showed when last seen
    record = note_at(ladder, note)
    record.lots += lots


@kernel
def to_take(world, market, venue, index, price_ticks):
    """Return the lots that an order can take at a price."""
    if market.level == BY_ORDER:
        return l3_qty(world.books + venue.ladder, index, price_ticks)
    return free_at(world.books + venue.ladder, index, price_ticks)


@kernel
def take_away(world, engine, market, venue, index, price_ticks, lots):
    """Let `lots` at a price be used up."""
    if market.level == BY_ORDER:
        consume_queue(world.books + venue.ladder, index, price_ticks, lots)
    else:
        consume(engine, world.books + venue.ladder, index, price_ticks, lots)


@kernel
def reaches(side, price_ticks, limit_ticks):
    """Return whether a side has a price at all, and it is at or better than a limit (UNCAPPED: any)."""
    if price_ticks == NO_BID or price_ticks == NO_ASK:
        return False
    return limit_ticks == UNCAPPED or side * price_ticks <= side * limit_ticks


@kernel
def slips_on(order):
    """Return whether an order pays slippage: one without a limit does."""
    return order.order_type == MARKET or order.order_type == STOP_MARKET


@routine
def can_take_all(world, engine, market, venue, slot, limit_ticks):
    """Return whether the book shows all that an order wants within its limit, and the account can pay for it."""
    order = order_at(world.orders, slot)
    index = (1 + order.side) >> 1
    left = order.leaves_lots
    worst = price = shown_best(world.books, market, venue, index)
    while left > 0 and reaches(order.side, price, limit_ticks):  # at most as many steps as levels
        left -= to_take(world, market, venue, index, price)
        worst = price
        price = shown_next(world.books, market, venue, index, price)
    if left > 0 and market.level == QUOTES and engine.l1_leftover_ticks > 0 and worst != NO_BID and worst != NO_ASK:
        worst += order.side * engine.l1_leftover_ticks
        if reaches(order.side, worst, limit_ticks):
            left = 0
    if left > 0:
        return False
    return can_pay(world, engine, market, slot, worst, slips_on(order))


@routine
def take(world, engine, market, venue, slot, limit_ticks):
    """Let an order take what the book displays, level by level up to its limit (UNCAPPED: none).

    On quotes alone what the touch does not hold fills `l1_leftover_ticks` behind it. The order may be live
    afterwards; its caller lets the rest wait, expire or be canceled.
    """
    order = order_at(world.orders, slot)
    side = order.side
    slips = slips_on(order)
    index = (1 + side) >> 1
    price = shown_best(world.books, market, venue, index)
    touch = price
    while is_live(order) and reaches(side, price, limit_ticks):  # at most as many steps as levels
        free = to_take(world, market, venue, index, price)
        if free > 0:
            wanted, filled = min(free, order.leaves_lots), order.filled_lots
            market.budget = free
            execute(world, engine, market, slot, price, slips, UNCAPPED, TAKER, BOOK)
            taken = order.filled_lots - filled
            if taken > 0:
                take_away(world, engine, market, venue, index, price, taken)
            if taken < wanted:  # the account or the position set the end
                return
        price = shown_next(world.books, market, venue, index, price)
    if market.level == QUOTES and engine.l1_leftover_ticks > 0 and is_live(order):
        if reaches(side, touch, limit_ticks) and reaches(side, touch + side * engine.l1_leftover_ticks, limit_ticks):
            market.budget = order.leaves_lots
            behind = touch + side * engine.l1_leftover_ticks
            execute(world, engine, market, slot, behind, slips, UNCAPPED, TAKER, BOOK)
