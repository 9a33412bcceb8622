"""The small parts under the commands: formats, tables, progress, benches' registry."""

from __future__ import annotations

import ast
import json
import math
from pathlib import Path
from types import SimpleNamespace as Made
from typing import Any

import numpy as np
import pytest

from tests.cli.tools import ROOT
from tradectl.bench import registry, table
from tradectl.cli import output, progress, result_table, warmup
from tradectl.cli.runner_backtest import trial_of
from tradectl.errors import ConfigError


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (math.nan, "null"),
        ({"a": [math.inf, 1.5, None, True]}, '{"a": [null, 1.5, null, true]}'),
        (np.float64("nan"), "null"),
        (np.int64(3), "3"),
        (Path("x/y"), '"x/y"'),
        ((1, "é"), '[1, "é"]'),
    ],
)
def test_json_holds_only_what_json_can(value: object, text: str) -> None:
    assert output.json_text(value) == text
    json.loads(text)


def test_a_trial_has_a_sharpe_ratio() -> None:
    """A run that never traded, or spans a day, is none; the symbols are what its data has."""
    spec = Made(instruments=[Made(symbol="ETH/USD"), Made(symbol="BTC/USD")])
    wired: Any = Made(loaded=[Made(name="Cross", params={"fast": 3})], spec=spec)
    lock = {"created": "now", "config": {"hash": "c"}, "data": {"hash": "d"}}
    summary = {"total_return": 0.1, "sharpe": 1.0}
    for returns in (np.zeros(0), np.array([0.1]), np.zeros(9)):
        assert trial_of(wired, returns, lock, summary) is None
    made = trial_of(wired, np.array([0.1, 0.2, 0.0]), lock, summary)
    assert made is not None
    assert (made["family"], made["symbols"]) == (["Cross"], ["BTC/USD", "ETH/USD"])
    assert made["returns"]["n"] == 3


def test_figures_for_people() -> None:
    assert output.count(1234567) == "1,234,567"
    assert output.count(None) == output.money(math.nan) == output.percent("x") == output.seconds(None) == "–"
    assert output.percent(-0.0468) == "-4.68 %"
    told = [output.money(-0.0316, currency) for currency in ("", "USDT", "EUR", "BTC", "ETH")]
    assert told == ["-0.03", "-0.03", "-0.03", "-0.03160000", "-0.03160000"]
    assert [output.seconds(s) for s in (2e-5, 0.25, 3.21, 600)] == ["20 µs", "250 ms", "3.2 s", "10.0 min"]
    assert [output.size(n) for n in (5, 1_500, 2.5e6, 7e12)] == ["5 B", "1.5 KB", "2.5 MB", "7000.0 GB"]


def test_notes_tell_inferred_grids_faults_and_gaps() -> None:
    instrument = {
        "instrument": "X:A", "tick_size": "0.01", "lot_size": "1", "tick_from": "inferred", "lot_from": "config",
        "gap_count": 2, "missing_bars": 7,
    }  # fmt: skip
    faults = [
        {"kind": "off_tick", "instrument": "X:0", "action": "round", "count": 3},
        {"kind": "gap", "instrument": "X:0", "action": "report", "count": 2},
        {"kind": "clock", "instrument": "X:1", "action": "report", "count": 8},
        {"kind": "clock", "instrument": "X:2", "action": "report", "count": 9},
    ]
    summary = {
        "data": {
            "instruments": [
                {**instrument, "instrument": f"X:{k}", "shift_ns": 1_273_000_000 * (k == 1)} for k in range(7)
            ],
            "faults": faults,
        },
        "audit": {"balanced": True}, "run_dir": "runs/x", "timing": {"run_s": 0.5}, "state_hash": "ab",
    }  # fmt: skip
    lines = "\n".join(result_table.notes(summary | {"synthetic_bars": 3}))
    assert "3 bars are made up" in lines
    assert "tick 0.01 (inferred), lot 1 (config)" in lines
    assert "2 more inferred" in lines
    assert "3 off_tick: rounded" in lines
    assert "8 clock: corrected by 1,273 ms" in lines
    assert "9 clock: kept" in lines
    assert "14 gaps, 49 bars are missing" in lines
    assert "runs/x" in lines


def test_breaks_of_a_book_are_no_missing_bars() -> None:
    one = {"instrument": "X:A", "gap_count": 1, "missing_bars": 1}
    of_book = {"instrument": "X:B", "gap_count": 1, "missing_bars": 0, "kinds": {"depth": 5}}
    assert result_table._faults({"instruments": [of_book]}) == [
        "[yellow]data[/] 1 break in the sequence of messages; a book fills nothing until it is whole again"
    ]
    assert result_table._faults({"instruments": [one, of_book]})[0] == (
        "[yellow]data[/] 1 gap, 1 bar is missing; nothing fills in them"
    )


def test_an_instrument_with_two_sources_has_one_grid_line() -> None:
    sizes = {"tick_size": "0.01", "lot_size": "1", "tick_from": "inferred", "lot_from": "inferred"}
    pair = [{"instrument": "X:A", "timeframe": frame, **sizes} for frame in ("15m", "1m")]
    lines = result_table.notes({"data": {"instruments": pair}})
    assert [line for line in lines if "grid" in line] == ["[cyan]grid[/] X:A: tick 0.01 (inferred), lot 1 (inferred)"]


