"""Resting orders on a displayed book (L1, L2): the queue ahead, and the trades and prices that fill them."""

from __future__ import annotations

import math

from tradectl.core.bars import is_stop, waits
from tradectl.core.codes import BookLevel, FillPhase, LiquiditySide, OrderType, Reason
from tradectl.core.execute import UNCAPPED, execute
from tradectl.core.jit import kernel, routine
from tradectl.core.ladder import best, next_price, qty_at
from tradectl.core.ladder_layout import NO_ASK, NO_BID, NO_NOTE, ladder_at
from tradectl.core.ladder_notes import add_note, first_note, is_marked, note_at, remove_note
from tradectl.core.layout import NEVER, NONE, order_at
from tradectl.core.orders import is_arrived, refresh_keys
from tradectl.core.queues import front_after
from tradectl.core.taking import free_at

__all__ = [
    "TOUCH", "begin_rest", "fill_crossed", "level_changed", "quote_changed", "refresh_fronts", "trade_at_own",
]  # fmt: skip

LIMIT, STOP_LIMIT = int(OrderType.LIMIT), int(OrderType.STOP_LIMIT)
QUOTES = int(BookLevel.QUOTES)
QUEUE, THROUGH = int(FillPhase.QUEUE), int(FillPhase.THROUGH)
MAKER = int(LiquiditySide.MAKER)
NOTES_FULL = int(Reason.NOTES_FULL)
TOUCH = 2  # VENUE.touched: the touch, or what is free there, may have changed
UNKNOWN_FRONT = 1e18  # behind the touch of an L1 book: no trade reaches it before it is the touch


@routine
def begin_rest(world, engine, market, venue, slot):
    """Let what is left of a limit order wait at its price, behind what the book displays there."""
    order = order_at(world.orders, slot)
    ladder = world.books + venue.ladder
    index = (1 - order.side) >> 1
    front = float(qty_at(ladder, index, order.price_ticks))
    if market.level == QUOTES and front == 0.0:
        touch = best(ladder, index)
        behind = touch != NO_BID and touch != NO_ASK and order.side * order.price_ticks < order.side * touch
        front = UNKNOWN_FRONT if behind else 0.0
    order.front = front
    order.front_post = front
    note = add_note(ladder, index, order.price_ticks, slot)
    if note == NO_NOTE:
        engine.fault_reason = NOTES_FULL
        return
    order.note = note + 1
    record = note_at(ladder, note)
    record.value = 0  # traded here since the last depth


@kernel
def give_back(venue, ladder, note, after):
    """Let a level that shows `after` lots give back own consumption by what it shows more than when last seen."""
    record = note_at(ladder, note)
    record.lots = min(record.lots - max(after - record.value, 0), after)
    record.value = after
    venue.touched = TOUCH
    if record.lots <= 0:
        remove_note(ladder, note)


@routine
def level_changed(world, market, venue, index, price_ticks, before, after):
    """Follow a level with notes from `before` to `after` lots: queues move, it gives back own consumption.

    A depth older than the newest trade neither subtracts nor resets what was traded (its quantity is older).
    """
    ladder = world.books + venue.ladder
    late = venue.ts_event < venue.ts_trade
    note = first_note(ladder, index, price_ticks)
    while note != NO_NOTE:
        record = note_at(ladder, note)
        following = record.next
        if record.order < 0:
            give_back(venue, ladder, note, after)
        elif market.level != QUOTES:
            order = order_at(world.orders, record.order)
            traded = 0 if late else record.value
            order.front = front_after(
                venue.queue_model, venue.queue_power, venue.lot_size, order.front, before, after, traded
            )
            if not late:
                record.value = 0
        note = following


@routine
def quote_changed(world, market, index, touch, lots):
    """Bound the queue at a new L1 touch by its size; inside the spread there is no queue."""
    side = 1 - 2 * index
    slot = market.first_order
    while slot != NONE:  # at most n_orders steps
        order = order_at(world.orders, slot)
        slot = order.next
        if order.note != 0 and order.side == side:
            if order.price_ticks == touch:
                order.front = min(order.front, float(lots))
            elif touch == NO_BID or touch == NO_ASK or side * order.price_ticks > side * touch:
                order.front = min(order.front, 0.0)


@routine
def refresh_fronts(world, market, venue):
    """After a snapshot no queue is longer than its level, and own consumption is gone with a level that is."""
    ladder = world.books + venue.ladder
    for note in range(ladder_at(ladder, 0).fresh_note):
        record = note_at(ladder, note)
        if record.index != NO_NOTE and record.order < 0 and qty_at(ladder, record.index, record.price) == 0:
            remove_note(ladder, note)
    slot = market.first_order
    while slot != NONE:  # at most n_orders steps
        order = order_at(world.orders, slot)
        slot = order.next
        if order.note != 0:
            index = (1 - order.side) >> 1
            order.front = min(order.front, float(qty_at(ladder, index, order.price_ticks)))


@kernel
def is_resting(order):
    """Return whether an order waits in the book at its limit."""
    limit = order.order_type == LIMIT or order.order_type == STOP_LIMIT
    return limit and is_arrived(order) and not is_stop(order)


