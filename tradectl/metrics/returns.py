"""Metrics of returns by day, month and year. Fractions: 0.01 is 1 %."""

from __future__ import annotations

import math

import numpy as np

from tradectl.metrics.numbers import NAN, Floats, deviation, growth, longest_run, mean, ratio
from tradectl.metrics.sample import Metric, Sample

__all__ = ["METRICS"]


def best(returns: Floats) -> float:
    """Return the largest; NaN of nothing."""
    return float(returns.max()) if len(returns) else NAN


def worst(returns: Floats) -> float:
    """Return the smallest; NaN of nothing."""
    return float(returns.min()) if len(returns) else NAN


def positive(returns: Floats) -> float:
    """Return the part above 0; NaN of nothing."""
    return float((returns > 0.0).mean()) if len(returns) else NAN


def mean_day(sample: Sample) -> float:
    """Return Σ r ÷ n of daily returns, a fraction."""
    return mean(sample.returns)


def median_day(sample: Sample) -> float:
    """Return the median of daily returns, a fraction."""
    return float(np.median(sample.returns)) if len(sample.returns) else NAN


def geometric_day(sample: Sample) -> float:
    """Return Π (1 + r) ^ (1 ÷ n) − 1 of daily returns, a fraction."""
    return growth(sample.returns, 1.0, least=1)


def mean_up_day(sample: Sample) -> float:
    """Return the mean of the daily returns above 0, a fraction."""
    return mean(sample.returns[sample.returns > 0.0])


def mean_down_day(sample: Sample) -> float:
    """Return the mean of the daily returns below 0, a fraction."""
    return mean(sample.returns[sample.returns < 0.0])


def best_day(sample: Sample) -> float:
    """Return the largest daily return, a fraction."""
    return best(sample.returns)


def worst_day(sample: Sample) -> float:
    """Return the smallest daily return, a fraction."""
    return worst(sample.returns)


def best_month(sample: Sample) -> float:
    """Return the largest compound return of a calendar month (UTC; the outer ones may be short), a fraction."""
    return best(sample.months())


def worst_month(sample: Sample) -> float:
    """Return the smallest compound return of a calendar month (UTC; the outer ones may be short), a fraction."""
    return worst(sample.months())


def best_year(sample: Sample) -> float:
    """Return the largest compound return of a calendar year (UTC; the outer ones may be short), a fraction."""
    return best(sample.months("Y"))


def worst_year(sample: Sample) -> float:
    """Return the smallest compound return of a calendar year (UTC; the outer ones may be short), a fraction."""
    return worst(sample.months("Y"))


def positive_days(sample: Sample) -> float:
    """Return the days with a return above 0 ÷ all days, a fraction."""
    return positive(sample.returns)


def positive_months(sample: Sample) -> float:
    """Return the calendar months with a return above 0 ÷ all months, a fraction."""
    return positive(sample.months())


def up_streak_days(sample: Sample) -> float:
    """Return the most days in a row with a return above 0."""
    return float(longest_run(sample.returns > 0.0))


def down_streak_days(sample: Sample) -> float:
    """Return the most days in a row with a return below 0."""
    return float(longest_run(sample.returns < 0.0))


def autocorrelation(sample: Sample) -> float:
    """Return Σ (rₜ − m)(rₜ₋₁ − m) ÷ Σ (rₜ − m)² of days, mean m (lag 1; Box and Jenkins, 1970), a ratio."""
    if not (sample.is_sound and deviation(sample.returns) > 0.0):
        return NAN
    centred = sample.returns - sample.returns.mean()
    return float((centred[1:] * centred[:-1]).sum() / (centred**2).sum())


def stability(sample: Sample) -> float:
    """Return R² of a straight line through the cumulative log returns by day, a ratio in 0…1; 1: steady growth."""
    if not sample.is_sound:
        return NAN
    path = np.cumsum(np.log1p(sample.returns))
    time = np.arange(len(path)) - (len(path) - 1) / 2.0
    centred = path - path.mean()
    total = float((centred**2).sum())
    if not math.sqrt(total) > 1e-12 * float(np.abs(path).max()):
        return NAN
    return ratio(float((time * centred).sum()) ** 2, float((time**2).sum()) * total)


METRICS: dict[str, Metric] = {
    "mean_day": Metric(mean_day, "fraction", "mean day"),
    "median_day": Metric(median_day, "fraction", "median day"),
    "geometric_day": Metric(geometric_day, "fraction", "geometric mean day"),
    "mean_up_day": Metric(mean_up_day, "fraction", "mean day above 0"),
    "mean_down_day": Metric(mean_down_day, "fraction", "mean day below 0"),
    "best_day": Metric(best_day, "fraction", "best day"),
    "worst_day": Metric(worst_day, "fraction", "worst day"),
    "best_month": Metric(best_month, "fraction", "best month"),
    "worst_month": Metric(worst_month, "fraction", "worst month"),
    "best_year": Metric(best_year, "fraction", "best year"),
    "worst_year": Metric(worst_year, "fraction", "worst year"),
    "positive_days": Metric(positive_days, "fraction", "days above 0"),
    "positive_months": Metric(positive_months, "fraction", "months above 0"),
    "up_streak_days": Metric(up_streak_days, "days", "longest run of days above 0"),
    "down_streak_days": Metric(down_streak_days, "days", "longest run of days below 0"),
    "autocorrelation": Metric(autocorrelation, "ratio", "autocorrelation of days"),
    "stability": Metric(stability, "ratio", "stability (R² of log equity)"),
}
