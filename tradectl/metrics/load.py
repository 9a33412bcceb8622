"""A finished run as metrics and reports read it: its tables, daily equity, round trips and benchmark."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from tradectl.db.catalogue import open_run
from tradectl.errors import StoreError
from tradectl.metrics.streams import DAY_NS
from tradectl.metrics.trips import excursions, trips

__all__ = ["RATED_BY", "SESSIONS", "RunData", "buy_and_hold", "closes_of", "daily", "unrated"]

PICO = 10**12
SESSIONS = "sessions.parquet"  # of runs whose instruments share a calendar
TABLES = ("equity", "fills", "positions", "orders")
STAMP = pl.Datetime("ns", "UTC")
SCHEMA = pl.Schema({"day": pl.Date(), "ts": STAMP, "equity": pl.Float64(), "return": pl.Float64()})
RATED_BY = "rated_by"  # column of prices: the symbol whose close is the rate of the quote currency
Stamps = npt.NDArray[np.int64]
ALWAYS_ONE = (np.array([np.iinfo(np.int64).min]), np.ones(1))


def day_ends(first: int, last: int, sessions: Stamps | None = None) -> Stamps:
    """Return the ends (ns UTC) of the days that hold the stamps `first` to `last`: midnights, or those given.

    `sessions` are the closes of sessions, ascending; a stamp at an end belongs to the day that ends with it.
    """
    if sessions is None:
        return np.arange((first - 1) // DAY_NS + 1, (last - 1) // DAY_NS + 2) * DAY_NS
    low, high = np.searchsorted(sessions, [first, last], side="left")
    ends = sessions[low : high + 1]
    return ends if high < len(sessions) else np.append(ends, last)  # what the calendar no longer has


def daily(equity: pl.DataFrame, initial: float, sessions: Stamps | None = None) -> pl.DataFrame:
    """Return one row a day (UTC, or a session): day, ts of its end, equity at it, return against the day before.

    The first return is against `initial`; days without samples have the equity of the day before.
    """
    if equity.is_empty():
        return pl.DataFrame(schema=SCHEMA)
    stamps, levels = equity["ts"].dt.epoch("ns").to_numpy(), equity["equity"].to_numpy()
    ends = day_ends(int(stamps[0]), int(stamps[-1]), sessions)
    at_end = levels[np.searchsorted(stamps, ends, side="right") - 1]
    return _days(ends, at_end, initial)


def _days(ends: Stamps, levels: npt.NDArray[np.float64], initial: float) -> pl.DataFrame:
    before = np.concatenate(([initial], levels[:-1]))
    with np.errstate(divide="ignore", invalid="ignore"):
        returns = levels / before - 1.0
    inside = pl.from_epoch(pl.Series("day", ends - 1), time_unit="ns")
    return pl.DataFrame(
        {
            "day": inside.dt.date(),
            "ts": pl.Series(ends).cast(STAMP),
            "equity": levels,
            "return": returns,
        },
        schema=SCHEMA,
    )


def unrated(prices: pl.DataFrame) -> dict[str, str]:
    """Return the instruments whose worth in the account's currency is not known, each with what it should come from."""
    if RATED_BY not in prices.columns:
        return {}
    pairs = prices.select("symbol", RATED_BY).unique(maintain_order=True).drop_nulls()
    priced = set(prices["symbol"].unique())
    return {symbol: by for symbol, by in pairs.iter_rows() if by not in priced}


def buy_and_hold(prices: pl.DataFrame, ends: Stamps, since: int = 0) -> npt.NDArray[np.float64]:
    """Return one return a day of holding every instrument of `prices` (ts, symbol, close) from `since` (ns UTC) on.

    Each is bought once, with an equal part of the money, at the close of its first bar; its part is cash before
    that. `rated_by`, where it is there, names the symbol whose close is the rate of the quote currency (null: a
    constant one); without such prices an instrument is left out. `ends` are the ends of the days; a day without
    prices returns 0. NaN where there are no prices at all.
    """
    quoted = {
        str(symbol): (bars["ts"].dt.epoch("ns").to_numpy(), bars["close"].to_numpy())
        for (symbol,), bars in prices.partition_by("symbol", as_dict=True, maintain_order=True).items()
    }
    rated_by = dict(prices.select("symbol", RATED_BY).unique().iter_rows()) if RATED_BY in prices.columns else {}
    left_out, levels = unrated(prices), []
    for symbol, (stamps, closes) in quoted.items():
        if symbol in left_out:
            continue
        rate = quoted.get(rated_by.get(symbol) or "", ALWAYS_ONE)
        first = int(np.searchsorted(stamps, max(since, rate[0][0]), side="left"))
        if first < len(stamps):
            start = stamps[first]
            when = np.maximum(ends, start)
            worth = _at(closes, stamps, when) * _at(rate[1], rate[0], when)
            paid = closes[first] * _at(rate[1], rate[0], start)
            levels.append(np.where(ends < start, 1.0, worth / paid))
    if not levels:
        return np.full(len(ends), np.nan)
    worth = np.mean(levels, axis=0)
    return np.asarray(worth / np.concatenate(([1.0], worth[:-1])) - 1.0)


