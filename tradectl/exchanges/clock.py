"""Receive times: the wall clock when it began, carried on by one that never goes back."""

from __future__ import annotations

import time
from collections.abc import Callable

__all__ = ["JUMP_NS", "Clock"]

JUMP_NS = 500_000_000  # a wall clock that is off by more has jumped


class Clock:
    """Gives ns UTC that never decrease; `wall` and `monotonic` return ns."""

    def __init__(
        self, wall: Callable[[], int] = time.time_ns, monotonic: Callable[[], int] = time.monotonic_ns
    ) -> None:
        self._wall = wall
        self._monotonic = monotonic
        self._anchor = wall() - monotonic()
        self._behind = 0  # ns that the wall clock was behind this one at the last check

    def now_ns(self) -> int:
        """Return the time in ns UTC."""
        return self._anchor + self._monotonic()

    def check(self) -> str:
        """Follow the wall clock forward, not back; return what it did if it jumped since the last check, else ''."""
        off = self._wall() - self.now_ns()
        moved = off + self._behind
        self._anchor += max(off, 0)
        self._behind = max(-off, 0)
        if abs(moved) <= JUMP_NS:
            return ""
        if moved > 0:
            return f"the system clock jumped {moved / 1e9:.3f} s forward"
        return f"the system clock jumped {-moved / 1e9:.3f} s back; receive times go on from the old one"
