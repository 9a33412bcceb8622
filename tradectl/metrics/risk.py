"""Metrics of the spread and the tails of daily returns; losses are told as positive fractions."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np

from tradectl.metrics.numbers import NAN, deviation, moments, ratio
from tradectl.metrics.sample import Metric, Sample

__all__ = ["METRICS", "downside"]

NORMAL = NormalDist()


def downside(sample: Sample) -> float:
    """Return √(Σ min(r − target, 0)² ÷ n) of daily returns, a fraction a day; NaN of too few."""
    if not sample.is_sound:
        return NAN
    below = np.minimum(sample.returns - sample.conventions.target, 0.0)
    return math.sqrt(float((below**2).mean()))


def downside_deviation(sample: Sample) -> float:
    """Return √(Σ min(r − target, 0)² ÷ n) × √periods of days (Sortino and van der Meer, 1991), a fraction a year."""
    return downside(sample) * math.sqrt(sample.conventions.periods_per_year)


def value_at_risk(sample: Sample) -> float:
    """Return −(5 % quantile of daily returns, linear): the loss that 95 % of the days stay above, a fraction."""
    return -float(np.quantile(sample.returns, sample.conventions.tail)) if sample.is_sound else NAN


def cvar(sample: Sample) -> float:
    """Return −mean of the daily returns at or below the 5 % quantile (Rockafellar and Uryasev, 2000), a fraction."""
    if not sample.is_sound:
        return NAN
    returns = sample.returns
    return -float(returns[returns <= np.quantile(returns, sample.conventions.tail)].mean())


def normal_value_at_risk(sample: Sample) -> float:
    """Return −(m + s z) of days: mean m, deviation s (n − 1), 5 % quantile z of a normal distribution, a fraction."""
    if not sample.is_sound:
        return NAN
    quantile = NORMAL.inv_cdf(sample.conventions.tail)
    return -(float(sample.returns.mean()) + deviation(sample.returns) * quantile)


def cornish_fisher_value_at_risk(sample: Sample) -> float:
    """Return the normal VaR with z corrected for skewness S and kurtosis K (Zangari, 1996), a fraction.

    z + (z² − 1) S ÷ 6 + (z³ − 3 z)(K − 3) ÷ 24 − (2 z³ − 5 z) S² ÷ 36.
    """
    _, lean, kurt = moments(sample.returns)
    z = NORMAL.inv_cdf(sample.conventions.tail)
    bent = z + (z**2 - 1) * lean / 6 + (z**3 - 3 * z) * (kurt - 3) / 24 - (2 * z**3 - 5 * z) * lean**2 / 36
    return -(float(sample.returns.mean()) + deviation(sample.returns) * bent) if math.isfinite(bent) else NAN


def tail_ratio(sample: Sample) -> float:
    """Return |95 % quantile| ÷ |5 % quantile| of daily returns (linear), a ratio; above 1: gains reach farther."""
    if not sample.is_sound:
        return NAN
    tail = sample.conventions.tail
    low, high = np.quantile(sample.returns, [tail, 1.0 - tail])
    return ratio(abs(float(high)), abs(float(low)))


def skew(sample: Sample) -> float:
    """Return Σ (r − m)³ ÷ n ÷ σ³ of daily returns with mean m and deviation σ (n), a ratio; below 0: long left tail."""
    return moments(sample.returns)[1]


def kurtosis(sample: Sample) -> float:
    """Return Σ (r − m)⁴ ÷ n ÷ σ⁴ of daily returns (raw), a ratio; a normal distribution has 3."""
    return moments(sample.returns)[2]


METRICS: dict[str, Metric] = {
    "downside_deviation": Metric(downside_deviation, "fraction", "downside deviation, a year"),
    "value_at_risk": Metric(value_at_risk, "fraction", "value at risk, a day"),
    "cvar": Metric(cvar, "fraction", "conditional value at risk, a day"),
    "normal_value_at_risk": Metric(normal_value_at_risk, "fraction", "value at risk, normal"),
    "cornish_fisher_value_at_risk": Metric(
        cornish_fisher_value_at_risk, "fraction", "value at risk, Cornish-Fisher"
    ),
    "tail_ratio": Metric(tail_ratio, "ratio", "tail ratio"),
    "skew": Metric(skew, "ratio", "skewness"),
    "kurtosis": Metric(kurtosis, "ratio", "kurtosis"),
}
