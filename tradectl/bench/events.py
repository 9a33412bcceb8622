"""What the fold over tick data costs per event, and a whole run from Parquet to summary."""

from __future__ import annotations

import time
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import types

from tradectl.bench.events_run import bench_run
from tradectl.bench.order_flow import generate_orders
from tradectl.bench.tick_flow import generate_ticks
from tradectl.core.codes import AccountType, BookLevel, Command, EventFlag, EventKind, FoldCode, OrderStatus
from tradectl.core.event import empty_events
from tradectl.core.instrument import Instrument
from tradectl.core.jit import entry
from tradectl.core.ladder import best, best_qty, set_level
from tradectl.core.ladder_layout import NO_ASK, NO_BID, ladder_address, new_ladder
from tradectl.core.layout import event_at
from tradectl.engine.advance import advance
from tradectl.engine.host import command_event
from tradectl.engine.spec import AccountSpec, ExecutionSpec, InstrumentLimits, RunSpec, StrategySpec
from tradectl.engine.state import State
from tradectl.errors import InvariantViolation
from tradectl.strategy.compile import compile_hooks
from tradectl.strategy.loader import initial_state, load_strategy

__all__ = ["CASES", "bench_events", "fold_ticks", "quotes_of", "spec_for"]

CHUNK = 65_536
BALANCE = 10**17  # atoms
LATENCY_NS = 1_000_000  # to the venue; as long back
DEPTH, QUOTE, TRADE = int(EventKind.DEPTH), int(EventKind.QUOTE), int(EventKind.TRADE)
MESSAGE_END = int(EventFlag.MESSAGE_END)
i8 = types.int64


@dataclass(frozen=True)
class Case:
    """A strategy of `ticks_strategies` on a kind of data; `trades`: it must fill and cancel."""

    strategy: str
    data: str  # depth, quotes or orders
    trades: bool = False


# Prefix of its figures -> case.
CASES: dict[str, Case] = {
    "book": Case("Still", "depth"),
    "hook": Case("Watch", "depth"),
    "maker": Case("Maker", "depth", trades=True),
    "timer_maker": Case("TimerMaker", "depth", trades=True),
    "quotes": Case("Still", "quotes"),
    "quotes_maker": Case("Maker", "quotes", trades=True),
    "orders": Case("Still", "orders"),
    "orders_maker": Case("Maker", "orders", trades=True),
}
LEVELS = {"depth": BookLevel.DEPTH, "quotes": BookLevel.QUOTES, "orders": BookLevel.ORDERS}


@entry(lambda: i8(i8, i8, i8, i8))
def write_quotes(ladder, depth, quotes, n):
    """Write at address `quotes` a QUOTE after each of `n` events that is a DEPTH, and the trades; return how many."""
    count = 0
    for k in range(n):
        event, row = event_at(depth, k), event_at(quotes, count)
        row.ts_event = event.ts_event
        row.ts_recv = event.ts_recv
        row.flags = MESSAGE_END
        row.kind = event.kind
        row.side = event.side
        row.w0 = event.w0
        row.w1 = event.w1
        row.w2 = event.w2
        if event.kind == DEPTH:
            set_level(ladder, (1 - event.side) >> 1, event.w0, event.w1)
            if best(ladder, 0) == NO_BID or best(ladder, 1) == NO_ASK:
                continue
            row.kind = QUOTE
            row.side = 0
            row.w0 = best(ladder, 0)
            row.w1 = best_qty(ladder, 0)
            row.w2 = best(ladder, 1)
            row.w3 = best_qty(ladder, 1)
        count += 1
    return count


