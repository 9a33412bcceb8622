"""OKX v5: trades that may stand for several, sequences, quotes, candles, funding."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.exchanges.decoding import MINUTE, Driver, market, unified
from tests.unit.exchanges.venues import MS, T0, Okx, begun
from tradectl.core.codes import EventKind
from tradectl.exchanges.model import Channel, Malformed


def okx(channel: str, *data: Any, inst: str = "BTC-USDT", **more: Any) -> dict:
    return {"arg": {"channel": channel, "instId": inst}, **more, "data": list(data)}


def okx_trade(trade_id: int, **changes: Any) -> dict:
    return {
        "instId": "BTC-USDT",
        "tradeId": str(trade_id),
        "px": "100.1",
        "sz": "0.5",
        "side": "buy",
        "ts": str(T0),
        **changes,
    }


def test_okx_trades_and_their_backfill() -> None:
    driver = Okx().driver()
    driver.say(okx("trades", okx_trade(10), okx_trade(14, side="sell", count="4")), Channel.TRADES)
    driver.say(okx("trades", okx_trade(14, count="4")))
    driver.say(okx("trades"))
    driver.say(okx("trades", okx_trade(19, count="2")))  # in the same connection one is missing
    (need,) = driver.needs
    assert (need.after, need.before) == (14, 18)
    driver.answer(need, [unified(k) for k in range(12, 20)])
    assert driver.ids() == [10, 14, 15, 16, 17, 19]
    driver.lose()
    driver.connect()
    driver.say(okx("trades", okx_trade(30)))
    (need,) = driver.needs
    assert need.after == 19
    driver.answer(need, [unified(k) for k in (18, 19, 20, 30)])  # it has no others
    assert driver.ids() == [10, 14, 15, 16, 17, 19, 20, 30]
    assert not driver.gaps


def test_okx_empty_updates_keep_the_sequence() -> None:
    venue, driver = begun("okx without checksum")
    venue.number -= 1  # the sequence stays where it is
    assert driver.say(venue.update([], [])) == []
    driver.say(venue.update([("99.5", "1.000")], []))
    assert driver.book() == venue.levels()
    venue.number = 3  # counted anew: the id before is the last one all the same
    driver.say(venue.update([("99.6", "1.000")], []))
    driver.say(venue.update([("99.7", "1.000")], []))
    assert driver.book() == venue.levels()
    assert not driver.gaps


def test_okx_books5_are_whole_each_time() -> None:
    driver = Okx().driver()
    one = {"asks": [["100.2", "2", "0", "1"]], "bids": [["100.0", "1", "0", "1"]], "ts": str(T0), "seqId": 5}
    driver.say(okx("books5", one), Channel.DEPTH)
    driver.say(okx("books5", {**one, "bids": [["100.1", "1", "0", "1"]]}))
    assert driver.book() == {"bids": {1001: 1_000}, "asks": {1002: 2_000}}


def test_okx_quotes_of_both_channels() -> None:
    driver = Driver(market("okx", "BTC-USDT", channels=[Channel.QUOTES]))
    driver.say(
        okx("bbo-tbt", {"asks": [["100.2", "2", "0", "1"]], "bids": [], "ts": str(T0)}), Channel.QUOTES
    )
    ticker = {
        "instId": "BTC-USDT",
        "askPx": "100.3",
        "askSz": "1",
        "bidPx": "100.1",
        "bidSz": "4",
        "ts": str(T0),
    }
    driver.say(okx("tickers", ticker))
    driver.say(okx("tickers", {**ticker, "askPx": "", "askSz": ""}))
    assert [[int(q[w]) for w in ("w0", "w1", "w2", "w3")] for q in driver.of(EventKind.QUOTE)] == [
        [0, 0, 1002, 2_000], [1001, 4_000, 1003, 1_000], [1001, 4_000, 0, 0],
    ]  # fmt: skip


def test_okx_candles_and_funding() -> None:
    driver = Okx().driver()
    start = T0 - T0 % 60_000
    forming = [str(start), "100.0", "100.2", "99.9", "100.1", "1.5", "150", "150", "0"]
    driver.say(okx("candle1m", forming), Channel.OHLCV)
    driver.say(okx("candle1m", [*forming[:-1], "1"]))
    (bar,) = driver.of(EventKind.BAR)
    assert bar["ts_event"] == start * MS + MINUTE
    rate = {
        "fundingRate": "0.0001",
        "fundingTime": str(T0),
        "instId": "BTC-USDT",
        "ts": str(T0),
        "settState": "processing",
    }
    driver.say(okx("funding-rate", rate), Channel.FUNDING)
    later = {**rate, "fundingTime": str(T0 + 100), "fundingRate": "0.0005"}
    driver.say(okx("funding-rate", {**later, "settState": "settled", "settFundingRate": "0.00011"}))
    driver.say(okx("mark-price", {"instId": "BTC-USDT", "markPx": "100.07", "ts": str(T0)}))
    assert [(int(f["ts_event"]), int(f["w0"])) for f in driver.of(EventKind.FUNDING)] == [
        (T0 * MS, 110_000_000)
    ]
    assert len(driver.of(EventKind.MARK)) == 1


@pytest.mark.parametrize(
    "message",
    [
        okx("trades", okx_trade(1, sz="-1")),
        okx("trades", okx_trade(1, tradeId="x")),
        okx("trades", okx_trade(1, count="-1")),
        okx("candle1m", ["x"] * 8 + ["1"]),
    ],
)  # fmt: skip
def test_okx_messages_that_cannot_be_read_are_malformed(message: Any) -> None:
    driver = Driver(market("okx", "BTC-USDT"))
    with pytest.raises(Malformed):
        driver.say(message)
    assert not driver.events
