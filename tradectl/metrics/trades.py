"""Metrics of round trips: results after fees in the account's currency, MAE and MFE as fractions of the entry price."""

from __future__ import annotations

import math

import numpy as np
import polars as pl

from tradectl.core.instrument import ATOMS_PER_UNIT
from tradectl.metrics import basic
from tradectl.metrics.numbers import NAN, Floats, deviation, longest_run, mean, ratio
from tradectl.metrics.sample import Metric, Sample
from tradectl.metrics.streams import DAY_NS

__all__ = ["METRICS"]

HOUR_NS = 3_600 * 10**9
SQN_TRADES = 100  # more do not raise the number


def _won(sample: Sample) -> Floats:
    return sample.results[sample.results > 0.0]


def _lost(sample: Sample) -> Floats:
    return sample.results[sample.results < 0.0]


def _column(sample: Sample, name: str, where: pl.Expr | None = None) -> Floats:
    """Return a column of the trips as floats, without nulls and NaN."""
    table = sample.trips if where is None else sample.trips.filter(where)
    values = table[name].cast(pl.Float64).to_numpy()
    return np.asarray(values[np.isfinite(values)])


def _hours(sample: Sample, where: pl.Expr | None = None) -> Floats:
    table = sample.trips if where is None else sample.trips.filter(where)
    return np.asarray(table["duration"].dt.total_nanoseconds().cast(pl.Float64).to_numpy() / HOUR_NS)


def trades(sample: Sample) -> float:
    """Return the finished round trips, a count."""
    return float(sample.trips.height)


def expectancy(sample: Sample) -> float:
    """Return the mean result of a round trip after fees, in money."""
    return mean(sample.results)


def expectancy_ratio(sample: Sample) -> float:
    """Return the mean result ÷ |the mean loss|: expectancy in units of risk R (V. Tharp, 1998), a ratio."""
    return ratio(expectancy(sample), -mean(_lost(sample)))


def mean_trade_return(sample: Sample) -> float:
    """Return the mean of result ÷ notional entered, a fraction."""
    return mean(_column(sample, "return"))


def median_trade(sample: Sample) -> float:
    """Return the median result of a round trip, in money."""
    return float(np.median(sample.results)) if len(sample.results) else NAN


def mean_win(sample: Sample) -> float:
    """Return the mean result of the round trips above 0, in money."""
    return mean(_won(sample))


def mean_loss(sample: Sample) -> float:
    """Return the mean result of the round trips below 0, in money (negative)."""
    return mean(_lost(sample))


def best_trade(sample: Sample) -> float:
    """Return the largest result of a round trip, in money."""
    return float(sample.results.max()) if len(sample.results) else NAN


def worst_trade(sample: Sample) -> float:
    """Return the smallest result of a round trip, in money."""
    return float(sample.results.min()) if len(sample.results) else NAN


def payoff(sample: Sample) -> float:
    """Return mean win ÷ |mean loss|, a ratio; NaN without a win or a loss."""
    return ratio(mean_win(sample), -mean_loss(sample))


def kelly(sample: Sample) -> float:
    """Return w − (1 − w) ÷ payoff with the win rate w: the share of equity to risk (J. Kelly, 1956), a fraction."""
    rate = basic.win_rate(sample.run)
    odds = payoff(sample)
    return rate - (1.0 - rate) / odds if odds > 0.0 else NAN


def sqn(sample: Sample) -> float:
    """Return √min(n, 100) × mean ÷ deviation (n − 1) of results (system quality number; V. Tharp, 2008), a ratio."""
    spread = deviation(sample.results)
    return math.sqrt(min(len(sample.results), SQN_TRADES)) * ratio(mean(sample.results), spread)


def win_streak(sample: Sample) -> float:
    """Return the most round trips in a row above 0, in the order in which they closed, a count."""
    return float(longest_run(sample.results > 0.0))


def loss_streak(sample: Sample) -> float:
    """Return the most round trips in a row below 0, in the order in which they closed, a count."""
    return float(longest_run(sample.results < 0.0))


def mean_duration(sample: Sample) -> float:
    """Return the mean time from the first to the last fill of a round trip, in hours."""
    return mean(_hours(sample))


def median_duration(sample: Sample) -> float:
    """Return the median time from the first to the last fill of a round trip, in hours."""
    hours = _hours(sample)
    return float(np.median(hours)) if len(hours) else NAN


def longest_duration(sample: Sample) -> float:
    """Return the longest time from the first to the last fill of a round trip, in hours."""
    hours = _hours(sample)
    return float(hours.max()) if len(hours) else NAN


def mean_win_duration(sample: Sample) -> float:
    """Return the mean time of the round trips above 0, in hours."""
    return mean(_hours(sample, pl.col("result") > 0.0))


def mean_loss_duration(sample: Sample) -> float:
    """Return the mean time of the round trips below 0, in hours."""
    return mean(_hours(sample, pl.col("result") < 0.0))


def trades_per_day(sample: Sample) -> float:
    """Return finished round trips ÷ days from the first to the last sample of equity, a ratio; NaN below a day."""
    span = sample.run.span_ns
    return trades(sample) / (span / DAY_NS) if span >= DAY_NS else NAN


