"""Oscillators: relative strength, rate of change."""

from __future__ import annotations

import math

from tradectl.strategy.indicators.base import Indicator, indicator
from tradectl.strategy.indicators.moving_average import smooth
from tradectl.strategy.memory import Array, Float64, Int64

__all__ = ["Roc", "Rsi", "momentum", "roc", "rsi"]


class Rsi(Indicator):
    """Wilder's relative strength index of `length` changes; `value` holds it once ready."""

    extra = 1

    def __init__(self, length: int | str) -> None:
        super().__init__(length, alpha=Float64, previous=Float64, gain=Float64, loss=Float64, value=Float64)


@indicator(Rsi)
def rsi(rec, price):
    """Take in a price (or ticks); return the index in 0..100, NaN for the first `length` prices.

    With up and down Wilder's averages of rises and falls: 100 * up / (up + down), 50 where both are zero.
    Source: J. Welles Wilder, New Concepts in Technical Trading Systems (1978).
    """
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

    def __init__(self, length: int | str) -> None:
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
    i = rec.head
    old = rec.window[i]
    rec.window[i] = price
    i += 1
    rec.head = 0 if i == rec.length else i
    rec.count += 1
    if rec.count <= rec.length or (relative and old == 0.0):
        return math.nan
    rec.value = price / old - 1.0 if relative else price - old
    return rec.value
