"""The pre-trade gate (2xx): account and instrument limits, one check after the other in a fixed order."""

from __future__ import annotations

from tradectl.core.account import freed_margin, notional_of, to_account
from tradectl.core.buying import available_atoms, cost_to_open, opening_lots
from tradectl.core.codes import AccountType, OrderFlag, OrderType, Reason, TradingState
from tradectl.core.jit import kernel, routine
from tradectl.core.layout import NO_LIMIT, currency_at, position_at
from tradectl.core.money import muldiv_ceil, muldiv_floor
from tradectl.core.validate import reference_ticks

__all__ = ["check_order", "check_rate", "is_reducing", "is_warming", "opening_terms"]

NANO = 1_000_000_000
CASH = int(AccountType.CASH)
ACTIVE, HALTED = int(TradingState.ACTIVE), int(TradingState.HALTED)
REDUCE_ONLY = int(OrderFlag.REDUCE_ONLY)
MARKET, LIMIT = int(OrderType.MARKET), int(OrderType.LIMIT)
STOP_MARKET, STOP_LIMIT = int(OrderType.STOP_MARKET), int(OrderType.STOP_LIMIT)

WARMING_UP = int(Reason.WARMING_UP)
TRADING_HALTED = int(Reason.TRADING_HALTED)
ONLY_REDUCING = int(Reason.ONLY_REDUCING)
MAX_ORDER_QTY = int(Reason.MAX_ORDER_QTY)
MAX_ORDER_NOTIONAL = int(Reason.MAX_ORDER_NOTIONAL)
PRICE_COLLAR = int(Reason.PRICE_COLLAR)
MAX_POSITION = int(Reason.MAX_POSITION)
MAX_EXPOSURE = int(Reason.MAX_EXPOSURE)
INSUFFICIENT_BUYING_POWER = int(Reason.INSUFFICIENT_BUYING_POWER)
INSUFFICIENT_POSITION = int(Reason.INSUFFICIENT_POSITION)
MAX_OPEN_ORDERS = int(Reason.MAX_OPEN_ORDERS)
MAX_ORDER_RATE = int(Reason.MAX_ORDER_RATE)


@kernel
def is_warming(engine):
    """Return whether the event that is being applied is one of warm-up."""
    return engine.n_events < engine.warm_end


@kernel
def is_reducing(position, side, lots, flags):
    """Return whether an order can only reduce the position, working orders of its side counted."""
    if flags & REDUCE_ONLY:
        return True
    if position.lots * side >= 0:
        return False
    working = position.open_buy_lots if side > 0 else position.open_sell_lots
    return lots + working <= abs(position.lots)


@kernel
def within_collar(engine, last_ticks, price_ticks):
    """Return whether a price is at most the collar away from the last price."""
    return abs(price_ticks - last_ticks) <= muldiv_floor(last_ticks, engine.collar_nano, NANO)


@routine
def exceeds_position(world, engine, market, instrument, side, lots, reference):
    """Return whether the net position with all working orders of this side would exceed a position limit."""
    worst = market.net_lots + side * lots
    for s in range(world.n_strategies):
        position = position_at(world.positions, s * world.n_instruments + instrument)
        worst += position.open_buy_lots if side > 0 else -position.open_sell_lots
    if abs(worst) > market.max_position_lots:
        return True
    if market.max_position_notional < NO_LIMIT:
        notional = notional_of(market, side, reference, abs(worst))
        return notional > market.max_position_notional
    return False


