"""Tick data in any slices, compiled or plain: the same state, rows and bytes."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from tests.golden.protocol import Config, InstrumentSpec
from tests.golden_ticks.kernel_backend import events_of, spec_of
from tests.golden_ticks.protocol import Event, TickConfig
from tests.oracle.ticks_random import make_run
from tests.property.test_slices import MODES, assert_same_output, fold
from tradectl.core.codes import AccountType, BookLevel, Command, EventKind, QueueModel, TriggerSource
from tradectl.core.jit import DISABLE_JIT
from tradectl.engine.spec import RunSpec, StrategySpec
from tradectl.strategy.compile import compile_hooks
from tradectl.strategy.loader import load_strategy

LEVELS = {"prints": BookLevel.PRINTS, "quotes": BookLevel.QUOTES, "depth": BookLevel.DEPTH}
RUNS = 4 if DISABLE_JIT else 25
SMALL = 4
SOURCE = '''
from tradectl.strategy import FOK, IOC, Int64, strategy

@strategy
class Busy:
    """Sends, changes and cancels orders by counting what it sees."""

    class State:
        seen = Int64()
        order = Int64()
        told = Int64()
        late = Int64()

    def on_trade(ctx, p, s):
        s.seen += 1
        if s.seen % 5 == 0:
            ctx.buy(qty=3.0, limit=ctx.last)
        elif s.seen % 7 == 0:
            ctx.sell(qty=2.0, tif=IOC)
        ctx.set_timer(ctx.now + 3)

    def on_depth(ctx, p, s):
        s.seen += 1
        if s.seen % 4 == 0:
            s.order = ctx.buy(qty=2.0, limit=ctx.last - 1.0, post_only=True)
        elif s.seen % 6 == 0:
            ctx.cancel(s.order)
        elif s.seen % 11 == 0:
            ctx.modify(s.order, qty=4.0)

    def on_quote(ctx, p, s):
        if ctx.position_lots > 4:
            ctx.sell(qty=2.0, stop=ctx.last - 1.0, reduce_only=True)
        elif ctx.position_lots < -4:
            ctx.buy(qty=4.0, limit=ctx.last + 2.0, tif=FOK)

    def on_order(ctx, p, s, report):
        s.told += report.status

    def on_fill(ctx, p, s, fill):
        s.told += fill.qty_lots
        if s.told % 3 == 0:
            ctx.sell(qty=1.0, limit=fill.price + 1.0)

    def on_timer(ctx, p, s):
        s.late += ctx.now
        if s.late % 2 == 0:
            ctx.sell(qty=2.0, limit=ctx.last + 1.0)
'''


def tick_run(folder: Path, level: str, runs: int = RUNS, jit: bool = True) -> tuple[RunSpec, np.ndarray]:
    """Return a run whose events are those of random runs of one level, and the events."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "busy.py"
    path.write_text(SOURCE)
    loaded = load_strategy(path, {}, n_instruments=2, jit=jit)
    hooks = compile_hooks(loaded, jit)
    specs = tuple(InstrumentSpec(name, Decimal(1), Decimal(1)) for name in "AB")
    base = Config(instruments=specs, account=AccountType.MARGIN, latency_entry_ns=2, taker_e9=500_000)
    config = TickConfig(
        base, (LEVELS[level],) * 2, QueueModel.POWER3, 3.0, TriggerSource.BID_ASK, response_ns=3
    )
    spec = spec_of(config, {}, keep=(hooks, loaded))
    addresses = {int(hook): address for hook, address in hooks.addresses.items()}
    strategy = StrategySpec("busy", loaded.params_bytes(), loaded.state_bytes(), addresses)
    return replace(spec, strategies=[strategy]), events_of(joined(LEVELS[level], runs))


def joined(level: BookLevel, runs: int) -> list[Event]:
    """Return the events of the first random runs with this level everywhere, one after the other in time."""
    events = [Event(EventKind.COMMAND, 1, 1, (int(Command.START),), flags=0)]
    seed = ahead = 0
    while runs:
        run = make_run(seed)
        seed += 1
        if set(run.config.levels) != {level}:
            continue
        for step in run.steps:
            events += [
                replace(e, ts_event=e.ts_event + ahead, ts_recv=e.ts_recv + ahead)
                for e in step.events
                if e.kind != EventKind.COMMAND
            ]
        ahead = events[-1].ts_recv
        runs -= 1
    return events


def result(run: tuple[RunSpec, np.ndarray], cuts: list[int]) -> tuple[str, str, int]:
    """Fold a run in slices; return the hashes of state and rows, and the number of fills."""
    return fold(SimpleNamespace(spec=run[0]), cuts, run[1])  # type: ignore[arg-type]


@pytest.mark.parametrize("level", LEVELS)
def test_any_slicing_gives_the_same_state_and_rows(level: str, tmp_path: Path) -> None:
    run = tick_run(tmp_path, level)
    n = len(run[1])
    whole = result(run, [])
    assert whole[2] > (5 if DISABLE_JIT else 50)
    assert result(run, list(range(1, n))) == whole  # one event at a time
    rng = np.random.default_rng(5)
    for pieces in (1, 2, 9, 100):
        assert result(run, sorted({int(at) for at in rng.integers(1, n, pieces)})) == whole


@pytest.mark.parametrize("level", LEVELS)
def test_plain_strategies_write_the_same_bytes(level: str, tmp_path: Path) -> None:
    compiled, plain = (tick_run(tmp_path / str(jit), level, SMALL, jit) for jit in (True, False))
    assert result(compiled, []) == result(plain, [31, 33])


SCRIPT = """
import sys
from pathlib import Path
from tests.property.test_tick_slices import LEVELS, SMALL, result, tick_run
for level in LEVELS:
    print(result(tick_run(Path(sys.argv[1]) / level, level, SMALL), []))
"""


@pytest.mark.parametrize("mode", [MODES[0], pytest.param(MODES[1], marks=pytest.mark.proof)])
@pytest.mark.skipif(DISABLE_JIT, reason="compares with compiled kernels, of which there are none here")
def test_plain_and_bounds_checked_kernels_write_the_same_bytes(mode: str, tmp_path: Path) -> None:
    assert_same_output(SCRIPT, mode, tmp_path, lines=len(LEVELS))
