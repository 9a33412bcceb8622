"""A ladder's window: which places of the ring are occupied, the next one in either direction, its moves.

A place is `price & (window - 1)`; `side` is the address of a side's header.
"""

from __future__ import annotations

from tradectl.core.bits import leading_zeros, signed, trailing_zeros
from tradectl.core.jit import kernel, routine
from tradectl.core.ladder_far import far_put, far_remove
from tradectl.core.ladder_layout import (
    FAR_OFFSET,
    FAR_SLOTS,
    MARK,
    NO_ASK,
    NO_BID,
    QTY_OFFSET,
    WORDS_OFFSET,
    cell_at,
    far_at,
    ladder_at,
    side_at,
    word_at,
)
from tradectl.core.ladder_notes import place_notes, unmark_leaving

__all__ = ["empty_window", "follow", "none_of", "toggle", "window_worse"]


@kernel
def none_of(index: int) -> int:
    """Return the price that means "none" on a side: NO_BID for 0, NO_ASK for 1."""
    return NO_BID if index == 0 else NO_ASK


@routine
def _toggle_word(side: int, word: int) -> None:
    """Turn the bit of a bitmap word that became zero, or is not zero any more."""
    state, group = side_at(side, 0), word >> 6
    middle = signed(state.middle[group] ^ (1 << (word & 63)))
    state.middle[group] = middle
    bit = 1 << group
    state.top = (state.top | bit) if middle != 0 else (state.top & ~bit)


@kernel
def toggle(side: int, place: int, changed: int) -> None:
    """Turn the bit of a place of the ring from empty to occupied or back if `changed` is 1, not if it is 0."""
    word = word_at(side + WORDS_OFFSET, place >> 6)
    before = word.bits
    after = signed(before ^ (changed << (place & 63)))  # Python has bits above bit 63
    word.bits = after
    if (before == 0) != (after == 0):
        _toggle_word(side, place >> 6)


@kernel
def _highest_of(side: int, top: int) -> int:
    """Return the highest occupied place in the groups of 4096 that `top` names (not 0)."""
    group = 63 - leading_zeros(top)
    word = (group << 6) | (63 - leading_zeros(side_at(side, 0).middle[group]))
    return (word << 6) | (63 - leading_zeros(word_at(side + WORDS_OFFSET, word).bits))


@kernel
def _lowest_of(side: int, top: int) -> int:
    """Return the lowest occupied place in the groups of 4096 that `top` names (not 0)."""
    group = trailing_zeros(top)
    word = (group << 6) | trailing_zeros(side_at(side, 0).middle[group])
    return (word << 6) | trailing_zeros(word_at(side + WORDS_OFFSET, word).bits)


@routine
def _place_below(side: int, place: int) -> int:
    """Return the next occupied place below the bitmap word of `place`, on around the ring; -1: none at all."""
    state = side_at(side, 0)
    word = place >> 6
    zeros = leading_zeros(state.middle[word >> 6] & ((1 << (word & 63)) - 1))
    if zeros < 64:
        word = (word & ~63) | (63 - zeros)
        return (word << 6) | (63 - leading_zeros(word_at(side + WORDS_OFFSET, word).bits))
    top = state.top & ((1 << (word >> 6)) - 1)
    if top == 0:
        top = state.top
    return _highest_of(side, top) if top != 0 else -1


@routine
def _place_above(side: int, place: int) -> int:
    """Return the next occupied place above the bitmap word of `place`, on around the ring; -1: none at all."""
    state = side_at(side, 0)
    word = place >> 6
    ones = trailing_zeros(state.middle[word >> 6] & (-2 << (word & 63)))
    if ones < 64:
        word = (word & ~63) | ones
        return (word << 6) | trailing_zeros(word_at(side + WORDS_OFFSET, word).bits)
    top = state.top & (-2 << (word >> 6))
    if top == 0:
        top = state.top
    return _lowest_of(side, top) if top != 0 else -1


@kernel
def window_worse(ladder: int, index: int, price: int) -> int:
    """Return the best occupied price of the window that is worse than `price`, or NO_BID or NO_ASK.

    low - 1 <= price <= low + window: the worst and the best of them ask for any level of a side.
    """
    state = ladder_at(ladder, 0)
    side, last = ladder + state.sides[index], state.window - 1
    if index == 0:
        place = (price - 1) & last
        zeros = leading_zeros(word_at(side + WORDS_OFFSET, place >> 6).bits << (63 - (place & 63)))
        if zeros < 64:
            found = place - zeros
        else:
            found = _place_below(side, place)
            if found < 0:
                return NO_BID
        lower = price - 1 - ((place - found) & last)
        return lower if lower >= state.low else NO_BID
    place = (price + 1) & last
    ones = trailing_zeros(word_at(side + WORDS_OFFSET, place >> 6).bits >> (place & 63))
    if ones < 64:
        found = place + ones
    else:
        found = _place_above(side, place)
        if found < 0:
            return NO_ASK
    higher = price + 1 + ((found - place) & last)
    return higher if higher < state.low + state.window else NO_ASK


