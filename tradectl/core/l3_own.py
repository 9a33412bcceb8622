"""Own orders in the order-by-order book: where they stand, whom they take from, what reaches them.

What the recording trades is traded once: where own orders stand ahead, the recorded execution or aggressor meets these
first. A recorded order whose execution they took has more left here than the recording shows: the *surplus* is not
displayed and cannot be taken. It keeps its place, is met like an own order by later executions, by price, then time,
and ends when the market has passed it: when a recorded order of the other side stands at its price or beyond.
"""

from __future__ import annotations

from tradectl.core.bars import waits
from tradectl.core.book_layout import book_at, level_at
from tradectl.core.book_window import next_level
from tradectl.core.codes import FillPhase, LiquiditySide
from tradectl.core.execute import UNCAPPED, execute
from tradectl.core.jit import kernel, routine
from tradectl.core.l3 import entry_at, l3_best, record_of, set_lots, side_book, stand_own, take_out, place
from tradectl.core.l3_layout import l3_at
from tradectl.core.ladder_layout import NO_ASK, NO_BID
from tradectl.core.layout import NONE, order_at
from tradectl.core.orders import is_live, refresh_keys

__all__ = [
    "LAST", "consume_queue", "lots_ahead", "meet_ahead", "plain_first", "rest_in_queue", "stand_behind", "strike",
    "strike_crossed", "strike_order",
]  # fmt: skip

MAKER = int(LiquiditySide.MAKER)
QUEUE, THROUGH = int(FillPhase.QUEUE), int(FillPhase.THROUGH)
TOUCH = 2  # VENUE.touched: the touch may have changed
LAST = 0  # in place of a slot: all orders at the price stand ahead


@kernel
def own_place(l3, slot):
    """Return the place in the order table of the own order in a slot; below 0: it is a recorded order."""
    return slot - l3_at(l3, 0).slots - 1


@routine
def lots_ahead(world, l3, slot):
    """Return the lots, recorded and own, that stand ahead of a resting order at its price."""
    price = entry_at(l3, slot).price_ticks
    lots = 0
    ahead = entry_at(l3, slot).prev
    while ahead != 0:  # at most as many steps as orders in the queue (far away: in the far list)
        entry = entry_at(l3, ahead)
        if entry.price_ticks == price:
            own = own_place(l3, ahead)
            lots += record_of(l3, ahead).left_lots if own < 0 else order_at(world.orders, own).leaves_lots
        ahead = entry.prev
    return lots


@routine
def rest_in_queue(world, venue, slot):
    """Let what is left of a limit order stand last in the queue of its price."""
    order = order_at(world.orders, slot)
    l3 = world.books + venue.ladder
    at = stand_own(l3, (1 - order.side) >> 1, slot, order.id, order.price_ticks)
    order.note = at + 1
    order.front = float(lots_ahead(world, l3, at))
    order.front_post = order.front


@routine
def stand_behind(world, market, venue):
    """After a snapshot, which tells no places: own orders stand behind the recorded ones of their prices."""
    l3 = world.books + venue.ladder
    slot = market.first_order
    while slot != NONE:  # at most n_orders steps
        order = order_at(world.orders, slot)
        if order.note != 0:
            index = (1 - order.side) >> 1
            take_out(l3, index, order.note - 1)
            place(l3, index, order.note - 1)
        slot = order.next


@kernel
def is_met(world, engine, l3, slot):
    """Return whether an execution may meet the order in a slot: an own one, or one that holds a surplus."""
    own = own_place(l3, slot)
    if own < 0:
        return record_of(l3, slot).left_lots > record_of(l3, slot).shown_lots
    return not waits(world, engine, order_at(world.orders, own))


@routine
def first_far(world, engine, l3, index, price_ticks, until):
    """Return what `first_ahead` looks for among the far orders of a side."""
    toward, found = 1 - 2 * index, 0
    past = False
    slot = book_at(side_book(l3, index), 0).far_head[index]
    while slot != 0:  # at most as many steps as far orders
        entry = entry_at(l3, slot)
        past = past or slot == until
        beyond = (entry.price_ticks - price_ticks) * toward
        if (beyond > 0 or (beyond == 0 and not past)) and is_met(world, engine, l3, slot):
            if found == 0 or (entry.price_ticks - entry_at(l3, found).price_ticks) * toward > 0:
                found = slot
        slot = entry.next
    return found


@routine
def first_ahead(world, engine, l3, index, price_ticks, until):
    """Return the first order, by price, then time, that an execution at a price meets before slot `until`; 0: none.

    `until` stands at that price; LAST: whatever stands there is met.
    """
    book = side_book(l3, index)
    state = book_at(book, 0)
    level, toward = state.best[index], 1 - 2 * index
    while level >= 0 and level < state.window and (state.low + level - price_ticks) * toward >= 0:
        slot = level_at(book + state.levels, level).head
        while slot != 0 and slot != until:  # at most as many steps as orders ahead
            if is_met(world, engine, l3, slot):
                return slot
            slot = entry_at(l3, slot).next
        level = next_level(book, level, index)
    if state.far_head[index] != 0:
        return first_far(world, engine, l3, index, price_ticks, until)
    return 0


@routine
def fill_own(world, engine, market, l3, slot, lots, phase):
    """Fill an own order that rests in a slot with up to `lots` at its price; return what it took."""
    at = own_place(l3, slot)
    order = order_at(world.orders, at)
    before = order.filled_lots
    order.front = float(lots_ahead(world, l3, slot))
    market.budget = lots
    execute(world, engine, market, at, order.price_ticks, False, UNCAPPED, MAKER, phase)
    return order.filled_lots - before


