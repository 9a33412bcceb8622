"""The oracle for tick data: slow, obvious Python straight from docs/fills.md, 8; it shares no code with kernels."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from tests.golden.protocol import Cancel, FillRow, Modify, Request, Submit
from tests.golden_ticks.protocol import END, Event, OrderState, Result, Step, StepReport, TickConfig, Told
from tests.oracle import ticks_match as match
from tests.oracle.bars_checks import Gate, changed, opening_notional, reserve_for, validate, venue
from tests.oracle.hours import expiry_of, left_out
from tests.oracle.ticks_book import front_after
from tests.oracle.ticks_world import Market, TickOrder, TickWorld
from tradectl.core.codes import (
    BookLevel,
    Command,
    EventFlag,
    EventKind,
    FillPhase,
    GapScope,
    LiquiditySide,
    MarketStatus,
    OrderStatus,
    OrderType,
    Reason,
    Side,
    TimeInForce,
    TradingState,
    TriggerSource,
)

__all__ = ["TickOracle"]


class TickOracle:
    """A run: `step` after `step`."""

    name = "oracle"

    def __init__(self) -> None:
        self.configure(TickConfig())

    def configure(self, config: TickConfig) -> None:
        """Begin a new run."""
        self.config = config
        self.world = TickWorld.begin(config)
        self.gate = Gate()
        self.told: list[Told] = []
        self.known: dict[int, TickOrder] = {}
        self.timer: int | None = None
        self.late = self.crossed = self.gaps = 0

    # ---- one step

    def step(self, step: Step) -> StepReport:
        """Apply the events of a step, then its requests."""
        world = self.world
        world.fills, self.told = [], []
        for event in step.events:
            self.event(event)
        if step.timer is not None:
            self.timer = step.timer
        outcomes = [int(self.request(request)) for request in step.requests]
        world.orders = [order for order in world.orders if order.live]
        return StepReport(list(world.fills), outcomes, self.told, self.orders(), world.equity())

    def orders(self) -> dict[int, OrderState]:
        """Return all orders by id."""
        return {number: order.state() for number, order in self.known.items()}

    def event(self, event: Event) -> None:
        """Apply one event."""
        world = self.world
        self.tell(event.ts_recv, before=True)
        world.now = event.ts_recv
        world.warming = event.kind == EventKind.BAR
        if world.warming:
            self.warm(event)
            return
        if event.kind == EventKind.TIMER:
            for index in range(len(world.markets)):
                self.arrivals(index, event.ts_recv - event.words[0])
            self.tell(event.ts_recv)
            return
        if event.kind == EventKind.COMMAND:
            self.command(Command(event.words[0]))
            self.tell(event.ts_recv, timers=False)
            return
        if event.kind == EventKind.STATUS:
            self.status(event.instrument, MarketStatus(event.words[0]), event.words[1])
            return
        self.arrivals(event.instrument, event.ts_event)
        world.at = event.ts_event
        market = world.markets[event.instrument]
        market.seen = True
        if left_out(self.config.base, market.level, event.kind, event.ts_event):
            pass
        elif event.kind == EventKind.DEPTH:
            self.depth(market, event)
        elif event.kind == EventKind.QUOTE:
            self.quote(market, event)
        elif event.kind == EventKind.TRADE:
            self.trade(market, event)
        elif event.kind == EventKind.MARK:
            world.marked[event.instrument] = event.words[0]
        elif event.kind == EventKind.FUNDING:
            mark = world.marked[event.instrument] = event.words[1] or world.marked.get(event.instrument, 0)
            world.charge(event.instrument, mark or world.last[event.instrument] or 0, event.words[0])
        elif event.kind == EventKind.GAP:
            self.gaps += 1
            if event.aux == GapScope.BOOK:
                market.broken, market.whole = market.level != BookLevel.PRINTS, False
        elif event.kind == EventKind.CLEAR and market.level != BookLevel.PRINTS:
            market.book.clear()
            self.end_snapshot(market, event)
        if event.flags & END:
            self.end_message(event.instrument)
            self.tell(event.ts_recv)

    def warm(self, event: Event) -> None:
        """Take a derived bar of warm-up: its close is the price until the market has one of its own."""
        if not self.world.markets[event.instrument].seen:
            self.world.mark(event.instrument, Fraction(event.words[3]))
        self.tell(event.ts_recv)

    # ---- books

    def resting(self, instrument: int) -> list[TickOrder]:
        """Return the orders in queues."""
        return [order for order in self.world.working(instrument) if order.resting]

    def put(self, market: Market, event: Event, side: int, price: int, lots: int) -> None:
        """Set one level; queues follow."""
        touch = market.book.best(side)
        before, gave = market.book.put(side, price, lots)
        if price == touch or market.book.best(side) != touch or gave:
            market.touched = True
        if market.level != BookLevel.DEPTH:
            return
        config = self.config
        lot = float(config.base.instruments[event.instrument].lot_size)
        late = event.ts_event < market.trade_ts
        for order in self.resting(event.instrument):
            if (order.side, order.limit) == (side, price):
                change = (before, lots, 0 if late else order.traded)
                order.front = front_after(config.queue_model, config.queue_power, lot, order.front, change)
                order.traded = order.traded if late else 0

    def depth(self, market: Market, event: Event) -> None:
        """Apply one row of depth."""
        if event.flags & EventFlag.SNAPSHOT_BEGIN:
            market.book.clear()
        self.put(market, event, event.side, event.words[0], event.words[1])
        if event.flags & EventFlag.SNAPSHOT_END:
            self.end_snapshot(market, event)
            market.whole = market.broken
        self.late += event.ts_event < market.trade_ts
        market.depth_ts = max(market.depth_ts, event.ts_event)

    def end_snapshot(self, market: Market, event: Event) -> None:
        """After a snapshot no queue is longer than its level."""
        market.touched = True
        market.book.forget_gone()
        for order in self.resting(event.instrument):
            order.front = min(order.front, market.book.qty(order.side, order.limit))

    def quote(self, market: Market, event: Event) -> None:
        """Apply a quote to an L1 book."""
        if market.level != BookLevel.QUOTES:
            return
        for side, price, lots in ((1, *event.words[:2]), (-1, *event.words[2:4])):
            old = market.book.best(side)
            if old is not None and old != price:
                self.put(market, event, side, old, 0)
            if lots or old == price:
                self.put(market, event, side, price, lots)
            touch = market.book.best(side)
            for order in self.resting(event.instrument):
                if order.side == side and touch == order.limit:
                    order.front = min(order.front, lots)
                elif order.side == side and (touch is None or side * order.limit > side * touch):
                    order.front = min(order.front, 0)
        market.depth_ts = max(market.depth_ts, event.ts_event)
        if market.broken:
            market.whole = market.touched = True

    def trade(self, market: Market, event: Event) -> None:
        """Apply a trade."""
        price, lots = event.words[:2]
        late = event.ts_event < market.depth_ts
        self.late += late
        market.trade_ts, market.trade = max(market.trade_ts, event.ts_event), price
        if market.level == BookLevel.PRINTS:
            self.fire_stops(event.instrument, price, price)
            match.print_alone(self.world, event.instrument, price, lots)
            self.world.mark(event.instrument, Fraction(price))
        elif not market.broken:
            moves = not late and not event.flags & EventFlag.HIDDEN
            match.trade_at_own(self.world, event.instrument, (price, lots, event.side), moves)
            if self.config.trigger == TriggerSource.LAST:
                self.fire_stops(event.instrument, price, price)

    def end_message(self, index: int) -> None:
        """At the end of a message that may have changed the touch: mark, resume, fill, trigger."""
        world, market = self.world, self.world.markets[index]
        if not market.touched:
            return
        market.touched = False
        bid, ask = market.book.best(1), market.book.best(-1)
        moved, market.touch = market.touch != (bid, ask), (bid, ask)
        if market.book.crossed:
            self.crossed += 1
        elif moved and bid is not None and ask is not None:
            world.mark(index, Fraction(bid + ask, 2))
        if market.broken and market.whole:
            market.broken = market.whole = False
            self.resume(index)
        if market.broken or market.book.crossed:
            return
        match.crossed(world, index)
        if self.config.trigger == TriggerSource.BID_ASK and bid is not None and ask is not None:
            self.fire_stops(index, ask, bid)

    def resume(self, index: int) -> None:
        """Let the orders that arrived while the book was broken meet it."""
        for order in self.world.working(index):
            if not order.live or order.resting or order.is_stop:
                continue
            if order.post_only and match.would_take(self.world, order):
                self.world.end(order, OrderStatus.CANCELED, Reason.POST_ONLY_WOULD_TAKE)
            else:
                match.arrive(self.world, order)

    # ---- stops

    def fire_stops(self, index: int, high: int, low: int) -> None:
        """Trigger the stops that prices up to `high` and down to `low` reach, by priority."""
        for order in self.world.working(index):
            if order.live and order.is_stop and self.reached(order, high, low):
                self.fire(order)

    def reached(self, order: TickOrder, high: int, low: int) -> bool:
        """Say whether a stop is reached and does not wait for a position."""
        beyond = high >= order.trigger if order.side > 0 else low <= order.trigger
        return beyond and not match.waits(self.world, order)

    def fire(self, order: TickOrder) -> None:
        """Trigger a stop: a new place in time, then it meets its market."""
        order.triggered, order.status, order.ts_last = True, OrderStatus.TRIGGERED, self.world.at
        self.prioritise(order)
        self.world.report(order)
        match.arrive(self.world, order)

    def begin_work(self, order: TickOrder) -> None:
        """Let an order that has arrived or changed meet its market; a stop may be due already."""
        market = self.world.markets[order.instrument]
        if not order.is_stop:
            match.arrive(self.world, order)
            return
        high = low = market.trade
        if self.config.trigger == TriggerSource.BID_ASK and market.level != BookLevel.PRINTS:
            high, low = market.book.best(-1), market.book.best(1)
            if market.book.crossed:
                return
        known = high is not None and low is not None and not market.broken
        if known and self.reached(order, high, low):  # type: ignore[arg-type]
            self.fire(order)

    # ---- arrivals

    def arrivals(self, index: int, until: int) -> None:
        """Let what arrives before `until` take effect, by arrival, then order id."""
        while True:
            due = [
                (o.due, o.id, o)
                for o in self.known.values()
                if o.instrument == index and o.due is not None and o.due < until
            ]
            mine = [o for o in self.known.values() if o.live and o.instrument == index]  # end just before their time
            due += [(o.expires - 1, o.id, o) for o in mine if o.expires is not None and o.expires <= until]
            if not due:
                return
            self.world.at, _, order = min(due, key=lambda entry: entry[:2])
            if order.expires is not None and self.world.at == order.expires - 1 and order.due != self.world.at:
                self.world.at = order.expires
                self.world.lapse(order)
            elif order.status == OrderStatus.SUBMITTED:
                self.accept(order)
            else:
                assert order.pending is not None
                change, order.pending = order.pending[1], None
                if change is None:
                    self.world.end(order, OrderStatus.CANCELED, Reason.CANCELED_BY_STRATEGY)
                else:
                    self.effect(order, change)

    def judge(self, order: TickOrder) -> Reason:
        """Return why the venue refuses an order."""
        plain = replace(order, post_only=False)
        if reason := venue(self.world, plain, order.id):
            return reason
        takes = order.post_only and match.would_take(self.world, order)
        return Reason.POST_ONLY_WOULD_TAKE if takes else Reason.NONE

    def accept(self, order: TickOrder) -> None:
        """Let the venue accept or reject an order that has arrived."""
        order.ts_last = self.world.at
        if reason := self.judge(order):
            self.world.end(order, OrderStatus.REJECTED, reason)
            return
        order.status = OrderStatus.ACCEPTED
        self.prioritise(order)
        self.world.report(order)
        self.begin_work(order)

    def prioritise(self, order: TickOrder) -> None:
        """Give an order the next place in time; it leaves its queue."""
        self.world.priorities += 1
        order.priority, order.resting, order.first_bar = self.world.priorities, False, True

    def effect(self, order: TickOrder, change: Modify) -> None:
        """Let a modification take effect unless the venue refuses it."""
        order.ts_last = self.world.at
        asked = changed(order, change)
        made = twin(order, asked)
        reason = Reason.MODIFY_BELOW_FILLED if made.leaves <= 0 else self.judge(made)
        if reason:
            self.refuse(order, reason, local=False)
            return
        same = (made.limit, made.trigger) == (order.limit, order.trigger)
        keeps = same and made.qty <= order.qty
        order.qty, order.limit, order.trigger = made.qty, made.limit, made.trigger
        self.reserve(order)
        if not keeps:
            self.prioritise(order)
        self.world.report(order)
        if not keeps:
            self.begin_work(order)

    def refuse(self, order: TickOrder, reason: Reason, local: bool = True) -> Reason:
        """Report that a change was refused; the order stays as it was."""
        order.reason, kept = reason, order.reason
        self.world.report(order, local=local)
        order.reason = kept
        return reason

    def reserve(self, order: TickOrder) -> None:
        """Reserve for what an order opens."""
        order.reserve, order.reserve_qty = reserve_for(self.world, order), max(1, order.leaves)
        order.exposure = opening_notional(self.world, order)

    # ---- requests

    def request(self, request: Request) -> Reason:
        """Take one request of a hook."""
        if isinstance(request, Submit):
            return self.submit(request)
        order = self.known.get(request.order_id)
        if order is None or not order.live:
            return Reason.UNKNOWN_ORDER
        if order.pending is not None:
            return self.refuse(order, Reason.REQUEST_PENDING)
        if isinstance(request, Modify):
            asked = changed(order, request)
            reason = validate(self.world, asked)
            if not reason and asked.qty_lots <= order.filled:
                reason = Reason.MODIFY_BELOW_FILLED
            reason = reason or self.gate.check(self.world, twin(order, asked), self.world.now, changing=order)
            if reason:
                return self.refuse(order, reason)
        change = None if isinstance(request, Cancel) else request
        order.pending = (self.arrival(order.instrument), change)
        self.world.report(order, local=True)
        return Reason.NONE

    def arrival(self, instrument: int) -> int:
        """Return when what is sent now arrives: not before what was sent earlier."""
        market = self.world.markets[instrument]
        market.last_arrival = max(market.last_arrival, self.world.now + self.world.entry(self.world.now))
        return market.last_arrival

    def submit(self, request: Submit) -> Reason:
        """Validate, check and send a new order."""
        world, s = self.world, request
        number = len(self.known) + 1
        order = self.known[number] = TickOrder(
            number, s.instrument, s.side, s.order_type, s.time_in_force, s.qty_lots, s.limit_ticks,
            s.trigger_ticks, s.post_only, s.reduce_only, world.now, ts_last=world.now, expires=s.expires,
        )  # fmt: skip
        reason = validate(world, request, world.now) or self.gate.check(world, order, world.now)
        if reason:
            world.at = world.now
            world.end(order, OrderStatus.DENIED, reason)
            return reason
        self.reserve(order)
        self.send(order)
        return Reason.NONE

    def send(self, order: TickOrder) -> None:
        """Send an order on its way."""
        self.world.orders.append(order)
        self.world.priorities += 1
        order.priority = self.world.priorities
        order.arrival = self.arrival(order.instrument)
        order.expires = expiry_of(self.config.base, order.tif, order.expires or 0, order.arrival)

    def command(self, command: Command) -> None:
        """Apply a user's command; it does not travel."""
        states = {
            Command.HALT: TradingState.HALTED,
            Command.RESUME: TradingState.ACTIVE,
            Command.REDUCE: TradingState.REDUCING,
        }
        self.world.trading = states.get(command, self.world.trading)
        if command in (Command.CANCEL_ALL, Command.FLATTEN):
            for index in range(len(self.world.markets)):
                self.cancel_all(index, Reason.CANCELED_BY_COMMAND)
        if command == Command.FLATTEN:
            self.flatten()

    def cancel_all(self, index: int, reason: Reason) -> None:
        """Cancel every order of an instrument, those under way as well."""
        self.world.at = self.world.now
        for order in sorted(self.world.orders, key=lambda o: o.priority):
            if order.live and order.instrument == index:
                self.world.end(order, OrderStatus.CANCELED, reason)

    def flatten(self) -> None:
        """Halt, and send a reduce_only MARKET order of the risk unit for every position."""
        self.world.trading = TradingState.HALTED
        for index, position in enumerate(self.world.positions):
            if position.lots:
                side = Side.SELL if position.lots > 0 else Side.BUY
                number, lots = len(self.known) + 1, abs(position.lots)
                order = TickOrder(
                    number, index, side, OrderType.MARKET, TimeInForce.GTC, lots, 0, 0, reduce_only=True,
                    ts=self.world.now, ts_last=self.world.now, system=True,
                )  # fmt: skip
                self.known[number] = order
                self.send(order)

    def status(self, index: int, status: MarketStatus, price: int) -> None:
        """List, halt or delist an instrument; delisting ends its orders and its position (6)."""
        world = self.world
        listed, world.status[index] = world.status[index], status
        last, lots = world.last[index], world.positions[index].lots
        if status != MarketStatus.DELISTED or listed == MarketStatus.DELISTED or last is None:
            return
        self.cancel_all(index, Reason.INSTRUMENT_DELISTED)
        world.last[index] = price or last
        if not lots:
            return
        side = Side.SELL if lots > 0 else Side.BUY
        realised, fee = world.transfer(index, side, price or last, abs(lots), LiquiditySide.TAKER)
        terms = (LiquiditySide.TAKER, FillPhase.DELISTING, fee, realised, world.now)
        fill = FillRow(0, index, side, price or last, abs(lots), *terms)
        world.fills.append(fill)
        order = TickOrder(0, index, side, OrderType.MARKET, TimeInForce.GTC, abs(lots), 0, 0)
        order.status, order.ts_last = OrderStatus.FILLED, world.now
        world.report(order, fill)

    # ---- local time

    def tell(self, until: int, before: bool = False, timers: bool = True) -> None:
        """Deliver reports and fire the timer in order of time, those due by `until` (`before`: earlier ones)."""
        reports, limit = self.world.reports, until - before
        while True:
            timer = self.timer if timers and self.timer is not None and self.timer <= limit else None
            due = reports[0].due if reports and reports[0].due <= limit else None
            if due is not None and (timer is None or due <= timer):
                report = reports.pop(0)
                report.order.seen = report.told.status
                self.world.seen_lots[report.order.instrument] += report.side * report.told.lots
                self.told.append(report.told)
            elif timer is not None:
                self.told.append(Told(timer))
                self.timer = None
            else:
                return

    def result(self) -> Result:
        """Return what stands at the end."""
        world = self.world
        held, realised = sum(p.cost for p in world.positions), sum(p.realised for p in world.positions)
        balanced = world.balance + held + world.fees + world.funding == self.config.base.balance_atoms + realised
        return Result(
            [p.lots for p in world.positions], list(world.seen_lots), [p.cost for p in world.positions],
            world.balance, world.fees, world.equity(), self.late, self.crossed, self.gaps, balanced,
            (len(world.acks), sum(late > 0 for late in world.acks), sum(world.acks)), world.funding,
        )  # fmt: skip


def twin(order: TickOrder, asked: Submit) -> TickOrder:
    """Return a copy of an order with the values asked for."""
    return replace(order, qty=asked.qty_lots, limit=asked.limit_ticks, trigger=asked.trigger_ticks)
