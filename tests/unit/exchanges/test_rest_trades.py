"""Trades over real ccxt, paged by the venues' ids: none lost where many share a stamp at a page's edge."""

from __future__ import annotations

from collections import deque
from itertools import pairwise
from typing import Any

import pytest

from tests.unit.exchanges.rest_fake import T0, Fake, made_trades
from tests.unit.exchanges.rest_venues import VENUES, Made
from tests.unit.exchanges.test_rest import NS, over, quick  # noqa: F401
from tradectl.errors import FeedError
from tradectl.exchanges.rest_trades import Trade, TradeBatch, fetch_trades

ALL = 1 << 61
NOW = T0 + 10**8
PAGED = [name for name in VENUES if name != "bybit"]


async def fetched(exchange: Any, since: int = 0, until: int = ALL, **more: Any) -> list[TradeBatch]:
    return [batch async for batch in fetch_trades(exchange, "BTC/USDT", since, until, **more)]


def got(
    venue: str, trades: list[Made], since: int = T0 * NS, until: int = ALL, **more: Any
) -> list[TradeBatch]:
    server = Fake(VENUES[venue](trades, NOW))
    return over(server, lambda exchange: fetched(exchange, since, until, **more), venue)


def rows(batches: list[TradeBatch]) -> list[Trade]:
    return [row for batch in batches for row in batch.rows]


def expected(trades: list[Made]) -> list[Trade]:
    return [Trade(at * NS, str(number), price, qty, side) for at, number, price, qty, side in trades]


@pytest.mark.parametrize("venue", PAGED)
@pytest.mark.parametrize("per_stamp", [1, 37, 450])
def test_every_trade_comes_once_and_in_order(venue: str, per_stamp: int) -> None:
    trades = made_trades(4_321, per_stamp, 700)  # Coinbase cannot be asked for parts of a second
    batches = got(venue, trades)
    assert rows(batches) == expected(trades)
    assert sum(batch.missing for batch in batches) == 0
    assert (batches[0].since_ns, batches[-1].until_ns) == (T0 * NS, (NOW - 60_000) * NS)
    assert all(a.until_ns == b.since_ns for a, b in pairwise(batches))


@pytest.mark.parametrize("venue", PAGED)
def test_a_window_cuts_at_its_stamps(venue: str) -> None:
    trades = made_trades(3_000)
    start, end = trades[500][0], trades[2_500][0]
    batches = got(venue, trades, start * NS, end * NS)
    assert rows(batches) == expected([t for t in trades if start <= t[0] < end])
    assert batches[-1].until_ns == end * NS


@pytest.mark.parametrize("venue", ["binance", "kraken", "coinbase", "coinbaseexchange"])
def test_ids_that_the_venue_left_out_are_counted(venue: str) -> None:
    trades = [t for t in made_trades(2_500) if t[1] not in range(1_200, 1_207)]
    batches = got(venue, trades)
    assert rows(batches) == expected(trades)
    assert sum(batch.missing for batch in batches) == 7


@pytest.mark.parametrize("venue", ["kraken", "coinbaseexchange"])
def test_stamps_that_run_backwards_lose_nothing(venue: str) -> None:
    trades = made_trades(2_000, 1)
    trades[999], trades[1_000] = (trades[1_000][0], *trades[999][1:]), (trades[999][0], *trades[1_000][1:])
    if venue == "kraken":  # pages by time
        trades[999:1_001] = trades[1_000], trades[999]
    batches = got(venue, trades)
    assert sorted(rows(batches), key=lambda trade: int(trade.id)) == sorted(
        expected(trades), key=lambda t: int(t.id)
    )
    assert sum(batch.missing for batch in batches) == 0


def test_bybit_gives_the_newest_and_says_what_cannot_be_had() -> None:
    said: list[str] = []
    trades = made_trades(500, 7)
    batches = got("bybit", trades, told=said.append)
    kept = [t for t in trades[-60:] if t[0] > trades[-60][0]]  # some of the oldest stamp may be cut off
    assert rows(batches) == expected(kept)
    assert batches[0].since_ns == (trades[-60][0] + 1) * NS
    assert "gives no trades of BTC/USDT before 2024-03-31" in said[0]
    assert rows(got("bybit", trades[:20], told=said.append)) == expected(trades[:20])
    assert len(said) == 1


def test_lots_of_contracts_become_units_of_base() -> None:
    async def work(exchange: Any) -> Any:
        exchange.markets["BTC/USDT"] |= {"contract": True, "contractSize": "0.01"}
        return await fetched(exchange, T0 * NS)

    server = Fake(VENUES["okx"](made_trades(3), NOW))
    assert [row.qty for row in rows(over(server, work, "okx"))] == ["0.001", "0.002", "0.003"]


def test_an_error_on_the_way_is_waited_out() -> None:
    trades = made_trades(3_500)
    server = Fake(
        VENUES["binance"](trades, NOW), failures=deque([(502, "", {}), (429, "{}", {})]), only="agg", after=2
    )
    assert rows(over(server, lambda exchange: fetched(exchange, T0 * NS))) == expected(trades)


def test_a_venue_that_cannot_be_paged_is_refused() -> None:
    with pytest.raises(FeedError, match="gate: its trades of the past cannot be paged"):
        over(Fake({}), fetched, "gate")


@pytest.mark.parametrize("venue", PAGED)
def test_no_trades_are_no_error(venue: str) -> None:
    batches = got(venue, [])
    assert rows(batches) == []
    assert batches[-1].until_ns == (NOW - 60_000) * NS


@pytest.mark.parametrize(
    "answer",
    [
        '[{"a": 1, "p": "NaN", "q": "1", "T": 5, "m": true}]',
        '[{"a": 1, "p": "1.00", "q": "-1", "T": 5, "m": true}]',
        '[{"a": 1, "q": "1", "T": 5, "m": true}]',
        '[{"a": 1, "p": "1", "q": "1", "T": "soon", "m": true}]',
        '["a"]',
        '{"rows": []}',
    ],
)
def test_what_is_no_trade_is_an_error_that_names_the_host(answer: str) -> None:
    routes = VENUES["binance"]([], NOW)
    server = Fake(routes, failures=deque([(200, answer, {})]), only="aggTrades")
    with pytest.raises(FeedError, match=r"127\.0\.0\.1:\d+ sent what is no trade"):
        over(server, fetched)


def test_an_answer_that_is_cut_is_asked_for_again() -> None:
    trades = made_trades(20)
    server = Fake(
        VENUES["binance"](trades, NOW), failures=deque([(200, '[{"a": 1, "p', {})]), only="aggTrades"
    )
    assert rows(over(server, lambda exchange: fetched(exchange, T0 * NS))) == expected(trades)
