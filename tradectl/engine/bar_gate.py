"""Bars of one time arrive one by one; strategies that see several symbols get them together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import numpy as np

from tradectl.core.codes import EventFlag, EventKind
from tradectl.engine.ports import Events

__all__ = ["BarGate"]

DAY_NS = 86_400_000_000_000
WEEK_NS = 7 * DAY_NS
MONDAY_NS = 4 * DAY_NS  # 1970 began on a Thursday; weeks of bars begin on Monday


class BarGate:
    """Holds the bars of one end until those of all instruments that have one then are there, or `grace_ns` at most.

    `frames_ns` is the bar length (ns) of each instrument index that has bars. Ends leave in their order; `freed` has
    the receive times (ns) of the bars of each batch that the last call let out.
    """

    def __init__(self, frames_ns: Mapping[int, int], grace_ns: int) -> None:
        self.grace_ns = grace_ns
        self.freed: list[list[int]] = []
        self._frame_of = dict(frames_ns)
        self._sharing = Counter(frames_ns.values())  # instruments by bar length
        self._held: dict[int, list[Events]] = {}  # by end of the interval
        self._since: dict[int, int] = {}
        self._left = 0  # the newest end that has left

    def put(self, events: Events) -> Events:
        """Take bars; return the rest, with the bars of every end that is complete at its end."""
        self.freed = []
        is_bar = events["kind"] == EventKind.BAR
        if not is_bar.any():
            return events
        parts = [events[~is_bar]]
        for bar in np.split(events[is_bar], int(is_bar.sum())):
            end, ts_recv = int(bar["ts_event"][0]), int(bar["ts_recv"][0])
            self._since.setdefault(end, ts_recv)
            self._held.setdefault(end, []).append(bar)
            if end <= self._left:  # it comes too late, and newer ones need not wait for others that do
                parts.append(self._out(end, ts_recv))
            parts += self._complete(ts_recv)
        return np.concatenate(parts)

    def due(self, now_ns: int, everything: bool = False) -> list[Events]:
        """Return the batches that have waited long enough and those before them, or `everything`, by their ends."""
        self.freed = []
        late = [end for end, since in self._since.items() if everything or now_ns - since >= self.grace_ns]
        return [
            self._out(end, now_ns) for end in sorted(self._held) if end <= max(late, default=0)
        ] + self._complete(now_ns)

    def _complete(self, ts_recv: int) -> list[Events]:
        """Return the batches that are complete, up to the first that is not."""
        batches = []
        while self._held and self._is_complete(first := min(self._held)):
            batches.append(self._out(first, ts_recv))
        return batches

    def _is_complete(self, end: int) -> bool:
        """Say whether every instrument whose bar ends at `end` has sent it."""
        held = self._held[end]
        seen = {self._frame_of[int(bar["instrument"][0])] for bar in held}
        return len(held) >= sum(n for frame, n in self._sharing.items() if frame in seen or _ends(frame, end))

    def receipts(self, received: list[int]) -> list[int]:
        """Return the receive times of what the last `put` let out, `received` being those of all its messages."""
        if not self._held and not self.freed:
            return received
        freed = [recv_ns for batch in self.freed for recv_ns in batch]
        bars = {recv_ns for held in self._held.values() for bar in held for recv_ns in bar["ts_recv"].tolist()}
        return sorted(freed + [recv_ns for recv_ns in received if recv_ns not in bars.union(freed)])

    def _out(self, end: int, ts_recv: int) -> Events:
        """Return the bars of one end as one batch received at `ts_recv`."""
        self._left = max(self._left, end)
        del self._since[end]
        batch = np.concatenate(self._held.pop(end))
        self.freed.append(batch["ts_recv"].tolist())
        batch = batch[np.argsort(batch["instrument"], kind="stable")]
        batch["ts_recv"] = ts_recv
        batch["flags"] &= ~np.uint16(EventFlag.LAST)
        batch["flags"][-1] |= EventFlag.LAST
        return batch


def _ends(frame_ns: int, end_ns: int) -> bool:
    """Say whether a bar of this length ends at `end_ns`."""
    return (end_ns - (MONDAY_NS if frame_ns % WEEK_NS == 0 else 0)) % frame_ns == 0
