"""Sources that show the best N levels whole each time: what changed from one showing to the next."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

__all__ = ["Changes", "shown_changes"]

Floats = npt.NDArray[np.float64]
MOST_PAIRS = 1 << 22  # pairs of levels compared at a time


class Changes(NamedTuple):
    """Changed levels in the order of their showings: index of the showing, price, new quantity (0: gone)."""

    at: npt.NDArray[np.int64]
    price: Floats
    qty: Floats


def shown_changes(price: Floats, qty: Floats) -> Changes:
    """Return what changed in showings 1.. of one side, each compared with the one before; (n, N) arrays.

    Levels of quantity 0 are none. A level that is no longer shown is removed, so that a book of these
    changes holds just what is shown.
    """
    step = max(1, MOST_PAIRS // max(1, price.shape[1] ** 2))
    parts = [
        _changes(price[start : start + step + 1], qty[start : start + step + 1], start)
        for start in range(0, len(price) - 1, step)
    ]
    if not parts:
        return Changes(np.empty(0, np.int64), np.empty(0), np.empty(0))
    return Changes(*(np.concatenate([part[k] for part in parts]) for k in range(3)))


def _changes(price: Floats, qty: Floats, start: int) -> Changes:
    old, new, old_qty, new_qty = price[:-1], price[1:], qty[:-1], qty[1:]
    met = (new[:, :, None] == old[:, None, :]) & (new_qty > 0)[:, :, None] & (old_qty > 0)[:, None, :]
    kept = (met & (new_qty[:, :, None] == old_qty[:, None, :])).any(axis=2)
    set_at, set_level = np.nonzero((new_qty > 0) & ~kept)
    gone_at, gone_level = np.nonzero((old_qty > 0) & ~met.any(axis=1))
    at = np.concatenate([gone_at, set_at])
    order = np.argsort(at, kind="stable")  # of one showing what is gone comes first
    prices = np.concatenate([old[gone_at, gone_level], new[set_at, set_level]])[order]
    qtys = np.concatenate([np.zeros(len(gone_at)), new_qty[set_at, set_level]])[order]
    return Changes((at[order] + start + 1).astype(np.int64), prices, qtys)
