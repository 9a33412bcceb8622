"""The numbers of quantstats 0.0.86 with its defaults (252 days a year), where it has a metric of the same name.

Edge cases are that package's too: what divides by 0 there is infinite or 0 here as well. Left out is that it takes
a series without losses and with a gain of more than 100 % a day for prices.
"""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np

from tradectl.metrics.numbers import NAN, Floats, mean, ratio
from tradectl.metrics.profiles import OfReturns, deviation, divide, profile

__all__ = ["METRICS"]

NORMAL = NormalDist()
LEAST = 1.0 - 0.95


def total_return(returns: Floats) -> float:
    """Return Π (1 + r) − 1 (`comp`)."""
    return float(np.prod(1.0 + returns)) - 1.0


def cagr(returns: Floats, periods: float) -> float:
    """Return Π (1 + r) ^ (periods ÷ n) − 1."""
    wealth = total_return(returns) + 1.0
    with np.errstate(over="ignore", invalid="ignore"):
        grown = float(np.float64(wealth) ** (periods / len(returns)))
    return grown - 1.0 if wealth >= 0.0 else NAN


def volatility(returns: Floats, periods: float) -> float:
    """Return the deviation (n − 1) × √periods."""
    return deviation(returns) * math.sqrt(periods)


def sharpe(returns: Floats, periods: float) -> float:
    """Return mean ÷ deviation (n − 1) × √periods."""
    return divide(float(returns.mean()), deviation(returns)) * math.sqrt(periods)


def sortino(returns: Floats, periods: float) -> float:
    """Return mean ÷ √(Σ r² of negative returns ÷ n) × √periods; NaN without a loss."""
    downside = math.sqrt(float((np.minimum(returns, 0.0) ** 2).sum()) / len(returns))
    return float(returns.mean()) / downside * math.sqrt(periods) if downside else NAN


def calmar(returns: Floats, periods: float) -> float:
    """Return CAGR ÷ |max drawdown|; NaN without a drawdown."""
    return ratio(cagr(returns, periods), -max_drawdown(returns))


def drawdowns(returns: Floats) -> Floats:
    """Return equity ÷ its peak − 1 by day, with 1 before the first."""
    levels = np.concatenate(([1.0], np.cumprod(1.0 + returns)))
    return np.asarray((levels / np.maximum.accumulate(levels))[1:] - 1.0)


def max_drawdown(returns: Floats) -> float:
    """Return the lowest equity ÷ peak − 1, not above 0."""
    return min(float(drawdowns(returns).min()), 0.0)


def ulcer_index(returns: Floats) -> float:
    """Return √(Σ drawdown² ÷ (n − 1))."""
    return math.sqrt(divide(float((drawdowns(returns) ** 2).sum()), len(returns) - 1.0))


def ulcer_performance(returns: Floats) -> float:
    """Return total return ÷ ulcer index, not per year."""
    ulcer = ulcer_index(returns)
    return total_return(returns) / ulcer if ulcer else NAN


def omega(returns: Floats) -> float:
    """Return Σ r above 0 ÷ |Σ r below 0|; NaN without a loss."""
    lost = -float(returns[returns < 0.0].sum())
    return float(returns[returns > 0.0].sum()) / lost if len(returns) > 1 and lost > 0.0 else NAN


def value_at_risk(returns: Floats) -> float:
    """Return the 5 % quantile of a normal distribution with the returns' mean and deviation."""
    spread = deviation(returns)
    return float(returns.mean()) + spread * NORMAL.inv_cdf(LEAST) if spread > 0.0 else NAN


def cvar(returns: Floats) -> float:
    """Return the mean below that quantile, of the same normal distribution: m − s φ(z) ÷ 0.05."""
    spread = deviation(returns)
    average = float(returns.mean())
    return average - spread * NORMAL.pdf(NORMAL.inv_cdf(LEAST)) / LEAST if spread > 0.0 else average


def tail_ratio(returns: Floats) -> float:
    """Return |95 % quantile ÷ 5 % quantile|."""
    low, high = np.quantile(returns, [1.0 - 0.95, 0.95])
    return abs(float(high / low)) if low else NAN


def flat(returns: Floats) -> bool:
    """Return whether all returns are equal."""
    return bool(returns.max() == returns.min())


def skew(returns: Floats) -> float:
    """Return the skewness corrected for bias, √(n (n − 1)) ÷ (n − 2) × m₃ ÷ m₂^1.5, as pandas 3 does."""
    n = len(returns)
    centred = returns - returns.mean()
    second, third = float((centred**2).sum()), float((centred**3).sum())
    if n < 3 or flat(returns):
        return NAN
    return n * math.sqrt(n - 1.0) / (n - 2.0) * third / (second * math.sqrt(second))


def kurtosis(returns: Floats) -> float:
    """Return the excess kurtosis corrected for bias, as pandas 3 does."""
    n = len(returns)
    centred = returns - returns.mean()
    second, fourth = float((centred**2).sum()), float((centred**4).sum())
    if n < 4 or flat(returns):
        return NAN
    raw = n * (n + 1.0) * (n - 1.0) / ((n - 2.0) * (n - 3.0)) * fourth / second**2
    return raw - 3.0 * (n - 1.0) ** 2 / ((n - 2.0) * (n - 3.0))


