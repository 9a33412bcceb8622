"""The oracle for bars: the whole fill contract, one timestamp at a time, slow and obvious."""

from __future__ import annotations

import copy
from collections.abc import Callable
from fractions import Fraction

from tests.golden.protocol import (
    E9,
    Bar,
    Cancel,
    Config,
    FillRow,
    Modify,
    OrderRow,
    PositionRow,
    Request,
    Result,
    Step,
    Submit,
)
from tests.oracle import bars_match as match
from tests.oracle.bars_checks import (
    Gate, changed, marketable, opening_notional, order_of, reserve_for, validate, venue,
)  # fmt: skip
from tests.oracle.bars_world import Order, World
from tests.oracle.hours import begin_of_bar, expiry_of
from tradectl.core.codes import (
    Breach,
    Command,
    FillAt,
    FillPhase,
    LiquiditySide,
    MarketStatus,
    OrderStatus,
    OrderType,
    Reason,
    Side,
    TimeInForce,
    TradingState,
)

__all__ = ["Oracle"]


class Oracle:
    """One run; `apply(step)` once per timestamp, then `result()`."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.world = World.start(config)
        self.gate = Gate()
        self.orders: list[OrderRow] = []  # row n belongs to id n + 1, refreshed after each step
        self.fills: list[FillRow] = []
        self.equity: list[tuple[int, int]] = []
        self.ambiguous = 0
        self.dues: list[tuple[int, int, int, int]] = []  # funding that waits for its bar
        self.breached = False
        self.peak = config.balance_atoms
        self.next_id = 1
        self.now = 0
        if config.fill_at == FillAt.CLOSE and config.latency_entry_ns:
            raise ValueError("fill_at: close demands zero latency")

    # ---- one timestamp

    def apply(self, step: Step) -> list[int]:
        """Apply one timestamp; return one reason per request (NONE: taken)."""
        self.now = step.ts
        for instrument, status, price in step.statuses:
            self.status_event(instrument, status, price)
        for command in step.commands:
            self.command(command)
        for index, ts, rate, price in step.funding:
            self.world.marked[index] = price or self.world.marked.get(index, 0)
            self.dues.append((index, ts, rate, self.world.marked[index]))
        self.world.warming = step.warmup
        bars: dict[int, Bar] = {}
        if step.warmup:
            self.warm(self.inside(step.bars))
        elif bars := self.inside(step.bars):
            self.batch(bars, step.details)
        if not step.warmup and (bars or not step.bars):
            self.drawdown()
        outcomes = [int(self.request(request)) for request in step.requests]
        if not step.warmup:
            self.equity.append((step.ts, self.world.equity()))
        self.refresh()
        return outcomes

    def begun(self, index: int) -> int | None:
        """Return when an instrument's bar that ends now began; None where it lies outside all sessions."""
        start = max(self.now - self.config.timeframe_ns, self.world.ended[index])
        return begin_of_bar(self.config, start, self.now)

    def inside(self, bars: dict[int, Bar]) -> dict[int, Bar]:
        """Return the bars that are not left out."""
        return {index: bar for index, bar in bars.items() if self.begun(index) is not None}

    def lapse(self, index: int, until: int) -> None:
        """End the orders of an instrument whose time has come."""
        for order in self.world.orders:
            if order.live and order.instrument == index and order.expires is not None and order.expires <= until:
                self.world.lapse(order)

    def refresh(self) -> None:
        """Move the step's fills and orders into the tables; forget final orders."""
        self.fills += self.world.fills
        self.world.fills = []
        for order in self.world.orders:
            self.orders[order.id - 1] = order.row()
        self.world.orders = [order for order in self.world.orders if order.live]

    def batch(self, bars: dict[int, Bar], details: dict[int, list[Bar]]) -> None:
        """Run the phases of section 4 up to the marks."""
        indexes = sorted(i for i in bars if self.world.status[i] != MarketStatus.DELISTED)
        for index in indexes:
            self.begin(index, bars[index])
        self.settle(indexes, lambda i: self.world.begun[i], lambda i: self.world.last[i] or 0)
        for index in indexes:
            self.lapse(index, self.world.begun[index])
        self.arrivals(indexes)
        acting = [i for i in indexes if not bars[i].synthetic]
        acted: set[int] = set()
        for reducing in (True, False):
            for index in acting:
                self.open_pass(index, bars[index].open, reducing, acted)
        self.settle(indexes, lambda _: self.now - 1, lambda i: bars[i].open)
        for index in indexes:
            self.lapse(index, self.now - 1)
            if index in acting:
                self.path(index, bars[index], details.get(index, []))
            self.lapse(index, self.now)
        self.settle(indexes, lambda _: self.now, lambda i: bars[i].close)
        for index in indexes:
            self.world.last[index] = bars[index].close

    def settle(self, indexes: list[int], until: Callable[[int], int], price: Callable[[int], int]) -> None:
        """Settle the funding that is due until a time, at the mark or else the price that the bars tell."""
        due = [row for row in self.dues if row[0] in indexes and row[1] <= until(row[0])]
        self.dues = [row for row in self.dues if row not in due]
        for index, _, rate, mark in due:
            self.world.charge(index, mark or price(index), rate)

    def warm(self, bars: dict[int, Bar]) -> None:
        """Take bars of warm-up: prices, and nothing else."""
        for index, bar in bars.items():
            self.begin(index, bar)
            self.world.last[index] = bar.close

    def begin(self, index: int, bar: Bar) -> None:
        """Begin a bar: its volume budget (none for a synthetic one)."""
        world = self.world
        world.bars[index] = bar
        world.begun[index] = self.begun(index) or 0
        world.ended[index] = self.now
        world.positions[index].opened = False
        world.budget[index] = None
        if bar.synthetic:
            world.budget[index] = 0
        elif bar.volume is not None:
            world.budget[index] = bar.volume * self.config.participation_e9 // E9

    def open_pass(self, index: int, price: int, reducing: bool, acted: set[int]) -> None:
        """Let the reducing orders, or all others, act at the open (3.1)."""
        start = self.world.begun[index]
        for order in self.world.by_priority(index):
            if not order.working or order.id in acted:
                continue
            if match.waits(self.world, order):
                order.first_bar = order.first_bar and reducing
            elif not reducing or self.world.reduces(order):
                acted.add(order.id)
                match.act_at_open(self.world, order, price, start)

    # ---- the path

    def path(self, index: int, bar: Bar, finer: list[Bar]) -> None:
        """Walk one bar's path; an ambiguous one by its finer bars where there are any (3.5)."""
        if not self.world.by_priority(index):
            return
        high, low = self.both(index, bar)
        unclear = match.ambiguous(self.world, high, low, index, bar)
        if not unclear or not finer:
            self.world = match.preferred(index, bar, high, low)
        else:
            unclear = self.finer_path(index, finer)
        if unclear:
            self.count_ambiguous(index)

    def finer_path(self, index: int, finer: list[Bar]) -> bool:
        """Walk the paths of the finer bars; say whether one of them is ambiguous."""
        unclear = False
        for number, small in enumerate(finer):
            if number > 0:  # from the last close to this open, rising leg first
                match.walk(self.world, index, small.open, [(small.open, True), (small.open, False)], self.now)
            high, low = self.both(index, small)
            unclear = unclear or match.ambiguous(self.world, high, low, index, small)
            self.world = match.preferred(index, small, high, low)
        return unclear

    def both(self, index: int, bar: Bar) -> tuple[World, World]:
        """Walk both paths of a bar on copies."""
        worlds = self.world.clone(), self.world.clone()
        for world, legs in zip(worlds, match.paths(bar), strict=True):
            match.walk(world, index, bar.open, legs, self.now)
        return worlds

    def count_ambiguous(self, index: int) -> None:
        """Count the bar and flag its fills."""
        self.ambiguous += 1
        match.flag_ambiguous(self.world, index)

    # ---- requests

    def request(self, request: Request) -> Reason:
        """Take one request of a hook."""
        if isinstance(request, Submit):
            return self.submit(request)
        order = next((o for o in self.world.orders if o.id == request.order_id and o.live), None)
        if order is None:
            return Reason.UNKNOWN_ORDER
        if order.pending is not None:
            return Reason.REQUEST_PENDING
        if isinstance(request, Cancel):
            if self.config.latency_entry_ns:
                order.pending = (self.now + self.config.latency_entry_ns, None)
            else:
                self.world.end(order, OrderStatus.CANCELED, Reason.CANCELED_BY_STRATEGY)
            return Reason.NONE
        return self.modify(order, request)

    def submit(self, request: Submit) -> Reason:
        """Validate, check and send a new order."""
        world = self.world
        order = order_of(request, self.next_id, self.now)
        self.next_id += 1
        self.orders.append(order.row())
        reason = validate(world, request, self.now) or self.gate.check(world, order, self.now)
        if reason:
            world.end(order, OrderStatus.DENIED, reason)
        world.orders.append(order)
        if order.live:
            self.send(order)
        return order.reason if order.status in (OrderStatus.DENIED, OrderStatus.REJECTED) else Reason.NONE

    def send(self, order: Order) -> None:
        """Reserve for an order and send it on its way to the venue."""
        order.reserve, order.reserve_qty = reserve_for(self.world, order), max(1, order.leaves)
        order.exposure = opening_notional(self.world, order)
        order.arrival = self.now + self.config.latency_entry_ns
        order.expires = expiry_of(self.config, order.tif, order.expires or 0, order.arrival)
        if not self.config.latency_entry_ns:
            self.accept(order)

    def accept(self, order: Order) -> None:
        """Let the venue check and accept an order; `fill_at: close` executes a MARKET order at once."""
        world = self.world
        reason = venue(world, order, order.id)
        if reason:
            world.end(order, OrderStatus.REJECTED, reason)
            return
        order.status = OrderStatus.ACCEPTED
        self.prioritise(order)
        if self.config.fill_at == FillAt.CLOSE and order.type == OrderType.MARKET:
            match.act_at_close(world, order, self.now)

    def prioritise(self, order: Order) -> None:
        """Give the next priority; a LIMIT is judged marketable or not at this moment."""
        self.world.priorities += 1
        order.priority = self.world.priorities
        order.marketable = marketable(self.world, order)
        order.first_bar = True

    def modify(self, order: Order, change: Modify) -> Reason:
        """Check a modification now; it takes effect at once or after the entry latency.

        # choice: 1xx, order quantity and notional see the new total, the account's checks what is left.
        """
        asked = changed(order, change)
        reason = validate(self.world, asked)
        if not reason and asked.qty_lots <= order.filled:
            reason = Reason.MODIFY_BELOW_FILLED
        if not reason:
            reason = self.gate.check(self.world, self.twin(order, asked), self.now, changing=order)
        if reason:
            return reason
        if self.config.latency_entry_ns:
            order.pending = (self.now + self.config.latency_entry_ns, change)
            return Reason.NONE
        return self.effect(order, change)

    @staticmethod
    def twin(order: Order, asked: Submit) -> Order:
        """Return a copy of `order` with the values asked for."""
        made = copy.copy(order)
        made.qty, made.limit, made.trigger = asked.qty_lots, asked.limit_ticks, asked.trigger_ticks
        return made

    def effect(self, order: Order, change: Modify) -> Reason:
        """Let a modification take effect, unless the venue refuses it: then the order stays as it was."""
        asked = changed(order, change)
        if asked.qty_lots <= order.filled:
            return Reason.MODIFY_BELOW_FILLED
        made = self.twin(order, asked)
        if reason := venue(self.world, made, order.id):
            return reason
        same_prices = (made.limit, made.trigger) == (order.limit, order.trigger)
        keeps = same_prices and made.qty <= order.qty
        order.qty, order.limit, order.trigger = made.qty, made.limit, made.trigger
        order.reserve, order.reserve_qty = reserve_for(self.world, order), max(1, order.leaves)
        order.exposure = opening_notional(self.world, order)
        if not keeps and order.working:
            self.prioritise(order)
        return Reason.NONE

    def arrivals(self, indexes: list[int]) -> None:
        """Let what has arrived by the start of the bars take effect, by arrival time, then order id (3.1)."""
        due: list[tuple[int, int, int, Order]] = []
        for order in self.world.orders:
            if order.instrument not in indexes or not order.live:
                continue
            start = self.world.begun[order.instrument]
            if order.status == OrderStatus.SUBMITTED and order.arrival <= start:
                due.append((order.arrival, order.id, 0, order))
            if order.pending is not None and order.pending[0] <= start:
                due.append((order.pending[0], order.id, 1, order))
        for _, _, kind, order in sorted(due, key=lambda entry: entry[:3]):
            if kind == 0:
                self.accept(order)
            elif order.live and order.pending is not None:
                change = order.pending[1]
                order.pending = None
                if change is None:
                    self.world.end(order, OrderStatus.CANCELED, Reason.CANCELED_BY_STRATEGY)
                else:
                    self.effect(order, change)

    # ---- risk, commands, statuses

    def drawdown(self) -> None:
        """Check the drawdown once per timestamp.

        # choice: exactly at the limit is allowed; a breach acts once, until a RESUME.
        """
        equity = self.world.equity()
        self.peak = max(self.peak, equity)
        limit = self.config.max_drawdown_e9
        if limit is None or self.breached or 1 - Fraction(equity, self.peak) <= Fraction(limit, E9):
            return
        self.breached = True
        if self.config.on_breach in (Breach.CANCEL_ALL, Breach.FLATTEN):
            self.cancel_all(Reason.CANCELED_BY_RISK)
        if self.config.on_breach == Breach.FLATTEN:
            self.flatten()
        else:
            self.world.trading = TradingState.REDUCING

    def cancel_all(self, reason: Reason) -> None:
        """Cancel every order, those in flight as well."""
        for order in self.world.orders:
            if order.live:
                self.world.end(order, OrderStatus.CANCELED, reason)

    def flatten(self) -> None:
        """Close every position by a reduce_only MARKET order, by instrument index, and halt.

        # choice: a FLATTEN command halts as a breach with `on_breach: flatten` does.
        """
        self.world.trading = TradingState.HALTED
        for index, position in enumerate(self.world.positions):
            if not position.lots:
                continue
            side = Side.SELL if position.lots > 0 else Side.BUY
            order = Order(
                self.next_id, index, side, OrderType.MARKET, TimeInForce.GTC, abs(position.lots), 0, 0,
                reduce_only=True, ts=self.now, system=True,
            )  # fmt: skip
            self.next_id += 1
            self.orders.append(order.row())
            self.world.orders.append(order)
            self.send(order)

    def command(self, command: Command) -> None:
        """Apply a user's command."""
        states = {
            Command.HALT: TradingState.HALTED,
            Command.RESUME: TradingState.ACTIVE,
            Command.REDUCE: TradingState.REDUCING,
        }
        if command in states:
            self.world.trading = states[command]
            self.breached = self.breached and command != Command.RESUME
        elif command in (Command.CANCEL_ALL, Command.FLATTEN):
            self.cancel_all(Reason.CANCELED_BY_COMMAND)
            if command == Command.FLATTEN:
                self.flatten()

    def status_event(self, index: int, status: MarketStatus, price: int) -> None:
        """List, halt or delist an instrument; a delisting ends its orders and its position (6)."""
        world = self.world
        world.status[index] = status
        if status != MarketStatus.DELISTED:
            return
        for order in world.orders:
            if order.live and order.instrument == index:
                world.end(order, OrderStatus.CANCELED, Reason.INSTRUMENT_DELISTED)
        for row in [row for row in self.dues if row[0] == index]:
            self.dues.remove(row)
            world.charge(index, row[3] or world.last[index] or 0, row[2])
        lots = world.positions[index].lots
        if not lots:
            return
        side = Side.SELL if lots > 0 else Side.BUY
        at = 0 if self.config.write_off else price or world.last[index] or 0
        paid = None if self.config.write_off else LiquiditySide.TAKER
        realised, fee = world.transfer(index, side, at, abs(lots), paid)
        terms = (LiquiditySide.TAKER, FillPhase.DELISTING, fee, realised, self.now)
        world.fills.append(FillRow(0, index, side, at, abs(lots), *terms))

    # ---- results

    def result(self) -> Result:
        """Return the rows of the run."""
        world = self.world
        positions = [
            PositionRow(i, p.lots, p.cost, p.realised) for i, p in enumerate(world.positions)
        ]
        held = sum(p.cost_atoms for p in positions)
        realised = sum(p.realised_atoms for p in positions)
        balanced = world.balance + held + world.fees + world.funding == self.config.balance_atoms + realised
        return Result(
            list(self.fills), list(self.orders), positions, world.balance, world.fees, list(self.equity),
            self.ambiguous, world.trading, balanced, world.funding,
        )  # fmt: skip
