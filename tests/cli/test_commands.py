"""What each command does and prints: JSON shapes, tables, files."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.tools import QUICKSTART, ROOT, SAMPLE, Program, process
from tradectl.core.jit import DISABLE_JIT

BARS = ("--bars", "400", "--price", "30000")
SUMMARY = (
    "run_dir name events instruments orders fills denied rejected trades initial_equity final_equity fees total_return "
    "max_drawdown sharpe ambiguous_bars scenarios audit state_hash timing events_per_s peak_rss_mb"
).split()
needs_jit = pytest.mark.skipif(DISABLE_JIT, reason="a bench of plain Python says nothing")


def test_data_from_generate_to_export(program: Program) -> None:
    made = program(
        "data", "generate", "cat", "--symbols", "BTC/USD,ETH/USD", *BARS, "--gaps", "20000", "--json"
    )
    assert made.objects == [
        {"out": "cat", "rows": made.objects[0]["rows"], "symbols": ["BTC/USD", "ETH/USD"]}
    ]
    info = program("data", "info", "cat", "--json").objects[0]
    assert [one["id"] for one in info["instruments"]] == ["SYNTHETIC:BTC/USD", "SYNTHETIC:ETH/USD"]
    assert info["rows"] == made.objects[0]["rows"] < 800
    check = program("data", "check", "cat", "--json")
    assert check.code == 0
    assert check.objects[0]["ok"] is True
    assert sum(one["missing_bars"] for one in check.objects[0]["instruments"]) == 800 - info["rows"]
    hourly = program("data", "resample", "cat", "--to-timeframe", "1h", "--out", "hourly", "--json").objects[
        0
    ]
    assert hourly["rows"] == 12
    done = program("data", "export", "cat", "--symbols", "BTC/USD", "--out", "btc.csv")
    lines = Path("btc.csv").read_text().splitlines()
    assert f"{len(lines) - 1} events" in done.out
    assert lines[0].startswith("sequence,ts_event,ts_recv,kind")


def test_tables_of_data(program: Program) -> None:
    program("data", "generate", "bars_BTCUSD_1m.csv", "--symbols", "BTC/USD", *BARS)
    done = program("data", "import", "bars_BTCUSD_1m.csv", "--out", "cat", "--set", "data.venue=HOME")
    assert "400 rows of 1 series, 400 of them new" in done.out
    assert "HOME:" in program("data", "info", "cat").out
    checked = program("data", "check", "bars_BTCUSD_1m.csv")
    assert "a run takes this data" in checked.out
    assert "inferred" in checked.out


def test_partial_first_bars_are_told(program: Program) -> None:
    program("data", "generate", "cat", "--symbols", "BTC/USD", *BARS, "--start", "2024-01-01T00:20:00Z")
    note = "first bar of 1h is partial: data of SYNTHETIC:BTC/USD begin at 2024-01-01T00:20:00Z (33% of it is missing)"
    made = ("data", "resample", "cat", "--to-timeframe", "1h", "--out")
    assert program(*made, "hourly").out.startswith(f"note {note}\n")
    assert program(*made, "again", "--json").objects[0]["notes"] == [note]
    assert note in program("data", "check", "cat", "--set", "bars=1h").out
    assert "note" not in program("data", "check", "cat", "--set", "bars=5m").out


def test_data_that_a_run_refuses(program: Program) -> None:
    Path("x_1m.csv").write_text(
        "timestamp,open,high,low,close,volume\n"
        "2024-01-01T00:00:00Z,10,11,9,10,1\n2024-01-01T00:01:00Z,10,9,9,10,1\n2024-01-01T00:02:00Z,10,11,9,10,1\n"
    )
    done = program("data", "check", "x_1m.csv", "--timeframe", "1m", "--json")
    assert (done.code, done.objects[0]["ok"]) == (3, False)
    assert program("data", "check", "x_1m.csv", "--timeframe", "1m").code == 3
    clipped = program(
        "data", "check", "x_1m.csv", "--timeframe", "1m", "--set", "data.on_error.ohlc=clip", "--json"
    )
    assert clipped.code == 0


def test_config_commands(program: Program) -> None:
    assert program("config", "check", QUICKSTART).out.startswith("✓")
    shown = program("config", "show", QUICKSTART, "--set", "execution.path=ohlc", "--json").objects[0]
    assert shown["execution.path"] == {"value": "ohlc", "from": "--set execution.path"}
    assert "quickstart.yaml:" in shown["name"]["from"]
    assert "execution.path" in program("config", "show", QUICKSTART).out
    program("config", "schema", "--out", "schema.json")
    assert json.loads(Path("schema.json").read_text()) == json.loads(program("config", "schema").out)


def test_a_shown_config_is_whole_in_a_pipe(program: Program) -> None:
    value = "a-name-that-is-" + "very-" * 40 + "long"
    sets = ("--set", f"name={value}", "--set", "data.source=" + "deep/" * 40 + "x.csv")
    rows = [line.strip() for line in program("config", "show", QUICKSTART, *sets).out.splitlines()]
    shown = program("config", "show", QUICKSTART, *sets, "--json").objects[0]
    assert len(rows) >= len(shown)
    for key, about in shown.items():
        (row,) = (row for row in rows if row.startswith(f"{key} "))
        assert row.endswith(about["from"])
    assert any(value in row for row in rows)


def test_config_check_goes_on_after_a_mistake(program: Program) -> None:
    Path("bad.yaml").write_text("nme: x\n")
    done = program("config", "check", "bad.yaml", QUICKSTART, "--json")
    assert done.code == 2
    assert [one["ok"] for one in done.objects] == [False, True]
    assert "name" in done.objects[0]["problem"]


def test_strategy_commands(program: Program) -> None:
    listed = program("strategy", "list", ROOT / "strategies", "--json").objects
    assert {one["name"] for one in listed} >= {
        "SmaCross",
        "RsiReversion",
        "DonchianBreakout",
        "MomentumRotation",
    }
    assert all(one["params"] for one in listed if one["name"] != "BuyAndHold")
    shown = program("strategy", "show", ROOT / "strategies" / "sma_cross.py", "--json").objects[0]
    assert shown["params"][0] == {
        "name": "fast", "kind": "int", "default": 10, "limits": "2..500", "help": "bars in the fast average",
    }  # fmt: skip
    assert "on_bar" in shown["hooks"]
    assert "SmaCross" in program("strategy", "show", ROOT / "strategies" / "sma_cross.py").out
    assert "SmaCross" in program("strategy", "list", ROOT / "strategies").out


def test_doctor(program: Program) -> None:
    done = program("doctor", "--json")
    assert done.code == 0
    checks = done.objects[0]["checks"]
    assert {"python", "libraries", "cpu", "compiler", "cache", "runs", "disk", "terminal"} <= set(checks)
    assert "numba" in program("doctor").out


def test_backtest_json_report_and_verify(program: Program) -> None:
    done = program("backtest", QUICKSTART, "--to", "2024-01-03", "--json")
    assert done.code == 0, done.err
    summary = done.objects[0]
    assert not [key for key in SUMMARY if key not in summary]
    assert set(summary["scenarios"]) == {"adverse", "base", "favourable"}
    assert {"import_s", "load_s", "compile_s", "run_s", "total_s"} <= set(summary["timing"])
    assert summary["audit"]["balanced"] is True
    assert summary["synthetic_bars"] == 0
    assert Path(summary["run_dir"]).is_dir()
    assert program("report", "latest", "--json").objects[0]["state_hash"] == summary["state_hash"]
    printed = program("report", "latest").out
    assert "total return" in printed
    assert "ledger balanced" in printed
    verified = program("verify", "latest", "--json")
    assert verified.code == 0, verified.err
    assert verified.objects[0]["identical"] is True
    assert "identical" in program("verify", Path(summary["run_dir"]).name).out


def test_backtest_prints_a_table_or_nothing(program: Program) -> None:
    arguments = ("backtest", QUICKSTART, "--to", "2024-01-02")
    shown = program(*arguments, "--out", "elsewhere")
    assert "total return" in shown.out
    assert "elsewhere" in shown.out
    assert program(*arguments, "--quiet").out == ""
    assert len([one for one in Path("runs").iterdir() if one.is_dir()]) == 1


def test_what_a_killed_run_left_behind_is_removed(program: Program) -> None:
    """A process that is killed holds the folder no longer."""
    code = (
        "import os, signal, sys; from pathlib import Path; from tradectl.db.runfolder import RunFolder; "
        "RunFolder(Path('runs'), 'killed', '0' * 8).write_text('x', 'x'); os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": str(ROOT)}, check=False)
    (left,) = Path("runs").iterdir()
    os.utime(left, (0, 0))
    done = program("backtest", QUICKSTART, "--to", "2024-01-02", "--json")
    assert f"removed the unfinished run {left.name[1:]}: its process is gone" in done.err
    assert not left.exists()


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_several_configs_are_ndjson_in_their_order(program: Program, jobs: str) -> None:
    text = QUICKSTART.read_text().replace("../", f"{ROOT}/")
    for name in ("one", "two"):
        Path(f"{name}.yaml").write_text(text.replace("name: quickstart", f"name: {name}"))
    Path("bad.yaml").write_text(text.replace("fast: 10", "fats: 10"))
    done = program("backtest", "two.yaml", "bad.yaml", "one.yaml", "--to", "2024-01-02", "-j", jobs, "--json")
    assert done.code == 4
    assert [one["name"] for one in done.objects] == ["two", "one"]
    assert "bad.yaml" in done.err
    assert "did you mean 'fast'" in done.err
    first, second = done.objects
    assert first["state_hash"] == second["state_hash"]


def test_journal_can_be_exported(program: Program) -> None:
    run_dir = program("backtest", QUICKSTART, "--to", "2024-01-02", "--journal", "--json").objects[0][
        "run_dir"
    ]
    done = program("data", "export", run_dir, "--out", "events.csv")
    assert done.code == 0, done.err
    assert "START" in Path("events.csv").read_text() or "COMMAND" in Path("events.csv").read_text()
    assert program("data", "check", run_dir).code == 0


@pytest.mark.parametrize("scope", ["instrument", "portfolio"])
def test_a_new_strategy_works_and_its_test_passes(program: Program, scope: str, tmp_path: Path) -> None:
    made = program("strategy", "new", "My Idea", "--scope", scope)
    assert made.code == 0, made.err
    assert program("strategy", "new", "my-idea").code == 6  # nothing is overwritten
    assert program("config", "check", "configs/my_idea.yaml").code == 0
    assert program("backtest", "configs/my_idea.yaml", "--json").objects[0]["fills"] > 0
    namespace: dict[str, object] = {"__file__": str(tmp_path / "tests" / "strategies" / "test_my_idea.py")}
    exec(Path("tests/strategies/test_my_idea.py").read_text(), namespace)
    namespace["test_it_trades"](tmp_path / "out")  # type: ignore[operator]


@needs_jit
def test_bench_matching(program: Program) -> None:
    found = program("bench", "matching", "--json", "--save", "first")
    assert found.code == 0, found.err
    figures = found.objects[0]
    assert {"trades", "traded_qty", "trade_hash", "book_hash", "ns_per_op", "ops_per_s", "machine"} <= set(
        figures
    )
    again = program("bench", "matching", "--json", "--against", "first").objects[0]
    assert again["against"]["matching.ops_per_s"] > 0.05
    shown = program("bench", "matching", "--against", "first").out
    assert "against first" in shown
    assert figures["machine"]["cpu"] in shown


@needs_jit
def test_warmup(program: Program) -> None:
    found = program("warmup", "--strategies", ROOT / "strategies", "--json").objects[0]
    names = {one["name"] for one in found["entries"]}
    assert {"advance", "replay_flow", "sma_cross.py"} <= names
    assert found["total_s"] >= 0


def test_a_read_only_home_is_no_obstacle(tmp_path: Path) -> None:
    done = process("strategy", "list", str(ROOT / "strategies"), HOME="/proc", XDG_CACHE_HOME="/proc/none")
    assert done.code == 0, done.err
    assert SAMPLE.exists()
