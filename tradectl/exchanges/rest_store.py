"""What was fetched, in a catalogue: which times are covered, and rows added so that a fetch can stop anywhere.

A series' entry in `catalogue.json` has `fetched`: per kind of data the stretches of time that are complete, in
ns. Rows and stretch are written in one step, so that a fetch that was cut off goes on where its last step ended.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from tradectl.core.codes import EventFlag, EventKind
from tradectl.exchanges.markets import Spec
from tradectl.exchanges.rest import Candle
from tradectl.exchanges.rest_trades import Trade
from tradectl.history.book_catalogue import folder_of
from tradectl.history.book_events import PICO, Ticks
from tradectl.history.book_source import BookPart, BookSource
from tradectl.history.book_writer import add_book
from tradectl.history.catalogue import read_index
from tradectl.history.grid import in_steps
from tradectl.history.importers.table import id_numbers
from tradectl.history.model import DataBlock
from tradectl.history.rows import Rows
from tradectl.history.stamps import DAY_NS, format_timeframe
from tradectl.history.writer import Writer

__all__ = ["Series", "Span", "gaps_between", "united"]

Span = tuple[int, int]  # from, to (exclusive), ns UTC
OVERLAP_NS = 1_000_000_000  # trades whose stamps run backwards across the end of a fetch


def united(spans: Sequence[Span]) -> list[Span]:
    """Return stretches of time in order, joined where they touch."""
    made: list[Span] = []
    for start, end in sorted(spans):
        if made and start <= made[-1][1]:
            made[-1] = (made[-1][0], max(made[-1][1], end))
        elif end > start:
            made.append((start, end))
    return made


def gaps_between(covered: Sequence[Span], start: int, end: int) -> list[Span]:
    """Return what of [start, end) is not covered."""
    left: list[Span] = []
    for begin, stop in united(covered):
        if begin > start:
            left.append((start, min(begin, end)))
        start = max(start, stop)
        if start >= end:
            break
    return [span for span in [*left, (start, end)] if span[0] < span[1]]


@dataclass(frozen=True)
class Series:
    """One instrument's rows of one kind (bars, trades, funding) in the catalogue at `root`."""

    root: Path
    spec: Spec
    kind: str
    timeframe_ns: int = 0  # of bars

    @property
    def folder(self) -> str:
        """Return where its parts are below the root."""
        one = self.spec.instrument
        if self.kind != "bars":
            return folder_of(one.venue, one.symbol)
        symbol = one.symbol.replace("/", "-")
        return f"kind=bars/timeframe={format_timeframe(self.timeframe_ns)}/venue={one.venue}/symbol={symbol}"

    def _entry(self, index: Mapping[str, Any]) -> dict[str, Any]:
        series = index["series"] if self.kind == "bars" else index.get("ticks", {})
        return dict(series.get(self.folder, {}))

    def covered(self) -> list[Span]:
        """Return the stretches that need no fetching; of rows that were imported, all between first and last."""
        entry = self._entry(read_index(self.root))
        spans = [(int(start), int(end)) for start, end in entry.get("fetched", {}).get(self.kind, [])]
        if not spans and self.kind == "bars" and entry:
            parts = entry["parts"].values()
            first = min(part["first_ns"] for part in parts) - self.timeframe_ns
            return [(first, max(part["last_ns"] for part in parts))]
        return united(spans)

    def last_row(self) -> int | None:
        """Return the stamp of the last trade or funding rate; None where there is none."""
        number = str(int(EventKind.TRADE if self.kind == "trades" else EventKind.FUNDING))
        parts = [p for p in self._entry(read_index(self.root)).get("parts", []) if number in p["kinds"]]
        if not parts:
            return None
        path = self.root / self.folder / parts[-1]["file"]
        frame = pl.scan_parquet(path, hive_partitioning=False)
        if "kind" in parts[-1]["columns"]:
            frame = frame.filter(pl.col("kind") == int(number))
        return int(frame.select(pl.col("ts_event").max().to_physical()).collect().item())

    def resume_from(self, start: int) -> int:
        """Return from where a fetch of what follows `start` begins, so that each day's rows come to one file."""
        last = self.last_row() if self.kind == "trades" else None
        if last is None or last > start or last // DAY_NS != start // DAY_NS:
            return start
        return max(last - OVERLAP_NS, last // DAY_NS * DAY_NS)

    def add(self, rows: Sequence[Any], span: Span) -> int:
        """Add rows and mark `span` as covered, in one step; return how many of the rows are new.

        Rows are `Candle`, `Trade`, or (ns UTC, funding rate as text).
        """
        one = self.spec.instrument
        names = {"venue": one.venue, "symbol": one.symbol, "base": one.base, "quote": one.quote}
        writer = Writer(self.root)
        with writer.transaction():
            if self.kind == "bars":
                grid = {"tick_size": f"{one.tick_size:f}", "lot_size": f"{one.lot_size:f}"}
                batches = iter([_bars(rows)] if rows else [])
                writer.add(names | grid, self.timeframe_ns, batches, keep_old=True)
            elif rows:
                ticks = (
                    _trades(rows, one.tick_size, one.lot_size) if self.kind == "trades" else _funding(rows)
                )
                add_book(writer, names, _source(ticks, names), (one.tick_size, one.lot_size))
            series = writer.index["series"] if self.kind == "bars" else writer.index.get("ticks", {})
            if self.folder in series:  # what has no row yet is looked through again
                self._describe(series[self.folder], span)
        return writer.summary.added

    def _describe(self, entry: dict[str, Any], span: Span) -> None:
        """Say in an entry what is covered, and what the venue said of the instrument."""
        spans = united([*self.covered(), span])  # what was covered before this step
        entry.setdefault("fetched", {})[self.kind] = [list(one) for one in spans]
        one, spec = self.spec.instrument, self.spec
        entry["min_qty"], entry["min_notional"] = f"{one.min_qty:f}", f"{one.min_notional:f}"
        entry["fees"] = {"maker": f"{spec.maker:f}", "taker": f"{spec.taker:f}"}


def _bars(rows: Sequence[Candle]) -> Rows:
    ends = np.array([row[0] for row in rows], np.int64)
    o, h, l, c, v = np.array([[float(value) for value in row[1:]] for row in rows]).T.copy()  # noqa: E741
    return Rows(ends, o, h, l, c, v, np.arange(1, len(rows) + 1))


def _trades(rows: Sequence[Trade], tick: Decimal, lot: Decimal) -> Ticks:
    """Return trades as rows in ticks and lots; they are ordered by the venue's ids, so receive stamps never fall."""
    stamps = np.array([row.ts_ns for row in rows], np.int64)
    values = ([float(row.price) for row in rows], tick), ([float(row.qty) for row in rows], lot)
    price, qty = (np.maximum(np.rint(in_steps(np.array(v), step)).astype(np.int64), 1) for v, step in values)
    sides = np.array([row.side for row in rows], np.int8)
    ids = id_numbers(pl.Series([row.id for row in rows], dtype=pl.String)).to_numpy()
    kind, flags = int(EventKind.TRADE), int(EventFlag.MESSAGE_END)
    return Ticks(stamps, np.maximum.accumulate(stamps), kind, sides, flags, price, qty, 0, 0, ids)


def _funding(rows: Sequence[tuple[int, str]]) -> Ticks:
    """Return funding rates as rows: the price is the rate in 1e-12, no quantity: the mark price is not known."""
    stamps = np.array([row[0] for row in rows], np.int64)
    rates = np.array([round(Decimal(row[1]) * Decimal(PICO)) for row in rows], np.int64)
    kind, flags = int(EventKind.FUNDING), int(EventFlag.MESSAGE_END)
    return Ticks(stamps, stamps, kind, 0, flags, rates, 0, 0, 0, 0)


def _source(ticks: Ticks, names: Mapping[str, str]) -> BookSource:
    """Return rows in memory as a source."""

    def read(*_: Any) -> Iterator[Ticks]:
        yield ticks

    kind = int(ticks.full("kind")[0])
    made = BookSource(
        DataBlock("", kind="book"), names["venue"], names["symbol"], names["base"], names["quote"]
    )
    made.parts.append(BookPart(read, int(ticks.ts_recv[0]), int(ticks.ts_recv[-1]), len(ticks), kind))
    made.counts[kind] = len(ticks)
    return made
