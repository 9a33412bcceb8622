"""The compiled fold behind the tick protocol; a strategy of callbacks notes what it is told and when."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np

from tests.golden.kernel_backend import KernelBackend as BarBackend
from tests.golden.kernel_backend import hours_of, or_none, take_requests
from tests.golden.protocol import FillRow, Request
from tests.golden_ticks.protocol import (
    Event,
    OrderBook,
    OrderState,
    Result,
    Standing,
    Step,
    StepReport,
    TickConfig,
    Told,
)
from tradectl.core import records
from tradectl.core.codes import BookLevel, FoldCode, Hook, OrderStatus, ReportKind
from tradectl.core.event import empty_events
from tradectl.core.instrument import Instrument
from tradectl.core.jit import DISABLE_JIT
from tradectl.core.l3_check import validate_l3
from tradectl.core.ladder_layout import MIN_WINDOW, NO_ASK, NO_BID
from tradectl.core.layout import engine_at, order_at, report_at
from tradectl.engine.spec import AccountSpec, ExecutionSpec, InstrumentLimits, RiskSpec, RunSpec, StrategySpec
from tradectl.engine.state import State

__all__ = ["KernelBackend", "events_of", "spec_of"]

FILL = (
    "order_id", "instrument", "side", "price_ticks", "qty_lots", "liquidity_side", "phase", "fee_atoms",
    "realised_atoms", "ts_event",
)  # fmt: skip
L3_ORDERS = 64  # recorded orders known at once, in an order-by-order book
L3_COUNTS = ("n_unknown", "n_spent", "n_remainders", "n_strayed")
LIVE = range(OrderStatus.SUBMITTED, OrderStatus.FILLED)


def events_of(events: list[Event]) -> Any:
    """Write events as records."""
    made = empty_events(len(events))
    for row, event in zip(made, events, strict=True):
        words = (*event.words, 0, 0, 0, 0, 0)[:5]
        head = (event.ts_event, event.ts_recv, event.kind, event.side, event.flags, event.instrument, event.aux)
        names = ("ts_event", "ts_recv", "kind", "side", "flags", "instrument", "aux", "w0", "w1", "w2", "w3", "w4")
        for name, value in zip(names, (*head, *words), strict=True):
            row[name] = value
    return made


def spec_of(config: TickConfig, addresses: dict[int, int], keep: Any = None) -> RunSpec:
    """Return the run of a configuration with one strategy, given by the addresses of its hooks."""
    base = config.base
    hours = hours_of(base)
    limits = [
        InstrumentLimits(
            base.maker_e9, base.taker_e9, or_none(i.max_order_qty_lots), or_none(i.max_position_lots),
            level=level, window=MIN_WINDOW, l3_orders=L3_ORDERS, trigger=config.trigger,
            queue_model=config.queue_model, queue_power=config.queue_power, hours=hours,
        )
        for i, level in zip(base.instruments, config.levels, strict=True)
    ]  # fmt: skip
    execution = ExecutionSpec(
        participation_nano=base.participation_e9, slip_ticks=base.slippage_ticks,
        slip_nano=base.slippage_rate_e9, limit_touch=base.limit_touch, entry_bar=base.entry_bar,
        latency_entry_ns=base.latency_entry_ns, latency_response_ns=config.response_ns,
        latency_compute_ns=config.compute_ns, l1_leftover_ticks=config.l1_leftover_ticks, sample_ns=0,
    )  # fmt: skip
    risk = RiskSpec(
        or_none(base.max_order_notional_atoms), or_none(base.price_collar_e9, 0),
        or_none(base.max_exposure_atoms), or_none(base.max_open_orders),
    )  # fmt: skip
    return RunSpec(
        [Instrument("T", i.name, i.name, "USD", i.tick_size, i.lot_size) for i in base.instruments],
        limits, [StrategySpec("test", b"", b"", addresses)],
        AccountSpec(base.account, "USD", {"USD": base.balance_atoms}, BarBackend.leverage(base)),
        execution, risk, frames_ns=config.frames_ns, order_capacity=256, request_capacity=64, report_capacity=1024,
        output_capacity=20_000, equity_capacity=4096, latencies=config.triples, keep_alive=keep,
    )  # fmt: skip


def book_of(state: State, index: int) -> OrderBook:
    """Check and return an instrument's order-by-order book."""
    venue, orders = state.venues[index], state.orders
    sides = [
        [
            Standing(row.order_id, False, row.price_ticks, row.lots, row.shown_lots)
            if row.own < 0
            else Standing(row.order_id, True, row.price_ticks, int(orders[row.own]["leaves_lots"]))
            for row in side
        ]
        for side in validate_l3(state.books[int(venue["ladder"]) :])
    ]
    bid, ask, bid_lots, ask_lots = (int(venue[name]) for name in ("bid", "ask", "bid_lots", "ask_lots"))
    touch = (None if bid == NO_BID else bid, bid_lots), (None if ask == NO_ASK else ask, ask_lots)
    return OrderBook((sides[0], sides[1]), touch)


def fronts_of(books: dict[int, OrderBook]) -> dict[int, float]:
    """Return the lots that stand ahead of each own order in order-by-order books, by order id."""
    fronts: dict[int, float] = {}
    for book in books.values():
        for side in book.sides:
            ahead: dict[int, int] = {}
            for row in side:
                if row.own:
                    fronts[row.key] = float(ahead.get(row.price_ticks, 0))
                ahead[row.price_ticks] = ahead.get(row.price_ticks, 0) + row.left_lots
    return fronts


