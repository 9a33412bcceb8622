"""Bybit v5: trades without counting ids, best levels, klines, tickers."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.exchanges.decoding import MINUTE, Driver, market, unified
from tests.unit.exchanges.venues import MS, T0, Bybit, begun
from tradectl.core.codes import EventKind
from tradectl.exchanges.model import Channel, GapReason, Malformed, NeedKind


def bybit(topic: str, data: Any, kind: str = "snapshot", ts: int = T0) -> dict:
    return {"topic": f"{topic}.BTCUSDT", "type": kind, "ts": ts, "data": data}


def bybit_trade(trade_id: str, **changes: Any) -> dict:
    return {
        "T": T0,
        "s": "BTCUSDT",
        "S": "Buy",
        "v": "0.5",
        "p": "100.1",
        "i": trade_id,
        "BT": False,
        **changes,
    }


def test_bybit_trades_have_hashes_of_their_ids_and_are_backfilled() -> None:
    driver = Bybit().driver()
    ids = [f"20f43950-d8dd-5b31-9112-a178eb6023a{k}" for k in "0123456"]
    driver.say(bybit("publicTrade", [bybit_trade(ids[0]), bybit_trade(ids[1], S="Sell")]), Channel.TRADES)
    driver.say(bybit("publicTrade", [bybit_trade(ids[1]), bybit_trade(ids[2])]))
    driver.say(bybit("publicTrade", []))
    assert [trade[1] for trade in driver.trades] == [1, -1, 1]
    assert all(0 < trade[0] < 2**63 for trade in driver.trades)
    driver.lose()
    driver.connect()
    driver.say(bybit("publicTrade", [bybit_trade(ids[5])]))
    (need,) = driver.needs
    assert (need.kind, need.since_ns) == (NeedKind.TRADES, T0 * MS)
    driver.answer(need, [unified(i) for i in ids[1:6]])
    driver.say(bybit("publicTrade", [bybit_trade(ids[6])]))
    assert len(set(driver.ids())) == len(driver.ids()) == 7
    assert not driver.gaps


def test_bybit_ids_that_are_numbers_stay_so() -> None:
    driver = Bybit().driver()
    driver.say(bybit("publicTrade", [bybit_trade("229000000006166632")]))
    assert driver.ids() == [229000000006166632]


def test_bybit_counts_anew_with_a_snapshot_of_one_and_a_lost_one_shows() -> None:
    venue, driver = begun("bybit")
    venue.number = 1
    driver.say(venue.snapshot())
    driver.say(venue.update([("99.5", "1.000")], []))
    assert driver.book() == venue.levels()
    venue, driver = begun("bybit")
    venue.number = 1
    driver.say(venue.update([("99.5", "1.000")], []))
    assert driver.gaps == [(0, GapReason.SEQUENCE)]


def test_bybit_best_levels_are_quotes() -> None:
    driver = Driver(market("bybit", "BTCUSDT", channels=[Channel.QUOTES]))
    first = {"s": "BTCUSDT", "b": [["100.0", "1"]], "a": [["100.2", "2"]], "u": 5, "seq": 1}
    driver.say(bybit("orderbook.1", first), Channel.QUOTES)
    change = {**first, "b": [["100.0", "0"], ["100.1", "3"]], "a": [], "u": 6}
    driver.say(bybit("orderbook.1", change, "delta"))
    driver.say(bybit("orderbook.1", {**change, "a": [["100.2", "0"]], "b": [], "u": 7}, "delta"))
    assert [[int(q[w]) for w in ("w0", "w1", "w2", "w3")] for q in driver.of(EventKind.QUOTE)] == [
        [1000, 1_000, 1002, 2_000], [1001, 3_000, 1002, 2_000], [1001, 3_000, 0, 0],
    ]  # fmt: skip
    driver.say(bybit("orderbook.1", {**change, "u": 9}, "delta"))
    assert driver.gaps == [(0, GapReason.SEQUENCE)]
    assert [(need.kind, need.channel) for need in driver.needs] == [(NeedKind.RESUBSCRIBE, Channel.QUOTES)]
    assert driver.say(bybit("orderbook.1", {**change, "u": 10}, "delta")) == []
    driver.say(bybit("orderbook.1", {**first, "u": 10}))
    assert len(driver.of(EventKind.QUOTE)) == 4


def test_bybit_confirmed_klines_are_bars() -> None:
    driver = Driver(market("bybit", "BTCUSDT", channels=[Channel.OHLCV]))
    start = T0 - T0 % 60_000
    one = {"start": start, "end": start + 59_999, "interval": "1", "open": "100.0", "close": "100.1",
           "high": "100.2", "low": "99.9", "volume": "1.5", "turnover": "150", "confirm": False}  # fmt: skip
    driver.say(bybit("kline.1", [one]), Channel.OHLCV)
    driver.say(bybit("kline.1", [{**one, "confirm": True}, {**one, "start": start + 60_000}]))
    (bar,) = driver.of(EventKind.BAR)
    assert bar["ts_event"] == start * MS + MINUTE


def test_bybit_tickers_tell_mark_price_and_funding() -> None:
    driver = Bybit().driver()
    due = T0 + 1_000
    whole = {"symbol": "BTCUSDT", "markPrice": "100.15", "fundingRate": "0.0001", "nextFundingTime": str(due)}
    driver.say(bybit("tickers", whole), Channel.FUNDING)
    driver.say(bybit("tickers", {"symbol": "BTCUSDT", "fundingRate": "0.0002"}, "delta"))
    driver.say(bybit("tickers", {"symbol": "BTCUSDT", "bid1Price": "100.0"}, "delta"))
    driver.say(bybit("tickers", {"symbol": "BTCUSDT", "nextFundingTime": str(due + 28_800_000)}, "delta"))
    assert len(driver.of(EventKind.MARK)) == 1
    assert [(int(f["ts_event"]), int(f["w0"])) for f in driver.of(EventKind.FUNDING)] == [
        (due * MS, 200_000_000)
    ]


@pytest.mark.parametrize(
    "message",
    [
        bybit("publicTrade", [bybit_trade("1", p="NaN")]),
        bybit("publicTrade", [bybit_trade("1", S=None)]),
        bybit("tickers", {"markPrice": "0"}),
    ],
)  # fmt: skip
def test_bybit_messages_that_cannot_be_read_are_malformed(message: Any) -> None:
    driver = Driver(market("bybit", "BTCUSDT"))
    with pytest.raises(Malformed):
        driver.say(message)
    assert not driver.events
