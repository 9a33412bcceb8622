"""Trend: directional movement, Aroon, Supertrend, parabolic stop, Ichimoku's lines."""

from __future__ import annotations

import math

from tradectl.core.jit import kernel
from tradectl.strategy.indicators.base import Indicator, Part, indicator
from tradectl.strategy.indicators.moving_average import smooth
from tradectl.strategy.indicators.queue import Queue, push
from tradectl.strategy.indicators.stochastic import Span
from tradectl.strategy.indicators.volatility import Atr, atr, true_range
from tradectl.strategy.indicators.window import highest_of, slide
from tradectl.strategy.memory import Array, Derived, Float64, Int64, Length, Sizes

__all__ = ["Adx", "Aroon", "Ichimoku", "Psar", "Supertrend", "adx", "aroon", "ichimoku", "psar", "supertrend"]


class Adx(Indicator):
    """Average directional index of `length` bars, with `plus_di`, `minus_di` and `dx`, all in 0..100."""

    outputs = ("value", "plus_di", "minus_di", "dx")

    def __init__(self, length: Length = 14) -> None:
        super().__init__(
            length, alpha=Float64, high=Float64, low=Float64, close=Float64, up=Float64, down=Float64, reach=Float64,
            value=Float64,
        )  # fmt: skip

    def values_needed(self, sizes: Sizes) -> int:
        """Return the bars of the averages of moves, and of the average after them."""
        return 2 * sizes.length(self.length)


@indicator(Adx)
def adx(rec, high, low, close):
    """Take in a bar; return the average index, NaN for the first 2 * length - 1 bars.

    di = 100 * rma(move) / rma(true range), where of the moves up and down only the bigger counts, if above 0;
    dx = 100 * |plus - minus| / (plus + minus), 0 where both are; value = rma(dx).
    Source: J. Welles Wilder, New Concepts in Technical Trading Systems (1978).
    """
    total = high + low + close
    if total != total:
        return math.nan
    up = high - rec.high
    down = rec.low - low
    before = rec.close
    rec.high = high
    rec.low = low
    rec.close = close
    moves = rec.count
    rec.count += 1
    if moves == 0:
        return math.nan
    n = rec.length
    rec.up = smooth(rec.up, up if up > down and up > 0.0 else 0.0, moves, n, rec.alpha)
    rec.down = smooth(rec.down, down if down > up and down > 0.0 else 0.0, moves, n, rec.alpha)
    rec.reach = smooth(rec.reach, true_range(high, low, before), moves, n, rec.alpha)
    if moves < n:
        return math.nan
    both = rec.up + rec.down
    dx = 100.0 * abs(rec.up - rec.down) / both if both > 0.0 else 0.0
    rec.value = smooth(rec.value, dx, moves - n + 1, n, rec.alpha)
    if rec.count < rec.needed:
        return math.nan
    rec.dx = dx
    rec.plus_di = 100.0 * rec.up / rec.reach if rec.reach > 0.0 else 0.0
    rec.minus_di = 100.0 * rec.down / rec.reach if rec.reach > 0.0 else 0.0
    return rec.value


class Aroon(Indicator):
    """How long ago the highest high and the lowest low of `length` bars and the bar before them were.

    `up` and `down` are 100 for now and 0 for `length` bars ago, `value` is their difference.
    """

    extra = 1
    outputs = ("value", "up", "down")

    def __init__(self, length: Length = 25) -> None:
        bars = Derived((length,), _one_more)
        super().__init__(length, lengths={"bars": bars}, highs=Queue(bars, Float64), lows=Queue(bars, Float64))


def _one_more(length: int) -> int:
    return length + 1


@indicator(Aroon)
def aroon(rec, high, low):
    """Take in a bar; return up - down, NaN for the first `length` bars; of equal highs the newest counts.

    up = 100 * (n - bars since the highest high of n + 1 bars) / n, down likewise.
    Source: T. Chande, Stocks & Commodities 13:9 (1995).
    """
    if high + low != high + low:
        return math.nan
    rec.count += 1
    highs = rec.highs
    lows = rec.lows
    push(highs, 0.0 + high, rec.count, rec.bars)
    push(lows, 0.0 - low, rec.count, rec.bars)
    if rec.count < rec.needed:
        return math.nan
    n = rec.length
    rec.up = 100.0 * (n - (rec.count - highs.at[highs.front])) / n
    rec.down = 100.0 * (n - (rec.count - lows.at[lows.front])) / n
    rec.value = rec.up - rec.down
    return rec.value


class Supertrend(Indicator):
    """A stop that trails the middle of the bars by `factor` average true ranges.

    `upper` and `lower` are both stops, `value` is the one in force; `side` is 1 where it is the lower one, else -1.
    """

    outputs = ("value", "side", "upper", "lower")

    def __init__(self, length: Length = 10, factor: float | str = 3.0) -> None:
        super().__init__(length, numbers={"factor": factor}, side=Int64, close=Float64, range=Atr(length))


@indicator(Supertrend)
def supertrend(rec, high, low, close):
    """Take in a bar; return the stop in force, NaN for the first length - 1 bars.

    (high + low) / 2 ± factor * atr; the lower stop never falls while closes stay at or above it, the upper never
    rises while they stay at or below; a close beyond the stop in force changes the side, which is 1 at first.
    Source: O. Seban, Tout le monde mérite d'être riche (2008).
    """
    total = high + low + close
    if total != total:
        return math.nan
    reach = rec.factor * atr(rec.range, high, low, close)
    before = rec.close
    rec.close = close
    rec.count += 1
    if rec.count < rec.needed:
        return math.nan
    middle = 0.5 * (high + low)
    upper = middle + reach
    lower = middle - reach
    if rec.count > rec.needed:
        if upper > rec.upper and before <= rec.upper:
            upper = rec.upper
        if lower < rec.lower and before >= rec.lower:
            lower = rec.lower
    if rec.side == 0:
        rec.side = 1
    elif rec.side > 0:
        rec.side = -1 if close < lower else 1
    else:
        rec.side = 1 if close > upper else -1
    rec.upper = upper
    rec.lower = lower
    rec.value = lower if rec.side > 0 else upper
    return rec.value


