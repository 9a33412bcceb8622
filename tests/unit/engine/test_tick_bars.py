"""Bars made inside the fold from trades and from quotes equal bars made by hand."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from tradectl.config.load import load_config
from tradectl.config.wire import wire
from tradectl.core.codes import Command, FoldCode
from tradectl.engine.host import command_event
from tradectl.engine.state import State
from tradectl.errors import ConfigError

SECOND = 1_000_000_000
LOGGER = '''
"""Write down every bar."""
from tradectl.strategy import Array, Int64, strategy


@strategy
class Logger:
    """Write down every bar."""

    class State:
        n = Int64()
        rows = Array(Int64, 8192)

    def on_bar(ctx, p, s):
        at = s.n * 7
        s.rows[at] = ctx.frame
        s.rows[at + 1] = ctx.ts_event
        s.rows[at + 2] = ctx.open_ticks
        s.rows[at + 3] = ctx.high_ticks
        s.rows[at + 4] = ctx.low_ticks
        s.rows[at + 5] = ctx.close_ticks
        s.rows[at + 6] = ctx.volume_lots
        s.n += 1
'''
BARS = ["1m", "20s", "7tick", "30volume", "4000notional"]
Row = tuple[int, int, int]  # time, price in ticks, lots


def trades(seed: int, n: int = 300) -> list[Row]:
    rng = random.Random(seed)
    rows, at, price = [], 1_700_000_000 * SECOND + 1, 1000
    for _ in range(n):
        at += rng.randrange(1, 5 * SECOND)
        price += rng.randrange(-3, 4)
        rows.append((at, price, rng.randrange(1, 12)))
    return rows


def by_hand(rows: list[Row], length: int, measure: str) -> list[list[int]]:
    """Return [ts, open, high, low, close, volume] of the bars that have ended when the rows end."""
    made: list[list[int]] = []
    held: list[Row] = []
    for row in rows:
        if measure == "time" and held and row[0] // length != held[0][0] // length:
            made.append(bar(held, (held[0][0] // length + 1) * length))
            held = []
        held.append(row)
        full = {
            "tick": len(held),
            "volume": sum(lots for _, _, lots in held),
            "notional": sum(price * lots for _, price, lots in held),
        }
        if measure != "time" and full[measure] >= length:
            made.append(bar(held, row[0]))
            held = []
    return made


def bar(held: list[Row], end: int) -> list[int]:
    prices = [price for _, price, _ in held]
    return [end, prices[0], max(prices), min(prices), prices[-1], sum(lots for _, _, lots in held)]


def fold(folder: Path, kind: str, columns: dict[str, list[Any]], bars: list[str], *, jit: bool) -> dict[int, Any]:
    """Return the bars that the strategy saw, by their place in `bars` (times first, finest first)."""
    pl.DataFrame(columns).write_csv(folder / "rows.csv")
    (folder / "logger.py").write_text(LOGGER)
    (folder / "run.yaml").write_text(
        f"strategy: {{path: logger.py, jit: {str(jit).lower()}}}\n"
        f"data: {{source: rows.csv, kind: {kind}, symbols: [X/USD]}}\nbars: [{', '.join(bars)}]\n"
        "instruments: {X/USD: {tick_size: 0.5, lot_size: 0.1}}\n"
    )
    wired = wire(load_config(folder / "run.yaml", env={}))
    state = State(wired.spec)
    for chunk in wired.chunks(64):
        if not state.engine[0]["started"]:
            state.fold(command_event(Command.START, int(chunk["ts_recv"][0])))
        code, done = state.fold(chunk)
        assert (code, done) == (FoldCode.DONE, len(chunk))
        state.drain()
    record = np.frombuffer(state.blob.tobytes(), np.int64)[state.offsets[0][1] // 8 :]
    rows = record[1 : 1 + 7 * int(record[0])].reshape(-1, 7)
    return {int(k): rows[rows[:, 0] == k, 1:].tolist() for k in np.unique(rows[:, 0])}


@pytest.mark.parametrize("jit", [True, False])
def test_bars_from_trades(tmp_path: Path, jit: bool) -> None:
    rows = trades(3)
    columns = {
        "ts": [ts for ts, _, _ in rows],
        "price": [price * 0.5 for _, price, _ in rows],
        "qty": [lots / 10 for _, _, lots in rows],
        "side": ["buy"] * len(rows),
    }
    seen = fold(tmp_path, "trades", columns, BARS, jit=jit)
    # 30volume is 300 lots, 4000notional 80,000 tick-lots; times are sorted, the others follow as written
    wanted = [(20 * SECOND, "time"), (60 * SECOND, "time"), (7, "tick"), (300, "volume"), (80_000, "notional")]
    for k, (length, measure) in enumerate(wanted):
        assert seen[k] == by_hand(rows, length, measure), (length, measure)
        assert len(seen[k]) > 3


def test_bars_from_quotes_are_of_mids_without_volume(tmp_path: Path) -> None:
    rows = [(ts, 2 * (price // 2), 1) for ts, price, _ in trades(5, 120)]
    columns = {
        "ts": [ts for ts, _, _ in rows],
        "bid": [(price - 1) * 0.5 for _, price, _ in rows],
        "bid_qty": [1.0] * len(rows),
        "ask": [(price + 1) * 0.5 for _, price, _ in rows],
        "ask_qty": [1.0] * len(rows),
    }
    seen = fold(tmp_path, "quotes", columns, ["20s", "5tick"], jit=False)
    moved = [row for before, row in zip([(0, 0, 0), *rows], rows, strict=False) if row[1] != before[1]]
    for k, (length, measure) in enumerate([(20 * SECOND, "time"), (5, "tick")]):
        wanted = by_hand(moved, length, measure)
        assert [one[1:5] for one in seen[k]][: len(wanted)] == [one[1:5] for one in wanted]
        assert {one[5] for one in seen[k]} == {-1}
        assert len(wanted) > 3


def test_bars_of_volume_need_trades(tmp_path: Path) -> None:
    columns = {"ts": [1_700_000_000_000], "bid": [1.0], "bid_qty": [1.0], "ask": [1.5], "ask_qty": [1.0]}
    with pytest.raises(ConfigError, match=r"30volume needs trades, and .*X/USD has only quotes"):
        fold(tmp_path, "quotes", columns, ["30volume"], jit=False)


def test_bars_of_trades_need_trades(tmp_path: Path) -> None:
    columns = {"ts": [1_700_000_000_000], "open": [1.0], "high": [1.0], "low": [1.0], "close": [1.0]}
    with pytest.raises(ConfigError, match=r"7tick.*made of trades"):
        fold(tmp_path, "bars, timeframe: 1m", columns, ["7tick"], jit=False)
