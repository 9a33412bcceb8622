"""Binance's rules for joining depth messages to a snapshot, for recordings and live feeds alike."""

from __future__ import annotations

from enum import IntEnum

__all__ = ["DiffChain", "Verdict"]


class Verdict(IntEnum):
    """What is to be done with a depth message."""

    WAIT = 0  # no snapshot yet: keep it until one comes
    STALE = 1  # older than the book: drop it
    NEXT = 2  # apply it
    BREAK = 3  # something between it and the book is missing


class DiffChain:
    """The place of one book in its sequence of depth messages (first id U, last id u, previous id pu).

    Spot messages have no pu: those with u ≤ last are dropped, the first has U ≤ last + 1 ≤ u, each other one
    U = last + 1. Futures: u < last is dropped (after the first also u = last, a repetition), the first has
    U ≤ last ≤ u, each other one pu = last.
    """

    def __init__(self) -> None:
        self.last: int | None = None  # None: waiting for a snapshot
        self.first = True  # no message was applied since the snapshot

    def restart(self, last: int) -> None:
        """Begin with a snapshot that holds everything up to id `last`."""
        self.last, self.first = last, True

    def judge(self, first: int, last: int, previous: int | None) -> Verdict:
        """Return what to do with a message; after BREAK the chain waits for a snapshot."""
        if self.last is None:
            return Verdict.WAIT
        if last < self.last or (last == self.last and (previous is None or not self.first)):
            return Verdict.STALE  # a message that stands twice in a recording too
        if previous is None:
            joins = first <= self.last + 1 if self.first else first == self.last + 1
        else:
            joins = previous == self.last or (self.first and first <= self.last)
        if not joins:
            self.last = None
            return Verdict.BREAK
        self.last, self.first = last, False
        return Verdict.NEXT
