"""Bars of one time arrive one by one; strategies that see several symbols get them together."""

from __future__ import annotations

import numpy as np

from tradectl.core.codes import EventFlag, EventKind
from tradectl.engine.ports import Events

__all__ = ["BarGate"]


class BarGate:
    """Holds the bars of one end until those of all `n` instruments are there, or `grace_ns` after the first.

    `freed` has the receive times (ns) of the bars of each batch that the last call let out.
    """

    def __init__(self, n: int, grace_ns: int) -> None:
        self.n, self.grace_ns = n, grace_ns
        self.freed: list[list[int]] = []
        self._held: dict[int, list[Events]] = {}  # by end of the interval
        self._since: dict[int, int] = {}

    def put(self, events: Events) -> Events:
        """Take bars; return the rest, with the bars of every end that is complete at its end."""
        self.freed = []
        is_bar = events["kind"] == EventKind.BAR
        if not is_bar.any():
            return events
        parts = [events[~is_bar]]
        for bar in np.split(events[is_bar], int(is_bar.sum())):
            end = int(bar["ts_event"][0])
            held = self._held.setdefault(end, [])
            self._since.setdefault(end, int(bar["ts_recv"][0]))
            held.append(bar)
            if len(held) >= self.n:
                parts.append(self._out(end, int(bar["ts_recv"][0])))
        return np.concatenate(parts)

    def due(self, now_ns: int, everything: bool = False) -> list[Events]:
        """Return the batches that have waited long enough, or `everything`, in the order of their ends."""
        self.freed = []
        late = [end for end, since in self._since.items() if everything or now_ns - since >= self.grace_ns]
        return [self._out(end, now_ns) for end in sorted(late)]

    def receipts(self, received: list[int]) -> list[int]:
        """Return the receive times of what the last `put` let out, `received` being those of all its messages."""
        if not self._held and not self.freed:
            return received
        freed = [recv_ns for batch in self.freed for recv_ns in batch]
        bars = {recv_ns for held in self._held.values() for bar in held for recv_ns in bar["ts_recv"].tolist()}
        return sorted(freed + [recv_ns for recv_ns in received if recv_ns not in bars.union(freed)])

    def _out(self, end: int, ts_recv: int) -> Events:
        """Return the bars of one end as one batch received at `ts_recv`."""
        del self._since[end]
        batch = np.concatenate(self._held.pop(end))
        self.freed.append(batch["ts_recv"].tolist())
        batch = batch[np.argsort(batch["instrument"], kind="stable")]
        batch["ts_recv"] = ts_recv
        batch["flags"] &= ~np.uint16(EventFlag.LAST)
        batch["flags"][-1] |= EventFlag.LAST
        return batch
