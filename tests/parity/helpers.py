"""Small runs over made-up bars: CSV files, a configuration, a strategy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tradectl.cli.runner import RunResult, run_backtest

ROOT = Path(__file__).parents[2]
START_MS = 1_704_067_200_000  # 2024-01-01


def write_bars(path: Path, n: int = 3_000, seed: int = 1, start: float = 100.0) -> Path:
    """Write one-minute bars of a random walk as CSV."""
    rng = np.random.default_rng(seed)
    close = np.maximum(start + np.cumsum(rng.integers(-20, 21, n)) / 100, 5.0)
    open_ = np.concatenate(([start], close[:-1]))
    high = np.maximum(open_, close) + rng.integers(0, 15, n) / 100
    low = np.minimum(open_, close) - rng.integers(0, 15, n) / 100
    lines = ["timestamp,open,high,low,close,volume"]
    lines += [
        f"{START_MS + i * 60_000},{open_[i]:.2f},{high[i]:.2f},{low[i]:.2f},{close[i]:.2f},{rng.integers(1, 900)}"
        for i in range(n)
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")
    return path


def write_config(folder: Path, **changes: Any) -> Path:
    """Write a configuration for two symbols in `folder`/bars; `changes` replace whole blocks (None: left out)."""
    import yaml

    blocks: dict[str, Any] = {
        "name": "parity",
        "strategy": {
            "path": str(ROOT / "strategies" / "rsi_reversion.py"),
            "params": {"length": 5, "low": 40.0, "stop": 0.001, "target": 0.001},
        },
        "data": {"source": "bars", "timeframe": "1m"},
        "instruments": {s: {"tick_size": 0.01, "lot_size": 0.001} for s in ("AAA/USD", "BBB/USD")},
        "account": {"type": "cash", "currency": "USD", "balance": 100000},
        "execution": {"slippage": {"ticks": 1}},
        "fees": {"maker": 0.0002, "taker": 0.0005},
        "sizing": {"method": "percent_equity", "value": 0.3},
    }
    blocks |= changes
    path = folder / "run.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump({k: v for k, v in blocks.items() if v is not None}, sort_keys=False))
    return path


def small_run(folder: Path, journal: bool = False, **changes: Any) -> RunResult:
    """Run a small configuration in `folder`; runs go to `folder`/runs."""
    if not (folder / "bars").exists():
        write_bars(folder / "bars" / "AAAUSD.csv", seed=1)
        write_bars(folder / "bars" / "BBBUSD.csv", seed=2, start=50.0)
    return run_backtest(write_config(folder, **changes), out=folder / "runs", journal=journal)
