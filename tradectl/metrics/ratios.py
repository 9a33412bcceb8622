"""Metrics that set the return against its risk, and that ask how much of a Sharpe ratio is luck."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np

from tradectl.metrics import basic
from tradectl.metrics.drawdowns import pain_index, ulcer_index
from tradectl.metrics.numbers import NAN, deviation, growth, moments, per_period, ratio
from tradectl.metrics.risk import downside
from tradectl.metrics.sample import Metric, Sample

__all__ = ["METRICS", "expected_best", "sharpe_of_days"]

NORMAL = NormalDist()
EULER = 0.5772156649015329  # Euler and Mascheroni's constant
CONFIDENCE = 0.95


def sharpe_of_days(sample: Sample) -> tuple[float, float]:
    """Return (mean excess return ÷ deviation of daily returns, variance of that estimate × (n − 1)).

    1 − S·SR + (K − 1) ÷ 4 · SR² with skewness S and raw kurtosis K (Mertens, 2002).
    """
    rate, skew, kurt = moments(sample.returns)
    if math.isfinite(rate):
        free = per_period(sample.conventions.risk_free, sample.conventions.periods_per_year)
        rate -= free / deviation(sample.returns)
    return rate, 1.0 - skew * rate + (kurt - 1.0) / 4.0 * rate**2


def sharpe_error(sample: Sample) -> float:
    """Return √((1 − S·SR + (K − 1) ÷ 4 · SR²) ÷ (n − 1)) × √periods: the standard error of `sharpe`, a ratio.

    SR is the Sharpe ratio of days, S their skewness, K their raw kurtosis (Mertens, 2002; Lo, 2002, for the normal
    case).
    """
    _, spread = sharpe_of_days(sample)
    if not spread >= 0.0:
        return NAN
    return math.sqrt(spread / (len(sample.returns) - 1) * sample.conventions.periods_per_year)


def _beyond(sample: Sample, threshold: float) -> float:
    """Return Φ((SR − threshold) √(n − 1) ÷ √(1 − S·SR + (K − 1) ÷ 4 · SR²)); ratios are of days."""
    rate, spread = sharpe_of_days(sample)
    if not (spread > 0.0 and math.isfinite(threshold)):
        return NAN
    return NORMAL.cdf((rate - threshold) * math.sqrt(len(sample.returns) - 1) / math.sqrt(spread))


def probabilistic_sharpe(sample: Sample) -> float:
    """Return Φ(SR √(n − 1) ÷ √(1 − S·SR + (K − 1) ÷ 4 · SR²)): the probability that the true ratio is above 0.

    A fraction; SR of days, S skewness, K raw kurtosis (Bailey and López de Prado, 2012).
    """
    return _beyond(sample, 0.0)


def expected_best(sample: Sample) -> float:
    """Return the Sharpe ratio of days that the best of N worthless trials is expected to have.

    √V ((1 − γ) Φ⁻¹(1 − 1 ÷ N) + γ Φ⁻¹(1 − 1 ÷ (N e))), with Euler's γ and the variance V of the trials' ratios
    (Bailey and López de Prado, 2014); 0 for one trial, NaN where the trials are not known.
    """
    n, variance = sample.trials.count, sample.trials.variance
    if n < 2:
        return 0.0 if n == 1 else NAN
    usual, rare = NORMAL.inv_cdf(1.0 - 1.0 / n), NORMAL.inv_cdf(1.0 - 1.0 / (n * math.e))
    return math.sqrt(variance) * ((1.0 - EULER) * usual + EULER * rare) if variance >= 0.0 else NAN


def expected_best_sharpe(sample: Sample) -> float:
    """Return √V ((1 − γ) Φ⁻¹(1 − 1 ÷ N) + γ Φ⁻¹(1 − 1 ÷ (N e))) × √periods, a ratio.

    What the best of N trials without any skill is expected to show; V is the variance of their ratios, γ Euler's
    constant (Bailey and López de Prado, 2014).
    """
    return expected_best(sample) * math.sqrt(sample.conventions.periods_per_year)


def deflated_sharpe(sample: Sample) -> float:
    """Return Φ((SR − SR₀) √(n − 1) ÷ √(1 − S·SR + (K − 1) ÷ 4 · SR²)), a fraction.

    The probability that the true ratio is above that which the best of all trials shows by luck, SR₀ = expected best
    of days; K is raw (Bailey and López de Prado, 2014). NaN where the trials are not known.
    """
    return _beyond(sample, expected_best(sample))


def trials(sample: Sample) -> float:
    """Return the backtests of the run's strategies on its symbols whose daily returns differ, a count."""
    return float(sample.trials.count) if sample.trials.count else NAN


