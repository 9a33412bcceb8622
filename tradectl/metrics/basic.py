"""The figures of summary.json; undefined ones are NaN (null in JSON).

Rates and volatilities are per year of 365 days, from daily UTC returns that include days without trading,
so that a year has 365 of them for every kind of data. The risk-free rate is 0. Both are the defaults of `Run`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tradectl.core.instrument import ATOMS_PER_UNIT
from tradectl.metrics.numbers import NAN, deviation, per_period, sound
from tradectl.metrics.streams import DAY_NS

__all__ = ["DAYS_PER_YEAR", "METRICS", "Run", "compute"]

DAYS_PER_YEAR = 365


@dataclass(frozen=True)
class Run:
    """What metrics are computed from; money in atoms of the account's currency, times in ns UTC."""

    initial_atoms: int
    final_atoms: int
    max_drawdown: float
    fees_atoms: int
    returns: npt.NDArray[np.float64]  # one a calendar day
    trips: npt.NDArray[np.float64]  # result of each round trip, atoms
    notional_atoms: float  # traded, both sides
    mean_equity_atoms: float
    held_ns: int
    first_ts: int
    last_ts: int
    periods_per_year: float = DAYS_PER_YEAR  # returns that a year has
    risk_free: float = 0.0  # a year

    @property
    def span_ns(self) -> int:
        """Return the time from the first to the last sample of equity."""
        return self.last_ts - self.first_ts


def total_return(run: Run) -> float:
    """Return final ÷ initial equity − 1."""
    return run.final_atoms / run.initial_atoms - 1.0 if run.initial_atoms > 0 else NAN


def max_drawdown(run: Run) -> float:
    """Return the largest 1 − equity ÷ peak equity over all samples (computed in the fold)."""
    return run.max_drawdown


def volatility(run: Run) -> float:
    """Return the standard deviation (n − 1) of daily returns × √365; undefined once equity has been lost."""
    return deviation(run.returns) * math.sqrt(run.periods_per_year) if sound(run.returns) else NAN


def sharpe(run: Run) -> float:
    """Return mean ÷ standard deviation (n − 1) of daily returns × √365 (W. F. Sharpe, 1994), risk-free rate 0."""
    spread = volatility(run)
    if not spread > 0.0:
        return NAN
    excess = float(np.mean(run.returns)) - per_period(run.risk_free, run.periods_per_year)
    return excess * run.periods_per_year / spread


def cagr(run: Run) -> float:
    """Return (final ÷ initial equity) ^ (365 days ÷ span) − 1; undefined for less than a day or a loss of all."""
    if run.span_ns < DAY_NS or run.initial_atoms <= 0 or run.final_atoms <= 0:
        return NAN
    power = DAYS_PER_YEAR * DAY_NS / run.span_ns * math.log(run.final_atoms / run.initial_atoms)
    return math.expm1(power) if power < 700.0 else NAN


def win_rate(run: Run) -> float:
    """Return the fraction of round trips that end above zero, after fees."""
    return float((run.trips > 0).mean()) if len(run.trips) else NAN


def profit_factor(run: Run) -> float:
    """Return the sum of winning round trips ÷ the sum of losing ones, after fees; undefined without a loss."""
    lost = -float(run.trips[run.trips < 0].sum())
    return float(run.trips[run.trips > 0].sum()) / lost if lost > 0.0 else NAN


def exposure(run: Run) -> float:
    """Return the fraction of the run's time in which any position was open."""
    return min(run.held_ns / run.span_ns, 1.0) if run.span_ns > 0 else NAN


def fees(run: Run) -> float:
    """Return all fees, in the account's currency (rebates negative)."""
    return run.fees_atoms / ATOMS_PER_UNIT


def turnover(run: Run) -> float:
    """Return the notional traded, both sides, ÷ mean equity."""
    return run.notional_atoms / run.mean_equity_atoms if run.mean_equity_atoms > 0 else NAN


METRICS: dict[str, Callable[[Run], float]] = {
    "total_return": total_return,
    "cagr": cagr,
    "max_drawdown": max_drawdown,
    "volatility": volatility,
    "sharpe": sharpe,
    "win_rate": win_rate,
    "profit_factor": profit_factor,
    "exposure": exposure,
    "turnover": turnover,
    "fees": fees,
}


def compute(run: Run) -> dict[str, float]:
    """Return every registered metric by name."""
    return {name: metric(run) for name, metric in METRICS.items()}
