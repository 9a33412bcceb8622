"""The parts of a book that orders rest in: occupancy bitmap, levels, far lists, the window's moves.

Sides are indexed 0 (bids) and 1 (asks). In the window every set bit at or below `best[0]` is a bid level,
every one at or above `best[1]` an ask level. A far bid is always below the window and a far ask above it:
an order that would be better than the window reaches moves the window instead.
"""

from __future__ import annotations

from tradectl.core.bits import leading_zeros, signed, trailing_zeros
from tradectl.core.book_layout import WORDS_OFFSET, book_at, level_at, order_at, word_at
from tradectl.core.jit import kernel, routine

__all__ = [
    "append", "far_append", "first_level", "follow", "last_level", "level_above", "level_below",
    "next_level", "occupy", "recentre", "unlink", "vacate",
]  # fmt: skip


@kernel
def occupy(book: int, level: int) -> None:
    """Mark `level` as holding orders."""
    word = word_at(book + WORDS_OFFSET, level >> 6)
    before = word.bits
    word.bits = before | (1 << (level & 63))
    if before == 0:
        state = book_at(book, 0)
        state.middle[level >> 12] = state.middle[level >> 12] | (1 << ((level >> 6) & 63))
        state.top = state.top | (1 << (level >> 12))


@kernel
def vacate(book: int, level: int) -> None:
    """Mark `level` as empty."""
    word = word_at(book + WORDS_OFFSET, level >> 6)
    after = signed(word.bits & ~(1 << (level & 63)))  # Python has bits above bit 63
    word.bits = after
    if after == 0:
        state = book_at(book, 0)
        middle = signed(state.middle[level >> 12] & ~(1 << ((level >> 6) & 63)))
        state.middle[level >> 12] = middle
        if middle == 0:
            state.top = state.top & ~(1 << (level >> 12))


@kernel
def level_above(book: int, level: int) -> int:
    """Return the lowest occupied level above `level`, or the number of levels."""
    state = book_at(book, 0)
    bit = trailing_zeros(word_at(book + WORDS_OFFSET, level >> 6).bits & (-2 << (level & 63)))
    if bit < 64:
        return (level & ~63) | bit
    word = level >> 6
    bit = trailing_zeros(state.middle[word >> 6] & (-2 << (word & 63)))
    if bit == 64:
        group = trailing_zeros(state.top & (-2 << (word >> 6)))
        if group == 64:
            return int(state.window)
        bit = trailing_zeros(state.middle[group])
        word = group << 6
    word = (word & ~63) | bit
    return (word << 6) | trailing_zeros(word_at(book + WORDS_OFFSET, word).bits)


@kernel
def level_below(book: int, level: int) -> int:
    """Return the highest occupied level below `level`, or -1."""
    state = book_at(book, 0)
    zeros = leading_zeros(word_at(book + WORDS_OFFSET, level >> 6).bits & ((1 << (level & 63)) - 1))
    if zeros < 64:
        return (level & ~63) | (63 - zeros)
    word = level >> 6
    zeros = leading_zeros(state.middle[word >> 6] & ((1 << (word & 63)) - 1))
    if zeros == 64:
        zeros = leading_zeros(state.top & ((1 << (word >> 6)) - 1))
        if zeros == 64:
            return -1
        word = (63 - zeros) << 6
        zeros = leading_zeros(state.middle[word >> 6])
    word = (word & ~63) | (63 - zeros)
    return (word << 6) | (63 - leading_zeros(word_at(book + WORDS_OFFSET, word).bits))


@kernel
def next_level(book: int, level: int, index: int) -> int:
    """Return the next worse occupied level of side `index` (0 bids, 1 asks), or that side's end."""
    if index == 1:
        return level_above(book, level)
    return level_below(book, level)


@kernel
def first_level(book: int) -> int:
    """Return the lowest occupied level, or the number of levels."""
    if word_at(book + WORDS_OFFSET, 0).bits & 1:
        return 0
    return level_above(book, 0)


@kernel
def last_level(book: int) -> int:
    """Return the highest occupied level, or -1."""
    last = book_at(book, 0).window - 1
    if word_at(book + WORDS_OFFSET, last >> 6).bits & (1 << (last & 63)):
        return int(last)
    return level_below(book, last)


@kernel
def append(book: int, level: int, slot: int) -> None:
    """Put the order in `slot` last in `level`'s queue; its quantity is set."""
    state = book_at(book, 0)
    place = level_at(book + state.levels, level)
    order = order_at(book + state.orders, slot)
    tail = place.tail
    order.prev = tail
    order.next = 0
    place.tail = slot
    place.qty_lots = place.qty_lots + order.qty_lots
    if tail == 0:
        place.head = slot
        occupy(book, level)
    else:
        order_at(book + state.orders, tail).next = slot


@kernel
def _close_gap(book: int, slot: int, head: int, tail: int) -> tuple[int, int]:
    """Take `slot` out of its list by joining its neighbours; return the list's new head and tail."""
    state = book_at(book, 0)
    order = order_at(book + state.orders, slot)
    before, after = order.prev, order.next
    order_at(book + state.orders, before).next = after  # slot 0 takes the write where there is no neighbour
    order_at(book + state.orders, after).prev = before
    return (after if before == 0 else head), (before if after == 0 else tail)


