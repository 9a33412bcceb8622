"""Volatility: average true range, rolling mean and standard deviation."""

from __future__ import annotations

import math

from tradectl.core.jit import kernel
from tradectl.strategy.indicators.base import Indicator, indicator
from tradectl.strategy.indicators.moving_average import smooth
from tradectl.strategy.memory import Array, Float64, Int64

__all__ = ["Atr", "Rolling", "atr", "rolling", "rolling_std"]


class Atr(Indicator):
    """Wilder's average true range; `value` holds it once ready, in the unit of the prices given."""

    def __init__(self, length: int | str) -> None:
        super().__init__(length, alpha=Float64, previous=Float64, value=Float64)


@indicator(Atr)
def atr(rec, high, low, close):
    """Take in a bar (prices or ticks); return the average, NaN for the first length - 1 bars.

    True range = max(high, previous close) - min(low, previous close), of the first bar high - low; averaged
    as Wilder does. Source: J. Welles Wilder, New Concepts in Technical Trading Systems (1978).
    """
    top, bottom = float(high), float(low)
    if rec.count > 0:
        top = max(top, rec.previous)
        bottom = min(bottom, rec.previous)
    rec.previous = close
    rec.count += 1
    rec.value = smooth(rec.value, top - bottom, rec.count, rec.length, rec.alpha)
    return rec.value if rec.count >= rec.length else math.nan


class Rolling(Indicator):
    """Mean (`mean`, once ready) and standard deviation of the last `length` floats.

    Sums run relative to `shift`, a recent mean, and are made anew from the window each time it has gone
    round: rounding errors neither cancel nor pile up, at O(1) a value.
    """

    def __init__(self, length: int | str) -> None:
        super().__init__(
            length, head=Int64, shift=Float64, total=Float64, squares=Float64, mean=Float64,
            window=Array(Float64, length),
        )  # fmt: skip


@indicator(Rolling)
def rolling(rec, x):
    """Take in a value; return the mean of the last n, NaN for the first length - 1 values."""
    n = rec.length
    i = rec.head
    if rec.count >= n:
        old = rec.window[i] - rec.shift
        rec.total -= old
        rec.squares -= old * old
    elif rec.count == 0:
        rec.shift = x
    new = x - rec.shift
    rec.total += new
    rec.squares += new * new
    rec.window[i] = x
    rec.count += 1
    rec.head = i + 1
    if rec.head == n:
        rec.head = 0
        _anchor(rec, rec.shift + rec.total / n)
    if rec.count < n:
        return math.nan
    rec.mean = rec.shift + rec.total / n
    return rec.mean


@kernel
def _anchor(rec, shift):
    """Make the sums anew from the full window, relative to another shift."""
    total = 0.0
    squares = 0.0
    for i in range(rec.length):  # at most the window's capacity
        d = rec.window[i] - shift
        total += d
        squares += d * d
    rec.shift = shift
    rec.total = total
    rec.squares = squares


@indicator(Rolling)
def rolling_std(rec):
    """Return the sample standard deviation of the last n values, NaN until ready or where n is 1.

    s² = (Σd² - (Σd)² / n) / (n - 1) with d relative to a recent mean.
    """
    n = rec.length
    if rec.count < n or n < 2:
        return math.nan
    return math.sqrt(max((rec.squares - rec.total * rec.total / n) / (n - 1), 0.0))
