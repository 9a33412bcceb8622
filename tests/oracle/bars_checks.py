"""Section 2 of the fill contract: validation (1xx), risk (2xx), venue (3xx); each returns a reason."""

from __future__ import annotations

from fractions import Fraction
from math import ceil

from tests.golden.protocol import E9, Modify, Submit
from tests.oracle.bars_world import Order, World
from tests.oracle.hours import expiry_fault
from tradectl.core.codes import (
    LiquiditySide,
    MarketStatus,
    OrderType,
    Reason,
    Side,
    TimeInForce,
    TradingState,
)

__all__ = ["Gate", "marketable", "opening_notional", "reserve_for", "validate", "venue"]

MATCHED = (OrderType.MARKET, OrderType.LIMIT, OrderType.STOP_MARKET, OrderType.STOP_LIMIT)
LIMITS = (OrderType.LIMIT, OrderType.STOP_LIMIT)
STOPS = (OrderType.STOP_MARKET, OrderType.STOP_LIMIT)


# ---- 1xx


def validate(world: World, s: Submit, now: int | None = None) -> Reason:
    """Check a request in the order that the contract gives; one that is new (`now`) for its time of expiry too."""
    config = world.config
    if not 0 <= s.instrument < len(config.instruments):
        return Reason.UNKNOWN_INSTRUMENT
    if world.status[s.instrument] != MarketStatus.LISTED:
        return Reason.NOT_TRADABLE
    if world.last[s.instrument] is None:
        return Reason.NO_PRICE_YET
    if s.order_type not in list(MATCHED):
        return Reason.UNKNOWN_ORDER_TYPE
    if s.side not in (Side.BUY, Side.SELL):
        return Reason.UNKNOWN_SIDE
    if s.time_in_force not in list(TimeInForce):
        return Reason.UNKNOWN_TIME_IN_FORCE
    if s.post_only and (s.order_type != OrderType.LIMIT or s.time_in_force in (TimeInForce.IOC, TimeInForce.FOK)):
        return Reason.FLAGS_CONFLICT
    if now is not None and (fault := expiry_fault(s, now)):
        return fault
    return validate_numbers(world, s)


def validate_numbers(world: World, s: Submit) -> Reason:
    """Check quantity, prices and notional.

    # choice: a price that the type does not use is not looked at; the limit is checked before the trigger.
    """
    spec = world.config.instruments[s.instrument]
    prices = []
    if s.order_type in LIMITS:
        prices.append((s.limit_ticks, s.limit_fault, Reason.PRICE_NOT_POSITIVE))
    if s.order_type in STOPS:
        prices.append((s.trigger_ticks, s.trigger_fault, Reason.TRIGGER_NOT_POSITIVE))
    if Reason.NOT_A_NUMBER in [s.qty_fault, *(fault for _, fault, _ in prices)]:
        return Reason.NOT_A_NUMBER
    if s.qty_lots <= 0:
        return Reason.QTY_NOT_POSITIVE
    if s.qty_fault:
        return Reason.QTY_NOT_ON_LOT
    if s.qty_lots < spec.min_qty_lots:
        return Reason.QTY_BELOW_MINIMUM
    if s.qty_lots > spec.max_qty_lots:
        return Reason.QTY_ABOVE_MAXIMUM
    for price, fault, not_positive in prices:
        if price <= 0:
            return not_positive
        if fault:
            return Reason.PRICE_NOT_ON_TICK
        if price > spec.max_price_ticks:
            return Reason.PRICE_ABOVE_MAXIMUM
    order = order_of(s, 0, 0)
    notional = world.notional(s.instrument, world.reference(order), s.qty_lots, s.side)
    if notional < spec.min_notional_atoms and not s.reduce_only:
        return Reason.NOTIONAL_BELOW_MINIMUM
    if notional > spec.max_notional_atoms:
        return Reason.NOTIONAL_OVERFLOW
    return Reason.NONE