@routine
def meet_ahead(world, engine, market, venue, index, price_ticks, until, lots, phase):
    """Let `lots` that trade at a price meet what stands ahead of slot `until` on a side; return what they leave."""
    l3 = world.books + venue.ladder
    while lots > 0:  # each step fills an order, ends one, or uses up the lots
        slot = first_ahead(world, engine, l3, index, price_ticks, until)
        if slot == 0:
            break
        at = own_place(l3, slot)
        if at < 0:
            record = record_of(l3, slot)
            met = min(lots, record.left_lots - record.shown_lots)
            set_lots(l3, slot, record.left_lots - met, record.shown_lots)
        else:
            how = phase if entry_at(l3, slot).price_ticks == price_ticks else THROUGH
            met = fill_own(world, engine, market, l3, slot, lots, how)
            if met == 0 and is_live(order_at(world.orders, at)):
                break
        lots -= met
        venue.touched = TOUCH
    return lots


@kernel
def strike(world, engine, market, venue, index, price_ticks, until, lots, phase):
    """Do as `meet_ahead`, where anything could be met at all: not in a broken book."""
    state = l3_at(world.books + venue.ladder, 0)
    if state.n_own[index] + state.n_surplus[index] == 0 or venue.broken != 0:
        return lots
    return meet_ahead(world, engine, market, venue, index, price_ticks, until, lots, phase)


@routine
def end_surplus(l3, slot, index, price_ticks):
    """Follow a queue or a far list from a slot on: surplus at a price or better ends."""
    slots = l3_at(l3, 0).slots
    while slot != 0:  # at most as many steps as orders in the list
        after = entry_at(l3, slot).next
        reached = (entry_at(l3, slot).price_ticks - price_ticks) * (1 - 2 * index) >= 0
        if slot <= slots and reached and record_of(l3, slot).left_lots > record_of(l3, slot).shown_lots:
            set_lots(l3, slot, record_of(l3, slot).shown_lots, record_of(l3, slot).shown_lots)
        slot = after


@routine
def pass_surplus(l3, index, price_ticks):
    """End the surplus of a side that is at a price or better, for the market of the other side has come there."""
    book, toward = side_book(l3, index), 1 - 2 * index
    state = book_at(book, 0)
    if state.far_head[index] != 0:
        end_surplus(l3, state.far_head[index], index, price_ticks)
    level = state.best[index]
    while level >= 0 and level < state.window and (state.low + level - price_ticks) * toward >= 0:
        following = next_level(book, level, index)  # before an emptied level is gone
        end_surplus(l3, level_at(book + state.levels, level).head, index, price_ticks)
        level = following


@routine
def strike_order(world, engine, market, venue, slot):
    """Let a recorded order that stands in the book trade with own ones that it crosses; return the lots.

    It shows that the market has passed the surplus on the other side that it crosses.
    """
    l3 = world.books + venue.ladder
    price, record = entry_at(l3, slot).price_ticks, record_of(l3, slot)
    if l3_at(l3, 0).n_surplus[1 - record.index] != 0:
        pass_surplus(l3, 1 - record.index, price)
    before = record.left_lots
    left = strike(world, engine, market, venue, 1 - record.index, price, LAST, before, THROUGH)
    if left != before:
        set_lots(l3, slot, left, record.shown_lots)
    return before - left


@routine
def first_shown(l3, index, price_ticks):
    """Return the recorded order that stands first at a shown price of a side."""
    book = side_book(l3, index)
    state = book_at(book, 0)
    level = price_ticks - state.low
    inside = level >= 0 and level < state.window
    slot = level_at(book + state.levels, level).head if inside else state.far_head[index]
    while slot != 0:  # at most as many steps as orders in the queue
        entry = entry_at(l3, slot)
        if entry.qty_lots != 0 and entry.price_ticks == price_ticks:
            break
        slot = entry.next
    return slot


@routine
def strike_crossed(world, engine, market, venue):
    """At a message's end: recorded orders that cross own ones trade with them, best first, at the own price."""
    l3 = world.books + venue.ladder
    for index in range(2):
        side, struck = 1 - 2 * index, 1
        while struck != 0:  # each step uses up a recorded order or fills an own one
            price = l3_best(l3, index)
            own = venue.own_ask if index == 0 else venue.own_bid
            if price == NO_BID or price == NO_ASK or (price - own) * side < 0:
                break
            struck = strike_order(world, engine, market, venue, first_shown(l3, index, price))
            refresh_keys(world, market)


@routine
def consume_queue(l3, index, price_ticks, lots):
    """Take `lots` that the level shows from its recorded orders, first in, first out."""
    while lots > 0:  # each step uses up an order or the lots
        slot = first_shown(l3, index, price_ticks)
        if slot == 0:
            return
        record = record_of(l3, slot)
        taken = min(lots, record.left_lots)
        set_lots(l3, slot, record.left_lots - taken, record.shown_lots)
        lots -= taken


@routine
def plain_first(l3, index, price_ticks):
    """Return the first recorded order without a surplus at a price, LAST where there is none."""
    slot = first_shown(l3, index, price_ticks)
    while slot != 0:  # at most as many steps as orders in the queue
        record = record_of(l3, slot)
        if entry_at(l3, slot).price_ticks == price_ticks and 0 < record.left_lots <= record.shown_lots:
            return slot
        slot = entry_at(l3, slot).next
    return LAST
