"""Binance's depth messages joined to a snapshot from REST, live."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from tradectl.exchanges.codec import EventBuffer
from tradectl.exchanges.depth_line import DepthLine, Row
from tradectl.exchanges.model import GapReason
from tradectl.history.importers.binance_chain import DiffChain, Verdict

__all__ = ["DiffBook"]

MOST_WAITING = 4_096  # messages kept for a snapshot to come: minutes of the fastest stream
QUIET_NS = 2_000_000_000  # a connection without depth messages for so long asks for a snapshot all the same
Ids = tuple[int, int, int | None]  # first and last update id of a message, and of the one before (futures)
Stamps = tuple[int, int]  # exchange time, receipt (ns)


class DiffBook:
    """One book's place in its chain of messages; while it has none they wait.

    Methods that return a truth value say whether a snapshot is needed now. It is asked for when messages flow, so
    that it is not older than the first of them.
    """

    def __init__(self, line: DepthLine) -> None:
        self.line = line
        self.chain = DiffChain()
        self.waiting: deque[tuple[Ids, list[Row], Stamps]] = deque(maxlen=MOST_WAITING)
        self.asked = False
        self.quiet_ns = -1  # since when a new connection is silent; 0: from the next tick on; -1: it is not

    def diff(self, ids: Ids, rows: list[Row], stamps: Stamps, out: EventBuffer) -> bool:
        """Apply a message, let it wait, or drop it; where the chain is broken append a GAP."""
        self.quiet_ns = -1
        verdict = self.chain.judge(*ids)
        if verdict == Verdict.NEXT:
            self.line.apply(rows, stamps, ids[1], out)
            return False
        if verdict == Verdict.STALE:
            return False
        if verdict == Verdict.BREAK:
            self.line.give_up(GapReason.SEQUENCE, stamps[1], out)
        self._wait(ids, rows, stamps)
        return self._ask()

    def snapshot(self, last: int, rows: Sequence[Row], stamps: Stamps, out: EventBuffer) -> bool:
        """Begin with a snapshot that holds all up to id `last`, then apply what waited; True: it is too old."""
        if self.line.whole:
            return False
        self.asked = False
        chain = DiffChain()
        chain.restart(last)
        ready = []
        for ids, changes, (ts_event, _) in self.waiting:
            verdict = chain.judge(*ids)
            if verdict == Verdict.BREAK:
                return self._ask()
            if verdict == Verdict.NEXT:
                ready.append((changes, (ts_event, stamps[1]), ids[1]))
        self.line.replace(rows, stamps, last, out)
        for changes, its, update_id in ready:
            self.line.apply(changes, its, update_id, out)
        self.chain = chain
        self.waiting.clear()
        return False

    def forget(self) -> None:
        """Wait for a new snapshot; what came before is not connected with what follows."""
        self.chain = DiffChain()
        self.waiting.clear()
        self.asked, self.quiet_ns = False, 0

    def tick(self, now_ns: int) -> bool:
        """Ask for a snapshot where the market itself is silent."""
        if self.quiet_ns == 0:
            self.quiet_ns = now_ns
        elif 0 < self.quiet_ns <= now_ns - QUIET_NS and not self.line.whole:
            self.quiet_ns = -1
            return self._ask()
        return False

    def _ask(self) -> bool:
        first, self.asked = not self.asked, True
        return first

    def _wait(self, ids: Ids, rows: list[Row], stamps: Stamps) -> None:
        """Keep a message; those before a hole are of no use any more, repetitions none at all."""
        if self.waiting:
            last = self.waiting[-1][0][1]
            if ids[1] <= last:
                return
            if (ids[0] != last + 1) if ids[2] is None else (ids[2] != last):
                self.waiting.clear()
        self.waiting.append((ids, rows, stamps))