def test_notes_tell_where_a_disabled_strategy_raised() -> None:
    where = {"hook": "on_fill", "instrument": "X:A", "ts_event": "2024-01-01T00:00:00Z", "event": 1_200}
    one = {"strategy": "a", "error": "KeyError: 'x'", **where}
    lines = "\n".join(result_table.notes({"disabled_strategies": [one, {"strategy": "b", **where}]}))
    place = "raised in on_fill on X:A at 2024-01-01T00:00:00Z, event 1,200"
    assert f"a was disabled: it {place}: KeyError: 'x'\n" in lines
    assert f"b was disabled: it {place}\n" in lines


def test_notes_say_why_orders_were_refused() -> None:
    reasons = ("NO_SIZING", "MAX_POSITION", "PRICE_COLLAR", "WARMING_UP", "NO_PRICE_YET", "SIZE_IS_ZERO")
    lines = result_table.notes({"refusals": dict.fromkeys(reasons, 1_200)})
    assert "[yellow]refused[/] 1,200 × NO_SIZING: no quantity given and the config has no sizing block" in lines
    assert "[yellow]refused[/] 1,200 × SIZE_IS_ZERO" in lines


def test_equity_that_never_was_known_is_told() -> None:
    lost = "the account lost everything"
    row = {"currency": "BTC", "rate_pico": 0, "balance_atoms": 2, "value_atoms": 0}
    told = "\n".join(result_table.notes({"initial_equity": None, "final_equity": 0.0, "balances": [row]}))
    assert "gave BTC a rate: equity and returns are not known" in told
    assert lost not in told
    assert lost in "\n".join(result_table.notes({"initial_equity": 1.0, "final_equity": 0.0, "balances": [row]}))


def test_scenarios_are_shown_where_bars_were_ambiguous() -> None:
    summary = {
        "name": "x", "ambiguous_bars": 2, "initial_equity": 100.0,
        "scenarios": {"adverse": {"total_return": -0.5}, "base": {"total_return": 0.1}, "favourable": 120.0},
    }  # fmt: skip
    console = output.out()
    with console.capture() as captured:
        console.print(result_table.result_table(summary, {"name": "empty"}))
    text = captured.get()
    for cell in ("adverse", "-50.00 %", "10.00 %", "20.00 %", "–"):
        assert cell in text


def test_a_meter_without_a_terminal_is_silent(capsys: pytest.CaptureFixture[str]) -> None:
    with progress.Meter() as meter:
        meter("run", 5, 10)
        meter.counter("load")(7)
    captured = capsys.readouterr()
    assert captured.out == captured.err == ""


def test_a_meter_on_a_terminal_shows_stages(monkeypatch: pytest.MonkeyPatch) -> None:
    import io

    from rich.console import Console

    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, width=100)
    monkeypatch.setattr(progress, "err", lambda: console)
    with progress.Meter() as meter:
        meter("compile")
        meter("run", 5, 10)
        meter("anything")
    assert "compiling kernels" in stream.getvalue() or "anything" in stream.getvalue()


def test_ratios_know_which_way_a_figure_counts() -> None:
    assert table.ratio("p50_ns", 10, 20) == 2
    assert table.ratio("ops_per_s", 10, 20) == 0.5
    assert table.ratio("warm_run_s", 1, 3) == 3
    assert math.isnan(table.ratio("x", 0, 1))
    now, before = (
        {"a": {"x_ns": 5, "name": "n", "good": True}},
        {"a": {"x_ns": 10, "name": "n", "good": True}, "b": {}},
    )
    assert table.compare(now, before) == [("a", "x_ns", 5.0, 10.0, 2.0)]


def test_saved_benches(tmp_path: Path) -> None:
    table.save(tmp_path / "b", "one", {"benches": {}})
    assert table.load_saved(tmp_path / "b", "one") == {"benches": {}}
    with pytest.raises(ConfigError, match="did you mean 'one'"):
        table.load_saved(tmp_path / "b", "on")
    with pytest.raises(ConfigError, match="cannot name"):
        table.save(tmp_path, "../x", {})


def test_registered_benches_are_functions() -> None:
    assert registry.available()
    for name in registry.available():
        module, _, function = registry.BENCHES[name].function.partition(":")
        tree = ast.parse((ROOT / Path(*module.split("."))).with_suffix(".py").read_text())
        assert function in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    with pytest.raises(ConfigError, match="pipeline"):
        registry.run_bench("pipelin")


def test_warmup_finds_every_module_with_entry_points() -> None:
    found = set()
    for path in (ROOT / "tradectl").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef):
                names = [one.func if isinstance(one, ast.Call) else one for one in node.decorator_list]
                if any(isinstance(one, ast.Name) and one.id == "entry" for one in names):
                    found.add(".".join(path.relative_to(ROOT).with_suffix("").parts))
    assert found == set(warmup.holders())
    assert warmup.holders()[0] == "tradectl.engine.advance"
