"""The sandbox exchange: unmodified ccxt sees in it what its truth says, for each venue."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Iterator
from contextlib import asynccontextmanager
from decimal import Decimal
from itertools import islice, pairwise
from typing import Any

import aiohttp
import pytest

from tests.feeds.served import listening, run, texts, until
from tradectl.errors import ConfigError, FeedError
from tradectl.exchanges.connect import new_exchange
from tradectl.exchanges.sandbox import Sandbox
from tradectl.exchanges.sandbox.flow import flow
from tradectl.exchanges.sandbox.sources import listing_of
from tradectl.history.importers.checksum import kraken_checksum, okx_checksum

SPOT, PERPETUAL = "BTC/USDT", "BTC/USDT:USDT"
MARKETS = [
    ("binance", SPOT), ("binance", PERPETUAL), ("kraken", "BTC/USD"), ("bybit", SPOT), ("bybit", PERPETUAL),
    ("okx", SPOT), ("okx", PERPETUAL), ("coinbase", "BTC/USD"),
]  # fmt: skip
TRADE_IDS = {
    ("bybit", SPOT): lambda trade_id: f"2290000000{trade_id:09d}",
    ("bybit", PERPETUAL): lambda trade_id: f"00000000-0000-5000-8000-{trade_id:012x}",
}
TAKER = {"buy": 1, "sell": -1}


@asynccontextmanager
async def opened(exchange: str, symbols: tuple[str, ...], **more: Any) -> Any:
    """Yield a paused sandbox and ccxt's exchange of it, its numbers floats."""
    async with Sandbox([exchange], symbols, paused=True, **more) as server:
        client = new_exchange(exchange, server.endpoint)
        client.number = float
        try:
            await client.load_markets()
            yield server, client
        finally:
            await client.close()


async def while_advancing(server: Sandbox, waited: Awaitable[Any]) -> Any:
    """Wait for something while the markets go on."""
    task = asyncio.ensure_future(waited)
    for _ in range(1_000):
        if task.done():
            break
        server.advance(2)
        await asyncio.sleep(0.01)
    return await task


def floats(levels: Any, count: int) -> list[list[float]]:
    return [[float(number) for number in level[:2]] for level in levels[:count]]


@pytest.mark.parametrize(("exchange", "symbol"), MARKETS)
def test_ccxt_sees_the_true_book_and_every_trade(exchange: str, symbol: str) -> None:
    async def test() -> None:
        async with opened(exchange, (symbol,)) as (server, client):
            market, listing = client.market(symbol), server.venues[exchange].market(symbol).listing
            assert Decimal(str(market["precision"]["price"])) == listing.tick_size
            size = Decimal(str(market["contractSize"] or 1))
            assert Decimal(str(market["precision"]["amount"])) * size == listing.lot_size
            book = await while_advancing(server, client.watch_order_book(symbol))
            trades = await while_advancing(server, client.watch_trades(symbol))
            for _ in range(20):
                server.advance(50)
                await asyncio.sleep(0.01)
            truth = server.truth(exchange, symbol)
            last_id = TRADE_IDS.get((exchange, symbol), str)(truth["trades"][-1]["id"])
            await until(lambda: any(one["id"] == last_id for one in client.trades[symbol]))
            for one in ("bids", "asks"):
                await until(lambda one=one: floats(client.orderbooks[symbol][one], 9) == floats(truth[one], 9))
            book, trades = client.orderbooks[symbol], client.trades[symbol]
            for side in ("bids", "asks"):
                depth = len(book[side])
                assert depth >= 10
                assert floats(book[side], depth) == floats(truth[side], depth)
            told_id = TRADE_IDS.get((exchange, symbol), str)
            told = [(one["id"], one["price"], one["amount"], TAKER[one["side"]]) for one in trades]
            side = -1 if exchange == "coinbase" else 1  # Coinbase names the maker's
            true = [
                (told_id(t["id"]), float(t["price"]), float(t["qty"]), side * t["side"])
                for t in truth["trades"]
            ]
            assert len(told) > 50
            assert sorted(told) == sorted(true[-len(told) :])

    run(test)


