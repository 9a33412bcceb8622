"""quantstats and empyrical as tests ask them: their own functions by the names that metrics have here."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

__all__ = ["ask_empyrical", "ask_quantstats", "differences"]

RELATIVE = 1e-9
FIRST = "2023-12-30"  # as samples made by hand begin
Floats = Any


def series(values: Floats, first: str) -> Any:
    pandas = pytest.importorskip("pandas", reason="pandas is not installed (extra dev)")
    return pandas.Series(np.asarray(values, np.float64), index=pandas.date_range(first, periods=len(values)))


def asked(functions: dict[str, Callable[[], Any]]) -> dict[str, float]:
    """Return what the functions say; what raises or cannot be a number is NaN."""
    found = {}
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        for name, function in functions.items():
            try:
                found[name] = float(function())
            except (ValueError, ZeroDivisionError, IndexError):
                found[name] = math.nan
    return found


def ask_quantstats(returns: Floats, benchmark: Floats | None = None, first: str = FIRST) -> dict[str, float]:
    """Return every metric that quantstats has, with its defaults."""
    stats = pytest.importorskip("quantstats.stats", reason="quantstats is not installed (extra dev)")
    r = series(returns, first)
    alone: dict[str, Callable[[Any], Any]] = {
        "total_return": stats.comp, "cagr": stats.cagr, "volatility": stats.volatility, "sharpe": stats.sharpe,
        "sortino": stats.sortino, "calmar": stats.calmar, "omega": stats.omega, "skew": stats.skew,
        "kurtosis": stats.kurtosis, "max_drawdown": stats.max_drawdown, "daily_drawdown": stats.max_drawdown,
        "ulcer_index": stats.ulcer_index, "ulcer_performance": stats.ulcer_performance_index,
        "value_at_risk": stats.value_at_risk, "cvar": stats.cvar, "tail_ratio": stats.tail_ratio,
        "probabilistic_sharpe": stats.probabilistic_sharpe_ratio, "exposure": stats.exposure,
        "win_rate": stats.win_rate, "profit_factor": stats.profit_factor, "payoff": stats.payoff_ratio,
        "kelly": stats.kelly_criterion, "gain_to_pain": stats.gain_to_pain_ratio,
        "recovery_factor": stats.recovery_factor, "mean_day": stats.avg_return,
        "geometric_day": stats.expected_return, "mean_up_day": stats.avg_win, "mean_down_day": stats.avg_loss,
        "best_day": stats.best, "worst_day": stats.worst, "up_streak_days": stats.consecutive_wins,
        "down_streak_days": stats.consecutive_losses,
        "best_month": lambda x: stats.best(x, "ME"), "worst_month": lambda x: stats.worst(x, "ME"),
        "best_year": lambda x: stats.best(x, "YE"), "worst_year": lambda x: stats.worst(x, "YE"),
    }  # fmt: skip
    functions = {name: lambda f=function: f(r) for name, function in alone.items()}
    if benchmark is not None:
        b = series(benchmark, first)
        functions |= {
            "alpha": lambda: stats.greeks(r, b)["alpha"],
            "beta": lambda: stats.greeks(r, b)["beta"],
            "r_squared": lambda: stats.r_squared(r, b),
            "information_ratio": lambda: stats.information_ratio(r, b),
            "treynor": lambda: stats.treynor_ratio(r, b),
        }
    return asked(functions)


def ask_empyrical(returns: Floats, benchmark: Floats | None = None, first: str = FIRST) -> dict[str, float]:
    """Return every metric that empyrical has, with its defaults; skewness and kurtosis are scipy's, which it uses."""
    empyrical = pytest.importorskip("empyrical", reason="empyrical-reloaded is not installed (extra dev)")
    from scipy import stats

    r = series(returns, first)
    alone: dict[str, Callable[[Any], Any]] = {
        "total_return": empyrical.cum_returns_final, "cagr": empyrical.annual_return,
        "volatility": empyrical.annual_volatility, "sharpe": empyrical.sharpe_ratio,
        "sortino": empyrical.sortino_ratio, "calmar": empyrical.calmar_ratio, "omega": empyrical.omega_ratio,
        "max_drawdown": empyrical.max_drawdown, "daily_drawdown": empyrical.max_drawdown,
        "downside_deviation": empyrical.downside_risk, "value_at_risk": empyrical.value_at_risk,
        "cvar": empyrical.conditional_value_at_risk, "tail_ratio": empyrical.tail_ratio,
        "stability": empyrical.stability_of_timeseries, "skew": stats.skew, "kurtosis": stats.kurtosis,
        "best_month": lambda x: empyrical.aggregate_returns(x, "monthly").max(),
        "worst_month": lambda x: empyrical.aggregate_returns(x, "monthly").min(),
        "best_year": lambda x: empyrical.aggregate_returns(x, "yearly").max(),
        "worst_year": lambda x: empyrical.aggregate_returns(x, "yearly").min(),
    }  # fmt: skip
    functions = {name: lambda f=function: f(r) for name, function in alone.items()}
    if benchmark is not None:
        b = series(benchmark, first)
        both: dict[str, Callable[[Any, Any], Any]] = {
            "alpha": empyrical.alpha, "beta": empyrical.beta, "information_ratio": empyrical.excess_sharpe,
            "up_capture": empyrical.up_capture, "down_capture": empyrical.down_capture,
            "capture_ratio": empyrical.up_down_capture,
            "batting_average": lambda x, y: empyrical.batting_average(x, y)["batting average"],
        }  # fmt: skip
        functions |= {name: lambda f=function: f(r, b) for name, function in both.items()}
    return asked(functions)


def differences(mine: dict[str, float], theirs: dict[str, float]) -> dict[str, tuple[float, float]]:
    """Return the metrics that differ by more than 1e-9 of their size: (mine, theirs)."""
    return {
        name: (mine[name], value)
        for name, value in theirs.items()
        if not (
            (math.isnan(value) and math.isnan(mine[name]))
            or value == mine[name]
            or abs(value - mine[name]) <= RELATIVE * max(abs(value), 1e-6)
        )
    }
