"""A long paper session at 5,000 messages a second: nothing is lost, and memory stays what it was.

SOAK_SECONDS sets how long it lasts; the figures are printed (`pytest -s`) and kept as properties of the test's report.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pytest

from tests.cli.tools import process
from tests.feeds.played import strategies, write_config
from tests.feeds.test_session_process import SPARE_S, events_of, folder_of, paper
from tradectl.bench.paper import sandbox
from tradectl.core.codes import EventFlag, EventKind

SECONDS = float(os.environ.get("SOAK_SECONDS", "600"))
RATE = 5_000.0  # messages a second
MOST_MB = 320.0
FLAT = 0.02  # growth from the second minute to the last one
SYMBOLS = ("BTC/USDT", "ETH/USDT")
NAMES = ("market_maker", "imbalance_taker", "sma_cross")


def config_file(folder: Path, endpoint: str) -> Path:
    fed = {"binance": {"symbols": list(SYMBOLS), "channels": ["trades", "depth"], "endpoint": endpoint}}
    slow = {"stale": "30s", "backoff": "30s", "fsync": "1s", "snapshot": "60s"}  # as they are by default
    return write_config(folder, strategies(NAMES, [f"BINANCE:{one}" for one in SYMBOLS]), fed, feed=slow)


def rss_mb(pid: int) -> float:
    """Return the resident memory of a process; 0 once it is gone."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS")), 0.0)


def sampled(child: subprocess.Popen[str], running: Callable[[], bool]) -> tuple[list[float], float]:
    """Return the resident memory each second of the session, and the most there was up to the end of the process."""
    while child.poll() is None and not running():
        time.sleep(0.1)
    begun, samples, most = time.monotonic(), [], 0.0
    while child.poll() is None:
        now_mb = rss_mb(child.pid)
        most = max(most, now_mb)
        if time.monotonic() - begun < SECONDS:
            samples.append(now_mb)
        time.sleep(1.0)
    return samples, most


def ask(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=60) as answer:
        return json.load(answer)


def assert_nothing_is_lost(events: Any, truth: dict[str, list[dict[str, Any]]]) -> None:
    """Fail unless the trades of each instrument count on to the server's, and no change of a book is missing."""
    assert (events["kind"] != EventKind.GAP).all()
    for index, symbol in enumerate(SYMBOLS):
        mine = events[events["instrument"] == index]
        ids = mine["w2"][mine["kind"] == EventKind.TRADE]
        assert (np.diff(ids) == 1).all()
        known = {one["id"]: one for one in truth[symbol]}
        assert set(ids[-100:].tolist()) <= set(known)
        depth = mine[mine["kind"] == EventKind.DEPTH]
        changes = depth[np.flatnonzero(depth["flags"] & int(EventFlag.SNAPSHOT_END))[0] + 1 :]
        ends = np.flatnonzero(changes["flags"] & int(EventFlag.MESSAGE_END))
        assert (np.diff(changes["w2"][ends]) == np.diff(ends)).all()  # each level counts one update id


@pytest.mark.proof
@pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="needs /proc to see another process's memory"
)
def test_a_long_session_loses_nothing_and_stays_flat(tmp_path: Path, record_property: Any) -> None:
    out = tmp_path / "runs"
    listed = [word for symbol in SYMBOLS for word in ("--symbol", symbol)]
    with sandbox(RATE, *listed, "--wait") as endpoint:
        log = (tmp_path / "log.txt").open("w+")
        with paper(
            config_file(tmp_path, endpoint), "--out", out, "--duration", f"{SECONDS}s", log=log
        ) as child:
            samples, most = sampled(child, lambda: any(out.glob("2*/journal/*.tcj")))
            told, _ = child.communicate(timeout=SPARE_S)
        assert child.returncode == 0, (tmp_path / "log.txt").read_text()[-2_000:]
        state = ask(f"{endpoint}/sandbox/state")
        events = events_of(folder_of(out))
        lasts = {
            symbol: events["w2"][(events["instrument"] == k) & (events["kind"] == EventKind.TRADE)][-1]
            for k, symbol in enumerate(SYMBOLS)
        }
        truth = {
            symbol: ask(f"{endpoint}/sandbox/truth/binance/{symbol.replace('/', '-')}?since={last - 1_000}")[
                "trades"
            ]
            for symbol, last in lasts.items()
        }
    summary = json.loads(told)
    minute = min(60, len(samples) // 3)
    early, late = median(samples[minute : 2 * minute]), median(samples[-minute:])
    figures = {
        "seconds": SECONDS,
        "messages": sum(one["messages"] for one in summary["feeds"]["channels"]),
        "server_behind_s": state["behind_most_s"],
        "fills": summary["fills"],
        "latency": summary["feeds"]["latency"],
        "rss_mb": {
            "second minute": early,
            "last minute": late,
            "at most": max(samples),
            "with its end": most,
        },
    }
    print(json.dumps(figures))  # noqa: T201
    record_property("soak", json.dumps(figures))
    assert set(summary["feeds"]["counts"]) == {"connected"}
    assert_nothing_is_lost(events, truth)
    assert figures["messages"] > 0.9 * RATE * SECONDS
    assert abs(late / early - 1.0) < FLAT
    assert most <= MOST_MB
    done = process("verify", str(folder_of(out)), timeout=1_200)
    assert done.code == 0, done.out + done.err
