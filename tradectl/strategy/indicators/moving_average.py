"""Moving averages: simple (exact, on integers), exponential, Wilder's."""

from __future__ import annotations

import math

from tradectl.core.jit import kernel
from tradectl.strategy.indicators.base import Indicator, indicator
from tradectl.strategy.memory import Array, Float64, Int64, Length

__all__ = ["Ema", "Rma", "Sma", "ema", "rma", "sma", "sma_compare", "smooth"]


class Sma(Indicator):
    """Simple moving average of integers; `total` is the exact sum of the last `length` values."""

    outputs = ()

    def __init__(self, length: Length) -> None:
        super().__init__(length, head=Int64, total=Int64, window=Array(Int64, length))


@indicator(Sma, integers="ticks or lots")
def sma(rec, ticks):
    """Take in ticks (or lots); return their mean as a float, NaN for the first length - 1 values.

    mean = (x[t] + … + x[t - n + 1]) / n, the sum kept as an exact integer, so it never drifts.
    """
    i = rec.head
    rec.total += ticks - rec.window[i]
    rec.window[i] = ticks
    i += 1
    rec.head = 0 if i == rec.length else i
    rec.count += 1
    return rec.total / rec.length if rec.count >= rec.length else math.nan


@kernel
def sma_compare(a, b):
    """Return +1 if the mean of `a` is above that of `b`, -1 below, 0 if equal or one is not ready.

    Decided on integers, total(a) * length(b) against total(b) * length(a): exact while |price in ticks| *
    both lengths stays below 2**63.
    """
    if a.count < a.length or b.count < b.length:
        return 0
    left = a.total * b.length
    right = b.total * a.length
    return (1 if left > right else 0) - (1 if left < right else 0)


class Ema(Indicator):
    """Exponential moving average, alpha = 2 / (length + 1); `value` holds it once ready."""

    def __init__(self, length: Length) -> None:
        super().__init__(length, alpha=Float64, value=Float64)

    def alpha(self, length: int) -> float:
        """Return the weight of the newest value."""
        return 2.0 / (length + 1)


@indicator(Ema)
def ema(rec, x):
    """Take in a value; return the average, NaN for the first length - 1 values.

    Seeded with the mean of the first n values, then e[t] = e[t-1] + alpha * (x[t] - e[t-1]).
    Source: the exponential smoothing of R. G. Brown (1956), seeded as is usual in technical analysis.
    """
    if x != x:
        return math.nan
    rec.count += 1
    rec.value = smooth(rec.value, x, rec.count, rec.length, rec.alpha)
    return rec.value if rec.count >= rec.length else math.nan


@kernel
def smooth(value, x, count, n, alpha):
    """Return the next value of an exponential average; `count` includes `x`, before n it is the running sum."""
    if count > n:
        return value + (x - value) * alpha
    value += x
    return value / n if count == n else value


class Rma(Indicator):
    """Wilder's moving average, alpha = 1 / length; `value` holds it once ready."""

    def __init__(self, length: Length) -> None:
        super().__init__(length, alpha=Float64, value=Float64)


@indicator(Rma)
def rma(rec, x):
    """Take in a value; return Wilder's average, NaN for the first length - 1 values.

    w[t] = w[t-1] + (x[t] - w[t-1]) / n, seeded with the mean of the first n values.
    Source: J. Welles Wilder, New Concepts in Technical Trading Systems (1978).
    """
    if x != x:
        return math.nan
    rec.count += 1
    rec.value = smooth(rec.value, x, rec.count, rec.length, rec.alpha)
    return rec.value if rec.count >= rec.length else math.nan
