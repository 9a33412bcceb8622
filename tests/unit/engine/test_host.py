"""The host loop: draining, commands, and every way in which a fold stops early."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.parity.helpers import ROOT, small_run, write_bars, write_config
from tradectl.cli.runner import run_backtest, verify_run
from tradectl.config.load import load_config
from tradectl.config.wire import Wired, wire
from tradectl.core.codes import EventFlag, EventKind, Reason
from tradectl.core.event import empty_events
from tradectl.core.jit import DISABLE_JIT
from tradectl.engine.host import Host, Outcome, fold_all
from tradectl.engine.host_audit import audit_ledger, ledgers
from tradectl.engine.host_fault import capacity_error
from tradectl.engine.state import State
from tradectl.errors import ConfigError, DataError, InvariantViolation, StrategyError

HEAD = "from tradectl.strategy import Int, Int64, strategy\n\n\n@strategy\nclass Mine:\n"


class Kept:
    """A sink that keeps the rows."""

    def __init__(self) -> None:
        self.tables: dict[str, list[Any]] = {"orders": [], "fills": [], "equity": []}

    def rows(self, kind: str, rows: Any) -> None:
        self.tables[kind].append(rows)

    def all(self, kind: str) -> Any:
        return np.concatenate(self.tables[kind])


def strategy_file(folder: Path, body: str) -> Path:
    path = folder / "mine.py"
    path.write_text(HEAD + textwrap.indent(textwrap.dedent(body).strip("\n"), "    ") + "\n")
    return path


def config_of(folder: Path, body: str, **changes: Any) -> Path:
    if not (folder / "bars").exists():
        write_bars(folder / "bars" / "AAAUSD.csv", n=300)
        write_bars(folder / "bars" / "BBBUSD.csv", n=300, seed=2)
    block = {"path": str(strategy_file(folder, body)), **changes.pop("strategy", {})}
    return write_config(folder, strategy=block, **changes)


def wired_of(folder: Path, body: str, **changes: Any) -> Wired:
    return wire(load_config(config_of(folder, body, **changes), env={}))


BUYER = """
def on_bar(ctx, p, s):
    if ctx.position_lots == 0:
        ctx.buy(1.0)
    else:
        ctx.close_position()
"""
RAISER = """
class State:
    bars = Int64()

def on_bar(ctx, p, s):
    s.bars += 1
    if s.bars == 150 and ctx.instrument == 1:
        x = 1 // (s.bars - 150)
        s.bars = x
    ctx.buy(1.0)
