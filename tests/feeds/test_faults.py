"""What real exchanges do to a feed, done on purpose: real ccxt against the sandbox, one line a fault.

After each of them books and trades must be the server's, and what was missing meanwhile must have been told.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from tests.feeds.watched import PATIENT, QUICK, Watched
from tradectl.errors import FeedError
from tradectl.exchanges.model import Channel
from tradectl.exchanges.sandbox import Sandbox

SYMBOLS = ("BTC/USDT", "ETH/USDT")
RATE = 300.0
Gaps = set[tuple[str, str]]

SEQUENCE, CHECKSUM, LOST = ("book", "SEQUENCE"), ("book", "CHECKSUM"), ("book", "CONNECTION")
MALFORMED, STALE = ("book", "MALFORMED"), ("book", "STALE")

FAULTS: list[tuple[str, str, str, Gaps, str]] = [
    # what happens, where, the sandbox's fault, gaps told, a note that is made
    ("all connections end", "binance", "drop", {LOST}, "lost"),
    ("all connections end", "kraken", "drop", {LOST}, "lost"),
    ("all connections end", "bybit", "drop", {LOST}, "lost"),
    ("all connections end", "okx", "drop", {LOST}, "lost"),
    ("all connections end", "coinbase", "drop", {LOST}, "lost"),
    ("none is taken for a while", "binance", "refuse:1s", {LOST}, "lost"),
    ("depth is missing", "binance", "gap:3:depth", {SEQUENCE}, "gap"),
    ("depth is missing", "kraken", "gap:3:depth", {CHECKSUM}, "gap"),
    ("depth is missing", "bybit", "gap:3:depth", {SEQUENCE}, "gap"),
    ("depth is missing", "okx", "gap:3:depth", {SEQUENCE}, "gap"),
    ("depth is missing", "coinbase", "gap:3:depth", {SEQUENCE}, "gap"),
    ("trades are missing", "binance", "gap:3:trades", set(), "backfilled"),
    ("trades are missing", "kraken", "gap:3:trades", set(), "backfilled"),
    ("trades are missing", "coinbase", "gap:3:trades", {SEQUENCE}, "backfilled"),
    ("trades are missing", "okx", "gap:3:trades", set(), "backfilled"),
    ("a wrong checksum", "kraken", "checksum", {CHECKSUM}, "gap"),
    ("a wrong checksum", "okx", "checksum", {CHECKSUM}, "gap"),
    ("messages come twice", "binance", "duplicate:20", set(), ""),
    ("messages come in another order", "binance", "reorder:4:trades", set(), ""),
    ("depth comes in another order", "binance", "reorder:4:depth", {SEQUENCE}, "gap"),
    ("cut JSON of trades", "binance", "malformed:2:json:trades", set(), "malformed"),
    ("cut JSON of depth", "binance", "malformed:2:json:depth", {MALFORMED}, "malformed"),
    ("cut JSON of depth", "kraken", "malformed:2:json:depth", {MALFORMED}, "malformed"),
    ("a price that is no number", "binance", "malformed:2:nan:depth", {MALFORMED}, "malformed"),
    ("a trade's price is no number", "binance", "malformed:1:nan:trades", set(), "malformed"),
    ("pings are answered, nothing else comes", "binance", "stale:5s", {STALE}, "stale"),
    ("pings are answered, nothing else comes", "kraken", "stale:5s", {STALE}, "stale"),
]


def run(test: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(asyncio.wait_for(test(), 60))


@pytest.mark.parametrize(
    ("exchange", "fault", "gaps", "note"),
    [row[1:] for row in FAULTS],
    ids=[f"{row[0]}, {row[1]}" for row in FAULTS],
)
def test_a_fault_is_told_and_nothing_is_lost(exchange: str, fault: str, gaps: Gaps, note: str) -> None:

    async def test() -> None:
        async with (
            Sandbox([exchange], SYMBOLS, rate=RATE) as server,
            Watched(server, exchange, SYMBOLS) as feed,
        ):
            await feed.until(lambda: len(feed.trades) == len(feed.whole) == len(SYMBOLS), 10, "a start")
            server.fault(fault)
            await feed.listen(1.0)
            if note:
                await feed.until(lambda: feed.hub.log.noted[note] > 0, 15, f"a note of {note}")
            await feed.listen(0.5)
            await feed.settled()
            others = {LOST} if STALE in gaps and exchange != "binance" else set()  # its markets share a connection
            assert gaps <= set(feed.gaps) <= gaps | others
            if gaps:
                await feed.listen(1.1)  # the hub looks at its own events once a second
                ended = [one for one in feed.hub.log.notes if one.what == "gap" and one.until_ns > one.ts_ns]
                assert ended, "the end of the gap is told"
            for one in feed.hub.log.interruptions:
                if one.what == "stale":  # it began when something came last, not when that was noticed
                    assert one.until_ns - one.ts_ns > QUICK.stale_ns

    run(test)


def test_a_trade_that_a_connection_left_out_is_found_by_comparison_where_ids_do_not_count() -> None:
    async def test() -> None:
        async with (
            Sandbox(["bybit"], SYMBOLS, rate=60.0) as server,
            Watched(server, "bybit", SYMBOLS) as feed,
        ):
            await feed.until(lambda: all(len(feed.trades.get(k, ())) > 3 for k in (0, 1)), 10, "a start")
            server.fault("gap:2:trades")
            await feed.until(lambda: feed.hub.log.noted["backfilled"] > 0, 15, "a comparison")
            server.pause()

            def are_told(index: int) -> bool:
                mine = sorted(trade[1:] for trade in feed.trades[index])  # late ones come last
                return mine == sorted(trade[1:] for trade in feed.truth(index)["trades"][-len(mine) :])

            await feed.until(lambda: are_told(0) and are_told(1), 10, "all trades")
            assert not feed.gaps

    run(test)


@pytest.mark.parametrize(("exchange", "topic"), [("okx", "books/ETH-USDT"), ("bybit", "spot/orderbook.50.ETHUSDT")])
def test_a_market_that_goes_silent_is_subscribed_anew_on_the_connection_of_the_others(
    exchange: str, topic: str
) -> None:
    async def test() -> None:
        settings = replace(QUICK, stale_ns=1_000_000_000)
        async with (
            Sandbox([exchange], SYMBOLS, rate=RATE) as server,
            Watched(server, exchange, SYMBOLS, settings=settings) as feed,
        ):
            await feed.until(lambda: len(feed.trades) == len(feed.whole) == len(SYMBOLS), 10, "a start")
            outlet = server.venues[exchange].outlet
            for connection in list(outlet.connections):
                outlet.unlisten(connection, topic)
            await feed.until(lambda: feed.gaps[STALE] == 1, 15, "a silent market")
            await feed.settled()
            assert set(feed.gaps) == {STALE}
            assert outlet.dialled == 1

    run(test)


def test_all_channels_of_a_connection_dial_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tradectl.exchanges.feed.LIMITED_S", 0.8)

    async def test() -> None:
        async with (
            Sandbox(["okx"], SYMBOLS, rate=60.0) as server,
            Watched(server, "okx", SYMBOLS) as feed,
        ):
            await feed.until(lambda: len(feed.trades) == len(feed.whole) == len(SYMBOLS), 10, "a start")
            outlet = server.venues["okx"].outlet
            server.fault("refuse:600ms")
            await feed.until(lambda: outlet.dialled > 1 and len(outlet.connections) == 1, 10, "a connection")
            assert outlet.dialled < 10  # each by itself: four times as often
            dialled = outlet.dialled
            server.fault("limit:500ms")
            server.fault("drop")
            await feed.until(lambda: outlet.dialled > dialled + 1 and len(outlet.connections) == 1, 10, "another")
            assert outlet.dialled == dialled + 2  # it does not say for how long: LIMITED_S
            assert feed.hub.log.noted["limited"] == 1

    run(test)


def test_a_burst_of_more_trades_than_ccxt_keeps_comes_whole_to_its_end() -> None:
    async def test() -> None:
        async with (
            Sandbox(["binance"], SYMBOLS, rate=RATE) as server,
            Watched(server, "binance", SYMBOLS) as feed,
        ):
            await feed.until(lambda: len(feed.trades) == len(feed.whole) == len(SYMBOLS), 10, "a start")
            before = sum(map(len, feed.trades.values()))
            server.pause()
            server.advance(12_000)
            await feed.settled()
            assert sum(map(len, feed.trades.values())) - before > 1_500
            assert not feed.gaps

    run(test)


@pytest.mark.parametrize(
    ("fault", "note"), [("slow_snapshot:2s", ""), ("old_snapshot:2", ""), ("limit:3s", "limited")]
)
def test_a_snapshot_that_is_late_old_or_refused_is_had_in_the_end(fault: str, note: str) -> None:
    async def test() -> None:
        async with (
            Sandbox(["binance"], SYMBOLS, rate=RATE) as server,
            Watched(server, "binance", SYMBOLS) as feed,
        ):
            await feed.until(lambda: len(feed.trades) == len(feed.whole) == len(SYMBOLS), 10, "a start")
            server.fault(fault)
            await feed.listen(0.3)
            server.fault("gap:1:depth")
            await feed.until(lambda: feed.hub.log.noted["gap"] > 0, 10, "a gap")
            await feed.settled()
            assert set(feed.gaps) == {SEQUENCE}
            assert not note or feed.hub.log.noted[note]

    run(test)


def test_a_connection_that_ends_while_nobody_awaits_it_is_told() -> None:
    async def test() -> None:
        async with (
            Sandbox(["binance"], SYMBOLS, rate=RATE) as server,
            Watched(server, "binance", SYMBOLS) as feed,
        ):
            await feed.until(lambda: len(feed.trades) == len(feed.whole) == len(SYMBOLS), 10, "a start")
            for task in feed.hub._feeds[0]._tasks:
                task.cancel()
            await feed.listen(0.3)
            server.fault("drop")
            await feed.until(lambda: feed.gaps[LOST] == len(SYMBOLS), 10, "the gaps")
            assert feed.hub.log.noted["lost"] == 4
            assert {one.state for one in feed.hub.health()} == {"down"}

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
    async def test() -> None:
        settings = replace(PATIENT, queue=200)
        async with (
            Sandbox(["binance"], SYMBOLS, rate=800.0) as server,
            Watched(server, "binance", SYMBOLS, settings=settings) as feed,
        ):
            await feed.until(lambda: len(feed.trades) == len(feed.whole) == len(SYMBOLS), 10, "a start")
            await asyncio.sleep(1.5)  # nobody takes
            await feed.settled()
            assert feed.gaps["book", "OVERLOAD"]
            assert {missing for missing, _ in feed.gaps} == {"book"}  # never a trade
            assert feed.hub.log.noted["overload"]
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


ANYTHING = (
    "drop", "refuse:1s", "gap:3:depth", "gap:2:trades", "gap:4", "stale:4s", "malformed:1:json", "malformed:2:nan",
    "malformed:1:html", "slow_snapshot:1s", "limit:2s", "burst:50", "duplicate:5", "reorder:3", "old_snapshot:1",
)  # fmt: skip


@pytest.mark.proof
@pytest.mark.parametrize("exchange", ["binance", "kraken", "okx", "coinbase"])
def test_after_fifty_faults_by_chance_books_and_trades_are_the_servers(exchange: str) -> None:
    async def test() -> None:
        chance = random.Random(f"faults of {exchange}")
        settings = replace(QUICK, backfill_ns=20_000_000_000)
        kinds = [*ANYTHING, "checksum"] if exchange in ("kraken", "okx") else list(ANYTHING)
        async with (
            Sandbox([exchange], SYMBOLS, rate=RATE) as server,
            Watched(server, exchange, SYMBOLS, settings=settings) as feed,
        ):
            await feed.until(lambda: len(feed.trades) == len(feed.whole) == len(SYMBOLS), 10, "a start")
            for _ in range(50):
                server.fault(chance.choice(kinds))
                await feed.listen(chance.uniform(0.05, 1.0))
            await feed.settled(40.0)
            assert not [gap for gap in feed.gaps if gap[0] == "trades"]

    asyncio.run(asyncio.wait_for(test(), 200))
