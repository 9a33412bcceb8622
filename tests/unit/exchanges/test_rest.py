"""Candles and funding rates over real ccxt: none lost at window edges, none that is not over, holes jumped."""

from __future__ import annotations

import asyncio
import json
import time
from collections import deque
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

from tests.unit.exchanges.rest_fake import MINUTE, PAGE, STEPS, T0, Fake, Klines, candle, spot_market
from tradectl.errors import FeedError
from tradectl.exchanges import rest, rest_call
from tradectl.exchanges.connect import new_exchange

NS = 1_000_000  # in one ms
STEP = MINUTE * NS
AT = T0 * NS


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for no more than some ms."""
    patient = rest_call.Patience(5, 0.01, 0.02, 2.0)
    monkeypatch.setattr(rest_call.call, "__defaults__", (patient, None))


def over(server: Fake, work: Callable[[Any], Any], venue: str = "binance") -> Any:
    """Return what `work(exchange)` gives against a server."""

    async def go() -> Any:
        async with server:
            exchange = new_exchange(venue, server.endpoint)
            exchange.enableRateLimit = False
            spot_market(exchange, "BTCUSDT")
            try:
                return await work(exchange)
            finally:
                await exchange.close()

    return asyncio.run(go())


def served(klines: Klines, **fake: Any) -> Fake:
    return Fake({"klines": klines, "api/v3/time": lambda _: {"serverTime": klines.now}}, **fake)


async def batches(exchange: Any, minutes: tuple[int, int], **more: Any) -> list[rest.CandleBatch]:
    span = AT + minutes[0] * STEP, AT + minutes[1] * STEP
    return [one async for one in rest.fetch_ohlcv(exchange, "BTC/USDT", STEP, *span, **more)]


def expected(minutes: Any) -> list[rest.Candle]:
    return [((T0 + (n + 1) * MINUTE) * NS, *candle(T0 + n * MINUTE)) for n in minutes]


def test_windows_lose_and_double_nothing_and_cover_the_whole_span() -> None:
    present = [n for n in range(2_600) if n not in range(990, 1_010)]
    server = served(Klines(present))
    found = over(server, lambda exchange: batches(exchange, (5, 2_500)))
    assert [row for batch in found for row in batch.rows] == expected(n for n in present if 5 <= n < 2_500)
    assert found[0].since_ns == AT + 5 * STEP
    assert all(a.until_ns == b.since_ns for a, b in pairwise(found))
    assert found[-1].until_ns == AT + 2_500 * STEP
    assert server.count("klines") == 3


@pytest.mark.parametrize("newest_first", [False, True])
def test_pages_that_are_cut_are_asked_for_again(newest_first: bool) -> None:
    server = served(Klines(list(range(1_500)), most=200, newest_first=newest_first))
    found = over(server, lambda exchange: batches(exchange, (0, 1_500)))
    assert [row for batch in found for row in batch.rows] == expected(range(1_500))


def test_the_candle_that_is_not_over_is_left_out() -> None:
    now = T0 + 10 * MINUTE + 30_000
    found = over(served(Klines(list(range(20)), now=now)), lambda exchange: batches(exchange, (0, 20)))
    assert [row for batch in found for row in batch.rows] == expected(range(10))
    assert (found[-1].until_ns, sum(b.unfinished for b in found)) == (AT + 10 * STEP, 1)
    found = over(served(Klines(list(range(20)), now=now)), lambda exchange: batches(exchange, (0, 5)))
    assert (len(found[-1].rows), found[-1].unfinished) == (5, 0)


def test_years_without_candles_take_few_requests() -> None:
    server = served(Klines(list(range(100)), now=T0 + 100 * MINUTE))
    found = over(server, lambda exchange: batches(exchange, (-2 * 365 * 1440, 100)))
    assert [row for batch in found for row in batch.rows] == expected(range(100))
    assert server.count("klines") < 12


def test_stamps_know_no_daylight_saving(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    try:
        found = over(served(Klines(list(range(180)))), lambda exchange: batches(exchange, (0, 180)))
    finally:
        monkeypatch.undo()
        time.tzset()
    ends = [row[0] for batch in found for row in batch.rows]
    assert ends == [AT + n * STEP for n in range(1, 181)]


def test_a_limit_and_an_outage_are_waited_out_and_told() -> None:
    failures = deque([(429, "{}", {"Retry-After": "0.03"}), (503, PAGE, {}), (200, PAGE, {})])
    server = served(Klines(list(range(1_200))), failures=failures, only="klines", after=1)
    said: list[str] = []
    found = over(server, lambda exchange: batches(exchange, (0, 1_200), told=said.append))
    assert [row for batch in found for row in batch.rows] == expected(range(1_200))
    assert len(said) == 3
    assert "again in 0.03 s" in said[0]
    assert [text.count("binance ") for text in said] == [0, 0, 0]  # ccxt's text names it, and so do we


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        ((500, PAGE, {}), "tried 5 times"),
        ((429, "{}", {"Retry-After": "3600"}), "wait 3,600 s"),
        ((400, '{"code": -1100, "msg": "Illegal characters"}', {}), "refused.*Illegal"),
    ],
)
def test_what_does_not_end_is_an_error_that_names_the_host(answer: Any, text: str) -> None:
    server = served(Klines([]), failures=deque([answer] * 9), only="klines")
    with pytest.raises(FeedError, match=f"(?s)127.0.0.1.*{text}"):
        over(server, lambda exchange: batches(exchange, (0, 10)))


def test_rows_that_are_no_candles_are_left_out_and_counted() -> None:
    bad = [
        ["0", "1", "1", "1", "1"],
        ["5", "4", "3", "5", "1"],
        ["5", "6", "4", "5", None],
        ["5", "6", "4", "5", "1"],
    ]
    rows = [[T0 + n * MINUTE, *row] for n, row in enumerate(bad)]
    server = Fake({"klines": lambda _: rows, "time": lambda _: {"serverTime": T0 + MINUTE * 99}})
    (found,) = over(server, lambda exchange: batches(exchange, (0, 4)))
    assert ([row[1:] for row in found.rows], found.faulty) == ([("5", "6", "4", "5", "1")], 3)


def test_an_unknown_timeframe_lists_those_there_are() -> None:
    async def work(exchange: Any) -> None:
        rest.timeframe_name(exchange, 7 * STEP)

    with pytest.raises(FeedError, match=r"no candles of 7m\n.*valid: 1s, 1m, 3m"):
        over(Fake({}), work)


def test_last_bars_are_finished_and_reach_back_over_quiet_times() -> None:
    now = T0 + 500 * MINUTE + 10_000
    klines = Klines([*range(100), *range(490, 501)], now=now)

    async def work(exchange: Any) -> Any:
        return [
            await rest.last_bars(exchange, "BTC/USDT", STEP, n, now * NS + 5 * STEP) for n in (5, 10, 100)
        ]

    five, ten, hundred = over(served(klines), work)
    assert five == expected(range(495, 500))
    assert ten == expected(range(490, 500))
    assert hundred == expected([*range(10, 100), *range(490, 500)])


def test_kraken_gives_its_last_candles_and_says_so() -> None:
    def ohlc(query: Any) -> Any:
        rows = [n for n in range(1_000) if T0 + n * MINUTE > int(query["since"]) * 1000][-720:]
        made = [[(T0 + n * MINUTE) // 1000, *candle(T0 + n * MINUTE)[:4], "0", "1.50000", 3] for n in rows]
        return {"error": [], "result": {"BTCUSDT": made, "last": 0}}

    def now(_: Any) -> Any:
        return {"error": [], "result": {"unixtime": (T0 + 1_000 * MINUTE) // 1000}}

    said: list[str] = []
    server = Fake({"OHLC": ohlc, "public/Time": now})
    found = over(server, lambda exchange: batches(exchange, (0, 1_000), told=said.append), "kraken")
    assert [row for batch in found for row in batch.rows] == expected(range(280, 1_000))
    assert (found[0].since_ns, found[-1].until_ns) == (AT + 280 * STEP, AT + 1_000 * STEP)
    assert "last 720 candles" in said[0]


@pytest.mark.parametrize("hours", [8, 1])
def test_funding_rates_of_any_interval(hours: int) -> None:
    step = STEPS["1h"] * hours
    stamps = [T0 + n * step for n in range(900 // hours)]

    def rates(query: Any) -> Any:
        found = [at for at in stamps if int(query["startTime"]) <= at <= int(query["endTime"])]
        return [{"symbol": "BTCUSDT", "fundingTime": at, "fundingRate": "-0.00012345"} for at in found[-100:]]

    async def work(exchange: Any) -> Any:
        exchange.markets["BTC/USDT"] |= {
            "swap": True,
            "spot": False,
            "type": "swap",
            "linear": True,
            "contract": True,
        }
        span = AT, AT + 900 * 60 * STEP
        rest.check_funding(exchange, "BTC/USDT")
        return [row async for one in rest.fetch_funding(exchange, "BTC/USDT", *span) for row in one.rows]

    async def refused(exchange: Any) -> None:
        rest.check_funding(exchange, "BTC/USDT")

    server = Fake({"fundingRate": rates, "time": lambda _: {"serverTime": T0 + 10**10}})
    assert over(server, work) == [(at * NS, "-0.00012345") for at in stamps]
    with pytest.raises(FeedError, match="no perpetual swap"):
        over(server, refused)


def test_too_many_requests_are_waited_for_whatever_the_venue_says_and_does_not_say(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from ccxt.base.errors import NetworkError, RateLimitExceeded

    answers = deque([(429, '{"code":"-1003","msg":"?"}'), (429, '{"code":"50011","msg":"Too Many Requests"}')])
    told: list[str] = []
    monkeypatch.setattr(rest_call, "LIMITED_S", 0.05)

    async def go() -> str:
        exchange = new_exchange("okx")

        async def work() -> str:
            if not answers:
                return "here"
            code, body = answers.popleft()
            exchange.handle_errors(code, "Too Many Requests", "", "GET", {}, body, json.loads(body), {}, None)
            raise AssertionError("an error is none")

        try:
            return await rest_call.call(exchange, work, rest_call.Patience(5, 0.001), told.append)
        finally:
            await exchange.close()

    assert asyncio.run(go()) == "here"
    assert [text.endswith("again in 0.05 s") for text in told] == [True, True]
    handshake = type("Refused", (Exception,), {"status": 429})()
    assert rest_call.is_limit(NetworkError(handshake))
    assert rest_call.is_limit(RateLimitExceeded('okx {"event":"error","msg":"Requests too frequent","code":"60014"}'))
    assert not rest_call.is_limit(NetworkError("closed"))
