from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import numpy as np
import polars as pl
import pytest

from tests.unit.metrics.made import made_fills
from tradectl.config.trading import Account
from tradectl.config.wire_data import Opened
from tradectl.core.codes import EventFlag, EventKind
from tradectl.core.event import EVENT
from tradectl.core.instrument import Instrument
from tradectl.metrics.load import buy_and_hold
from tradectl.metrics.streams import DAY_NS
from tradectl.metrics.trips import excursions, trips
from tradectl.report.prices import collect, rated

S = 1_000_000_000
MINUTE = 60 * S


def opened(rows: list[tuple[Any, ...]], frames: tuple[int, ...] = (MINUTE,)) -> Opened:
    """Return a source of (ts, kind, instrument, flags, words) in ticks of 0.5."""
    events = np.zeros(len(rows), EVENT)
    for event, (ts, kind, instrument, flags, words) in zip(events, rows, strict=True):
        event["ts_event"] = event["ts_recv"] = ts
        event["kind"], event["instrument"], event["flags"] = kind, instrument, flags
        for k, word in enumerate(words):
            event[f"w{k}"] = word
    instruments = [
        Instrument(
            venue="X", symbol=name, base=name, quote="USD", tick_size=Decimal("0.5"), lot_size=Decimal(1)
        )
        for name in "ABC"[: len(frames)]
    ]

    def chunks(_rows: int) -> Iterator[Any]:
        yield from np.array_split(events, 3)

    return Opened(instruments, sorted(set(frames)), frames, chunks, [])


def bar(minute: float, *words: int, flags: int = 0, instrument: int = 0) -> tuple[Any, ...]:
    return (round(minute * MINUTE), EventKind.BAR, instrument, flags, words)


def test_bars_are_as_they_came() -> None:
    found = collect(opened([bar(1, 10, 14, 8, 12), bar(2, 12, 20, 11, 18)]))
    assert found["ts"].cast(pl.Int64).to_list() == [MINUTE, 2 * MINUTE]
    assert found.select("open", "high", "low", "close").rows() == [
        (5.0, 7.0, 4.0, 6.0),
        (6.0, 10.0, 5.5, 9.0),
    ]
    assert found["symbol"].to_list() == ["X:A", "X:A"]


def test_bars_of_a_session_that_opens_between_two_keep_their_ends() -> None:
    found = collect(opened([bar(1.5, 10, 14, 8, 12), bar(2.5, 12, 20, 11, 18), bar(3, 18, 19, 17, 18)]))
    assert found["ts"].cast(pl.Int64).to_list() == [90 * S, 150 * S, 180 * S]
    assert found["close"].to_list() == [6.0, 9.0, 9.0]


@pytest.mark.parametrize("close_ns", [DAY_NS, 21 * 60 * MINUTE])
def test_what_is_measured_on_bars_of_a_day_hangs_on_no_calendar(close_ns: int) -> None:
    ends = np.arange(5) * DAY_NS + close_ns
    words = [
        (200, 220, 190, 210),
        (210, 250, 180, 240),
        (240, 300, 230, 250),
        (250, 260, 160, 200),
        (200, 999, 1, 300),
    ]
    rows = [(int(ts), EventKind.BAR, 0, 0, each) for ts, each in zip(ends, words, strict=True)]
    found = collect(opened(rows, (DAY_NS,)))
    closes = np.array([each[3] for each in words])
    assert buy_and_hold(found, ends, int(ends[0])) == pytest.approx([0.0, *(closes[1:] / closes[:-1] - 1.0)])
    opens = (ends - 6 * 60 * MINUTE) / (60 * MINUTE)
    trip = trips(made_fills((opens[1], "BUY", 105.0, 1.0, 0, 0), (opens[3], "SELL", 125.0, 1.0, 0, 0)))
    far = excursions(trip, found).select("mae", "mfe").row(0)
    assert far == (pytest.approx(15 / 105), pytest.approx(45 / 105))


