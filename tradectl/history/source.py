"""Sources: the files of one symbol and timeframe, surveyed once and read as one clean stream."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import polars as pl

from tradectl.history import stamps
from tradectl.history.calendars import Sessions, session_ends
from tradectl.history.clean import Pairs, clean, in_order
from tradectl.history.faults import FaultLog
from tradectl.history.files import TruncatedError
from tradectl.history.grid import Steps, prices_of
from tradectl.history.merge import merge
from tradectl.history.model import DataBlock, Gap
from tradectl.history.reader import BATCH, RawBatch, SourceFile, binary_rows, read
from tradectl.history.rows import FILE_SHIFT, Budget, Rows, Tape, concat_rows

__all__ = ["FileSurvey", "Judge", "Part", "Source", "end_stamps", "slice_rows"]

BINARY_IN_MEMORY = 400_000  # rows of a Parquet file up to which it is kept after the survey

FIRST, LAST = -(1 << 62), 1 << 62  # before and after all stamps
FEW_STREAMS = 4  # up to so many Parquet files are read with a reader of their own kept open


@dataclass
class Part:
    """One file's rows of one symbol, clean and in order; `batches(n)` reads them as one of n streams."""

    batches: Callable[[int], Iterator[Rows]]
    first_ns: int
    last_ns: int
    rows: int


@dataclass
class Source:
    """One symbol in one timeframe from one block."""

    block: DataBlock
    venue: str
    symbol: str  # as the files have it, normalised: BTC/USD
    base: str
    quote: str
    timeframe_ns: int
    files: list[SourceFile]
    gap_ns: int = 0
    parts: list[Part] = field(default_factory=list)
    prices: Steps = field(default_factory=Steps)
    volumes: Steps = field(default_factory=Steps)
    rows_read: int = 0
    rows: int = 0
    first_ns: int = 0
    last_ns: int = 0
    used: int = 0  # rows in the block's window; the counts below are of these
    used_first_ns: int = 0
    used_last_ns: int = 0
    zero_volume: int = 0
    clean: bool = False  # strictly increasing already, parts in order (a catalogue's)
    gap_count: int = 0
    missing_bars: int = 0
    gaps: list[Gap] = field(default_factory=list)
    tick_size: Decimal | None = None  # the catalogue's or the profile's
    lot_size: Decimal | None = None
    min_qty: Decimal = Decimal(0)
    min_notional: Decimal = Decimal(0)
    given_by: str = ""

    @property
    def id(self) -> str:
        """Return venue:SYMBOL of the source."""
        return f"{self.venue}:{self.symbol}"

    @cached_property
    def sessions(self) -> Sessions | None:
        """Return the sessions that stamp its daily bars, None where nothing is known of them."""
        return self.block.sessions_for(self.venue, self.symbol) if self.block.sessions_for is not None else None

    def raw_rows(self, streams: int) -> Iterator[Rows]:
        """Yield rows in time order, stamps possibly repeated: files one after the other, or merged."""
        parts = sorted(self.parts, key=lambda p: p.first_ns)
        if all(a.last_ns < b.first_ns for a, b in pairwise(parts)):
            for part in parts:
                yield from part.batches(streams)
        else:
            opened = [part.batches(streams + len(parts)) for part in self.parts]
            yield from merge(opened, lambda rows: rows.ts, concat_rows, lambda rows, order: rows[order])

    def stream(self, streams: int = 1, start: int = FIRST, end: int = LAST) -> Iterator[Rows]:
        """Yield rows with strictly increasing end stamps: all those in (start, end], and others near them."""
        if self.clean:
            for part in self.parts:
                if part.last_ns > start and part.first_ns <= end:
                    yield from part.batches(streams)
            return
        pairs = Pairs(self.id, self.timeframe_ns, self.gap_ns, None)
        for rows in self.raw_rows(streams):
            yield pairs.feed(rows)


