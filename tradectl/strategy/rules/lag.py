"""A value some bars ago: what `close[3]` stands for."""

from __future__ import annotations

import math

from tradectl.strategy.indicators.base import Indicator, indicator
from tradectl.strategy.memory import Array, Float64, Int64, Length

__all__ = ["Lag", "lag"]


class Lag(Indicator):
    """The value of `length` values ago, NaN until there is one."""

    extra = 1

    def __init__(self, length: Length) -> None:
        super().__init__(length, head=Int64, window=Array(Float64, length))


@indicator(Lag)
def lag(rec, x):
    """Take in a value; return the one of `length` values before it, NaN for the first `length`; NaN is left out."""
    if math.isnan(x):
        return x
    i = rec.head
    if rec.count >= rec.length:
        rec.value = rec.window[i]
    rec.window[i] = x
    i += 1
    rec.head = 0 if i == rec.length else i
    rec.count += 1
    return rec.value
