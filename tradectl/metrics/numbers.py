"""Arithmetic that several families of metrics share; arrays are float64, what is undefined is NaN."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = [
    "NAN", "Floats", "compound", "deviation", "growth", "longest_run", "mean", "moments", "per_period", "ratio", "sound"
]  # fmt: skip

NAN = math.nan
ROUNDING = 1e-12  # a deviation below this part of the largest value is rounding, not spread
Floats = npt.NDArray[np.float64]


def ratio(above: float, below: float) -> float:
    """Return above ÷ below; NaN unless below > 0."""
    return above / below if below > 0.0 else NAN


def mean(values: Floats) -> float:
    """Return the arithmetic mean; NaN of nothing."""
    return float(values.mean()) if len(values) else NAN


def deviation(values: Floats, ddof: int = 1) -> float:
    """Return the standard deviation with n − ddof; 0 where values differ by rounding only, NaN of too few."""
    if len(values) <= ddof:
        return NAN
    found = float(np.std(values, ddof=ddof))
    return found if found > ROUNDING * float(np.abs(values).max()) else 0.0


def sound(returns: Floats, least: int = 2) -> bool:
    """Return whether there are at least `least` returns, all finite and above −1 (equity was never lost)."""
    return len(returns) >= least and bool(np.isfinite(returns).all() and (returns > -1.0).all())


def per_period(annual: float, periods: float) -> float:
    """Return a rate a year as one a period: (1 + annual) ^ (1 ÷ periods) − 1."""
    return float((1.0 + annual) ** (1.0 / periods)) - 1.0


def compound(returns: Floats) -> float:
    """Return Π (1 + r) − 1; NaN of nothing."""
    return float(np.prod(1.0 + returns)) - 1.0 if len(returns) else NAN


def growth(returns: Floats, periods: float, least: int = 2) -> float:
    """Return Π (1 + r) ^ (periods ÷ n) − 1; NaN of fewer than `least`, after a loss of all, or beyond floats."""
    if not sound(returns, least):
        return NAN
    power = float(np.log1p(returns).mean()) * periods
    return math.expm1(power) if power < 700.0 else NAN


def moments(returns: Floats) -> tuple[float, float, float]:
    """Return (mean ÷ deviation (n − 1), skewness, raw kurtosis) of returns; the last two of the population.

    All are NaN where the returns do not spread. A normal distribution has skewness 0 and kurtosis 3.
    """
    spread = deviation(returns) if sound(returns) else NAN
    if not spread > 0.0:
        return NAN, NAN, NAN
    centred = returns - returns.mean()
    variance = float((centred**2).mean())
    skew = float((centred**3).mean()) / variance**1.5
    return float(returns.mean()) / spread, skew, float((centred**4).mean()) / variance**2


def longest_run(flags: npt.NDArray[Any]) -> int:
    """Return the length of the longest unbroken run of true flags."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], flags, [False])).astype(np.int8)))
    return int((edges[1::2] - edges[::2]).max()) if len(edges) else 0
