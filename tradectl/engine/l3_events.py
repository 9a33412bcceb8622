"""Order-by-order messages in the fold: what each changes in the book, and which own orders it fills.

Messages act on what is left of the order that they name. One that own orders have used up is only counted
(VENUE.n_spent), as is one that is not known (n_unknown). n_remainders counts orders that the recording executed whole
and that have lots left here, for own orders took an execution of theirs.
"""

from __future__ import annotations

from tradectl.core.book_layout import book_at
from tradectl.core.codes import EventFlag, EventKind, FillPhase, Reason
from tradectl.core.jit import kernel, routine
from tradectl.core.l3 import entry_at, forget_all, l3_best, new_slot, record_of, requeue, set_lots, side_book
from tradectl.core.l3_ids import slot_of_id
from tradectl.core.l3_layout import l3_at
from tradectl.core.l3_own import plain_first, stand_behind, strike, strike_order
from tradectl.core.ladder_layout import NO_ASK, NO_BID
from tradectl.core.orders import refresh_keys

__all__ = ["take_order"]

ADD, MODIFY = int(EventKind.ORDER_ADD), int(EventKind.ORDER_MODIFY)
CANCEL = int(EventKind.ORDER_CANCEL)
SNAPSHOT_BEGIN, SNAPSHOT_END = int(EventFlag.SNAPSHOT_BEGIN), int(EventFlag.SNAPSHOT_END)
QUEUE = int(FillPhase.QUEUE)
LEVELS, TOUCH = 1, 2  # VENUE.touched: what a message has changed so far
BOOK_ORDERS_FULL = int(Reason.BOOK_ORDERS_FULL)


@kernel
def cross(world, engine, market, venue, index, slot):
    """Let a recorded order of a side that was placed anew trade with what it crosses."""
    l3 = world.books + venue.ladder
    other, toward = book_at(side_book(l3, 1 - index), 0), 2 * index - 1
    best = other.best[1 - index]
    if best < 0 or best >= other.window or (other.low + best - entry_at(l3, slot).price_ticks) * toward < 0:
        return
    if strike_order(world, engine, market, venue, slot) != 0:
        refresh_keys(world, market)


@kernel
def add_order(world, engine, market, venue, event, known):
    """Let a recorded order stand last in its queue; an id that is known begins anew."""
    l3, index = world.books + venue.ladder, (1 - event.side) >> 1
    if known != 0:
        set_lots(l3, known, 0, 0)
    if known != 0 or event.w1 <= 0:
        venue.n_unknown += 1
    if event.w1 <= 0:
        return
    slot = new_slot(l3, index, event.w2, event.w0)
    if slot == 0:
        engine.fault_reason = BOOK_ORDERS_FULL
        return
    set_lots(l3, slot, event.w1, event.w1)
    cross(world, engine, market, venue, index, slot)


@kernel
def cancel_order(venue, l3, slot, lots):
    """Take `lots` of a recorded order away, 0: all of it."""
    record = record_of(l3, slot)
    if record.left_lots == 0:
        venue.n_spent += 1
    if lots <= 0 or lots >= record.shown_lots:
        set_lots(l3, slot, 0, 0)
    else:
        set_lots(l3, slot, max(record.left_lots - lots, 0), record.shown_lots - lots)


@routine
def modify_order(world, engine, market, venue, slot, price_ticks, shown_lots):
    """Give a recorded order a new price and open quantity: less at the same price keeps its place.

    Any other change lets it stand anew, with no more than the recording shows.
    """
    l3 = world.books + venue.ladder
    entry, record = entry_at(l3, slot), record_of(l3, slot)
    lots = max(shown_lots + record.left_lots - record.shown_lots, 0)
    if lots == 0 and record.left_lots == 0:
        venue.n_spent += 1
    if shown_lots <= 0:
        set_lots(l3, slot, 0, 0)
    elif price_ticks == entry.price_ticks and shown_lots <= record.shown_lots:
        set_lots(l3, slot, lots, shown_lots)
    else:
        requeue(l3, slot, price_ticks, min(lots, shown_lots), shown_lots)
        if lots > 0:
            cross(world, engine, market, venue, record.index, slot)