def _at(closes: npt.NDArray[np.float64], stamps: Stamps, when: Stamps) -> npt.NDArray[np.float64]:
    """Return the last close at each time, none of which is before the first stamp."""
    return np.asarray(closes[np.searchsorted(stamps, when, side="right") - 1])


@dataclass(frozen=True)
class RunData:
    """A finished run: summary.json and its tables (columns: `db.tables`); what follows from them is made once."""

    folder: Path
    summary: dict[str, Any]
    equity: pl.DataFrame
    fills: pl.DataFrame
    positions: pl.DataFrame
    orders: pl.DataFrame
    prices: pl.DataFrame | None = None  # ts (exclusive end), symbol, high, low, close, rated_by; in time order
    sessions: Stamps | None = None  # closes of sessions, ns UTC, ascending; None: days are UTC days

    @staticmethod
    def open(folder: Path, prices: pl.DataFrame | None = None, sessions: Stamps | None = None) -> RunData:
        """Read a run folder; StoreError where it is none, or damaged."""
        run = open_run(folder)
        equity, fills, positions, orders = (_table(folder, name) for name in TABLES)
        closes = closes_of(folder) if sessions is None else sessions
        return RunData(folder, run.summary, equity, fills, positions, orders, prices, closes)

    @property
    def initial(self) -> float:
        """Return the equity with which the run began, in the account's currency; NaN where it never was known."""
        told = self.summary["initial_equity"]
        return float("nan") if told is None else float(told)

    @property
    def rates(self) -> dict[str, float]:
        """Return what one unit of each currency is worth in the account's, as the run ended."""
        return {row["currency"]: int(row["rate_pico"]) / PICO for row in self.summary["balances"]}

    @cached_property
    def currencies(self) -> pl.DataFrame:
        """Return symbol, its quote currency, and the worth of that in the account's currency (`rate`)."""
        rates = self.rates
        names = self.positions.select(pl.col("symbol", "currency").cast(pl.String)).unique(
            maintain_order=True
        )
        worth = [rates.get(name, 1.0) for name in names["currency"]]
        return names.with_columns(rate=pl.Series(worth, dtype=pl.Float64))

    @cached_property
    def daily(self) -> pl.DataFrame:
        """Return day, ts, equity, return: one row a day from the first sample of equity to the last."""
        return daily(self.equity, self.initial, self.sessions)

    @cached_property
    def trips(self) -> pl.DataFrame:
        """Return the finished round trips (`metrics.trips`), with `currency` and `result`: pnl in the account's."""
        table = trips(self.fills)
        if self.prices is not None:
            table = excursions(table, self.prices)
        table = table.with_columns(pl.col("strategy", "symbol").cast(pl.String))
        return table.join(self.currencies, on="symbol", how="left", maintain_order="left").with_columns(
            result=pl.col("pnl") * pl.col("rate")
        )

    @cached_property
    def benchmark(self) -> npt.NDArray[np.float64] | None:
        """Return the daily returns of buying and holding the run's instruments; None without prices or their rates."""
        if self.prices is None or self.equity.is_empty():
            return None
        foreign = (self.currencies["currency"] != self.summary.get("currency")).any()
        if foreign and RATED_BY not in self.prices.columns:
            return None
        ends = self.daily["ts"].dt.epoch("ns").to_numpy()
        return buy_and_hold(self.prices, ends, int(self.equity["ts"].dt.epoch("ns")[0]))


def closes_of(folder: Path) -> Stamps | None:
    """Return the closes of sessions that a run of a calendar has left, ns UTC; None: its days are UTC days."""
    path = folder / SESSIONS
    return pl.read_parquet(path)["close"].dt.epoch("ns").to_numpy() if path.exists() else None


def _table(folder: Path, name: str) -> pl.DataFrame:
    path = folder / f"{name}.parquet"
    try:
        return pl.read_parquet(path)
    except FileNotFoundError:
        raise StoreError(f"{folder} is damaged: it has no {path.name}") from None
    except (OSError, pl.exceptions.PolarsError) as error:
        raise StoreError(f"{path} is damaged or cannot be read ({error})") from error
