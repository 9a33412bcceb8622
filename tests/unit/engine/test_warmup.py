"""Bars of warm-up: hooks see them, nothing is ordered, filled or sampled; on bars and on tick data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from tradectl.config.load import load_config
from tradectl.config.wire import wire
from tradectl.core.codes import Command, EventFlag, EventKind, FoldCode, OrderStatus, Reason
from tradectl.core.event import empty_events
from tradectl.engine.host import command_event
from tradectl.engine.state import State

SECOND = 1_000_000_000
START = 1_700_000_040 * SECOND  # a whole minute
WARMUP, LAST = int(EventFlag.WARMUP), int(EventFlag.LAST)
ONE = '''
"""Note every bar, and buy at each."""
from tradectl.strategy import Array, Int64, strategy


@strategy
class One:
    """Note every bar, and buy at each; ask again when refused."""

    class State:
        n = Int64()
        rows = Array(Int64, 512)
        again = Int64()

    def on_bar(ctx, p, s):
        s.rows[s.n * 4] = ctx.frame
        s.rows[s.n * 4 + 1] = ctx.ts_event
        s.rows[s.n * 4 + 2] = ctx.close_ticks
        s.rows[s.n * 4 + 3] = ctx.now
        s.n += 1
        ctx.buy(qty=1.0)

    def on_order(ctx, p, s, report):
        if s.again < 3:
            s.again += 1
            ctx.buy(qty=1.0)
'''
ALL = '''
"""Note every batch."""
from tradectl.strategy import Array, Int64, strategy


@strategy(scope="portfolio")
class All:
    """Note every batch: its timeframe, its time, and how many instruments have a bar."""

    class State:
        n = Int64()
        rows = Array(Int64, 512)

    def on_batch(ctx, p, s):
        s.rows[s.n * 4] = ctx.frame
        s.rows[s.n * 4 + 1] = ctx.now
        for i in range(ctx.n_instruments):
            ctx.select(i)
            if ctx.has_bar:
                s.rows[s.n * 4 + 2] += 1
        s.n += 1
'''
Row = tuple[int, int, int, int, int, int]  # seconds, instrument, frame, close, flags, kind


def world(folder: Path, data: str, bars: str, code: str = ONE) -> State:
    (folder / "code.py").write_text(code)
    rows: dict[str, list[Any]] = {"ts": [START // 10**9] * 2, "symbol": ["A/USD", "B/USD"]}
    rows |= {key: [10.0] * 2 for key in ("open", "high", "low", "close", "price", "qty")} | {"side": ["buy"] * 2}
    pl.DataFrame(rows).write_csv(folder / "rows.csv")
    (folder / "run.yaml").write_text(
        f"strategy: {{path: code.py, jit: false}}\nbars: [{bars}]\n"
        f"data: {{source: rows.csv, {data}}}\n"
        "instruments: {A/USD: {tick_size: 1, lot_size: 1}, B/USD: {tick_size: 1, lot_size: 1}}\n"
        "account: {type: margin}\n"
    )
    wired = wire(load_config(folder / "run.yaml", env={}))
    state = State(wired.spec)
    state.fold(command_event(Command.START, START))
    state.drain()
    return state


def fold(state: State, *rows: Row) -> dict[str, Any]:
    events = empty_events(len(rows))
    for event, (seconds, instrument, frame, close, flags, kind) in zip(events, rows, strict=True):
        event["kind"], event["instrument"], event["aux"], event["flags"] = kind, instrument, frame, flags
        event["ts_event"] = event["ts_recv"] = START + seconds * SECOND
        event["w0"] = event["w1"] = event["w2"] = event["w3"] = close
        event["w4"] = 5
    code, at = state.fold(events)
    assert (code, at) == (FoldCode.DONE, len(rows))
    return state.drain()


def noted(state: State) -> list[list[int]]:
    record = np.frombuffer(state.blob.tobytes(), np.int64)[state.offsets[0][1] // 8 :]
    return record[1 : 1 + 4 * int(record[0])].reshape(-1, 4).tolist()


def warm(seconds: int, instrument: int, frame: int, close: int, last: bool = False) -> Row:
    return seconds, instrument, frame, close, WARMUP | (LAST if last else 0), int(EventKind.BAR)


def refused(rows: Any) -> bool:
    return bool(len(rows)) and {(int(r["status"]), int(r["reason"])) for r in rows} == {
        (OrderStatus.DENIED, Reason.WARMING_UP)
    }


def test_bars_warm_up(tmp_path: Path) -> None:
    state = world(tmp_path, "kind: bars, timeframe: 1m", "1m, 2m")
    out = fold(state, warm(60, 0, 0, 11), warm(60, 1, 0, 21, True), warm(120, 0, 0, 12), warm(120, 1, 0, 22, True))
    assert refused(out["orders"])
    assert not len(out["equity"])
    assert not len(out["fills"])
    assert len(out["orders"]) == 6 + 6  # and three more of each instrument when it was told
    assert [row[:3] for row in noted(state)] == [
        [-1, START + 60 * SECOND, 11], [-1, START + 120 * SECOND, 12], [0, START + 120 * SECOND, 12],
    ]  # fmt: skip
    assert (state.engine[0]["n_bars"], state.engine[0]["n_warmup"]) == (4, 4)
    assert state.markets["last"].tolist() == [12, 22]
    out = fold(state, (180, 0, 0, 13, 0, EventKind.BAR), (180, 1, 0, 23, LAST, EventKind.BAR))
    assert not len(out["orders"])
    assert len(out["equity"]) == 1
    assert int(state.engine[0]["n_live"]) == 2


def test_tick_data_warm_up_on_derived_bars(tmp_path: Path) -> None:
    state = world(tmp_path, "kind: trades", "1m, 2m")
    out = fold(
        state, warm(60, 0, 0, 11), warm(60, 1, 0, 21, True), warm(120, 0, 0, 12), warm(120, 1, 0, 22),
        warm(120, 0, 1, 12, True),
    )  # fmt: skip
    assert refused(out["orders"])
    assert not len(out["equity"])
    assert not len(out["fills"])
    assert noted(state) == [
        [0, START + 60 * SECOND, 11, START + 60 * SECOND], [0, START + 120 * SECOND, 12, START + 120 * SECOND],
        [1, START + 120 * SECOND, 12, START + 120 * SECOND],
    ]  # fmt: skip
    assert state.markets["last"].tolist() == [12, 22]
    assert state.markets["twice_mark"].tolist() == [24, 44]
    out = fold(state, (130, 0, 0, 15, int(EventFlag.MESSAGE_END), EventKind.TRADE))
    assert state.markets["last"].tolist() == [15, 22]
    assert not len(out["orders"])
    fold(state, warm(140, 0, 0, 99, True))  # late history is no price any more
    assert state.markets["last"].tolist() == [15, 22]


@pytest.mark.parametrize("data", ["kind: bars, timeframe: 1m", "kind: trades"])
def test_a_portfolio_warms_up_batch_by_batch(tmp_path: Path, data: str) -> None:
    state = world(tmp_path, data, "1m", ALL)
    fold(state, warm(60, 0, 0, 11), warm(60, 1, 0, 21, True), warm(120, 1, 0, 22, True))
    frame = -1 if "bars" in data else 0  # the source's own bars, or derived ones
    assert noted(state) == [[frame, START + 60 * SECOND, 2, 0], [frame, START + 120 * SECOND, 1, 0]]


@pytest.mark.parametrize("row", [warm(60, 0, 1, 11), warm(-60, 0, 0, 11), warm(60, 2, 0, 11)])
def test_a_bar_of_warmup_that_fits_nowhere_is_refused(tmp_path: Path, row: Row) -> None:
    state = world(tmp_path, "kind: trades", "1m")
    events = empty_events(1)
    events["kind"], events["flags"], events["instrument"], events["aux"] = EventKind.BAR, row[4], row[1], row[2]
    events["ts_event"] = events["ts_recv"] = START + row[0] * SECOND
    assert state.fold(events)[0] == FoldCode.BAD_EVENT
