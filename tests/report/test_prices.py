from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import numpy as np
import polars as pl

from tradectl.config.trading import Account
from tradectl.config.wire_data import Opened
from tradectl.core.codes import EventFlag, EventKind
from tradectl.core.event import EVENT
from tradectl.core.instrument import Instrument
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
        Instrument(venue="X", symbol=name, base=name, quote="USD", tick_size=Decimal("0.5"), lot_size=Decimal(1))
        for name in "ABC"[: len(frames)]
    ]

    def chunks(_rows: int) -> Iterator[Any]:
        yield from np.array_split(events, 3)

    return Opened(instruments, sorted(set(frames)), frames, chunks, [])


def bar(minute: int, *words: int, flags: int = 0, instrument: int = 0) -> tuple[Any, ...]:
    return (minute * MINUTE, EventKind.BAR, instrument, flags, words)


def test_bars_are_as_they_came() -> None:
    found = collect(opened([bar(1, 10, 14, 8, 12), bar(2, 12, 20, 11, 18)]))
    assert found["ts"].cast(pl.Int64).to_list() == [MINUTE, 2 * MINUTE]
    assert found.select("open", "high", "low", "close").rows() == [(5.0, 7.0, 4.0, 6.0), (6.0, 10.0, 5.5, 9.0)]
    assert found["symbol"].to_list() == ["X:A", "X:A"]


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
