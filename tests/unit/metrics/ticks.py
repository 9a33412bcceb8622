"""Small runs on a made-up book: events, a strategy that takes, quotes, cancels and modifies, and the run's tables."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from tradectl.core.codes import AccountType, BookLevel, Command, EventFlag, EventKind, FoldCode, SizingMethod
from tradectl.core.event import empty_events
from tradectl.core.instrument import Instrument
from tradectl.core.ladder_layout import MIN_WINDOW
from tradectl.core.layout import MARKOUT
from tradectl.db.audit import Market
from tradectl.db.tables import TABLES, Names
from tradectl.engine.host import command_event
from tradectl.engine.host_audit import ledgers, live_orders
from tradectl.engine.spec import (
    AccountSpec,
    ExecutionSpec,
    InstrumentLimits,
    RunSpec,
    StrategySpec,
)
from tradectl.engine.state import State
from tradectl.strategy.compile import compile_hooks
from tradectl.strategy.loader import load_strategy

START = 1_700_000_000_000_000_000  # ns
END = int(EventFlag.MESSAGE_END)
ENTRY_NS, RESPONSE_NS = 100_000_007, 50_000_003  # so that nothing arrives at the time of an event
STRATEGY = '''
"""Trades now and then."""
from tradectl.strategy import Int64, strategy


@strategy
class Busy:
    """It takes, rests, cancels and modifies by the number of the message."""

    class State:
        n = Int64()
        bid = Int64()
        ask = Int64()

    def on_depth(ctx, p, s):
        s.n += 1
        k = s.n % 11
        if k == 3:
            s.bid = ctx.submit(1, 2, 4 + s.n % 5, ctx.bid_ticks)
        elif k == 5:
            ctx.submit(-1, 1, 3, 0)
        elif k == 6:
            s.ask = ctx.submit(-1, 2, 5, ctx.ask_ticks)
        elif k == 8 and s.bid != 0:
            ctx.cancel(s.bid)
        elif k == 9:
            ctx.submit(1, 1, 2, 0)
        elif k == 10 and s.ask != 0:
            ctx.modify(s.ask, qty=7 * ctx.lot_size)
'''


@dataclass
class Ran:
    """A run: its events, its state, its tables, its instruments as the audit knows them."""

    events: Any
    state: State
    tables: dict[str, pl.DataFrame]
    markets: list[Market]

    @property
    def ledgers(self) -> list[dict[str, Any]]:
        return [vars(one) for one in ledgers(self.state)]

    @property
    def span(self) -> tuple[int, int]:
        ts = self.tables["equity"]["ts"].cast(pl.Int64)
        return int(ts[0]), int(ts[-1])

    @property
    def gained(self) -> float:
        engine = self.state.engine[0]
        return float(int(engine["equity_atoms"]) - int(self.state.currencies[0]["initial_atoms"])) / 1e8


def market_events(n: int, seed: int, instrument: int = 0, price: int = 1_000) -> list[tuple[Any, ...]]:
    """Return (ts, kind, side, flags, instrument, price, lots) of a book that is never crossed or empty."""
    rng = np.random.default_rng(seed)
    book: dict[int, dict[int, int]] = {1: {}, -1: {}}
    rows: list[tuple[Any, ...]] = []
    ts = START + instrument * 17
    for away in range(1, 6):
        for side in (1, -1):
            book[side][price - side * away] = 5 + away
            last = away == 5 and side == -1
            rows.append((ts, EventKind.DEPTH, side, END if last else 0, instrument, price - side * away, 5 + away))
    while len(rows) < n:
        ts += int(rng.integers(5_000_000, 1_900_000_000)) * 2
        side = 1 if rng.random() < 0.5 else -1
        best, other = (max if s > 0 else min for s in (side, -side))
        touch, opposite = best(book[side]), other(book[-side])
        if rng.random() < 0.4:
            lots = int(rng.integers(1, book[side][touch] + 3))
            rows.append((ts, EventKind.TRADE, -side, END, instrument, touch, lots))
            ts += 2_000_000
            at, left = touch, max(book[side][touch] - lots, 0)
        else:
            at = touch + side * int(rng.integers(-4, 2))
            at = opposite - side if (opposite - at) * side <= 0 else at
            left = int(rng.integers(0, 12))
        if left == 0 and (at not in book[side] or len(book[side]) < 3):
            left = 4
        book[side][at] = left
        if left == 0:
            del book[side][at]
        rows.append((ts, EventKind.DEPTH, side, END, instrument, at, left))
    return rows


def broken(rows: list[tuple[Any, ...]], spans: list[tuple[int, int | None]]) -> list[tuple[Any, ...]]:
    """Return rows with gaps: one after each first row, and the whole book told after the second (None: not again)."""
    made, book = list(rows), dict[tuple[int, int], int]()
    opening, closing = dict(spans), {last for _, last in spans}
    for k, (ts, kind, side, _, instrument, price, lots) in enumerate(rows):
        if kind == EventKind.DEPTH:
            book[side, price] = lots
        if k in opening:
            made.append((ts + 1, EventKind.GAP, 0, END, instrument, 0, 0))
        if k in closing:
            levels = [(at, shown) for at, shown in book.items() if shown]
            for n, ((of, at), shown) in enumerate(levels):
                flags = int(EventFlag.SNAPSHOT_BEGIN) if n == 0 else 0
                flags |= END | int(EventFlag.SNAPSHOT_END) if n == len(levels) - 1 else 0
                made.append((ts + 1, EventKind.DEPTH, of, flags, instrument, at, shown))
    return made


def records(rows: list[tuple[Any, ...]]) -> Any:
    """Write rows as events in order of time."""
    made = empty_events(len(rows))
    names = ("ts_event", "kind", "side", "flags", "instrument", "w0", "w1")
    for event, row in zip(made, sorted(rows, key=lambda one: one[0]), strict=True):
        for name, value in zip(names, row, strict=True):
            event[name] = value
        event["ts_recv"] = event["ts_event"]
    return made


def run(
    folder: Path, rows: list[tuple[Any, ...]], grids: list[tuple[str, str]], maker: int = 200_000, places: int = 256
) -> Ran:
    """Fold events with the strategy above; `grids` are tick and lot sizes, `places` those for orders."""
    source = folder / "busy.py"
    source.write_text(STRATEGY)
    loaded = load_strategy(source, {}, n_instruments=len(grids), jit=False)
    hooks = compile_hooks(loaded, jit=False)
    taker = 412_345
    level = BookLevel.DEPTH
    limits = [InstrumentLimits(maker, taker, level=level, window=MIN_WINDOW) for _ in grids]
    instruments = [
        Instrument("T", f"I{k}/USD", f"I{k}", "USD", Decimal(tick), Decimal(lot)) for k, (tick, lot) in enumerate(grids)
    ]
    strategy = StrategySpec(
        "busy", loaded.params_bytes(), loaded.state_bytes(), {int(k): a for k, a in hooks.addresses.items()},
        sizing_method=SizingMethod.FIXED, sizing_value=10**9,
    )  # fmt: skip
    account = AccountSpec(AccountType.MARGIN, "USD", {"USD": 10**6 * 10**8}, 10 * 10**9)
    execution = ExecutionSpec(latency_entry_ns=ENTRY_NS, latency_response_ns=RESPONSE_NS, sample_ns=0)
    spec = RunSpec(
        instruments, limits, [strategy], account, execution, order_capacity=places, output_capacity=20_000,
        equity_capacity=8_192, keep_alive=(hooks, loaded),
    )  # fmt: skip
    state, events = State(spec), records(rows)
    first, last = int(events["ts_recv"][0]), int(events["ts_recv"][-1])
    for part in (command_event(Command.START, first), events, command_event(Command.STOP, last)):
        assert state.fold(part) == (FoldCode.DONE, len(part))
    assert int(state.strategies[0]["n_errors"]) == 0
    drained, names = state.drain(), Names.of(state)
    drained["orders"] = np.concatenate([drained["orders"], live_orders(state)])
    assert drained["markouts"].dtype == MARKOUT
    tables = {kind: TABLES[kind](drained[kind], names) for kind in TABLES}
    markets = [
        Market(one.id, "USD", one.base, one.tick_size, one.lot_size, maker, taker, int(state.markets[k]["twice_mark"]))
        for k, one in enumerate(instruments)
    ]
    return Ran(events, state, tables, markets)