def end_stamps(
    ts: npt.NDArray[np.int64], file: SourceFile, block: DataBlock, timeframe_ns: int, sessions: Sessions | None = None
) -> npt.NDArray[np.int64]:
    """Return the exclusive ends, ns UTC, of bars stamped `ts`; `sessions` are those of their symbol.

    Bars of a day or more: a session's close where one is given or known; of dates, the next midnight UTC (months:
    the first of the next). Others: the stamp itself, or the stamp plus the timeframe if it is the open.
    """
    day, stamp = stamps.DAY_NS, block.stamp or file.profile.stamp
    if block.session is not None and timeframe_ns == day:
        local = pl.Series(ts).cast(pl.Datetime("ns", "UTC"))
        if not file.form.date_only:  # the day is the one that the file's own zone says
            local = local.dt.convert_time_zone(block.session[1] if file.form.aware else file.form.tz)
        days = local.dt.replace_time_zone(None).dt.timestamp("ns").to_numpy()
        return stamps.session_close(days, block.session)
    if timeframe_ns == day and sessions is not None:
        known = sessions.tz if file.form.aware else file.form.tz
        return session_ends(sessions, ts, None if file.form.date_only else known)
    if timeframe_ns == stamps.MONTH_NS:
        months = pl.Series(ts).cast(pl.Datetime("ns")).dt.truncate("1mo").dt.offset_by("1mo")
        return months.dt.timestamp("ns").to_numpy()
    if file.form.date_only:
        return ts + (timeframe_ns if stamp == "open" else day)
    return ts + timeframe_ns if stamp == "open" else ts


class FileSurvey:
    """One pass over one file: every symbol's rows are cleaned and kept, or remembered as readable again."""

    def __init__(self, file: SourceFile, log: FaultLog, budget: Budget, judges: dict[str, Judge]) -> None:
        self.file, self.log, self.budget, self.judges = file, log, budget, judges
        self.tapes: dict[str, Tape] = {}
        self.parts: dict[str, Part] = {}
        self.unsorted: set[str] = set()
        binary = file.place.format != "csv" and bool(file.symbol)
        self.again = binary and binary_rows(file.place) > BINARY_IN_MEMORY

    def run(self, find: Callable[[str], Source | None], progress: Callable[[int], None] | None) -> None:
        """Read the file; `find` gives the source of a vendor's symbol, None for one that is not wanted."""
        try:
            for raw in read(self.file):
                if raw.symbols is not None and raw.symbols.null_count():
                    self._nameless(raw)
                for source, piece in _by_symbol(raw, self.file, find):
                    self._feed(source, piece)
                if progress is not None:
                    progress(len(raw.ts))
        except TruncatedError as error:
            owner = find(self.file.symbol) if self.file.symbol else None
            name = owner.id if owner else self.file.place.stem
            self.log.add("truncated", name, 1, [(self.file.index << FILE_SHIFT, str(error))])

    def _nameless(self, raw: RawBatch) -> None:
        assert raw.symbols is not None
        rows = raw.row[raw.symbols.is_null().to_numpy()]
        origins = [(self.file.index << FILE_SHIFT) + int(row) for row in rows[:5]]
        self.log.add("empty", self.file.place.stem, len(rows), [(o, "no symbol") for o in origins])

    def _feed(self, source: Source, raw: RawBatch) -> None:
        source.rows_read += len(raw.ts)
        part = self.parts.get(source.id)
        latest = part.last_ns if part else FIRST
        rows = _usable(raw, source, self.file, latest, self.log)
        if not len(rows):
            return
        judge = self.judges.setdefault(source.id, Judge(source, self.log))
        is_sorted = bool(rows.ts[0] >= latest) and not bool((np.diff(rows.ts) < 0).any())
        if not is_sorted:
            self.unsorted.add(source.id)
        judge.feed(rows, is_sorted)
        if part is None:
            tape = self.tapes[source.id] = Tape(self.budget)
            part = self.parts[source.id] = Part(lambda _streams: iter(tape), int(rows.ts.min()), 0, 0)
            if self.again:
                part.batches = lambda streams: self._reread(source, streams)
        part.first_ns = min(part.first_ns, int(rows.ts.min()))
        part.last_ns = max(latest, int(rows.ts.max()))
        part.rows += len(rows)
        if not self.again:
            self.tapes[source.id].append(rows)

    def _reread(self, source: Source, streams: int) -> Iterator[Rows]:
        silent = FaultLog(self.log.actions, self.log.files, strict=False)
        latest = FIRST
        for raw in read(self.file, slice_rows(streams)):
            rows = _usable(raw, source, self.file, latest, silent)
            if len(rows):
                latest = max(latest, int(rows.ts.max()))
                yield rows

    def finish(self, sources: dict[str, Source]) -> None:
        """Hand each symbol's part to its source, sorted where the file was not."""
        for name, part in self.parts.items():
            if name in self.unsorted:
                whole = concat_rows(list(part.batches(1)))
                order = np.argsort(whole.ts, kind="stable")
                tape = Tape(self.budget)
                for at in range(0, len(order), BATCH):
                    tape.append(whole[order[at : at + BATCH]])
                part.batches = lambda _streams, tape=tape: iter(tape)  # type: ignore[misc]
            sources[name].parts.append(part)


