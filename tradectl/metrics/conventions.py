"""What every figure assumes: printed with each report, for two tools rarely agree on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from tradectl.errors import ConfigError, nearest
from tradectl.metrics.basic import DAYS_PER_YEAR
from tradectl.metrics.streams import DAY_NS

__all__ = ["OWN", "PROFILES", "Conventions", "conventions_for", "marking_of", "marks_of"]

SESSIONS_PER_YEAR = 252.0  # where a calendar is too short to tell
YEAR_NS = 365.25 * DAY_NS


@dataclass(frozen=True)
class Conventions:
    """The assumptions behind the figures; `rows` tells them in words."""

    profile: str = "tradectl"
    sampling: str = "one return a UTC day, days without trading included"
    periods_per_year: float = DAYS_PER_YEAR
    ddof: int = 1  # of standard deviations
    risk_free: float = 0.0  # a year
    target: float = 0.0  # return a day below which a day is a bad one
    tail: float = 0.05  # the worst part of the days that VaR and CVaR look at
    downside: str = "root mean square of min(return − target, 0) over all days"
    tails: str = "quantiles of the days that were, interpolated linearly; losses are positive"
    moments: str = "of the population; kurtosis raw (3 for a normal distribution)"
    drawdown: str = (
        "fraction ≥ 0: 1 − equity ÷ its peak; the largest of every sample, the others of daily equity"
    )
    trades: str = "round trips from flat to flat or to a flip, after fees, without funding"
    benchmark: str = "buy and hold of the run's instruments in equal parts, without costs"
    marking: str = "last close"

    def rows(self) -> list[tuple[str, str]]:
        """Return (what, how) as a page prints them."""
        return [
            ("profile", self.profile),
            ("returns", self.sampling),
            ("year", f"{self.periods_per_year:.6g} periods"),
            ("standard deviation", f"divided by n − {self.ddof}" if self.ddof else "divided by n"),
            ("risk-free rate", f"{self.risk_free:.6g} a year"),
            ("downside deviation", f"{self.downside}; target {self.target:.6g} a day"),
            ("VaR, CVaR", f"{1.0 - self.tail:.6g}: {self.tails}"),
            ("skewness, kurtosis", self.moments),
            ("drawdown", self.drawdown),
            ("trades", self.trades),
            ("benchmark", self.benchmark),
            ("open positions", f"marked at the {self.marking}"),
            ("undefined", "NaN; null in JSON"),
        ]


OWN = Conventions()
PROFILES = {
    "tradectl": OWN,
    "quantstats": replace(
        OWN,
        profile="quantstats",
        periods_per_year=252.0,
        downside="root of Σ r² of the negative returns ÷ number of all returns",
        tails="of a normal distribution with the returns' mean and deviation; losses are negative",
        moments="corrected for bias as pandas does; excess kurtosis (0 for a normal distribution)",
        drawdown="fraction ≤ 0 of daily equity",
        trades="days with a return (win rate, profit factor, payoff, Kelly); others as tradectl",
    ),
    "empyrical": replace(
        OWN,
        profile="empyrical",
        periods_per_year=252.0,
        tails="quantiles of the days that were; losses are negative",
        moments="of the population; excess kurtosis (0 for a normal distribution)",
        drawdown="fraction ≤ 0 of daily equity",
    ),
}


def conventions_for(
    profile: str, marking: str = OWN.marking, sessions: npt.NDArray[np.int64] | None = None
) -> Conventions:
    """Return the conventions of a profile; days are sessions where their closes (`sessions`, ns UTC) are given."""
    if profile not in PROFILES:
        raise ConfigError(f"unknown profile {profile!r} of metrics", hint=nearest(profile, list(PROFILES)))
    found = replace(PROFILES[profile], marking=marking)
    if sessions is None:
        return found
    found = replace(found, sampling="one return a session, from close to close")
    if profile != OWN.profile:
        return found
    span = float(sessions[-1] - sessions[0]) if len(sessions) else 0.0
    whole = span > 0.99 * YEAR_NS
    return replace(
        found, periods_per_year=(len(sessions) - 1) * YEAR_NS / span if whole else SESSIONS_PER_YEAR
    )


def marks_of(summary: Mapping[str, Any]) -> list[str]:
    """Return what a run's instruments are marked at by their data: of close, mid and trade those that occur."""
    books = summary.get("book") or []
    bars = not books or int(summary.get("instruments") or 0) > len(books)
    found = {"trade" if one["level"] == "prints" else "mid" for one in books}
    return ["close"] * bars + [name for name in ("mid", "trade") if name in found]


def marking_of(summary: Mapping[str, Any]) -> str:
    """Return in words what a run's open positions are marked at."""
    return f"last {' or '.join(marks_of(summary))}"
