"""Book data as a stream of events, alone or beside bars."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tradectl.core.codes import EventFlag, EventKind
from tradectl.history.book_events import Ticks, book_events
from tradectl.history.book_merge import BESIDE_BARS, merge_stable
from tradectl.history.book_source import BookSource
from tradectl.history.events import fill_chunks, join_events, pick_events, put_events

__all__ = ["BookFeed", "in_chunks", "mixed"]

SLICE = 262_144  # rows held as events over all streams
Events = npt.NDArray[Any]
BATCHED = np.zeros(256, np.bool_)
BATCHED[[EventKind.BAR, EventKind.STATUS]] = True  # what LAST closes a batch of; book data has MESSAGE_END
WAITS = np.zeros(256, np.bool_)
WAITS[[EventKind.GAP, EventKind.FUNDING, EventKind.MARK]] = True  # of tick data: for the bars that end with them


@dataclass(frozen=True)
class BookFeed:
    """One source of one instrument as a stream; `place` is (instrument index, timeframe index)."""

    target: Any
    source: BookSource
    place: tuple[int, int]
    start: int  # receive stamps in [start, end)
    end: int

    @property
    def lowest_kind(self) -> int:
        """Return the lowest kind of its events: trades come before depth at one stamp."""
        return min(part.lowest_kind for part in self.source.parts)

    def ticks(self, streams: int) -> Iterator[Ticks]:
        """Yield the rows, read as one of `streams`."""
        grid = self.target.instrument.tick_size, self.target.instrument.lot_size
        yield from self.source.stream(grid, streams, self.start, self.end)

    def events(self, streams: int) -> Iterator[Events]:
        """Yield the events, in pieces small enough for all streams to be in memory."""
        piece = max(1_024, min(65_536, SLICE // streams))
        for ticks in self.ticks(streams):
            for at in range(0, len(ticks), piece):
                yield book_events(ticks[at : at + piece], self.place[0])


def in_chunks(feed: BookFeed, max_rows: int) -> Iterator[Events]:
    """Yield the read-only chunks of a run's only stream: no merge, no copy."""

    def put(ticks: Ticks, at: int, chunk: Events) -> None:
        book_events(ticks[at : at + len(chunk)], feed.place[0], chunk)

    yield from fill_chunks(feed.ticks(1), put, max_rows)


def mixed(streams: list[Iterator[Events]], max_rows: int, has_bars: npt.NDArray[np.bool_]) -> Iterator[Events]:
    """Yield the chunks of several streams in the settled order; LAST closes each stamp's bars and statuses.

    `has_bars` tells of each instrument whether it has bars.
    """

    def keys(events: Events) -> tuple[Any, Any]:
        kinds = events["kind"]
        if has_bars.any():
            late = WAITS[kinds] & ~has_bars[events["instrument"]]
            kinds = kinds + np.where(late, BESIDE_BARS, 0).astype(np.uint8)
        return events["ts_recv"], kinds

    def marked() -> Iterator[Events]:
        for events in merge_stable(streams, keys, join_events, pick_events):
            at = np.flatnonzero(BATCHED[events["kind"]])
            if len(at):
                stamps = events["ts_recv"][at]
                last = np.append(stamps[1:] != stamps[:-1], True)
                flags = events["flags"].copy()
                flags[at[last]] |= np.uint16(EventFlag.LAST)
                events["flags"] = flags
            yield events

    yield from fill_chunks(marked(), put_events, max_rows)
