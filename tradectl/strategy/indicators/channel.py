"""Channels: Donchian's (exact, on integers), Bollinger's, Keltner's."""

from __future__ import annotations

import math

from tradectl.core.functions import ratio
from tradectl.strategy.indicators.base import Indicator, indicator
from tradectl.strategy.indicators.moving_average import Ema, ema
from tradectl.strategy.indicators.queue import Queue, push
from tradectl.strategy.indicators.volatility import Atr, atr
from tradectl.strategy.indicators.window import Moments, scatter
from tradectl.strategy.memory import Int64, Length, Sizes

__all__ = ["Bollinger", "Donchian", "Keltner", "bollinger", "donchian", "keltner"]


class Donchian(Indicator):
    """Highest high and lowest low of `length` bars, in ticks.

    `upper` and `lower` include the bar taken in last; `prior_upper` and `prior_lower` are those of the
    `length` bars before it, which a breakout is measured against (valid once ready).
    """

    extra = 1
    outputs = ("upper", "lower", "prior_upper", "prior_lower")

    def __init__(self, length: Length) -> None:
        super().__init__(
            length,
            upper=Int64,
            lower=Int64,
            prior_upper=Int64,
            prior_lower=Int64,
            highs=Queue(length, Int64),
            lows=Queue(length, Int64),
        )


@indicator(Donchian, integers="high and low in ticks")
def donchian(rec, high_ticks, low_ticks):
    """Take in a bar; return whether the channel of the `length` bars before it is complete.

    Source: R. Donchian's four-week rule (1960); the queue is the usual sliding-window maximum.
    """
    rec.prior_upper = rec.upper
    rec.prior_lower = rec.lower
    rec.count += 1
    rec.upper = push(rec.highs, high_ticks, rec.count, rec.length)
    rec.lower = -push(rec.lows, -low_ticks, rec.count, rec.length)
    return rec.count > rec.length


class Bollinger(Indicator):
    """Mean of `length` values and a band of `factor` standard deviations (divided by n) on both sides.

    `percent_b` is where the value is in the band (0: lower, 1: upper), `width` the band's width over its middle.
    """

    outputs = ("middle", "upper", "lower", "percent_b", "width")

    def __init__(self, length: Length = 20, factor: float | str = 2.0) -> None:
        super().__init__(length, numbers={"factor": factor}, moments=Moments(length))


@indicator(Bollinger)
def bollinger(rec, x):
    """Take in a value; return the middle, NaN for the first length - 1 values.

    middle ± factor * sqrt(sum of (x - middle)² / n).
    Source: J. Bollinger, Bollinger on Bollinger Bands (2001).
    """
    if x != x:
        return math.nan
    n = rec.length
    scatter(rec.moments, n, x)
    rec.count += 1
    if rec.count < n:
        return math.nan
    middle = rec.moments.mean
    reach = rec.factor * math.sqrt(rec.moments.m2 / n)
    rec.middle = middle
    rec.upper = middle + reach
    rec.lower = middle - reach
    rec.percent_b = ratio(x - rec.lower, rec.upper - rec.lower)
    rec.width = ratio(rec.upper - rec.lower, middle)
    return middle


class Keltner(Indicator):
    """Exponential average of the close and a band of `factor` average true ranges on both sides."""

    outputs = ("middle", "upper", "lower")

    def __init__(self, length: Length = 20, factor: float | str = 2.0, atr_length: Length = 10) -> None:
        super().__init__(
            length, lengths={"atr_length": atr_length}, numbers={"factor": factor},
            average=Ema(length), range=Atr(atr_length),
        )  # fmt: skip

    def values_needed(self, sizes: Sizes) -> int:
        """Return how many bars it takes until both averages mean something."""
        return max(sizes.length(length) for length in self.lengths.values())


@indicator(Keltner)
def keltner(rec, high, low, close):
    """Take in a bar; return the middle, NaN until average and range are ready.

    ema(close, length) ± factor * atr(atr_length).
    Source: C. Keltner, How to Make Money in Commodities (1960), in the form of L. Bradford Raschke (the 1980s).
    """
    total = high + low + close
    if total != total:
        return math.nan
    reach = atr(rec.range, high, low, close) * rec.factor
    middle = ema(rec.average, close)
    rec.count += 1
    if rec.count < rec.needed:
        return math.nan
    rec.middle = middle
    rec.upper = middle + reach
    rec.lower = middle - reach
    return middle
