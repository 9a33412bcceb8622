"""Binance: the chain of depth messages and its snapshot, trades, quotes, klines, funding; spot beside a swap."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.exchanges.decoding import MINUTE, Driver, market, unified
from tradectl.core.codes import EventFlag, EventKind
from tradectl.exchanges.model import Channel, GapReason, Malformed, NeedKind, Position

MS = 1_000_000
T0 = 1_700_000_000_000  # ms


def spot(**changes: Any) -> Driver:
    driver = Driver(market("binance", "BTCUSDT", **changes))
    driver.connect()
    return driver


def swap(**changes: Any) -> Driver:
    driver = Driver(market("binanceusdm", "BTCUSDT", "BTC/USDT:USDT", **changes))
    driver.connect()
    return driver


def depth(
    first: int, last: int, bids: Any = (), asks: Any = (), pu: int | None = None, s: str = "BTCUSDT"
) -> dict:
    message = {"e": "depthUpdate", "E": T0 + last, "s": s, "U": first, "u": last, "b": bids, "a": asks}
    return message if pu is None else {**message, "T": T0 + last, "pu": pu}


def book(last: int, bids: Any = (("100.0", "1"),), asks: Any = (("100.2", "2"),)) -> dict:
    return {"lastUpdateId": last, "bids": bids, "asks": asks}


def trade(trade_id: int, event: str = "trade", **changes: Any) -> dict:
    key = "t" if event == "trade" else "a"
    return {
        "e": event,
        "E": T0,
        "s": "BTCUSDT",
        key: trade_id,
        "p": "100.1",
        "q": "0.5",
        "T": T0,
        "m": True,
        **changes,
    }


# --- the book


def synced() -> Driver:
    driver = spot()
    driver.say(depth(5, 6, [("100.0", "9")]))
    assert [need.kind for need in driver.needs] == [NeedKind.SNAPSHOT]
    driver.snapshot(book(5))
    assert not driver.needs
    return driver


def test_the_snapshot_is_asked_for_once_and_joined_to_what_waited() -> None:
    driver = spot()
    assert driver.say(depth(5, 6, [("100.0", "9")]), Channel.DEPTH) == []
    assert len(driver.needs) == 1
    assert driver.say(depth(7, 9, [("99.9", "3")])) == []
    assert not driver.needs
    driver.snapshot(book(5))
    assert driver.book() == {"bids": {1000: 9_000, 999: 3_000}, "asks": {1002: 2_000}}
    rows = driver.of(EventKind.DEPTH)
    ends = EventFlag.SNAPSHOT_END | EventFlag.MESSAGE_END
    assert [int(row["flags"]) for row in rows] == [EventFlag.SNAPSHOT_BEGIN, ends, 4, 4]
    assert [int(row["w2"]) for row in rows] == [5, 5, 6, 9]
    assert {int(row["ts_recv"]) for row in rows} == {driver.now}  # received with the snapshot
    driver.say(depth(10, 10, [], [("100.2", "0"), ("100.3", "0.001")]))
    assert driver.book()["asks"] == {1003: 1}
    assert not driver.gaps


@pytest.mark.parametrize(("u", "applied"), [(4, [9]), (5, [9]), (6, [6, 9])])
def test_messages_older_than_the_snapshot_are_dropped(u: int, applied: list[int]) -> None:
    driver = spot()
    driver.say(depth(3, u, [("99.0", "1")]))
    driver.say(depth(u + 1, 9, [("98.0", "1")]))
    driver.snapshot(book(5))
    assert [int(row["w2"]) for row in driver.of(EventKind.DEPTH)][2:] == applied


def test_a_snapshot_that_is_too_old_is_asked_for_again() -> None:
    driver = spot()
    driver.say(depth(10, 12, [("99.0", "1")]))
    assert len(driver.needs) == 1
    driver.snapshot(book(8))
    assert [need.kind for need in driver.needs] == [NeedKind.SNAPSHOT]
    assert not driver.events
    driver.snapshot(book(9))
    assert driver.book()["bids"] == {1000: 1_000, 990: 1_000}
    assert not driver.gaps


def test_what_waits_before_a_hole_is_of_no_use() -> None:
    driver = spot()
    driver.say(depth(10, 12, [("99.0", "1")]))
    driver.say(depth(15, 16, [("98.0", "1")]))
    assert len(driver.needs) == 1
    driver.snapshot(book(11))
    assert len(driver.needs) == 1
    driver.snapshot(book(15))
    assert driver.book()["bids"] == {1000: 1_000, 980: 1_000}


def test_a_break_is_one_gap_and_then_silence_until_the_snapshot() -> None:
    driver = synced()
    driver.say(depth(9, 9, [("97.0", "1")]))
    assert driver.gaps == [(0, GapReason.SEQUENCE)]
    assert [need.kind for need in driver.needs] == [NeedKind.SNAPSHOT]
    assert driver.say(depth(10, 11, [("96.0", "1")])) == []
    driver.breaks(Channel.DEPTH, GapReason.MALFORMED)
    assert driver.gaps == [(0, GapReason.SEQUENCE)]
    driver.say(depth(12, 13, [("96.0", "1")]))
    assert len(driver.needs) == 1
    driver.snapshot(book(12))
    assert driver.book()["bids"] == {1000: 1_000, 960: 1_000}


@pytest.mark.parametrize("again", [(6, 6), (5, 6), (5, 5)])
def test_a_repetition_changes_nothing(again: tuple[int, int]) -> None:
    driver = synced()
    assert driver.say(depth(*again, [("90.0", "1")])) == []
    driver.say(depth(7, 7, [("91.0", "1")]))
    assert 910 in driver.book()["bids"]
    assert not driver.gaps


def test_two_messages_in_the_wrong_order_resync() -> None:
    driver = synced()
    driver.say(depth(8, 8, [("91.0", "1")]))
    driver.say(depth(7, 7, [("92.0", "1")]))
    assert driver.gaps == [(0, GapReason.SEQUENCE)]
    driver.say(depth(9, 9, [("93.0", "1")]))
    driver.snapshot(book(8))
    assert driver.book()["bids"] == {1000: 1_000, 930: 1_000}


def test_a_lost_connection_breaks_the_book_until_a_newer_snapshot() -> None:
    driver = synced()
    driver.lose()
    driver.connect()
    assert driver.gaps == [(0, GapReason.CONNECTION)]
    driver.snapshot(book(6))  # an answer that was asked for earlier joins nothing yet: nothing waits
    driver.say(depth(20, 21, [("92.0", "1")]))
    assert driver.gaps[-1] == (0, GapReason.SEQUENCE)
    driver.snapshot(book(20))
    assert driver.book()["bids"] == {1000: 1_000, 920: 1_000}


def test_a_silent_market_gets_its_book_too() -> None:
    driver = spot()
    driver.wait(2.5)
    assert not driver.needs
    driver.wait(1.0)
    assert [need.kind for need in driver.needs if need.kind == NeedKind.SNAPSHOT] == [NeedKind.SNAPSHOT]
    driver.snapshot(book(5))
    driver.say(depth(6, 6, [("92.0", "1")]))
    assert driver.book()["bids"] == {1000: 1_000, 920: 1_000}
    assert not driver.gaps


def test_futures_chain_by_the_id_before() -> None:
    driver = swap()
    driver.say(depth(3, 8, [("99.0", "1")], pu=2))
    driver.snapshot({**book(5), "E": T0, "T": T0})
    driver.say(depth(12, 14, [("98.0", "1")], pu=8))
    assert driver.book()["bids"] == {1000: 1_000, 990: 1_000, 980: 1_000}
    driver.say(depth(20, 21, [("97.0", "1")], pu=19))
    assert driver.gaps == [(0, GapReason.SEQUENCE)]
    assert driver.of(EventKind.DEPTH)[-1]["ts_event"] == (T0 + 14) * MS


BAD_DEPTH = [
    depth(7, 8, [("NaN", "1")]),
    depth(7, 8, [("100.0", "-1")]),
    depth(7, 8, [("-1", "1")]),
    depth(7, 8, [("0", "1")]),
    depth(7, 8, [("100.0", "Infinity")]),
    depth(7, 8, [("99.0", "1"), ("100.0",)]),
    depth(7, 8, [("99.0", "1"), None]),
    {key: value for key, value in depth(7, 8).items() if key != "b"},
    {key: value for key, value in depth(7, 8).items() if key != "u"},
    {**depth(7, 8), "u": "much"},
]


@pytest.mark.parametrize("message", BAD_DEPTH)
def test_a_depth_message_that_cannot_be_read_leaves_nothing(message: dict) -> None:
    driver = synced()
    before = len(driver.events)
    with pytest.raises(Malformed):
        driver.say(message)
    assert len(driver.events) == before
    driver.breaks(Channel.DEPTH, GapReason.MALFORMED)
    assert driver.gaps == [(0, GapReason.MALFORMED)]
    driver.say(depth(9, 9, [("92.0", "1")]))
    driver.snapshot(book(9))
    assert driver.book()["bids"] == {1000: 1_000}


def test_json_that_is_none_is_malformed() -> None:
    driver = synced()
    for text in (
        '{"e":"depthUpdate","E":1,',
        '{"e":"trade","p":NaN,"s":"BTCUSDT"}',
        '{"e":"trade","data":[]}',
    ):
        with pytest.raises(Malformed):
            driver.say(text)


@pytest.mark.parametrize(
    "payload",
    [
        None, [], {}, "<html></html>", {"lastUpdateId": 6}, book(6, (), ()), book(6, [("NaN", "1")]),
        book(6, [("100.2", "1")], [("100.2", "1")]), book(6, [("100.3", "1")], [("100.2", "1")]), {"code": -1003},
    ],
)  # fmt: skip
def test_a_snapshot_that_cannot_be_read_or_is_crossed_is_refused(payload: Any) -> None:
    driver = spot()
    driver.say(depth(5, 7, [("99.0", "1")]))
    with pytest.raises(Malformed):
        driver.snapshot(payload)
    assert not driver.events
    driver.snapshot('{"lastUpdateId":6,"bids":[["100.0","1"]],"asks":[]}')  # its text will do as well
    assert driver.book()["bids"] == {1000: 1_000, 990: 1_000}


# --- trades


def test_trades_become_events() -> None:
    driver = spot()
    driver.say(trade(7, T=T0 + 5), Channel.TRADES)
    driver.say({"stream": "btcusdt@trade", "data": trade(8, m=False)}, Channel.TRADES)
    assert driver.trades == [(7, -1, 1001, 500), (8, 1, 1001, 500)]
    assert driver.events[0]["ts_event"] == (T0 + 5) * MS
    assert driver.events[0]["flags"] == EventFlag.MESSAGE_END


def test_the_first_kind_of_trades_is_read() -> None:
    driver = swap()
    driver.say(trade(7, "aggTrade"))
    driver.say(trade(900, "trade"))
    driver.say(trade(8, "aggTrade"))
    assert driver.ids() == [7, 8]


def test_trades_outside_the_book_count_alone() -> None:
    driver = swap()
    driver.say(trade(7, X="MARKET"))
    driver.say(trade(8, X="NA", p="0", q="0"))
    driver.say(trade(9, X="MARKET"))
    assert driver.ids() == [7, 9]
    assert not driver.needs


def test_missing_trades_come_back_from_ccxt_rows() -> None:
    driver = spot()
    driver.say(trade(7))
    driver.say(trade(10))
    (need,) = driver.needs
    assert (need.kind, need.after, need.before) == (NeedKind.TRADES, 7, 10)
    driver.answer(need, [unified(8), unified(9, side="sell")])
    assert driver.trades == [
        (7, -1, 1001, 500),
        (8, 1, 1000, 1_000),
        (9, -1, 1000, 1_000),
        (10, -1, 1001, 500),
    ]


def test_rows_that_cannot_be_read_are_as_good_as_none() -> None:
    driver = spot()
    driver.say(trade(7))
    driver.say(trade(9))
    (need,) = driver.needs
    driver.answer(need, [unified(8, price="NaN")])
    assert driver.gaps == [(1, GapReason.SEQUENCE)]
    assert driver.ids() == [7, 9]


@pytest.mark.parametrize(
    "changes", [{"p": "NaN"}, {"q": "0"}, {"q": "-1"}, {"p": None}, {"T": "x"}, {"t": "8"}]
)
def test_a_trade_that_cannot_be_read_is_asked_for_with_the_next(changes: dict) -> None:
    driver = spot()
    driver.say(trade(7))
    with pytest.raises(Malformed):
        driver.say({**trade(8), **changes})
    driver.breaks(Channel.TRADES, GapReason.MALFORMED)
    driver.say(trade(9))
    assert [(need.after, need.before) for need in driver.needs] == [(7, 9)]
    assert not driver.gaps


def test_a_reconnection_without_new_trades_asks_for_the_tail() -> None:
    driver = spot()
    driver.say(trade(7))
    driver.lose()
    driver.connect()
    driver.wait(5)
    (need,) = [need for need in driver.needs if need.kind == NeedKind.TRADES]
    assert (need.after, need.before) == (7, 0)
    driver.answer(need, [unified(8)])
    assert driver.ids() == [7, 8]


def test_a_resumed_session_goes_on_after_its_last_trade() -> None:
    driver = Driver(market("binance", "BTCUSDT"))
    driver.decoder.resume(driver.markets[0], Position(5, T0 * MS))
    driver.connect()
    driver.say(trade(7))
    assert [(need.after, need.before) for need in driver.needs] == [(5, 7)]


# --- the rest


def test_quotes_keep_their_order_and_take_the_newest_time_known() -> None:
    driver = spot(channels=[Channel.QUOTES, Channel.TRADES])
    driver.say(trade(1, T=T0 + 50))
    quote = {"u": 10, "s": "BTCUSDT", "b": "100.0", "B": "1", "a": "100.2", "A": "2"}
    driver.say(quote, Channel.QUOTES)
    driver.say({**quote, "u": 9, "b": "99.0"})
    driver.say({**quote, "u": 10})
    driver.say({**quote, "u": 12, "a": "0.0", "A": "0"})
    quotes = driver.of(EventKind.QUOTE)
    assert [[int(q[w]) for w in ("w0", "w1", "w2", "w3", "w4")] for q in quotes] == [
        [1000, 1_000, 1002, 2_000, 10],
        [1000, 1_000, 0, 0, 12],
    ]
    assert quotes[0]["ts_event"] == (T0 + 50) * MS
    driver.lose()
    assert driver.gaps == [(0, GapReason.CONNECTION)]
    driver.connect()
    driver.say({**quote, "u": 3})
    assert len(driver.of(EventKind.QUOTE)) == 3


def test_quotes_beside_depth_do_not_break_the_book() -> None:
    driver = spot(channels=[Channel.QUOTES, Channel.DEPTH])
    driver.say({"u": 10, "s": "BTCUSDT", "b": "100.0", "B": "1", "a": "100.2", "A": "2"})
    driver.breaks(Channel.QUOTES, GapReason.STALE)
    assert not driver.gaps


def kline(start: int, closed: bool = True, **changes: Any) -> dict:
    k = {"t": start, "T": start + 59_999, "s": "BTCUSDT", "i": "1m", "o": "100.0", "c": "100.1", "h": "100.2",
         "l": "99.9", "v": "1.5", "x": closed, **changes}  # fmt: skip
    return {"e": "kline", "E": start + 60_000, "s": "BTCUSDT", "k": k}


def test_closed_klines_are_bars_and_missing_ones_a_gap() -> None:
    driver = spot(channels=[Channel.OHLCV])
    start = T0 - T0 % 60_000
    driver.say(kline(start, closed=False), Channel.OHLCV)
    driver.say(kline(start))
    driver.say(kline(start))
    driver.say(kline(start + 60_000, T=start + 360_000))  # of another interval
    driver.lose()
    driver.connect()
    driver.say(kline(start + 120_000))
    kinds = [int(event["kind"]) for event in driver.events]
    assert kinds == [EventKind.BAR, EventKind.GAP, EventKind.BAR]
    bar = driver.events[0]
    assert bar["ts_event"] == start * MS + MINUTE
    assert bar["flags"] == EventFlag.LAST
    assert [int(bar[w]) for w in ("w0", "w1", "w2", "w3", "w4", "aux")] == [1000, 1002, 999, 1001, 1_500, 0]
    assert driver.gaps == [(1, GapReason.CONNECTION)]


@pytest.mark.parametrize("changes", [{"h": "100.0"}, {"l": "100.1"}, {"v": "-1"}, {"o": "NaN"}, {"l": "0"}])
def test_an_impossible_kline_is_malformed(changes: dict) -> None:
    driver = spot(channels=[Channel.OHLCV])
    with pytest.raises(Malformed):
        driver.say(kline(T0 - T0 % 60_000, **changes))


def test_funding_is_told_once_when_its_time_has_passed() -> None:
    driver = swap()
    due = T0 + 1_000

    def mark(at: int, rate: str, next_due: int, price: str = "100.123") -> None:
        message = {"e": "markPriceUpdate", "E": at, "s": "BTCUSDT", "p": price, "r": rate, "T": next_due}
        driver.say(message, Channel.FUNDING)

    mark(T0, "0.0001", due)
    mark(T0 + 500, "0.00012", due)
    assert not driver.of(EventKind.FUNDING)
    with pytest.raises(Malformed):  # the payment is told with the next message
        mark(T0 + 1_050, "0.0003", due + 28_800_000, "NaN")
    mark(T0 + 1_100, "0.0003", due + 28_800_000, "101.5")
    mark(T0 + 1_200, "0.0003", due + 28_800_000)
    (paid,) = driver.of(EventKind.FUNDING)
    assert (paid["ts_event"], paid["w0"], paid["w1"]) == (
        due * MS,
        120_000_000,
        1001,
    )  # at the mark before it
    marks = driver.of(EventKind.MARK)
    assert [int(mark["w0"]) for mark in marks] == [1001, 1001, 1015, 1001]
    driver.wait(1)
    assert driver.decoder.off_grid == 0  # mark prices are off it as a rule
    with pytest.raises(Malformed):
        mark(T0 + 1_300, "NaN", due)


def test_numbers_off_the_grid_are_counted_each_time() -> None:
    driver = spot()
    driver.say(trade(1, p="100.15"))
    driver.say(trade(2, p="100.15", q="0.0001"))
    driver.wait(1)
    assert driver.decoder.off_grid == 3
    assert driver.trades[1][3] == 1  # something is at least one lot


def test_a_spot_market_beside_its_swap_under_one_id() -> None:
    channels = frozenset(Channel) - {Channel.OHLCV}
    both = [
        market("binance", "BTCUSDT", "BTC/USDT:USDT", 0),
        market("binance", "BTCUSDT", "BTC/USDT", 1, channels),
    ]
    for markets in (both, both[::-1]):
        driver = Driver(*markets)
        driver.say(trade(7, M=True))
        driver.say(trade(900, "aggTrade"))
        quote = {"u": 10, "s": "BTCUSDT", "b": "100.0", "B": "1", "a": "100.2", "A": "2"}
        driver.say(quote)
        driver.say({"e": "bookTicker", **quote, "T": T0, "E": T0})
        driver.say(depth(5, 6, [("100.0", "9")]))
        driver.say(depth(5, 6, [("100.0", "9")], pu=4))
        driver.say(kline(T0 - T0 % 60_000))
        of = [(EventKind(int(e["kind"])).name, int(e["instrument"])) for e in driver.events]
        assert of == [("TRADE", 1), ("TRADE", 0), ("QUOTE", 1), ("QUOTE", 0), ("BAR", 0)]
        assert [need.market.index for need in driver.needs] == [1, 0]


def test_markets_that_nobody_asked_for_are_left_aside() -> None:
    driver = spot()
    for message in (trade(7, s="ETHUSDT"), depth(1, 2, s="ETHUSDT"), {**kline(0), "s": "ETHUSDT"}):
        assert driver.say(message) == []
    driver.say({"u": 10, "s": "ETHUSDT", "b": "100.0", "B": "1", "a": "100.2", "A": "2"})
    assert not driver.events
    assert not driver.needs


@pytest.mark.parametrize("number", ["1e30", "-1e30", "9223372036854775807"])
def test_numbers_that_an_event_cannot_hold_are_malformed(number: str) -> None:
    driver = spot()
    driver.say(trade(7))
    with pytest.raises(Malformed):
        driver.say(trade(8, p=number))
    driver.say(trade(8))
    assert driver.ids() == [7, 8]
