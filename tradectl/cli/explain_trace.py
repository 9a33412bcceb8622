"""One order followed through a run that is folded again: its decision, its checks, its queue, its fills.

The fold runs compiled. Only the event in which the order is made, with an observer that reads the state just before
each check, and those in which it changes are applied once more as plain Python; then the compiled result is put back.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from tradectl.cli.explain_checks import Check, checks_of
from tradectl.cli.explain_course import FINAL, LOCAL, Course, Moment, looks_of
from tradectl.core import records
from tradectl.core.codes import BookLevel, Command, FoldCode, Hook
from tradectl.core.depth_view import shown_best, shown_next, shown_qty
from tradectl.core.l3_own import lots_ahead
from tradectl.core.ladder_layout import NO_ASK, NO_BID
from tradectl.core.layout import (
    engine_at,
    event_at,
    market_at,
    order_at,
    position_at,
    report_at,
    venue_at,
)
from tradectl.core.watch import WATCHERS
from tradectl.engine.advance import advance, advance_bars
from tradectl.engine.host import command_event
from tradectl.engine.ports import Events
from tradectl.engine.state import State
from tradectl.engine.step import step
from tradectl.errors import StoreError

__all__ = ["KEPT_COURSES", "Trace", "follow"]

TOP = 5  # levels of a side
KEPT_BOOKS = 50  # fills whose book is kept
KEPT_COURSES = 64  # events in which it changes that are applied once more
KEPT_POINTS = 4096  # changes of the queue held at a time; then every second one goes
SHOWN_POINTS = 200
SINGLE = 2_000_000  # events followed one by one; after them chunks in which nothing happens are one step
REPORT_HOOKS = (Hook.ON_ORDER, Hook.ON_FILL)
NUMBA_NONE = -2  # status of a compiled function that returned nothing
Levels = list[tuple[int, int]]  # (price in ticks, lots), best first


@dataclass
class Seen:
    """What a fill met: its id, the book just before its event (bids, asks), or that event's bar (words)."""

    fill_id: int
    event: int
    bids: Levels = field(default_factory=list)
    asks: Levels = field(default_factory=list)
    bar: tuple[int, ...] = ()


