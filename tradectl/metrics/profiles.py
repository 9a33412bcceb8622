"""How the metrics of another package stand in the registry: functions of arrays, called with a sample."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from tradectl.metrics.numbers import NAN, Floats
from tradectl.metrics.sample import Sample

__all__ = ["OfReturns", "deviation", "divide", "profile"]

OfReturns = Callable[[Floats], float]
OfYear = Callable[[Floats, float], float]  # returns, periods a year
OfPair = Callable[[Floats, Floats], float]  # returns, benchmark's returns
OfPairYear = Callable[[Floats, Floats, float], float]
OfSample = Callable[[Sample], float]


def divide(above: float, below: float) -> float:
    """Return above ÷ below as floats do it: infinite, or NaN for 0 ÷ 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(np.float64(above) / np.float64(below))


def deviation(returns: Floats) -> float:
    """Return the standard deviation with n − 1; NaN of fewer than two."""
    return float(returns.std(ddof=1)) if len(returns) > 1 else NAN


def profile(
    returns: Mapping[str, OfReturns],
    yearly: Mapping[str, OfYear],
    paired: Mapping[str, OfPair],
    paired_yearly: Mapping[str, OfPairYear],
) -> dict[str, OfSample]:
    """Return functions of a sample by name; NaN where there are no returns, or no benchmark, or they are not finite."""
    return {
        **{name: _alone(_yearless(function)) for name, function in returns.items()},
        **{name: _alone(function) for name, function in yearly.items()},
        **{name: _against(_yearless_pair(function)) for name, function in paired.items()},
        **{name: _against(function) for name, function in paired_yearly.items()},
    }


def _yearless(function: OfReturns) -> OfYear:
    return lambda returns, _periods: function(returns)


def _yearless_pair(function: OfPair) -> OfPairYear:
    return lambda returns, other, _periods: function(returns, other)


def _alone(function: OfYear) -> OfSample:
    def of_sample(sample: Sample) -> float:
        known = len(sample.returns) > 0 and bool(np.isfinite(sample.returns).all())
        return function(sample.returns, sample.conventions.periods_per_year) if known else NAN

    return of_sample


def _against(function: OfPairYear) -> OfSample:
    def of_sample(sample: Sample) -> float:
        mine, other = sample.returns, sample.benchmark
        if other is None or not 0 < len(mine) == len(other) or not np.isfinite([mine, other]).all():
            return NAN
        return function(mine, other, sample.conventions.periods_per_year)

    return of_sample
