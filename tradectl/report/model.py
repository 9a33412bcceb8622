"""What a page is made from: a run's tables, its prices where they could be read again, its settings and its lock."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from tradectl.db.catalogue import Run
from tradectl.errors import StoreError
from tradectl.metrics.load import RunData, unrated
from tradectl.metrics.registry import compute_all
from tradectl.report.html import Section
from tradectl.report.ladders import Ladder

__all__ = ["Maker", "Market", "Report", "open_report"]

PLOTS: dict[str, pl.DataType] = {
    "ts": pl.Datetime("ns", "UTC"), "strategy": pl.String(), "symbol": pl.String(), "series": pl.String(),
    "value": pl.Float64(),
}  # fmt: skip


@dataclass(frozen=True)
class Market:
    """What a run's data says once more; `why` says why there are no prices."""

    prices: pl.DataFrame | None = None  # `report.prices.collect`
    why: str = ""
    chosen: pl.DataFrame = field(default_factory=pl.DataFrame)  # fills whose book is shown: `report.ladders.choose`
    ladders: Mapping[int, Ladder] = field(default_factory=dict)  # by fill_id
    grids: Mapping[str, tuple[float, float]] = field(default_factory=dict)  # tick and lot size by instrument


@dataclass(frozen=True)
class Report:
    """A run whose page is made."""

    data: RunData
    config: Mapping[str, Any]
    lock: Mapping[str, Any]
    market: Market

    @property
    def why(self) -> str:
        """Return why there are no prices; empty where there are."""
        return self.market.why

    @cached_property
    def figures(self) -> dict[str, float]:
        """Return every metric by name (`metrics.registry`); NaN where it is not defined."""
        return compute_all(self.data)

    @property
    def summary(self) -> Mapping[str, Any]:
        """Return summary.json."""
        return self.data.summary

    @property
    def name(self) -> str:
        """Return the run's name."""
        return str(self.summary["name"])

    @property
    def currency(self) -> str:
        """Return the account's currency."""
        return str(self.summary.get("currency") or "")

    @property
    def prices(self) -> pl.DataFrame | None:
        """Return the prices of the run (`prices.collect`), or None."""
        return self.data.prices

    @property
    def span(self) -> tuple[int, int]:
        """Return the first and the last stamp of equity, ns UTC; zeros without any."""
        stamps = self.data.equity["ts"].cast(pl.Int64)
        return (int(stamps[0]), int(stamps[-1])) if len(stamps) else (0, 0)

    @cached_property
    def held_names(self) -> list[str]:
        """Return the instruments whose prices are known."""
        return [] if self.prices is None else list(self.prices["symbol"].unique(maintain_order=True))

    @cached_property
    def unrated(self) -> dict[str, str]:
        """Return the instruments that the benchmark leaves out, each with what has no prices to convert it."""
        return {} if self.prices is None else unrated(self.prices)

    @cached_property
    def held(self) -> float | None:
        """Return what buying and holding the run's instruments would have made, a fraction; None without prices."""
        returns = self.data.benchmark
        made = float(np.prod(1.0 + returns) - 1.0) if returns is not None and len(returns) else math.nan
        return made if math.isfinite(made) else None

    @cached_property
    def plots(self) -> pl.DataFrame:
        """Return the series that strategies plotted (plots.parquet), no rows where there are none."""
        place = self.data.folder / "plots.parquet"
        if not place.is_file():
            return pl.DataFrame(schema=PLOTS)
        try:
            return pl.read_parquet(place)
        except (OSError, pl.exceptions.PolarsError) as error:
            raise StoreError(f"{place} is damaged or cannot be read ({error})") from error

    @cached_property
    def symbols(self) -> list[str]:
        """Return the instruments that were traded, the largest notional first."""
        traded = self.data.fills.group_by(pl.col("symbol").cast(pl.String)).agg(pl.col("notional").sum())
        return list(traded.sort("notional", "symbol", descending=[True, False])["symbol"])


Maker = Callable[[Report], Section | None]  # None: the run has nothing of that kind


def open_report(run: Run, market: Market) -> Report:
    """Read all that a page needs from a run folder; StoreError where it is damaged."""
    return Report(RunData.open(run.path, market.prices), _settings(run.path / "run.yaml"), run.lock(), market)


def _settings(path: Path) -> dict[str, Any]:
    import yaml

    try:
        return dict(yaml.load(path.read_text(encoding="utf-8"), getattr(yaml, "CSafeLoader", yaml.SafeLoader)))
    except (OSError, ValueError, TypeError, yaml.YAMLError) as error:
        raise StoreError(f"{path} cannot be read ({error})") from error
