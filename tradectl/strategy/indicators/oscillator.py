"""Oscillators of one series: relative strength, rate of change, moving average convergence, triple smoothing."""

from __future__ import annotations

import math

from tradectl.strategy.indicators.base import Indicator, indicator
from tradectl.strategy.indicators.moving_average import Ema, ema, smooth
from tradectl.strategy.indicators.window import slide
from tradectl.strategy.memory import Array, Float64, Int64, Length, Sizes

__all__ = ["Macd", "Roc", "Rsi", "Trix", "macd", "momentum", "roc", "rsi", "trix"]


class Rsi(Indicator):
    """Wilder's relative strength index of `length` changes; `value` holds it once ready."""

    extra = 1

    def __init__(self, length: Length) -> None:
        super().__init__(length, alpha=Float64, previous=Float64, gain=Float64, loss=Float64, value=Float64)


@indicator(Rsi)
def rsi(rec, price):
    """Take in a price (or ticks); return the index in 0..100, NaN for the first `length` prices.

    With up and down Wilder's averages of rises and falls: 100 * up / (up + down), 50 where both are zero.
    Source: J. Welles Wilder, New Concepts in Technical Trading Systems (1978).
    """
    if price != price:
        return math.nan
    change = price - rec.previous
    rec.previous = price
    rec.count += 1
    if rec.count == 1:
        return math.nan
    changes = rec.count - 1
    rec.gain = smooth(rec.gain, change if change > 0.0 else 0.0, changes, rec.length, rec.alpha)
    rec.loss = smooth(rec.loss, -change if change < 0.0 else 0.0, changes, rec.length, rec.alpha)
    if changes < rec.length:
        return math.nan
    both = rec.gain + rec.loss
    rec.value = 100.0 * rec.gain / both if both > 0.0 else 50.0
    return rec.value


class Roc(Indicator):
    """Change against `length` values ago; `value` holds the last result once ready."""

    extra = 1

    def __init__(self, length: Length) -> None:
        super().__init__(length, head=Int64, value=Float64, window=Array(Float64, length))


@indicator(Roc)
def roc(rec, price):
    """Take in a price; return price / price n ago - 1, NaN for the first `length` prices."""
    return _change(rec, price, True)


@indicator(Roc)
def momentum(rec, price):
    """Take in a price; return price - price n ago, NaN for the first `length` prices."""
    return _change(rec, price, False)


@indicator(Roc)
def _change(rec, price, relative):
    """Take in a price; return its change against n ago, as a fraction (NaN where that was 0) or a difference."""
    if price != price:
        return math.nan
    old = slide(rec, rec.length, price)
    rec.count += 1
    if rec.count <= rec.length or (relative and old == 0.0):
        return math.nan
    rec.value = price / old - 1.0 if relative else price - old
    return rec.value


class Macd(Indicator):
    """Moving average convergence and divergence: `value` of two averages, its `signal`, their `histogram`."""

    outputs = ("value", "signal", "histogram")

    def __init__(self, fast: Length = 12, slow: Length = 26, smoothing: Length = 9) -> None:
        super().__init__(
            slow, lengths={"fast": fast, "smoothing": smoothing}, short=Ema(fast), long=Ema(slow), last=Ema(smoothing)
        )

    def values_needed(self, sizes: Sizes) -> int:
        """Return the values that the longer average needs, and those of the signal after it."""
        longer = max(sizes.length(self.lengths["fast"]), sizes.length(self.length))
        return longer + sizes.length(self.lengths["smoothing"]) - 1


@indicator(Macd)
def macd(rec, x):
    """Take in a value; return ema(x, fast) - ema(x, slow), NaN until the signal is ready.

    signal = ema(value, smoothing), histogram = value - signal.
    Source: G. Appel, The Moving Average Convergence-Divergence Method (1979).
    """
    if x != x:
        return math.nan
    value = ema(rec.short, x) - ema(rec.long, x)
    signal = ema(rec.last, value)
    rec.count += 1
    if rec.count < rec.needed:
        return math.nan
    rec.value = value
    rec.signal = signal
    rec.histogram = value - signal
    return value


class Trix(Indicator):
    """Change of a triple exponential average, in percent."""

    def __init__(self, length: Length) -> None:
        super().__init__(length, first=Ema(length), second=Ema(length), third=Ema(length), previous=Float64)

    def values_needed(self, sizes: Sizes) -> int:
        """Return the values that three averages one after the other need, and one more."""
        return 3 * sizes.length(self.length) - 1


@indicator(Trix)
def trix(rec, x):
    """Take in a value; return the change in percent, NaN until ready (or where the average was 0).

    100 * (e3[t] / e3[t-1] - 1) with e3 = ema(ema(ema(x))).
    Source: J. Hutson, Good TRIX, Stocks & Commodities 1:5 (1983).
    """
    if x != x:
        return math.nan
    average = ema(rec.third, ema(rec.second, ema(rec.first, x)))
    before = rec.previous
    rec.count += 1
    if rec.count < rec.needed - 1:
        return math.nan
    rec.previous = average
    if rec.count < rec.needed or before == 0.0:
        return math.nan
    rec.value = 100.0 * (average / before - 1.0)
    return rec.value