@routine
def _level_emptied(book: int, level: int) -> None:
    """Clear `level`'s bit and, if it was a best one, find the next."""
    state = book_at(book, 0)
    vacate(book, level)
    if level == state.best[0]:
        state.best[0] = level_below(book, level)
    elif level == state.best[1]:
        state.best[1] = level_above(book, level)


@kernel
def unlink(book: int, level: int, slot: int) -> None:
    """Take the order in `slot` out of `level`'s queue, or out of its far list."""
    state = book_at(book, 0)
    if level < 0 or level >= state.window:
        index = 0 if level < 0 else 1
        head, tail = _close_gap(book, slot, state.far_head[index], state.far_tail[index])
        state.far_head[index] = head
        state.far_tail[index] = tail
        return
    place = level_at(book + state.levels, level)
    head, tail = _close_gap(book, slot, place.head, place.tail)
    place.head = head
    place.tail = tail
    place.qty_lots = place.qty_lots - order_at(book + state.orders, slot).qty_lots
    if head == 0:
        _level_emptied(book, level)


@kernel
def far_append(book: int, index: int, slot: int) -> None:
    """Put the order in `slot` last in the far list of side `index`."""
    state = book_at(book, 0)
    order = order_at(book + state.orders, slot)
    tail = state.far_tail[index]
    order.prev = tail
    order.next = 0
    order_at(book + state.orders, tail).next = slot
    state.far_tail[index] = slot
    if tail == 0:
        state.far_head[index] = slot
        state.far_best[index] = order.price_ticks
    elif index == 0:
        state.far_best[0] = max(state.far_best[0], order.price_ticks)
    else:
        state.far_best[1] = min(state.far_best[1], order.price_ticks)


@kernel
def _move_level(book: int, level: int, shift: int) -> None:
    """Move one level `shift` places down, or its orders, first in first, to a far list."""
    state = book_at(book, 0)
    source = level_at(book + state.levels, level)
    head, tail, qty_lots = source.head, source.tail, source.qty_lots
    source.head = 0
    source.tail = 0
    source.qty_lots = 0
    vacate(book, level)
    target = level - shift
    if target >= 0 and target < state.window:
        place = level_at(book + state.levels, target)
        place.head = head
        place.tail = tail
        place.qty_lots = qty_lots
        occupy(book, target)
        return
    index = 0 if target < 0 else 1
    slot = head
    while slot != 0:
        after = order_at(book + state.orders, slot).next
        far_append(book, index, slot)
        slot = after


@kernel
def _take_in(book: int, index: int) -> None:
    """Move the far orders of side `index` that now fit into the window; make its bests exact."""
    state = book_at(book, 0)
    slot = state.far_head[index]
    best = state.best[index]
    state.far_head[index] = 0
    state.far_tail[index] = 0
    while slot != 0:
        order = order_at(book + state.orders, slot)
        after = order.next
        level = order.price_ticks - state.low
        if level >= 0 and level < state.window:
            append(book, level, slot)
            best = max(best, level) if index == 0 else min(best, level)
        else:
            far_append(book, index, slot)
        slot = after
    state.best[index] = best


@routine
def recentre(book: int, low: int) -> None:
    """Let the window begin at price `low`, in ticks: levels move or become far, far orders come in.

    Within one price the order of arrival holds: a price is wholly in the window or wholly far. The caller
    chooses `low` so that no bid lies above the new window and no ask below it.
    """
    state = book_at(book, 0)
    shift = low - state.low
    bid, ask, levels = state.best[0] - shift, state.best[1] - shift, state.window
    if state.best[0] < 0 or bid < 0:
        bid = -1
    if state.best[1] >= levels or ask >= levels:
        ask = levels
    if shift > 0:  # upwards from the lowest, so that no level lands on one that has yet to move
        level = first_level(book)
        while level < levels:
            _move_level(book, level, shift)
            level = level_above(book, level)
    else:
        level = last_level(book)
        while level >= 0:
            _move_level(book, level, shift)
            level = level_below(book, level)
    state.low = low
    state.best[0] = bid
    state.best[1] = ask
    state.recentres = state.recentres + 1
    _take_in(book, 0)
    _take_in(book, 1)


@kernel
def follow(book: int, index: int, price_ticks: int) -> None:
    """Move the window if an order outside it should not be far.

    It must be inside when it is better than the window reaches. Within a quarter of the window from the
    market it comes inside too, so that a drifting market keeps its near levels; the middle moves only as
    far as the market did, so resting orders alone never make the window swing.
    """
    state = book_at(book, 0)
    level, levels = price_ticks - state.low, state.window
    if (level < 0) == (index == 1):
        recentre(book, price_ticks - levels // 2)
        return
    bid, ask = state.best[0], state.best[1]
    if bid < 0 and ask >= levels:
        if state.far_head[0] == 0 and state.far_head[1] == 0:
            recentre(book, price_ticks - levels // 2)
        return
    centre = ask if bid < 0 else bid if ask >= levels else (bid + ask) >> 1
    if abs(level - centre) < levels // 4:
        recentre(book, state.low + centre - levels // 2)
