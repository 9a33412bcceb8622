"""Opened history: instruments and their sources, as one stream of events."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tradectl.core.codes import EventFlag, MarketStatus
from tradectl.core.event import empty_events
from tradectl.core.instrument import Instrument
from tradectl.history import files as places
from tradectl.history.book_source import BookSource
from tradectl.history.book_stream import BookFeed, in_chunks, mixed
from tradectl.history.events import (
    bar_events,
    chunked,
    direct,
    join_events,
    off_grid,
    pick_events,
    status_event,
)
from tradectl.history.merge import merge
from tradectl.history.model import DataBlock, DataReport, InstrumentSpec
from tradectl.history.plan import Loaded
from tradectl.history.rows import Rows
from tradectl.history.source import Source

__all__ = ["Events", "Feed", "History", "Target", "window", "within"]

SLICE = 262_144  # rows held as events over all streams
Events = npt.NDArray[Any]


@dataclass
class Target:
    """One instrument and the sources that feed it."""

    symbol: str
    venue: str
    spec: InstrumentSpec
    sources: list[tuple[Any, Loaded]] = field(default_factory=list)  # Source of bars, or BookSource
    instrument: Instrument | None = None
    prices: tuple[int, int] | None = None  # ns UTC, the first opens and the last is told; None: not known

    @property
    def id(self) -> str:
        """Return venue:SYMBOL."""
        return f"{self.venue}:{self.symbol}"

    def window(self, source: Source | BookSource) -> tuple[int, int]:
        """Return what of a source is streamed, as `window` has it: nothing from outside the prices."""
        start, end = window(self.spec, source.block)
        if self.prices is None:
            return start, end
        first, last = self.prices
        return max(start, first), min(end, last + isinstance(source, BookSource))


@dataclass(frozen=True)
class Feed:
    """One source of one instrument as a stream; `place` is (instrument index, timeframe index)."""

    target: Target
    source: Source
    loaded: Loaded
    place: tuple[int, int]

    @property
    def grid(self) -> tuple[Decimal, Decimal]:
        """Return (tick size, lot size)."""
        assert self.target.instrument is not None
        return self.target.instrument.tick_size, self.target.instrument.lot_size

    @property
    def tags(self) -> tuple[int, int, int]:
        """Return what all its events share: instrument index, timeframe index, flags."""
        return (*self.place, int(EventFlag.DETAIL) if self.source.block.detail else 0)

    def rows(self, streams: int) -> Iterator[Rows]:
        """Yield the rows of the window, read as one of `streams`."""
        tick, lot = self.grid
        off_tick = tick if self.loaded.log.actions["off_tick"] == "drop" else None
        off_lot = lot if self.loaded.log.actions["off_lot"] == "drop" else None
        start, end = self.target.window(self.source)
        for batch in self.source.stream(streams, start, end):
            if len(batch) and batch.ts[0] > end:
                return
            rows = within(batch, start, end)
            if off_tick is not None or off_lot is not None:
                rows = rows[~off_grid(rows, off_tick, off_lot)]
            if len(rows):
                yield rows

    def events(self, streams: int) -> Iterator[Events]:
        """Yield the events, in pieces small enough for all streams to be in memory."""
        piece = max(1_024, min(65_536, SLICE // streams))
        for rows in self.rows(streams):
            for at in range(0, len(rows), piece):
                part = rows[at : at + piece]
                yield bar_events(part, *self.grid, self.tags, empty_events(len(part)))


@dataclass
class History:
    """Opened history: what `open_history` promises, and events on demand, any number of times."""

    instruments: list[Instrument]
    timeframes_ns: list[int]
    report: DataReport
    total_rows: int | None
    paths: list[Path]
    targets: list[Target]

    @cached_property
    def fingerprint(self) -> dict[str, dict[str, int | str]]:
        """Return {place relative to the files' common folder: {size, blake2b}}; reads every file once."""
        root = Path(os.path.commonpath([p.parent for p in self.paths]))
        return places.fingerprint(self.paths, root)

    def chunks(self, max_rows: int = SLICE) -> Iterator[Events]:
        """Yield all events in the settled order, in read-only chunks of at most `max_rows`."""
        streams = [self._statuses()] if any(t.spec.listed or t.spec.delisted for t in self.targets) else []
        feeds = self._feeds()
        if any(isinstance(feed, BookFeed) for feed in feeds):
            if len(feeds) == 1 and not streams:
                yield from in_chunks(feeds[0], max_rows)
                return
            streams += [feed.events(len(feeds)) for feed in feeds]
            has_bars = [any(isinstance(source, Source) for source, _ in t.sources) for t in self.targets]
            yield from mixed(streams, max_rows, np.array(has_bars))
            return
        if len(feeds) == 1 and not streams:
            feed: Feed = feeds[0]
            yield from direct(feed.rows(1), feed.grid[0], feed.grid[1], feed.tags, max_rows)
            return
        streams += [feed.events(len(feeds)) for feed in feeds]
        yield from chunked(
            merge(streams, lambda events: events["ts_recv"], join_events, pick_events), max_rows
        )

    @property
    def kinds(self) -> list[frozenset[str]]:
        """Return which kinds each instrument has: bars, trades, quotes, depth, orders, funding, mark."""
        found = []
        for target in self.targets:
            each = [source.kinds if isinstance(source, BookSource) else {"bars"} for source, _ in target.sources]
            found.append(frozenset().union(*each))
        return found

    @property
    def has_receive_clock(self) -> list[bool]:
        """Return for each instrument whether ts_recv is a clock of its own, no copy of ts_event."""
        return [
            any(isinstance(source, BookSource) and source.has_receive_clock for source, _ in target.sources)
            for target in self.targets
        ]

    def _feeds(self) -> list[Any]:
        feeds: list[Any] = []
        for index, target in enumerate(self.targets):
            for source, loaded in target.sources:
                if isinstance(source, BookSource):
                    feeds.append(BookFeed(target, source, (index, 0), *target.window(source)))
                else:
                    place = index, self.timeframes_ns.index(source.timeframe_ns)
                    feeds.append(Feed(target, source, loaded, place))
        feeds.sort(key=lambda feed: (*feed.place, feed.lowest_kind if isinstance(feed, BookFeed) else 0))
        return feeds

    def _statuses(self) -> Iterator[Events]:
        """Yield one batch: listings and delistings, not before the run's first moment nor after its last.

        A delisting is stamped 1 ns late, so that the bar that ends with it comes before it.
        """
        starts = [s.block.start_ns for t in self.targets for s, _ in t.sources]
        ends = [s.block.end_ns for t in self.targets for s, _ in t.sources]
        begins = [s.first_ns - s.timeframe_ns for t in self.targets for s, _ in t.sources]
        earliest = min((t.prices[0] for t in self.targets if t.prices is not None), default=min(begins))
        start = (
            min((s for s in starts if s is not None), default=earliest) if None not in starts else earliest
        )
        end = max((e for e in ends if e is not None), default=1 << 62) if None not in ends else 1 << 62
        events = []
        for index, target in enumerate(self.targets):
            if target.spec.listed is not None:
                at = max(target.spec.listed, start)
                events.append(status_event(at, index, MarketStatus.LISTED))
            if target.spec.delisted is not None:
                at = max(target.spec.delisted, start) + 1
                events.append(status_event(at, index, MarketStatus.DELISTED))
        events = [event for event in events if event["ts_recv"][0] <= end]
        if events:
            whole = join_events(events)
            yield whole[np.argsort(whole["ts_recv"], kind="stable")]


def window(spec: InstrumentSpec, block: DataBlock, *, only_listing: bool = False) -> tuple[int, int]:
    """Return (start, end): bars whose end stamp is in (start, end] belong."""
    starts = [spec.listed, None if only_listing else block.start_ns]
    ends = [spec.delisted, None if only_listing else block.end_ns]
    start = max((s for s in starts if s is not None), default=-(1 << 62))
    return start, min((e for e in ends if e is not None), default=1 << 62)


def within(rows: Rows, start: int, end: int) -> Rows:
    """Return the rows whose end stamps are in (start, end]."""
    if not len(rows) or (rows.ts[0] > start and rows.ts[-1] <= end):
        return rows
    return rows[slice(*np.searchsorted(rows.ts, [start, end], "right"))]