def order_of(s: Submit, order_id: int, ts: int) -> Order:
    """Make the order that a request asks for; unknown codes are kept as they are."""
    return Order(
        order_id, s.instrument, s.side, s.order_type, s.time_in_force, s.qty_lots, s.limit_ticks,
        s.trigger_ticks, s.post_only, s.reduce_only, ts, expires=s.expires,
    )  # fmt: skip


# ---- 2xx


class Gate:
    """The risk gate; it counts orders in a window, for the rate."""

    def __init__(self) -> None:
        self.began: int | None = None  # start of the window of the order rate, ns
        self.count = 0  # orders in it

    def check(self, world: World, order: Order, ts: int, changing: Order | None = None) -> Reason:
        """Check an order, or the modified twin of the live order `changing`; count a new one that passes."""
        reason = Reason.WARMING_UP if world.warming else (
            self.trading_state(world, order, changing)
            or self.size(world, order)
            or self.collar(world, order)
            or self.account(world, order, changing)
        )
        if reason or changing is not None:  # choice: a modify is no further open order and has no rate
            return reason
        config = world.config
        if config.max_open_orders is not None and len(live(world)) >= config.max_open_orders:
            return Reason.MAX_OPEN_ORDERS
        if config.max_order_rate is None:
            return Reason.NONE
        if self.began is None or ts >= self.began + config.rate_window_ns:
            self.began, self.count = ts, 0
        if self.count >= config.max_order_rate:
            return Reason.MAX_ORDER_RATE
        self.count += 1
        return Reason.NONE

    @staticmethod
    def trading_state(world: World, order: Order, changing: Order | None) -> Reason:
        """HALTED lets nothing through, REDUCING only what reduces."""
        if world.trading == TradingState.HALTED:
            return Reason.TRADING_HALTED
        if world.trading == TradingState.REDUCING and not reducing(world, order, changing):
            return Reason.ONLY_REDUCING
        return Reason.NONE

    @staticmethod
    def size(world: World, order: Order) -> Reason:
        """Check quantity and notional; at the limit is allowed."""
        most = world.config.instruments[order.instrument].max_order_qty_lots
        if most is not None and order.qty > most:
            return Reason.MAX_ORDER_QTY
        notional = world.notional(order.instrument, world.reference(order), order.qty, order.side)
        limit = world.config.max_order_notional_atoms
        return Reason.MAX_ORDER_NOTIONAL if limit is not None and notional > limit else Reason.NONE

    @staticmethod
    def collar(world: World, order: Order) -> Reason:
        """Check limit and trigger against the last price."""
        collar, last = world.config.price_collar_e9, world.last[order.instrument] or 0
        prices = [order.limit] if order.type in LIMITS else []
        prices += [order.trigger] if order.type in STOPS else []
        if collar is not None and any(abs(price - last) * E9 > last * collar for price in prices):
            return Reason.PRICE_COLLAR
        return Reason.NONE

    def account(self, world: World, order: Order, changing: Order | None) -> Reason:
        """Check position, exposure and buying power of what does not only reduce."""
        if reducing(world, order, changing):
            return Reason.NONE
        config, index = world.config, order.instrument
        most = config.instruments[index].max_position_lots
        same_side = world.positions[index].lots + order.side * (ahead(world, order, changing) + order.leaves)
        if most is not None and abs(same_side) > most:
            return Reason.MAX_POSITION
        if config.max_exposure_atoms is not None:
            gross = sum(abs(world.value(i)) for i in range(len(world.positions)))
            gross += sum(working_exposure(other) for other in live(world) if other is not changing)
            if gross + opening_notional(world, order) > config.max_exposure_atoms:
                return Reason.MAX_EXPOSURE
        if world.cash and order.side == Side.SELL:
            return self.holding(world, order, changing)
        flips = world.opening(order) and world.reducible(order)
        free = world.free(but=changing) + (world.freed_by_flip(order) if flips else 0)
        need = reserve_for(world, order)
        return Reason.INSUFFICIENT_BUYING_POWER if need > free and need > 0 else Reason.NONE

    @staticmethod
    def holding(world: World, order: Order, changing: Order | None) -> Reason:
        """Check that a cash account holds what it sells and what its other sells reserve."""
        held = world.positions[order.instrument].lots - ahead(world, order, changing)
        return Reason.INSUFFICIENT_POSITION if order.leaves > held else Reason.NONE


