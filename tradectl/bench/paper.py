"""A paper session against the sandbox exchange: what a message costs from its receipt to the order it causes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from tradectl.config.load import load_text
from tradectl.config.wire import wire
from tradectl.config.wire_data import of_meta
from tradectl.engine.advance import advance
from tradectl.engine.journal import Journal
from tradectl.engine.state import State
from tradectl.errors import FeedError
from tradectl.metrics.histogram import Durations

__all__ = ["bench_paper", "engine_steps", "sandbox", "session"]

SECONDS = 20
RATES = (1_000, 5_000, 10_000)  # messages a second
DRAIN = 1_024  # events between two times that rows are taken away
SPARE_S = 120  # for starting, compiling, ending
SYMBOL = "BTC/USDT"
STRATEGY = f"{Path(__file__).with_name('ticks_strategies.py')}:Maker"
CONFIG = """name: bench-paper
strategy: {{path: {strategy}, params: {{lots: 100, away_ticks: 0, requote_ticks: 1}}}}
feed: {{exchanges: {{binance: {{symbols: [{symbol}], channels: [trades, depth], endpoint: {endpoint}}}}}}}
account: {{type: margin, currency: USDT, balance: 1000000, leverage: 3}}
execution: {{queue: power3}}
"""


@contextmanager
def sandbox(rate: float, *args: str) -> Iterator[str]:
    """Run a sandbox exchange in a process of its own; yield its address."""
    command = [sys.executable, "-m", "tradectl", "sandbox", "--port", "0", "--json", "--rate", str(rate), *args]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            line = server.stdout.readline()
            if not line:
                raise FeedError(f"the sandbox did not start: {server.communicate()[1].strip()[-500:]}")
            yield str(json.loads(line)["endpoint"])
        finally:
            server.terminate()
            server.communicate()


def session(config: Path, seconds: float, out: Path) -> tuple[dict[str, Any], float]:
    """Run `tradectl paper` in a process of its own; return (its summary, the CPU seconds it used)."""
    command = [sys.executable, "-m", "tradectl", "paper", str(config), "--json", "--headless"]
    command += ["--duration", f"{seconds}s", "--out", str(out)]
    with tempfile.TemporaryFile("w+") as said, subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=said, text=True
    ) as child:
        assert child.stdout is not None
        text = child.stdout.read()
        _, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode:
            said.seek(0)
            raise FeedError(f"tradectl paper ended with {child.returncode}: {said.read().strip()[-500:]}")
    return dict(json.loads(text)), used.ru_utime + used.ru_stime


def bench_paper(seconds: float = SECONDS, rates: tuple[int, ...] = RATES) -> dict[str, Any]:
    """Return latencies in µs at each rate: message to end of fold, message to order sent, journal and fold alone.

    `messages_per_s` were received, `per_core` is that divided by the CPU seconds used for each second, `verified`
    says that the replay of the journal is the session.
    """
    figures: dict[str, Any] = {"seconds": seconds}
    with tempfile.TemporaryDirectory(prefix="tradectl-bench-") as name:
        folder = Path(name)
        for rate in rates:
            with sandbox(rate, "--symbol", SYMBOL, "--wait") as endpoint:
                config = folder / "paper.yaml"
                config.write_text(CONFIG.format(strategy=STRATEGY, symbol=SYMBOL, endpoint=endpoint), encoding="utf-8")
                summary, cpu_s = session(config, seconds, folder / str(rate))
            figures |= {f"{key}_at_{rate}": value for key, value in _figures(summary, seconds, cpu_s).items()}
    return figures


def engine_steps(run: Path) -> dict[str, float]:
    """Return quantiles, µs, of the fold of one event at a time over a session's journal, the call included."""
    place = run / "run.yaml"
    loaded = load_text(place.read_text(encoding="utf-8"), place, env={})
    journal = Journal(run / "journal")
    wired = wire(loaded, opened=of_meta(journal.meta, loaded.config))
    state = State(wired.spec)
    events = np.concatenate(list(journal.chunks()))
    took, clock, step = Durations(), time.perf_counter_ns, advance.load()
    world, address = state.address, events.ctypes.data
    for k in range(len(events)):
        begun = clock()
        step(world, address, k, k + 1)
        took.add(clock() - begun)
        if k % DRAIN == 0:
            state.drain()
    return {f"engine_step_p{share * 100:g}_us": took.quantile(share) / 1e3 for share in (0.5, 0.99)}


def _figures(summary: Mapping[str, Any], seconds: float, cpu_s: float) -> dict[str, Any]:
    feeds = summary["feeds"]
    latency = feeds["latency"]
    messages = sum(one["messages"] for one in feeds["channels"])
    verify = [sys.executable, "-m", "tradectl", "verify", str(summary["run_dir"])]
    done = subprocess.run(verify, capture_output=True, timeout=SPARE_S, check=False)
    return {
        "messages_per_s": round(messages / seconds),
        "per_core": round(messages / cpu_s),
        **{f"fold_{key}": latency["message_to_fold"][key] for key in ("p50_us", "p99_us", "p99_9_us")},
        **{f"order_{key}": latency["message_to_order"][key] for key in ("count", "p50_us", "p99_us")},
        **{f"step_{key}": latency["step"][key] for key in ("p50_us", "p99_us")},
        **engine_steps(Path(summary["run_dir"])),
        "gaps": sum(one["gaps"] for one in feeds["channels"]),
        "fills": summary["fills"],
        "peak_rss_mb": summary["peak_rss_mb"],
        "verified": done.returncode == 0,
    }
