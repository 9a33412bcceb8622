"""Samples and fills for tests, small enough to work out by hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from tradectl.metrics.basic import Run
from tradectl.metrics.conventions import PROFILES
from tradectl.metrics.sample import NO_TRIPS, Sample
from tradectl.metrics.streams import DAY_NS

HOUR_NS = DAY_NS // 24
STAMP = pl.Datetime("ns", "UTC")
# growth 1 → 1.5 → 0.75 → 1.5 → 1.5 → 1.125, all exact in binary
RETURNS = (0.5, -0.5, 1.0, 0.0, -0.25)
BENCHMARK = (0.25, -0.25, 0.5, 0.0, -0.5)
RESULTS = (30.0, -10.0, -40.0, 0.0, 20.0, 60.0)
TRIPS = pl.DataFrame(
    {
        "side": ["LONG", "SHORT", "SHORT", "LONG", "LONG", "LONG"],
        "result": RESULTS,
        "return": [0.03, -0.01, -0.04, 0.0, 0.02, 0.06],
        "duration": pl.Series([h * HOUR_NS for h in (1, 2, 3, 4, 5, 9)]).cast(pl.Duration("ns")),
        "n_fills": pl.Series([2, 2, 3, 2, 4, 2], dtype=pl.UInt32),
        "mae": [0.0, 0.02, 0.05, 0.01, 0.01, 0.03],
        "mfe": [0.04, 0.0, 0.01, 0.02, 0.03, 0.08],
    }
)


def made_sample(
    returns: Sequence[float] = RETURNS,
    benchmark: Sequence[float] | None = BENCHMARK,
    trips: pl.DataFrame = TRIPS,
    profile: str = "tradectl",
    **changes: Any,
) -> Sample:
    """Return a sample of daily returns from 2023-12-30 on; `changes` go to Sample, or to its Run."""
    conventions = changes.pop("conventions", PROFILES[profile])
    values = np.array(returns, np.float64)
    n = len(values)
    levels = np.concatenate(([1.0], np.cumprod(1.0 + values)))
    final = float(levels[-1]) if np.isfinite(levels[-1]) else 0.0
    run: dict[str, Any] = {
        "initial_atoms": 1_000 * 10**8, "final_atoms": round(final * 1_000 * 10**8),
        "max_drawdown": 0.625, "fees_atoms": 25 * 10**8, "returns": values,
        "trips": trips["result"].to_numpy(), "notional_atoms": 10_000.0 * 1e8, "mean_equity_atoms": 1e11,
        "held_ns": n * DAY_NS // 4, "first_ts": 0, "last_ts": n * DAY_NS,
        "periods_per_year": conventions.periods_per_year, "risk_free": conventions.risk_free,
    }  # fmt: skip
    run |= {name: changes.pop(name) for name in list(changes) if name in run}
    return Sample(
        run=Run(**run),
        days=np.datetime64("2023-12-30") + np.arange(n),
        levels=levels,
        trips=trips,
        benchmark=None if benchmark is None else np.array(benchmark, np.float64),
        conventions=conventions,
        **changes,
    )


def empty_sample(**changes: Any) -> Sample:
    """Return a sample without a day and without a trade."""
    return made_sample(
        (), None, NO_TRIPS, **({"fees_atoms": 0, "notional_atoms": 0.0, "max_drawdown": 0.0} | changes)
    )


def made_fills(*rows: tuple[float, str, float, float, int, int], symbol: str = "X:A") -> pl.DataFrame:
    """Return a table of fills of (hour, BUY or SELL, price, quantity, realised, fee): money in atoms, lots of 0.1."""
    signed = np.cumsum([qty * (1 if side == "BUY" else -1) for _, side, _, qty, _, _ in rows])
    lots = np.round(np.array([row[3] for row in rows]) * 10).astype(np.int64)
    return pl.DataFrame(
        {
            "ts": pl.Series([round(row[0] * HOUR_NS) for row in rows], dtype=pl.Int64).cast(STAMP),
            "strategy": ["s"] * len(rows),
            "symbol": [symbol] * len(rows),
            "side": [row[1] for row in rows],
            "price": [float(row[2]) for row in rows],
            "qty": [float(row[3]) for row in rows],
            "qty_lots": lots,
            "notional": [float(row[2] * row[3]) for row in rows],
            "notional_atoms": [round(row[2] * row[3] * 1e8) for row in rows],
            "fee_atoms": [row[5] for row in rows],
            "realised_atoms": [row[4] for row in rows],
            "position_lots": np.round(signed * 10).astype(np.int64) if rows else lots,
            "order_type": ["MARKET"] * len(rows),
            "phase": ["OPEN"] * len(rows),
            "tag": list(range(len(rows))),
            "ambiguous": [False] * len(rows),
        },
        schema_overrides={
            "strategy": pl.String, "symbol": pl.String, "side": pl.String, "price": pl.Float64, "qty": pl.Float64,
            "notional": pl.Float64, "notional_atoms": pl.Int64,
            "fee_atoms": pl.Int64, "realised_atoms": pl.Int64, "order_type": pl.String,
            "phase": pl.String, "tag": pl.Int64, "ambiguous": pl.Boolean,
        },
    )  # fmt: skip
