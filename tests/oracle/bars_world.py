"""State of the oracle: orders, positions, one account; and its money arithmetic in exact fractions."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from fractions import Fraction
from math import ceil, floor

from tests.golden.protocol import E9, Bar, Config, FillRow, Modify, OrderRow
from tradectl.core.codes import (
    AccountType,
    LiquiditySide,
    MarketStatus,
    OrderStatus,
    OrderType,
    Reason,
    Side,
    TimeInForce,
    TradingState,
)

__all__ = ["FINAL", "Order", "Position", "World"]

FINAL = (
    OrderStatus.FILLED,
    OrderStatus.CANCELED,
    OrderStatus.EXPIRED,
    OrderStatus.DENIED,
    OrderStatus.REJECTED,
)


@dataclass
class Order:
    """One order; `status` is without the overlay of a pending request."""

    id: int
    instrument: int
    side: int
    type: int
    tif: int
    qty: int
    limit: int
    trigger: int
    post_only: bool = False
    reduce_only: bool = False
    ts: int = 0
    arrival: int = 0
    system: bool = False
    expires: int | None = None  # when it ends by itself
    status: OrderStatus = OrderStatus.SUBMITTED
    reason: Reason = Reason.NONE
    filled: int = 0
    priority: int = 0
    triggered: bool = False
    marketable: bool = False
    first_bar: bool = True
    pending: tuple[int, Modify | None] | None = None  # (arrival, change); no change: a cancel
    reserve: int = 0  # atoms reserved for `reserve_qty` lots
    reserve_qty: int = 1
    exposure: int = 0  # opening notional of `reserve_qty` lots when sent or modified

    @property
    def live(self) -> bool:
        """Say whether the order can still do anything."""
        return self.status not in FINAL

    @property
    def working(self) -> bool:
        """Say whether the venue has it."""
        return self.live and self.status != OrderStatus.SUBMITTED

    @property
    def leaves(self) -> int:
        """Return the lots that are still to be filled."""
        return self.qty - self.filled if self.live else 0

    @property
    def reserved(self) -> int:
        """Return the atoms that are reserved for what is left.

        # choice: "shrinks pro rata" is rounded up, against the trader.
        """
        return ceil(Fraction(self.reserve * self.leaves, self.reserve_qty)) if self.live else 0

    def row(self) -> OrderRow:
        """Return the order as it is shown."""
        status = self.status
        if self.live and self.pending is not None:
            status = OrderStatus.PENDING_CANCEL if self.pending[1] is None else OrderStatus.PENDING_UPDATE
        what = (self.id, self.instrument, self.side, self.type)
        return OrderRow(*what, status, self.reason, self.filled, self.leaves, self.ts)

    def state(self) -> tuple[object, ...]:
        """Return what "state of any order" means when two paths are compared."""
        return (self.id, self.status, self.reason, self.filled, self.leaves, self.triggered)


@dataclass
class Position:
    """Lots, signed cost and realised P&L of one instrument."""

    lots: int = 0
    cost: int = 0
    realised: int = 0
    opened: bool = False  # opened or flipped in the current bar


@dataclass
class World:
    """Everything that changes during a run."""

    config: Config
    balance: int = 0
    fees: int = 0
    orders: list[Order] = field(default_factory=list)  # live ones first made first
    positions: list[Position] = field(default_factory=list)
    last: list[int | None] = field(default_factory=list)
    status: list[MarketStatus] = field(default_factory=list)
    bars: list[Bar | None] = field(default_factory=list)
    budget: list[int | None] = field(default_factory=list)  # None: unlimited
    begun: list[int] = field(default_factory=list)  # when the current bar began, ns
    ended: list[int] = field(default_factory=list)  # when the last bar ended, ns
    fills: list[FillRow] = field(default_factory=list)  # of the current step
    priorities: int = 0
    trading: TradingState = TradingState.ACTIVE
    funding: int = 0  # paid, atoms
    marked: dict[int, int] = field(default_factory=dict)  # mark prices told, ticks
    warming: bool = False  # what happens now is history from before the session

    @classmethod
    def start(cls, config: Config) -> World:
        """Return the state before anything has happened."""
        n = len(config.instruments)
        return cls(
            config=config,
            balance=config.balance_atoms,
            positions=[Position() for _ in range(n)],
            last=[None] * n,
            status=[MarketStatus.LISTED] * n,
            bars=[None] * n,
            budget=[0] * n,
            begun=[0] * n,
            ended=[0] * n,
        )

    def charge(self, instrument: int, price: int, rate: int) -> None:
        """Settle funding at a rate in 1e-12: notional and charge are each rounded against the trader."""
        lots = self.positions[instrument].lots
        exact = abs(lots) * price * self.config.instruments[instrument].atoms_per_tick_lot
        notional = ceil(exact) if lots * rate > 0 else floor(exact)
        paid = ceil(Fraction((notional if lots > 0 else -notional) * rate, 10**12))
        self.funding += paid
        self.balance -= paid

    def clone(self) -> World:
        """Copy what can change, so that a path can be tried."""
        twin = copy.copy(self)
        twin.orders = [copy.copy(order) for order in self.orders]
        twin.positions = [copy.copy(position) for position in self.positions]
        twin.last, twin.budget, twin.fills = list(self.last), list(self.budget), list(self.fills)
        return twin

    # ---- money

    @property
    def cash(self) -> bool:
        """Say whether the account may neither borrow nor go short."""
        return self.config.account == AccountType.CASH

    def notional(self, instrument: int, price: int, qty: int, side: int) -> int:
        """Return price × qty in atoms: up for a buy, down for a sell."""
        exact = price * qty * self.config.instruments[instrument].atoms_per_tick_lot
        return ceil(exact) if side == Side.BUY else floor(exact)

    def fee(self, notional: int, liquidity: int) -> int:
        """Return `ceil(notional × rate)`; a rebate is negative."""
        rate = self.config.maker_e9 if liquidity == LiquiditySide.MAKER else self.config.taker_e9
        return ceil(Fraction(notional * rate, E9))

    def over_leverage(self, atoms: int) -> int:
        """Return `ceil(atoms / leverage)`."""
        return ceil(Fraction(atoms * E9, self.config.leverage_e9))

    def value(self, instrument: int) -> int:
        """Return the floor of position × last price, in atoms."""
        last = self.last[instrument]
        if last is None:
            return 0
        lots = self.positions[instrument].lots
        return floor(lots * last * self.config.instruments[instrument].atoms_per_tick_lot)

    def equity(self) -> int:
        """Return balance + values."""
        return self.balance + sum(self.value(i) for i in range(len(self.positions)))

    def margin_used(self) -> int:
        """Return the margin of all positions."""
        return sum(self.over_leverage(abs(self.value(i))) for i in range(len(self.positions)))

    def free(self, but: Order | None = None) -> int:
        """Return what is left for opening: balance, or equity less margin; less the others' reserves."""
        own = self.balance if self.cash else self.equity() - self.margin_used()
        return own - sum(order.reserved for order in self.orders if order is not but)

    def freed_by_flip(self, order: Order) -> int:
        """Return the margin of the position that an order closes on its way to the other side."""
        return 0 if self.cash else self.over_leverage(abs(self.value(order.instrument)))

    def reference(self, order: Order) -> int:
        """Return the reference price: limit, trigger, or the last price."""
        if order.type in (OrderType.LIMIT, OrderType.STOP_LIMIT):
            return order.limit
        if order.type == OrderType.STOP_MARKET:
            return order.trigger
        return self.last[order.instrument] or 0

    # ---- positions

    def reducible(self, order: Order) -> int:
        """Return the lots of the position that the order's side would reduce."""
        lots = self.positions[order.instrument].lots
        return abs(lots) if lots * order.side < 0 else 0

    def reduces(self, order: Order) -> bool:
        """Say whether the order only reduces: opposite and at most the position, or reduce_only."""
        return order.reduce_only or 0 < order.leaves <= self.reducible(order)

    def opening(self, order: Order) -> int:
        """Return the lots of what is left that open or add."""
        return 0 if order.reduce_only else max(0, order.leaves - self.reducible(order))

    def book(self, order: Order, price: int, qty: int, liquidity: int, phase: int, ts: int) -> None:
        """Move money and lots for one fill, then keep the reduce_only orders within the position."""
        before = self.positions[order.instrument].lots
        realised, fee = self.transfer(order.instrument, order.side, price, qty, liquidity)
        order.filled += qty
        order.status = OrderStatus.FILLED if order.filled == order.qty else OrderStatus.PARTIALLY_FILLED
        self.fills.append(
            FillRow(
                order.id, order.instrument, order.side, price, qty, liquidity, phase, fee, realised, ts
            )
        )
        self.shrink_reduce_only(order.instrument, before, order.side)

    def transfer(
        self, instrument: int, side: int, price: int, qty: int, liquidity: int | None
    ) -> tuple[int, int]:
        """Move money and lots; return realised atoms and the fee (`liquidity` None: no fee)."""
        position = self.positions[instrument]
        notional = self.notional(instrument, price, qty, side)
        fee = 0 if liquidity is None else self.fee(notional, liquidity)
        closed = min(qty, abs(position.lots)) if position.lots * side < 0 else 0
        closing_notional = notional * closed // qty
        realised = 0
        if closed:
            released = abs(position.cost)
            if closed < abs(position.lots):
                released = released * closed // abs(position.lots)
            if position.lots > 0:
                realised = closing_notional - released
                position.cost -= released
            else:
                realised = released - closing_notional
                position.cost += released
        if not position.lots or closed == abs(position.lots):
            position.opened = position.opened or qty > closed
        position.cost += side * (notional - closing_notional)
        position.lots += side * qty
        position.realised += realised
        self.balance -= side * notional + fee
        self.fees += fee
        return realised, fee

    def shrink_reduce_only(self, instrument: int, before: int, side: int) -> None:
        """Shrink or cancel working reduce_only orders of the side of a fill that made the position smaller.

        # choice: those still SUBMITTED are judged by the venue on arrival.
        """
        after = self.positions[instrument].lots
        gone = before != 0 and (after == 0 or (after > 0) != (before > 0))
        for order in self.orders:
            mine = (order.instrument, order.side) == (instrument, side)
            if not (mine and order.working and order.reduce_only):
                continue
            if gone:
                self.end(order, OrderStatus.CANCELED, Reason.REDUCE_ONLY_CLOSED)
            elif abs(after) < abs(before) and order.leaves > abs(after):
                order.qty = order.filled + abs(after)

    # ---- orders

    @staticmethod
    def end(order: Order, status: OrderStatus, reason: Reason) -> None:
        """Finish a live order."""
        order.status, order.reason, order.pending = status, reason, None

    def expire(self, order: Order) -> None:
        """End an IOC or FOK order."""
        fok = order.tif == TimeInForce.FOK
        self.end(order, OrderStatus.EXPIRED, Reason.FOK_UNFILLED if fok else Reason.IOC_REMAINDER)

    def lapse(self, order: Order) -> None:
        """End an order whose time has come."""
        gtd = order.tif == TimeInForce.GTD
        self.end(order, OrderStatus.EXPIRED, Reason.TIME_ENDED if gtd else Reason.SESSION_ENDED)

    def by_priority(self, instrument: int) -> list[Order]:
        """Return the working orders that take part in the instrument's current bar, oldest priority first.

        Not those that were sent after the bar had begun.
        """
        begun = self.begun[instrument]
        found = [o for o in self.orders if o.working and o.instrument == instrument and o.ts <= begun]
        return sorted(found, key=lambda order: order.priority)
