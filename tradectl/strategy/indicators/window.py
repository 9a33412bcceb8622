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

__all__ = ["Extreme", "Moments", "Paired", "Sum", "add", "higher", "highest_of", "pair", "scatter", "slide"]


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


@kernel
def higher(a, b):
    """Return the higher one of two, `a` where they are equal (so that 0.0 and -0.0 are the same everywhere)."""
    return b if b > a else a


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
    """The highest of the last n floats; before n values came in, of all of them."""

    def __init__(self, length: Length) -> None:
        super().__init__(head=Int64, is_full=Int64, back=Float64(-math.inf), window=Array(Float64, length))


@routine
def highest_of(rec, n, x):
    """Take in a value; return the highest of the last n (for the lowest: give 0.0 - x, and turn the sign again)."""
    i = rec.head
    top = higher(rec.back, x)
    rec.back = top
    rec.window[i] = x
    i += 1
    if i < n:
        rec.head = i
        return higher(top, rec.window[i]) if rec.is_full else top
    tail = -math.inf
    for k in range(n - 1, -1, -1):
        tail = higher(tail, rec.window[k])
        rec.window[k] = tail
    rec.head = 0
    rec.is_full = 1
    rec.back = -math.inf
    return top


@kernel
def _smallest(a, b, c):
    """Return the one of three that is next to 0: near the others, and never a spike that stands among them."""
    if abs(b) < abs(a):
        a = b
    return c if abs(c) < abs(a) else a


class Moments(Part):
    """Mean and sum of squared deviations (`m2`) of the last n floats; before n values came in, of all of them.

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
    z = x - rec.shift
    i += 1
    d = z - rec.back
    rec.back += d / i
    rec.back_m2 += d * (z - rec.back)
    rec.mean = rec.shift + rec.back
    rec.m2 = rec.back_m2
    if i == n:
        _turn(rec, n)
        return
    rec.head = i
    if rec.is_full:
        tail = rec.window[i]
        d = rec.back - tail
        share = i / n
        rec.mean = rec.shift + (tail + d * share)
        rec.m2 = rec.tails_m2[i] + rec.back_m2 + d * d * ((n - i) * share)


@kernel
def _turn(rec, n):
    """Make the tails of the full block, relative to another shift."""
    shift = _smallest(rec.window[0], rec.window[n // 2], rec.window[n - 1])
    mean = 0.0
    m2 = 0.0
    for k in range(n - 1, -1, -1):
        z = rec.window[k] - shift
        d = z - mean
        mean += d / (n - k)
        m2 += d * (z - mean)
        rec.window[k] = mean
        rec.tails_m2[k] = m2
    rec.shift = shift
    rec.head = 0
    rec.is_full = 1
    rec.back = 0.0
    rec.back_m2 = 0.0


class Paired(Part):
    """Means and sums of squared and of joint deviations of the last n pairs of floats.

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
    x -= rec.shift_x
    y -= rec.shift_y
    dx = x - rec.back_x
    dy = y - rec.back_y
    rec.back_x += dx / i
    rec.back_y += dy / i
    rec.back_m2_x += dx * (x - rec.back_x)
    rec.back_m2_y += dy * (y - rec.back_y)
    rec.back_joint += dx * (y - rec.back_y)
    if i < n and rec.is_full:
        _combine(rec, n, i)
    else:
        rec.mean_x = rec.shift_x + rec.back_x
        rec.mean_y = rec.shift_y + rec.back_y
        rec.m2_x = rec.back_m2_x
        rec.m2_y = rec.back_m2_y
        rec.joint = rec.back_joint
    rec.head = i
    if i == n:
        _turn_pair(rec, n)


@kernel
def _combine(rec, n, i):
    """Combine the tail of n - i pairs with the beginning of i pairs."""
    dx = rec.back_x - rec.tails_x[i]
    dy = rec.back_y - rec.tails_y[i]
    share = i / n
    weight = (n - i) * share
    rec.mean_x = rec.shift_x + (rec.tails_x[i] + dx * share)
    rec.mean_y = rec.shift_y + (rec.tails_y[i] + dy * share)
    rec.m2_x = rec.tails_m2_x[i] + rec.back_m2_x + dx * dx * weight
    rec.m2_y = rec.tails_m2_y[i] + rec.back_m2_y + dy * dy * weight
    rec.joint = rec.tails_joint[i] + rec.back_joint + dx * dy * weight


@kernel
def _turn_pair(rec, n):
    """Make the tails of the full block, relative to other shifts."""
    shift_x = _smallest(rec.tails_x[0], rec.tails_x[n // 2], rec.tails_x[n - 1])
    shift_y = _smallest(rec.tails_y[0], rec.tails_y[n // 2], rec.tails_y[n - 1])
    mean_x = mean_y = m2_x = m2_y = joint = 0.0
    for k in range(n - 1, -1, -1):
        x = rec.tails_x[k] - shift_x
        y = rec.tails_y[k] - shift_y
        dx = x - mean_x
        dy = y - mean_y
        mean_x += dx / (n - k)
        mean_y += dy / (n - k)
        m2_x += dx * (x - mean_x)
        m2_y += dy * (y - mean_y)
        joint += dx * (y - mean_y)
        rec.tails_x[k] = mean_x
        rec.tails_y[k] = mean_y
        rec.tails_m2_x[k] = m2_x
        rec.tails_m2_y[k] = m2_y
        rec.tails_joint[k] = joint
    rec.shift_x = shift_x
    rec.shift_y = shift_y
    rec.head = 0
    rec.is_full = 1
    rec.back_x = rec.back_y = rec.back_m2_x = rec.back_m2_y = rec.back_joint = 0.0
