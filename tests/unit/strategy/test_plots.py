"""A strategy's own series: declared, sent by hooks, kept in order and whole, the same compiled and plain."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tests.parity.helpers import small_run
from tests.unit.engine.test_host import Kept, config_of
from tradectl.cli.runner_verify import verify
from tradectl.config.load import load_config
from tradectl.config.wire import wire
from tradectl.core.codes import Reason
from tradectl.engine.host import Host
from tradectl.engine.state import PLOTS_PER_EVENT, State
from tradectl.errors import ConfigError, StrategyError
from tradectl.strategy import Dots, Line, Steps, strategy
from tradectl.strategy.declare import spec_of
from tradectl.strategy.plots import describe, key_of

BODY = """
class Plots:
    close = Line
    odd = Dots(panel="odd bars")

class State:
    bars = Int64()

def on_bar(ctx, p, s):
    s.bars += 1
    ctx.plot("odd", s.bars if s.bars % 2 else math.nan)
    show(ctx, ctx.close)

def on_stop(ctx, p, s):
    ctx.plot(name="odd", value=-0.0)
"""
HELPER = "\n\ndef show(world, price):\n    world.plot('close', price)\n"


def config(folder: Path, body: str = BODY, **changes: Any) -> Path:
    path = config_of(folder, body, **changes)
    mine = folder / "mine.py"
    text = mine.read_text().replace("import Int, Int64, strategy", "import Dots, Int64, Line, strategy")
    mine.write_text("import math\n\n" + text + HELPER)
    return path


def sink_of() -> Kept:
    made = Kept()
    made.tables["plots"] = []
    return made


def folded(path: Path, **changes: Any) -> tuple[State, Any]:
    wired = wire(load_config(path, env={}))
    sink, state = sink_of(), State(replace(wired.spec, **changes))
    Host(state, sink, wired.loaded, wired.hooks).run(wired.chunks(65_536))
    return state, sink.all("plots")


@pytest.mark.parametrize("jit", [True, False])
def test_values_come_in_their_order(tmp_path: Path, jit: bool) -> None:
    state, rows = folded(config(tmp_path, strategy={"jit": jit}))
    n = int(state.engine[0]["n_bars"])
    assert len(rows) == 2 * n + 2
    close = rows[rows["series"] == key_of("close")]
    odd = rows[rows["series"] == key_of("odd")]
    assert set(close["instrument"]) == {0, 1}
    assert close["value"][-1] == pytest.approx(state.markets[1]["last"] * 0.01)
    first = odd[(odd["instrument"] == 0)]["value"][:4].tolist()
    assert first[::2] == [1.0, 3.0]
    assert all(math.isnan(value) for value in first[1::2])
    assert [math.copysign(1.0, value) for value in odd["value"][-2:]] == [1.0, 1.0]  # one zero


def test_small_buffers_lose_nothing_and_the_state_does_not_know(tmp_path: Path) -> None:
    path = config(tmp_path)
    state, rows = folded(path)
    small, same = folded(path, output_capacity=16_384 + 8)
    assert rows.tobytes() == same.tobytes()
    assert small.hash() == state.hash()
    wired = wire(load_config(path, sets=["output.plots=false"], env={}))
    silent = State(wired.spec)
    Host(silent, Kept(), wired.loaded, wired.hooks).run(wired.chunks(65_536))
    assert silent.hash() == state.hash()
    assert silent.world.plots_capacity == 0


def test_too_many_values_at_one_event_stop_the_run(tmp_path: Path) -> None:
    body = "class Plots:\n    x = Line\n\ndef on_bar(ctx, p, s):\n    for k in range(10):\n        ctx.plot('x', k)\n"
    path = config(tmp_path, body.replace("10", str(2 * PLOTS_PER_EVENT)))
    wired = wire(load_config(path, env={}))
    wired.spec = replace(wired.spec, output_capacity=16_384)
    outcome = Host(State(wired.spec), sink_of(), wired.loaded, wired.hooks).run(wired.chunks(64))
    assert isinstance(outcome.error, ConfigError)
    assert "plotted more values at one event" in str(outcome.error)
    assert int(Reason.PLOTS_FULL) == 909


def test_rows_are_a_table_of_the_run_and_verified(tmp_path: Path) -> None:
    source = Path(__file__).parents[3] / "strategies" / "rsi_reversion.py"
    result = small_run(tmp_path, strategy={"path": str(source), "params": {"length": 5}})
    table = pl.read_parquet(result.run_dir / "plots.parquet")
    assert table.columns == ["ts", "strategy", "symbol", "series", "value"]
    assert table["series"].cast(pl.String).unique(maintain_order=True).to_list() == ["rsi", "low"]
    assert table["value"].is_nan().sum() == 10  # five changes of each instrument's first bars
    assert result.summary["plots"] == {
        "rsi_reversion": [{"name": name, "style": "line", "panel": "RSI"} for name in ("rsi", "low")]
    }
    assert verify(result.run_dir, [], lambda *_: None).identical
    changed = table.with_columns(value=pl.when(pl.int_range(pl.len()) == 77).then(1.0).otherwise(pl.col("value")))
    changed.write_parquet(result.run_dir / "plots.parquet")
    found = verify(result.run_dir, [], lambda *_: None)
    assert found.differences[0].startswith("plots, row 77 (ts 2024-01-01")


@pytest.mark.parametrize(
    ("declared", "words"),
    [
        (3, r"Plots.x must be declared as Line\(\)"),
        (Line(panel="p" * 41), "panel must be a name of at most 40 characters"),
        (Line(panel=7), "panel must be a name"),  # type: ignore[arg-type]
    ],
)
def test_faults_of_declarations(declared: Any, words: str) -> None:
    with pytest.raises(StrategyError, match=words):
        strategy(type("Wrong", (), {"Plots": type("Plots", (), {"x": declared})}))


def test_what_is_declared() -> None:
    made = strategy(type("Good", (), {"Plots": type("Plots", (), {"a": Line, "b": Steps(panel="low")})}))
    found = spec_of(made)
    assert found is not None
    assert describe(found.plots) == [
        {"name": "a", "style": "line", "panel": ""}, {"name": "b", "style": "steps", "panel": "low"},
    ]  # fmt: skip
    with pytest.raises(StrategyError, match="'_a' is reserved"):
        strategy(type("Bad", (), {"Plots": type("Plots", (), {"_a": Dots()})}))


def test_a_host_that_waits_with_its_rows_empties_full_buffers_first(tmp_path: Path) -> None:
    wired = wire(load_config(config(tmp_path), env={}))
    results = []
    for lazy, rows in ((False, 65_536), (True, 1)):
        sink, state = sink_of(), State(replace(wired.spec, equity_capacity=37))
        outcome = Host(state, sink, wired.loaded, wired.hooks, lazy=lazy).run(wired.chunks(rows))
        assert outcome.error is None
        results.append((state.hash(), sink.all("equity").tobytes(), sink.all("plots").tobytes()))
    assert results[0] == results[1]
