"""Statistics of the last n values: moments, extremes, rank, correlation, regression."""

from __future__ import annotations

import math

from tradectl.core.functions import ratio
from tradectl.core.jit import kernel
from tradectl.strategy.indicators.base import Indicator, indicator
from tradectl.strategy.indicators.window import Extreme, Moments, Paired, highest_of, pair, scatter, slide
from tradectl.strategy.memory import Array, Float64, Int64, Length

__all__ = [
    "Extremum", "LinReg", "PairStats", "Rank", "Rolling", "beta", "correlation", "highest", "linreg", "lowest",
    "rank", "rolling", "rolling_std", "rolling_variance", "std", "variance", "zscore",
]  # fmt: skip


class Rolling(Indicator):
    """Mean (`mean`) and spread of the last `length` floats; squared deviations are divided by n - `ddof`."""

    outputs = ("value", "mean")

    def __init__(self, length: Length, ddof: float | str = 1) -> None:
        super().__init__(length, numbers={"ddof": ddof}, moments=Moments(length))


@indicator(Rolling)
def rolling(rec, x):
    """Take in a value; return the mean of the last n, NaN for the first length - 1 values.

    Mean and deviations by updating formulas, see `window.Moments`.
    """
    if x != x:
        return math.nan
    scatter(rec.moments, rec.length, x)
    rec.count += 1
    if rec.count < rec.length:
        return math.nan
    rec.mean = rec.moments.mean
    rec.value = rec.mean
    return rec.mean


@indicator(Rolling)
def rolling_variance(rec):
    """Return the variance of the last n values, NaN until ready or where n is not above ddof.

    sum of (x - mean)² / (n - ddof).
    """
    left = rec.length - rec.ddof
    if rec.count < rec.length or left <= 0.0:
        return math.nan
    return rec.moments.m2 / left


@indicator(Rolling)
def rolling_std(rec):
    """Return the standard deviation of the last n values, NaN until ready or where n is not above ddof."""
    return math.sqrt(rolling_variance(rec))


@indicator(Rolling)
def variance(rec, x):
    """Take in a value; return the variance of the last n, NaN for the first length - 1 values.

    sum of (x - mean)² / (n - ddof).
    """
    if rolling(rec, x) != rec.mean:
        return math.nan
    rec.value = rolling_variance(rec)
    return rec.value


@indicator(Rolling)
def std(rec, x):
    """Take in a value; return the standard deviation of the last n, NaN for the first length - 1 values.

    sqrt(sum of (x - mean)² / (n - ddof)).
    """
    if rolling(rec, x) != rec.mean:
        return math.nan
    rec.value = rolling_std(rec)
    return rec.value


@indicator(Rolling)
def zscore(rec, x):
    """Take in a value; return how many standard deviations it is above the mean of the last n, itself among them.

    (x - mean) / std; NaN for the first length - 1 values and where the deviation is 0.
    """
    if rolling(rec, x) != rec.mean:
        return math.nan
    rec.value = ratio(x - rec.mean, rolling_std(rec))
    return rec.value


class Extremum(Indicator):
    """Highest or lowest of the last `length` floats."""

    def __init__(self, length: Length) -> None:
        super().__init__(length, extreme=Extreme(length))


@indicator(Extremum)
def highest(rec, x):
    """Take in a value; return the highest of the last n, NaN for the first length - 1 values."""
    return _extreme(rec, x, 1.0)


@indicator(Extremum)
def lowest(rec, x):
    """Take in a value; return the lowest of the last n, NaN for the first length - 1 values."""
    return _extreme(rec, x, -1.0)


@kernel
def _extreme(rec, x, sign):
    if x != x:
        return math.nan
    top = highest_of(rec.extreme, rec.length, 0.0 + sign * x)
    rec.count += 1
    if rec.count < rec.length:
        return math.nan
    rec.value = 0.0 + sign * top
    return rec.value


class Rank(Indicator):
    """Percent rank of a value among the `length` values before it."""

    extra = 1

    def __init__(self, length: Length) -> None:
        super().__init__(length, head=Int64, window=Array(Float64, length))


