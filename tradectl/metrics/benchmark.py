"""Metrics against a benchmark: buying and holding the run's instruments, unless another one is given."""

from __future__ import annotations

import math

import numpy as np

from tradectl.metrics import basic
from tradectl.metrics.numbers import NAN, Floats, compound, deviation, growth, mean, per_period, ratio
from tradectl.metrics.sample import Metric, Sample

__all__ = ["METRICS"]


def _excess(sample: Sample) -> tuple[Floats, Floats]:
    """Return (returns, benchmark's returns) less the risk-free rate of a day."""
    mine, other = sample.paired()
    free = per_period(sample.conventions.risk_free, sample.conventions.periods_per_year)
    return mine - free, other - free


def benchmark_return(sample: Sample) -> float:
    """Return Π (1 + b) − 1 of the benchmark's daily returns, a fraction."""
    return compound(sample.benchmark) if sample.benchmark is not None else NAN


def excess_return(sample: Sample) -> float:
    """Return total return − the benchmark's, a fraction."""
    return basic.total_return(sample.run) - benchmark_return(sample)


def beta(sample: Sample) -> float:
    """Return cov(r, b) ÷ var(b) of daily returns (W. Sharpe, 1964), a ratio."""
    mine, other = sample.paired()
    if not deviation(other) > 0.0:
        return NAN
    return ratio(float(((mine - mean(mine)) * (other - mean(other))).mean()), float(other.var()))


def alpha(sample: Sample) -> float:
    """Return (mean r − beta × mean b) × periods of daily excess returns (M. Jensen, 1968), a fraction a year."""
    mine, other = _excess(sample)
    return (mean(mine) - beta(sample) * mean(other)) * sample.conventions.periods_per_year


def correlation(sample: Sample) -> float:
    """Return cov(r, b) ÷ (σ(r) σ(b)) of daily returns (Pearson), a ratio."""
    mine, other = sample.paired()
    if not (deviation(mine) > 0.0 and deviation(other) > 0.0):
        return NAN
    return float(((mine - mine.mean()) * (other - other.mean())).mean() / (mine.std() * other.std()))


def r_squared(sample: Sample) -> float:
    """Return correlation²: the part of the variance that the benchmark explains, a fraction."""
    return correlation(sample) ** 2


def tracking_error(sample: Sample) -> float:
    """Return the deviation (n − 1) of r − b × √periods of daily returns, a fraction a year."""
    mine, other = sample.paired()
    return deviation(mine - other) * math.sqrt(sample.conventions.periods_per_year)


def information_ratio(sample: Sample) -> float:
    """Return mean(r − b) ÷ deviation (n − 1) of r − b × √periods (Grinold and Kahn, 1995), a ratio."""
    mine, other = sample.paired()
    return ratio(mean(mine - other) * sample.conventions.periods_per_year, tracking_error(sample))


def treynor(sample: Sample) -> float:
    """Return mean excess return × periods ÷ beta (J. Treynor, 1965), a fraction a year; NaN unless beta > 0."""
    mine, _ = _excess(sample)
    return ratio(mean(mine) * sample.conventions.periods_per_year, beta(sample))


def _capture(sample: Sample, days: str) -> float:
    mine, other = sample.paired()
    chosen = other > 0.0 if days == "up" else other < 0.0
    return mean(mine[chosen]) / mean(other[chosen]) if chosen.any() else NAN


def up_capture(sample: Sample) -> float:
    """Return mean r ÷ mean b over the days on which the benchmark rose, a ratio."""
    return _capture(sample, "up")


def down_capture(sample: Sample) -> float:
    """Return mean r ÷ mean b over the days on which the benchmark fell, a ratio; below 1: lost less."""
    return _capture(sample, "down")


def capture_ratio(sample: Sample) -> float:
    """Return up capture ÷ down capture, a ratio; NaN unless the latter is above 0."""
    return ratio(up_capture(sample), down_capture(sample))


def batting_average(sample: Sample) -> float:
    """Return the days with r > b ÷ all days, a fraction."""
    mine, other = sample.paired()
    return mean((mine > other).astype(np.float64))


def benchmark_growth(sample: Sample) -> float:
    """Return compound growth a year of the benchmark's daily returns, a fraction a year."""
    return (
        growth(sample.benchmark, sample.conventions.periods_per_year) if sample.benchmark is not None else NAN
    )


METRICS: dict[str, Metric] = {
    "benchmark_return": Metric(benchmark_return, "fraction", "return of buy and hold"),
    "benchmark_growth": Metric(benchmark_growth, "fraction", "growth of buy and hold, a year"),
    "excess_return": Metric(excess_return, "fraction", "return above buy and hold"),
    "alpha": Metric(alpha, "fraction", "alpha, a year"),
    "beta": Metric(beta, "ratio", "beta"),
    "correlation": Metric(correlation, "ratio", "correlation with buy and hold"),
    "r_squared": Metric(r_squared, "fraction", "R²"),
    "tracking_error": Metric(tracking_error, "fraction", "tracking error, a year"),
    "information_ratio": Metric(information_ratio, "ratio", "information ratio"),
    "treynor": Metric(treynor, "fraction", "Treynor ratio"),
    "up_capture": Metric(up_capture, "ratio", "up capture"),
    "down_capture": Metric(down_capture, "ratio", "down capture"),
    "capture_ratio": Metric(capture_ratio, "ratio", "capture ratio"),
    "batting_average": Metric(batting_average, "fraction", "days ahead of buy and hold"),
}