"""


def test_outputs_are_complete_and_live_orders_come_last(tmp_path: Path) -> None:
    body = "def on_bar(ctx, p, s):\n    if ctx.open_orders < 3:\n        ctx.buy(1.0, limit=1.0)\n"
    wired = wired_of(tmp_path, body)
    sink, state = Kept(), State(wired.spec)
    outcome = Host(state, sink, wired.loaded, wired.hooks).run(wired.chunks(64))
    assert outcome.status == "complete"
    assert outcome.events == 602
    orders = sink.all("orders")
    assert len(orders) == 6
    assert np.all(np.diff(orders["id"]) > 0)
    assert len(sink.all("equity")) == 300
    assert orders["reserve_atoms"].sum() == state.currencies["reserved_atoms"][0] > 0


def test_small_buffers_are_drained_within_a_chunk(tmp_path: Path) -> None:
    wired = wired_of(tmp_path, BUYER)
    results = []
    for capacity in (20_000, 16_384 + 8):
        state, sink = State(replace(wired.spec, output_capacity=capacity, equity_capacity=37)), Kept()
        Host(state, sink, wired.loaded, wired.hooks).run(wired.chunks(65_536))
        results.append((state.hash(), sink.all("fills").tolist(), sink.all("equity").tolist()))
    assert results[0] == results[1]


@pytest.mark.parametrize("jit", [True, False])
def test_a_strategy_that_raises_is_placed_exactly(tmp_path: Path, jit: bool) -> None:
    config = config_of(tmp_path, RAISER, strategy={"jit": jit})
    with pytest.raises(StrategyError) as caught:
        run_backtest(config, out=tmp_path / "runs")
    message = str(caught.value)
    assert f"{tmp_path / 'mine.py'}:12: ZeroDivisionError" in message
    assert "x = 1 // (s.bars - 150)" in message
    assert "LOCAL:BBB/USD at 2024-01-01T02:30:00Z" in message
    assert caught.value.exit_code == 4
    (run,) = [p for p in (tmp_path / "runs").iterdir() if p.is_dir()]
    assert not run.name.startswith(".")
    summary = json.loads((run / "summary.json").read_text())
    assert summary["status"] == "failed"
    assert summary["error"]["type"] == "StrategyError"
    assert summary["fills"] > 0
    assert {
        "run.yaml",
        "lock.json",
        "orders.parquet",
        "fills.parquet",
        "equity.parquet",
        "positions.parquet",
    } <= {p.name for p in run.iterdir()}


def test_a_failed_run_verifies_like_any_other(tmp_path: Path) -> None:
    with pytest.raises(StrategyError):
        run_backtest(config_of(tmp_path, RAISER), out=tmp_path / "runs")
    (run,) = [p for p in (tmp_path / "runs").iterdir() if p.is_dir()]
    assert verify_run(run).exit_code == 0


def test_the_state_after_a_raise_is_that_of_the_fold(tmp_path: Path) -> None:
    wired = wired_of(tmp_path, RAISER)
    hashes = set()
    for chunk in (10, 64, 65_536):
        state = State(wired.spec)
        outcome = Host(state, Kept(), wired.loaded, wired.hooks).run(wired.chunks(chunk))
        assert isinstance(outcome.error, StrategyError)
        hashes.add(state.hash())
    assert len(hashes) == 1


def test_a_disabled_strategy_lets_the_run_go_on(tmp_path: Path) -> None:
    result = run_backtest(config_of(tmp_path, RAISER, on_strategy_error="disable"), out=tmp_path / "runs")
    assert (result.summary["status"], result.summary["strategy_errors"]) == ("complete", 1)


@pytest.mark.parametrize("jit", [True, False])
def test_a_disabled_strategy_is_told_with_the_place_where_it_raised(tmp_path: Path, jit: bool) -> None:
    config = config_of(tmp_path, RAISER, strategy={"jit": jit}, on_strategy_error="disable")
    (told,) = run_backtest(config, out=tmp_path / "runs").summary["disabled_strategies"]
    error = told.pop("error")
    compiled = jit and not DISABLE_JIT
    assert error == (None if compiled else "ZeroDivisionError: integer division or modulo by zero")
    assert told == {
        "strategy": "mine", "hook": "on_bar", "instrument": "LOCAL:BBB/USD",
        "ts_event": "2024-01-01T02:30:00Z", "event": 301,
    }  # fmt: skip


def bars(*rows: tuple[int, int, int]) -> Any:
    """Return one-minute bars of (minute, instrument, kind)."""
    events = empty_events(len(rows))
    for k, (minute, instrument, kind) in enumerate(rows):
        events[k]["ts_event"] = events[k]["ts_recv"] = minute * 60 * 10**9
        events[k]["kind"], events[k]["instrument"] = kind, instrument
        events[k]["flags"] = EventFlag.LAST
        for word in ("w0", "w1", "w2", "w3", "w4"):
            events[k][word] = 100
    return events


def test_synthetic_bars_are_counted(tmp_path: Path) -> None:
    wired = wired_of(tmp_path, BUYER)
    state, events = State(wired.spec), bars(*((minute, 0, EventKind.BAR) for minute in range(1, 6)))
    events["flags"][[1, 3]] = EventFlag.LAST | EventFlag.SYNTHETIC
    assert Host(state, Kept(), wired.loaded, wired.hooks).run(iter([events])).status == "complete"
    assert (int(state.engine[0]["n_bars"]), int(state.engine[0]["n_synthetic"])) == (5, 2)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([(1, 0, EventKind.BAR), (2, 9, EventKind.BAR)], "event 3 at 1970-01-01T00:02:00Z: BAR of instrument 9: the"),
        ([(5, 0, EventKind.BAR), (2, 0, EventKind.BAR)], "earlier than an event before it"),
        ([(1, 0, EventKind.BAR), (2, 0, EventKind.TRADE)], "TRADE of instrument 0: this engine runs on"),
        ([(1, 0, EventKind.BAR), (2, 0, 99)], "99 of instrument 0"),
    ],
)  # fmt: skip
def test_an_event_that_cannot_be_applied_is_named(tmp_path: Path, rows: Any, message: str) -> None:
    wired = wired_of(tmp_path, BUYER)
    outcome = Host(State(wired.spec), Kept(), wired.loaded, wired.hooks).run(iter([bars(*rows)]))
    assert outcome.status == "failed"
    assert isinstance(outcome.error, DataError)
    assert message in str(outcome.error)


def test_a_full_store_names_its_key(tmp_path: Path) -> None:
    event = bars((1, 0, EventKind.BAR))[0]
    assert isinstance(capacity_error(Reason.REPORTS_FULL, event), ConfigError)
    assert "engine.report_capacity" in str(capacity_error(Reason.REPORTS_FULL, event))
    assert isinstance(capacity_error(Reason.DETAILS_FULL, event), DataError)
    body = """
    def on_order(ctx, p, s, order):
        return

    def on_bar(ctx, p, s):
        for _ in range(20):
            ctx.buy(1.0, limit=0.5)
    """
    config = config_of(tmp_path, body, engine={"report_capacity": 16})
    with pytest.raises(ConfigError, match=r"engine\.report_capacity"):
        run_backtest(config, out=tmp_path / "runs")


def test_an_interrupt_between_chunks_keeps_a_whole_folder(tmp_path: Path) -> None:
    seen = []

    def stop(stage: str, done: int = 0, _total: int | None = None) -> None:
        if stage == "run" and done > 100 and not seen:
            seen.append(done)
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        run_backtest(config_of(tmp_path, BUYER, engine={"chunk": 16}), out=tmp_path / "runs", progress=stop)
    (run,) = [p for p in (tmp_path / "runs").iterdir() if p.is_dir()]
    summary = json.loads((run / "summary.json").read_text())
    assert summary["status"] == "interrupted"
    assert 100 < summary["events"] < 600
    assert summary["audit"]["balanced"]


LOOP = """
def on_bar(ctx, p, s):
    if ctx.now > 1704070000000000000:
        n = 0
        while ctx.now > 0:
            n += 1
        ctx.buy(n * 1.0)