def min_track_record(sample: Sample) -> float:
    """Return 1 + (1 − S·SR + (K − 1) ÷ 4 · SR²) (Φ⁻¹(0.95) ÷ SR)²: the days after which SR > 0 is 95 % sure.

    Days (or sessions); SR of days, K raw (Bailey and López de Prado, 2012). NaN for a ratio that is not above 0.
    """
    rate, spread = sharpe_of_days(sample)
    if not (rate > 0.0 and spread >= 0.0):
        return NAN
    return 1.0 + spread * (NORMAL.inv_cdf(CONFIDENCE) / rate) ** 2


def sortino(sample: Sample) -> float:
    """Return mean(r − risk-free) ÷ downside deviation of days × √periods (Sortino and van der Meer, 1991), a ratio."""
    below = downside(sample)
    if not below > 0.0:
        return NAN
    periods = sample.conventions.periods_per_year
    excess = float(sample.returns.mean()) - per_period(sample.conventions.risk_free, periods)
    return excess / below * math.sqrt(periods)


def calmar(sample: Sample) -> float:
    """Return CAGR ÷ max_drawdown over the whole run (T. Young, 1991, took 36 months), a ratio."""
    return ratio(basic.cagr(sample.run), sample.run.max_drawdown)


def omega(sample: Sample) -> float:
    """Return Σ max(r − target, 0) ÷ Σ max(target − r, 0) of daily returns (Keating and Shadwick, 2002), a ratio."""
    if not sample.is_sound:
        return NAN
    over = sample.returns - sample.conventions.target
    return ratio(float(over[over > 0.0].sum()), -float(over[over < 0.0].sum()))


def gain_to_pain(sample: Sample) -> float:
    """Return Σ r ÷ Σ |r below 0| of daily returns (J. Schwager, 2012, took months), a ratio."""
    if not sample.is_sound:
        return NAN
    return ratio(float(sample.returns.sum()), -float(np.minimum(sample.returns, 0.0).sum()))


def recovery_factor(sample: Sample) -> float:
    """Return total return ÷ max_drawdown, a ratio."""
    return ratio(basic.total_return(sample.run), sample.run.max_drawdown)


def ulcer_performance(sample: Sample) -> float:
    """Return compound growth a year of daily returns ÷ ulcer index (P. Martin, 1987), a ratio."""
    return ratio(growth(sample.returns, sample.conventions.periods_per_year), ulcer_index(sample))


def pain_ratio(sample: Sample) -> float:
    """Return compound growth a year of daily returns ÷ pain index (Zephyr, 2006), a ratio."""
    return ratio(growth(sample.returns, sample.conventions.periods_per_year), pain_index(sample))


METRICS: dict[str, Metric] = {
    "sharpe_error": Metric(sharpe_error, "ratio", "standard error of the Sharpe ratio"),
    "probabilistic_sharpe": Metric(probabilistic_sharpe, "fraction", "probabilistic Sharpe ratio"),
    "deflated_sharpe": Metric(deflated_sharpe, "fraction", "deflated Sharpe ratio"),
    "expected_best_sharpe": Metric(expected_best_sharpe, "ratio", "Sharpe ratio of the best trial by luck"),
    "trials": Metric(trials, "count", "trials"),
    "min_track_record": Metric(min_track_record, "days", "minimum track record"),
    "sortino": Metric(sortino, "ratio", "Sortino ratio"),
    "calmar": Metric(calmar, "ratio", "Calmar ratio"),
    "omega": Metric(omega, "ratio", "Omega ratio"),
    "gain_to_pain": Metric(gain_to_pain, "ratio", "gain to pain"),
    "recovery_factor": Metric(recovery_factor, "ratio", "recovery factor"),
    "ulcer_performance": Metric(ulcer_performance, "ratio", "ulcer performance index"),
    "pain_ratio": Metric(pain_ratio, "ratio", "pain ratio"),
}
