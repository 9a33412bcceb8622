"""History of all five venues of the sandbox over real ccxt: markets, candles, every trade, funding rates, faults."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

import pytest

from tradectl.exchanges.connect import new_exchange
from tradectl.exchanges.markets import instrument_of, load_markets
from tradectl.exchanges.rest import fetch_funding, fetch_ohlcv, last_bars, venue_now
from tradectl.exchanges.rest_trades import fetch_trades
from tradectl.exchanges.sandbox import Sandbox

VENUES = {
    "binance": "BTC/USDT",
    "kraken": "BTC/USD",
    "bybit": "BTC/USDT",
    "okx": "BTC/USDT",
    "coinbase": "BTC/USD",
}
MINUTE, HOUR = 60_000_000_000, 3_600_000_000_000


def over(venue: str, work: Callable[[Sandbox, Any], Awaitable[Any]], changes: int = 3_000) -> Any:
    """Return what `work(server, exchange)` gives, with so many changes of the markets in the past."""

    async def go() -> Any:
        async with Sandbox([venue], paused=True) as server:
            server.advance(changes)
            exchange = new_exchange(venue, server.endpoint)
            exchange.enableRateLimit = False
            try:
                await load_markets(exchange, None, [VENUES[venue]])
                await asyncio.sleep(1.1)  # two venues tell their time in whole seconds
                return await work(server, exchange)
            finally:
                await exchange.close()

    return asyncio.run(go())


@pytest.mark.parametrize("venue", VENUES)
def test_every_trade_of_the_venue_is_had(venue: str) -> None:
    async def work(server: Sandbox, exchange: Any) -> None:
        now = await venue_now(exchange)
        batches = [b async for b in fetch_trades(exchange, VENUES[venue], now - HOUR, now)]
        rows = [row for batch in batches for row in batch.rows]
        truth = server.truth(venue, VENUES[venue])["trades"]
        assert len(truth) > 100
        if venue == "bybit":  # gives the last 60, of which those of the oldest stamp may be cut off
            truth = truth[-len(rows) :]
            assert 40 < len(rows) <= 60
        assert [(Decimal(row.price), Decimal(row.qty), row.side) for row in rows] == [
            (Decimal(t["price"]), Decimal(t["qty"]), t["side"]) for t in truth
        ]
        assert sum(batch.missing for batch in batches) == 0

    over(venue, work)


@pytest.mark.parametrize("venue", VENUES)
def test_candles_are_finished_and_on_the_grid_of_the_market(venue: str) -> None:
    async def work(_server: Sandbox, exchange: Any) -> None:
        spec = instrument_of(venue, exchange.market(VENUES[venue]))
        now = await venue_now(exchange)
        batches = [b async for b in fetch_ohlcv(exchange, VENUES[venue], MINUTE, now - HOUR, now)]
        rows = [row for batch in batches for row in batch.rows]
        ends = [row[0] for row in rows]
        assert ends == list(range(ends[0], ends[-1] + 1, MINUTE))
        assert now - MINUTE < ends[-1] <= now
        assert all(Decimal(row[4]) % spec.instrument.tick_size == 0 for row in rows)
        assert [row[0] for row in await last_bars(exchange, VENUES[venue], MINUTE, 5, now)] == ends[-5:]

    over(venue, work, 100)


def test_funding_of_a_swap() -> None:
    async def work(_server: Sandbox, exchange: Any) -> None:
        exchange.markets = exchange.markets_loading = None
        await load_markets(exchange, None, ["BTC/USDT:USDT"])
        now = await venue_now(exchange)
        found = [
            row
            async for b in fetch_funding(exchange, "BTC/USDT:USDT", now - 240 * HOUR, now)
            for row in b.rows
        ]
        assert [stamp % (8 * HOUR) for stamp, _ in found] == [0] * 30

    over("binance", work, 100)


def test_a_limit_and_a_page_are_waited_out() -> None:
    async def work(server: Sandbox, exchange: Any) -> None:
        now, said = await venue_now(exchange), list[str]()
        server.fault("limit:1s")
        rows = [
            r
            async for b in fetch_trades(exchange, "BTC/USDT", now - HOUR, now, told=said.append)
            for r in b.rows
        ]
        assert len(rows) == len(server.truth("binance", "BTC/USDT")["trades"])
        assert "429" in said[0]
        server.fault("malformed:1:html")
        rows = [
            r
            async for b in fetch_trades(exchange, "BTC/USDT", now - HOUR, now, told=said.append)
            for r in b.rows
        ]
        assert len(rows) == len(server.truth("binance", "BTC/USDT")["trades"])
        assert "not JSON" in said[-1]

    over("binance", work)