@indicator(Rank)
def rank(rec, x):
    """Take in a value; return which part of the n values before are below it, in percent; NaN for the first n.

    O(n) a value. Source: L. Connors, C. Alvarez, An Introduction to ConnorsRSI (2012).
    """
    if x != x:
        return math.nan
    n = rec.length
    below = 0
    for k in range(n):
        below += 1 if rec.window[k] < x else 0
    slide(rec, n, x)
    rec.count += 1
    if rec.count < rec.needed:
        return math.nan
    rec.value = 100.0 * below / n
    return rec.value


class PairStats(Indicator):
    """How two series go together over the last `length` pairs; NaN where one stands still.

    With `beta`, `intercept` is that of the line y = intercept + value * x, and `residual` how far the newest pair is
    above it.
    """

    outputs = ("value", "intercept", "residual")

    def __init__(self, length: Length) -> None:
        super().__init__(length, paired=Paired(length))


@indicator(PairStats)
def beta(rec, x, y):
    """Take in a pair; return the slope of y on x (a hedge ratio), NaN for the first length - 1 pairs.

    beta = sum of (x - mean x)(y - mean y) / sum of (x - mean x)², intercept = mean y - beta * mean x.
    Source: least squares, C. F. Gauss (1809); as a hedge ratio, E. Gatev and others, Pairs Trading (2006).
    """
    if not _is_paired(rec, x, y):
        return math.nan
    paired = rec.paired
    rec.value = paired.joint / paired.m2_x if paired.m2_x > 0.0 else math.nan
    rec.intercept = paired.mean_y - rec.value * paired.mean_x
    rec.residual = (y - paired.mean_y) - rec.value * (x - paired.mean_x)
    return rec.value


@indicator(PairStats)
def correlation(rec, x, y):
    """Take in a pair; return the correlation, NaN for the first length - 1 pairs.

    r = sum of (x - mean x)(y - mean y) / sqrt(sum of (x - mean x)² * sum of (y - mean y)²).
    Source: K. Pearson (1895).
    """
    if not _is_paired(rec, x, y):
        return math.nan
    spread = math.sqrt(rec.paired.m2_x) * math.sqrt(rec.paired.m2_y)
    rec.value = rec.paired.joint / spread if spread > 0.0 else math.nan
    return rec.value


@kernel
def _is_paired(rec, x, y):
    """Take in a pair unless one of the two is NaN; return whether it was and there are enough."""
    if x + y != x + y:
        return False
    pair(rec.paired, rec.length, float(x), float(y))
    rec.count += 1
    return rec.count >= rec.length


class LinReg(Indicator):
    """Least squares line over the last `length` values against time.

    `value` is its newest point, `slope` its rise a value, `intercept` its oldest point, `r2` the share of the
    squared deviations it explains (NaN where the series stands still).
    """

    outputs = ("value", "slope", "intercept", "r2")

    def __init__(self, length: Length) -> None:
        super().__init__(length, paired=Paired(length))


@indicator(LinReg)
def linreg(rec, x):
    """Take in a value; return the line's newest point, NaN for the first length - 1 values (n must be 2 or more).

    slope = sum of (t - mean t)(x - mean x) / sum of (t - mean t)², value = mean x + slope * (n - 1) / 2.
    Source: least squares, C. F. Gauss (1809).
    """
    if x != x:
        return math.nan
    paired = rec.paired
    rec.count += 1
    pair(paired, rec.length, float(rec.count), float(x))
    if rec.count < rec.length:
        return math.nan
    rec.slope = paired.joint / paired.m2_x if rec.length > 1 else math.nan
    reach = rec.slope * (0.5 * (rec.length - 1))
    rec.value = paired.mean_y + reach
    rec.intercept = paired.mean_y - reach
    spread = paired.m2_x * paired.m2_y
    rec.r2 = paired.joint * paired.joint / spread if spread > 0.0 else math.nan
    return rec.value
