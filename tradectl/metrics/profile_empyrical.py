"""The numbers of empyrical-reloaded 0.7.1 with its defaults (252 days a year), where it has the metric.

Skewness and kurtosis are scipy's, as in that package's table of simple statistics. Edge cases are the package's too:
what divides by 0 there is infinite here as well.
"""

from __future__ import annotations

import math

import numpy as np

from tradectl.metrics.numbers import NAN, Floats, mean
from tradectl.metrics.profile_quantstats import drawdowns, omega, total_return, volatility
from tradectl.metrics.profiles import deviation, divide, profile

__all__ = ["METRICS"]

CUTOFF = 0.05
LEAST_VARIANCE = 1e-30


def annual_return(returns: Floats, periods: float) -> float:
    """Return Π (1 + r) ^ (periods ÷ n) − 1; NaN of nothing, or below 0."""
    if not len(returns):
        return NAN
    with np.errstate(over="ignore", invalid="ignore"):
        return float(np.prod(1.0 + returns) ** (periods / len(returns))) - 1.0


def spread(returns: Floats) -> float:
    """Return the deviation (n − 1), exactly 0 where all returns are equal; NaN of fewer than two."""
    return 0.0 if len(returns) > 1 and returns.max() == returns.min() else deviation(returns)


def sharpe(returns: Floats, periods: float) -> float:
    """Return mean ÷ deviation (n − 1) × √periods."""
    return divide(float(returns.mean()), spread(returns)) * math.sqrt(periods)


def downside_risk(returns: Floats, periods: float) -> float:
    """Return √(Σ min(r, 0)² ÷ n) × √periods."""
    return math.sqrt(float((np.minimum(returns, 0.0) ** 2).mean())) * math.sqrt(periods)


def sortino(returns: Floats, periods: float) -> float:
    """Return mean × periods ÷ downside risk."""
    enough = len(returns) > 1
    return divide(float(returns.mean()) * periods, downside_risk(returns, periods)) if enough else NAN


def max_drawdown(returns: Floats) -> float:
    """Return the lowest equity ÷ peak − 1."""
    return float(drawdowns(returns).min())


def calmar(returns: Floats, periods: float) -> float:
    """Return annual return ÷ |max drawdown|; NaN without a drawdown."""
    deepest = max_drawdown(returns)
    found = annual_return(returns, periods) / -deepest if deepest < 0.0 else NAN
    return found if math.isfinite(found) else NAN


def tail_ratio(returns: Floats) -> float:
    """Return |95 % percentile| ÷ |5 % percentile|."""
    low, high = np.percentile(returns, [5, 95])
    return divide(abs(float(high)), abs(float(low)))


def value_at_risk(returns: Floats) -> float:
    """Return the 5 % percentile."""
    return float(np.percentile(returns, 100 * CUTOFF))


def cvar(returns: Floats) -> float:
    """Return the mean of the lowest 1 + ⌊(n − 1) × 0.05⌋ returns."""
    return float(np.sort(returns)[: int((len(returns) - 1) * CUTOFF) + 1].mean())


def stability(returns: Floats) -> float:
    """Return R² of a straight line through the cumulative log returns."""
    if len(returns) < 2:
        return NAN
    with np.errstate(divide="ignore", invalid="ignore"):
        path = np.cumsum(np.log1p(returns))
        time = np.arange(len(path)) - (len(path) - 1) / 2.0
        centred = path - path.mean()
        return divide(float((time * centred).sum()) ** 2, float((time**2).sum() * (centred**2).sum()))


def _standardised(returns: Floats, power: int) -> float:
    """Return Σ (r − m)^power ÷ n ÷ σ^power of the population; NaN where all are equal."""
    centred = returns - returns.mean()
    variance = float((centred**2).mean())
    flat = variance <= (np.finfo(float).eps * float(returns.mean())) ** 2
    return NAN if flat else float((centred**power).mean()) / variance ** (power / 2)


def skew(returns: Floats) -> float:
    """Return the skewness of the population."""
    return _standardised(returns, 3)


def kurtosis(returns: Floats) -> float:
    """Return the excess kurtosis of the population."""
    return _standardised(returns, 4) - 3.0


def beta(returns: Floats, other: Floats) -> float:
    """Return cov(r, b) ÷ var(b); NaN where the benchmark does not move."""
    centred = other - other.mean()
    variance = float((centred**2).mean())
    if len(returns) < 2 or variance < LEAST_VARIANCE:
        return NAN
    return float((centred * returns).mean()) / variance


def alpha(returns: Floats, other: Floats, periods: float) -> float:
    """Return (1 + mean(r − beta b)) ^ periods − 1."""
    with np.errstate(over="ignore", invalid="ignore"):
        return float(np.float64(1.0 + mean(returns - beta(returns, other) * other)) ** periods) - 1.0


def excess_sharpe(returns: Floats, other: Floats) -> float:
    """Return mean ÷ deviation (n − 1) of r − b, of days."""
    return divide(float((returns - other).mean()), spread(returns - other)) if len(returns) > 1 else NAN


def up_capture(returns: Floats, other: Floats, periods: float) -> float:
    """Return annual return ÷ the benchmark's over the days on which that rose."""
    rose = other > 0.0
    return divide(annual_return(returns[rose], periods), annual_return(other[rose], periods))


def down_capture(returns: Floats, other: Floats, periods: float) -> float:
    """Return annual return ÷ the benchmark's over the days on which that fell."""
    fell = other < 0.0
    return divide(annual_return(returns[fell], periods), annual_return(other[fell], periods))


def capture_ratio(returns: Floats, other: Floats, periods: float) -> float:
    """Return up capture ÷ down capture."""
    return divide(up_capture(returns, other, periods), down_capture(returns, other, periods))


def batting_average(returns: Floats, other: Floats) -> float:
    """Return the days with r > b ÷ all days."""
    return mean((returns - other > 0.0).astype(np.float64))


METRICS = profile(
    returns={
        "total_return": total_return, "max_drawdown": max_drawdown, "daily_drawdown": max_drawdown,
        "omega": omega, "value_at_risk": value_at_risk, "cvar": cvar, "tail_ratio": tail_ratio,
        "stability": stability, "skew": skew, "kurtosis": kurtosis,
    },
    yearly={
        "cagr": annual_return, "volatility": volatility, "sharpe": sharpe, "sortino": sortino, "calmar": calmar,
        "downside_deviation": downside_risk,
    },
    paired={"beta": beta, "information_ratio": excess_sharpe, "batting_average": batting_average},
    paired_yearly={
        "alpha": alpha, "up_capture": up_capture, "down_capture": down_capture, "capture_ratio": capture_ratio,
    },
)  # fmt: skip
