"""A journal's events counted, as `data info` and `data check` tell of history."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from tradectl.core.codes import EventKind
from tradectl.core.instrument import Instrument
from tradectl.history.model import DataReport, InstrumentReport
from tradectl.history.stamps import format_timeframe

__all__ = ["journal_report"]

KINDS = 256
OF_THE_RUN = np.zeros(KINDS, np.bool_)
OF_THE_RUN[[EventKind.TIMER, EventKind.COMMAND]] = True


@dataclass
class _Count:
    """What was seen of one instrument."""

    kinds: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(KINDS, np.int64))
    first_ns: int = 0
    last_ns: int = 0
    lag_min: int = 1 << 62  # smallest and largest ts_recv - ts_event
    lag_max: int = -(1 << 62)

    def feed(self, events: npt.NDArray[Any]) -> None:
        """Count events, which are not empty and in the order of their receipt."""
        lag = events["ts_recv"] - events["ts_event"]
        self.first_ns = self.first_ns if self.kinds.any() else int(events["ts_recv"][0])
        self.last_ns = int(events["ts_recv"][-1])
        self.lag_min, self.lag_max = min(self.lag_min, int(lag.min())), max(self.lag_max, int(lag.max()))
        self.kinds += np.bincount(events["kind"], minlength=KINDS)


def journal_report(
    chunks: Iterable[npt.NDArray[Any]], instruments: Sequence[Instrument], frame_of: Sequence[int], whole: bool
) -> DataReport:
    """Read all events, which checks their sums, and count them; `frame_of` are timeframes in ns (0: no bars).

    `whole`: the journal was closed; else its writer is still there, or died.
    """
    counts = [_Count() for _ in instruments]
    report, others = DataReport(), 0
    for events in chunks:
        market = ~OF_THE_RUN[events["kind"]]
        others += len(events) - int(market.sum())
        for index, count in enumerate(counts):
            if len(mine := events[market & (events["instrument"] == index)]):
                count.feed(mine)
        report.rows_read += len(events)
    report.rows_used = report.rows_read
    for one, count, frame in zip(instruments, counts, frame_of, strict=True):
        if count.kinds.any():
            report.instruments.append(_entry(one, count, frame))
    report.notes = [f"{others:,} events are commands and timers of the run"] if others else []
    if not whole:
        report.notes.append("the journal was not closed: its run is still writing, or ended early")
    return report


def _entry(instrument: Instrument, count: _Count, frame_ns: int) -> InstrumentReport:
    kinds = {EventKind(k).name.lower(): int(count.kinds[k]) for k in np.flatnonzero(count.kinds).tolist()}
    return InstrumentReport(
        instrument=instrument.id,
        timeframe=format_timeframe(frame_ns) if frame_ns else "journal",
        rows=int(count.kinds.sum()),
        first_ns=count.first_ns,
        last_ns=count.last_ns,
        tick_size=f"{instrument.tick_size:f}",
        lot_size=f"{instrument.lot_size:f}",
        tick_from="journal",
        lot_from="journal",
        gap_count=kinds.get("gap", 0),
        kinds=kinds,
        has_receive_clock=(count.lag_min, count.lag_max) != (0, 0),
        lag_min_ns=count.lag_min,
        lag_max_ns=count.lag_max,
    )
