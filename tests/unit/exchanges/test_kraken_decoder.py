"""Kraken v2: depth and decimals of its checksum, trades, quotes, candles that the next one closes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.unit.exchanges.decoding import MINUTE, SECOND, Driver, market
from tests.unit.exchanges.venues import MS, T0, Kraken
from tradectl.core.codes import EventKind
from tradectl.exchanges.model import Channel, GapReason, Malformed


def test_kraken_drops_levels_beyond_the_depth_that_was_subscribed_to() -> None:
    venue = Kraken()
    driver = venue.driver()
    answer = {
        "method": "subscribe",
        "success": True,
        "result": {"channel": "book", "depth": 10, "symbol": "BTC/USD"},
    }
    assert driver.decoder.classify(json.dumps(answer, separators=(",", ":"))) is None
    venue.change([(f"{90 + k}.0", "1.000") for k in range(10)], [("101.0", "1.000")])
    driver.say(venue.snapshot())
    message = venue.update([("99.5", "1.000")], [])
    venue.shown.cut(1, 10)
    driver.say(message)
    assert driver.book() == venue.levels()
    assert 900 not in driver.book()["bids"]
    driver.say(venue.update([("99.5", "0"), ("90.0", "2.000")], []))  # it comes into sight again
    assert driver.book() == venue.levels()
    assert not driver.gaps


@pytest.mark.parametrize(("shown", "depth"), [(1, 10), (10, 10), (11, 25), (400, 500), (1001, 1001)])
def test_kraken_without_an_answer_takes_the_depth_from_the_snapshot(shown: int, depth: int) -> None:
    venue = Kraken()
    driver = venue.driver()
    venue.change([(f"{1000 + k}.0", "1.000") for k in range(shown)], [])
    driver.say(venue.book(True, venue.shown.top(1, 2000), []))
    assert driver.decoder.books[0].depth == depth  # type: ignore[attr-defined]


def test_kraken_s_checksum_is_of_the_digits_as_they_came() -> None:
    """Whole numbers, trailing zeros, and more digits than a float holds."""
    venue = Kraken()
    driver = Driver(market("kraken", "BTC/USD", step="0.00000001"))
    driver.write = venue.driver().write
    venue.change([("100", "12345678901.12345678"), ("99.50", "0.10000000")], [("100.2", "7")])
    driver.say(venue.snapshot())
    assert driver.say(venue.update([("99.5", "0")], [("100.30", "0.00000001")]))
    assert not driver.needs
    assert driver.book()["asks"] == {1002: 700_000_000, 1003: 1}


def kraken_trade(trade_id: int, symbol: str = "BTC/USD", **changes: Any) -> dict:
    return {
        "symbol": symbol, "side": "sell", "price": 100.1, "qty": 0.5, "ord_type": "market", "trade_id": trade_id,
        "timestamp": "2023-11-14T22:13:20.000001Z", **changes,
    }  # fmt: skip


def test_kraken_trades_of_several_markets_in_one_message() -> None:
    driver = Driver(market("kraken", "BTC/USD"), market("kraken", "ETH/USD", "ETH/USD", 1))
    data = [
        kraken_trade(7),
        kraken_trade(3, "ETH/USD", side="buy"),
        kraken_trade(8),
        kraken_trade(1, "XRP/USD"),
    ]
    driver.say({"channel": "trade", "type": "update", "data": data}, Channel.TRADES)
    assert driver.trades == [(7, -1, 1001, 500), (8, -1, 1001, 500), (3, 1, 1001, 500)]
    assert [int(event["flags"]) for event in driver.events] == [0, 4, 4]
    assert driver.events[0]["ts_event"] == T0 * MS + 1_000
    data = [kraken_trade(9), kraken_trade(4, "ETH/USD", qty=-1)]
    with pytest.raises(Malformed):  # nothing of it is lost: neither of the two lines has moved
        driver.say({"channel": "trade", "type": "update", "data": data})
    driver.say({"channel": "trade", "type": "update", "data": [kraken_trade(9), kraken_trade(4, "ETH/USD")]})
    assert driver.ids() == [7, 8, 3, 9, 4]


@pytest.mark.parametrize("reconnected", [False, True])
def test_kraken_trades_of_a_snapshot_are_history_or_the_missing_ones(reconnected: bool) -> None:
    driver = Kraken().driver()
    if reconnected:
        driver.say({"channel": "trade", "type": "update", "data": [kraken_trade(4)]})
        driver.lose()
        driver.connect()
    data = [kraken_trade(k) for k in (4, 5, 6)]
    driver.say({"channel": "trade", "type": "snapshot", "data": data})
    driver.say({"channel": "trade", "type": "update", "data": [kraken_trade(7)]})
    assert driver.ids() == ([4, 5, 6, 7] if reconnected else [7])
    assert not driver.needs


def test_kraken_quotes() -> None:
    driver = Driver(market("kraken", "BTC/USD", channels=[Channel.QUOTES]))
    one = {"symbol": "BTC/USD", "bid": 100.0, "bid_qty": 1, "ask": 100.2, "ask_qty": 0.25, "last": 100.1}
    driver.say({"channel": "ticker", "type": "snapshot", "data": [one]}, Channel.QUOTES)
    stamped = {**one, "bid": 100.1, "timestamp": "2023-11-14T22:13:20.25Z"}
    driver.say({"channel": "ticker", "type": "update", "data": [stamped]})
    quotes = driver.of(EventKind.QUOTE)
    assert [[int(q[w]) for w in ("w0", "w1", "w2", "w3")] for q in quotes] == [
        [1000, 1_000, 1002, 250],
        [1001, 1_000, 1002, 250],
    ]
    assert quotes[1]["ts_event"] == T0 * MS + 250_000_000


def candle(minute: int, close: float = 100.1, **changes: Any) -> dict:
    return {
        "symbol": "BTC/USD", "open": 100.0, "high": 100.5, "low": 99.5, "close": close, "volume": 2.5, "interval": 1,
        "interval_begin": f"2023-11-14T22:{minute:02}:00.000000000Z", **changes,
    }  # fmt: skip


def ohlc(*candles: dict, kind: str = "update") -> dict:
    return {"channel": "ohlc", "type": kind, "timestamp": "2023-11-14T22:13:20Z", "data": list(candles)}


def test_kraken_candles_are_closed_by_the_next_one() -> None:
    driver = Driver(market("kraken", "BTC/USD", channels=[Channel.OHLCV]))
    assert driver.say(ohlc(candle(10), candle(11), candle(12, 100.2), kind="snapshot"), Channel.OHLCV) == []
    assert driver.say(ohlc(candle(12, 100.3))) == []
    assert driver.say(ohlc(candle(12, interval=5))) == []
    driver.say(ohlc(candle(13)))
    (bar,) = driver.of(EventKind.BAR)
    assert bar["w3"] == 1003
    assert bar["ts_event"] == (T0 - 20_000) * MS
    assert driver.say(ohlc(candle(12, 100.4))) == []  # late: it is closed
    driver.say(ohlc(candle(12), candle(13), candle(14), candle(15), kind="snapshot"))  # after a reconnection
    assert len(driver.of(EventKind.BAR)) == 3
    assert not driver.gaps


def test_a_candle_is_closed_by_time_where_no_next_one_comes() -> None:
    driver = Driver(market("kraken", "BTC/USD", channels=[Channel.OHLCV]))
    driver.say(ohlc(candle(12, 100.2), kind="snapshot"))
    driver.say(ohlc(candle(13)))
    driver.wait(41)
    assert len(driver.of(EventKind.BAR)) == 1
    driver.wait(2)
    assert [int(bar["ts_event"]) - T0 * MS for bar in driver.of(EventKind.BAR)] == [
        -20 * SECOND,
        MINUTE - 20 * SECOND,
    ]
    driver.say(ohlc(candle(16)))
    driver.say(ohlc(candle(17)))
    assert driver.gaps == [(1, GapReason.SEQUENCE)]
    assert len(driver.of(EventKind.BAR)) == 3


@pytest.mark.parametrize(
    "message",
    [
        {"channel": "trade", "type": "update", "data": [kraken_trade(1, price=0)]},
        {"channel": "trade", "type": "update", "data": [kraken_trade(1, side="up")]},
        {"channel": "trade", "type": "update", "data": [kraken_trade(1, timestamp="now")]},
        {"channel": "trade", "type": "update"},
        ohlc(candle(12, volume=-1)),
    ],
)  # fmt: skip
def test_kraken_messages_that_cannot_be_read_are_malformed(message: Any) -> None:
    driver = Driver(market("kraken", "BTC/USD"))
    with pytest.raises(Malformed):
        driver.say(message)
    assert not driver.events
