"""Bars of one instrument beside tick data of another: one place in `bars:` is the same length of both."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest
import yaml

from tests.unit.engine.test_warmup import LAST, START, WARMUP
from tradectl.cli.paper_resume import warm_up
from tradectl.config.load import load_config
from tradectl.config.wire import Wired, wire
from tradectl.core.codes import Command, EventKind, FoldCode
from tradectl.core.event import empty_events
from tradectl.engine.host import command_event
from tradectl.engine.state import State
from tradectl.errors import ConfigError
from tradectl.exchanges.model import Channel

SECOND = 1_000_000_000
MINUTE = 60
TICKS, BARS = 0, 1  # instruments: LOCAL:AAA/USD has trades, LOCAL:BBB/USD bars of a minute
EACH = '''
"""Note every bar."""
from tradectl.strategy import Array, Int64, strategy


@strategy
class Each:
    """Note every bar: instrument, frame, end, now, close, length."""

    class State:
        n = Int64()
        rows = Array(Int64, 512)

    def on_bar(ctx, p, s):
        at = s.n * 6
        s.rows[at] = ctx.instrument
        s.rows[at + 1] = ctx.frame
        s.rows[at + 2] = ctx.ts_event
        s.rows[at + 3] = ctx.now
        s.rows[at + 4] = ctx.close_ticks
        s.rows[at + 5] = ctx.timeframe_ns
        s.n += 1
'''
BATCHES = '''
"""Note every batch."""
from tradectl.strategy import Array, Int64, strategy


@strategy(scope="portfolio")
class Batches:
    """Note every batch: frame, now, who has a bar in it (a bit each), and the last price of the second instrument."""

    class State:
        n = Int64()
        rows = Array(Int64, 512)

    def on_batch(ctx, p, s):
        at = s.n * 6
        s.rows[at] = ctx.frame
        s.rows[at + 1] = ctx.now
        for i in range(ctx.n_instruments):
            ctx.select(i)
            if ctx.has_bar:
                s.rows[at + 2] += 1 << i
        ctx.select(1)
        s.rows[at + 3] = ctx.last_ticks
        s.n += 1
'''


def wired(folder: Path, bars: list[str], code: str = EACH, **more: Any) -> Wired:
    """Open trades at 11, 12, … and bars at 21, 22, …; `seconds` and 60, 120, 180, 240 s after START."""
    (folder / "code.py").write_text(code)
    seconds = [10, 40, 60, 70, 200]
    trades = {"ts": [START + s * SECOND for s in seconds], "price": [11.0, 12, 13, 14, 15], "qty": 1.0, "side": "buy"}
    pl.DataFrame(trades).write_csv(folder / "AAAUSD.csv")
    prices = [21.0, 22, 23, 24]
    opens = {"ts": [(START // SECOND + k * MINUTE) * 1000 for k in range(4)]}
    pl.DataFrame(opens | dict.fromkeys(("open", "high", "low", "close"), prices)).write_csv(folder / "BBBUSD.csv")
    config = {
        "strategy": {"path": "code.py", "jit": False},
        "data": [
            {"source": "AAAUSD.csv", "kind": "trades", "symbols": ["AAA/USD"]},
            {"source": "BBBUSD.csv", "timeframe": "1m"},
        ],
        "bars": bars,
        "instruments": {name: {"tick_size": 1, "lot_size": 1} for name in ("AAA/USD", "BBB/USD")},
        "account": {"type": "margin"},
    }
    (folder / "run.yaml").write_text(yaml.safe_dump(config | more))
    return wire(load_config(folder / "run.yaml", env={}))


def noted(state: State) -> list[list[int]]:
    """Return the notes, one instrument's after the other's."""
    _, at, size = state.offsets[0]
    memory = np.frombuffer(state.blob.tobytes()[at:], np.int64)
    records = memory[: memory.size // (size // 8) * (size // 8)].reshape(-1, size // 8)
    return [row for one in records for row in one[1 : 1 + 6 * int(one[0])].reshape(-1, 6).tolist()]


def folded(run: Wired) -> list[list[int]]:
    state = State(run.spec)
    state.fold(command_event(Command.START, START))
    for chunk in run.chunks(64):
        assert state.fold(chunk) == (FoldCode.DONE, len(chunk))
        state.drain()
    return noted(state)


def after(rows: list[list[int]], *columns: int) -> list[list[int]]:
    """Return rows with these columns in seconds after START."""
    return [[(x - START) // SECOND if k in columns else x for k, x in enumerate(row)] for row in rows]


def test_bars_of_the_source_s_length_are_made_of_ticks_too(tmp_path: Path) -> None:
    made = after(folded(wired(tmp_path, ["1m"])), 2, 3)
    of_ticks, of_bars = ([row[1:5] for row in made if row[0] == one] for one in (TICKS, BARS))
    assert of_bars == [[0, end, end, price] for end, price in ((60, 21), (120, 22), (180, 23), (240, 24))]
    assert of_ticks == [[0, 60, 60, 12], [0, 120, 120, 14], [0, 240, 240, 15]]
    assert {row[5] for row in made} == {MINUTE * SECOND}


def test_bars_finer_than_the_source_are_made_of_ticks_alone(tmp_path: Path) -> None:
    run = wired(tmp_path, ["30s", "1m", "2m", "3tick"])
    made = after(folded(run), 2, 3)
    ends = {frame: [row[2:5] for row in made if row[:2] == [TICKS, frame]] for frame in range(4)}
    assert ends[0] == [[30, 30, 11], [60, 60, 12], [90, 90, 14], [210, 210, 15]]
    assert ends[1] == [[60, 60, 12], [120, 120, 14], [240, 240, 15]]
    assert ends[2] == [[120, 120, 14], [240, 240, 15]]
    assert ends[3] == [[60, 60, 13]]
    assert [row[1:5] for row in made if row[0] == BARS] == [
        [1, 60, 60, 21], [1, 120, 120, 22], [2, 120, 120, 22], [1, 180, 180, 23], [1, 240, 240, 24], [2, 240, 240, 24],
    ]  # fmt: skip
    assert run.data.report is not None
    said = "LOCAL:BBB/USD has bars of 1m, of which no bars of 30s and 3tick can be made"
    assert sum(one.startswith(said) for one in run.data.report.notes) == 1


def test_a_portfolio_gets_one_batch_for_each_end(tmp_path: Path) -> None:
    """A fine bar that ends with no tick after it is told before the source's next bar is known."""
    made = [row[:4] for row in after(folded(wired(tmp_path, ["30s", "1m"], BATCHES)), 1)]
    assert made == [
        [0, 30, 0b01, 0], [0, 60, 0b01, 21], [1, 60, 0b11, 21], [0, 90, 0b01, 21], [0, 120, 0b00, 22],
        [1, 120, 0b11, 22], [0, 180, 0b00, 23], [1, 180, 0b10, 23], [0, 210, 0b01, 23], [0, 240, 0b00, 24],
        [1, 240, 0b11, 24],
    ]  # fmt: skip