@pytest.mark.parametrize(("exchange", "symbol"), [row for row in MARKETS if row[0] != "coinbase"])
def test_candles_are_made_of_the_trades(exchange: str, symbol: str) -> None:
    async def test() -> None:
        async with opened(exchange, (symbol,)) as (server, client):
            assert abs(await client.fetch_time() - client.milliseconds()) < 5_000
            server.advance(3_000)
            rows = await client.fetch_ohlcv(symbol, "1m", limit=100)
            assert {b[0] - a[0] for a, b in pairwise(rows)} == {60_000}
            begun = server.truth(exchange, symbol)["trades"]
            assert rows[-1][4] == float(begun[-1]["price"])
            hours = await client.fetch_ohlcv(symbol, "1h", limit=5)
            assert all(row[3] <= min(row[1], row[4]) <= max(row[1], row[4]) <= row[2] for row in rows + hours)
            latest = await client.fetch_trades(symbol, limit=20)
            true = [float(one["price"]) for one in begun[-20:]]
            assert sorted(one["price"] for one in latest) == sorted(true)
            if exchange == "binance":
                seconds = await client.fetch_ohlcv(symbol, "1s", limit=1_000)
                start = begun[0]["ts"] // 1_000_000_000 * 1_000
                volume = sum(row[5] for row in seconds if row[0] >= start)
                assert volume == pytest.approx(sum(float(one["qty"]) for one in begun))

    run(test)


def test_trades_are_paged_by_id_and_by_time_without_loss() -> None:
    async def test() -> None:
        async with Sandbox(["binance", "kraken", "okx"], [SPOT], paused=True) as server:
            server.advance(40_000)
            clients = {name: new_exchange(name, server.endpoint) for name in server.venues}
            clients["binance"].apiKey = "any"
            true = {name: [one["id"] for one in server.truth(name, SPOT)["trades"]] for name in clients}
            assert min(map(len, true.values())) > 1_500
            try:
                for client in clients.values():
                    await client.load_markets()
                found: list[int] = []
                while True:
                    request = {
                        "symbol": "BTCUSDT",
                        "fromId": found[-1] + 1 if found else true["binance"][0],
                        "limit": 500,
                    }
                    rows = await clients["binance"].public_get_historicaltrades(request)
                    if not rows:
                        break
                    found += [int(row["id"]) for row in rows]
                assert found == true["binance"]
                recent = await clients["binance"].public_get_trades({"symbol": "BTCUSDT", "limit": 5})
                assert [int(row["id"]) for row in recent] == found[-5:]
                aggregates = await clients["binance"].public_get_aggtrades(
                    {"symbol": "BTCUSDT", "fromId": 1, "limit": 1_000}
                )
                assert [int(row["f"]) for row in aggregates] == true["binance"][:1_000]
                assert all(int(row["a"]) < int(row["f"]) for row in aggregates)
                found, last = [], "1"
                while True:
                    answer = (await clients["kraken"].public_get_trades({"pair": "XBTUSDT", "since": last}))[
                        "result"
                    ]
                    if not answer["XBTUSDT"]:
                        break
                    found += [int(row[6]) for row in answer["XBTUSDT"]]
                    last = answer["last"]
                assert found == true["kraken"]
                found, after = [], ""
                while True:
                    request = {"instId": "BTC-USDT", "limit": "100", **({"after": after} if after else {})}
                    rows = (await clients["okx"].public_get_market_history_trades(request))["data"]
                    if not rows:
                        break
                    found += [int(row["tradeId"]) for row in rows]
                    after = rows[-1]["tradeId"]
                assert found[::-1] == true["okx"]
            finally:
                for client in clients.values():
                    await client.close()

    run(test)


def test_binance_tells_quotes_candles_marks_and_funding() -> None:
    async def test() -> None:
        async with opened("binance", (SPOT, PERPETUAL)) as (server, client):
            quote = (await while_advancing(server, client.watch_bids_asks([SPOT])))[SPOT]
            truth = server.truth("binance", SPOT)
            assert quote["bid"] < quote["ask"]
            server.resume()
            candles = await client.watch_ohlcv(SPOT, "1m")
            assert candles[-1][0] % 60_000 == 0
            mark = await client.watch_mark_price(PERPETUAL)
            assert mark["markPrice"] == pytest.approx(float(truth["bids"][0][0]), rel=0.05)
            rates = await client.fetch_funding_rate_history(PERPETUAL, limit=10)
            assert len(rates) == 10
            assert {b["timestamp"] - a["timestamp"] for a, b in pairwise(rates)} == {28_800_000}
            later = await client.fetch_funding_rate_history(PERPETUAL, since=rates[3]["timestamp"])
            assert [one["fundingRate"] for one in later] == [one["fundingRate"] for one in rates[3:]]

    run(test)


def applied(book: dict[str, dict[Decimal, tuple[str, str]]], side: str, price: str, qty: str) -> None:
    if Decimal(qty) == 0:
        book[side].pop(Decimal(price), None)
    else:
        book[side][Decimal(price)] = (price, qty)


