"""Folds canonical rows through the price ladder and tells the best levels after each row."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl
from numba import types

from tradectl.core.codes import EventFlag, EventKind
from tradectl.core.jit import DISABLE_JIT, entry
from tradectl.core.ladder import best, best_qty, clear, set_level
from tradectl.core.ladder_layout import NO_ASK, NO_BID, ladder_address, new_ladder

__all__ = ["Best", "fold_depth", "fold_orders", "read_rows"]

NOTHING, SET, CLEAR = range(3)
MOST = 20_000 if DISABLE_JIT else 1 << 62  # rows folded where kernels run as plain Python
i8 = types.int64
ROWS = types.Array(i8, 2, "C")


class Best(NamedTuple):
    """Best levels after each row, (n,) i8 ticks and lots; empty sides are NO_BID and NO_ASK; `rows` are (n,)."""

    rows: pl.DataFrame
    bid: npt.NDArray[np.int64]
    bid_lots: npt.NDArray[np.int64]
    ask: npt.NDArray[np.int64]
    ask_lots: npt.NDArray[np.int64]

    def at_ends(self) -> npt.NDArray[np.int64]:
        """Return the rows that end a message."""
        return np.flatnonzero((self.rows["flags"].to_numpy() & EventFlag.MESSAGE_END) != 0)

    def crossed(self) -> npt.NDArray[np.int64]:
        """Return the ends of messages at which the book is crossed or locked."""
        ends = self.at_ends()
        both = (self.bid[ends] != NO_BID) & (self.ask[ends] != NO_ASK)
        return ends[both & (self.bid[ends] >= self.ask[ends])]


@entry(lambda: types.void(i8, ROWS, ROWS))
def run(ladder, ops, out):
    """Apply ops (n, 4) i8: code, side index, ticks, lots; write the best levels after each to out (n, 4) i8."""
    for i in range(ops.shape[0]):
        if ops[i, 0] == CLEAR:
            clear(ladder)
        elif ops[i, 0] == SET:
            set_level(ladder, int(ops[i, 1]), int(ops[i, 2]), int(ops[i, 3]))
        out[i, 0] = best(ladder, 0)
        out[i, 1] = best_qty(ladder, 0)
        out[i, 2] = best(ladder, 1)
        out[i, 3] = best_qty(ladder, 1)


def read_rows(importer, paths, **options):
    """Return {symbol: all rows} of an importer."""
    from tradectl.history.files import Place
    from tradectl.history.importers import IMPORTERS, Options

    asked = Options(kind=options.pop("kind", "book"), extra=options)
    found: dict[str, list[pl.DataFrame]] = {}
    for symbol, frame in IMPORTERS[importer].read([Place(path) for path in paths], asked):
        found.setdefault(symbol, []).append(frame)
    return {symbol: pl.concat(frames) for symbol, frames in found.items()}


def units(column, step):
    """Return floats as whole steps; they must be on them."""
    made = np.rint(column.to_numpy() / step)
    assert np.allclose(made * step, column.to_numpy(), rtol=1e-12, atol=step * 1e-6)
    return made.astype(np.int64)


def _folded(rows, ops):
    blob = new_ladder()
    out = np.zeros((len(ops), 4), np.int64)
    run(ladder_address(blob), np.ascontiguousarray(ops), out)
    return Best(rows, *(np.ascontiguousarray(out[:, k]) for k in range(4)))


def fold_depth(rows, tick, lot):
    """Fold DEPTH rows; trades and quotes leave the book alone; a CLEAR and a snapshot's first row empty it."""
    rows = rows.head(min(rows.height, MOST))
    kind, flags = rows["kind"].to_numpy(), rows["flags"].to_numpy()
    depth = kind == EventKind.DEPTH
    begins = np.flatnonzero(depth & ((flags & EventFlag.SNAPSHOT_BEGIN) != 0))
    ops = np.zeros((len(rows), 4), np.int64)
    ops[:, 0] = np.where(depth, SET, np.where(kind == EventKind.CLEAR, CLEAR, NOTHING))
    ops[:, 1] = (rows["side"].to_numpy() < 0).astype(np.int64)
    ops[depth, 2] = units(rows["price"].filter(depth), tick)
    ops[depth, 3] = units(rows["qty"].filter(depth), lot)
    with_clears = np.insert(ops, begins, [[CLEAR, 0, 0, 0]], axis=0)
    made = _folded(rows, with_clears)
    kept = np.delete(np.arange(len(with_clears)), begins + np.arange(len(begins)))
    return Best(rows, *(column[kept] for column in made[1:]))


def fold_orders(rows, tick, lot, *, exact=True):
    """Fold order rows: a dictionary of orders gives each level's quantity, the ladder holds the levels.

    Every row names an order that is there, and executes no more than is left; if not `exact`, but for executions.
    """
    rows = rows.head(min(rows.height, MOST))
    book, last = Orders(exact), []
    ticks, lots = units(rows["price"], tick).tolist(), units(rows["qty"], lot).tolist()
    columns = (rows["kind"].to_list(), rows["side"].to_list(), rows["id"].to_list(), rows["flags"].to_list())
    for at, (kind, side, key, flags) in enumerate(zip(*columns, strict=True)):
        if flags & EventFlag.SNAPSHOT_BEGIN or kind == EventKind.CLEAR:
            book = Orders(exact, book.ops)
            book.ops.append((CLEAR, 0, 0, 0))
        book.apply(kind, int(side < 0), key, ticks[at], lots[at])
        last.append(len(book.ops) - 1)
    made = _folded(rows, np.array(book.ops, np.int64))
    return Best(rows, *(column[last] for column in made[1:]))


class Orders:
    """Orders by id and the quantities of their levels; `ops` are the changes of levels."""

    def __init__(self, exact, ops=None):
        self.exact = exact
        self.ops = [] if ops is None else ops
        self.orders = {}
        self.levels = ({}, {})

    def apply(self, kind, index, key, ticks, lots):
        if kind == EventKind.ORDER_ADD:
            assert key not in self.orders, key
            self.orders[key] = (index, ticks, lots)
            self.change(index, ticks, lots)
        elif kind == EventKind.ORDER_EXEC and not self.exact and key not in self.orders:
            self.ops.append((NOTHING, 0, 0, 0))
        elif kind in (EventKind.ORDER_MODIFY, EventKind.ORDER_CANCEL, EventKind.ORDER_EXEC):
            side, price, had = self.orders.pop(key)
            assert side == index
            left = had - lots if lots else 0
            if kind == EventKind.ORDER_MODIFY:
                left, to = lots, ticks
            else:
                to = price
                left = left if self.exact or kind != EventKind.ORDER_EXEC else max(left, 0)
                assert left >= 0
            self.change(side, price, -had)
            if left:
                self.orders[key] = (side, to, left)
                self.change(side, to, left)
        else:
            self.ops.append((NOTHING, 0, 0, 0))

    def change(self, index, ticks, lots):
        levels = self.levels[index]
        levels[ticks] = levels.get(ticks, 0) + lots
        self.ops.append((SET, index, ticks, levels[ticks]))
        if not levels[ticks]:
            del levels[ticks]
