"""Volatility: true range, realised volatility of returns."""

from __future__ import annotations

import math

from tradectl.core.functions import log
from tradectl.core.jit import kernel
from tradectl.strategy.indicators.base import Indicator, indicator
from tradectl.strategy.indicators.moving_average import smooth
from tradectl.strategy.indicators.window import Sum, add
from tradectl.strategy.memory import Float64, Length

__all__ = ["Atr", "Volatility", "atr", "true_range", "volatility"]


class Atr(Indicator):
    """Wilder's average true range; `value` holds it once ready, in the unit of the prices given."""

    def __init__(self, length: Length) -> None:
        super().__init__(length, alpha=Float64, previous=Float64, value=Float64)


@kernel
def true_range(high, low, previous):
    """Return how far a bar reaches, the close before it included."""
    top = high if high > previous else previous
    return top - (low if low < previous else previous)


@indicator(Atr)
def atr(rec, high, low, close):
    """Take in a bar (prices or ticks); return the average, NaN for the first length - 1 bars.

    True range = max(high, previous close) - min(low, previous close), of the first bar high - low; averaged
    as Wilder does. Source: J. Welles Wilder, New Concepts in Technical Trading Systems (1978).
    """
    total = high + low + close
    if total != total:
        return math.nan
    reach = true_range(high, low, rec.previous) if rec.count > 0 else high - low
    rec.previous = close
    rec.count += 1
    rec.value = smooth(rec.value, reach, rec.count, rec.length, rec.alpha)
    return rec.value if rec.count >= rec.length else math.nan


class Volatility(Indicator):
    """Realised volatility of `length` returns, for the time of `periods` of them (as 365 days of daily bars)."""

    extra = 1

    def __init__(self, length: Length, periods: float | str = 1.0) -> None:
        super().__init__(length, numbers={"periods": periods}, previous=Float64, squares=Sum(length))


@indicator(Volatility)
def volatility(rec, price):
    """Take in a price above 0; return the volatility as a fraction, NaN for the first `length` prices.

    sqrt(periods * sum of r² / n) with r = log(price / price before); no mean is taken off.
    Source: T. Andersen, T. Bollerslev, Answering the Skeptics (1998).
    """
    if not price > 0.0:
        return math.nan
    change = log(price / rec.previous) if rec.count > 0 else 0.0
    rec.previous = price
    rec.count += 1
    if rec.count == 1:
        return math.nan
    total = add(rec.squares, rec.length, change * change)
    if rec.count < rec.needed:
        return math.nan
    rec.value = math.sqrt(rec.periods * total / rec.length)
    return rec.value
