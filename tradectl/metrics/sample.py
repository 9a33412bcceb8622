"""What metrics are computed from: a finished run's daily returns, round trips, benchmark and trials."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from tradectl.core.instrument import ATOMS_PER_UNIT
from tradectl.core.layout import FILL
from tradectl.metrics.basic import Run
from tradectl.metrics.conventions import Conventions, conventions_for, marking_of
from tradectl.metrics.load import PICO, RunData
from tradectl.metrics.numbers import Floats, sound
from tradectl.metrics.streams import Trips
from tradectl.metrics.trials import Trials, trials_of

__all__ = ["Metric", "Sample", "run_of", "sample_of"]

NO_TRIPS = pl.DataFrame(
    schema={
        "side": pl.String(), "result": pl.Float64(), "return": pl.Float64(), "duration": pl.Duration("ns"),
        "n_fills": pl.UInt32(), "mae": pl.Float64(), "mfe": pl.Float64(),
    }
)  # fmt: skip


@dataclass(frozen=True)
class Sample:
    """A run as its metrics see it; money is in the account's currency."""

    run: Run
    days: npt.NDArray[Any]  # datetime64[D], of each return
    levels: Floats  # equity at the start and at the end of each day (n + 1)
    trips: pl.DataFrame = field(
        default_factory=lambda: NO_TRIPS
    )  # `RunData.trips`, in the order of their ends
    benchmark: Floats | None = None  # one return a day
    trials: Trials = field(default_factory=Trials)
    funding: float = 0.0  # paid, below 0: received
    fills: int = 0
    conventions: Conventions = field(default_factory=Conventions)

    @property
    def returns(self) -> Floats:
        """Return the daily returns."""
        return self.run.returns

    @property
    def is_sound(self) -> bool:
        """Return whether statistics of the returns make sense: two at least, equity never lost."""
        return sound(self.returns)

    @cached_property
    def results(self) -> Floats:
        """Return what each round trip made, after fees."""
        return self.trips["result"].cast(pl.Float64).to_numpy()

    def months(self, unit: str = "M") -> Floats:
        """Return one compound return a calendar month (`unit` M) or year (Y)."""
        if not len(self.returns):
            return self.returns
        starts = np.flatnonzero(
            np.concatenate(([True], np.diff(self.days.astype(f"datetime64[{unit}]")) > 0))
        )
        return np.asarray(np.multiply.reduceat(1.0 + self.returns, starts) - 1.0)

    def paired(self) -> tuple[Floats, Floats]:
        """Return (returns, benchmark's returns), both empty where either has no use."""
        other = self.benchmark
        if other is None or len(other) != len(self.returns) or not (self.is_sound and sound(other)):
            return np.zeros(0), np.zeros(0)
        return self.returns, other


@dataclass(frozen=True)
class Metric:
    """A line of the registry: what to call, in which unit, under which name on a page."""

    function: Callable[[Sample], float]
    unit: str  # fraction, ratio, money, days, hours or count
    label: str

    @property
    def formula(self) -> str:
        """Return the function's own words: formula and source."""
        return " ".join((self.function.__doc__ or "").removeprefix("Return ").split())


def run_of(data: RunData, conventions: Conventions) -> Run:
    """Return what the ten figures of summary.json are made from, as the tables of the run tell it."""
    rates = dict(zip(data.currencies["symbol"], data.currencies["rate"], strict=True))
    stamps = data.equity["ts"].dt.epoch("ns")
    first, last = (int(stamps[0]), int(stamps[-1])) if len(stamps) else (0, 0)
    trips = _stream(data.fills, rates)
    trips.finish(last)
    initial = round(data.initial * ATOMS_PER_UNIT) if math.isfinite(data.initial) else 0
    mean = float(data.equity["equity_atoms"].cast(pl.Float64).mean() or 0.0) if first else float(initial)  # type: ignore[arg-type]
    return Run(
        initial_atoms=initial,
        final_atoms=round(float(data.summary["final_equity"]) * ATOMS_PER_UNIT),
        max_drawdown=float(data.summary["max_drawdown"]),
        fees_atoms=ledger_sum(data, "fees_atoms"),
        returns=data.daily["return"].to_numpy(),
        trips=data.trips["result"].to_numpy(),
        notional_atoms=trips.notional,
        mean_equity_atoms=mean,
        held_ns=trips.held_ns,
        first_ts=first,
        last_ts=last,
        periods_per_year=conventions.periods_per_year,
        risk_free=conventions.risk_free,
    )


def ledger_sum(data: RunData, name: str) -> int:
    """Return a column of the run's ledgers over all currencies, atoms of the account's."""
    return sum(int(row.get(name, 0)) * int(row["rate_pico"]) // PICO for row in data.summary["balances"])


def _stream(fills: pl.DataFrame, rates: dict[str, float]) -> Trips:
    """Return the stream of round trips fed with a table of fills: notional and time in the market come from it."""
    symbols = list(rates)
    strategies = fills["strategy"].cast(pl.String)
    names = strategies.unique(maintain_order=True).to_list()
    rows = np.zeros(fills.height, FILL)
    rows["ts_event"] = fills["ts"].dt.epoch("ns").to_numpy()
    rows["instrument"] = (
        fills["symbol"].cast(pl.String).replace_strict(symbols, range(len(symbols))).to_numpy()
    )
    rows["strategy"] = strategies.replace_strict(names, range(len(names))).to_numpy()
    for name in ("position_lots", "qty_lots", "notional_atoms", "fee_atoms", "realised_atoms", "ambiguous"):
        rows[name] = fills[name].to_numpy()
    made = Trips(max(len(symbols), 1), max(len(names), 1), np.array(list(rates.values()) or [1.0]))
    made.feed(rows)
    return made


def sample_of(data: RunData, benchmark: Floats | None = None, profile: str = "tradectl") -> Sample:
    """Return the sample of a run; the benchmark's daily returns are the run's own buy and hold unless given."""
    conventions = conventions_for(profile, marking_of(data.summary), data.sessions)
    return Sample(
        run=run_of(data, conventions),
        days=data.daily["day"].to_numpy(),
        levels=np.concatenate(([data.initial], data.daily["equity"].to_numpy())),
        trips=data.trips,
        benchmark=data.benchmark if benchmark is None else benchmark,
        trials=trials_of(data.folder),
        funding=ledger_sum(data, "funding_atoms") / ATOMS_PER_UNIT,
        fills=data.fills.height,
        conventions=conventions,
    )
