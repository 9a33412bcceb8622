"""Derived bars that began before the data: what is called with what there is of them, told beside the figures."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from tradectl.core.calendars import DAY_NS
from tradectl.core.codes import EventFlag, EventKind
from tradectl.engine.ports import Events
from tradectl.history.book_source import BookSource
from tradectl.history.calendars import Sessions
from tradectl.history.extent import has_prices
from tradectl.history.model import iso
from tradectl.history.source import Source
from tradectl.history.stamps import format_timeframe
from tradectl.history.stream import Feed, History, Target, window

__all__ = ["partial_firsts", "partial_of_journal"]

LEAST = 0.01  # of a bar of trades and quotes has to be missing: no market's data begin with the clock
PRICED = np.zeros(256, np.bool_)
PRICED[[int(kind) for kind in EventKind if kind <= EventKind.ORDER_EXEC]] = True


class Begin(NamedTuple):
    """Where an instrument's data begin, ns UTC; `frame_ns` is the length of its bars, 0 for trades and quotes."""

    name: str
    ts: int
    frame_ns: int
    sessions: Sessions | None

    def bar_begin(self, target_ns: int) -> int:
        """Return when the derived bar began that the data begin in; of hours a session's open."""
        if self.sessions is None:
            return self.ts // target_ns * target_ns
        # a tick that is received at a close belongs to the next session, as a bar that begins there does
        return self.sessions.opened(self.ts + max(self.frame_ns, 1)) if target_ns % DAY_NS == 0 else self.ts

    def makes(self, target_ns: int) -> bool:
        """Tell whether bars of a length are made of these data."""
        return self.frame_ns == 0 or (self.frame_ns < target_ns and target_ns % self.frame_ns == 0)

    def is_late(self, target_ns: int) -> bool:
        """Tell whether a part of the first derived bar is missing that is worth a word."""
        missing = self.ts - self.bar_begin(target_ns)
        return missing > 0 and (self.frame_ns > 0 or missing >= LEAST * target_ns)


def partial_firsts(history: History, targets_ns: Sequence[int]) -> list[str]:
    """Say of each coarser timeframe, ns, for which instruments the data begin inside the first bar made of them."""
    return _notes([one for target in history.targets for one in _begins(target)], targets_ns)


def partial_of_journal(
    chunks: Iterable[Events], names: Sequence[str], frame_of: Sequence[int], hours: Sequence[Sessions | None],
    targets_ns: Sequence[int],
) -> list[str]:  # fmt: skip
    """Say the same of a journal: its instruments, the length (ns) of their bars (0: none) and their hours, if any.

    Bars that begin while the session listens already are whole, though their first trade comes later. Only the
    beginning is read.
    """
    if not targets_ns:
        return []
    first, since, until = dict[int, int](), 0, 1 << 62
    for events in chunks:
        heard = (events["kind"] != EventKind.COMMAND) & (events["flags"] & EventFlag.WARMUP == 0)
        if not since and heard.any():
            since = int(events["ts_recv"][heard][0])
            until = since // max(targets_ns) * max(targets_ns) + max(targets_ns)
        with_bars = np.array(frame_of)[np.minimum(events["instrument"], len(frame_of) - 1)] > 0
        counts = PRICED[events["kind"]] & (heard | with_bars)
        for index in np.unique(events["instrument"][counts]).tolist():
            if index not in first:
                one = events[counts & (events["instrument"] == index)][0]
                first[index] = int(one["ts_event"]) - frame_of[index] if frame_of[index] else int(one["ts_recv"])
        if len(first) == len(names) or int(events["ts_recv"][-1]) >= until:
            break
    begins = [Begin(names[k], ts, frame_of[k], hours[k]) for k, ts in sorted(first.items())]
    return _notes(begins, targets_ns, since)


def _notes(begins: Sequence[Begin], targets_ns: Sequence[int], since: int = 1 << 62) -> list[str]:
    """Return a sentence for each timeframe; bars that begin at or after `since` are whole."""
    notes = []
    for target_ns in sorted(set(targets_ns)):
        made = [one for one in begins if one.makes(target_ns) and one.bar_begin(target_ns) < since]
        late = [one for one in made if one.is_late(target_ns)]
        if late:
            first = late[0]
            rest = f", and of {len(late) - 1:,} more" if len(late) > 1 else ""
            share = (first.ts - first.bar_begin(target_ns)) / target_ns
            into = f" ({share:.0%} of it is missing)" if first.sessions is None else ""
            name = format_timeframe(target_ns)
            notes.append(f"first bar of {name} is partial: data of {first.name} begin at {iso(first.ts)}{into}{rest}")
    return notes


def _begins(target: Target) -> Iterator[Begin]:
    """Yield where the data begin that derived bars of an instrument are made of: each source of bars, and all ticks."""
    ticks = []
    for source, loaded in target.sources:
        if not has_prices(source):
            continue
        if isinstance(source, Source):
            first_ns = _first_stamp(Feed(target, source, loaded, (0, 0)))
            if first_ns:
                yield Begin(target.id, first_ns - source.timeframe_ns, source.timeframe_ns, source.sessions)
        else:
            start, end = window(target.spec, source.block)
            if max(start, source.first_ns) <= min(end, source.last_ns):
                ticks.append((max(start, source.first_ns), source))
    if ticks:
        ts, source = min(ticks, key=lambda pair: pair[0])
        yield Begin(target.id, ts, 0, _sessions(source))


def _sessions(source: BookSource) -> Sessions | None:
    known = source.block.sessions_for
    return None if known is None else known(source.venue, source.symbol)


def _first_stamp(feed: Feed) -> int:
    """Return the end stamp, ns UTC, of the first bar in the window; 0 if there is none."""
    start, end = window(feed.target.spec, feed.source.block)
    if start < feed.source.first_ns <= end:
        return feed.source.first_ns
    return next((int(rows.ts[0]) for rows in feed.rows(1)), 0)
