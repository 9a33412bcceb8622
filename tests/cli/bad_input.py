"""A small run that works, and ways to break it: what `test_bad_input` is made of."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.tools import Done

START_MS = 1_704_067_200_000  # 2024-01-01
HEADER = "timestamp,open,high,low,close,volume"
WHOLE = {"run.yaml", "lock.json", "summary.json", "orders.parquet", "fills.parquet", "equity.parquet",
         "positions.parquet", "snapshots", "sources"}  # fmt: skip

CONFIG = """\
name: broken
strategy: {path: mine.py}
data:
  source: XUSD_1m.csv
  timeframe: 1m
  symbols: [X/USD]
instruments: {X/USD: {tick_size: 0.01, lot_size: 0.01}}
account: {type: cash, currency: USD, balance: 100000}
"""
HEAD = """\
from tradectl.strategy import Array, Float64, Int, Int64, strategy


@strategy
class Mine:
"""
BUY = "    def on_bar(ctx, p, s):\n        ctx.buy(1.0)\n"


def row(minute: int, prices: str = "100,101,99,100", volume: str = "50") -> str:
    """Return one bar as a line of CSV."""
    return f"{START_MS + minute * 60_000},{prices},{volume}"


def rows(n: int, first: int = 0) -> list[str]:
    """Return `n` bars."""
    return [row(first + k) for k in range(n)]


def csv(*lines: str) -> str:
    """Return a file of bars."""
    return "\n".join((HEADER, *lines)) + "\n"


def prepare(config: str = CONFIG, bars: str = csv(*rows(120)), strategy: str = HEAD + BUY) -> None:
    """Write configuration, bars and strategy into the working folder."""
    Path("run.yaml").write_text(config)
    Path("XUSD_1m.csv").write_text(bars)
    Path("mine.py").write_text(strategy)


def changed(old: str, new: str) -> str:
    """Return the configuration with one thing replaced."""
    assert CONFIG.count(old) == 1
    return CONFIG.replace(old, new)


def told(done: Done, code: int, *parts: str) -> None:
    """Check an error: its exit code, what it names, and that it is short and without a traceback."""
    assert done.code == code, done.err
    assert done.out == ""
    assert done.err.startswith("error: "), done.err
    assert "Traceback" not in done.err
    assert len(done.err.splitlines()) <= 12, done.err
    for part in parts:
        assert part in done.err


def runs_left(folder: Path = Path("runs")) -> list[Path]:
    """Return the run folders; each must be visible and whole, with nothing hidden beside or in it."""
    if not folder.is_dir():
        return []
    found = [path for path in folder.iterdir() if path.name not in ("trials.ndjson", "trials.lock")]
    for path in found:
        assert path.is_dir()
        assert not [one for one in (path, *path.rglob("*")) if one.name.startswith(".")]
        assert {one.name for one in path.iterdir()} >= WHOLE
    return found


def failed_run(done: Done) -> dict[str, object]:
    """Return the summary of the one run that was kept, which is marked failed and named in the message."""
    (path,) = runs_left()
    assert str(path) in done.err
    summary = json.loads((path / "summary.json").read_text())
    assert summary["status"] == "failed"
    assert summary["error"]["message"]
    return dict(summary)
