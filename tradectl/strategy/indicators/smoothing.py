"""Moving averages with less lag: weighted, double and triple exponential, Hull's, Kaufman's."""

from __future__ import annotations

import math

from tradectl.core.jit import routine
from tradectl.strategy.indicators.base import Indicator, indicator
from tradectl.strategy.indicators.moving_average import Ema, ema
from tradectl.strategy.indicators.window import Sum, add, slide
from tradectl.strategy.memory import Array, Derived, Float64, Int64, Length, Sizes

__all__ = ["Dema", "Hma", "Kama", "Tema", "Wma", "dema", "hma", "kama", "tema", "wma"]


class Wma(Indicator):
    """Weighted moving average: the newest value counts `length` times, the oldest once.

    `room` is how many values fit where that is more: averages of one shape are compiled once.
    """

    def __init__(self, length: Length, room: Length = 1) -> None:
        window = Array(Float64, Derived((length, room), max))
        super().__init__(length, head=Int64, back=Float64, tilted=Float64, window=window)


@indicator(Wma)
def wma(rec, x):
    """Take in a value; return the average, NaN for the first length - 1 values.

    (n * x[t] + (n - 1) * x[t-1] + … + 1 * x[t-n+1]) / (n * (n + 1) / 2).
    Source: linearly falling weights as usual in technical analysis; R. Colby, The Encyclopedia of Technical
    Market Indicators (2003).
    """
    if x != x:
        return math.nan
    total = _weigh(rec, rec.length, x)
    rec.count += 1
    if rec.count < rec.length:
        return math.nan
    rec.value = total / (rec.length * (rec.length + 1) // 2)
    return rec.value


@routine
def _weigh(rec, n, x):
    """Take in a value; return the weighted sum of the last n, a block's tail and a beginning (see `window`)."""
    i = rec.head
    rec.window[i] = x
    i += 1
    rec.back += x
    rec.tilted += i * x
    if i < n:
        rec.head = i
        return rec.window[i] + rec.tilted + (n - i) * rec.back
    total = rec.tilted
    plain = 0.0
    tilted = 0.0
    for k in range(n - 1, -1, -1):
        plain += rec.window[k]
        tilted += plain
        rec.window[k] = tilted
    rec.head = 0
    rec.back = 0.0
    rec.tilted = 0.0
    return total


class Dema(Indicator):
    """Double exponential moving average of `length`."""

    def __init__(self, length: Length) -> None:
        super().__init__(length, first=Ema(length), second=Ema(length))

    def values_needed(self, sizes: Sizes) -> int:
        """Return the values that two averages one after the other need."""
        return 2 * sizes.length(self.length) - 1


@indicator(Dema)
def dema(rec, x):
    """Take in a value; return the average, NaN until the average of averages is ready.

    2 * e1 - e2 with e1 = ema(x), e2 = ema(e1).
    Source: P. Mulloy, Smoothing Data with Faster Moving Averages, Stocks & Commodities 12:1 (1994).
    """
    if x != x:
        return math.nan
    first = ema(rec.first, x)
    second = ema(rec.second, first)
    rec.count += 1
    if rec.count < rec.needed:
        return math.nan
    rec.value = 2.0 * first - second
    return rec.value


class Tema(Indicator):
    """Triple exponential moving average of `length`."""

    def __init__(self, length: Length) -> None:
        super().__init__(length, first=Ema(length), second=Ema(length), third=Ema(length))

    def values_needed(self, sizes: Sizes) -> int:
        """Return the values that three averages one after the other need."""
        return 3 * sizes.length(self.length) - 2


@indicator(Tema)
def tema(rec, x):
    """Take in a value; return the average, NaN until the third average is ready.

    3 * e1 - 3 * e2 + e3 with e1 = ema(x), e2 = ema(e1), e3 = ema(e2).
    Source: P. Mulloy, Smoothing Data with Less Lag, Stocks & Commodities 12:2 (1994).
    """
    if x != x:
        return math.nan
    first = ema(rec.first, x)
    second = ema(rec.second, first)
    third = ema(rec.third, second)
    rec.count += 1
    if rec.count < rec.needed:
        return math.nan
    rec.value = 3.0 * (first - second) + third
    return rec.value


class Hma(Indicator):
    """Hull's moving average of `length`."""

    def __init__(self, length: Length) -> None:
        self.half, self.root = Derived((length,), _half), Derived((length,), math.isqrt)
        super().__init__(length, whole=Wma(length), half=Wma(self.half, length), last=Wma(self.root, length))

    def values_needed(self, sizes: Sizes) -> int:
        """Return the values of the long average, and those of the last one after it."""
        return sizes.length(self.length) + sizes.length(self.root) - 1


def _half(length: int) -> int:
    return max(length // 2, 1)


@indicator(Hma)
def hma(rec, x):
    """Take in a value; return the average, NaN until ready.

    wma(2 * wma(x, n / 2) - wma(x, n), sqrt(n)), both lengths rounded down.
    Source: A. Hull, How to reduce lag in a moving average (2005).
    """
    if x != x:
        return math.nan
    rec.value = wma(rec.last, 2.0 * wma(rec.half, x) - wma(rec.whole, x))
    rec.count += 1
    return rec.value


class Kama(Indicator):
    """Kaufman's adaptive moving average: as fast as `fast` in a trend, as slow as `slow` in noise."""

    extra = 1

    def __init__(self, length: Length = 10, fast: Length = 2, slow: Length = 30) -> None:
        super().__init__(
            length, lengths={"fast": fast, "slow": slow}, head=Int64, previous=Float64, average=Float64,
            window=Array(Float64, length), way=Sum(length),
        )  # fmt: skip


@indicator(Kama)
def kama(rec, x):
    """Take in a value; return the average, NaN for the first `length` values.

    k[t] = k[t-1] + c² * (x[t] - k[t-1]) with c = e * (f - s) + s, f = 2 / (fast + 1), s = 2 / (slow + 1) and
    e = |x[t] - x[t-n]| / sum of the n |changes| (1 where there is none); it starts from the value before.
    Source: P. Kaufman, Smarter Trading (1995).
    """
    if x != x:
        return math.nan
    old = slide(rec, rec.length, x)
    change = x - rec.previous
    before = rec.previous
    rec.previous = x
    rec.count += 1
    if rec.count == 1:
        return math.nan
    way = add(rec.way, rec.length, abs(change))
    if rec.count < rec.needed:
        return math.nan
    if rec.count == rec.needed:
        rec.average = before
    efficiency = abs(x - old) / way if way > 0.0 else 1.0
    slow = 2.0 / (rec.slow + 1)
    c = efficiency * (2.0 / (rec.fast + 1) - slow) + slow
    rec.average += c * c * (x - rec.average)
    rec.value = rec.average
    return rec.value
