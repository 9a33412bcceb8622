"""Exchanges without an own decoder, through ccxt's unified methods: Binance serves as one of them."""

from __future__ import annotations

import asyncio

import pytest

from tests.feeds.watched import PATIENT, Watched
from tradectl.core.codes import EventKind
from tradectl.exchanges import hub
from tradectl.exchanges.model import Channel
from tradectl.exchanges.sandbox import Sandbox

SYMBOLS = ("BTC/USDT", "ETH/USDT")
MARKET_DATA = frozenset({Channel.TRADES, Channel.DEPTH, Channel.QUOTES})


@pytest.fixture(autouse=True)
def _no_decoder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "decoder_of", lambda *_: None)


@pytest.mark.parametrize(
    ("exchange", "fault", "gaps"),
    [
        ("binance", "", set()),
        ("okx", "", set()),
        ("binance", "drop", {("book", "CONNECTION")}),
        ("okx", "drop", {("book", "CONNECTION")}),
        ("binance", "malformed:1:json:trades", set()),  # each channel has a connection of its own
        ("okx", "malformed:1:json:trades", {("book", "CONNECTION")}),
    ],
)
def test_books_and_trades_are_the_servers(exchange: str, fault: str, gaps: set[tuple[str, str]]) -> None:
    async def test() -> None:
        async with (
            Sandbox([exchange], SYMBOLS, rate=300.0) as server,
            Watched(server, exchange, SYMBOLS, MARKET_DATA, PATIENT) as feed,
        ):
            await feed.until(lambda: len(feed.trades) == len(feed.whole) == len(SYMBOLS), 10, "a start")
            await feed.listen(0.5)
            if fault:
                server.fault(fault)
                await feed.until(lambda: feed.hub.log.noted["lost"] > 0, 10, "the loss")
                await feed.listen(2.0)
            await feed.settled()
            assert feed.kinds[EventKind.QUOTE]
            assert set(feed.gaps) == gaps

    asyncio.run(asyncio.wait_for(test(), 60))
