"""State of the tick oracle: the account of the bar oracle, books, the reports that are on their way."""

from __future__ import annotations

import bisect
from dataclasses import dataclass, field
from fractions import Fraction
from math import floor

from tests.golden.protocol import FillRow
from tests.golden_ticks.protocol import OrderState, TickConfig, Told
from tests.oracle.bars_world import Order, Position, World
from tests.oracle.ticks_book import Book
from tradectl.core.codes import (
    BookLevel,
    MarketStatus,
    OrderStatus,
    OrderType,
    Reason,
)

__all__ = ["LIMITS", "STOPS", "Market", "Report", "TickOrder", "TickWorld", "interpolated"]

LIMITS = (OrderType.LIMIT, OrderType.STOP_LIMIT)
STOPS = (OrderType.STOP_MARKET, OrderType.STOP_LIMIT)


@dataclass
class TickOrder(Order):
    """An order with its place in a queue; `first_bar` says that it has not met a print yet."""

    resting: bool = False  # it stands in a queue of a book
    front: float = 0.0
    traded: int = 0  # lots traded at its price since the last depth
    ts_last: int = 0
    answered: int = 0  # when the venue's last answer about it is here
    seen: int = int(OrderStatus.SUBMITTED)

    @property
    def is_stop(self) -> bool:
        """Say whether this is a stop that has not been triggered."""
        return self.type in STOPS and not self.triggered

    @property
    def shown(self) -> OrderStatus:
        """Return the status with the overlay of a pending request."""
        return OrderStatus(self.row().status)

    @property
    def due(self) -> int | None:
        """Return when what is on its way of it reaches the venue: itself first, then a change of it."""
        if not self.live:
            return None
        if self.status == OrderStatus.SUBMITTED:
            return self.arrival
        return self.pending[0] if self.pending is not None else None

    def state(self) -> OrderState:  # type: ignore[override]
        """Return the order as a backend shows it."""
        return OrderState(
            self.id, int(self.shown), int(self.reason), self.filled, self.leaves, self.arrival, self.ts_last,
            self.seen, self.front if self.resting and self.live else None,
        )  # fmt: skip


@dataclass
class Market:
    """What is known of one instrument."""

    level: BookLevel
    book: Book = field(default_factory=Book)
    touch: tuple[int | None, int | None] = (None, None)  # bid and ask at the end of the last message
    touched: bool = False  # the message so far may have changed the touch
    broken: bool = False
    seen: bool = False  # it has had an event
    whole: bool = False  # broken, but synchronised again in this message
    depth_ts: int = 0  # newest stamps
    trade_ts: int = 0
    trade: int | None = None  # price of the last trade
    last_arrival: int = 0


@dataclass
class Report:
    """Something that the strategy will be told."""

    due: int
    order: TickOrder
    told: Told
    side: int


def interpolated(points: list[tuple[int, int]], ts: int) -> int:
    """Return the value at `ts` between points (stamp, value), rounded down; outside them the nearest one's."""
    stamps = [stamp for stamp, _ in points]
    at = bisect.bisect_right(stamps, ts) - 1
    if at < 0 or at == len(points) - 1:
        return points[max(at, 0)][1]
    (x0, y0), (x1, y1) = points[at], points[at + 1]
    return floor(y0 + Fraction((ts - x0) * (y1 - y0), x1 - x0))


