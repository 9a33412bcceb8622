"""What is new in a running paper session since the last look: rows of its outputs, notes of its feeds."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from tradectl.db.spool import KINDS

if TYPE_CHECKING:
    from tradectl.cli.paper_session import Session
    from tradectl.exchanges.model import FeedNote

__all__ = ["NoteTail", "RowTail", "iso", "note_of", "stamp_of"]

SECOND = 1_000_000_000


class RowTail:
    """The fills or orders that are new since the last look, those not spooled yet too; at first the last `back`."""

    def __init__(self, session: Session, kind: str, back: int = 0) -> None:
        self.kind, self.spool, self.state = kind, session.folded.spool, session.folded.state
        self.buffer = {"fills": self.state.fills, "orders": self.state.orders_out}[kind]
        self.at = max(self._end - back, 0)

    @property
    def _end(self) -> int:
        return self.spool.counts[self.kind] + int(getattr(self.state.world, f"n_{self.kind}"))

    def new(self, most: int = 4096) -> npt.NDArray[Any]:
        """Return the new rows, the newest `most` of them."""
        spooled, end = self.spool.counts[self.kind], self._end
        start, self.at = max(self.at, end - most), end
        buffered = self.buffer[max(start - spooled, 0) : end - spooled].copy()
        return np.concatenate([self._spooled(start, spooled), buffered]) if start < spooled else buffered

    def _spooled(self, start: int, end: int) -> npt.NDArray[Any]:
        dtype = KINDS[self.kind]
        try:
            self.spool.flush()
            with (self.spool.folder / f"{self.kind}.bin").open("rb") as stream:
                stream.seek(start * dtype.itemsize)
                return np.frombuffer(stream.read((end - start) * dtype.itemsize), dtype)
        except OSError:  # a full disk ends the session by itself; what only looks on says nothing
            return np.empty(0, dtype)


class NoteTail:
    """The notes of the feeds that are new since the last look; at first those of this process."""

    def __init__(self, session: Session) -> None:
        self.log, self._seen = session.hub.log, session.hub.log.recalled

    def new(self) -> list[FeedNote]:
        """Return new notes; of very many the newest, which the log keeps."""
        total = self.log.noted.total()
        fresh, self._seen = total - self._seen, total
        notes = self.log.notes
        return list(islice(notes, max(len(notes) - fresh, 0), None)) if fresh else []


def iso(ts_ns: int) -> str | None:
    """Return ns UTC as text to the microsecond; None for 0."""
    if not ts_ns:
        return None
    moment = datetime.fromtimestamp(ts_ns // SECOND, UTC)
    return moment.replace(microsecond=ts_ns // 1000 % 1_000_000).isoformat(timespec="microseconds")


def stamp_of(ts_ns: int) -> str | None:
    """Return ns UTC as text to the nanosecond, as orders have it; None for 0."""
    text = iso(ts_ns)
    return None if text is None else f"{text[:26]}{ts_ns % 1000:03d}{text[26:]}"


def note_of(note: FeedNote, write: Callable[[int], str | None] = iso) -> dict[str, Any]:
    """Return a note as plain values, without what is empty; `write` says how exactly its times are told."""
    told = {"at": write(note.ts_ns), "until": write(note.until_ns)}
    told |= {name: value for name, value in vars(note).items() if not name.endswith("_ns")}
    return {name: value for name, value in told.items() if value}
