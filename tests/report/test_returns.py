"""Returns by month and year and their distribution, on a made-up curve of equity."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl

from tests.unit.metrics.made import STAMP
from tradectl.metrics.streams import DAY_NS
from tradectl.report.html import Section
from tradectl.report.model import Report
from tradectl.report.returns import returns

DAYS = 1_096
FIRST = 19_358  # 2023-01-01


def grown(report: Report) -> Report:
    """Return a report of three years from 2023 on: the first half of each month grows, the second stands still."""
    days = FIRST + np.arange(DAYS)
    dates = pl.Series(days).cast(pl.Date)
    grows = (dates.dt.day() <= 15).to_numpy()
    rate = np.where((dates.dt.month() % 4 == 0).to_numpy(), -0.01, 0.02)
    levels = report.data.initial * np.cumprod(1.0 + np.where(grows, rate, 0.0))
    equity = pl.DataFrame({
        "ts": pl.Series((days + 1) * DAY_NS).cast(STAMP),
        "equity": levels,
        "equity_atoms": np.round(levels * 1e8).astype(np.int64),
    })  # fmt: skip
    return replace(report, data=replace(report.data, equity=equity))


def drawn(report: Report) -> Section:
    made = returns(report)
    assert made is not None
    return made


def test_months_and_years_have_a_scale_each(bars: Report) -> None:
    months, years = next(one.traces for one in drawn(grown(bars)).charts if one.id == "calendar-chart")
    assert months["x"] == years["x"]
    assert [[value is None for value in row] for row in years["z"]] == [[True] * 12 + [False]] * 3
    assert [[value is None for value in row] for row in months["z"]] == [[False] * 12 + [True]] * 3
    assert months["y"] == years["y"] == ["2025", "2024", "2023"]
    for trace in (months, years):
        largest = max(abs(value) for row in trace["z"] for value in row if value is not None)
        assert trace["zmax"] == -trace["zmin"] == largest
    assert months["zmax"] < 40.0 < 400.0 < years["zmax"]


def test_the_bar_with_days_of_zero_is_neither_won_nor_lost(bars: Report) -> None:
    chart = next(one for one in drawn(grown(bars)).charts if one.id == "distribution-chart")
    trace = chart.traces[0]
    of_zero = trace["marker"]["color"].index("@other")
    assert trace["marker"]["color"][:of_zero] == ["@loss"] * of_zero
    assert set(trace["marker"]["color"][of_zero + 1 :]) == {"@gain"}
    flat = int((grown(bars).data.daily["return"] == 0.0).sum())
    assert trace["y"][of_zero] == flat
    assert f"{flat} of them 0 (in the grey bar)" in chart.told