@dataclass
class Trace:
    """What was seen of an order; times in ns UTC, prices in ticks, quantities in lots."""

    order_id: int
    event: int = -1  # number of the event in which it was made, from 1
    hook: str = ""
    decision: dict[str, int] = field(default_factory=dict)
    checks: list[Check] = field(default_factory=list)
    same: bool = True  # the plain event gave the compiled one's state
    moments: list[Moment] = field(default_factory=list)
    courses: int = 0  # events in which it changed; from KEPT_COURSES on only what each left is among the moments
    reports: dict[tuple[int, ...], int] = field(default_factory=dict)  # (kind, status, ts_event, filled) → delivery
    queue: list[tuple[int, float]] = field(default_factory=list)  # (venue's time, lots ahead)
    fills: list[Seen] = field(default_factory=list)
    row: Any = None  # its ORDER record when it ended, or at the end of the data
    ended: bool = False

    def points(self) -> list[tuple[int, float]]:
        """Return the queue over time: at most SHOWN_POINTS, the first and the last among them."""
        n = len(self.queue)
        if n <= SHOWN_POINTS:
            return self.queue
        return [self.queue[k * (n - 1) // (SHOWN_POINTS - 1)] for k in range(SHOWN_POINTS)]


def follow(
    state: State,
    chunks: Iterator[Events],
    order_id: int,
    commands: bool,
    progress: Callable[[int], None],
) -> Trace:
    """Fold a run until an order has ended; StoreError where it never is made."""
    follower = Follower(state, order_id)
    for events in _with_commands(chunks, commands):
        if follower.take(events):
            return follower.trace
        progress(int(state.engine[0]["n_events"]))
    if follower.trace.event < 0:
        raise StoreError(f"order {order_id} is not made when the run is folded again: its code or data has changed")
    follower.keep_row()
    return follower.trace


def _with_commands(chunks: Iterator[Events], commands: bool) -> Iterator[Events]:
    """Yield chunks between START and STOP, as the host folds them."""
    last = 0
    for events in chunks:
        if not len(events):
            continue
        if commands and last == 0:
            yield command_event(Command.START, int(events["ts_recv"][0]))
        last = int(events["ts_recv"][-1])
        yield events
    if commands and last:
        yield command_event(Command.STOP, last)


class Follower:
    """Folds chunk after chunk and looks at one order."""

    def __init__(self, state: State, order_id: int) -> None:
        self.state, self.trace = state, Trace(order_id)
        self.world = state.world
        self.engine = engine_at(self.world.engine, 0)
        self.advance = advance if self.engine.local_view else advance_bars
        self.order = order_at(self.world.orders, order_id & self.world.order_mask)
        self.single = SINGLE
        self.skip, self.changes = 1, 0
        self.last: Any = None
        self.front: float | None = None
        self.snapshot: dict[str, bytes] = {}

    # --- folding

    def fold(self, events: Events, low: int, high: int) -> None:
        """Fold events [low, high), taking the outputs away when asked to."""
        address = events.ctypes.data
        while low < high:
            code, low = self.advance(self.state.address, address, low, high)
            if code == FoldCode.DRAIN:
                self.state.drain()
            elif code != FoldCode.DONE:
                break  # where the run itself ended

    def take(self, events: Events) -> bool:
        """Fold a chunk; return whether the order has ended in it."""
        self.state.drain()
        self.snapshot = self.state.snapshot()
        if self.trace.event < 0:
            self.fold(events, 0, len(events))
            if self.engine.next_order_id <= self.trace.order_id:
                return False
            return self._walk(events, self._find(events))
        if self.single <= 0 and self._coarse(events):
            return False
        return self._walk(events, 0)

    def _rewind(self, events: Events, until: int) -> None:
        """Stand before event `until` of this chunk."""
        self.state.restore(self.snapshot)
        self.state.drain()
        self.fold(events, 0, until)
        self.state.drain()

    def _find(self, events: Events) -> int:
        """Stand before the event of this chunk in which the order is made, and look at how it is made; return it."""
        low, high = 0, len(events)  # made in [low, high)
        while high - low > 1:
            middle = (low + high) // 2
            self._rewind(events, middle)
            made = self.engine.next_order_id > self.trace.order_id
            low, high = (low, middle) if made else (middle, high)
        self._rewind(events, low)
        self.trace.event = int(self.engine.n_events) + 1
        before = self.state.snapshot()
        self._decide(events, low)
        plain = self.state.hash()
        self.state.restore(before)
        self.fold(events, low, low + 1)
        self.trace.same = self.state.hash() == plain
        self._rewind(events, low)
        return low

    def _coarse(self, events: Events) -> bool:
        """Fold a chunk as one step; return False, standing before it, where the order changed in it."""
        before = looks_of(self.order)
        self.fold(events, 0, len(events))
        if looks_of(self.order) == before and self.order.id == self.trace.order_id:
            self._note_queue()
            return True
        self._rewind(events, 0)
        return False

    def _walk(self, events: Events, low: int) -> bool:
        """Fold event by event from `low`; return whether the order has ended."""
        address, world, engine = events.ctypes.data, self.world, self.engine
        for k in range(low, len(events)):
            fills, head, tail = world.n_fills, engine.report_head, engine.report_tail
            code, _ = self.advance(self.state.address, address, k, k + 1)
            if code == FoldCode.DRAIN:
                self.state.drain()
                fills = 0
                self.advance(self.state.address, address, k, k + 1)
            self.single -= 1
            told = engine.report_tail != tail and self._note_reports(head)
            if world.n_fills != fills:
                self._note_fills(events, k, fills)
            if self._note(events, k, told):
                return True
        return False

    # --- looking

    def _note(self, events: Events, k: int, told: bool) -> bool:
        """Note what event `k` has changed, which may have `told` of the order; return whether it has ended."""
        order = self.order
        if order.id != self.trace.order_id:
            return False
        if looks_of(order) != self.last or told:
            self._note_course(events, k)
            self.last = looks_of(order)
            if order.status in FINAL:
                self.keep_row()
                self.trace.ended = True
                return True
        if order.note != 0:
            self._note_queue()
        return False

    def _note_course(self, events: Events, k: int) -> None:
        """Add what the order went through in event `k`, then what that left of it where this is something else."""
        trace, made = self.trace, list[Moment]()
        trace.courses += 1
        if trace.courses <= KEPT_COURSES:
            self._rewind(events, k)
            course = Course(self.engine, self.order, trace.order_id)
            with course.noting():
                self._plainly(events, k, Hooks(self.state))
            made = course.moments
            self._rewind(events, k)
            self.fold(events, k, k + 1)
        looks, ts_event = looks_of(self.order), self.order.ts_last
        made.append(Moment(self.engine.now, 0 if looks[0] in LOCAL else ts_event, looks))
        for moment in made:
            if not trace.moments or trace.moments[-1].looks != moment.looks:
                trace.moments.append(moment)

    def _note_queue(self) -> None:
        """Add the quantity ahead where it has changed; thin the points when there are too many."""
        order, trace = self.order, self.trace
        if order.note == 0:
            return
        market, venue = market_at(self.world.markets, order.instrument), venue_at(self.world.venues, order.instrument)
        front = order.front
        if market.level == BookLevel.ORDERS:
            front = float(lots_ahead(self.world, self.world.books + venue.ladder, order.note - 1))
        if front == self.front:
            return
        if self.front is None and order.front_post >= 0.0 and order.front_post != front:
            trace.queue.append((order.ts_accepted, order.front_post))
        self.front = front
        self.changes += 1
        if self.changes % self.skip == 0 or not trace.queue:
            trace.queue.append((venue.ts_event, max(front, 0.0)))
        if len(trace.queue) >= KEPT_POINTS:
            trace.queue = trace.queue[::2]
            self.skip *= 2

    def _note_reports(self, head: int) -> bool:
        """Note when the reports of the order that are on their way will be delivered; return whether there are any."""
        found = False
        for k in range(head, self.engine.report_tail):
            report = report_at(self.world.reports, k & self.world.report_mask)
            if report.order_id == self.trace.order_id:
                key = (report.kind, report.status, report.ts_event, report.filled_lots)
                self.trace.reports.setdefault(key, report.ts_deliver)
                found = True
        return found

    def _note_fills(self, events: Events, k: int, first: int) -> None:
        """Note the order's fills among the rows from `first` on, with what they met just before event `k`."""
        rows = self.state.fills[first : self.world.n_fills]
        mine = [int(row["fill_id"]) for row in rows if row["order_id"] == self.trace.order_id]
        if not mine:
            return
        number = int(self.engine.n_events)
        market = market_at(self.world.markets, self.order.instrument)
        bids: Levels = []
        asks: Levels = []
        bar: tuple[int, ...] = ()
        if market.level == BookLevel.BARS:
            bar = (market.open, market.high, market.low, market.close, market.volume)
        elif market.level != BookLevel.PRINTS and len(self.trace.fills) < KEPT_BOOKS:
            self._rewind(events, k)
            bids, asks = self._book(0), self._book(1)
            self.fold(events, k, k + 1)
        self.trace.fills += [Seen(fill_id, number, bids, asks, bar) for fill_id in mine]

    def _book(self, index: int) -> Levels:
        """Return the best levels of a side of the order's instrument."""
        market = market_at(self.world.markets, self.order.instrument)
        venue = venue_at(self.world.venues, self.order.instrument)
        made: Levels = []
        price = shown_best(self.world.books, market, venue, index)
        while price not in (NO_BID, NO_ASK) and len(made) < TOP:
            made.append((int(price), int(shown_qty(self.world.books, market, venue, index, price))))
            price = shown_next(self.world.books, market, venue, index, price)
        return made

    def keep_row(self) -> None:
        """Keep the order's record as it is now."""
        self.trace.row = self.state.orders[self.trace.order_id & self.world.order_mask].copy()

    # --- the event in which it is made

    def _decide(self, events: Events, k: int) -> None:
        """Apply event `k` as plain Python with an observer at the checks of the order."""
        hooks = Hooks(self.state)

        def watch(world: Any, engine: Any, order: Any, fault: int, credit: int) -> None:
            if order.id == self.trace.order_id:
                self.trace.hook = hooks.running
                self.trace.decision = _decision(world, engine, order)
                self.trace.checks = checks_of(world, engine, order, fault, credit)

        WATCHERS.append(watch)
        try:
            self._plainly(events, k, hooks)
        finally:
            WATCHERS.remove(watch)

    def _plainly(self, events: Events, k: int, hooks: Hooks) -> None:
        """Apply event `k` as plain Python; its rows are not kept."""
        try:
            with hooks:
                step(self.world, self.engine, event_at(events.ctypes.data, k))
        finally:
            self.state.drain()


def _decision(world: Any, engine: Any, order: Any) -> dict[str, int]:
    """Return what the order was when it was asked for, and what the strategy could see then."""
    market, venue = market_at(world.markets, order.instrument), venue_at(world.venues, order.instrument)
    position = position_at(world.positions, order.strategy * world.n_instruments + order.instrument)
    return {
        "ts": engine.now,
        "price_ticks": order.price_ticks,
        "trigger_ticks": order.trigger_ticks,
        "qty_lots": order.qty_lots,
        "bid_ticks": venue.bid,
        "bid_lots": venue.bid_lots,
        "ask_ticks": venue.ask,
        "ask_lots": venue.ask_lots,
        "twice_mark": market.twice_mark,
        "last_ticks": market.last,
        "position_lots": position.lots,
        "equity_atoms": engine.equity_atoms,
        "level": market.level,
    }


class Hooks:
    """While it is entered, plain Python calls the strategies' hooks by address; `running` names the last one called."""

    def __init__(self, state: State) -> None:
        self.state, self.running = state, ""
        self.before: dict[int, Any] = {}

    def __enter__(self) -> None:
        self.before = dict(records.HOOKS)
        for at, address in enumerate(self.state.hooks.tolist()):
            if address:
                hook = Hook(at % len(Hook))
                records.HOOKS[address] = self._noting(self._callable(address, hook), hook)

    def __exit__(self, *_error: object) -> None:
        records.HOOKS.clear()
        records.HOOKS.update(self.before)

    def _noting(self, call: Callable[..., int], hook: Hook) -> Callable[..., int]:
        def noted(*args: int) -> int:
            self.running = hook.name.lower()
            return call(*args)

        return noted

    def _callable(self, address: int, hook: Hook) -> Callable[..., int]:
        """Return what calls a hook: a plain function, or code in numba's calling convention."""
        if address in self.before:
            known: Callable[..., int] = self.before[address]
            return known
        pointer = ctypes.c_void_p
        pointers = 4 if hook in REPORT_HOOKS else 3
        code = ctypes.CFUNCTYPE(ctypes.c_int32, *[pointer] * (2 + pointers))(address)
        room = (pointer * 2)()

        def call(_result: int, _error: int, *args: int) -> int:
            start = ctypes.addressof(room)
            return 0 if code(start, start + ctypes.sizeof(pointer), *args) in (0, NUMBA_NONE) else 1

        return call
