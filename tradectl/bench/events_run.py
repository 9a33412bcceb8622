"""A whole process over a catalogue of made-up tick data: seconds from start to end, and its largest memory."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from tradectl.bench.tick_flow import generate_ticks
from tradectl.core.codes import EventKind
from tradectl.core.jit import cache_root, source_hash
from tradectl.errors import StoreError
from tradectl.history import book_writer
from tradectl.history.book_events import Ticks
from tradectl.history.book_source import BookPart, BookSource
from tradectl.history.files import CATALOGUE
from tradectl.history.model import DataBlock
from tradectl.history.writer import Writer

__all__ = ["bench_run", "tick_catalogue"]

TIMEOUT_S = 600
PIECE = 262_144  # rows
FIELDS = ("ts_event", "ts_recv", "kind", "side", "flags", "w0", "w1", "w2")
TICK, LOT = Decimal("0.01"), Decimal("0.001")
STRATEGIES = {"": "Watch", "maker_": "Maker"}
MEASURED = """
import resource, subprocess, sys, time
begun = time.perf_counter()
code = subprocess.call(sys.argv[1:], stdout=subprocess.DEVNULL)
print(time.perf_counter() - begun, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(code)
"""
CONFIG = """name: events
strategy: {{path: "{strategy}"}}
data: {{source: {catalogue}, kind: book}}
account: {{type: margin, currency: USD, balance: 1000000, leverage: 10}}
execution: {{latency: {{entry: 1ms, response: 1ms}}}}
fees: {{maker: 0.0002, taker: 0.0005}}
"""


def tick_catalogue(n: int, seed: int = 1) -> Path:
    """Return a catalogue of `n` events of `generate_ticks`; it is written once to the cache folder and kept."""
    written_by = source_hash([Path(book_writer.__file__), Path(generate_ticks.__code__.co_filename)])
    root = cache_root() / f"ticks-{n}-{seed}-{written_by}"
    if (root / CATALOGUE).is_file():
        return root
    events = generate_ticks(n, seed)

    def read(_tick: Decimal, _lot: Decimal, _streams: int, _start: int, _end: int) -> Iterator[Ticks]:
        for at in range(0, n, PIECE):
            part = events[at : at + PIECE]
            fields: list[Any] = [np.ascontiguousarray(part[name]) for name in FIELDS]
            fields[7:7] = [0, 0]  # no second price and quantity
            yield Ticks(*fields)

    first, last = int(events["ts_recv"][0]), int(events["ts_recv"][-1])
    part = BookPart(read, first, last, n, int(EventKind.TRADE), grid=(TICK, LOT))
    names = {"venue": "BENCH", "symbol": "X/USD", "base": "X", "quote": "USD"}
    counts = np.bincount(events["kind"], minlength=256).astype(np.int64)
    block = DataBlock(str(root), kind="book")
    source = BookSource(block, **names, parts=[part], counts=counts)  # type: ignore[arg-type]
    with Writer(root).transaction() as writer:
        book_writer.add_book(writer, names, source, (TICK, LOT))
    return root


def run_process(args: list[str]) -> tuple[float, float]:
    """Run `tradectl` in a process of its own; return its seconds and its largest memory in MB.

    A small process starts it and measures, for a child begins with its parent's memory as its largest.
    """
    command = [sys.executable, "-c", MEASURED, sys.executable, "-m", "tradectl", *args]
    done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    if done.returncode:
        raise StoreError(f"tradectl {' '.join(args)} ended badly: {done.stderr.strip()[-500:]}")
    seconds, used = done.stdout.split()[-2:]
    return float(seconds), float(used) * (1 if sys.platform == "darwin" else 1024) / 1e6


def bench_run(n: int, repeats: int) -> dict[str, Any]:
    """Return medians of seconds from start to summary, warm, over `n` events and a quarter of them, and peak memory."""
    figures: dict[str, Any] = {"run_events": n}
    with tempfile.TemporaryDirectory(prefix="tradectl-bench-") as name:
        folder = Path(name)
        for size, label in ((n, ""), (n // 4, "quarter_")):
            catalogue = tick_catalogue(size)
            for prefix, strategy in STRATEGIES.items():
                config = folder / f"{label}{prefix}run.yaml"
                place = f"{Path(__file__).with_name('ticks_strategies.py')}:{strategy}"
                config.write_text(CONFIG.format(strategy=place, catalogue=catalogue), encoding="utf-8")
                args = ["backtest", str(config), "--quiet", "--out", str(folder / "runs")]
                run_process(args)  # whatever this machine's cache lacks is compiled now
                runs = [run_process(args) for _ in range(repeats)]
                figures[f"{label}{prefix}run_s"] = round(median(run[0] for run in runs), 3)
                figures[f"{label}{prefix}run_rss_mb"] = round(max(run[1] for run in runs), 1)
    return figures
