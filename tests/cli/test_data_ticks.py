"""`tradectl data` with trades, quotes, depth and orders."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.tools import Program
from tests.unit.history.book_files import T0, depth, table, trades


@pytest.fixture
def program(capsys: pytest.CaptureFixture[str]) -> Program:
    return Program(capsys)


def test_import_info_check_export(program: Program, tmp_path: Path) -> None:
    one, two, out = trades(tmp_path / "t.csv"), depth(tmp_path / "d.csv"), tmp_path / "cat"
    for kind, path in (("trades", one), ("depth", two)):
        done = program("data", "import", path, "--kind", kind, "--symbol", "BTC/USDT", "--out", out, "--json")
        assert done.code == 0, done.err
    (info,) = program("data", "info", out, "--json").objects
    (instrument,) = info["instruments"]
    assert instrument["kinds"] == {"trade": 60, "depth": 84}
    assert (instrument["id"], instrument["lag_min_ns"]) == ("LOCAL:BTC/USDT", 1_000_000)
    shown = program("data", "info", out)
    assert "60 trade, 84 depth" in shown.out
    checked = program("data", "check", out, "--json")
    assert checked.code == 0
    assert checked.objects[0]["ok"] is True
    done = program("data", "export", out, "--kind", "trades", "--out", tmp_path / "x.csv")
    assert "60 events" in done.out


def test_faults_are_errors_of_data(program: Program, tmp_path: Path) -> None:
    path = table(tmp_path / "X.csv", "timestamp,price,qty", [f"{T0},100,1", f"{T0 + 1},abc,1"])
    done = program("data", "import", path, "--kind", "trades", "--out", tmp_path / "cat")
    assert done.code == 3
    assert "X.csv, line 3: " in done.err
    assert "'abc' is not a number" in done.err
    assert not (tmp_path / "cat" / "catalogue.json").exists()
    assert program("data", "check", path, "--kind", "trades").code == 3


def test_a_clock_is_fixed_at_import(program: Program, tmp_path: Path) -> None:
    lines = [f"{T0 + k},{T0 + k - 700},100,1" for k in range(5)]
    path = table(tmp_path / "X.csv", "timestamp,local_timestamp,price,qty", lines)
    program("data", "import", path, "--kind", "trades", "--out", tmp_path / "cat", "--fix-clock")
    (info,) = program("data", "info", tmp_path / "cat", "--json").objects
    assert info["instruments"][0]["lag_min_ns"] == 0


def test_keys_of_the_other_kind_are_refused(program: Program, tmp_path: Path) -> None:
    done = program("data", "check", trades(tmp_path / "X.csv"), "--kind", "trades", "--timeframe", "1m")
    assert done.code == 2
    assert "data.timeframe is only for `kind: bars`" in done.err
