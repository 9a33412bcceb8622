"""What real exchanges do to a feed, done on purpose: real ccxt against the sandbox, one line a fault.

After each of them books and trades must be the server's, and what was missing meanwhile must have been told.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from tests.feeds.watched import QUICK, Watched
from tradectl.errors import FeedError
from tradectl.exchanges.model import Channel
from tradectl.exchanges.sandbox import Sandbox

SYMBOLS = ("BTC/USDT", "ETH/USDT")
RATE = 300.0
Gaps = set[tuple[str, str]]

FAULTS: dict[str, tuple[str, str, Gaps, str]] = {
    # what happens: exchange, the sandbox's fault, gaps told, a note that is made
    "all connections end": ("binance", "drop", {("book", "CONNECTION")}, "lost"),
    "none is taken for a while": ("binance", "refuse:1s", {("book", "CONNECTION")}, "lost"),
    "depth is missing": ("binance", "gap:3:depth", {("book", "SEQUENCE")}, "gap"),
    "trades are missing": ("binance", "gap:3:trades", set(), "backfilled"),
    "more trades than ccxt keeps": ("binance", "burst:1200:trades", set(), ""),
    "messages come twice": ("binance", "duplicate:20", set(), ""),
    "messages come in another order": ("binance", "reorder:4:trades", set(), ""),
    "depth comes in another order": ("binance", "reorder:4:depth", {("book", "SEQUENCE")}, "gap"),
    "cut JSON of trades": ("binance", "malformed:2:json:trades", set(), "malformed"),
    "cut JSON of depth": ("binance", "malformed:2:json:depth", {("book", "MALFORMED")}, "malformed"),
    "a price that is no number": ("binance", "malformed:2:nan:depth", {("book", "MALFORMED")}, "malformed"),
    "a trade's price is no number": ("binance", "malformed:1:nan:trades", set(), "malformed"),
    "pings are answered, nothing else comes": ("binance", "stale:5s", {("book", "STALE")}, "stale"),
}


def run(test: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(asyncio.wait_for(test(), 60))


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_told_and_nothing_is_lost(name: str) -> None:
    exchange, fault, gaps, note = FAULTS[name]

    async def test() -> None:
        async with (
            Sandbox([exchange], SYMBOLS, rate=RATE) as server,
            Watched(server, exchange, SYMBOLS) as feed,
        ):
            await feed.until(lambda: len(feed.trades) == len(feed.whole) == len(SYMBOLS), 10, "a start")
            server.fault(fault)
            await feed.listen(1.0)
            if note:
                await feed.until(lambda: feed.hub.noted[note] > 0, 15, f"a note of {note}")
            await feed.listen(0.5)
            if "burst" in fault:
                wanted = sum(map(len, feed.trades.values())) + 1_200
                await feed.until(lambda: sum(map(len, feed.trades.values())) >= wanted, 30, "the burst")
            await feed.settled()
            assert set(feed.gaps) == gaps
            if gaps:
                await feed.listen(1.1)  # the hub looks at its own events once a second
                ended = [one for one in feed.hub.notes if one.what == "gap" and one.until_ns > one.ts_ns]
                assert ended, "the end of the gap is told"

    run(test)


def test_a_page_instead_of_markets_is_refused() -> None:
    async def test() -> None:
        async with Sandbox(["binance"], SYMBOLS) as server:
            server.fault("malformed:9:html")
            feed = Watched(server, "binance", SYMBOLS)
            with pytest.raises(FeedError, match="binance"):
                await feed.__aenter__()

    run(test)


def test_an_overload_leaves_out_depth_behind_a_gap_and_no_trade() -> None:
    from dataclasses import replace

    async def test() -> None:
        settings = replace(QUICK, queue=200, stale_ns=30_000_000_000)
        async with (
            Sandbox(["binance"], SYMBOLS, rate=800.0) as server,
            Watched(server, "binance", SYMBOLS, settings=settings) as feed,
        ):
            await feed.until(lambda: len(feed.trades) == len(feed.whole) == len(SYMBOLS), 10, "a start")
            await asyncio.sleep(1.5)  # nobody takes
            await feed.settled()
            assert set(feed.gaps) == {("book", "OVERLOAD")}
            assert feed.hub.noted["overload"]
            assert sum(one.dropped for one in feed.hub.health()) > 0

    run(test)


def test_closing_at_any_moment_leaves_nothing_pending() -> None:
    async def test() -> None:
        async with Sandbox(["binance"], SYMBOLS) as server:
            for wait_s in (0.0, 0.005, 0.02, 0.1, 0.3):
                async with Watched(server, "binance", SYMBOLS, frozenset(Channel) - {Channel.FUNDING}):
                    await asyncio.sleep(wait_s)
            feed = Watched(server, "binance", SYMBOLS)
            async with feed:
                server.fault("refuse:5s")
                await asyncio.sleep(0.3)

    run(test)
