"""What the engine asks of the world outside: where events come from, where rows go, who is told of progress."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from tradectl.core.instrument import Instrument

__all__ = ["EventSource", "Events", "Progress", "Recorder", "Rows", "Sink"]

Events = npt.NDArray[np.void]  # EVENT records, contiguous
Rows = npt.NDArray[Any]  # ORDER, FILL, EQUITY or MARKOUT records


class EventSource(Protocol):
    """A finite stream of events, readable any number of times."""

    @property
    def instruments(self) -> Sequence[Instrument]:
        """Return the instruments; an event names one by its index here."""

    @property
    def timeframes_ns(self) -> Sequence[int]:
        """Return the source timeframes; a BAR's `aux` is an index into them."""

    @property
    def total_rows(self) -> int | None:
        """Return about how many events will come, if that is known."""

    def chunks(self, max_rows: int = 65_536) -> Iterator[Events]:
        """Yield all events in their settled order, at most `max_rows` at a time."""


class Sink(Protocol):
    """Where output rows go: `kind` is one of orders, fills, equity, markouts, funding, plots."""

    def rows(self, kind: str, rows: Rows) -> None:
        """Take rows, in the order in which they happened; the array is the receiver's."""


class Recorder(Protocol):
    """Keeps every event before it is applied."""

    def append(self, events: Events) -> None:
        """Add events at the end."""


class Progress(Protocol):
    """Is told, between chunks, how far the fold is."""

    def __call__(self, events: int, ts_event: int) -> None:
        """Take the number of events done and the time of the last one, ns UTC."""