def quotes_of(events: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return L1 data of depth events: a QUOTE for each of them, the same trades."""
    made = empty_events(len(events))
    blob = new_ladder()
    count = write_quotes(ladder_address(blob), events.ctypes.data, made.ctypes.data, len(events))
    return made[:count]


def spec_for(case: Case) -> RunSpec:
    """Return the run of one case: a margin account, fees, a millisecond each way, equity each second."""
    loaded = load_strategy(
        f"{Path(__file__).with_name('ticks_strategies.py')}:{case.strategy}", {}, n_instruments=1
    )
    hooks = compile_hooks(loaded)
    strategy = StrategySpec(
        case.strategy,
        loaded.params_bytes(),
        initial_state(loaded, 1),
        {int(k): v for k, v in hooks.addresses.items()},
    )
    return RunSpec(
        [Instrument("BENCH", "X/USD", "X", "USD", Decimal("0.01"), Decimal("0.001"))],
        [InstrumentLimits(200_000, 500_000, level=LEVELS[case.data])],
        [strategy],
        AccountSpec(AccountType.MARGIN, "USD", {"USD": BALANCE}, 10 * 10**9),
        ExecutionSpec(latency_entry_ns=LATENCY_NS, latency_response_ns=LATENCY_NS),
        keep_alive=hooks,
    )


def fold_ticks(spec: RunSpec, events: npt.NDArray[Any]) -> tuple[float, State, dict[str, int]]:
    """Fold all events in chunks; return seconds, the state and what came out; the ledger must balance."""
    state = State(spec)
    state.fold(command_event(Command.START, int(events["ts_recv"][0]) - 1))
    out = {"fills": 0, "orders": 0, "canceled": 0}
    at, seconds = 0, 0.0
    while at < len(events):
        begun = time.perf_counter()
        code, done = state.fold(events[at : at + CHUNK])
        seconds += time.perf_counter() - begun
        if code not in (FoldCode.DONE, FoldCode.DRAIN):
            raise InvariantViolation(f"events bench: the fold stopped with {code.name}")
        at += done
        rows = state.drain()
        out["fills"] += len(rows["fills"])
        out["orders"] += len(rows["orders"])
        out["canceled"] += int(np.count_nonzero(rows["orders"]["status"] == OrderStatus.CANCELED))
    c, p = state.currencies[0], state.positions[0]
    booked = int(c["balance_atoms"]) + int(p["cost_atoms"]) + int(c["fees_atoms"])
    if booked != int(c["initial_atoms"]) + int(c["realised_atoms"]):
        raise InvariantViolation("events bench: the ledger does not balance")
    return seconds, state, out


def measure(case: Case, events: npt.NDArray[Any], repeats: int) -> dict[str, Any]:
    """Return the figures of one case; medians of `repeats` folds."""
    spec = spec_for(case)
    runs = [fold_ticks(spec, events) for _ in range(max(1, repeats))]
    seconds, (_, state, out) = float(np.median([run[0] for run in runs])), runs[-1]
    if case.trades and not (out["fills"] and out["canceled"]):
        raise InvariantViolation(
            f"events bench: {case.strategy} on {case.data} neither traded nor canceled: {out}"
        )
    figures: dict[str, Any] = {
        "events_per_s": round(len(events) / seconds),
        "ns_per_event": round(seconds / len(events) * 1e9, 2),
        "best_ns_per_event": round(min(run[0] for run in runs) / len(events) * 1e9, 2),
    }
    if case.trades:
        figures |= out
    return figures | {"state_mb": round(state.nbytes / 1e6, 3)}


def bench_events(events: int = 5_000_000, repeats: int = 5, run_events: int = 10_000_000) -> dict[str, Any]:
    """Measure the fold over `events` events of each kind of data, and whole runs over `run_events` of them."""
    advance.load()
    depth = generate_ticks(events)
    markets = {
        "depth": lambda: depth,
        "quotes": lambda: quotes_of(depth),
        "orders": lambda: generate_orders(events),
    }
    result: dict[str, Any] = {"events": events}
    for kind, made in markets.items():
        data = made()
        data.flags.writeable = False
        for prefix, case in CASES.items():
            if case.data == kind:
                result |= {f"{prefix}_{key}": value for key, value in measure(case, data, repeats).items()}
    return result | (bench_run(run_events, repeats) if run_events else {})