def long_share(sample: Sample) -> float:
    """Return long round trips ÷ all, a fraction."""
    return ratio(float((sample.trips["side"] == "LONG").sum()), trades(sample))


def long_win_rate(sample: Sample) -> float:
    """Return long round trips above 0 ÷ all long ones, a fraction."""
    return mean((_column(sample, "result", pl.col("side") == "LONG") > 0.0).astype(np.float64))


def short_win_rate(sample: Sample) -> float:
    """Return short round trips above 0 ÷ all short ones, a fraction."""
    return mean((_column(sample, "result", pl.col("side") == "SHORT") > 0.0).astype(np.float64))


def fills_per_trade(sample: Sample) -> float:
    """Return the mean number of fills of a round trip, a ratio; a fill that flips counts in both."""
    return mean(_column(sample, "n_fills"))


def mean_mae(sample: Sample) -> float:
    """Return the mean of the farthest way against a trip ÷ its entry price (MAE; J. Sweeney, 1997), a fraction."""
    return mean(_column(sample, "mae"))


def worst_mae(sample: Sample) -> float:
    """Return the largest MAE of a round trip, a fraction of the entry price."""
    found = _column(sample, "mae")
    return float(found.max()) if len(found) else NAN


def mean_mfe(sample: Sample) -> float:
    """Return the mean of the farthest way for a trip ÷ its entry price (MFE; J. Sweeney, 1997), a fraction."""
    return mean(_column(sample, "mfe"))


def edge_ratio(sample: Sample) -> float:
    """Return mean MFE ÷ mean MAE, a ratio (C. Faith, 2007, divides both by the ATR first)."""
    return ratio(mean_mfe(sample), mean_mae(sample))


def mfe_kept(sample: Sample) -> float:
    """Return Σ trade return ÷ Σ MFE: the share of the way up that was kept, after fees, a fraction."""
    known = sample.trips.filter(pl.col("mfe").is_finite())
    return ratio(float(known["return"].sum()), float(known["mfe"].sum()))


def fee_rate(sample: Sample) -> float:
    """Return all fees ÷ notional traded on both sides, a fraction."""
    return ratio(float(sample.run.fees_atoms), sample.run.notional_atoms)


def fee_share(sample: Sample) -> float:
    """Return all fees ÷ (final − initial equity + fees): what fees took of the profit before them, a fraction."""
    run = sample.run
    return ratio(float(run.fees_atoms), float(run.final_atoms - run.initial_atoms + run.fees_atoms))


def funding(sample: Sample) -> float:
    """Return all funding paid, in money (received: negative)."""
    return sample.funding


def costs(sample: Sample) -> float:
    """Return fees and funding paid, in money."""
    return sample.run.fees_atoms / ATOMS_PER_UNIT + sample.funding


METRICS: dict[str, Metric] = {
    "trades": Metric(trades, "count", "trades"),
    "expectancy": Metric(expectancy, "money", "mean trade"),
    "expectancy_ratio": Metric(expectancy_ratio, "ratio", "expectancy in R"),
    "mean_trade_return": Metric(mean_trade_return, "fraction", "mean return of a trade"),
    "median_trade": Metric(median_trade, "money", "median trade"),
    "mean_win": Metric(mean_win, "money", "mean win"),
    "mean_loss": Metric(mean_loss, "money", "mean loss"),
    "best_trade": Metric(best_trade, "money", "best trade"),
    "worst_trade": Metric(worst_trade, "money", "worst trade"),
    "payoff": Metric(payoff, "ratio", "payoff ratio"),
    "kelly": Metric(kelly, "fraction", "Kelly fraction"),
    "sqn": Metric(sqn, "ratio", "system quality number"),
    "win_streak": Metric(win_streak, "count", "longest run of wins"),
    "loss_streak": Metric(loss_streak, "count", "longest run of losses"),
    "mean_duration": Metric(mean_duration, "hours", "mean duration"),
    "median_duration": Metric(median_duration, "hours", "median duration"),
    "longest_duration": Metric(longest_duration, "hours", "longest duration"),
    "mean_win_duration": Metric(mean_win_duration, "hours", "mean duration of wins"),
    "mean_loss_duration": Metric(mean_loss_duration, "hours", "mean duration of losses"),
    "trades_per_day": Metric(trades_per_day, "ratio", "trades a day"),
    "long_share": Metric(long_share, "fraction", "long trades"),
    "long_win_rate": Metric(long_win_rate, "fraction", "long trades won"),
    "short_win_rate": Metric(short_win_rate, "fraction", "short trades won"),
    "fills_per_trade": Metric(fills_per_trade, "ratio", "fills a trade"),
    "mean_mae": Metric(mean_mae, "fraction", "mean MAE"),
    "worst_mae": Metric(worst_mae, "fraction", "worst MAE"),
    "mean_mfe": Metric(mean_mfe, "fraction", "mean MFE"),
    "edge_ratio": Metric(edge_ratio, "ratio", "edge ratio"),
    "mfe_kept": Metric(mfe_kept, "fraction", "share of MFE kept"),
    "fee_rate": Metric(fee_rate, "fraction", "fees of notional"),
    "fee_share": Metric(fee_share, "fraction", "fees of gross profit"),
    "funding": Metric(funding, "money", "funding paid"),
    "costs": Metric(costs, "money", "fees and funding"),
}
