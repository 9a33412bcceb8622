"""The order-by-order book of a run: recorded and own orders in one queue per price, first in, first out.

`l3` is an address (`core.l3_layout`), `index` a side: 0 bids, 1 asks, `slot` a place in its orders. The prices
and quantities displayed are those of recorded orders, of each the lesser of what is left of it here and what the
recording shows; own ones move neither the touch nor the depth. A recorded order keeps its slot and its place in its
queue while it has lots left here or in the recording.
"""

from __future__ import annotations

from typing import Any

from tradectl.core.book_layout import book_at, level_at
from tradectl.core.book_layout import order_at as entry_of
from tradectl.core.book_match import book_best_ask, book_best_bid
from tradectl.core.book_window import append, far_append, follow, next_level, recentre, unlink
from tradectl.core.jit import kernel, routine
from tradectl.core.l3_ids import add_id, drop_id
from tradectl.core.l3_layout import l3_at, record_at
from tradectl.core.ladder_layout import NO_ASK, NO_BID

__all__ = [
    "entry_at", "forget_all", "is_astray", "l3_best", "l3_next", "l3_qty", "new_slot", "own_slot", "place", "record_of",
    "requeue", "set_lots", "side_book", "stand_own", "take_out", "withdraw_own",
]  # fmt: skip


@kernel
def side_book(l3: int, index: int) -> int:
    """Return the address of a side's BOOK."""
    return l3 + l3_at(l3, 0).books[index]


@kernel
def entry_at(l3: int, slot: int) -> Any:
    """Return the BOOK_ORDER in a slot."""
    return entry_of(l3 + l3_at(l3, 0).orders, slot)


@kernel
def record_of(l3: int, slot: int) -> Any:
    """Return the L3_RECORD of a recorded order."""
    return record_at(l3 + l3_at(l3, 0).records, slot)


@kernel
def place(l3: int, index: int, slot: int) -> None:
    """Put an order last in the queue of its price; its price and quantity are set."""
    book = side_book(l3, index)
    state = book_at(book, 0)
    price = entry_at(l3, slot).price_ticks
    level = price - state.low
    if level < 0 or level >= state.window:
        follow(book, index, price)
        level = price - state.low
    if level >= 0 and level < state.window:
        append(book, level, slot)
        if (level - state.best[index]) * (1 - 2 * index) > 0:
            state.best[index] = level
    else:
        far_append(book, index, slot)


