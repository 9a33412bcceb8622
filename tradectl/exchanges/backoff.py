"""How long to wait before the next attempt, and what the parts of the async side share."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from tradectl.exchanges.clock import Clock
from tradectl.exchanges.inbox import Inbox
from tradectl.exchanges.model import FeedNote, FeedSettings

__all__ = ["Backoff", "Desk"]

CALM = 4  # an attempt that held for so many times the last wait was a success


@dataclass(frozen=True)
class Desk:
    """What all feeds of a session use together."""

    settings: FeedSettings
    clock: Clock
    inbox: Inbox
    note: Callable[[FeedNote], None]
    rng: random.Random  # of the jitter

    def backoff(self) -> Backoff:
        """Return the back-off of one channel or one request."""
        return Backoff(self.settings, self.rng)


class Backoff:
    """Waits that double from `backoff_min_ns` to `backoff_max_ns`, each shortened at random by up to half."""

    def __init__(self, settings: FeedSettings, rng: random.Random) -> None:
        self._least, self._most = settings.backoff_min_ns, settings.backoff_max_ns
        self._rng = rng
        self._next_ns = self._least

    def held(self, held_ns: int) -> bool:
        """Hear for how long the last attempt held; start anew, and say so, if that was long enough."""
        calm = held_ns > CALM * self._next_ns
        if calm:
            self._next_ns = self._least
        return calm

    def wait_s(self) -> float:
        """Return the next wait in seconds."""
        wait_ns = self._next_ns
        self._next_ns = min(2 * wait_ns, self._most)
        return wait_ns * (1.0 - 0.5 * self._rng.random()) / 1e9
