"""Notes on a ladder's prices: own orders that wait there and own consumption, in the order of adding.

The notes of a price are a doubly linked chain. Its first note is found through the ring of heads where the
quantity carries MARK, or, for a price outside the window, in the side's chain of far first notes. A price
needs no quantity to have notes, and keeps them when its quantity changes.
"""

from __future__ import annotations

from typing import Any

from tradectl.core.jit import kernel, routine
from tradectl.core.ladder_layout import MARK, NO_NOTE, QTY_OFFSET, cell_at, head_at, ladder_at, note_record

__all__ = [
    "add_note", "first_note", "is_marked", "note_at", "place_notes", "remove_note", "unmark_leaving",
]  # fmt: skip


@kernel
def note_at(ladder: int, note: int) -> Any:
    """Return the record (LADDER_NOTE) of `note`; its `next` is the price's next note in time, or NO_NOTE."""
    return note_record(ladder + ladder_at(ladder, 0).notes, note)


@kernel
def _head_address(ladder: int, index: int, price: int) -> int:
    """Return the address of the first note's number of a price in the window."""
    state = ladder_at(ladder, 0)
    heads = ladder + state.sides[index] + QTY_OFFSET + 8 * state.window
    return heads + 4 * (price & (state.window - 1))


@routine
def _first_far(ladder: int, index: int, price: int) -> int:
    """Return the first note of a price outside the window, or NO_NOTE."""
    note = ladder_at(ladder, 0).far_notes[index]
    while note != NO_NOTE and note_at(ladder, note).price != price:
        note = note_at(ladder, note).far
    return int(note)


@kernel
def first_note(ladder: int, index: int, price: int) -> int:
    """Return the oldest note of `price` on side `index` (0 bids, 1 asks), or NO_NOTE."""
    state = ladder_at(ladder, 0)
    offset = price - state.low
    if offset < 0 or offset >= state.window:
        return _first_far(ladder, index, price)
    cell = cell_at(ladder + state.sides[index] + QTY_OFFSET, price & (state.window - 1))
    if cell.qty & MARK == 0:
        return NO_NOTE
    return int(head_at(_head_address(ladder, index, price), 0).note)


@kernel
def is_marked(ladder: int, index: int, price: int) -> bool:
    """Return whether `price` has notes on side `index` (0 bids, 1 asks)."""
    state = ladder_at(ladder, 0)
    offset = price - state.low
    if offset < 0 or offset >= state.window:
        return _first_far(ladder, index, price) != NO_NOTE
    return (cell_at(ladder + state.sides[index] + QTY_OFFSET, price & (state.window - 1)).qty & MARK) != 0


@kernel
def _put_head(ladder: int, note: int) -> None:
    """Let `note` be the first one of its price, which has none."""
    state, record = ladder_at(ladder, 0), note_at(ladder, note)
    index, offset = record.index, record.price - state.low
    if offset < 0 or offset >= state.window:
        record.far = state.far_notes[index]
        state.far_notes[index] = note
        return
    record.far = NO_NOTE
    cell = cell_at(ladder + state.sides[index] + QTY_OFFSET, record.price & (state.window - 1))
    cell.qty = cell.qty | MARK
    head_at(_head_address(ladder, index, record.price), 0).note = note


@kernel
def _replace_far_head(ladder: int, index: int, note: int, after: int) -> None:
    """In the chain of far first notes let `after` stand for `note`; NO_NOTE: take `note` out."""
    state, record = ladder_at(ladder, 0), note_at(ladder, note)
    link = after
    if after == NO_NOTE:
        link = record.far
    else:
        note_at(ladder, after).far = record.far
    before = state.far_notes[index]
    if before == note:
        state.far_notes[index] = link
        return
    while note_at(ladder, before).far != note:
        before = note_at(ladder, before).far
    note_at(ladder, before).far = link


@kernel
def _replace_head(ladder: int, note: int, after: int) -> None:
    """Let `after` be the first note of its price instead of `note`; NO_NOTE: the price has none any more."""
    state, record = ladder_at(ladder, 0), note_at(ladder, note)
    index, price = record.index, record.price
    if after != NO_NOTE:
        note_at(ladder, after).prev = NO_NOTE
        note_at(ladder, after).tail = record.tail
    offset = price - state.low
    if offset < 0 or offset >= state.window:
        _replace_far_head(ladder, index, note, after)
    elif after != NO_NOTE:
        head_at(_head_address(ladder, index, price), 0).note = after
    else:
        cell = cell_at(ladder + state.sides[index] + QTY_OFFSET, price & (state.window - 1))
        cell.qty = cell.qty - MARK


@routine
def add_note(ladder: int, index: int, price: int, order: int) -> int:
    """Put a new note last at `price` of side `index` (0 bids, 1 asks); return it, or NO_NOTE when full.

    `order` is the slot of the own order, -1 for own consumption; `lots` and `value` begin at 0.
    """
    state = ladder_at(ladder, 0)
    note = state.free_note
    if note != NO_NOTE:
        state.free_note = note_at(ladder, note).next
    else:
        note = state.fresh_note
        if note >= state.note_capacity:
            return NO_NOTE
        state.fresh_note = note + 1
    head = first_note(ladder, index, price)
    record = note_at(ladder, note)
    record.price = price
    record.order = order
    record.index = index
    record.next = NO_NOTE
    record.prev = NO_NOTE
    record.tail = note
    record.far = NO_NOTE
    if head == NO_NOTE:
        _put_head(ladder, note)
    else:
        tail = note_at(ladder, head).tail
        record.prev = tail
        note_at(ladder, tail).next = note
        note_at(ladder, head).tail = note
    state.note_count = state.note_count + 1
    return int(note)


@routine
def remove_note(ladder: int, note: int) -> None:
    """Take away a note that is in use."""
    state, record = ladder_at(ladder, 0), note_at(ladder, note)
    before, after = record.prev, record.next
    if before == NO_NOTE:
        _replace_head(ladder, note, after)
    else:
        note_at(ladder, before).next = after
        if after != NO_NOTE:
            note_at(ladder, after).prev = before
        else:
            note_at(ladder, first_note(ladder, record.index, record.price)).tail = before
    record.price = 0
    record.lots = 0
    record.value = 0
    record.order = NO_NOTE
    record.index = NO_NOTE
    record.prev = NO_NOTE
    record.tail = NO_NOTE
    record.far = NO_NOTE
    record.next = state.free_note
    state.free_note = note
    state.note_count = state.note_count - 1


@kernel
def unmark_leaving(ladder: int, low: int) -> None:
    """Before the window moves to begin at `low`: take MARK off the prices that leave it."""
    state = ladder_at(ladder, 0)
    for note in range(state.fresh_note):
        record = note_at(ladder, note)
        old, new = record.price - state.low, record.price - low
        if record.index == NO_NOTE or record.prev != NO_NOTE or old < 0 or old >= state.window:
            continue
        if new < 0 or new >= state.window:
            cell = cell_at(ladder + state.sides[record.index] + QTY_OFFSET, record.price & (state.window - 1))
            cell.qty = cell.qty - MARK


@kernel
def place_notes(ladder: int) -> None:
    """After the window has moved: mark the prices with notes in it, chain the others' first notes."""
    state = ladder_at(ladder, 0)
    state.far_notes[0] = NO_NOTE
    state.far_notes[1] = NO_NOTE
    for note in range(state.fresh_note):
        record = note_at(ladder, note)
        if record.index != NO_NOTE and record.prev == NO_NOTE:
            _put_head(ladder, note)