def ahead(world: World, order: Order, changing: Order | None) -> int:
    """Return the lots that the other live orders of the same side (not reduce_only) have left."""
    return sum(
        other.leaves
        for other in live(world)
        if other.instrument == order.instrument and other.side == order.side
        and not other.reduce_only and other is not changing
    )  # fmt: skip


def reducing(world: World, order: Order, changing: Order | None) -> bool:
    """Say whether the risk gate takes an order for one that only reduces."""
    return order.reduce_only or order.leaves + ahead(world, order, changing) <= world.reducible(order)


def working_exposure(order: Order) -> int:
    """Return what is left of the opening notional of a working order, rounded up."""
    return ceil(Fraction(order.exposure * order.leaves, order.reserve_qty))


def opening_notional(world: World, order: Order) -> int:
    """Return the notional, at its reference price, of what an order opens (a cash account's sale opens nothing)."""
    if world.cash and order.side == Side.SELL:
        return 0
    return world.notional(order.instrument, world.reference(order), world.opening(order), order.side)


def live(world: World) -> list[Order]:
    """Return all orders that are not final; those in flight count."""
    return [order for order in world.orders if order.live]


def reserve_for(world: World, order: Order) -> int:
    """Return the atoms that an order reserves for what it opens or adds (5)."""
    opening = world.opening(order)
    if not opening or (world.cash and order.side == Side.SELL):
        return 0
    price = world.reference(order)
    if order.type == OrderType.MARKET:  # choice: last × (1 + collar) is rounded up to a tick, on both sides
        price = ceil(price * (1 + Fraction(world.config.price_collar_e9 or 0, E9)))
    notional = world.notional(order.instrument, price, opening, order.side)
    margin = notional if world.cash else world.over_leverage(notional)
    return margin + world.fee(notional, LiquiditySide.TAKER)


# ---- 3xx


def marketable(world: World, order: Order) -> bool:
    """Say whether a LIMIT's price lies beyond the last price."""
    last = world.last[order.instrument]
    if order.type != OrderType.LIMIT or last is None:
        return False
    if world.config.limit_touch and last == order.limit:
        return True
    return last < order.limit if order.side == Side.BUY else last > order.limit


def venue(world: World, order: Order, order_id: int) -> Reason:
    """Check what the venue checks on acceptance."""
    if order.reduce_only and not world.reducible(order):
        openers = [
            o
            for o in world.orders
            if o.working and o.instrument == order.instrument and o.side == -order.side
            and not o.reduce_only and o.id != order_id
        ]  # fmt: skip
        if not openers:
            return Reason.REDUCE_ONLY_WOULD_OPEN
    if order.post_only and marketable(world, order):
        return Reason.POST_ONLY_WOULD_TAKE
    return Reason.NONE


def changed(order: Order, change: Modify) -> Submit:
    """Return the request that a modified order amounts to; what its type does not use is dropped."""
    limit, trigger = order.limit, order.trigger
    if change.limit_ticks is not None and order.type in LIMITS:
        limit = change.limit_ticks
    if change.trigger_ticks is not None and order.type in STOPS and not order.triggered:
        trigger = change.trigger_ticks
    qty = order.qty if change.qty_lots is None else change.qty_lots
    return Submit(
        side=order.side, order_type=order.type, qty_lots=qty, limit_ticks=limit, trigger_ticks=trigger,
        time_in_force=order.tif, post_only=order.post_only, reduce_only=order.reduce_only,
        instrument=order.instrument, qty_fault=change.qty_fault, limit_fault=change.limit_fault,
        trigger_fault=Reason.NONE if order.triggered else change.trigger_fault,
    )  # fmt: skip
