"""A source of book data: one symbol's rows from one block, surveyed once, then read as a stream of integers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from tradectl.core.codes import EventKind
from tradectl.history.book_events import (
    GROUPS,
    Ticks,
    drop_rows,
    groups_of,
    kinds_mask,
    to_ticks,
)
from tradectl.history.book_merge import merge_ticks
from tradectl.history.book_seed import Seed
from tradectl.history.book_spool import Columns, Spool
from tradectl.history.grid import Steps, in_steps, on_grid
from tradectl.history.importers.base import Breaks
from tradectl.history.model import DataBlock, Gap
from tradectl.history.rows import FILE_SHIFT

__all__ = ["DISTINCT", "BookPart", "BookSource", "grid_columns", "in_receive_order", "spooled"]

FIRST, LAST = -(1 << 62), 1 << 62  # before and after all stamps
MULTIPLES = (78_125, 15_625, 3_125, 625, 125, 25, 5, 2)  # of a power of ten: 1/128 … 1/4, 0.5, 0.2
DISTINCT = 32  # so many different prices must agree on a multiple
SIZED = np.zeros(256, np.bool_)
SIZED[[int(kind) for members in GROUPS.values() for kind in members]] = True
SIZED[[EventKind.FUNDING, EventKind.MARK]] = False  # rates, and means that are on no tick
HELD = np.zeros(256, np.bool_)  # kinds of which the past matters: the state that they leave
HELD[[int(kind) for name in ("quotes", "depth", "orders") for kind in GROUPS[name]]] = True


@dataclass
class BookPart:
    """One file's rows of a symbol, in receive order; `read(tick, lot, streams, start, end)` yields them.

    All rows with `start` <= ts_recv < `end` are among them, and others near these.
    """

    read: Callable[[Decimal, Decimal, int, int, int], Iterator[Ticks]]
    first_ns: int
    last_ns: int
    rows: int
    lowest_kind: int  # of its events: what comes first where parts overlap
    lag_min: int = 0  # smallest ts_recv - ts_event
    grid: tuple[Decimal, Decimal] | None = None  # on which it is stored (a catalogue's)
    reset_ns: int | None = None  # of a stored part: the last stamp at which the book begins anew
    shift_ns: int = 0  # added to receive stamps: the correction of a clock that runs behind

    @property
    def span(self) -> tuple[int, int]:
        """Return the first and last receive stamp, corrected."""
        return self.first_ns + self.shift_ns, self.last_ns + self.shift_ns

    def stream(self, grid: tuple[Decimal, Decimal], streams: int, start: int, end: int) -> Iterator[Ticks]:
        """Yield the rows received in [start, end), with corrected stamps."""
        low, high = max(start - self.shift_ns, FIRST), min(end - self.shift_ns, LAST)
        for ticks in self.read(*grid, streams, low, high):
            made = _within(ticks, low, high)
            if len(made):
                if self.shift_ns:
                    made.ts_recv = made.ts_recv + self.shift_ns
                    made.shift = made.shift + self.shift_ns
                yield made


@dataclass
class BookSource:
    """One symbol of one block."""

    block: DataBlock
    venue: str
    symbol: str
    base: str
    quote: str
    files: list[Any] = field(default_factory=list)  # `index` of the first stands for the source in messages
    parts: list[BookPart] = field(default_factory=list)
    spools: list[Spool] = field(default_factory=list)
    counts: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(256, np.int64))
    used_counts: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(256, np.int64))  # in the window
    prices: Steps = field(default_factory=Steps)
    volumes: Steps = field(default_factory=Steps)
    rows_read: int = 0
    lag_min: int = 0
    lag_max: int = 0
    behind: int = 0  # rows whose receive stamp is before their exchange stamp
    has_receive_clock: bool = False
    gap_count: int = 0
    gaps: list[Gap] = field(default_factory=list)
    breaks: Breaks | None = None  # None: the format does not number its messages, or it was imported
    tick_size: Decimal | None = None
    lot_size: Decimal | None = None
    min_qty: Decimal = Decimal(0)
    min_notional: Decimal = Decimal(0)
    given_by: str = ""
    timeframe_ns: int = 0  # of bars
    missing_bars: int = 0
    zero_volume: int = 0

    @property
    def id(self) -> str:
        """Return venue:SYMBOL of the source."""
        return f"{self.venue}:{self.symbol}"

    @property
    def rows(self) -> int:
        """Return how many rows of the kinds that the block asks for there are."""
        return self._of_kind(self.counts)

    @property
    def used(self) -> int:
        """Return how many of these rows lie in the block's window."""
        return self._of_kind(self.used_counts)

    def _of_kind(self, counts: npt.NDArray[np.int64]) -> int:
        mask = kinds_mask(self.block.kind)
        return int(counts.sum() if mask is None else counts[mask].sum())

    @property
    def kinds(self) -> frozenset[str]:
        """Return the names of the kinds that its stream has: trades, quotes, depth, orders, funding, mark."""
        return groups_of(self.kinds_asked)

    @property
    def is_empty(self) -> bool:
        """Tell whether there is no row of the kind that the block asks for (funding, marks and gaps come along)."""
        asked = [int(kind) for kind in GROUPS.get(self.block.kind, ())] or slice(None)
        return not self.counts[asked].any()

    @property
    def kinds_there(self) -> list[int]:
        """Return the kinds of all its rows, asked for or not."""
        return [int(kind) for kind in np.flatnonzero(self.counts)]

    @property
    def kinds_asked(self) -> list[int]:
        """Return the kinds of the rows that its stream has."""
        mask = kinds_mask(self.block.kind)
        return [kind for kind in self.kinds_there if mask is None or mask[kind]]

    @property
    def first_ns(self) -> int:
        """Return the first receive stamp."""
        return min(part.span[0] for part in self.parts)

    @property
    def last_ns(self) -> int:
        """Return the last receive stamp."""
        return max(part.span[1] for part in self.parts)

    @property
    def shift_ns(self) -> int:
        """Return what was added to receive stamps, at most."""
        return max(part.shift_ns for part in self.parts)

    def stream(
        self, grid: tuple[Decimal, Decimal], streams: int = 1, start: int = FIRST, end: int = LAST
    ) -> Iterator[Ticks]:
        """Yield the rows received in [start, end) on a grid of (tick, lot), in receive order.

        If there are rows before `start`, the book, orders and quote that they leave come first, stamped `start`.
        """
        mask = kinds_mask(self.block.kind)
        if mask is not None and not self.counts[~mask].any():
            mask = None
        held = HELD if mask is None else HELD & mask
        if start > self.first_ns and self.counts[held].any():
            seed = Seed()
            for ticks in self._wanted(mask, grid, streams, self._reset_before(start), start):
                seed.feed(ticks)
            begin = seed.rows(start)
            if begin is not None and start < end:
                yield begin
        yield from self._wanted(mask, grid, streams, start, end)

    def _wanted(
        self,
        mask: npt.NDArray[np.bool_] | None,
        grid: tuple[Decimal, Decimal],
        streams: int,
        start: int,
        end: int,
    ) -> Iterator[Ticks]:
        parts = [p for p in self.parts if p.span[1] >= start and p.span[0] < end]
        for ticks in in_receive_order(parts, grid, streams, start, end):
            if mask is None:
                yield ticks
            elif (keep := mask[ticks.full("kind")]).any():
                yield ticks if keep.all() else ticks[keep]

    def _reset_before(self, start: int) -> int:
        """Return a stamp from which on rows tell the whole book at `start`."""
        resets = [p.reset_ns + p.shift_ns for p in self.parts if p.reset_ns is not None]
        if self.counts[EventKind.QUOTE]:  # the last quote may be older
            return FIRST
        return max((stamp for stamp in resets if stamp < start), default=FIRST)

    def look(self, fault: str, step: Decimal) -> Steps:
        """Return the count of prices (`off_tick`) or quantities (`off_lot`) off a step."""
        steps, names = Steps(step), ("price", "price2") if fault == "off_tick" else ("qty", "qty2")
        low, high = self.block.span
        for columns in self.columns():
            keep = (columns["ts_recv"] >= low) & (columns["ts_recv"] < high)
            inside = columns if keep.all() else {name: column[keep] for name, column in columns.items()}
            for values, origin in grid_columns(inside, names):
                steps.feed((values,), origin)
        return steps

    def columns(self) -> Iterator[Columns]:
        """Yield the rows as floats, as they were surveyed; of stored ones only the values and their kinds."""
        for spool in self.spools:
            yield from spool
        for index, part in enumerate(self.parts):
            if part.grid is None:
                continue
            row = 1 + (self.files[index].index << FILE_SHIFT)
            tick, lot = (float(step) for step in part.grid)
            for ticks in part.read(*part.grid, 1, FIRST, LAST):
                made: Columns = {"kind": ticks.full("kind"), "origin": np.arange(row, row + len(ticks))}
                made["ts_recv"] = ticks.ts_recv
                for name, step in (("price", tick), ("price2", tick), ("qty", lot), ("qty2", lot)):
                    made[name] = ticks.full(name) * step
                row += len(ticks)
                yield made

    def multiples(self, step: Decimal) -> tuple[set[int], set[int]]:
        """Return of which multiples of `step`, a power of ten, the prices are, and some different prices.

        25 is one where prices are quarters and the step is 0.01.
        """
        left = dict.fromkeys(MULTIPLES, 0)
        seen: set[int] = set()
        total = 0
        for columns in self.columns():
            for values, _ in grid_columns(columns, ("price", "price2")):
                quotient = in_steps(values, step)
                whole = np.rint(quotient[on_grid(quotient)]).astype(np.int64)
                total += len(whole)
                if len(seen) < DISTINCT:
                    seen.update(np.unique(whole)[:DISTINCT].tolist())
                for m in left:
                    left[m] += int(np.count_nonzero(whole % m))
                left = {m: off for m, off in left.items() if off * 20 <= total}
        left = {m: off for m, off in left.items() if off * 100 <= total}  # it holds 99 % of the rows
        return set(left), seen


