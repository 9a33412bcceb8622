"""Rows gathered message by message: what decoders of JSON and of order messages write, and frames are made of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import polars as pl

from tradectl.core.codes import EventFlag, EventKind
from tradectl.history.importers.base import BATCH, Breaks, Piece

__all__ = ["Rows", "Sink"]

END = int(EventFlag.MESSAGE_END)
BEGIN_SNAPSHOT, END_SNAPSHOT = int(EventFlag.SNAPSHOT_BEGIN), int(EventFlag.SNAPSHOT_END)
DEPTH, CLEAR, GAP = int(EventKind.DEPTH), int(EventKind.CLEAR), int(EventKind.GAP)
RUN = ("ts_event", "ts_recv", "kind", "side", "id", "row")
Levels = Sequence[Sequence[str]]  # (price, quantity, …) as text


class Rows:
    """The rows of one symbol; a run of rows that differ in price and quantity only is held once.

    `row` is the line (from 1) that rows came from. Every method writes one message: its last row has
    MESSAGE_END, unless `more` says that rows of the same message follow.
    """

    def __init__(self) -> None:
        self.breaks = Breaks()
        self._clear()

    def _clear(self) -> None:
        self.prices: list[float] = []
        self.qtys: list[float] = []
        self.runs: list[tuple[int, int, int, int, int, int]] = []  # RUN
        self.counts: list[int] = []
        self.marks: list[tuple[int, int]] = []  # (index, bits) of rows with flags
        self.asks: list[tuple[int, float, float]] = []  # (index, price2, qty2) of quotes

    def __len__(self) -> int:
        return len(self.prices)

    def one(
        self, kind: int, side: int, stamps: tuple[int, int], price: float, qty: float, key: tuple[int, int],
        *, more: bool = False,
    ) -> None:  # fmt: skip
        """Write one row; stamps are (ts_event, ts_recv), key is (id, row)."""
        self.prices.append(price)
        self.qtys.append(qty)
        self.runs.append((*stamps, kind, side, *key))
        self.counts.append(1)
        if not more:
            self.marks.append((len(self.prices) - 1, END))

    def quote(
        self,
        stamps: tuple[int, int],
        bid: tuple[float, float],
        ask: tuple[float, float],
        key: tuple[int, int],
    ) -> None:
        """Write the best bid and ask, each (price, quantity)."""
        self.asks.append((len(self.prices), *ask))
        self.one(int(EventKind.QUOTE), 0, stamps, *bid, key)

    def sides(self, stamps: tuple[int, int], bids: Levels, asks: Levels, key: tuple[int, int]) -> None:
        """Write changed levels of both sides, given as text, as one message; nothing if there are none."""
        if self._levels(stamps, bids, asks, key):
            self.end()

    def snapshot(self, stamps: tuple[int, int], bids: Levels, asks: Levels, key: tuple[int, int]) -> None:
        """Write a whole book, given as text, as one message; an empty one is a CLEAR."""
        self.breaks.whole = True
        start = len(self.prices)
        if not self._levels(stamps, bids, asks, key):
            self.one(CLEAR, 0, stamps, 0.0, 0.0, key)
            return
        self.marks.append((start, BEGIN_SNAPSHOT))
        self.marks.append((len(self.prices) - 1, END_SNAPSHOT | END))

    def gap(self, stamps: tuple[int, int], row: int) -> None:
        """Write that what follows is not connected with what came before."""
        self.one(GAP, 0, stamps, 0.0, 0.0, (0, row))
        self.breaks.merge(Breaks(1, stamps[1], whole=False))

    def drop(self) -> None:
        """Count a message of depth that is left out; those before the first snapshot do not count."""
        self.breaks.dropped += not self.breaks.whole

    def mark(self, index: int, bits: int) -> None:
        """Add flag bits to the row at `index`."""
        self.marks.append((index, bits))

    def end(self) -> None:
        """Let the last row be the end of its message."""
        if self.prices:
            self.marks.append((len(self.prices) - 1, END))

    def _levels(self, stamps: tuple[int, int], bids: Levels, asks: Levels, key: tuple[int, int]) -> int:
        """Write levels of both sides, or nothing if one of them cannot be read; return how many."""
        made = [
            (side, [float(level[0]) for level in levels], [float(level[1]) for level in levels])
            for side, levels in ((1, bids), (-1, asks))
        ]
        for side, prices, qtys in made:
            if prices:
                self.prices += prices
                self.qtys += qtys
                self.runs.append((*stamps, DEPTH, side, *key))
                self.counts.append(len(prices))
        return len(made[0][1]) + len(made[1][1])

    def take(self) -> pl.DataFrame:
        """Return the rows as a frame of BOOK_ROWS with `row`, and forget them."""
        size = len(self.prices)
        runs = np.array(self.runs, np.int64).reshape(len(self.runs), len(RUN))
        made = np.repeat(runs, np.array(self.counts, np.int64), axis=0)
        flags = np.zeros(size, np.uint16)
        if self.marks:
            marks = np.array(self.marks, np.int64)
            np.bitwise_or.at(flags, marks[:, 0], marks[:, 1].astype(np.uint16))
        price2, qty2 = np.zeros(size), np.zeros(size)
        if self.asks:
            index = [a[0] for a in self.asks]
            price2[index], qty2[index] = [a[1] for a in self.asks], [a[2] for a in self.asks]
        columns = {name: np.ascontiguousarray(made[:, k]) for k, name in enumerate(RUN)}
        frame = pl.DataFrame(
            {
                "ts_event": columns["ts_event"],
                "ts_recv": columns["ts_recv"],
                "kind": columns["kind"].astype(np.uint8),
                "side": columns["side"].astype(np.int8),
                "flags": flags,
                "price": np.array(self.prices),
                "qty": np.array(self.qtys),
                "price2": price2,
                "qty2": qty2,
                "id": columns["id"],
                "row": columns["row"],
            }
        )
        self._clear()
        return frame


class Sink(dict[str, Rows]):
    """Rows by symbol, made when first asked for."""

    def __missing__(self, symbol: str) -> Rows:
        return self.setdefault(symbol, Rows())

    def full(self) -> Iterator[Piece]:
        """Yield the frames of symbols that have a batch of rows."""
        for symbol, rows in self.items():
            if len(rows) >= BATCH:
                yield symbol, rows.take()

    def rest(self) -> Iterator[Piece]:
        """Yield the frames of all symbols that have rows."""
        for symbol, rows in self.items():
            if len(rows):
                yield symbol, rows.take()
