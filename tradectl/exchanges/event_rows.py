"""What all lines of a live feed share: the venue's numbers in steps, and the GAP event."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from math import dist

from tradectl.core.codes import EventFlag, EventKind, GapScope
from tradectl.exchanges.codec import EventBuffer
from tradectl.exchanges.model import GapReason
from tradectl.history.grid import scale_of

__all__ = ["BOOK", "END", "MS", "TRADES_ALONE", "Steps", "put_gap"]

MS = 1_000_000  # ns
NEAR = 1e-6  # of a step: what is closer is on the grid for sure
MOST = 1 << 62  # steps
END = int(EventFlag.MESSAGE_END)
BOOK, TRADES_ALONE = int(GapScope.BOOK), int(GapScope.TRADES)
GAP = int(EventKind.GAP)


class Steps:
    """The venue's numbers, as text or float, in whole steps of a grid.

    A number is exact as float64 up to 15 digits; what is no multiple of the step is rounded half to even, but what is
    more than none never to none, and counted in `off`. No number is a ValueError or TypeError, one that an event does
    not hold an OverflowError.
    """

    def __init__(self, step: Decimal) -> None:
        self.off = 0
        self._factor, self._multiply = scale_of(step)

    def one(self, number: str | float) -> int:
        """Return a number in steps."""
        value = float(number)
        scaled = value * self._factor if self._multiply else value / self._factor
        steps = round(scaled)
        if not -NEAR < scaled - steps < NEAR and abs(scaled - steps) > NEAR * max(1.0, abs(scaled) * NEAR):
            self.off += 1
            if steps == 0 and value > 0.0:
                return 1
        if not -MOST < steps < MOST:
            raise OverflowError(f"{number} is more than an event holds")
        return steps

    def many(self, numbers: Sequence[str | float]) -> list[int]:
        """Return numbers in steps, in a quarter of the time."""
        factor, values = self._factor, map(float, numbers)
        scaled = [v * factor for v in values] if self._multiply else [v / factor for v in values]
        steps = list(map(round, scaled))
        if dist(scaled, steps) < NEAR:
            return steps
        return [self.one(number) for number in numbers]


def put_gap(
    out: EventBuffer, index: int, stamps: tuple[int, int], scope: int, since_ns: int, reason: GapReason
) -> None:
    """Append a GAP of instrument `index`: something received between `since_ns` and its own receipt is missing.

    Its exchange time (`stamps[0]`) is that of what came last: no order arrives by a gap.
    """
    ts_event, recv_ns = stamps
    its_time, since = min(ts_event, recv_ns) or recv_ns, min(since_ns, recv_ns) or recv_ns
    out.add(its_time, recv_ns, GAP, 0, END, index, scope, since, recv_ns, reason)
