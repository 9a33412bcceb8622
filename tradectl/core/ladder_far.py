"""A ladder's far levels: an open-addressing table per side, linear probing, deletion by shifting back.

`far_best` is a bound and made exact only when it could matter, so that removing a far level costs no
search. The table is never more than three quarters full, so every probe ends.
"""

from __future__ import annotations

from tradectl.core.bits import mul_low
from tradectl.core.jit import kernel, routine
from tradectl.core.ladder_layout import (
    FAR_BATCH,
    FAR_LEVELS,
    FAR_OFFSET,
    FAR_SLOTS,
    far_at,
    ladder_at,
    side_at,
)

__all__ = ["far_best", "far_clear", "far_put", "far_qty", "far_remove", "far_select", "far_worse", "home_of"]

_SPREAD = -7046029254386353131  # 2^64 / the golden ratio, odd, as int64
_LAST = FAR_SLOTS - 1
_SHIFT = 64 - 12  # the table has 2^12 places
_NEVER = 1 << 62  # beyond any price's key, either sign


@kernel
def home_of(price: int) -> int:
    """Return the place where the search for `price` begins."""
    return (mul_low(price, _SPREAD) >> _SHIFT) & _LAST


@kernel
def _slot_of(table: int, price: int) -> int:
    """Return the place that holds `price`, or the empty one where it would stand."""
    slot = home_of(price)
    while far_at(table, slot).qty != 0 and far_at(table, slot).price != price:
        slot = (slot + 1) & _LAST
    return slot


@kernel
def far_qty(side: int, price: int) -> int:
    """Return the quantity in lots at the far `price` of the side at address `side`; 0: none."""
    table = side + FAR_OFFSET
    return int(far_at(table, _slot_of(table, price)).qty)


@routine
def far_remove(side: int, slot: int) -> None:
    """Empty an occupied place of the table, shifting back what was pushed on by it."""
    state, table = side_at(side, 0), side + FAR_OFFSET
    hole, probe = slot, (slot + 1) & _LAST
    while far_at(table, probe).qty != 0:
        entry = far_at(table, probe)
        if ((probe - home_of(entry.price)) & _LAST) >= ((probe - hole) & _LAST):
            target = far_at(table, hole)
            target.price = entry.price
            target.qty = entry.qty
            hole = probe
        probe = (probe + 1) & _LAST
    empty = far_at(table, hole)
    empty.price = 0
    empty.qty = 0
    state.far_count = state.far_count - 1


@routine
def far_select(side: int, toward: int, after: int, before: int, out: int, have: int, n: int) -> int:
    """Write the far levels whose price × `toward` lies strictly between `before` and `after`, highest first.

    They go to out[have], out[have + 1], ... (FAR records at address `out`, `n` in all); return how many
    records stand in `out` then. `toward` +1 gives the highest prices first, −1 the lowest.
    """
    table, end = side + FAR_OFFSET, have
    for slot in range(FAR_SLOTS):
        entry = far_at(table, slot)
        key = entry.price * toward
        if entry.qty == 0 or key >= after or key <= before:
            continue
        if end == n:
            if n == have or key <= far_at(out, n - 1).price * toward:
                continue
            end -= 1
        place = end
        while place > have and far_at(out, place - 1).price * toward < key:
            far_at(out, place).price = far_at(out, place - 1).price
            far_at(out, place).qty = far_at(out, place - 1).qty
            place -= 1
        far_at(out, place).price = entry.price
        far_at(out, place).qty = entry.qty
        end += 1
    return end


@routine
def _drop_farthest(ladder: int, index: int) -> None:
    """Drop the FAR_BATCH worst far levels of a side and count them: one search makes room for many."""
    state = ladder_at(ladder, 0)
    side = ladder + state.sides[index]
    far_select(side, 2 * index - 1, _NEVER, -_NEVER, ladder + state.spill, 0, FAR_BATCH)
    for i in range(FAR_BATCH):
        far_remove(side, _slot_of(side + FAR_OFFSET, far_at(ladder + state.spill, i).price))
    state.levels[index] = state.levels[index] - FAR_BATCH
    state.dropped = state.dropped + FAR_BATCH


@kernel
def far_put(ladder: int, index: int, price: int, qty: int) -> int:
    """Set a far level to `qty` lots (0 removes it); return what it was before.

    The caller counts `levels`; levels dropped for want of room are counted here.
    """
    state = ladder_at(ladder, 0)
    side = ladder + state.sides[index]
    table = side + FAR_OFFSET
    slot = _slot_of(table, price)
    entry = far_at(table, slot)
    before = entry.qty
    if qty == 0:
        if before != 0:
            far_remove(side, slot)
        return int(before)
    entry.qty = qty
    if before == 0:
        entry.price = price
        head = side_at(side, 0)
        head.far_count = head.far_count + 1
        if (price - head.far_best) * (1 - 2 * index) > 0:
            head.far_best = price
        if head.far_count > FAR_LEVELS:
            _drop_farthest(ladder, index)
    return int(before)


@routine
def far_worse(side: int, index: int, price: int) -> int:
    """Return the best far price that is worse than `price`, in ticks, or the side's NO_BID or NO_ASK."""
    table, toward = side + FAR_OFFSET, 1 - 2 * index
    limit, best = price * toward, -_NEVER
    for slot in range(FAR_SLOTS):
        entry = far_at(table, slot)
        key = entry.price * toward
        if entry.qty != 0 and key < limit and key > best:
            best = key
    return best * toward


@routine
def far_best(side: int, index: int) -> int:
    """Make the bound `far_best` exact and return it."""
    found = far_worse(side, index, (1 - 2 * index) * _NEVER)
    side_at(side, 0).far_best = found
    return found


@routine
def far_clear(side: int, index: int) -> None:
    """Remove all far levels of a side."""
    state, table = side_at(side, 0), side + FAR_OFFSET
    state.far_best = (2 * index - 1) * _NEVER
    if state.far_count == 0:
        return
    state.far_count = 0
    for slot in range(FAR_SLOTS):
        far_at(table, slot).price = 0
        far_at(table, slot).qty = 0