def row_of(o: Any, fronts: dict[int, float]) -> OrderState:
    """Return an order record as it is compared."""
    live = o.status in LIVE
    front = fronts.get(o.id, o.front) if live and o.note > 0 else None
    leaves = o.leaves_lots if live else 0
    return OrderState(o.id, o.status, o.reason, o.filled_lots, leaves, o.ts_arrival, o.ts_last, o.seen, front)


class Recorder:
    """Callbacks in the kernel's own calling convention that note reports and timers."""

    def __init__(self) -> None:
        self.told: list[Told] = []
        self.engine = 0  # address
        self.addresses: dict[int, int] = {}
        self.keep: list[Any] = []
        for hook, call, n in (
            (Hook.ON_ORDER, self.report, 6),
            (Hook.ON_FILL, self.report, 6),
            (Hook.ON_TIMER, self.timer, 5),
        ):
            self.add(hook, call, n)

    def add(self, hook: Hook, call: Any, n: int) -> None:
        """Make the address of one callback of `n` pointers."""
        if DISABLE_JIT:
            records.HOOKS[id(call)] = call
            self.keep.append(call)
            self.addresses[int(hook)] = id(call)
            return
        made = ctypes.CFUNCTYPE(ctypes.c_int32, *([ctypes.c_void_p] * n))(call)
        self.keep.append(made)
        self.addresses[int(hook)] = int(ctypes.cast(made, ctypes.c_void_p).value or 0)

    @property
    def now(self) -> int:
        """Return the local time of the fold."""
        return int(engine_at(self.engine, 0).now)

    def report(self, _result: int, _error: int, _ctx: int, _p: int, _s: int, address: int) -> int:
        """Note a report."""
        r = report_at(address, 0)
        lots, price = (r.qty_lots, r.price_ticks) if r.kind == ReportKind.FILL else (0, 0)
        self.told.append(Told(self.now, r.order_id, r.status, r.reason, r.ts_event, lots, price))
        return 0

    def timer(self, *_args: int) -> int:
        """Note that the timer fired."""
        self.told.append(Told(self.now))
        return 0


class KernelBackend:
    """Runs steps through `advance`."""

    name = "kernel"

    def __init__(self) -> None:
        self.recorder = Recorder()
        self.bars = BarBackend()  # for the way it writes requests

    def configure(self, config: TickConfig) -> None:
        """Begin a new run."""
        self.config = config
        self.state = self.bars.state = State(spec_of(config, self.recorder.addresses))
        self.recorder.engine = self.state.engine.ctypes.data
        self.known: dict[int, OrderState] = {}

    def step(self, step: Step) -> StepReport:
        """Apply the events of a step, then its requests."""
        self.recorder.told = []
        if step.events:
            code, _ = self.state.fold(events_of(step.events))
            assert code == FoldCode.DONE, (code, self.state.engine)
        if step.timer is not None:
            self.set_timer(step.timer)
        outcomes = [self.ask(request) for request in step.requests]
        out = self.state.drain()
        fills = [FillRow(*f) for f in out["fills"][[*FILL]].tolist()]
        equity = int(self.state.engine["equity_atoms"][0])
        return StepReport(fills, outcomes, self.recorder.told, self.orders(), equity)

    def ask(self, request: Request) -> int:
        """Make one request, as a hook that has just returned would."""
        self.bars.request(0, request)
        self.state.engine[0]["n_requests"] = 1
        take_requests(self.state.address)
        return int(self.state.requests[0]["reason"])

    def set_timer(self, at: int) -> None:
        """Set the strategy's timer."""
        engine = self.state.engine[0]
        self.state.timers[0]["at"] = engine["next_timer"] = at
        engine["next_local"] = min(int(engine["next_local"]), at + 1)

    def orders(self) -> dict[int, OrderState]:
        """Return all orders by id; a slot holds an ended order until the next one takes it."""
        base = self.state.orders.ctypes.data
        fronts = fronts_of(self.books())
        for slot in np.flatnonzero(self.state.orders["id"][:-1]).tolist():
            row = row_of(order_at(base, slot), fronts)
            self.known[row.order_id] = row
        return {number: self.known[number] for number in sorted(self.known)}

    def books(self) -> dict[int, OrderBook]:
        """Return the order-by-order books by instrument."""
        levels = enumerate(self.config.levels)
        return {index: book_of(self.state, index) for index, level in levels if level == BookLevel.ORDERS}

    def result(self) -> Result:
        """Return what stands at the end."""
        state = self.state
        c, e = state.currencies[0], state.engine[0]
        cost = [int(p["cost_atoms"]) for p in state.positions]
        booked = int(c["balance_atoms"]) + sum(cost) + int(c["fees_atoms"]) + int(c["funding_atoms"])
        return Result(
            [int(p["lots"]) for p in state.positions], [int(p["seen_lots"]) for p in state.positions], cost,
            int(c["balance_atoms"]), int(c["fees_atoms"]), int(e["equity_atoms"]),
            int(state.venues["n_late"].sum()), int(state.venues["n_crossed"].sum()),
            int(state.venues["n_gaps"].sum()),
            booked == int(c["initial_atoms"]) + int(c["realised_atoms"]),
            (int(e["n_acks"]), int(e["n_late_acks"]), int(e["late_acks_ns"])),
            int(c["funding_atoms"]), *(int(state.venues[name].sum()) for name in L3_COUNTS), self.books(),
        )  # fmt: skip
