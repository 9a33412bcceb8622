"""`tradectl data fetch` over real ccxt against a local server: what it writes, prints, refuses and survives."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.cli.tools import ROOT, Program
from tests.unit.exchanges.rest_fake import MINUTE, T0, Fake, Klines, binance_info, made_trades
from tests.unit.exchanges.rest_venues import VENUES
from tests.unit.exchanges.test_rest_sync import contents

NOW = T0 + 4_000 * MINUTE + 1
SINCE = ("--since", "2024-03-31")


@pytest.fixture
def program(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Program:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return Program(capsys)


@contextmanager
def running(fake: Fake) -> Iterator[str]:
    """Serve from a thread of its own; gives the endpoint."""
    loop, ready, ended = asyncio.new_event_loop(), threading.Event(), asyncio.Event()

    async def serve() -> None:
        async with fake:
            ready.set()
            await ended.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    assert ready.wait(10)
    try:
        yield fake.endpoint
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join()
        loop.close()


def venue(**more: Any) -> Fake:
    trades = VENUES["binance"](made_trades(2_500), NOW)
    routes = {"exchangeInfo": lambda _: binance_info(), "klines": Klines(list(range(4_001)), now=NOW)}
    return Fake({**routes, **trades}, **more)  # type: ignore[arg-type]


def test_candles_then_nothing_new(program: Program, tmp_path: Path) -> None:
    with running(venue()) as endpoint:
        words = (
            "data",
            "fetch",
            "binance",
            "BTC/USDT",
            "ohlcv",
            "--endpoint",
            endpoint,
            "--out",
            tmp_path / "c",
        )
        done = program(*words, *SINCE, "--json")
        assert done.code == 0, done.err
        (made,) = done.objects
        assert (made["rows"], made["new"], made["unfinished"], made["whole"]) == (4_000, 4_000, 1, True)
        assert (made["first"], made["last"]) == ("2024-03-31T00:01:00Z", "2024-04-02T18:40:00Z")
        again = program(*words)  # goes on from where the catalogue begins
        assert "no candles that were not there; the last candle is not over" in again.out
    (info,) = program("data", "info", tmp_path / "c", "--json").objects
    assert [(one["rows"], one["tick_size"]) for one in info["instruments"]] == [(4_000, "0.01")]
    assert program("data", "check", tmp_path / "c").code == 0


def test_trades_and_markets(program: Program, tmp_path: Path) -> None:
    with running(venue()) as endpoint:
        local = ("--endpoint", endpoint)
        done = program(
            "data", "fetch", "binance", "BTC/USDT", "trades", *SINCE, *local, "--out", tmp_path / "c"
        )
        assert (done.code, "2,500 trades (2,500 new) from 2024-03-31" in done.out) == (0, True), done.err
        shown = program("data", "fetch", "binance", "BTC/USDT", "markets", *local)
        assert "1 markets of binance" in shown.out
        (row,) = program("data", "fetch", "binance", "markets", *local, "--json").objects
        assert (row["symbol"], row["tick_size"], row["min_notional"]) == ("BTC/USDT", "0.01", "5")
    kept = program("data", "fetch", "binance", "BTC/USDT", "markets", *local)
    assert (kept.code, "days ago" in kept.err, "BTC/USDT" in kept.out) == (0, True, True)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("binanc", "BTC/USDT", "ohlcv"), 2, "did you mean 'binance'"),
        (("binance", "BTC/USTD", "ohlcv"), 5, "did you mean 'BTC/USDT'"),
        (("binance", "BTC/USDT", "ohlcv", "--timeframe", "7m"), 5, "no candles of 7m"),
        (("binance", "BTC/USDT", "ohlcv", "--timeframe", "x"), 2, "is not understood"),
        (("binance", "BTC/USDT", "candles"), 2, "valid: funding, markets, ohlcv, trades"),
        (("binance", "trades"), 2, "trades of which symbols?"),
        (("binance", "BTC/USDT", "funding"), 5, "no perpetual swap"),
        (("binance", "BTC/USDT", "ohlcv", "--since", "yesterday"), 2, "expected a date"),
        (("binance", "BTC/USDT", "ohlcv", "--until", "2024-03-30"), 2, "is not before"),
    ],
)
def test_refusals(program: Program, tmp_path: Path, words: Any, code: int, said: str) -> None:
    with running(venue()) as endpoint:
        since = () if "--since" in words else SINCE
        done = program("data", "fetch", *words, *since, "--endpoint", endpoint, "--out", tmp_path / "c")
    assert done.code == code, done.err
    assert said in done.err
    assert not (tmp_path / "c" / "catalogue.json").exists()


def test_from_when_on_must_be_said_once(program: Program, tmp_path: Path) -> None:
    with running(venue()) as endpoint:
        done = program(
            "data", "fetch", "binance", "BTC/USDT", "ohlcv", "--endpoint", endpoint, "--out", tmp_path / "c"
        )
    assert (done.code, "--since 2024-01-01" in done.err) == (2, True)


def test_the_network_is_down(program: Program, tmp_path: Path) -> None:
    done = program(
        "data",
        "fetch",
        "binance",
        "BTC/USDT",
        "ohlcv",
        *SINCE,
        "--endpoint",
        "http://127.0.0.1:9",
        "--out",
        tmp_path,
    )
    assert done.code == 5
    assert "127.0.0.1:9" in done.err


SLOW = """
import sys
from tradectl.cli.main import run
from tradectl.exchanges import rest_sync
rest_sync.STEP_ROWS = 1_000
sys.exit(run(sys.argv[1:]))
"""


def hears_interrupts() -> None:
    """Hear Ctrl-C, which a child of what runs in the background ignores."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.mark.parametrize(
    ("what", "sign"), [("ohlcv", signal.SIGKILL), ("trades", signal.SIGKILL), ("ohlcv", signal.SIGINT)]
)
def test_a_fetch_that_is_killed_goes_on(program: Program, tmp_path: Path, what: str, sign: int) -> None:
    def words(endpoint: str, out: str) -> list[str]:
        path = str(tmp_path / out)
        return ["data", "fetch", "binance", "BTC/USDT", what, *SINCE, "--endpoint", endpoint, "--out", path]

    with running(venue()) as endpoint:
        assert program(*words(endpoint, "whole")).code == 0
    only = "klines" if what == "ohlcv" else "aggTrades"
    stuck = venue(failures=deque([(429, "{}", {"Retry-After": "60"})]), only=only, after=2)
    with running(stuck) as endpoint:
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        child = subprocess.Popen(
            [sys.executable, "-c", SLOW, *words(endpoint, "cut")], env=environment, cwd=ROOT,
            preexec_fn=hears_interrupts,
        )  # fmt: skip
        until = time.monotonic() + 60
        while stuck.failures and time.monotonic() < until:
            time.sleep(0.05)
        time.sleep(0.5)
        child.send_signal(sign)
        assert child.wait(30) == (130 if sign == signal.SIGINT else -sign)
    assert (tmp_path / "cut" / "catalogue.json").exists()
    assert contents(tmp_path / "cut") != contents(tmp_path / "whole")
    with running(venue()) as endpoint:
        assert program(*words(endpoint, "cut")).code == 0
    assert contents(tmp_path / "cut") == contents(tmp_path / "whole")
