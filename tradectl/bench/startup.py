"""What a user waits for: help, a warm run from Parquet to summary, the very first run."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from tradectl.errors import StoreError

__all__ = ["bench_startup", "timed"]

BARS = 1_000_000
TIMEOUT_S = 600
CONFIG = """name: startup
strategy: {{path: {strategy}}}
data: {{source: {catalogue}, timeframe: 1m}}
account: {{type: cash, currency: USD, balance: 10000}}
sizing: {{method: percent_equity, value: 0.95}}
"""
STRATEGY = f"{Path(__file__).with_name('bars_strategies.py')}:SmaCross"


def timed(args: Sequence[str], env: Mapping[str, str] | None = None) -> float:
    """Run `tradectl` with `args` in a process of its own; return the seconds it took from start to end."""
    begun = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "tradectl", *args],
        env={**os.environ, **(env or {})},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    took = time.perf_counter() - begun
    if done.returncode:
        raise StoreError(
            f"tradectl {' '.join(args)} ended with {done.returncode}: {done.stderr.strip()[-500:]}"
        )
    return took


def bench_startup(repeats: int = 5, bars: int = BARS, cold: bool = True) -> dict[str, Any]:
    """Return medians of seconds: `help_s`, `warm_run_s` (`bars` bars, Parquet to summary), `cold_run_s`.

    The cold run compiles everything into an empty cache, once. `child_rss_mb` is the largest memory that one of these
    processes used.
    """
    with tempfile.TemporaryDirectory(prefix="tradectl-bench-") as name:
        folder = Path(name)
        # Byte code is kept, as an installed package has it, whatever this process was told.
        kept = {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(folder / "bytecode")}
        config = _prepare(folder, bars, kept)
        run = ["backtest", str(config), "--quiet", "--out", str(folder / "runs")]
        figures: dict[str, Any] = {"bars": bars}
        figures["help_s"] = round(median(timed(["--help"], kept) for _ in range(repeats)), 4)
        timed(run, kept)  # whatever this machine's cache lacks is compiled now
        figures["warm_run_s"] = round(median(timed(run, kept) for _ in range(repeats)), 4)
        if cold:
            empty = {**kept, "TRADECTL_CACHE_DIR": str(folder / "cache")}
            figures["cold_run_s"] = round(timed(run, empty), 3)
            figures["compile_s"] = round(figures["cold_run_s"] - figures["warm_run_s"], 3)
        used = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
        figures["child_rss_mb"] = round(used * (1 if sys.platform == "darwin" else 1024) / 1e6, 1)
    return figures


def _prepare(folder: Path, bars: int, env: Mapping[str, str]) -> Path:
    """Write a catalogue of synthetic bars and a configuration; return the configuration."""
    catalogue, config = folder / "bars", folder / "startup.yaml"
    config.write_text(CONFIG.format(strategy=STRATEGY, catalogue=catalogue), encoding="utf-8")
    timed(
        ["data", "generate", str(catalogue), "--symbols", "XYZ/USD", "--bars", str(bars), "--price", "30000"],
        env,
    )
    return config
