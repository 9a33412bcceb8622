"""The fold of tick data against the oracle on random runs: fills, ends, reports and their times, queues, account.

`TRADECTL_TICK_BLOCKS` says how many blocks of random runs are compared (by default 2,000 runs).
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from itertools import count, islice

import pytest

from tests.golden_ticks.kernel_backend import KernelBackend
from tests.golden_ticks.protocol import Event, Result, Step, StepReport
from tests.oracle.ticks_oracle import TickOracle
from tests.oracle.ticks_random import Run, census, compare, make_run, run_steps
from tradectl.core.codes import BookLevel, EventKind, FillPhase, OrderStatus, QueueModel, Reason
from tradectl.core.ladder import qty_at
from tradectl.core.ladder_layout import NO_NOTE, ladder_at
from tradectl.core.ladder_notes import note_at

RUNS = 250  # runs of a block
BLOCKS = int(os.environ.get("TRADECTL_TICK_BLOCKS", "8"))
MANY = 80  # blocks of the long proof
LATER = 10**6  # ns; everything has been told by then
PHASES = (FillPhase.BOOK, FillPhase.QUEUE, FillPhase.THROUGH, FillPhase.PRINT)
ENDS = (
    Reason.NO_LIQUIDITY, Reason.BOOK_BROKEN, Reason.IOC_REMAINDER, Reason.FOK_UNFILLED,
    Reason.POST_ONLY_WOULD_TAKE, Reason.REDUCE_ONLY_WOULD_OPEN, Reason.REDUCE_ONLY_CLOSED,
    Reason.CANCELED_BY_STRATEGY,
)  # fmt: skip


def finished(run: Run) -> Run:
    """Return the run with time passing at its end until all requests have arrived and all is told."""
    now = run.steps[-1].events[-1].ts_recv
    ends = [Step([Event(EventKind.TIMER, now + k * LATER, now + k * LATER, (0,))]) for k in (1, 2)]
    return replace(run, steps=[*run.steps, *ends])


def check_spent(run: Run, reports: list[StepReport]) -> None:
    """Demand that no trade is spent twice at its own price."""
    for step, report in zip(run.steps, reports, strict=True):
        trades = [e for e in step.events if e.kind == EventKind.TRADE]
        queued = [f for f in report.fills if f.phase in (FillPhase.QUEUE, FillPhase.PRINT)]
        assert not queued or len(trades) == 1
        assert sum(f.qty_lots for f in queued) <= sum(e.words[1] for e in trades)
        for fill in queued:
            assert fill.phase == FillPhase.PRINT or fill.price_ticks == trades[0].words[0]


def check_consumption(backend: KernelBackend) -> None:
    """Demand that own orders have not taken more of any level than it shows."""
    state = backend.state
    for venue, market in zip(state.venues, state.markets, strict=True):
        if market["level"] == BookLevel.PRINTS:
            continue
        ladder = state.books.ctypes.data + int(venue["ladder"])
        for k in range(ladder_at(ladder, 0).fresh_note):
            note = note_at(ladder, k)
            if note.index != NO_NOTE and note.order < 0:
                assert 0 < note.lots <= qty_at(ladder, note.index, note.price)


def check_end(reports: list[StepReport], result: Result) -> None:
    """Demand that everything has been told at the end."""
    assert result.seen == result.positions
    for order in reports[-1].orders.values():
        assert order.seen == order.status
    told = [row for report in reports for row in report.told]
    assert [row.now for row in told] == sorted(row.now for row in told)


def run_block(seeds: Iterable[int]) -> tuple[Counter[int], Counter[int]]:
    """Compare the runs of some seeds; return fills by phase and ended orders by reason."""
    phases: Counter[int] = Counter()
    reasons: Counter[int] = Counter()
    models: set[QueueModel] = set()
    kernels, unclear = KernelBackend(), 0
    for seed in seeds:
        run, oracle = finished(make_run(seed)), TickOracle()
        wanted, got = run_steps(run, oracle), run_steps(run, kernels)
        difference = compare(wanted, got)
        if difference and oracle.world.near_ties:  # half a lot is decided by the last bit of a float
            unclear += 1
            continue
        assert not difference, f"seed {seed}: {difference}\n{run.config}"
        assert got[1].audit_ok
        check_spent(run, got[0])
        check_consumption(kernels)
        check_end(*got)
        phases += census(wanted[0])
        reasons.update(row.reason for row in got[0][-1].orders.values() if row.status >= OrderStatus.FILLED)
        models.add(run.config.queue_model)
    assert unclear <= RUNS // 50
    assert len(models) == len(QueueModel)
    return phases, reasons


@pytest.mark.parametrize("block", range(BLOCKS))
def test_kernels_equal_the_oracle(block: int) -> None:
    phases, reasons = run_block(range(block * RUNS, (block + 1) * RUNS))
    assert all(phases[phase] >= 10 for phase in PHASES), phases
    assert not [reason.name for reason in ENDS if not reasons[reason]], reasons


def is_short_of_money(seed: int) -> bool:
    config = make_run(seed).config.base
    return config.balance_atoms < 10_000 * max(int(one.atoms_per_tick_lot) for one in config.instruments)


def test_orders_that_the_money_does_not_reach_for() -> None:
    _, reasons = run_block(islice(filter(is_short_of_money, count(10**6)), 200))
    assert reasons[Reason.SHRUNK_TO_BUYING_POWER], reasons


@pytest.mark.proof
@pytest.mark.parametrize("block", range(BLOCKS, BLOCKS + MANY))
def test_kernels_equal_the_oracle_in_many_runs(block: int) -> None:
    run_block(range(block * RUNS, (block + 1) * RUNS))
