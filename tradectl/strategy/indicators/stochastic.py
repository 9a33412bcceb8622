"""Oscillators of where a price stands: stochastics, Williams %R, commodity channel index."""

from __future__ import annotations

import math

from tradectl.core.jit import kernel
from tradectl.strategy.indicators.base import Indicator, Part, indicator
from tradectl.strategy.indicators.oscillator import Rsi, rsi
from tradectl.strategy.indicators.window import Extreme, Moments, Sum, add, highest_of, scatter, slide
from tradectl.strategy.memory import Array, Derived, Float64, Int64, Length, Sizes

__all__ = [
    "Cci", "Span", "StochRsi", "Stochastic", "WilliamsR", "cci", "stoch_rsi", "stochastic", "williams_r",
]  # fmt: skip


class Span(Part):
    """Highest high and lowest low (its sign turned) of the last n bars."""

    def __init__(self, length: Length) -> None:
        super().__init__(highs=Extreme(length), lows=Extreme(length))


@kernel
def _place(span, n, high, low, close):
    """Take in a bar; return where its close is from lowest low (0) to highest high (100), 50 if they are one."""
    top = highest_of(span.highs, n, 0.0 + high)
    bottom = 0.0 - highest_of(span.lows, n, 0.0 - low)
    return 100.0 * (close - bottom) / (top - bottom) if top > bottom else 50.0


class Stochastic(Indicator):
    """Slow stochastic: `value` is %K, the place in the range of `length` bars averaged, `d` is %D."""

    outputs = ("value", "d")

    def __init__(self, length: Length = 14, smooth_k: Length = 3, smooth_d: Length = 3) -> None:
        smooth = Derived((smooth_k, smooth_d), max)  # room for either: one shape, compiled once
        super().__init__(
            length, lengths={"smooth_k": smooth_k, "smooth_d": smooth_d}, span=Span(length), k_sum=Sum(smooth),
            d_sum=Sum(smooth),
        )  # fmt: skip

    def values_needed(self, sizes: Sizes) -> int:
        """Return the bars of the range and of the two averages after it."""
        return sum(sizes.length(length) for length in self.lengths.values()) - 2


@indicator(Stochastic)
def stochastic(rec, high, low, close):
    """Take in a bar; return %K, NaN until %D is ready.

    raw = 100 * (close - lowest low) / (highest high - lowest low), 50 where these are one; %K = its mean over
    smooth_k bars, %D = the mean of %K over smooth_d.
    Source: G. Lane, Lane's Stochastics, Stocks & Commodities 2:3 (1984).
    """
    total = high + low + close
    if total != total:
        return math.nan
    raw = _place(rec.span, rec.length, high, low, close)
    rec.count += 1
    return _smooth_twice(rec, raw, rec.count - rec.length + 1)


@kernel
def _smooth_twice(rec, raw, seen):
    """Average the `seen`-th raw value (from 1; before, there is none) to %K, that to %D; return %K when both are."""
    if seen < 1:
        return math.nan
    k = add(rec.k_sum, rec.smooth_k, raw) / rec.smooth_k
    if seen < rec.smooth_k:
        return math.nan
    d = add(rec.d_sum, rec.smooth_d, k) / rec.smooth_d
    if rec.count < rec.needed:
        return math.nan
    rec.value = k
    rec.d = d
    return k


class StochRsi(Indicator):
    """Stochastic of the relative strength index: `value` is its %K, `d` its %D."""

    outputs = ("value", "d")

    def __init__(
        self, length: Length = 14, window: Length = 14, smooth_k: Length = 3, smooth_d: Length = 3
    ) -> None:
        smooth = Derived((smooth_k, smooth_d), max)
        super().__init__(
            length, lengths={"window": window, "smooth_k": smooth_k, "smooth_d": smooth_d}, strength=Rsi(length),
            span=Span(window), k_sum=Sum(smooth), d_sum=Sum(smooth),
        )  # fmt: skip

    def values_needed(self, sizes: Sizes) -> int:
        """Return the values of the index, of its range and of the two averages after it."""
        return sum(sizes.length(length) for length in self.lengths.values()) - 2


@indicator(StochRsi)
def stoch_rsi(rec, price):
    """Take in a price; return %K of the index in 0..100, NaN until %D is ready.

    stochastic(i, i, i) over `window` values with i = rsi(price, length).
    Source: T. Chande, S. Kroll, The New Technical Trader (1994).
    """
    if price != price:
        return math.nan
    strength = rsi(rec.strength, price)
    rec.count += 1
    if rec.count <= rec.length:
        return math.nan
    raw = _place(rec.span, rec.window, strength, strength, strength)
    return _smooth_twice(rec, raw, rec.count - rec.length - rec.window + 1)


class WilliamsR(Indicator):
    """Williams %R of `length` bars, in -100..0."""

    def __init__(self, length: Length = 14) -> None:
        super().__init__(length, span=Span(length))


@indicator(WilliamsR)
def williams_r(rec, high, low, close):
    """Take in a bar; return %R, NaN for the first length - 1 bars.

    100 * (close - highest high) / (highest high - lowest low), -50 where these are one.
    Source: L. Williams, How I Made One Million Dollars Last Year Trading Commodities (1973).
    """
    total = high + low + close
    if total != total:
        return math.nan
    place = _place(rec.span, rec.length, high, low, close)
    rec.count += 1
    if rec.count < rec.length:
        return math.nan
    rec.value = place - 100.0
    return rec.value


class Cci(Indicator):
    """Commodity channel index of `length` bars."""

    def __init__(self, length: Length = 20) -> None:
        super().__init__(length, head=Int64, window=Array(Float64, length), moments=Moments(length))


@indicator(Cci)
def cci(rec, high, low, close):
    """Take in a bar; return the index, NaN for the first length - 1 bars.

    (p - mean p) / (0.015 * mean of |p - mean p|), p = (high + low + close) / 3; 0 where p stands still. O(n).
    Source: D. Lambert, Commodity Channel Index, Commodities (1980).
    """
    total = high + low + close
    if total != total:
        return math.nan
    price = (high + low + close) / 3.0
    n = rec.length
    slide(rec, n, price)
    scatter(rec.moments, n, price)
    rec.count += 1
    if rec.count < n:
        return math.nan
    mean = rec.moments.mean
    total = 0.0
    for k in range(n):
        total += abs(rec.window[k] - mean)
    rec.value = (price - mean) * n / (0.015 * total) if total > 0.0 else 0.0
    return rec.value
