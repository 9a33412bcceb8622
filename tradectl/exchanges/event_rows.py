"""What all lines of a live feed share: numbers as steps that are remembered, and the GAP event."""

from __future__ import annotations

from decimal import Decimal

from tradectl.core.codes import EventFlag, EventKind, GapScope
from tradectl.exchanges.codec import EventBuffer, Grid
from tradectl.exchanges.model import GapReason

__all__ = ["BOOK", "END", "MS", "TRADES_ALONE", "Steps", "put_gap"]

MS = 1_000_000  # ns
REMEMBERED = (
    8_192  # numbers of one grid: prices come again and again, and reading a text is most of a level's cost
)
MOST = 1 << 62  # steps
END = int(EventFlag.MESSAGE_END)
BOOK, TRADES_ALONE = int(GapScope.BOOK), int(GapScope.TRADES)
GAP = int(EventKind.GAP)


class Steps(dict[str | float, int]):
    """The venue's numbers in whole steps of a grid: `steps["0.10"]`; those lately seen are remembered.

    What is off the grid is counted by it each time; no number is a ValueError, TypeError or OverflowError.
    """

    def __init__(self, step: Decimal) -> None:
        super().__init__()
        self.grid = Grid(step)

    def __missing__(self, number: str | float) -> int:
        off = self.grid.off
        steps = self.grid.steps(number)
        if not -MOST < steps < MOST:
            raise OverflowError(f"{number} is more than an event holds")
        if self.grid.off == off:
            if len(self) >= REMEMBERED:
                self.clear()
            self[number] = steps
        return steps


def put_gap(
    out: EventBuffer, index: int, stamps: tuple[int, int], scope: int, since_ns: int, reason: GapReason
) -> None:
    """Append a GAP of instrument `index`: something received between `since_ns` and its own receipt is missing.

    Its exchange time (`stamps[0]`) is that of what came last: no order arrives by a gap.
    """
    ts_event, recv_ns = stamps
    its_time, since = min(ts_event, recv_ns) or recv_ns, min(since_ns, recv_ns) or recv_ns
    out.add(its_time, recv_ns, GAP, 0, END, index, scope, since, recv_ns, reason)
