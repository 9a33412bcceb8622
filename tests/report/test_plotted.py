"""Series that strategies plot: over the prices, in panels below, with their gaps, in words."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from tests.report.conftest import MakeRun, report_of
from tests.report.test_series import unpack
from tradectl.errors import StoreError
from tradectl.report.draw import broken
from tradectl.report.model import Report
from tradectl.report.plotted import COLOURS, HEIGHT, plotted

MINUTE = 60_000_000_000
SYMBOL = "LOCAL:BTCSYN/USD"


def told(report: Report, values: dict[str, list[float]], declared: dict[str, list[dict[str, str]]]) -> Report:
    """Return a report whose plots.parquet and summary have these series of one strategy each."""
    start = datetime(2024, 1, 1, tzinfo=UTC)
    rows = [
        (start + timedelta(minutes=k), strategy, SYMBOL, one["name"], value)
        for strategy, series in declared.items()
        for one in series
        for k, value in enumerate(values[one["name"]])
    ]
    table = pl.DataFrame(rows, schema=["ts", "strategy", "symbol", "series", "value"], orient="row")
    made = replace(report, data=replace(report.data, summary={**report.summary, "plots": declared}))
    made.__dict__["plots"] = table.with_columns(pl.col("ts").cast(pl.Datetime("ns", "UTC")))
    return made


def one(name: str, style: str = "line", panel: str = "") -> dict[str, str]:
    return {"name": name, "style": style, "panel": panel}


def test_over_the_prices(bars: Report) -> None:
    made = plotted(bars, SYMBOL, 1)
    assert [trace["name"] for trace in made.traces] == ["fast", "slow"]
    assert not [trace for trace in made.traces if "yaxis" in trace]
    assert made.height == HEIGHT
    assert set(made.layout) == {"xaxis", "yaxis"}
    rows = bars.plots.filter(pl.col("series").cast(pl.String) == "slow")["value"].drop_nans()
    assert f"slow over the prices, between {rows.min():,.6g} and {rows.max():,.6g}" in made.told
    assert plotted(bars, "LOCAL:NONE/USD", 1).told == ""


def test_panels_below(bars: Report) -> None:
    values = {"a": [1.0, 2.0], "b": [5.0, 5.0], "c": [math.nan, math.nan], "d": [0.5, -0.25]}
    declared = {"x": [one("a"), one("b", panel="low"), one("c", panel="more")], "y": [one("d", "steps", "low")]}
    made = plotted(told(bars, values, declared), SYMBOL, 1)
    assert [(trace["name"], trace.get("yaxis")) for trace in made.traces] == [
        ("x: a", None), ("x: b", "y2"), ("x: c", "y3"), ("y: d", "y2"),
    ]  # fmt: skip
    assert [made.layout[axis]["title"]["text"] for axis in ("yaxis2", "yaxis3")] == ["low", "more"]
    assert made.layout["xaxis"]["anchor"] == "y3"
    edges = [edge for axis in ("yaxis", "yaxis2", "yaxis3") for edge in reversed(made.layout[axis]["domain"])]
    assert edges == sorted(edges, reverse=True)
    assert edges[0] == 1.0
    assert edges[-1] == pytest.approx(0.0, abs=1e-9)
    for words in ("x: b in the panel low, always 5", "x: c in the panel more, without a value", "at last −0.25"):
        assert words in made.told
    assert made.traces[3]["line"]["shape"] == "hv"
    assert len({trace["line"]["color"] for trace in made.traces}) == min(4, len(COLOURS))


def test_gaps_are_kept_unless_they_are_too_many() -> None:
    ts = np.arange(12) * MINUTE
    values = np.array([math.nan, 1, 2, math.nan, math.nan, 3, math.nan, 4, 5, 6, 7, math.nan])
    at, got = unpack(broken("x", ts, values, "own", "dots")["packed"])
    assert (at // 60_000).tolist() == [1, 2, 3, 5, 6, 7, 8, 9, 10, 11]
    assert np.isnan(got).tolist() == [k in (2, 4, 9) for k in range(10)]
    dense = np.where(np.arange(40) % 2, 1.0, math.nan)
    _, few = unpack(broken("x", np.arange(40) * MINUTE, dense, "own", "line", most=20)["packed"])
    assert few.tolist() == [1.0] * 20
    long = np.where(np.arange(100_000) % 10_000 < 5_000, np.sin(np.arange(100_000)), math.nan)
    ts, cut = unpack(broken("x", np.arange(100_000) * MINUTE, long, "own", "line", most=1_000)["packed"])
    assert len(cut) <= 1_000
    assert np.isnan(cut).sum() == 10
    assert np.nanmax(cut) == pytest.approx(np.nanmax(long))


def test_many_series_share_the_points_of_a_page(bars: Report) -> None:
    values = {"a": np.random.default_rng(1).normal(size=40_000).tolist()}
    made = plotted(told(bars, values, {"x": [one("a")]}), SYMBOL, 40)
    assert made.traces[0]["packed"]["n"] == pytest.approx(3_000, abs=4)


def test_series_that_were_declared_and_never_sent_are_no_fault(bars: Report, tmp_path: Path) -> None:
    assert bars.summary["plots"]
    none = replace(bars, data=replace(bars.data, folder=tmp_path))
    assert none.plots.schema == {**bars.plots.schema, **dict.fromkeys(("strategy", "symbol", "series"), pl.String)}
    made = plotted(none, SYMBOL, 1)
    assert (made.traces, made.told) == ([], "")


def test_a_damaged_file_is_named(make_run: MakeRun, bars: Report, tmp_path: Path) -> None:
    (tmp_path / "plots.parquet").write_bytes(b"PAR1")
    broken_one = replace(bars, data=replace(bars.data, folder=tmp_path))
    with pytest.raises(StoreError, match=r"plots\.parquet is damaged"):
        _ = broken_one.plots
    several = report_of(make_run("momentum_rotation.yaml"))
    assert all("change, %" in plotted(several, symbol, 3).told for symbol in several.symbols)