"""


@pytest.mark.parametrize("jit", [True, False])
def test_the_watchdog_ends_an_endless_loop(tmp_path: Path, jit: bool) -> None:
    config = config_of(tmp_path, LOOP, engine={"watchdog": "1s"}, strategy={"jit": jit})
    code = f"from pathlib import Path\nfrom tradectl.cli.runner import run_backtest\nrun_backtest({str(config)!r}, out=Path({str(tmp_path / 'runs')!r}))\n"  # noqa: E501
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=200, check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 4, done.stderr
    assert "no progress for 1 s: event" in done.stderr
    assert "strategy mine, LOCAL:AAA/USD" in done.stderr
    assert "2024-01-01T00:47:00Z" in done.stderr
    (run,) = [p for p in (tmp_path / "runs").iterdir() if p.is_dir()]
    assert not run.name.startswith(".")
    summary = json.loads((run / "summary.json").read_text())
    assert (summary["status"], summary["error"]["hang"]) == ("failed", True)


def test_data_errors_leave_no_folder(tmp_path: Path) -> None:
    config = config_of(tmp_path, BUYER, data={"source": "nothing.csv", "timeframe": "1m"})
    with pytest.raises(DataError):
        run_backtest(config, out=tmp_path / "runs")
    assert not (tmp_path / "runs").exists()


def test_an_unbalanced_ledger_is_told(tmp_path: Path) -> None:
    wired = wired_of(tmp_path, BUYER)
    for table, field, word in (
        ("currencies", "balance_atoms", "off by 1 atoms"),
        ("currencies", "reserved_atoms", "atoms reserved"),
        ("positions", "fees_atoms", "fees_atoms of the positions"),
        ("positions", "open_buy_lots", "open_buy_lots differ"),
        ("markets", "net_lots", "net positions"),
        ("engine", "exposure_atoms", "exposure of live orders"),
        ("engine", "n_live", "live orders counted"),
    ):
        state = State(wired.spec)
        Host(state, Kept(), wired.loaded, wired.hooks).run(wired.chunks(65_536))
        audit_ledger(state, ledgers(state))
        getattr(state, table)[field][0] += 1
        with pytest.raises(InvariantViolation, match=word):
            audit_ledger(state, ledgers(state))


def test_several_states_fold_in_one_pass(tmp_path: Path) -> None:
    wired = wired_of(tmp_path, BUYER)
    states = [State(wired.spec) for _ in range(3)]
    outcomes = fold_all(states, wired.chunks(100))
    assert len({state.hash() for state in states}) == 1
    assert all(isinstance(o, Outcome) and o.events == 602 for o in outcomes)


def test_small_runs_with_latency_and_margin(tmp_path: Path) -> None:
    result = small_run(
        tmp_path,
        account={"type": "margin", "leverage": 3, "balance": 50000},
        execution={"latency": {"entry": "30s", "response": "30s"}, "slippage": {"bps": 1}},
        bars=["5m", "15m"],
    )
    assert result.summary["audit"]["balanced"]
    assert result.summary["fills"] > 10
