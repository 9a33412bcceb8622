"""Tables and series for pages: months and years, rolling figures, the distribution of returns, profit by group."""

from __future__ import annotations

import math

import numpy as np
import polars as pl

from tradectl.errors import ConfigError, nearest
from tradectl.metrics.conventions import OWN, Conventions
from tradectl.metrics.numbers import Floats

__all__ = ["GROUPS", "calendar_returns", "histogram", "profit_by", "rolling"]

WINDOW = 90  # days
MAX_BINS = 120
ROUNDING = 1e-9  # values that differ by less, as a part of the largest, lie in one bin
GROUPS = {
    "symbol": pl.col("symbol").cast(pl.String),
    "strategy": pl.col("strategy").cast(pl.String),
    "side": pl.col("side").cast(pl.String),
    "tag": pl.col("tag"),
    "exit_type": pl.col("exit_type").cast(pl.String),
    "hour": pl.col("ts_open").dt.hour(),  # 0 to 23, UTC
    "weekday": pl.col("ts_open").dt.weekday(),  # 1: Monday
    "month": pl.col("ts_open").dt.month(),
}


def calendar_returns(daily: pl.DataFrame, every: str = "month") -> pl.DataFrame:
    """Return year, month, return, days of each calendar month with data (`every` month; year: without the column).

    `daily` is `RunData.daily`; a return is compound, Π (1 + r) − 1, days is the number of returns in it.
    """
    if every not in ("month", "year"):
        raise ConfigError(
            f"every: {every!r} is neither month nor year", hint=nearest(every, ["month", "year"])
        )
    year, month = pl.col("day").dt.year().alias("year"), pl.col("day").dt.month().alias("month")
    keys = [year, month] if every == "month" else [year]
    made = ((pl.col("return") + 1.0).product() - 1.0).alias("return")
    return daily.group_by(keys, maintain_order=True).agg(made, days=pl.len())


def rolling(daily: pl.DataFrame, window: int = WINDOW, conventions: Conventions = OWN) -> pl.DataFrame:
    """Return day, volatility and sharpe over the last `window` days, a year; null before there are as many.

    The formulas are those of the whole run; a Sharpe ratio of returns that do not differ is NaN.
    """
    returns = pl.col("return")
    periods = conventions.periods_per_year
    free = (1.0 + conventions.risk_free) ** (1.0 / periods) - 1.0
    spread = returns.rolling_std(window, ddof=1)
    differ = returns.rolling_max(window) > returns.rolling_min(window)
    excess = (returns.rolling_mean(window) - free) / spread * math.sqrt(periods)
    return daily.select(
        "day",
        volatility=pl.when(differ).then(spread * math.sqrt(periods)).otherwise(spread * 0.0),
        sharpe=pl.when(differ).then(excess).otherwise(spread * math.nan),
    )


def histogram(values: Floats) -> pl.DataFrame:
    """Return low, high, count of equal bins that cover the finite values; one of them begins at 0.

    The width is that of Freedman and Diaconis, 1981 (2 × interquartile range ÷ ∛n), wider where that makes more
    than 120 bins.
    """
    known = values[np.isfinite(values)]
    if not len(known):
        return pl.DataFrame(schema={"low": pl.Float64(), "high": pl.Float64(), "count": pl.Int64()})
    quarter, rest = np.quantile(known, [0.25, 0.75])
    reach = max(float(known.max() - known.min()), ROUNDING * float(np.abs(known).max())) or 1.0
    width = max(2.0 * float(rest - quarter) / len(known) ** (1.0 / 3.0), reach / (MAX_BINS - 2))
    place = np.floor(known / width).astype(np.int64)
    first, last = int(place.min()), int(place.max())
    counts = np.bincount(place - first, minlength=last - first + 1)
    lows = np.arange(first, last + 1)
    return pl.DataFrame({"low": lows * width, "high": (lows + 1) * width, "count": counts.astype(np.int64)})


def profit_by(trips: pl.DataFrame, group: str) -> pl.DataFrame:
    """Return the round trips by group: `group`, trades, result, mean_result, win_rate, fees, sorted by group.

    `group` is a name in GROUPS; hours, weekdays and months are those of the first fill, UTC. Money is in the account's
    currency.
    """
    if group not in GROUPS:
        raise ConfigError(f"trips have no group {group!r}", hint=nearest(group, GROUPS))
    return (
        trips.group_by(GROUPS[group].alias(group))
        .agg(
            trades=pl.len(),
            result=pl.col("result").sum(),
            mean_result=pl.col("result").mean(),
            win_rate=(pl.col("result") > 0.0).mean(),
            fees=(pl.col("fees") * pl.col("rate")).sum(),
        )
        .sort(group)
    )
