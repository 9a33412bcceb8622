"""What the sandbox serves besides made-up markets: journals and recordings; and the command that serves them."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.cli.tools import ROOT, process
from tests.feeds.served import run, until
from tradectl.core.codes import EventFlag, EventKind
from tradectl.core.instrument import Instrument
from tradectl.engine.journal import JournalMeta, JournalWriter
from tradectl.errors import ConfigError, DataError
from tradectl.exchanges.codec import EventBuffer
from tradectl.exchanges.connect import new_exchange
from tradectl.exchanges.sandbox import Sandbox, Source
from tradectl.exchanges.sandbox.recorded import recorded

DATA = ROOT.parent / "shared" / "data"
END, BEGIN_ALL, END_ALL = EventFlag.MESSAGE_END, EventFlag.SNAPSHOT_BEGIN, EventFlag.SNAPSHOT_END
START, MS = 1_700_000_000_000_000_000, 1_000_000

RECORDINGS = [
    # exchange, file, symbol, how many levels of the book ccxt can know
    ("binance", "binance_ws/spot/btcusdt_20240808.gz", "BTC/USDT", 300),
    ("binance", "binance_ws/usdm/btcusdt_20240808.gz", "BTC/USDT:USDT", 300),
    ("binance", "exchange_recordings/BINANCE.ws.1.0", "NKN/USDT", 300),
    ("binance", "exchange_recordings/BINANCE_FUTURES.ws.1.0.gz", "SUSHI/USDT:USDT", 300),
    ("okx", "exchange_recordings/OKX.ws.1.0.gz", "BTC/USDT", 400),
    ("kraken", "exchange_recordings/KRAKEN.ws.50.0.gz", "XMR/USD", 10),
    ("coinbase", "exchange_recordings/COINBASE.ws.28.0.gz", "SKL/USD", 10_000),
]


def floats(levels: Any, count: int) -> list[list[float]]:
    return [[float(number) for number in level[:2]] for level in levels[:count]]


@pytest.mark.parametrize(
    ("exchange", "file", "symbol", "known"), RECORDINGS, ids=[f"{row[1]} {row[2]}" for row in RECORDINGS]
)
def test_a_recording_is_served_in_its_venues_protocol(
    exchange: str, file: str, symbol: str, known: int
) -> None:
    if not (DATA / file).exists():
        pytest.skip("needs ../shared/data, real recordings that are not part of the repository")

    async def test() -> None:
        source = recorded(DATA / file, [symbol])
        assert not source.is_synthetic
        async with Sandbox([exchange], source, speed=60.0, waits=True) as server:
            client = new_exchange(exchange, server.endpoint)
            client.number = float
            try:
                await client.load_markets()
                assert list(client.markets) == [symbol]

                async def watch() -> None:
                    while True:
                        await client.watch_order_book(symbol)

                task = asyncio.create_task(watch())
                await server.finished.wait()
                truth = server.truth(exchange, symbol)

                def differing() -> list[str]:
                    book = client.orderbooks[symbol]
                    counts = {side: min(known, len(book[side])) for side in ("bids", "asks")}
                    assert min(counts.values()) >= min(known, 10)
                    return [k for k, n in counts.items() if floats(book[k], n) != floats(truth[k], n)]

                await until(lambda: not differing())
                task.cancel()
                assert server.state()["finished"]
            finally:
                await client.close()

    run(test)


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    """Return a run folder with a journal of three instruments: depth and trades, quotes, and bars alone."""
    names = [("A", "USDT"), ("B", "USDT"), ("C", "USDT")]
    instruments = tuple(Instrument("x", f"{b}/{q}", b, q, Decimal("0.01"), Decimal("0.1")) for b, q in names)
    out = EventBuffer()
    out.add(START, START, EventKind.COMMAND, 0, 0, 0, 0, 1)
    for k, (side, price) in enumerate(((1, 9_999), (1, 9_998), (-1, 10_001), (-1, 10_002))):
        flags = (BEGIN_ALL if k == 0 else 0) | (END_ALL | END if k == 3 else 0)
        out.add(START, START, EventKind.DEPTH, side, flags, 0, 0, price, 50 + k)
    out.add(START, START, EventKind.QUOTE, 0, END, 1, 0, 5_000, 3, 5_002, 4)
    out.add(START + MS, START + MS, EventKind.TRADE, 1, END, 0, 0, 10_001, 20, 77)
    out.add(START + MS, START + MS, EventKind.DEPTH, -1, 0, 0, 0, 10_001, 0, 78)
    out.add(START + MS, START + MS, EventKind.DEPTH, 1, END, 0, 0, 10_000, 7, 78)
    out.add(START + 2 * MS, START + 2 * MS, EventKind.BAR, 0, EventFlag.WARMUP, 2, 0, 1, 1, 1, 1, 1)
    out.add(START + 3 * MS, START + 3 * MS, EventKind.BAR, 0, 0, 2, 0, 2_000, 2_020, 1_990, 2_010, 40)
    out.add(START + 4 * MS, START + 4 * MS, EventKind.QUOTE, 0, END, 1, 0, 5_001, 9, 5_002, 4)
    (tmp_path / "run").mkdir()
    writer = JournalWriter(
        tmp_path / "run" / "journal", JournalMeta(instruments, (60_000 * MS,), (0, 0, 60_000 * MS))
    )
    writer.append(out.take())
    writer.close()
    return tmp_path / "run"


def test_a_journal_is_a_source(journal: Path) -> None:
    async def test() -> None:
        source = recorded(journal)
        assert [one.symbol for one in source.listings] == ["A/USDT", "B/USDT", "C/USDT"]
        async with Sandbox(["binance"], source, speed=1.0) as server:
            await server.finished.wait()
            book = server.truth("binance", "A/USDT")
            assert floats(book["bids"], 9) == [[100.0, 0.7], [99.99, 5.0], [99.98, 5.1]]
            assert floats(book["asks"], 9) == [[100.02, 5.3]]
            assert [(float(t["price"]), float(t["qty"]), t["side"]) for t in book["trades"]] == [
                (100.01, 2.0, 1)
            ]
            touch = server.truth("binance", "B/USDT")
            assert floats(touch["bids"] + touch["asks"], 9) == [[50.01, 0.9], [50.02, 0.4]]
            bar = server.truth("binance", "C/USDT")["trades"]
            assert [float(one["price"]) for one in bar] == [20.0, 19.9, 20.2, 20.1]
            assert sum(float(one["qty"]) for one in bar) == pytest.approx(4.0)

    run(test)


def test_symbols_choose_and_make_perpetuals(journal: Path) -> None:
    source: Source = recorded(journal, ["B/USDT:USDT"])
    assert [one.symbol for one in source.listings] == ["B/USDT:USDT"]
    assert {index for stream in source.streams() for index, _ in stream} == {0}
    with pytest.raises(ConfigError, match="has no D/USDT"):
        recorded(journal, ["D/USDT"])
    with pytest.raises(DataError, match="no such run"):
        recorded(journal / "nothing")
    with pytest.raises(ConfigError, match="can have none"):
        Sandbox(["kraken"], source)


def test_a_recording_can_begin_anew(journal: Path) -> None:
    async def test() -> None:
        async with Sandbox(["binance"], recorded(journal), loops=True) as server:
            await asyncio.sleep(0.3)
            assert not server.finished.is_set()
            trades = server.truth("binance", "A/USDT")["trades"]
            assert len(trades) > 3
            assert [one["id"] for one in trades] == list(
                range(trades[0]["id"], trades[0]["id"] + len(trades))
            )

    run(test)


def test_each_venue_serves_what_was_recorded_at_it(journal: Path) -> None:
    async def test() -> None:
        source = recorded(journal)
        a, b, c = source.listings
        same = (replace(a, venue="binance"), replace(a, venue="bybit"), replace(c, venue="kraken"))
        async with Sandbox(["binance", "bybit"], Source("two", same, source.streams), paused=True) as server:
            assert server.advance(20) > 0
            deep, touch = (server.truth(name, "A/USDT") for name in ("binance", "bybit"))
            assert len(deep["bids"]) == 3
            assert floats(touch["bids"], 9) == [[50.01, 0.9]]
        assert b.venue == "x"

    run(test)


def test_a_source_that_breaks_is_told(journal: Path) -> None:
    source = recorded(journal)

    def broken() -> Iterator[Any]:
        yield from list(source.streams()[0])[:2]
        raise DataError("the disk is gone")

    async def test() -> None:
        async with Sandbox(["binance"], Source("broken", source.listings, lambda: [broken()])) as server:
            await server.finished.wait()

    with pytest.raises(DataError, match="the disk is gone"):
        run(test)


@pytest.fixture
def served() -> Iterator[Callable[..., tuple[subprocess.Popen[str], dict[str, Any]]]]:
    """Return what starts `tradectl sandbox` in a process and tells its first line."""
    started: list[subprocess.Popen[str]] = []

    def start(*words: str) -> tuple[subprocess.Popen[str], dict[str, Any]]:
        command = [sys.executable, "-m", "tradectl", "sandbox", "--port", "0", "--json", *words]
        started.append(subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True))
        assert started[-1].stdout is not None
        return started[-1], json.loads(started[-1].stdout.readline())

    yield start
    for one in started:
        one.kill()
        one.wait()


def test_the_command_serves_until_it_is_stopped(served: Callable[..., Any]) -> None:
    serving, first = served(
        "--exchange", "kraken", "--exchange", "binance", "--symbol", "BTC/USDT", "--fault", "drop@100ms"
    )
    assert first["synthetic"] is True
    assert first["exchanges"] == {"kraken": ["BTC/USDT"], "binance": ["BTC/USDT"]}
    with urllib.request.urlopen(
        f"{first['endpoint']}/api.kraken.com/0/public/AssetPairs", timeout=10
    ) as answer:
        assert list(json.load(answer)["result"]) == ["XBTUSDT"]
    serving.send_signal(signal.SIGINT)
    last = json.loads(serving.stdout.read())
    serving.wait(timeout=10)
    assert (serving.returncode, last["event"], last["synthetic"]) == (0, "ended", True)


def test_the_command_ends_with_its_source(served: Callable[..., Any], journal: Path) -> None:
    serving, first = served("--source", str(journal))
    assert (first["synthetic"], first["source"]) == (False, str(journal))
    assert json.loads(serving.stdout.read())["finished"] is True
    serving.wait(timeout=10)
    assert serving.returncode == 0


def test_the_command_says_what_is_wrong() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        busy = process("sandbox", "--port", str(taken.getsockname()[1]))
    assert (busy.code, "is in use" in busy.err) == (5, True)
    wrong = process("sandbox", "--fault", "stael@5s:3s")
    assert (wrong.code, "did you mean 'stale'?" in wrong.err) == (2, True)
    for words, told in (
        (("--exchange", "binanse"), "did you mean 'binance'?"),
        (("--source", "nowhere", "--runs", "none"), "nowhere"),
        (("--source", "configs", "--rate", "5"), "--rate is for the synthetic source"),
        (("--duration", "5"), "--duration"),
        (("--speed", "0"), "speed above 0"),
    ):
        done = process("sandbox", *words)
        assert done.code in (2, 6)
        assert told in done.err