def test_detail_warm_up_and_made_up_bars_are_left_out() -> None:
    flags = (EventFlag.DETAIL, EventFlag.SYNTHETIC, EventFlag.WARMUP)
    rows = [bar(k + 1, 10, 14, 8, 12, flags=int(flag)) for k, flag in enumerate(flags)]
    assert collect(opened([*rows, bar(9, 10, 14, 8, 12)])).height == 1


def test_prints_and_quotes_are_gathered_by_the_second() -> None:
    rows = [
        (S, EventKind.TRADE, 0, 0, (10, 1)),
        (S + 5, EventKind.TRADE, 0, 0, (16, 1)),
        (S + 9, EventKind.QUOTE, 0, 0, (12, 1, 15, 1)),
        (S + 9, EventKind.DEPTH, 0, 0, (99, 1)),
        (2 * S, EventKind.QUOTE, 0, 0, (0, 0, 15, 1)),  # one side is empty: no price
        (2 * S, EventKind.TRADE, 0, 0, (20, 1)),
    ]
    found = collect(opened(rows, (0,)))
    assert found["ts"].cast(pl.Int64).to_list() == [2 * S, 3 * S]
    assert found.select("open", "high", "low", "close").rows() == [(5.0, 8.0, 5.0, 6.75), (10.0,) * 4]


def test_many_rows_are_gathered_in_wider_bars() -> None:
    rows = [bar(k, k, k + 2, k - 1, k + 1) for k in range(1, 1_001)]
    found = collect(opened(rows), most=100)
    assert found.height <= 100
    assert found["open"][0] == 0.5
    assert found["close"][-1] == 500.5
    assert (found["high"].max(), found["low"].min()) == (501.0, 0.0)
    assert found["ts"].is_sorted()


@pytest.mark.parametrize("over_ns", [0, 40 * S])
def test_rows_of_two_sessions_are_gathered_apart(over_ns: int) -> None:
    lasts = np.arange(1, 21) * 100 * MINUTE + 30 * S
    minutes = [k * 100 + 0.5 - rest for k in range(1, 21) for rest in range(99, -1, -1)]
    found = collect(opened([bar(minute, 10, 14, 8, 12) for minute in minutes]), lasts - over_ns, most=400)
    ends = found["ts"].dt.epoch("ns").to_numpy()
    assert 200 <= found.height <= 400
    assert np.isin(ends, [round(minute * MINUTE) for minute in minutes]).all()
    assert np.isin(lasts, ends).all()


def test_sessions_are_gathered_where_each_has_one_row() -> None:
    rows = [(k * DAY_NS, EventKind.BAR, 0, 0, (k, k + 2, k - 1, k + 1)) for k in range(1, 201)]
    found = collect(opened(rows, (DAY_NS,)), np.arange(1, 300) * DAY_NS, most=60)
    assert 25 <= found.height <= 60
    assert (found["open"][0], found["close"][-1]) == (0.5, 100.5)
    assert found["ts"].cast(pl.Int64)[-1] == 200 * DAY_NS


def test_instruments_stand_one_after_the_other() -> None:
    rows = [bar(k // 2 + 1, 10, 14, 8, 12, instrument=k % 2) for k in range(8)]
    found = collect(opened(rows, (MINUTE, MINUTE)))
    assert found["symbol"].to_list() == ["X:A"] * 4 + ["X:B"] * 4
    assert collect(opened([(S, EventKind.TIMER, 0, 0, ())])).is_empty()


def test_what_converts_a_price_is_named() -> None:
    table = pl.DataFrame({"symbol": ["X:A/B", "X:B/USD"], "close": [1.0, 2.0]})
    pair = Instrument("X", "A/B", "A", "B", Decimal(1), Decimal(1))
    other = Instrument("X", "B/USD", "B", "USD", Decimal(1), Decimal(1))
    account = Account(currency="USD")
    assert rated(table, [pair, other], account)["rated_by"].to_list() == ["X:B/USD", None]
    given = account.model_copy(update={"rates": {"B": 3}})
    assert rated(table, [pair, other], given)["rated_by"].to_list() == [None, None]
    assert rated(table, [other], account).columns == table.columns