@dataclass
class TickWorld(World):
    """The account, with books and reports; prices of valuation may lie between two ticks."""

    ticks: TickConfig = field(default_factory=TickConfig)
    markets: list[Market] = field(default_factory=list)
    marks: list[Fraction | None] = field(default_factory=list)
    reports: list[Report] = field(default_factory=list)  # by time of delivery
    seen_lots: list[int] = field(default_factory=list)
    now: int = 0  # local time
    at: int = 0  # the venue's time of what is happening
    near_ties: int = 0
    acks: list[int] = field(
        default_factory=list
    )  # how long each answer waited for the event that tells of it, ns

    @classmethod
    def begin(cls, ticks: TickConfig) -> TickWorld:
        """Return the state before anything has happened."""
        n = len(ticks.base.instruments)
        return cls(
            config=ticks.base, balance=ticks.base.balance_atoms, ticks=ticks,
            positions=[Position() for _ in range(n)], last=[None] * n, status=[MarketStatus.LISTED] * n,
            markets=[Market(level) for level in ticks.levels], marks=[None] * n, seen_lots=[0] * n,
        )  # fmt: skip

    def value(self, instrument: int) -> int:
        """Return the floor of position × mark, in atoms."""
        mark = self.marks[instrument]
        if mark is None:
            return 0
        unit = self.config.instruments[instrument].atoms_per_tick_lot
        return floor(self.positions[instrument].lots * mark * unit)

    def mark(self, instrument: int, price: Fraction) -> None:
        """Set the price that positions are valued at; orders are judged by its whole ticks."""
        self.marks[instrument], self.last[instrument] = price, floor(price)

    # ---- latency

    def entry(self, ts: int) -> int:
        """Return how long a request that is decided on at `ts` takes to the venue."""
        ts += self.ticks.compute_ns
        if not self.ticks.triples:
            return self.ticks.compute_ns + self.config.latency_entry_ns
        points = [(asked, reached - asked) for asked, reached, _ in self.ticks.triples]
        return self.ticks.compute_ns + interpolated(points, ts)

    def response(self, ts: int) -> int:
        """Return how long the venue's answer of `ts` takes."""
        if not self.ticks.triples:
            return self.ticks.response_ns
        answers = sorted((reached, back) for _, reached, back in self.ticks.triples)
        return interpolated([(reached, back - reached) for reached, back in answers], ts)

    # ---- reports

    def report(self, order: TickOrder, fill: FillRow | None = None, local: bool = False) -> None:
        """Let the strategy be told of an order: at once what is local, else when the answer can be here."""
        stamp = order.ts_last
        due = self.now
        if not local:  # of one order no answer overtakes an earlier one
            answered = stamp + self.response(stamp)
            self.acks.append(max(self.now - answered, 0))
            due = order.answered = max(self.now, answered, order.answered)
        lots, price = (fill.qty_lots, fill.price_ticks) if fill else (0, 0)
        shown = int(order.shown)
        if local:  # it tells nothing that is still on its way
            stamp = self.now
            shown = shown if not order.live or order.pending is not None else order.seen
        told = Told(due, order.id, shown, int(order.reason), stamp, lots, price)
        bisect.insort(self.reports, Report(due, order, told, order.side), key=lambda report: report.due)

    def end(self, order: Order, status: OrderStatus, reason: Reason) -> None:  # type: ignore[override]
        """Finish a live order and report it."""
        assert isinstance(order, TickOrder)
        World.end(order, status, reason)
        order.ts_last = self.at
        self.report(order, local=status == OrderStatus.DENIED)

    def book(self, order: Order, price: int, qty: int, liquidity: int, phase: int, ts: int) -> None:
        """Move money and lots for one fill, report it, keep the reduce_only orders within the position."""
        assert isinstance(order, TickOrder)
        before = self.positions[order.instrument].lots
        realised, fee = self.transfer(order.instrument, order.side, price, qty, liquidity)
        order.filled += qty
        order.status = OrderStatus.FILLED if order.filled == order.qty else OrderStatus.PARTIALLY_FILLED
        order.ts_last = ts
        row = FillRow(order.id, order.instrument, order.side, price, qty, liquidity, phase, fee, realised, ts)
        self.fills.append(row)
        self.report(order, row)
        self.orders.sort(key=lambda o: o.priority)
        self.shrink_reduce_only(order.instrument, before, order.side)

    def working(self, instrument: int) -> list[TickOrder]:
        """Return the orders that the venue has, by priority."""
        found = [o for o in self.orders if o.working and o.instrument == instrument]
        return sorted(found, key=lambda order: order.priority)  # type: ignore[arg-type]
