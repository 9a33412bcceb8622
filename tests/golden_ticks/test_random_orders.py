"""Random runs order by order, with accounts, stops, latency, gaps: the fold does what the oracle does.

They are the random runs on depth, whose levels become recorded orders: what a level shows is placed or changed, what it
no longer shows is canceled or executed, and a trade is the execution of an order that rests.
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field, replace

import pytest

from tests.golden_ticks.kernel_backend import KernelBackend
from tests.golden_ticks.oracle_backend import OracleBackend
from tests.golden_ticks.protocol import Event
from tests.oracle.ticks_random import Run, census, compare, make_run, run_steps
from tradectl.core.codes import BookLevel, EventFlag, EventKind, FillPhase, Reason

RUNS = 100  # runs of a block
MANY = 60  # blocks of the long proof
MOST_ORDERS = 40  # recorded orders at once
ADD, MODIFY = EventKind.ORDER_ADD, EventKind.ORDER_MODIFY
CANCEL, EXEC = EventKind.ORDER_CANCEL, EventKind.ORDER_EXEC
PHASES = (FillPhase.BOOK, FillPhase.QUEUE, FillPhase.THROUGH)
ENDS = (
    Reason.NO_LIQUIDITY, Reason.BOOK_BROKEN, Reason.IOC_REMAINDER, Reason.FOK_UNFILLED, Reason.POST_ONLY_WOULD_TAKE,
    Reason.REDUCE_ONLY_CLOSED, Reason.CANCELED_BY_STRATEGY,
)  # fmt: skip


@dataclass
class Recording:
    """What the recording of one instrument has in its book: side, price and lots by id."""

    rng: random.Random
    orders: dict[int, tuple[int, int, int]] = field(default_factory=dict)
    fresh: int = 1

    def of(self, event: Event) -> list[Event]:
        """Return the order events that stand for an event."""
        if event.kind == EventKind.QUOTE:
            bid, ask = event.words[:2], event.words[2:]
            return [self.level(event, 1, *bid, flags=0), self.level(event, -1, *ask, flags=event.flags)]
        if event.kind == EventKind.TRADE and self.rng.random() < 0.8:
            return [self.execution(event)]
        if event.kind == EventKind.CLEAR or event.flags & EventFlag.SNAPSHOT_BEGIN:
            self.orders = {}
        if event.kind == EventKind.DEPTH:
            price, lots = event.words
            return [self.level(event, event.side, price, lots, flags=event.flags)]
        return [event]

    def level(self, event: Event, side: int, price: int, lots: int, *, flags: int) -> Event:
        """Return an order placed, changed or taken away, where a level was set."""
        whole = bool(flags & (EventFlag.SNAPSHOT_BEGIN | EventFlag.SNAPSHOT_END)) or not self.orders
        draw, key = self.rng.random(), self.rng.choice([*self.orders, 10**9])
        if whole or (lots and draw < 0.6 and len(self.orders) < MOST_ORDERS):
            key, self.fresh = self.fresh, self.fresh + 1
            return self.made(event, ADD, (side, price, max(lots, 1), key), flags)
        side, at, shown = self.orders.get(key, (side, price, 3))
        if lots and draw < 0.8:
            to = self.rng.choice([(at, max(shown - 1, 1)), (at, shown + 2), (price, lots)])
            return self.made(event, MODIFY, (side, *to, key), flags)
        part = self.rng.choice([0, 1, shown])
        return self.made(event, CANCEL, (side, at, part, key), flags)

    def execution(self, event: Event) -> Event:
        """Return the execution of an order that rests, mostly of the first one; now and then of one not known."""
        side, (price, lots) = event.side or 1, event.words
        resting = sorted((-o[0] * o[1], key) for key, o in self.orders.items() if o[0] == -side)
        key = 10**9
        if resting and self.rng.random() < 0.95:
            key = resting[0][1] if self.rng.random() < 0.8 else self.rng.choice(resting)[1]
            _, price, shown = self.orders[key]
            lots = self.rng.choice([min(lots, shown), shown])
        return self.made(event, EXEC, (-side, price, lots, key), event.flags & EventFlag.MESSAGE_END)

    def made(self, event: Event, kind: EventKind, order: tuple[int, int, int, int], flags: int) -> Event:
        """Return an order event, and remember what it leaves."""
        side, price, lots, key = order
        left = self.orders.get(key, (0, 0, 0))[2] - lots if kind in (CANCEL, EXEC) else lots
        if left <= 0 or (kind == CANCEL and not lots):
            self.orders.pop(key, None)
        elif kind == ADD or key in self.orders:
            self.orders[key] = (side, price, left)
        return replace(event, kind=kind, words=(price, lots, key), side=side, flags=flags)


def by_order(run: Run) -> Run:
    """Return a run whose market data are recorded orders."""
    n = len(run.config.levels)
    recordings = [Recording(random.Random(f"orders {run.seed} {k}")) for k in range(n)]
    for step in run.steps:
        step.events = [made for event in step.events for made in recordings[event.instrument].of(event)]
    return replace(run, config=replace(run.config, levels=(BookLevel.ORDERS,) * n))


def run_block(block: int) -> Counter[str]:
    """Compare the runs of a block step by step; return what was met."""
    met: Counter[str] = Counter()
    kernels = KernelBackend()
    for seed in range(block * RUNS, (block + 1) * RUNS):
        run = by_order(make_run(seed, 60))
        wanted, got = run_steps(run, OracleBackend()), run_steps(run, kernels)
        told = replace(got[1], crossed=wanted[1].crossed, strayed=wanted[1].strayed)  # the oracle looks at each message
        difference = compare(wanted, (got[0], told))
        assert not difference, f"seed {seed}: {difference}\n{run.config}"
        assert got[1].audit_ok
        met.update({FillPhase(phase).name: n for phase, n in census(got[0]).items()})
        met.update(Reason(row.reason).name for row in got[0][-1].orders.values() if row.reason)
        met.update({name: getattr(got[1], name) for name in ("unknown", "spent", "remainders", "strayed")})
    return met


def test_kernels_equal_the_oracle() -> None:
    met = run_block(0)
    wanted = [*(phase.name for phase in PHASES), *(end.name for end in ENDS)]
    assert not [name for name in (*wanted, "unknown", "spent", "remainders", "strayed") if not met[name]], met


@pytest.mark.proof
@pytest.mark.parametrize("block", range(1, 1 + MANY))
def test_kernels_equal_the_oracle_in_many_runs(block: int) -> None:
    run_block(block)
