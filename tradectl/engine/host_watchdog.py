"""A thread that notices when the fold makes no progress: compiled user code in an endless loop cannot be stopped."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from tradectl.engine.state import State

__all__ = ["Hang", "Watchdog"]

LOOK_S = 0.1  # seconds between two looks, at most


@dataclass(frozen=True)
class Hang:
    """Where the fold stands: the event's number (from 1), its time (ns UTC), the strategy and instrument."""

    event: int
    ts_event: int
    strategy: str
    instrument: str
    seconds: float

    def __str__(self) -> str:
        from tradectl.engine.host_fault import iso

        return (
            f"no progress for {self.seconds:g} s: event {self.event:,} at {iso(self.ts_event)}, "
            f"strategy {self.strategy}, {self.instrument}; it looks like an endless loop"
        )


class Watchdog:
    """Watches a state while entered as `running`; calls `on_hang` once, from its own thread."""

    def __init__(self, state: State, seconds: float, on_hang: Callable[[Hang], None] | None) -> None:
        self.state, self.seconds, self.on_hang = state, seconds, on_hang
        self.folding = False
        self.since = 0.0
        self._done = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> Watchdog:
        """Begin to watch."""
        if self.seconds > 0 and self.on_hang is not None:
            self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)
            self._thread.start()
        return self

    def stop(self) -> None:
        """Stop watching."""
        self._done.set()
        if self._thread is not None:
            self._thread.join()

    def __enter__(self) -> Watchdog:
        self.since = time.monotonic()
        self.folding = True
        return self

    def __exit__(self, *_error: object) -> None:
        self.folding = False

    def _watch(self) -> None:
        seen, since = -1, time.monotonic()
        while not self._done.wait(min(LOOK_S, self.seconds / 4)):
            done = int(self.state.engine[0]["n_events"])
            now = time.monotonic()
            if done != seen or not self.folding:
                seen, since = done, now
            elif now - max(since, self.since) >= self.seconds and self.on_hang is not None:
                self.on_hang(self._hang(done))
                return

    def _hang(self, done: int) -> Hang:
        world, spec = self.state.world, self.state.spec
        strategy = spec.strategies[world.cursor_strategy].name if spec.strategies else ""
        instrument = spec.instruments[world.cursor_instrument].id
        ts_event = max(int(self.state.engine[0]["now"]), int(self.state.engine[0]["batch_ts"]))
        return Hang(done, ts_event, strategy, instrument, self.seconds)
