"""The price ladder: one instrument's book by price levels (L2), any tick range, a few ns a change.

`ladder` is an address (`core.ladder_layout`), `index` a side: 0 bids, 1 asks. Prices are ticks within ±2^60,
quantities lots from 0 to below 2^61. The sides know nothing of each other: within a message a book may be
crossed. Best prices may lie outside the window; reading one is one load.
"""

from __future__ import annotations

from tradectl.core.jit import kernel, routine
from tradectl.core.ladder_far import far_best, far_clear, far_put, far_qty, far_select, far_worse
from tradectl.core.ladder_layout import (
    MARK,
    NO_ASK,
    NO_BID,
    QTY_OFFSET,
    cell_at,
    far_at,
    ladder_at,
    side_at,
)
from tradectl.core.ladder_window import empty_window, follow, none_of, toggle, window_worse

__all__ = [
    "NO_ASK", "NO_BID", "best", "best_qty", "clear", "clear_side", "level_count", "next_price", "qty_at",
    "set_level", "top",
]  # fmt: skip


@kernel
def best(ladder: int, index: int) -> int:
    """Return the best price of a side in ticks; NO_BID or NO_ASK when it is empty."""
    return int(ladder_at(ladder, 0).best[index])


@kernel
def level_count(ladder: int, index: int) -> int:
    """Return how many prices of a side have a quantity."""
    return int(ladder_at(ladder, 0).levels[index])


@kernel
def qty_at(ladder: int, index: int, price: int) -> int:
    """Return the quantity in lots at `price`, 0 where there is none."""
    state = ladder_at(ladder, 0)
    side, offset = ladder + state.sides[index], price - state.low
    if offset >= 0 and offset < state.window:
        return int(cell_at(side + QTY_OFFSET, price & (state.window - 1)).qty & ~MARK)
    return far_qty(side, price)


@kernel
def best_qty(ladder: int, index: int) -> int:
    """Return the quantity in lots at the best price, 0 when the side is empty."""
    return qty_at(ladder, index, best(ladder, index))


@routine
def _far_decides(ladder: int, index: int, found: int) -> None:
    """Set the best price: `found` of the window, NO_BID or NO_ASK, or a better far one."""
    state = ladder_at(ladder, 0)
    far, toward = far_best(ladder + state.sides[index], index), 1 - 2 * index
    state.best[index] = far if (far - found) * toward > 0 else found


@kernel
def _best_gone(ladder: int, index: int, found: int) -> None:
    """Set the best price after its level was removed; `found` is the window's best or NO_BID or NO_ASK."""
    state = ladder_at(ladder, 0)
    if (side_at(ladder + state.sides[index], 0).far_best - found) * (1 - 2 * index) > 0:
        _far_decides(ladder, index, found)
    else:
        state.best[index] = found
    follow(ladder)


@routine
def _set_far(ladder: int, index: int, price: int, qty: int) -> int:
    """Set a level outside the window; return its quantity before."""
    state = ladder_at(ladder, 0)
    before = far_put(ladder, index, price, qty)
    if (before == 0) == (qty == 0):
        return before
    if qty != 0:
        state.levels[index] = state.levels[index] + 1
        if (price - state.best[index]) * (1 - 2 * index) > 0:
            state.best[index] = price
            follow(ladder)
        return before
    state.levels[index] = state.levels[index] - 1
    if price == state.best[index]:
        edge = state.low + state.window if index == 0 else state.low - 1
        _best_gone(ladder, index, window_worse(ladder, index, edge))
    return before


@kernel
def _at_best(ladder: int, index: int, price: int, qty: int) -> None:
    """Move the best price after the level at `price` of the window, as good or better, was set to `qty`."""
    state = ladder_at(ladder, 0)
    if qty == 0:
        if price == state.best[index]:
            _best_gone(ladder, index, window_worse(ladder, index, price))
    elif price != state.best[index]:
        state.best[index] = price
        follow(ladder)


@kernel
def set_level(ladder: int, index: int, price: int, qty: int) -> int:
    """Let the level at `price` of side `index` hold `qty` lots (0 removes it); return what it held before.

    Whether a level appears, changes or goes is as good as random: few branches depend on it.
    """
    state = ladder_at(ladder, 0)
    offset = price - state.low
    if offset < 0 or offset >= state.window:
        return _set_far(ladder, index, price, qty)
    side, place = ladder + state.sides[index], price & (state.window - 1)
    cell = cell_at(side + QTY_OFFSET, place)
    held = cell.qty
    before = held & ~MARK
    cell.qty = qty | (held & MARK)
    changed = int((before == 0) != (qty == 0))
    state.levels[index] = state.levels[index] + changed * (1 - 2 * int(qty == 0))
    toggle(side, place, changed)
    if (price - state.best[index]) * (1 - 2 * index) >= 0:
        _at_best(ladder, index, price, qty)
    return int(before)


@kernel
def next_price(ladder: int, index: int, price: int) -> int:
    """Return the best price of a side that is worse than `price`, in ticks; NO_BID or NO_ASK: none.

    `price` need not be a level; NO_ASK for the bids and NO_BID for the asks ask for the best one.
    """
    state = ladder_at(ladder, 0)
    low, window = state.low, state.window
    found = none_of(index)
    offset = price - low
    if offset >= 0 and offset < window:
        found = window_worse(ladder, index, price)
        if found != none_of(index):
            return found
    elif (offset < 0) == (index == 1):  # the whole window is worse
        found = window_worse(ladder, index, low + window if index == 0 else low - 1)
    side = ladder + state.sides[index]
    if side_at(side, 0).far_count == 0:
        return found
    far = far_worse(side, index, price)
    return far if (far - found) * (1 - 2 * index) > 0 else found


@routine
def top(ladder: int, index: int, n: int, out: int) -> int:
    """Write the `n` best levels of a side as (price in ticks, lots) pairs of i8 to address `out`, best first.

    Returns how many were written: `n`, or all levels of the side.
    """
    state = ladder_at(ladder, 0)
    side, last, toward = ladder + state.sides[index], state.window - 1, 1 - 2 * index
    edge, end = state.low + state.window, state.low
    if index == 1:
        edge, end = state.low - 1, 1 - edge  # what all prices of the window × toward lie between, inclusively
    distant = side_at(side, 0).far_count != 0
    have = 0
    if distant and side_at(side, 0).far_best * toward >= edge * toward:
        have = far_select(side, toward, NO_ASK, edge * toward - 1, out, 0, n)
    price = edge
    while have < n:
        price = window_worse(ladder, index, price)
        if price == none_of(index):
            break
        level = far_at(out, have)
        level.price = price
        level.qty = cell_at(side + QTY_OFFSET, price & last).qty & ~MARK
        have += 1
    if distant and have < n:
        have = far_select(side, toward, end, NO_BID, out, have, n)
    return have


@kernel
def clear_side(ladder: int, index: int) -> None:
    """Remove all levels of a side; its notes stay."""
    state = ladder_at(ladder, 0)
    empty_window(ladder, index)
    far_clear(ladder + state.sides[index], index)
    state.levels[index] = 0
    state.best[index] = none_of(index)


@routine
def clear(ladder: int) -> None:
    """Remove all levels of both sides, as before a snapshot; notes and the window's place stay."""
    clear_side(ladder, 0)
    clear_side(ladder, 1)
