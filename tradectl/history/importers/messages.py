"""Depth rows to messages: rows of one stamp and id are one, however the file is cut into batches."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl

from tradectl.core.codes import EventFlag
from tradectl.history.book_rows import BOOK_ROWS

__all__ = ["Messages"]


class Messages:
    """Sets MESSAGE_END and the snapshot flags; a message is withheld until the row after it is seen."""

    def __init__(self, key: tuple[str, ...] = ("ts_recv", "ts_event", "id")) -> None:
        self.key = key
        self.held: pl.DataFrame | None = None

    def feed(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Return the whole messages of what is held and `frame` (canonical rows, `snapshot`: true or false)."""
        whole = frame if self.held is None else pl.concat([self.held, frame])
        new = _starts(whole, (*self.key, "snapshot"))
        last = int(np.flatnonzero(new)[-1]) if len(new) else 0
        self.held = whole[last:]
        return _flagged(whole[:last], new[:last])

    def end(self) -> pl.DataFrame:
        """Return the last message."""
        held, self.held = self.held, None
        if held is None or not held.height:
            return pl.DataFrame(schema=BOOK_ROWS)
        return _flagged(held, np.arange(held.height) == 0)


def _starts(frame: pl.DataFrame, key: tuple[str, ...]) -> npt.NDArray[np.bool_]:
    """Return which rows differ from the row before them in some column of the key."""
    new = np.zeros(frame.height, np.bool_)
    new[:1] = True
    for name in key:
        column = frame[name].to_numpy()
        new[1:] |= column[1:] != column[:-1]
    return new


def _flagged(frame: pl.DataFrame, new: npt.NDArray[np.bool_]) -> pl.DataFrame:
    if not frame.height:
        return frame.drop("snapshot")
    ends = np.append(new[1:], True)
    snapshot = frame["snapshot"].to_numpy()
    flags = ends * int(EventFlag.MESSAGE_END)
    flags += (new & snapshot) * int(EventFlag.SNAPSHOT_BEGIN) + (ends & snapshot) * int(
        EventFlag.SNAPSHOT_END
    )
    return frame.with_columns(pl.Series("flags", flags, pl.UInt16)).drop("snapshot")
