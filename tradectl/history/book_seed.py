"""The book at a window's first moment: what rows before it leave behind, as one snapshot message."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import polars as pl

from tradectl.core.codes import EventFlag, EventKind
from tradectl.history.book_events import Ticks, concat_ticks

__all__ = ["Seed"]

KEPT = 1 << 20  # rows held before they are reduced to the last one of each level
BEGIN, GAP = int(EventFlag.SNAPSHOT_BEGIN), int(EventKind.GAP)
ADD, MODIFY, CANCEL = int(EventKind.ORDER_ADD), int(EventKind.ORDER_MODIFY), int(EventKind.ORDER_CANCEL)
EXEC = int(EventKind.ORDER_EXEC)
Ints = npt.NDArray[np.int64]


@dataclass
class Seed:
    """Takes the rows before a window and gives the rows that begin it.

    Levels and orders stand as they were left (orders in the order of their last addition), then the last
    quote; a sequence that was broken and not mended begins with a GAP.
    """

    levels: list[pl.DataFrame] = field(default_factory=list)
    orders: dict[int, tuple[int, int, int]] = field(default_factory=dict)  # id -> side, price, quantity
    quote: Ticks | None = None
    broken: bool = False
    held: int = 0

    def feed(self, ticks: Ticks) -> None:
        """Take rows, in receive order."""
        kind = ticks.full("kind")
        resets = np.flatnonzero((ticks.full("flags") & BEGIN > 0) | (kind == EventKind.CLEAR))
        if len(resets):
            self.levels, self.orders, self.held = [], {}, 0
            self.broken = False
            ticks = ticks[int(resets[-1]) :]
            kind = ticks.full("kind")
        self.broken |= bool((kind == GAP).any())
        quotes = np.flatnonzero(kind == EventKind.QUOTE)
        if len(quotes):
            self.quote = ticks[quotes[-1:]]
        is_level = kind == EventKind.DEPTH
        if is_level.any():
            rows = {name: ticks.full(name)[is_level] for name in ("side", "price", "qty")}
            self.levels.append(pl.DataFrame(rows).cast(pl.Int64))
            self.held += len(rows["side"])
            if self.held > KEPT:
                self.levels = [self._book()]
                self.held = self.levels[0].height
        is_order = (kind >= ADD) & (kind <= EXEC)
        if is_order.any():
            self._orders(ticks[is_order])

    def _book(self) -> pl.DataFrame:
        whole = pl.concat(self.levels)
        return whole.group_by("side", "price", maintain_order=True).last().filter(pl.col("qty") > 0)

    def _orders(self, ticks: Ticks) -> None:
        columns = (ticks.full(name).tolist() for name in ("kind", "side", "price", "qty", "id"))
        orders = self.orders
        for kind, side, price, qty, number in zip(*columns, strict=True):
            if kind in (ADD, MODIFY):
                before = orders.get(number)
                if before is None or before[1] != price or qty > before[2]:
                    orders.pop(number, None)  # it goes to the end of its queue
                orders[number] = (side, price, qty)
            elif number in orders:
                side, price, left = orders[number]
                left = left - qty if qty else 0
                if left > 0:
                    orders[number] = (side, price, left)
                else:
                    del orders[number]

    def rows(self, at_ns: int) -> Ticks | None:
        """Return the rows that begin a window at `at_ns`; None if there is nothing to say."""
        parts = []
        if self.broken:
            empty = np.zeros(1, np.int64)
            parts.append(Ticks(empty + at_ns, empty + at_ns, GAP, 0, 0, at_ns, at_ns, 0, 0, 0))
        elif self.levels:
            book = self._book()
            side, price, qty = (book[name].to_numpy() for name in ("side", "price", "qty"))
            parts.append(_snapshot(int(EventKind.DEPTH), at_ns, (side, price, qty), 0))
        if self.orders and not self.broken:
            side, price, qty = (
                np.array(column, np.int64) for column in zip(*self.orders.values(), strict=True)
            )
            ids = np.fromiter(self.orders, np.int64, len(self.orders))
            parts.append(_snapshot(ADD, at_ns, (side, price, qty), ids))
        if self.quote is not None:
            stamp = np.array([at_ns])
            parts.append(Ticks(stamp, stamp, *self.quote.columns()[2:-1]))
        parts = [part for part in parts if len(part)]
        return concat_ticks(parts) if parts else None


def _snapshot(kind: int, at_ns: int, columns: tuple[Ints, Ints, Ints], ids: Ints | int) -> Ticks:
    """Return levels or orders (side, price, quantity) as one message."""
    side, price, qty = columns
    n = len(side)
    stamps = np.full(n, at_ns)
    flags = np.zeros(n, np.uint16)
    flags[:1] |= BEGIN
    flags[-1:] |= int(EventFlag.SNAPSHOT_END | EventFlag.MESSAGE_END)
    return Ticks(stamps, stamps, kind, side.astype(np.int8), flags, price, qty, 0, 0, ids)
