"""What the fold over bars costs: equity curve, fills, orders and the audit on, as in a real run."""

from __future__ import annotations

import time
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tradectl.core.codes import EventFlag, EventKind, FoldCode
from tradectl.core.event import empty_events
from tradectl.core.instrument import Instrument
from tradectl.engine.advance import advance_bars
from tradectl.engine.spec import AccountSpec, ExecutionSpec, InstrumentLimits, RunSpec, StrategySpec
from tradectl.engine.state import State
from tradectl.errors import InvariantViolation
from tradectl.strategy.compile import compile_hooks
from tradectl.strategy.loader import initial_state, load_strategy

__all__ = ["bench_bars", "walk_events"]

CHUNK = 65_536
MINUTE_NS = 60_000_000_000
START_NS = 1_704_067_200_000_000_000
STRATEGIES = {"idle": "Idle", "sma_cross": "SmaCross", "five_indicators": "FiveIndicators"}


def walk_events(bars: int, seed: int = 1) -> npt.NDArray[Any]:
    """Return a random walk as BAR events (`bars`,), minutes of one instrument around 10,000 ticks."""
    rng = np.random.Generator(np.random.PCG64(seed))
    close = np.abs(1_000_000 + np.cumsum(rng.integers(-50, 51, bars))) + 1_000
    start = np.concatenate([close[:1], close[:-1]])
    events = empty_events(bars)
    events["ts_event"] = events["ts_recv"] = START_NS + (np.arange(bars) + 1) * MINUTE_NS
    events["kind"], events["flags"] = EventKind.BAR, EventFlag.LAST
    events["w0"], events["w3"] = start, close
    events["w1"] = np.maximum(start, close) + rng.integers(0, 10, bars)
    events["w2"] = np.minimum(start, close) - rng.integers(0, 10, bars)
    events["w4"] = 10**9
    return events


def spec_for(name: str) -> RunSpec:
    """Return the run of one bench strategy: a cash account, fees, one tick of slippage."""
    loaded = load_strategy(f"{Path(__file__).with_name('bars_strategies.py')}:{name}", {}, n_instruments=1)
    hooks = compile_hooks(loaded)
    strategy = StrategySpec(
        name,
        loaded.params_bytes(),
        initial_state(loaded, 1),
        {int(k): v for k, v in hooks.addresses.items()},
        sizing_value=950_000_000,
    )
    instrument = Instrument("BENCH", "X/USD", "X", "USD", Decimal("0.01"), Decimal("0.0001"))
    return RunSpec(
        [instrument],
        [InstrumentLimits(200_000, 500_000, timeframe_ns=MINUTE_NS)],
        [strategy],
        AccountSpec(balances={"USD": 10**17}),
        ExecutionSpec(slip_ticks=1),
        keep_alive=hooks,
    )


def fold_once(spec: RunSpec, events: npt.NDArray[Any]) -> tuple[float, State, dict[str, int]]:
    """Fold all events in chunks; return seconds, the state and the rows that came out; the ledger must balance."""
    state = State(spec)
    rows: Counter[str] = Counter()
    at, seconds = 0, 0.0
    while at < len(events):
        chunk = events[at : at + CHUNK]
        begun = time.perf_counter()
        code, done = state.fold(chunk)
        seconds += time.perf_counter() - begun
        if code not in (FoldCode.DONE, FoldCode.DRAIN):
            raise InvariantViolation(f"bars bench: the fold stopped with {code.name}")
        at += done
        for kind, out in state.drain().items():
            rows[kind] += len(out)
    c, p = state.currencies[0], state.positions[0]
    booked = int(c["balance_atoms"]) + int(p["cost_atoms"]) + int(c["fees_atoms"])
    if booked != int(c["initial_atoms"]) + int(c["realised_atoms"]):
        raise InvariantViolation("bars bench: the ledger does not balance")
    return seconds, state, rows


def bench_bars(bars: int = 1_000_000, repeats: int = 7) -> dict[str, Any]:
    """Measure bars a second of the base fold for each bench strategy; medians of `repeats` folds."""
    events = walk_events(bars)
    advance_bars.load()
    result: dict[str, Any] = {"bars": bars}
    for label, name in STRATEGIES.items():
        spec = spec_for(name)
        runs = [fold_once(spec, events) for _ in range(repeats)]
        seconds = float(np.median([run[0] for run in runs]))
        result[f"{label}_bars_per_s"] = round(bars / seconds)
        result[f"{label}_ns_per_bar"] = round(seconds / bars * 1e9, 2)
        result[f"{label}_fills"] = runs[-1][2]["fills"]
        result["state_mb"] = round(runs[-1][1].nbytes / 1e6, 3)
    return result