@kernel
def empty_window(ladder: int, index: int) -> None:
    """Remove all levels of the window; marks of notes stay."""
    state = ladder_at(ladder, 0)
    side = ladder + state.sides[index]
    head = side_at(side, 0)
    for group in range(32):
        middle = head.middle[group]
        while middle != 0:
            word = word_at(side + WORDS_OFFSET, (group << 6) | trailing_zeros(middle))
            bits = word.bits
            base = ((group << 6) | trailing_zeros(middle)) << 6
            while bits != 0:
                cell = cell_at(side + QTY_OFFSET, base | trailing_zeros(bits))
                cell.qty = cell.qty & MARK
                bits = signed(bits & (bits - 1))
            word.bits = 0
            middle = signed(middle & (middle - 1))
        head.middle[group] = 0
    head.top = 0


@kernel
def _evict(ladder: int, index: int, low: int) -> None:
    """Move the levels that will not be in the window from `low` on to the far ones."""
    state = ladder_at(ladder, 0)
    side, last = ladder + state.sides[index], state.window - 1
    first, end = state.low, min(low, state.low + state.window)
    if low < state.low:
        first, end = max(low + state.window, state.low), state.low + state.window
    if side_at(side, 0).top == 0:
        return
    for block in range(first, end, 64):
        base = block & last
        bits = word_at(side + WORDS_OFFSET, base >> 6).bits
        while bits != 0:
            bit = trailing_zeros(bits)
            cell = cell_at(side + QTY_OFFSET, base + bit)
            far_put(ladder, index, block + bit, cell.qty)
            cell.qty = 0
            toggle(side, base + bit, 1)
            bits = signed(bits & (bits - 1))


@kernel
def _take_in(ladder: int, index: int) -> None:
    """Move the far levels that are in the window now into it; make `far_best` exact."""
    state = ladder_at(ladder, 0)
    side, last = ladder + state.sides[index], state.window - 1
    head = side_at(side, 0)
    best, slot = none_of(index), 0
    while head.far_count > 0 and slot < FAR_SLOTS:
        entry = far_at(side + FAR_OFFSET, slot)
        price, qty = entry.price, entry.qty
        offset = price - state.low
        if qty != 0 and offset >= 0 and offset < state.window:
            cell_at(side + QTY_OFFSET, price & last).qty = qty
            toggle(side, price & last, 1)
            far_remove(side, slot)  # this place may hold another level now: look again
        else:
            if qty != 0 and (price - best) * (1 - 2 * index) > 0:
                best = price
            slot += 1
    head.far_best = best


@routine
def recentre(ladder: int, low: int) -> None:
    """Let the window begin at price `low`, in ticks, a multiple of 64; no level, best price or note changes."""
    state = ladder_at(ladder, 0)
    unmark_leaving(ladder, low)
    _evict(ladder, 0, low)
    _evict(ladder, 1, low)
    state.low = low
    _take_in(ladder, 0)
    _take_in(ladder, 1)
    place_notes(ladder)
    state.recentres = state.recentres + 1


@routine
def _follow_market(ladder: int) -> None:
    """Choose the window's place when the middle of the best prices is not in its central three quarters.

    With one side empty the other's best price is the middle. Best prices too far apart for one window
    leave it where it is as long as one of them is inside: a single distant level must not carry it away.
    """
    state = ladder_at(ladder, 0)
    bid, ask, low, window = state.best[0], state.best[1], state.low, state.window
    if bid == NO_BID and ask == NO_ASK:
        return
    centre = (bid + ask) >> 1
    if bid == NO_BID:
        centre = ask
    elif ask == NO_ASK:
        centre = bid
    elif abs(ask - bid) > (window >> 1):
        if (bid >= low and bid < low + window) or (ask >= low and ask < low + window):
            return
        centre = bid
    offset = centre - low - (window >> 3)
    if offset < 0 or offset >= window - (window >> 2):
        recentre(ladder, (centre - (window >> 1)) & -64)


@kernel
def follow(ladder: int) -> None:
    """Let the window follow the market; called when a best price has moved."""
    state = ladder_at(ladder, 0)
    offset = ((state.best[0] + state.best[1]) >> 1) - state.low - (state.window >> 3)
    if offset < 0 or offset >= state.window - (state.window >> 2):
        _follow_market(ladder)
