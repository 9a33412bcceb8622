"""A run with calendars: its journal replays to the same last byte, and `verify` finds it identical."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from tests.parity.helpers import small_run, write_config
from tests.property.test_slices import DAYS
from tradectl.cli.runner import RunResult, run_backtest, verify_run
from tradectl.metrics.load import RunData

CALENDAR = {"open": "00:30", "close": "23:30", "days": "mon-sun", "early_closes": {"2024-01-02": "12:00"}}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, RunResult]:
    folder = tmp_path_factory.mktemp("sessions")
    instruments = {name: {"tick_size": 0.01, "lot_size": 0.001} for name in DAYS["instruments"]}
    blocks = DAYS | {"instruments": instruments, "calendar": CALENDAR, "bars": ["1m", "1h", "1d"]}
    return folder, small_run(folder, journal=True, **blocks)


def test_the_run_is_worth_comparing(made: tuple[Path, RunResult]) -> None:
    summary = made[1].summary
    orders = pl.read_parquet(made[1].run_dir / "orders.parquet")
    ended = set(orders.filter(pl.col("status") == "EXPIRED")["reason"].cast(pl.String))
    assert ended == {"SESSION_ENDED", "TIME_ENDED"}
    assert summary["fills"] > 100
    assert summary["calendar"]["left_out"] > 1_000
    assert summary["calendar"]["sessions"]


def test_verify_finds_it_identical(made: tuple[Path, RunResult]) -> None:
    assert verify_run(made[1].run_dir).identical


def test_its_journal_replays(made: tuple[Path, RunResult]) -> None:
    folder, result = made
    journal = {"kind": "journal", "source": str(result.run_dir)}
    blocks = DAYS | {"instruments": {}, "calendar": CALENDAR, "bars": ["1m", "1h", "1d"], "data": journal}
    again = run_backtest(write_config(folder / "replay", **blocks), out=folder / "replay" / "runs")
    assert again.summary["state_hash"] == result.summary["state_hash"]


def test_returns_are_those_of_sessions(made: tuple[Path, RunResult]) -> None:
    data = RunData.open(made[1].run_dir)
    assert data.sessions is not None
    assert [f"{ts:%d %H:%M}" for ts in data.daily["ts"]] == ["01 23:30", "02 12:00", "03 23:30"]
    assert made[1].summary["calendar"]["periods_per_year"] == pytest.approx(365.25, rel=1e-3)