def slice_rows(streams: int) -> int:
    """Return how many rows each of `streams` reads at a time; 0: a few may keep their readers open."""
    return 0 if streams <= FEW_STREAMS else max(4_096, min(BATCH, 1_500_000 // streams))


def _usable(raw: RawBatch, source: Source, file: SourceFile, latest: int, log: FaultLog) -> Rows:
    ends = end_stamps(raw.ts, file, source.block, source.timeframe_ns, source.sessions)
    return in_order(clean(raw, ends, file, source.id, log), latest, source.id, log)


def _by_symbol(
    raw: RawBatch, file: SourceFile, find: Callable[[str], Source | None]
) -> Iterator[tuple[Source, RawBatch]]:
    """Split a batch by its symbol column; without one the file's name says the symbol."""
    if raw.symbols is None:
        source = find(file.symbol)
        if source is not None:
            yield source, raw
        return
    for name in raw.symbols.unique(maintain_order=True).to_list():
        source = find(name) if name else None
        if source is not None:
            mask = raw.symbols.eq_missing(name).to_numpy()
            yield source, raw if mask.all() else raw.take(mask)


class Judge:
    """Looks at a source's stream as it comes: repeated stamps, gaps, jumps, its grid and range.

    It goes along with the survey while files come in time order; where they do not, `settle` starts over.
    """

    def __init__(self, source: Source, log: FaultLog) -> None:
        self.log = FaultLog(log.actions, log.files, log.strict, log.span)
        self.pairs = Pairs(source.id, source.timeframe_ns, source.gap_ns, self.log, source.sessions)
        self.prices, self.volumes = Steps(), Steps()
        self.in_order = True
        self.latest = FIRST
        self.first_ns = self.last_ns = self.rows = 0
        self.used_first_ns = self.used_last_ns = self.used = self.zero_volume = 0

    def feed(self, rows: Rows, is_sorted: bool = True) -> None:
        """Look at the next rows; give up once the order is broken."""
        self.in_order &= is_sorted and bool(rows.ts[0] >= self.latest)
        if not self.in_order:
            return
        self.latest = int(rows.ts[-1])
        kept = self.pairs.feed(rows)
        if not len(kept):
            return
        self.first_ns = self.first_ns or int(kept.ts[0])
        self.last_ns = int(kept.ts[-1])
        self.rows += len(kept)
        self.prices.feed(prices_of(kept), kept.origin)
        self._count(kept[slice(*np.searchsorted(kept.ts, self.log.span))])
        if not np.isnan(kept.volume[0]):
            self.volumes.feed((kept.volume,), kept.origin)

    def _count(self, inside: Rows) -> None:
        """Count the rows of the block's window."""
        if len(inside):
            self.used_first_ns = self.used_first_ns or int(inside.ts[0])
            self.used_last_ns = int(inside.ts[-1])
            self.used += len(inside)
            self.zero_volume += int(np.count_nonzero(inside.volume == 0))

    def tell(self, source: Source, log: FaultLog) -> None:
        """Write what was found in the block's window into the source and the block's log."""
        log.merge(self.log)
        source.used, source.zero_volume = self.used, self.zero_volume
        source.used_first_ns, source.used_last_ns = self.used_first_ns, self.used_last_ns
        source.gap_count, source.missing_bars = self.pairs.gap_count, self.pairs.missing
        source.gaps = self.pairs.gaps

    def settle(self, source: Source, log: FaultLog) -> None:
        """Write what was found into the source and the block's log."""
        judge = self
        if not self.in_order:
            judge = Judge(source, log)
            for rows in source.raw_rows(1):
                judge.feed(rows)
        judge.tell(source, log)
        source.first_ns, source.last_ns, source.rows = judge.first_ns, judge.last_ns, judge.rows
        source.prices, source.volumes = judge.prices, judge.volumes