def probabilistic_sharpe(returns: Floats) -> float:
    """Return Φ(SR ÷ √((1 − S·SR + (K + 2) ÷ 4 · SR²) ÷ (n − 1))) with excess kurtosis K, both corrected for bias."""
    rate = sharpe(returns, 1.0)
    spread = 1.0 - skew(returns) * rate + (kurtosis(returns) + 2.0) / 4.0 * rate**2
    return NORMAL.cdf(rate * math.sqrt((len(returns) - 1.0) / spread)) if spread > 0.0 else NAN


def exposure(returns: Floats) -> float:
    """Return the days with a return other than 0 ÷ all days, rounded up to a hundredth."""
    return math.ceil(int((returns != 0.0).sum()) / len(returns) * 100.0) / 100.0


def win_rate(returns: Floats) -> float:
    """Return the days above 0 ÷ the days other than 0."""
    moved = int((returns != 0.0).sum())
    return int((returns > 0.0).sum()) / moved if moved else 0.0


def profit_factor(returns: Floats) -> float:
    """Return Σ r above 0 ÷ |Σ r below 0|; infinite without a loss, 0 without both."""
    gained, lost = float(returns[returns >= 0.0].sum()), abs(float(returns[returns < 0.0].sum()))
    return gained / lost if lost else (0.0 if gained == 0.0 else math.inf)


def payoff(returns: Floats) -> float:
    """Return the mean day above 0 ÷ |mean day below 0|."""
    return mean(returns[returns > 0.0]) / abs(mean(returns[returns < 0.0]))


def kelly(returns: Floats) -> float:
    """Return (payoff × win rate − (1 − win rate)) ÷ payoff of days."""
    odds, rate = payoff(returns), win_rate(returns)
    return (odds * rate - (1.0 - rate)) / odds if odds else NAN


def gain_to_pain(returns: Floats) -> float:
    """Return Σ r ÷ |Σ r below 0|; NaN without a loss."""
    lost = abs(float(returns[returns < 0.0].sum()))
    return float(returns.sum()) / lost if lost else NAN


def recovery_factor(returns: Floats) -> float:
    """Return |Σ r| ÷ |max drawdown|; NaN without one."""
    deepest = abs(max_drawdown(returns))
    return abs(float(returns.sum())) / deepest if deepest else NAN


def beta(returns: Floats, other: Floats) -> float:
    """Return cov(r, b) ÷ var(b); 0 where it is not defined."""
    if len(returns) < 2:
        return 0.0
    matrix = np.cov(returns, other)
    return float(matrix[0, 1] / matrix[1, 1]) if matrix[1, 1] else 0.0


def alpha(returns: Floats, other: Floats, periods: float) -> float:
    """Return (mean r − beta × mean b) × periods; 0 where beta is not defined."""
    if len(returns) < 2 or float(np.cov(other)) == 0.0:
        return 0.0
    return (float(returns.mean()) - beta(returns, other) * float(other.mean())) * periods


def r_squared(returns: Floats, other: Floats) -> float:
    """Return the squared correlation of the returns with the benchmark's."""
    spread = deviation(returns) * deviation(other)
    return (float(np.cov(returns, other)[0, 1]) / spread) ** 2 if spread > 0.0 else NAN


def information_ratio(returns: Floats, other: Floats) -> float:
    """Return mean ÷ deviation (n − 1) of r − b, of days; 0 where they never differ."""
    spread = deviation(returns - other)
    return float((returns - other).mean()) / spread if spread else 0.0


def treynor(returns: Floats, other: Floats) -> float:
    """Return total return ÷ beta; 0 for a beta of 0."""
    slope = beta(returns, other)
    return total_return(returns) / slope if slope else 0.0


RETURNS: dict[str, OfReturns] = {
    "total_return": total_return,
    "max_drawdown": max_drawdown,
    "daily_drawdown": max_drawdown,
    "ulcer_index": ulcer_index,
    "ulcer_performance": ulcer_performance,
    "omega": omega,
    "value_at_risk": value_at_risk,
    "cvar": cvar,
    "tail_ratio": tail_ratio,
    "skew": skew,
    "kurtosis": kurtosis,
    "probabilistic_sharpe": probabilistic_sharpe,
    "exposure": exposure,
    "win_rate": win_rate,
    "profit_factor": profit_factor,
    "payoff": payoff,
    "kelly": kelly,
    "gain_to_pain": gain_to_pain,
    "recovery_factor": recovery_factor,
    "mean_day": lambda returns: mean(returns[returns != 0.0]),
    "geometric_day": lambda returns: cagr(returns, 1.0),
}
METRICS = profile(
    RETURNS,
    yearly={"cagr": cagr, "volatility": volatility, "sharpe": sharpe, "sortino": sortino, "calmar": calmar},
    paired={
        "beta": beta, "r_squared": r_squared, "information_ratio": information_ratio, "treynor": treynor,
    },
    paired_yearly={"alpha": alpha},
)  # fmt: skip
