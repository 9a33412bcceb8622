"""Sums, extremes and moments of the last n values: O(1) a value on average, without drift and without cancellation.

Time is cut into blocks of n values. What is kept of the block before are the totals of its tails, made once
when it was full; what is kept of the block at hand is the total so far. The last n values are a tail and a
beginning: their total is one combination of two, nothing is ever taken away again, so no error outlives 2n values.
(The sliding window out of two stacks, as for any associative operation.)
"""

from __future__ import annotations

import math

from tradectl.core.jit import kernel, routine
from tradectl.strategy.indicators.base import Part
from tradectl.strategy.memory import Array, Float64, Int64, Length

__all__ = ["Extreme", "Moments", "Paired", "Sum", "add", "highest_of", "pair", "scatter", "slide"]


@kernel
def slide(rec, n, x):
    """Put a value into a ring (`head`, `window`) of n; return the one that was there n values ago."""
    i = rec.head
    old = rec.window[i]
    rec.window[i] = x
    i += 1
    rec.head = 0 if i == n else i
    return old


class Sum(Part):
    """The sum of the last n floats; before n values came in, of all of them."""

    def __init__(self, length: Length) -> None:
        super().__init__(head=Int64, back=Float64, window=Array(Float64, length))


@routine
def add(rec, n, x):
    """Take in a value; return the sum of the last n."""
    i = rec.head
    rec.back += x
    rec.window[i] = x
    i += 1
    if i < n:
        rec.head = i
        return rec.back + rec.window[i]
    total = 0.0
    for k in range(n - 1, -1, -1):
        total += rec.window[k]
        rec.window[k] = total
    total = rec.back
    rec.head = 0
    rec.back = 0.0
    return total


class Extreme(Part):
    """The highest of the last n floats, once n came in."""

    def __init__(self, length: Length) -> None:
        super().__init__(head=Int64, back=Float64(-math.inf), window=Array(Float64, length))


@routine
def highest_of(rec, n, x):
    """Take in a value; return the highest of the last n (for the lowest: give 0.0 - x, and turn the sign again).

    Of equal values the first one stays, so that 0.0 and -0.0 are the same, compiled and plain.
    """
    i = rec.head
    top = rec.back
    if x > top:
        top = x
    rec.window[i] = x
    i += 1
    if i < n:
        rec.head = i
        rec.back = top
        tail = rec.window[i]
        return tail if tail > top else top
    tail = x
    for k in range(n - 1, -1, -1):
        x = rec.window[k]
        if x > tail:
            tail = x
        rec.window[k] = tail
    rec.head = 0
    rec.back = -math.inf
    return top


class Moments(Part):
    """Mean and sum of squared deviations (`m2`) of the last n floats, once n came in.

    Both are relative to `shift`, a value of the window, and combined without a difference of big numbers.
    Source: T. Chan, G. Golub, R. LeVeque, Updating Formulae and a Pairwise Algorithm for Computing Sample
    Variances (1979); B. Welford (1962).
    """

    def __init__(self, length: Length) -> None:
        super().__init__(
            head=Int64, is_full=Int64, shift=Float64, mean=Float64, m2=Float64, back=Float64, back_m2=Float64,
            window=Array(Float64, length), tails_m2=Array(Float64, length),
        )  # fmt: skip


@routine
def scatter(rec, n, x):
    """Take in a value; `mean` and `m2` are those of the last n then."""
    i = rec.head
    if i == 0 and rec.is_full == 0:
        rec.shift = x
    rec.window[i] = x
    i += 1
    x -= rec.shift
    mean = rec.back
    d = x - mean
    mean += d / i
    m2 = rec.back_m2 + d * (x - mean)
    rec.head = i
    rec.back = mean
    rec.back_m2 = m2
    if i < n:
        tail = rec.window[i]
        d = mean - tail
        share = i / n
        rec.mean = rec.shift + (tail + d * share)
        rec.m2 = rec.tails_m2[i] + m2 + d * d * ((n - i) * share)
        return
    rec.mean = rec.shift + mean
    rec.m2 = m2
    # The block is full: its tails, relative to an end of it that is no spike.
    first = rec.window[0]
    shift = rec.window[n - 1]
    if abs(first) < abs(shift):
        shift = first
    mean = 0.0
    m2 = 0.0
    for k in range(n - 1, -1, -1):
        x = rec.window[k] - shift
        d = x - mean
        mean += d / (n - k)
        m2 += d * (x - mean)
        rec.window[k] = mean
        rec.tails_m2[k] = m2
    rec.shift = shift
    rec.head = 0
    rec.is_full = 1
    rec.back = 0.0
    rec.back_m2 = 0.0