@routine
def best_resting(world, engine, market, side, price_ticks, strictly, until):
    """Return the slot of the resting order of a side that a price reaches first (NONE: none): price, then time.

    It reaches orders that arrived before `until`, at or better than itself, with `strictly` only better ones.
    """
    found, at = NONE, 0
    slot = market.first_order
    while slot != NONE:  # at most n_orders steps
        order = order_at(world.orders, slot)
        if order.side == side and is_resting(order) and order.ts_arrival < until:
            beyond = side * (order.price_ticks - price_ticks)
            if (beyond > 0 or (beyond == 0 and not strictly)) and not waits(world, engine, order):
                if found == NONE or side * (order.price_ticks - at) > 0:
                    found, at = slot, order.price_ticks
        slot = order.next
    return found


@routine
def fill_through(world, engine, market, side, price_ticks, strictly, until):
    """Fill, each at its own price, the resting orders of a side that a price has passed; return the lots.

    Orders that arrived at `until` (exchange time) or later are not reached: a trade that is told late.
    """
    filled = 0
    while True:  # each step ends an order
        slot = best_resting(world, engine, market, side, price_ticks, strictly, until)
        if slot == NONE:
            return filled
        order = order_at(world.orders, slot)
        before = order.filled_lots
        market.budget = order.leaves_lots
        execute(world, engine, market, slot, order.price_ticks, False, UNCAPPED, MAKER, THROUGH)
        filled += order.filled_lots - before


@kernel
def first_free(ladder, index, own_ticks):
    """Return the best price of a side, not worse than own orders at `own_ticks`, that shows what they have not taken.

    NO_BID or NO_ASK where there is none.
    """
    toward = 1 - 2 * index
    price = best(ladder, index)
    while price != NO_BID and price != NO_ASK and toward * price >= toward * own_ticks:  # at most all levels
        if free_at(ladder, index, price) > 0:
            return price
        price = next_price(ladder, index, price)
    return NO_BID if index == 0 else NO_ASK


@routine
def fill_crossed(world, engine, market, venue):
    """At the end of a message: the other side has reached own orders, which fill at their own price.

    What own orders have taken of it is not there any more.
    """
    ladder = world.books + venue.ladder
    bid, ask = first_free(ladder, 0, venue.own_ask), first_free(ladder, 1, venue.own_bid)
    if ask != NO_ASK and venue.own_bid >= ask:
        fill_through(world, engine, market, 1, ask, False, NEVER)
    if bid != NO_BID and venue.own_ask <= bid:
        fill_through(world, engine, market, -1, bid, False, NEVER)
    refresh_keys(world, market)


@kernel
def next_in_queue(world, ladder, index, price_ticks, after):
    """Return the slot of the own order at a price that comes next in time after a priority (NONE: none)."""
    note = first_note(ladder, index, price_ticks) if is_marked(ladder, index, price_ticks) else NO_NOTE
    while note != NO_NOTE:
        record = note_at(ladder, note)
        if record.order >= 0 and order_at(world.orders, record.order).priority > after:
            return record.order
        note = record.next
    return NONE


@routine
def trade_in_queue(world, engine, market, venue, index, price_ticks, lots, given):
    """Let a trade of `lots`, `given` of them to orders that it passed, reach the own orders at its price by time.

    What it gives one own order it cannot give the next; each order's queue shrinks by what passed it. The
    level lost all of the trade, whoever got it here.
    """
    ladder = world.books + venue.ladder
    slot = next_in_queue(world, ladder, index, price_ticks, -1)
    while slot != NONE:  # at most n_orders steps; looked up anew each time, for a fill may end other orders
        order = order_at(world.orders, slot)
        priority = order.priority
        if order.ts_arrival >= market.start:  # the trade was before it
            slot = next_in_queue(world, ladder, index, price_ticks, priority)
            continue
        record = note_at(ladder, order.note - 1)
        record.value += lots
        left = max(lots - given, 0)
        order.front -= left
        reached = min(int(math.floor(0.5 - order.front)), left)  # half a lot and more is a lot
        if reached > 0:
            if not waits(world, engine, order):
                before = order.filled_lots
                market.budget = reached
                execute(world, engine, market, slot, order.price_ticks, False, UNCAPPED, MAKER, QUEUE)
                given += order.filled_lots - before
            order.front = 0.0
        slot = next_in_queue(world, ladder, index, price_ticks, priority)


@routine
def trade_at_own(world, engine, market, venue, price_ticks, lots, aggressor, moves_queue):
    """Fill the own orders that a trade passed whole, those at its price by their place in the queue.

    A trade of unknown side is taken for a buy at or above the ask, for a sell at or below the bid.
    `moves_queue` is false where the newest depth has counted the trade already, or the trade was hidden.
    """
    for index in range(2):
        side = 1 - 2 * index
        touched = price_ticks <= venue.own_bid if index == 0 else price_ticks >= venue.own_ask
        if touched and aggressor != side:
            passed = fill_through(world, engine, market, side, price_ticks, True, market.start)
            at_touch = price_ticks <= venue.bid if index == 0 else price_ticks >= venue.ask
            if moves_queue and (aggressor == -side or at_touch):
                trade_in_queue(world, engine, market, venue, index, price_ticks, lots, passed)
    refresh_keys(world, market)
