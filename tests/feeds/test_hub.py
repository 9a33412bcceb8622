"""A hub with real ccxt and the sandbox: what it refuses, several exchanges together, bars, resumption, warm-up."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Awaitable, Callable

import pytest

from tests.feeds import watched
from tests.feeds.served import until
from tests.feeds.watched import BOTH, PATIENT, QUICK, Watched
from tradectl.errors import FeedError
from tradectl.exchanges import tap
from tradectl.exchanges.clock import Clock
from tradectl.exchanges.hub import Hub
from tradectl.exchanges.model import Channel, ExchangePlan, Position
from tradectl.exchanges.sandbox import Sandbox

SYMBOLS = ("BTC/USDT", "ETH/USDT")
SECOND = 1_000_000_000
MINUTE = 60 * SECOND
RATE_AT_ONCE = 500.0


def run(test: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(asyncio.wait_for(test(), 60))


def names(*channels: Channel) -> frozenset[Channel]:
    return frozenset(channels)


@pytest.mark.parametrize(
    ("symbol", "channels", "timeframe_ns", "told"),
    [
        ("BTC/USDC", names(Channel.TRADES), 0, "BTC/USDT"),
        ("BTC/USDT", names(Channel.FUNDING), 0, "perpetuals do, e.g. BTC/USDT:USDT"),
        ("BTC/USDT", names(Channel.OHLCV), 7 * SECOND, "valid:"),
        ("BTC/USDT", names(), 0, "nothing is wanted"),
    ],
)
def test_what_an_exchange_cannot_send_is_refused(
    symbol: str, channels: frozenset[Channel], timeframe_ns: int, told: str
) -> None:
    async def test() -> None:
        async with Sandbox(["binance"], SYMBOLS) as server:
            plan = ExchangePlan("binance", (symbol,), channels, timeframe_ns, server.endpoint)
            hub = Hub([plan], QUICK, Clock())
            with pytest.raises(FeedError) as raised:
                await hub.open()
            await hub.close()
            assert told in str(raised.value)
            assert "binance" in str(raised.value)

    run(test)


def test_an_exchange_names_the_channels_that_it_has() -> None:
    async def test() -> None:
        async with Sandbox(["coinbase"], ("BTC/USD",)) as server:
            plan = ExchangePlan("coinbase", ("BTC/USD",), names(Channel.OHLCV), MINUTE, server.endpoint)
            hub = Hub([plan], QUICK, Clock())
            with pytest.raises(FeedError, match="coinbase sends no ohlcv") as raised:
                await hub.open()
            await hub.close()
            assert "trades, depth, quotes" in str(raised.value)

    run(test)


def test_a_channel_that_the_venue_refuses_is_told_once_and_the_others_go_on() -> None:
    async def test() -> None:
        async with (
            Sandbox(["coinbase"], ("BTC/USD",), rate=RATE_AT_ONCE) as server,  # it has no ticker
            Watched(server, "coinbase", ("BTC/USD",), BOTH | {Channel.QUOTES}, PATIENT) as feed,
        ):
            noted, trades = feed.hub.log.noted, feed.trades
            await feed.until(lambda: noted["refused"] > 0 and len(trades.get(0, ())) > 9, 10, "trades")
            await feed.until(lambda: sum(one.messages for one in feed.hub.health()) > 20, 10, "messages")
            refused = [(note.text, note.channel) for note in feed.hub.log.notes if note.what == "refused"]
            assert refused == [("invalid channel ticker", "")]
            states = {one.channel.name: one.state for one in feed.hub.health()}
            assert states == {"TRADES": "live", "DEPTH": "live", "QUOTES": "down"}

    run(test)


def test_instruments_of_all_exchanges_are_sorted_and_wait_in_one_queue() -> None:
    async def test() -> None:
        async with Sandbox(["kraken", "binance"], SYMBOLS, rate=200.0) as server:
            plans = [
                ExchangePlan(name, SYMBOLS, watched.BOTH, 0, server.endpoint)
                for name in ("kraken", "binance")
            ]
            hub = Hub(plans, QUICK, Clock())
            markets = await hub.open()
            ids = [market.instrument.id for market in markets]
            assert ids == [f"{venue}:{symbol}" for venue in ("BINANCE", "KRAKEN") for symbol in SYMBOLS]
            assert [market.index for market in markets] == [0, 1, 2, 3]
            wake = asyncio.Event()
            await hub.start(wake.set)
            heard: set[int] = set()
            last = 0
            while len(heard) < 4:
                await wake.wait()
                wake.clear()
                events = hub.take(limit=3)
                assert len(hub.taken_recv_ns) <= 3
                heard |= set(events["instrument"].tolist())
                assert all(
                    later >= earlier
                    for earlier, later in zip([last, *events["ts_recv"]], events["ts_recv"], strict=False)
                )
                last = int(events["ts_recv"][-1]) if len(events) else last
            assert {one.state for one in hub.health()} <= {"live", "syncing"}
            await hub.close()

    run(test)


def test_venues_that_are_frozen_do_not_hold_up_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tap, "CLOSE_S", 0.2)
    complaints: list[str] = []

    async def test() -> None:
        others = asyncio.all_tasks()
        asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(str(context)))
        names = ("binance", "kraken")
        async with Sandbox(names, SYMBOLS, rate=200.0) as server:
            hub = Hub([ExchangePlan(name, SYMBOLS, watched.BOTH, 0, server.endpoint) for name in names], QUICK, Clock())
            await hub.open()
            await hub.start(hub.take)
            await until(lambda: {one.state for one in hub.health()} == {"live"})
            links = [link for feed in hub._feeds for link in feed.links]
            for link in links:  # nothing comes any more, the answer to a close neither
                link.client.connection._conn.transport.pause_reading()
            before = asyncio.get_running_loop().time()
            await hub.close()
            assert asyncio.get_running_loop().time() - before < 5  # each of them would be waited for 10 s
            assert {link.client.connection.closed for link in links} == {True}
            assert {one.state for one in hub.health()} == {"closed"}
        gc.collect()
        await asyncio.sleep(0.01)
        assert asyncio.all_tasks() == others

    run(test)
    assert not complaints


def test_bars_that_closed_while_the_connection_was_away_are_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watched, "BAR_NS", SECOND)

    async def test() -> None:
        async with (
            Sandbox(["binance"], SYMBOLS, rate=300.0) as server,
            Watched(server, "binance", SYMBOLS, names(Channel.OHLCV)) as feed,
        ):
            await feed.until(lambda: len(feed.bars) == 2, 10, "bars")
            server.fault("refuse:3s")
            await feed.listen(4.0)
            await feed.until(lambda: min(map(len, feed.bars.values())) >= 7, 20, "bars again")
            assert feed.hub.log.noted["backfilled"]
            for ends in feed.bars.values():
                assert ends == list(range(ends[0], ends[-1] + 1, SECOND))

    run(test)


@pytest.mark.parametrize("exchange", ["binance", "kraken", "bybit", "okx"])
def test_a_resumed_session_has_the_trades_that_were_made_meanwhile(exchange: str) -> None:
    async def test() -> None:
        async with Sandbox([exchange], SYMBOLS, rate=80.0) as server:  # bybit's REST knows the last 60 trades
            async with Watched(server, exchange, SYMBOLS, settings=PATIENT) as first:
                await first.until(lambda: len(first.trades) == 2, 10, "trades")
                await first.listen(0.5)
            places: dict[str, Position] = first.hub.positions()
            assert set(places) == {market.instrument.id for market in first.hub.markets}
            await asyncio.sleep(0.6)
            async with Watched(server, exchange, SYMBOLS, BOTH, PATIENT, places) as second:
                second.trades = first.trades
                await second.listen(2.5)
                await second.settled()
                assert not second.gaps, second.told()

    run(test)


def test_warm_up_bars_end_before_now() -> None:
    async def test() -> None:
        async with (
            Sandbox(["binance"], SYMBOLS, rate=300.0) as server,
            Watched(server, "binance", SYMBOLS) as feed,
        ):
            await feed.listen(3.0)
            found = await feed.hub.warmup(2, SECOND)
            assert set(found) == {0, 1}
            for bars in found.values():
                assert 1 <= len(bars) <= 2
                for end_ns, o, h, low, c, volume in bars:
                    assert end_ns % SECOND == 0
                    assert end_ns <= feed.hub._clock.now_ns()
                    assert 0 < low <= min(o, c) <= max(o, c) <= h
                    assert volume >= 0

    run(test)


def test_what_is_taken_at_once_stays_in_order() -> None:
    async def test() -> None:
        async with Sandbox(["binance"], SYMBOLS, rate=RATE_AT_ONCE) as server:
            plan = ExchangePlan("binance", SYMBOLS, watched.BOTH, 0, server.endpoint)
            hub = Hub([plan], QUICK, Clock())
            await hub.open()
            received: list[int] = []
            await hub.start(lambda: received.extend(hub.take(limit=2)["ts_recv"].tolist()))
            await asyncio.sleep(2.0)
            server.pause()
            server.advance(2_000)
            await asyncio.sleep(0.5)
            await hub.close()
            assert len(received) > 1_000
            assert received == sorted(received)
            assert hub.waiting == 0

    run(test)