@routine
def trade_unknown(world, engine, market, venue, index, price_ticks, lots):
    """Let an execution of an unknown order at the touch meet what stands before all recorded orders there."""
    l3 = world.books + venue.ladder
    state, best = l3_at(l3, 0), l3_best(l3, index)
    if state.n_own[index] + state.n_surplus[index] == 0:
        return
    if best == NO_BID or best == NO_ASK or (price_ticks - best) * (1 - 2 * index) >= 0:
        until = plain_first(l3, index, price_ticks)
        if strike(world, engine, market, venue, index, price_ticks, until, lots, QUEUE) != lots:
            refresh_keys(world, market)


@kernel
def execute_order(world, engine, market, venue, slot, lots):
    """Let a recorded execution meet what stands ahead of the order that it names, then this order."""
    l3 = world.books + venue.ladder
    entry, record = entry_at(l3, slot), record_of(l3, slot)
    left = lots
    if record.left_lots == 0:
        venue.n_spent += 1
    else:
        left = strike(world, engine, market, venue, record.index, entry.price_ticks, slot, lots, QUEUE)
        if left != lots:
            refresh_keys(world, market)
    left = record.left_lots - min(left, record.left_lots)
    if left > 0 and record.shown_lots <= lots:
        venue.n_remainders += 1
    set_lots(l3, slot, left, max(record.shown_lots - lots, 0))


@kernel
def reaches_touch(venue, index, price_ticks):
    """Return whether a price is at or better than the touch of a side, as the last message left it."""
    return price_ticks >= venue.bid if index == 0 else price_ticks <= venue.ask


@kernel
def note_touched(venue, l3, event, slot):
    """Note before it is applied what an event changes: levels, or maybe the touch."""
    touch = event.flags & (SNAPSHOT_BEGIN | SNAPSHOT_END) != 0
    touch = touch or reaches_touch(venue, (1 - event.side) >> 1, event.w0)
    if not touch and slot != 0:  # its side is the one that it stands on
        index, price = record_of(l3, slot).index, entry_at(l3, slot).price_ticks
        touch = reaches_touch(venue, index, price) or reaches_touch(venue, index, event.w0)
    venue.touched = TOUCH if touch else max(venue.touched, LEVELS)


@kernel
def take_order(world, engine, market, venue, event):
    """Apply one ORDER_* event to an order-by-order book."""
    l3 = world.books + venue.ladder
    market.start = event.ts_event
    if event.flags & SNAPSHOT_BEGIN:
        forget_all(l3)
    slot = slot_of_id(l3, event.w2)
    note_touched(venue, l3, event, slot)
    if event.kind == ADD:
        add_order(world, engine, market, venue, event, slot)
    elif event.kind == CANCEL:
        if slot != 0:
            cancel_order(venue, l3, slot, event.w1)
        else:
            venue.n_unknown += 1
    elif event.kind == MODIFY:
        if slot != 0:
            modify_order(world, engine, market, venue, slot, event.w0, event.w1)
        else:
            venue.n_unknown += 1
    elif slot == 0 or event.w1 <= 0:
        venue.n_unknown += 1
        if event.w1 > 0:
            trade_unknown(world, engine, market, venue, (1 - event.side) >> 1, event.w0, event.w1)
    else:
        execute_order(world, engine, market, venue, slot, event.w1)
    if event.flags & SNAPSHOT_END:
        stand_behind(world, market, venue)
        if venue.broken != 0:
            venue.broken = 2  # whole again: orders that waited for it go on at the message's end
    venue.ts_depth = max(venue.ts_depth, event.ts_event)
