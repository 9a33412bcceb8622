"""When instruments trade: hours in a time zone as a table of sessions in ns UTC, made once, before a run.

Wall clocks, holidays and daylight saving end here: what the engine holds is a table of integers (`core.calendars`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from tradectl.core.calendars import DAY_NS
from tradectl.core.layout import NEVER
from tradectl.history.stamps import zone

__all__ = ["FIRST_DAY", "LAST_DAY", "OwnHours", "Sessions", "day_of", "own_sessions", "session_ends", "table_of"]

FIRST_DAY, LAST_DAY = 0, 36_524  # 1970-01-01 and 2069-12-31, in days since 1970-01-01: what a table covers
MINUTE_NS = 60 * 1_000_000_000
EDGE_NS = 7 * DAY_NS  # before the first session: data that are older are not known to be outside
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Sessions:
    """The sessions of one calendar: (n, 5) int64 rows of SITTING, ns UTC, ascending, between two edges."""

    name: str
    tz: str
    sittings: Ints

    @cached_property
    def closes(self) -> Ints:
        """Return when each session closes, ns UTC, ascending."""
        return np.unique(self.sittings[1:-1, 3])

    def opened(self, ts: int) -> int:
        """Return when the session opened that closes at or after `ts`, ns UTC."""
        at = int(np.searchsorted(self.sittings[:, 1], ts))
        return int(self.sittings[min(at, len(self.sittings) - 1), 2])

    @cached_property
    def _open_before(self) -> Ints:
        """Return how long the market was open before each sitting, ns."""
        inner = self.sittings[1:-1]
        return np.concatenate([[0], np.cumsum(inner[:, 1] - inner[:, 0])])

    def bars_missing(self, start: Ints, end: Ints, timeframe_ns: int) -> Ints:
        """Return how many bars are missing between bars that end at `start` and at `end`, ns UTC."""
        if timeframe_ns % DAY_NS == 0:
            sessions = np.searchsorted(self.closes, end, "right") - np.searchsorted(self.closes, start, "right")
            bars = sessions * DAY_NS // timeframe_ns
        else:
            bars = np.rint((self._open_until(end) - self._open_until(start)) / timeframe_ns)
        missing: Ints = np.maximum(bars, 1).astype(np.int64) - 1
        return missing

    def _open_until(self, ts: Ints) -> Ints:
        """Return how long the market was open until each time, ns."""
        inner = self.sittings[1:-1]
        at = np.minimum(np.searchsorted(inner[:, 1], ts), len(inner) - 1)
        until: Ints = self._open_before[at] + np.clip(ts - inner[at, 0], 0, inner[at, 1] - inner[at, 0])
        return until

    def closes_on(self, days: Ints) -> Ints:
        """Return the close of the session of each date (days since 1970-01-01), ns UTC; 0 where there is none."""
        numbers = self.sittings[1:-1, 4]
        at = np.minimum(np.searchsorted(numbers, days), len(numbers) - 1)
        return np.where(numbers[at] == days, self.sittings[1:-1, 3][at], 0)


@dataclass(frozen=True)
class OwnHours:
    """Hours of one's own; clocks in minutes of the local day, dates in days since 1970-01-01.

    Where `opens` is not before `closes` a session opens on the day before its date. `days`: 0 is Monday. `pause`:
    when a session stands still, from and until.
    """

    tz: str
    opens: int
    closes: int
    days: frozenset[int] = frozenset(range(5))
    pause: tuple[int, int] | None = None
    holidays: frozenset[int] = frozenset()
    early_closes: Mapping[int, int] = field(default_factory=dict)

    @property
    def is_overnight(self) -> bool:
        """Return whether a session opens on the day before its date."""
        return self.opens >= self.closes

    def has_session(self, day: int) -> bool:
        """Return whether a date has a session."""
        return (day + 3) % 7 in self.days and day not in self.holidays


def day_of(text: str) -> int:
    """Return a date `YYYY-MM-DD` in days since 1970-01-01."""
    return int(np.datetime64(text, "D").astype(np.int64))


def _local(days: Ints, minutes: Ints, tz: str) -> Ints:
    """Return local times as ns UTC: the earlier of two where clocks go back, an hour later where they skip one."""
    text = pl.Series(days * DAY_NS + minutes * MINUTE_NS).cast(pl.Datetime("ns"))
    made = text.dt.replace_time_zone(tz, ambiguous="earliest", non_existent="null")
    if made.null_count():
        later = text.dt.offset_by("1h").dt.replace_time_zone(tz, ambiguous="earliest", non_existent="null")
        made = made.fill_null(later)
    return made.dt.timestamp("ns").to_numpy().astype(np.int64)


def table_of(opens: Ints, closes: Ints, days: Ints, pauses: tuple[Ints, Ints] | None = None) -> Ints:
    """Return the rows of SITTING of sessions, ns UTC; `pauses` (from, until), 0 where a session has none."""
    whole = np.stack([opens, closes, opens, closes, days], axis=1)
    rows = whole
    if pauses is not None:
        has = pauses[0] > 0
        before, after = whole.copy(), whole[has & (pauses[1] < closes)]
        before[has, 1] = np.minimum(pauses[0], closes)[has]
        after[:, 0] = pauses[1][has & (pauses[1] < closes)]
        rows = np.concatenate([before, after])
        rows = rows[np.argsort(rows[:, 0], kind="stable")]
    first = [-NEVER, int(rows[0, 0]) - EDGE_NS, -NEVER, int(rows[0, 0]) - EDGE_NS, -DAY_NS]
    return np.ascontiguousarray(np.vstack([[first], rows, [[NEVER, NEVER, NEVER, NEVER, DAY_NS]]]), np.int64)


def own_sessions(hours: OwnHours) -> Sessions:
    """Return the sessions of hours of one's own, 1970 to 2069."""
    zone(hours.tz)
    days = np.arange(FIRST_DAY + 1, LAST_DAY + 1)
    days = days[np.isin((days + 3) % 7, list(hours.days)) & ~np.isin(days, list(hours.holidays))]
    ends = np.full(len(days), hours.closes)
    for day, minute in hours.early_closes.items():
        ends[days == day] = minute
    opens = _local(days - hours.is_overnight, np.full(len(days), hours.opens), hours.tz)
    closes = _local(days, ends, hours.tz)
    pauses = None
    if hours.pause is not None:
        first, last = (_local(days, np.full(len(days), minute), hours.tz) for minute in hours.pause)
        pauses = first, last
    return Sessions("own hours", hours.tz, table_of(opens, closes, days, pauses))


def session_ends(sessions: Sessions, ts: Ints, known_tz: str | None) -> Ints:
    """Return the closes of the sessions on whose dates bars of a day are stamped.

    A date without a session ends at its midnight. `known_tz`: the zone whose date counts; None: stamps are dates.
    """
    local: Any = pl.Series(ts).cast(pl.Datetime("ns", "UTC"))
    if known_tz is not None:
        local = local.dt.convert_time_zone(known_tz)
    days = local.dt.replace_time_zone(None).dt.timestamp("ns").to_numpy() // DAY_NS
    closes = sessions.closes_on(days)
    return np.where(closes > 0, closes, _local(days + 1, np.zeros(len(days), np.int64), sessions.tz))
