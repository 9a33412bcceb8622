"""Crossings: when a comparison changes its sign."""

from __future__ import annotations

from tradectl.strategy.indicators.base import indicator
from tradectl.strategy.memory import Int64, Record

__all__ = ["Cross", "cross"]


class Cross(Record):
    """The last sign that was not zero; ties do not count as a change."""

    is_protected = True

    def __init__(self) -> None:
        super().__init__(sign=Int64)


@indicator(Cross, integers="a sign")
def cross(rec, sign):
    """Take in a sign; return +1 when it turned from -1 to +1, -1 when from +1 to -1, otherwise 0.

    A zero leaves things as they are, so touching and turning back is no cross; nor is the first sign.
    """
    before = rec.sign
    if sign != 0:
        rec.sign = sign
        if before != 0 and before != sign:
            return sign
    return 0
