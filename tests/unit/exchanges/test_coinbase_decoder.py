"""Coinbase, both APIs: makers' sides, one sequence for a connection."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.unit.exchanges.decoding import Driver, market, unified
from tests.unit.exchanges.venues import Coinbase, CoinbaseExchange, begun
from tradectl.core.codes import EventKind
from tradectl.exchanges.model import Channel, GapReason, Malformed


def coinbase_trade(trade_id: int, **changes: Any) -> dict:
    return {
        "trade_id": str(trade_id), "product_id": "BTC-USD", "price": "100.1", "size": "0.5", "side": "BUY",
        "time": "2023-11-14T22:13:20.5Z", **changes,
    }  # fmt: skip


def test_coinbase_trades_come_newest_first_with_the_maker_s_side() -> None:
    venue, driver = begun("coinbase")
    old = [coinbase_trade(k) for k in (6, 5, 4)]
    driver.say(venue.message("market_trades", {"type": "snapshot", "trades": old}), Channel.TRADES)
    assert not driver.trades
    news = [coinbase_trade(8, side="SELL"), coinbase_trade(7)]
    driver.say(venue.message("market_trades", {"type": "update", "trades": news}))
    assert driver.trades == [(7, -1, 1001, 500), (8, 1, 1001, 500)]
    driver.say(venue.message("market_trades", {"type": "update", "trades": [coinbase_trade(10)]}))
    (need,) = driver.needs
    driver.answer(need, [unified(9, side="buy")])
    assert driver.trades[2:] == [(9, -1, 1000, 1_000), (10, -1, 1001, 500)]
    assert not driver.gaps


def test_coinbase_numbers_that_went_to_ccxt_are_not_missing() -> None:
    venue, driver = begun("coinbase")
    for channel in ("subscriptions", "heartbeats"):
        assert driver.decoder.classify(json.dumps(venue.message(channel, {}), separators=(",", ":"))) is None
    driver.say(venue.update([("99.5", "1.000")], []))
    assert driver.book() == venue.levels()
    venue.sequence += 1
    driver.say(venue.message("market_trades", {"type": "update", "trades": [coinbase_trade(1)]}))
    assert driver.gaps == [(0, GapReason.SEQUENCE)]  # whatever was lost may have been of the book
    venue.sequence -= 2
    driver.say(venue.message("market_trades", {"type": "update", "trades": [coinbase_trade(2)]}))
    assert driver.ids() == [1, 2]  # a late message's trades are as good as any


def test_coinbase_counts_anew_on_each_connection() -> None:
    venue, driver = begun("coinbase")
    driver.lose()
    driver.connect()
    venue.sequence = -1
    driver.say(venue.snapshot())
    driver.say(venue.update([("99.5", "1.000")], []))
    assert driver.book() == venue.levels()
    assert driver.gaps == [(0, GapReason.CONNECTION)]


def test_coinbase_answers_in_dollars_for_usdc() -> None:
    driver = Driver(market("coinbase", "BTC-USDC"))
    one = {"product_id": "BTC-USD", "best_bid": "100.0", "best_bid_quantity": "1", "best_ask": "100.2",
           "best_ask_quantity": "2", "price": "100.1"}  # fmt: skip
    driver.say(Coinbase().message("ticker", {"type": "update", "tickers": [one]}), Channel.QUOTES)
    assert len(driver.of(EventKind.QUOTE)) == 1


def test_coinbase_exchange_matches_and_ticker() -> None:
    driver = CoinbaseExchange().driver()
    match = {"type": "last_match", "trade_id": 5, "side": "sell", "size": "0.5", "price": "100.1",
             "product_id": "BTC-USD", "sequence": 9, "time": "2023-11-14T22:13:20.158814Z"}  # fmt: skip
    driver.say(match, Channel.TRADES)
    driver.say({**match, "type": "match", "trade_id": 6})
    driver.lose()
    driver.connect()
    driver.say({**match, "trade_id": 8})
    (need,) = driver.needs
    driver.answer(need, [unified(7, side="sell")])
    assert driver.trades == [(6, 1, 1001, 500), (7, -1, 1000, 1_000), (8, 1, 1001, 500)]
    ticker = {"type": "ticker", "product_id": "BTC-USD", "best_bid": "100.0", "best_bid_size": "1",
              "best_ask": "100.2", "best_ask_size": "2", "time": "2023-11-14T22:13:20.2Z"}  # fmt: skip
    driver.say(ticker, Channel.QUOTES)
    assert len(driver.of(EventKind.QUOTE)) == 1


@pytest.mark.parametrize(
    "message",
    [
        {"channel": "market_trades", "timestamp": "2023-11-14T22:13:20Z", "events": []},
    ],
)  # fmt: skip
def test_coinbase_messages_that_cannot_be_read_are_malformed(message: Any) -> None:
    driver = Driver(market("coinbase", "BTC-USD"))
    with pytest.raises(Malformed):
        driver.say(message)
    assert not driver.events


@pytest.mark.parametrize(
    "message",
    [
        {"type": "match", "product_id": "BTC-USD"},
    ],
)  # fmt: skip
def test_coinbaseexchange_messages_that_cannot_be_read_are_malformed(message: Any) -> None:
    driver = Driver(market("coinbaseexchange", "BTC-USD"))
    with pytest.raises(Malformed):
        driver.say(message)
    assert not driver.events