class Psar(Indicator):
    """Parabolic stop and reverse; `side` is 1 while the stop is below the price, -1 above."""

    extra = 1
    outputs = ("value", "side")

    def __init__(self, step: float | str = 0.02, most: float | str = 0.2) -> None:
        super().__init__(
            1, numbers={"step": step, "most": most}, side=Int64, stop=Float64, extreme=Float64, speed=Float64,
            near=Float64, far=Float64,
        )  # fmt: skip


@indicator(Psar)
def psar(rec, high, low):
    """Take in a bar; return the stop for it, NaN for the first one.

    stop += speed * (extreme - stop), but not beyond the near side of the last two bars; the speed grows by
    `step` with each new extreme, to `most`; a bar that touches the stop turns the side, and the extreme is the new
    stop. It begins short where the second bar fell further below the first than it rose above it, else long; the
    third bar's stop is limited by the second alone.
    Source: J. Welles Wilder, New Concepts in Technical Trading Systems (1978).
    """
    if high + low != high + low:
        return math.nan
    rec.count += 1
    if rec.count == 1:
        rec.near = low
        rec.far = high
        return math.nan
    if rec.count == 2:
        _begin(rec, high, low)
    # All is mirrored for the short side, so that the stop is always below: prices times `side`.
    near = low if rec.side > 0 else -high
    far = high if rec.side > 0 else -low
    stop = rec.stop
    if near <= stop:  # it turns: seen from the other side, near and far have changed places
        stop = min(-rec.extreme, min(-rec.far, -far))
        rec.side = -rec.side
        near_before = -rec.far
        near, far = -far, -near
        rec.extreme = far
        rec.speed = rec.step
    else:
        near_before = rec.near
        if far > rec.extreme:
            rec.extreme = far
            rec.speed = min(rec.speed + rec.step, rec.most)
    rec.value = stop * rec.side
    rec.stop = min(stop + rec.speed * (rec.extreme - stop), min(near_before, near))
    rec.near = near
    rec.far = far
    return rec.value


@kernel
def _begin(rec, high, low):
    """Choose the first side from the first two bars: the stop is an end of the first, the extreme of the second."""
    up = high - rec.far
    down = rec.near - low
    first_low = rec.near
    first_high = rec.far
    if down > up and down > 0.0:
        rec.side = -1
        rec.near = -high
        rec.far = -low
        rec.stop = -first_high
    else:
        rec.side = 1
        rec.near = low
        rec.far = high
        rec.stop = first_low
    rec.extreme = rec.far
    rec.speed = rec.step


class Ichimoku(Indicator):
    """Ichimoku's lines: `conversion` and `base`, the two leading spans, and the cloud under the current bar.

    `lead_a` and `lead_b` are the spans made now, to be drawn `base_length` bars ahead; `cloud_a` and `cloud_b`
    those that were made `base_length` bars ago, which is what a strategy compares the price with.
    """

    outputs = ("conversion", "base", "lead_a", "lead_b", "cloud_a", "cloud_b")

    def __init__(self, conversion_length: Length = 9, base_length: Length = 26, length: Length = 52) -> None:
        room = Derived((conversion_length, base_length, length), max)  # one shape, compiled once
        super().__init__(
            length, lengths={"conversion_length": conversion_length, "base_length": base_length},
            short=Span(room), middle=Span(room), long=Span(room),
            spans_a=Ring(base_length), spans_b=Ring(base_length),
        )  # fmt: skip

    def values_needed(self, sizes: Sizes) -> int:
        """Return the bars until the first span is below the current bar."""
        longest = max(sizes.length(length) for length in self.lengths.values())
        return longest + sizes.length(self.lengths["base_length"])


class Ring(Part):
    """The last n floats."""

    def __init__(self, length: Length) -> None:
        super().__init__(head=Int64, window=Array(Float64, length))


@indicator(Ichimoku)
def ichimoku(rec, high, low):
    """Take in a bar; return the conversion line, NaN until the cloud has come to the current bar.

    A line is (highest high + lowest low) / 2 of its bars; lead_a = (conversion + base) / 2, lead_b is that of
    `length` bars.
    Source: G. Hosoda, Ichimoku Kinko Hyo (1969).
    """
    if high + low != high + low:
        return math.nan
    conversion = _middle_of(rec.short, rec.conversion_length, high, low)
    base = _middle_of(rec.middle, rec.base_length, high, low)
    lead_a = 0.5 * (conversion + base)
    lead_b = _middle_of(rec.long, rec.length, high, low)
    cloud_a = slide(rec.spans_a, rec.base_length, lead_a)
    cloud_b = slide(rec.spans_b, rec.base_length, lead_b)
    rec.count += 1
    if rec.count < rec.needed:
        return math.nan
    rec.conversion = conversion
    rec.base = base
    rec.lead_a = lead_a
    rec.lead_b = lead_b
    rec.cloud_a = cloud_a
    rec.cloud_b = cloud_b
    return conversion


@kernel
def _middle_of(span, n, high, low):
    """Take in a bar; return the middle between the highest high and the lowest low of n."""
    return 0.5 * (highest_of(span.highs, n, 0.0 + high) - highest_of(span.lows, n, 0.0 - low))