def test_days_of_a_session_s_close_stay_the_source_s_own(tmp_path: Path) -> None:
    """They end when the source says, not with the day of UTC."""
    run = wired(tmp_path, ["1d"])
    day, close = 86_400 * SECOND, 22 * 3_600 * SECOND
    limits = (run.spec.limits[TICKS], replace(run.spec.limits[BARS], timeframe_ns=day))
    state = State(replace(run.spec, limits=limits))
    events = empty_events(2)
    events["kind"], events["instrument"], events["w0"] = EventKind.BAR, BARS, 21
    events["flags"] = LAST
    for name in ("w1", "w2", "w3"):
        events[name] = events["w0"]
    events["ts_event"] = events["ts_recv"] = [100 * day + close, 101 * day + close]
    state.fold(events)
    assert [row[1:4] for row in noted(state)] == [[0, ts, ts] for ts in events["ts_event"].tolist()]


@pytest.mark.parametrize(("bars", "told"), [(["30s"], "finer than the data"), (["3tick"], "made of trades")])
def test_a_source_that_gives_none_of_the_bars_is_told(tmp_path: Path, bars: list[str], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        wired(tmp_path, bars)


def test_it_is_told_once_the_data_says_its_length_too(tmp_path: Path) -> None:
    data = [{"source": "AAAUSD.csv", "kind": "trades", "symbols": ["AAA/USD"]}, {"source": "BBBUSD.csv"}]
    with pytest.raises(ConfigError, match=r"LOCAL:BBB/USD has bars of 1m, of which no bars of 30s can be made") as told:
        wired(tmp_path, ["30s"], data=data)
    assert told.value.hint == "add 1m or a multiple of it"


def test_both_warm_up_in_one_batch(tmp_path: Path) -> None:
    state = State(wired(tmp_path, ["1m", "2m"], BATCHES).spec)
    rows = [(60, BARS, 0, 0), (60, TICKS, 0, LAST), (120, BARS, 0, 0), (120, TICKS, 0, 0), (120, TICKS, 1, LAST)]
    events = empty_events(len(rows))
    for event, (seconds, instrument, frame, last) in zip(events, rows, strict=True):
        event["kind"], event["flags"] = EventKind.BAR, WARMUP | last
        event["instrument"], event["aux"] = instrument, frame
        event["ts_event"] = event["ts_recv"] = START + seconds * SECOND
        event["w0"] = event["w1"] = event["w2"] = event["w3"] = 20 + seconds // MINUTE
    assert state.fold(events) == (FoldCode.DONE, len(events))
    made = [row[:4] for row in after(noted(state), 1)]
    assert made == [[0, 60, 0b11, 21], [0, 120, 0b11, 22], [1, 120, 0b11, 22]]


def test_bars_of_warm_up_come_before_those_of_ticks(tmp_path: Path) -> None:
    """What ends together is one batch: the source's bars open it, the last of the ticks' bars closes it."""
    spec = wired(tmp_path, ["30s", "1m"]).spec

    async def fetched(_bars: int, _frame_ns: int) -> list[list[tuple[int, ...]]]:
        return [[(START + MINUTE * SECOND, 1, 1, 1, 1, 1)]] * 2

    names: list[Any] = [SimpleNamespace(id=name) for name in ("X:A", "X:B")]
    markets = [
        SimpleNamespace(channels={Channel.TRADES}, index=TICKS, instrument=names[0], timeframe_ns=0),
        SimpleNamespace(channels={Channel.OHLCV}, index=BARS, instrument=names[1], timeframe_ns=MINUTE * SECOND),
    ]
    hub: Any = SimpleNamespace(markets=markets, warmup=fetched)
    data = SimpleNamespace(frame_of=[0, MINUTE * SECOND], timeframes_ns=[MINUTE * SECOND])
    run: Any = SimpleNamespace(config=SimpleNamespace(feed=SimpleNamespace(warmup=1)), spec=spec, data=data)
    made = asyncio.run(warm_up(hub, run, lambda *_: None))
    assert [(one["instrument"], one["aux"], one["flags"] & LAST) for one in made] == [
        (BARS, 0, 0), (TICKS, 0, 0), (TICKS, 1, LAST),
    ]  # fmt: skip