def grid_columns(
    columns: Columns, names: tuple[str, ...]
) -> Iterator[tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]]:
    """Yield (values above zero, origins) of the columns, of rows whose values are on the grid."""
    sized = SIZED[columns["kind"]]
    for name in names:
        keep = sized & (columns[name] > 0)
        if keep.all():
            yield columns[name], columns["origin"]
        elif keep.any():
            yield columns[name][keep], columns["origin"][keep]


def in_receive_order(
    parts: list[BookPart], grid: tuple[Decimal, Decimal], streams: int, start: int, end: int
) -> Iterator[Ticks]:
    """Yield the parts' rows: one after the other where their times do not overlap, else merged."""
    parts = sorted(parts, key=lambda part: part.span)
    if all(a.span[1] < b.span[0] for a, b in pairwise(parts)):
        for part in parts:
            yield from part.stream(grid, streams, start, end)
        return
    parts.sort(key=lambda part: (part.lowest_kind, part.span))
    yield from merge_ticks([part.stream(grid, streams + len(parts), start, end) for part in parts])


def spooled(
    spool: Spool, drop: tuple[bool, ...]
) -> Callable[[Decimal, Decimal, int, int, int], Iterator[Ticks]]:
    """Return the reader of a surveyed raw file's rows; `drop` leaves out those off the tick, off the lot."""

    def read(tick: Decimal, lot: Decimal, _streams: int, start: int, end: int) -> Iterator[Ticks]:
        before = 0
        for columns in spool:
            recv = columns["ts_recv"]
            if recv[-1] >= start and recv[0] < end:
                kept = _on_grid(columns, tick if drop[0] else None, lot if drop[1] else None)
                yield to_ticks(kept, tick, lot, before or int(recv[0]))
            before = int(recv[-1])

    return read


def _on_grid(columns: Columns, tick: Decimal | None, lot: Decimal | None) -> Columns:
    """Return the rows whose values are on the grid (None: not asked)."""
    keep = np.ones(len(columns["kind"]), np.bool_)
    for step, names in ((tick, ("price", "price2")), (lot, ("qty", "qty2"))):
        if step is not None:
            for name in names:
                keep &= on_grid(in_steps(np.maximum(columns[name], 0.0), step)) | ~SIZED[columns["kind"]]
    return columns if keep.all() else drop_rows(columns, keep)


def _within(ticks: Ticks, start: int, end: int) -> Ticks:
    recv = ticks.ts_recv
    if not len(recv) or (recv[0] >= start and recv[-1] < end):
        return ticks
    return ticks[slice(*np.searchsorted(recv, [start, end], "left"))]
