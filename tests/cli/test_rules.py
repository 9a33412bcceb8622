"""Rules at the command line: faults with file, line and column; the source; runs that verify."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.tools import Program

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "data" / "sample" / "BTCSYNUSD_1m.csv.gz"
CONFIG = f"""name: ruled
strategy:
  rules:
    params: {{fast: 5, slow: {{default: 20, low: 2, high: 100}}}}
    define:
      trend: ema(close, slow) on 1h
    long:
      entry: sma(close, fast) crosses above sma(close, slow)
      exit: "close < trend"
      stop: entry_price * 0.99
      size: 0.5 * equity / close
data: {{source: {SAMPLE}, timeframe: 1m, symbols: [BTCSYN/USD], to: 2024-01-04}}
bars: [5m, 1h]
instruments: {{BTCSYN/USD: {{tick_size: 0.01, lot_size: 0.0001}}}}
account: {{type: cash, currency: USD, balance: 100000}}
"""


def written(text: str) -> Path:
    path = Path("ruled.yaml")
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("sma(close, fast)", "sma(clse, fast)", "ruled.yaml:8:18: strategy.rules.long.entry: unknown name 'clse'"),
        ('"close < trend"', '"close < trnd"', "ruled.yaml:9:22: strategy.rules.long.exit: unknown name 'trnd'"),
        ("on 1h", "on 4h", "ruled.yaml:6:34: strategy.rules.define.trend: there are no bars of 4h"),
        ("entry_price * 0.99", "rsi(14)", "ruled.yaml:10:13: strategy.rules.long.stop: expected a price as stop"),
        ("exit:", "entry_limit: rsi(14)\n      exit:", "ruled.yaml:9:20: strategy.rules.long.entry_limit: expected"),
        ("fast: 5", "close: 5", "ruled.yaml:4: strategy.rules.params.close: 'close' is a series"),
        ("fast: 5", "fast: x", "ruled.yaml:4: strategy.rules.params.fast.default: expected a number"),
        ("    long:", "    lnog:", "unknown key 'lnog'; did you mean 'long'?"),
        ("      size: 0.5 * equity / close\n", "", "strategy.rules.long.size: this key is required where there is no"),
        ("    long:", "    short:", "strategy.rules.short: a cash account cannot be short"),
        ("  rules:", "  path: x.py\n  rules:", "give either `path` (a file) or `rules`, not both"),
        ("      entry: sma", "      entry: >\n        clse + sma", "ruled.yaml:8: strategy.rules.long.entry: unknown"),
    ],
)
def test_faults_have_a_place(program: Program, old: str, new: str, told: str) -> None:
    assert old in CONFIG
    done = program("config", "check", str(written(CONFIG.replace(old, new))))
    assert done.code == 2
    assert told in done.err


def test_a_fault_shows_the_expression_with_a_caret(program: Program) -> None:
    done = program("backtest", str(written(CONFIG.replace("exit: \"close", "exit: \"clos"))))
    assert done.code == 2
    assert done.err.splitlines()[-2:] == ["    clos < trend", "    ^^^^"]


def test_all_faults_are_told_at_once_and_those_of_settings_too(program: Program) -> None:
    text = CONFIG.replace("clos", "clo").replace("0.99", "")
    done = program("config", "check", str(written(text)), "--set", "strategy.rules.long.size=50%")
    assert done.code == 2
    assert done.err.count("unknown name 'cloe'") == 2  # what uses a faulty definition waits for it
    assert "ruled.yaml:10:26: strategy.rules.long.stop: expected a number, a name or '('; got the end" in done.err
    assert "--set strategy.rules.long.size: strategy.rules.long.size: expected a quantity" in done.err


def test_the_source_is_printed_and_written(program: Program) -> None:
    config = str(written(CONFIG))
    done = program("strategy", "rules", config)
    assert done.code == 0
    assert done.err.strip() == "first decision after 20 bars of 5m and 20 bars of 1h"
    source = done.out
    compile(source, "rules.py", "exec")
    assert source == program("strategy", "rules", config).out
    assert json.loads(program("strategy", "rules", config, "--json").out) == {
        "strategy": "rules", "warmup_bars": {"5m": 20, "1h": 20}, "source": source,
    }  # fmt: skip
    assert program("strategy", "rules", config, "--write", "mine.py").code == 0
    assert Path("mine.py").read_text() == source
    assert program("strategy", "rules", config, "--write", "mine.py").code == 6
    assert program("strategy", "rules", str(ROOT / "configs" / "sma_cross.yaml")).code == 2
    assert program("strategy", "rules", config, "--tag", "ruls").code == 2


def test_a_run_keeps_its_source_and_verifies(program: Program) -> None:
    config = str(written(CONFIG))
    done = program("backtest", config, "--set", "strategy.params.fast=8", "--json")
    assert done.code == 0, done.err
    summary = json.loads(done.out)
    assert summary["fills"] > 3
    run = next(Path("runs").glob("*-ruled-*"))
    assert "class Rules" in (run / "sources" / "rules.py").read_text()
    assert "rules:" not in (run / "run.yaml").read_text()
    done = program("verify", str(run))
    assert done.code == 0, done.out + done.err


def test_what_is_written_by_hand_goes_on_from_rules(program: Program) -> None:
    assert program("strategy", "rules", str(written(CONFIG)), "--write", "mine.py").code == 0
    rules = CONFIG[CONFIG.index("  rules:") : CONFIG.index("data:")]
    by_hand = written(CONFIG.replace(rules, "  path: mine.py\n"))
    one = json.loads(program("backtest", str(by_hand), "--json").out)
    two = json.loads(program("backtest", str(written(CONFIG)), "--json").out)
    assert one["state_hash"] == two["state_hash"]
