"""The live driver: events are folded as they come, each in the journal before it is applied; time is an event too."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tradectl.core.codes import Command, EventKind
from tradectl.core.event import empty_events
from tradectl.engine.host import Host, command_event
from tradectl.engine.journal import JournalWriter
from tradectl.engine.ports import Events

__all__ = ["Live", "timer_event"]


def timer_event(ts: int, grace_ns: int) -> Events:
    """Return a TIMER at a local time, ns: what is due here happens, and what reached the venues `grace_ns` before."""
    event = empty_events(1)
    event["ts_event"] = event["ts_recv"] = ts
    event["kind"] = EventKind.TIMER
    event["w0"] = grace_ns
    return event


@dataclass(repr=False)
class Live:
    """One state that is fed live; without a journal its events stand in one already.

    Receive times never decrease: `last_ts` is that of the last event, and an earlier one is lifted to it and counted.
    """

    host: Host
    grace_ns: int = 0
    last_ts: int = 0
    lifted: int = 0
    journal: JournalWriter | None = None

    def record(self, journal: JournalWriter) -> None:
        """Let the journal take every event from now on."""
        self.journal = self.host.recorder = journal

    @property
    def due(self) -> int:
        """Return the local time at which something is due without an event, ns."""
        return int(self.host.state.engine_view.next_local)

    @property
    def events(self) -> int:
        """Return how many events were applied."""
        return int(self.host.state.engine_view.n_events)

    def apply(self, events: Events) -> None:
        """Journal and fold events; StoreError: nothing was applied. StrategyError ends the session."""
        stamps = events["ts_recv"].tolist()
        if stamps[0] < self.last_ts or (len(stamps) > 1 and sorted(stamps) != stamps):
            events = self._lift(events)
            stamps = events["ts_recv"].tolist()
        self.host.apply(events)
        self.last_ts = stamps[-1]

    def _lift(self, events: Events) -> Events:
        lifted = events.copy()
        lifted["ts_recv"] = np.maximum.accumulate(np.maximum(events["ts_recv"], self.last_ts))
        self.lifted += int(np.count_nonzero(lifted["ts_recv"] != events["ts_recv"]))
        return lifted

    def timer(self, ts: int) -> None:
        """Let it be `ts`."""
        self.apply(timer_event(max(ts, self.last_ts), self.grace_ns))

    def command(self, command: Command, ts: int) -> None:
        """Apply a command at `ts`."""
        self.apply(command_event(command, max(ts, self.last_ts)))
