"""Bars made in the fold equal the vendors' own: of a market that never closes, and days of New York's sessions."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import yaml

from tests.unit.engine.bar_logger import COLUMNS, seen_bars
from tradectl.cli.runner import run_backtest

DATA = Path(__file__).parents[3] / "shared" / "data"
BYBIT, LEAN = DATA / "bybit_linear_2025", DATA / "lean" / "equity" / "usa"
MINUTE = 60 * 10**9
PRICES = ("open", "high", "low", "close")
needs_bybit = pytest.mark.skipif(not BYBIT.exists(), reason="../shared/data/bybit_linear_2025 is not there")
needs_lean = pytest.mark.skipif(not LEAN.exists(), reason="../shared/data/lean is not there")
SPY = {"source": str(LEAN / "hour" / "spy.zip"), "profile": "lean_equity_hour"}
TICKS = {"instruments": {"SPY": {"tick_size": "0.0001", "lot_size": 1}}, "account": {"balance": 10**8}}


def table(rows: Any) -> pl.DataFrame:
    """Return what was seen as a table."""
    return pl.DataFrame(rows, schema=list(COLUMNS), orient="row")


@needs_bybit
def test_bars_of_several_lengths_are_the_files_own_and_seen_when_they_have_ended(tmp_path: Path) -> None:
    lengths = {5: "5m.csv.gz", 15: "15m.csv.gz", 30: "30m.csv.gz", 60: "60m.csv.gz", 240: "240m.csv"}
    config = {
        "data": {"source": str(BYBIT / "ADAUSDT_1m.csv.gz"), "timeframe": "1m"},
        "bars": [f"{minutes}m" for minutes in lengths],
        "instruments": {"ADA/USDT": {"tick_size": 0.0001, "lot_size": 1}},
        "account": {"balance": 1_000, "currency": "USDT"},
    }
    rows, _ = seen_bars(tmp_path, config)
    seen = table(rows)
    assert (seen["now"] == seen["end"]).all()  # never before it has ended
    assert seen["end"].is_sorted()
    assert all(part["length"].is_sorted() for part in seen.partition_by("end"))  # the finest first
    for frame, (minutes, name) in enumerate(lengths.items()):
        told = pl.read_csv(BYBIT / f"ADAUSDT_{name}")
        ends = (
            told["timestamp"].str.to_datetime(time_unit="ns", time_zone="UTC").dt.epoch("ns")
            + minutes * MINUTE
        )
        ours = seen.filter(frame=frame)
        assert (ours["length"] == minutes * MINUTE).all()
        shared = min(len(ours), len(told) - 1)  # the last one of a file may be partial
        first = 1 if int(ours["end"][0]) == int(ends[0]) - minutes * MINUTE else 0  # and so may our first
        mine, theirs = ours[first:].head(shared), told.head(shared)[: len(ours) - first]
        assert len(theirs) > 170
        assert mine["end"].to_list()[: len(theirs)] == ends.head(len(theirs)).to_list()
        for column in PRICES:
            ticks = (theirs[column] * 10_000).round().cast(pl.Int64)
            assert mine[column].head(len(theirs)).to_list() == ticks.to_list(), (minutes, column)
        assert mine["volume"].head(len(theirs)).to_list() == theirs["volume"].cast(pl.Int64).to_list()


@needs_lean
def test_days_of_new_york_are_the_vendors_over_23_years(tmp_path: Path) -> None:
    pytest.importorskip("exchange_calendars", reason="the extra `calendars` is not installed")
    rows, state = seen_bars(tmp_path, {"data": SPY, "bars": ["1d"], "calendar": "XNYS", **TICKS})
    ours = table(rows)
    daily = zipfile.ZipFile(LEAN / "daily" / "spy.zip")
    columns = ["day", *PRICES, "volume"]
    told = pl.read_csv(daily.read(daily.namelist()[0]), has_header=False, new_columns=columns)
    assert len(ours) == len(told) == 5_849
    # On early closes before 2009 the hourly file goes on after the close: these bars are left out, the days have them.
    assert state.engine[0]["n_outside"] == 47
    differs = pl.any_horizontal(pl.Series(ours[name] != told[name]) for name in (*PRICES, "volume"))
    odd = told.filter(differs)["day"].str.slice(0, 8).to_list()
    assert len(odd) == 23
    assert max(odd) == "20081224"
    assert {day[4:6] for day in odd} == {"07", "11", "12"}
    local = pl.from_epoch("end", "ns").cast(pl.Datetime("ns", "UTC")).dt.convert_time_zone("America/New_York")
    clocks = ours.select(
        day=local.dt.strftime("%Y%m%d 00:00"), clock=local.dt.strftime("%H:%M"), utc=pl.col("end")
    )
    assert clocks["day"].to_list() == told["day"].to_list()
    assert dict(clocks["clock"].value_counts().iter_rows())["16:00"] > 5_700
    assert clocks.filter(day="20131129 00:00")["clock"].item() == "13:00"
    hours = pl.from_epoch(clocks["utc"], "ns").dt.hour().unique().sort().to_list()
    assert hours == [17, 18, 20, 21]  # with and without daylight saving, whole days and early closes


@needs_lean
def test_minutes_outside_the_session_are_left_out(tmp_path: Path) -> None:
    days = [str(LEAN / "minute" / "spy" / f"201310{day:02d}_trade.zip") for day in (7, 8, 9)]
    hours = {"timezone": "America/New_York", "open": "09:30", "close": "16:00"}
    data = {"source": days, "profile": "lean_equity_minute"}
    rows, state = seen_bars(tmp_path, {"data": data, "bars": ["1h", "1d"], "calendar": hours, **TICKS})
    seen = table(rows)
    clocks = (
        pl.from_epoch(seen["end"], "ns").dt.replace_time_zone("UTC").dt.convert_time_zone("America/New_York")
    )
    hourly = clocks.filter(seen["frame"] == 0).dt.strftime("%H:%M").to_list()
    assert hourly == ["10:30", "11:30", "12:30", "13:30", "14:30", "15:30", "16:00"] * 3
    archive = zipfile.ZipFile(days[0])
    minutes = pl.read_csv(
        io.BytesIO(archive.read(archive.namelist()[0])),
        has_header=False,
        new_columns=["ms", *PRICES, "volume"],
    )
    inside = minutes.filter(pl.col("ms").is_between(570 * 60_000, 960 * 60_000, closed="left"))
    first = seen.filter(frame=1).row(0, named=True)
    assert first["open"] == inside["open"][0]
    assert first["close"] == inside["close"][-1]
    assert (first["high"], first["low"]) == (inside["high"].max(), inside["low"].min())
    assert first["volume"] == inside["volume"].sum()
    assert state.engine[0]["n_outside"] > 500


@needs_lean
def test_a_run_of_sessions_counts_its_returns_by_them(tmp_path: Path) -> None:
    (tmp_path / "hold.py").write_text(
        '"""Buy and hold."""\nfrom tradectl.strategy import strategy\n\n@strategy\nclass Hold:\n    """Buy once."""\n\n'
        "    def on_bar(ctx, p, s):\n        if ctx.position_lots == 0 and ctx.open_orders == 0:\n"
        "            ctx.buy(100.0)\n"
    )
    hours = {"timezone": "America/New_York", "open": "09:30", "close": "16:00"}
    window = {"from": "2013-01-01", "to": "2014-01-01"}
    summaries = []
    for calendar in (hours, "24/7"):
        config = {"strategy": {"path": "hold.py"}, "data": SPY | window, "calendar": calendar, **TICKS}
        path = tmp_path / "run.yaml"
        path.write_text(yaml.safe_dump(config | {"account": {"balance": 100_000}}))
        summaries.append(run_backtest(path, out=tmp_path / "runs").summary)
    sessions, days = summaries
    assert sessions["fills"] == days["fills"] == 1
    assert sessions["final_equity"] == days["final_equity"]
    assert sessions["calendar"]["periods_per_year"] == pytest.approx(260.9, abs=1)  # no holidays are told
    assert "calendar" not in days
    assert sessions["volatility"] == pytest.approx(
        days["volatility"], rel=0.02
    )  # weekends are no risk, and no days
    assert np.isfinite(sessions["sharpe"])