@routine
def _come_near(book: int, index: int) -> None:
    """Let the window go to the far orders of a side that has no others."""
    best = book_best_bid(book) if index == 0 else book_best_ask(book)
    recentre(book, best - book_at(book, 0).window // 2)


@kernel
def take_out(l3: int, index: int, slot: int) -> None:
    """Take an order out of its queue; the level loses its quantity."""
    book = side_book(l3, index)
    state = book_at(book, 0)
    unlink(book, entry_at(l3, slot).price_ticks - state.low, slot)
    if state.far_head[index] != 0 and (state.best[index] < 0 or state.best[index] >= state.window):
        _come_near(book, index)


@kernel
def _free(l3: int, slot: int) -> None:
    """Give back the slot of a recorded order that is in no queue, and forget its id."""
    state, entry = l3_at(l3, 0), entry_at(l3, slot)
    drop_id(l3, entry.id)
    entry.next = state.free
    state.free = slot
    state.live = state.live - 1


@kernel
def new_slot(l3: int, index: int, order_id: int, price_ticks: int) -> int:
    """Return the slot of a new recorded order without lots, in no queue; 0 when there is no room."""
    state = l3_at(l3, 0)
    slot = state.free
    if slot != 0:
        state.free = entry_at(l3, slot).next
    else:
        slot = state.fresh
        if slot > state.slots:
            return 0
        state.fresh = slot + 1
    entry, record = entry_at(l3, slot), record_of(l3, slot)
    entry.id = order_id
    entry.price_ticks = price_ticks
    entry.qty_lots = 0
    record.left_lots = 0
    record.shown_lots = 0
    record.index = index
    add_id(l3, order_id, slot)
    state.live = state.live + 1
    return int(slot)


@kernel
def _display(l3: int, index: int, slot: int, lots: int) -> None:
    """Let a level display `lots` of a recorded order that stands in its queue."""
    entry, book = entry_at(l3, slot), side_book(l3, index)
    state = book_at(book, 0)
    level = entry.price_ticks - state.low
    if level >= 0 and level < state.window:
        queue = level_at(book + state.levels, level)
        queue.qty_lots = queue.qty_lots + lots - entry.qty_lots
    entry.qty_lots = lots


@kernel
def set_lots(l3: int, slot: int, lots: int, shown_lots: int) -> None:
    """Let a recorded order have `lots` left, and `shown_lots` in the recording; it keeps its place.

    Without both it leaves the book; one that had neither goes last in its queue.
    """
    entry, record = entry_at(l3, slot), record_of(l3, slot)
    before, shown, index = record.left_lots, record.shown_lots, record.index
    if before != shown or lots != shown_lots:
        state = l3_at(l3, 0)
        state.n_surplus[index] = state.n_surplus[index] + (lots > shown_lots) - (before > shown)
        state.n_deficit[index] = state.n_deficit[index] + (lots < shown_lots) - (before < shown)
    record.left_lots = lots
    record.shown_lots = shown_lots
    displayed = min(lots, shown_lots)
    if lots == 0 and shown_lots == 0:
        if before != 0 or shown != 0:
            take_out(l3, index, slot)
        entry.qty_lots = 0
        _free(l3, slot)
    elif before == 0 and shown == 0:
        entry.qty_lots = displayed
        place(l3, index, slot)
    elif displayed != entry.qty_lots:
        _display(l3, index, slot, displayed)


@routine
def requeue(l3: int, slot: int, price_ticks: int, lots: int, shown_lots: int) -> None:
    """Let a recorded order go last in the queue of a price, with `lots` left and `shown_lots` in the recording."""
    entry, index = entry_at(l3, slot), record_of(l3, slot).index
    take_out(l3, index, slot)
    entry.qty_lots = 0
    entry.price_ticks = price_ticks
    place(l3, index, slot)
    set_lots(l3, slot, lots, shown_lots)


@routine
def forget_all(l3: int) -> None:
    """Take out every recorded order; own orders stay."""
    state = l3_at(l3, 0)
    for slot in range(1, state.fresh):
        if record_of(l3, slot).left_lots != 0 or record_of(l3, slot).shown_lots != 0:
            set_lots(l3, slot, 0, 0)


@kernel
def own_slot(l3: int, order: int) -> int:
    """Return the slot of the own order that has place `order` in the order table."""
    return int(l3_at(l3, 0).slots + 1 + order)


@routine
def stand_own(l3: int, index: int, order: int, order_id: int, price_ticks: int) -> int:
    """Let an own order stand last in the queue of its price; return its slot."""
    state, slot = l3_at(l3, 0), own_slot(l3, order)
    entry = entry_at(l3, slot)
    entry.id = order_id
    entry.price_ticks = price_ticks
    entry.qty_lots = 0
    state.n_own[index] = state.n_own[index] + 1
    place(l3, index, slot)
    return slot


@routine
def withdraw_own(l3: int, index: int, slot: int) -> None:
    """Take an own order out of the book."""
    state = l3_at(l3, 0)
    take_out(l3, index, slot)
    state.n_own[index] = state.n_own[index] - 1


@routine
def _far_next(book: int, index: int, price: int) -> int:
    """Return the best shown far price that is worse than `price`, NO_BID or NO_ASK where there is none."""
    state, toward = book_at(book, 0), 1 - 2 * index
    found = NO_BID if index == 0 else NO_ASK
    slot = state.far_head[index]
    while slot != 0:  # at most as many steps as far orders
        entry = entry_of(book + state.orders, slot)
        if entry.qty_lots != 0 and (price - entry.price_ticks) * toward > 0:
            if (entry.price_ticks - found) * toward > 0:
                found = entry.price_ticks
        slot = entry.next
    return int(found)


@kernel
def _shown(book: int, index: int, level: int, price: int) -> int:
    """Return the price of the first level from `level` on that shows lots, else the best far one worse than `price`."""
    state = book_at(book, 0)
    while level >= 0 and level < state.window:  # passes levels with own orders alone
        if level_at(book + state.levels, level).qty_lots != 0:
            return int(state.low + level)
        level = next_level(book, level, index)
    if state.far_head[index] == 0:
        return NO_BID if index == 0 else NO_ASK
    return _far_next(book, index, price)


@kernel
def l3_best(l3: int, index: int) -> int:
    """Return the best price of a side's recorded orders in ticks; NO_BID or NO_ASK when it shows none."""
    book = side_book(l3, index)
    return _shown(book, index, book_at(book, 0).best[index], NO_ASK if index == 0 else NO_BID)


@routine
def l3_next(l3: int, index: int, price: int) -> int:
    """Return the best price of recorded orders that is worse than `price`, in ticks; NO_BID or NO_ASK: none."""
    book = side_book(l3, index)
    state = book_at(book, 0)
    level = price - state.low
    if level >= 0 and level < state.window:
        return _shown(book, index, next_level(book, level, index), price)
    if (level < 0) == (index == 0):  # beyond the window's worst
        return _far_next(book, index, price)
    return _shown(book, index, state.best[index], price)


@kernel
def l3_qty(l3: int, index: int, price: int) -> int:
    """Return the lots of recorded orders at `price`, 0 where there are none."""
    book = side_book(l3, index)
    state = book_at(book, 0)
    level = price - state.low
    if level >= 0 and level < state.window:
        return int(level_at(book + state.levels, level).qty_lots)
    return _far_qty(book, index, price)


@routine
def _far_qty(book: int, index: int, price: int) -> int:
    """Return the lots of recorded far orders at `price`."""
    state, lots = book_at(book, 0), 0
    slot = state.far_head[index]
    while slot != 0:  # at most as many steps as far orders
        entry = entry_of(book + state.orders, slot)
        if entry.price_ticks == price:
            lots += entry.qty_lots
        slot = entry.next
    return int(lots)


@routine
def _better_in_recording(l3: int, index: int) -> bool:
    """Return whether the recording shows an order of a side at a better price than any that is displayed."""
    book = side_book(l3, index)
    state = book_at(book, 0)
    level = state.best[index]
    while level >= 0 and level < state.window and level_at(book + state.levels, level).qty_lots == 0:
        slot = level_at(book + state.levels, level).head
        while slot != 0:  # at most as many steps as orders in the queue
            if slot <= l3_at(l3, 0).slots and record_of(l3, slot).shown_lots > 0:
                return True
            slot = entry_at(l3, slot).next
        level = next_level(book, level, index)
    if level >= 0 and level < state.window:
        return False
    displayed, slot = _far_next(book, index, NO_ASK if index == 0 else NO_BID), state.far_head[index]
    while slot != 0:  # at most as many steps as far orders
        better = (entry_at(l3, slot).price_ticks - displayed) * (1 - 2 * index) > 0
        if better and slot <= l3_at(l3, 0).slots and record_of(l3, slot).shown_lots > 0:
            return True
        slot = entry_at(l3, slot).next
    return False


@kernel
def is_astray(l3: int) -> bool:
    """Return whether the touch is another than the recording's, for own orders have used up all that was there."""
    state = l3_at(l3, 0)
    bids = state.n_deficit[0] != 0 and _better_in_recording(l3, 0)
    return bids or (state.n_deficit[1] != 0 and _better_in_recording(l3, 1))