class Paired(Part):
    """Means and sums of squared and of joint deviations of the last n pairs of floats, once n came in.

    As in `Moments`; `m2_x`, `m2_y` are the sums of squared deviations, `joint` that of their products.
    """

    def __init__(self, length: Length) -> None:
        numbers = "shift_x shift_y mean_x mean_y m2_x m2_y joint back_x back_y back_m2_x back_m2_y back_joint"
        arrays = "tails_x tails_y tails_m2_x tails_m2_y tails_joint"
        super().__init__(
            head=Int64,
            is_full=Int64,
            **dict.fromkeys(numbers.split(), Float64),
            **{name: Array(Float64, length) for name in arrays.split()},
        )


@routine
def pair(rec, n, x, y):
    """Take in a pair; the means, squares and `joint` are those of the last n pairs then."""
    i = rec.head
    if i == 0 and rec.is_full == 0:
        rec.shift_x = x
        rec.shift_y = y
    rec.tails_x[i] = x
    rec.tails_y[i] = y
    i += 1
    rec.head = i
    _grow(rec, i, x - rec.shift_x, y - rec.shift_y)
    if i == n:
        rec.mean_x = rec.shift_x + rec.back_x
        rec.mean_y = rec.shift_y + rec.back_y
        rec.m2_x = rec.back_m2_x
        rec.m2_y = rec.back_m2_y
        rec.joint = rec.back_joint
        _turn(rec, n)
        return
    x = rec.tails_x[i]
    y = rec.tails_y[i]
    dx = rec.back_x - x
    dy = rec.back_y - y
    share = i / n
    weight = (n - i) * share
    rec.mean_x = rec.shift_x + (x + dx * share)
    rec.mean_y = rec.shift_y + (y + dy * share)
    rec.m2_x = rec.tails_m2_x[i] + rec.back_m2_x + dx * dx * weight
    rec.m2_y = rec.tails_m2_y[i] + rec.back_m2_y + dy * dy * weight
    rec.joint = rec.tails_joint[i] + rec.back_joint + dx * dy * weight


@kernel
def _grow(rec, count, x, y):
    """Take a pair, the `count`-th, into what is kept of the block at hand."""
    dx = x - rec.back_x
    dy = y - rec.back_y
    rec.back_x += dx / count
    rec.back_y += dy / count
    y -= rec.back_y
    rec.back_m2_x += dx * (x - rec.back_x)
    rec.back_m2_y += dy * y
    rec.back_joint += dx * y


@kernel
def _turn(rec, n):
    """Make the tails of the full block, relative to an end of each series that is no spike; begin another one."""
    x = rec.tails_x[0]
    y = rec.tails_y[0]
    rec.shift_x = rec.tails_x[n - 1]
    rec.shift_y = rec.tails_y[n - 1]
    if abs(x) < abs(rec.shift_x):
        rec.shift_x = x
    if abs(y) < abs(rec.shift_y):
        rec.shift_y = y
    _clear(rec)
    for k in range(n - 1, -1, -1):
        _grow(rec, n - k, rec.tails_x[k] - rec.shift_x, rec.tails_y[k] - rec.shift_y)
        rec.tails_x[k] = rec.back_x
        rec.tails_y[k] = rec.back_y
        rec.tails_m2_x[k] = rec.back_m2_x
        rec.tails_m2_y[k] = rec.back_m2_y
        rec.tails_joint[k] = rec.back_joint
    _clear(rec)
    rec.head = 0
    rec.is_full = 1


@kernel
def _clear(rec):
    rec.back_x = 0.0
    rec.back_y = 0.0
    rec.back_m2_x = 0.0
    rec.back_m2_y = 0.0
    rec.back_joint = 0.0