@routine
def check_order(world, engine, market, position, order, total_lots, credit):
    """Return 0, or the 2xx code of the first limit that an order breaks; set what it must reserve.

    `order` carries side, type, flags, prices and `leaves_lots`; order quantity and notional see `total_lots`;
    `credit` is what an atomic rebalance's reductions will free, atoms. Sets `reserve_atoms` and
    `exposure_atoms` of the order.
    """
    currency = currency_at(world.currencies, market.currency)
    lots = order.leaves_lots
    reducing = is_reducing(position, order.side, lots, order.flags)
    if is_warming(engine):
        return WARMING_UP
    if engine.trading_state == HALTED:
        return TRADING_HALTED
    if engine.trading_state != ACTIVE and not reducing:
        return ONLY_REDUCING
    if total_lots > market.max_order_lots:
        return MAX_ORDER_QTY
    reference = reference_ticks(order.order_type, order.price_ticks, order.trigger_ticks, market.last)
    if engine.max_notional_atoms < NO_LIMIT:
        notional = notional_of(market, order.side, reference, total_lots)
        if to_account(notional, currency.rate_pico) > engine.max_notional_atoms:
            return MAX_ORDER_NOTIONAL
    if engine.collar_nano > 0:
        priced = order.order_type == LIMIT or order.order_type == STOP_LIMIT
        if priced and not within_collar(engine, market.last, order.price_ticks):
            return PRICE_COLLAR
        stop = order.order_type == STOP_MARKET or order.order_type == STOP_LIMIT
        if stop and not within_collar(engine, market.last, order.trigger_ticks):
            return PRICE_COLLAR
    order.reserve_atoms = 0
    order.exposure_atoms = 0
    if not reducing:
        code = check_opening(world, engine, market, position, order, reference, credit)
        if code != 0:
            return code
    if engine.n_live >= engine.max_open_orders:
        return MAX_OPEN_ORDERS
    return 0


@routine
def opening_terms(engine, market, currency, position, order):
    """Return (reserve, exposure) of the part of an order that opens: buying power and notional, atoms."""
    opening = opening_lots(position, order.side, order.leaves_lots, order.flags)
    if opening == 0 or (engine.account_type == CASH and order.side < 0):
        return 0, 0
    reference = reference_ticks(order.order_type, order.price_ticks, order.trigger_ticks, market.last)
    exposure = to_account(notional_of(market, order.side, reference, opening), currency.rate_pico)
    if order.order_type == MARKET and engine.collar_nano > 0:
        reference += muldiv_ceil(reference, engine.collar_nano, NANO)
    need = cost_to_open(engine, market, order.side, reference, opening, market.taker_nano)
    if engine.account_type != CASH:
        need = -to_account(-need, currency.rate_pico)
    return need, exposure


@routine
def check_opening(world, engine, market, position, order, reference, credit):
    """Check position, exposure and buying power of an order that may open; set its reserves."""
    currency = currency_at(world.currencies, market.currency)
    side, lots = order.side, order.leaves_lots
    if market.max_position_lots < NO_LIMIT or market.max_position_notional < NO_LIMIT:
        if exceeds_position(world, engine, market, order.instrument, side, lots, reference):
            return MAX_POSITION
    opening = opening_lots(position, side, lots, order.flags)
    need, exposure = opening_terms(engine, market, currency, position, order)
    if engine.gross_atoms + engine.exposure_atoms + exposure > engine.max_exposure_atoms:
        return MAX_EXPOSURE
    if engine.account_type == CASH and side < 0:
        return INSUFFICIENT_POSITION  # else it would be reducing
    available = available_atoms(engine, currency) + credit
    if engine.account_type != CASH:
        available += freed_margin(market, lots - opening)
    if need > available and need > 0:  # what only closes needs nothing, however little is free
        return INSUFFICIENT_BUYING_POWER
    order.reserve_atoms = need
    order.exposure_atoms = exposure
    return 0


@kernel
def check_rate(engine):
    """Return 0 and count an order that passed everything else, or MAX_ORDER_RATE."""
    if engine.rate_orders == 0:
        return 0
    if engine.rate_count == 0 or engine.now - engine.rate_start >= engine.rate_ns:
        engine.rate_start = engine.now
        engine.rate_count = 0
    if engine.rate_count >= engine.rate_orders:
        return MAX_ORDER_RATE
    engine.rate_count += 1
    return 0