def best(book: dict[str, dict[Decimal, tuple[str, str]]], count: int) -> list[list[tuple[str, str]]]:
    bids = [book["bids"][price] for price in sorted(book["bids"], reverse=True)]
    return [bids[:count], [book["asks"][price] for price in sorted(book["asks"])][:count]]


@pytest.mark.parametrize("depth", [10, 25, 100])
def test_krakens_checksums_hold_for_a_book_cut_to_its_depth(depth: int) -> None:
    async def test() -> None:
        wanted = {"method": "subscribe", "params": {"channel": "book", "symbol": ["BTC/USD"], "depth": depth}}
        async with (
            Sandbox(["kraken"], ["BTC/USD"], paused=True) as server,
            listening(server, "kraken", wanted) as socket,
        ):
            server.advance(1_500)
            book: dict[str, dict[Decimal, tuple[str, str]]] = {"bids": {}, "asks": {}}
            checked = 0
            for text in await texts(socket):
                message = json.loads(text, parse_float=str, parse_int=str)
                if message.get("channel") != "book":
                    continue
                for side in book:
                    for level in message["data"][0][side]:
                        applied(book, side, level["price"], level["qty"])
                bids, asks = best(book, depth)
                book = {
                    "bids": {Decimal(p): (p, q) for p, q in bids},
                    "asks": {Decimal(p): (p, q) for p, q in asks},
                }
                assert kraken_checksum(bids, asks) == int(message["data"][0]["checksum"])
                checked += 1
            assert checked > 300

    run(test)


def test_okx_names_the_message_before_and_its_checksums_hold() -> None:
    async def test() -> None:
        wanted = {"op": "subscribe", "args": [{"channel": "books", "instId": "BTC-USDT"}]}
        async with (
            Sandbox(["okx"], [SPOT], paused=True) as server,
            listening(server, "okx", wanted) as socket,
        ):
            server.advance(1_000)
            book: dict[str, dict[Decimal, tuple[str, str]]] = {"bids": {}, "asks": {}}
            last = -1
            rows = [json.loads(text)["data"][0] for text in await texts(socket) if '"data"' in text]
            for row in rows:
                assert row["prevSeqId"] == last
                last = row["seqId"]
                for side in book:
                    for price, qty, *_ in row[side]:
                        applied(book, side, price, qty)
                assert okx_checksum(*best(book, 25)) == row["checksum"]
            assert len(rows) > 500

    run(test)


def test_what_cannot_be_is_refused() -> None:
    async def test() -> None:
        async with Sandbox(["binance"]) as server:
            with pytest.raises(FeedError, match="is in use"):
                async with Sandbox(["binance"], port=server.port):
                    pass
            with pytest.raises(FeedError, match="has no XRP/USDT"):
                server.truth("binance", "XRP/USDT")
            async with aiohttp.ClientSession(server.endpoint) as session:
                assert (await session.get("/api.bybit.com/v5/market/time")).status == 404
                assert (await session.post("/sandbox/fault", data="nonsense")).status == 400
                assert (await session.get("/sandbox/truth/binance/BTC-USDT?since=x")).status == 404
                truth = await (await session.get("/sandbox/truth/binance/BTC-USDT")).json()
                assert truth["symbol"] == SPOT
                state = await (await session.get("/sandbox/state")).json()
                assert state["synthetic"] is True

    run(test)
    for wrong in (
        {"exchanges": ["binanse"]},
        {"exchanges": ["kraken"], "source": [PERPETUAL]},
        {"source": ["BTC"]},
    ):
        with pytest.raises(ConfigError):
            Sandbox(**wrong)  # type: ignore[arg-type]


def test_a_seed_gives_the_same_market_and_another_another() -> None:
    def made(seed: str) -> list[Any]:
        changes: Iterator[Any] = flow(listing_of(SPOT), 100.0, seed)
        return list(islice(changes, 2_000))

    assert made("1") == made("1")
    assert made("1") != made("2")


def test_the_schedule_is_kept_and_a_pause_stops_it() -> None:
    async def test() -> None:
        async with Sandbox(["binance"], [SPOT], rate=2_000.0) as server:
            await asyncio.sleep(1.0)
            server.pause()
            done = server.state()["changes"]
            assert done == pytest.approx(1_800, rel=0.25)
            await asyncio.sleep(0.2)
            assert server.state()["changes"] == done
            assert server.advance(10) == 10
            server.resume()
            await asyncio.sleep(0.3)
            assert server.state()["changes"] == pytest.approx(done + 560, rel=0.3)

    run(test)
