"""Events packed one by one."""

from __future__ import annotations

import struct

import numpy as np

from tradectl.core.event import EVENT
from tradectl.engine.ports import Events

__all__ = ["EventBuffer"]

RECORD = struct.Struct("<qqBbHHHqqqqq")
FIRST = 1_024  # events; the buffer doubles when it is full
assert RECORD.size == EVENT.itemsize


class EventBuffer:
    """Events on their way from a decoder to the fold; `take` empties it."""

    def __init__(self) -> None:
        self._bytes = bytearray(FIRST * RECORD.size)
        self._end = 0

    def __len__(self) -> int:
        return self._end // RECORD.size

    def add(
        self, ts_event: int, ts_recv: int, kind: int, side: int, flags: int, instrument: int, aux: int,
        w0: int = 0, w1: int = 0, w2: int = 0, w3: int = 0, w4: int = 0,
    ) -> None:  # fmt: skip
        """Append one event, its fields as in `core/event.py`."""
        if self._end == len(self._bytes):
            self._bytes.extend(bytes(len(self._bytes)))
        RECORD.pack_into(
            self._bytes, self._end, ts_event, ts_recv, kind, side, flags, instrument, aux, w0, w1, w2, w3, w4
        )
        self._end += RECORD.size

    def take(self) -> Events:
        """Return a copy of the events so far and begin anew."""
        events = np.frombuffer(bytes(memoryview(self._bytes)[: self._end]), EVENT)
        self._end = 0
        return events

    def cut(self, length: int) -> None:
        """Forget what was appended after the first `length` events (of a message that proved malformed)."""
        self._end = length * RECORD.size
