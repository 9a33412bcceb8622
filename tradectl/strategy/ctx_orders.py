"""What a hook asks for through `ctx`: orders, cancels, modifies, targets.

A call appends a request to the engine's buffer; the requests are judged after the hook has returned, so a
hook that raises has asked for nothing.
"""

from __future__ import annotations

import math

from tradectl.core.account import is_valued
from tradectl.core.buying import available_atoms
from tradectl.core.codes import OrderFlag, OrderType, Reason, RequestKind, SizingMethod
from tradectl.core.jit import kernel, routine
from tradectl.core.layout import (
    NONE,
    UNCHANGED,
    currency_at,
    engine_at,
    market_at,
    order_at,
    position_at,
    request_at,
    strategy_at,
)  # fmt: skip
from tradectl.core.money import muldiv_floor
from tradectl.core.orders import take_order_id
from tradectl.core.units import lots_of_qty, ticks_at_least, ticks_at_most
from tradectl.risk.sizing import lots_for_atoms, sized_lots
from tradectl.strategy.ctx_read import known_lots, known_slot

GTC = 1
ATOMS = 1e8
PICO = 1_000_000_000_000
MARKET, LIMIT = int(OrderType.MARKET), int(OrderType.LIMIT)
STOP_MARKET, STOP_LIMIT = int(OrderType.STOP_MARKET), int(OrderType.STOP_LIMIT)
POST_ONLY, REDUCE_ONLY = int(OrderFlag.POST_ONLY), int(OrderFlag.REDUCE_ONLY)
SUBMIT, CANCEL = int(RequestKind.SUBMIT), int(RequestKind.CANCEL)
MODIFY, CANCEL_ALL = int(RequestKind.MODIFY), int(RequestKind.CANCEL_ALL)
NOT_A_NUMBER = int(Reason.NOT_A_NUMBER)
QTY_NOT_ON_LOT = int(Reason.QTY_NOT_ON_LOT)
SIZE_IS_ZERO, NO_SIZING = int(Reason.SIZE_IS_ZERO), int(Reason.NO_SIZING)
EQUITY_UNKNOWN = int(Reason.EQUITY_UNKNOWN)
PERCENT_EQUITY = int(SizingMethod.PERCENT_EQUITY)
REQUESTS_FULL = int(Reason.REQUESTS_FULL)


@kernel
def _market(ctx):
    return market_at(ctx.cursor_market, 0)


@kernel
def _position(ctx):
    return position_at(ctx.cursor_position, 0)


@routine
def put_request(
    ctx, kind, side, order_type, tif, flags, lots, price_ticks, trigger_ticks, reason, order_id, tag, legs, expires=0
):
    """Append a request; return its order id (0: no room, which is counted as a denial)."""
    engine = engine_at(ctx.engine, 0)
    if engine.n_requests >= ctx.request_capacity:
        engine.fault_reason = REQUESTS_FULL
        return 0
    if kind == SUBMIT:
        order_id = take_order_id(ctx, engine)
    request = request_at(ctx.requests, engine.n_requests)
    engine.n_requests += 1
    request.order_id = order_id
    request.qty_lots = lots
    request.price_ticks = price_ticks
    request.trigger_ticks = trigger_ticks
    request.tag = tag
    request.expires = expires
    request.instrument = ctx.cursor_instrument
    request.strategy = ctx.cursor_strategy
    request.reason = reason
    request.legs = legs
    request.kind = kind
    request.side = side
    request.order_type = order_type
    request.time_in_force = tif
    request.flags = flags
    return order_id


@kernel
def knows_equity(ctx, currency):
    """Return whether it is known what equity is in a currency."""
    return currency.rate_pico != 0 and is_valued(ctx)


@routine
def default_lots(ctx):
    """Return (lots, reason) of the strategy's sizing method at the last price."""
    engine = engine_at(ctx.engine, 0)
    market = _market(ctx)
    currency = currency_at(ctx.currencies, market.currency)
    strategy = strategy_at(ctx.strategies, ctx.cursor_strategy)
    if strategy.sizing_value <= 0:
        return 0, NO_SIZING
    if strategy.sizing_method == PERCENT_EQUITY and not knows_equity(ctx, currency):
        return 0, EQUITY_UNKNOWN
    equity, available = engine.equity_atoms, available_atoms(engine, currency)
    if currency.rate_pico != PICO:
        equity = muldiv_floor(equity, PICO, max(currency.rate_pico, 1))
        if engine.account_type != 1:
            available = muldiv_floor(available, PICO, max(currency.rate_pico, 1))
    lots = sized_lots(engine, market, strategy, equity, available)
    return lots, (SIZE_IS_ZERO if lots <= 0 else 0)


@kernel
def limit_ticks(market, side, price):
    """Return (ticks, ok) of a limit price that is not on its tick rounded in the order's favour: buy down, sell up."""
    if side > 0:
        return ticks_at_most(market, price)
    return ticks_at_least(market, price)


@kernel
def _send(ctx, side, lots, reason, limit, stop, tif, post_only, reduce_only, tag, expire):
    market = _market(ctx)
    order_type = MARKET
    price_ticks, trigger_ticks = 0, 0
    if limit is not None:
        order_type = LIMIT
        price_ticks, finite = limit_ticks(market, side, float(limit))
        if not finite:
            reason = NOT_A_NUMBER
    if stop is not None:
        order_type = STOP_MARKET if order_type == MARKET else STOP_LIMIT
        trigger_ticks, finite = limit_ticks(market, -side, float(stop))  # a stop rounds the other way
        if not finite:
            reason = NOT_A_NUMBER
    flags = (POST_ONLY if post_only else 0) | (REDUCE_ONLY if reduce_only else 0)
    return put_request(
        ctx, SUBMIT, side, order_type, tif, flags, lots, price_ticks, trigger_ticks, reason, 0, tag, 0, expire
    )


@kernel
def _order(ctx, side, qty, limit, stop, tif, post_only, reduce_only, tag, expire):
    lots, reason = 0, 0
    if qty is None:
        if reduce_only:
            lots = abs(known_lots(ctx))
            reason = SIZE_IS_ZERO if lots == 0 else 0
        else:
            lots, reason = default_lots(ctx)
    else:
        lots, exact = lots_of_qty(_market(ctx), float(qty))
        if exact < 0:
            reason = NOT_A_NUMBER
        elif exact == 0:
            reason = QTY_NOT_ON_LOT
    return _send(ctx, side, lots, reason, limit, stop, tif, post_only, reduce_only, tag, expire)


@kernel
def ctx_buy(ctx, qty=None, limit=None, stop=None, tif=1, post_only=False, reduce_only=False, tag=0, expire=0):
    """Buy `qty` (None: the configured sizing; with reduce_only the position); return the order id.

    No price: MARKET; `limit`: LIMIT (rounded down to a tick); `stop`: STOP_MARKET (rounded up); both: STOP_LIMIT.
    """
    return _order(ctx, 1, qty, limit, stop, tif, post_only, reduce_only, tag, expire)


@kernel
def ctx_sell(ctx, qty=None, limit=None, stop=None, tif=1, post_only=False, reduce_only=False, tag=0, expire=0):
    """Sell `qty` (None: the configured sizing; with reduce_only the position); return the order id.

    No price: MARKET; `limit`: LIMIT (rounded up to a tick); `stop`: STOP_MARKET (rounded down); both: STOP_LIMIT.
    """
    return _order(ctx, -1, qty, limit, stop, tif, post_only, reduce_only, tag, expire)


@kernel
def ctx_buy_value(ctx, value, limit=None, stop=None, tif=1, tag=0):
    """Buy for `value` of the quote currency at the last price (whole lots, rounded down); return the order id."""
    return _value_order(ctx, 1, value, limit, stop, tif, tag)


@kernel
def ctx_sell_value(ctx, value, limit=None, stop=None, tif=1, tag=0):
    """Sell for `value` of the quote currency at the last price (whole lots, rounded down); return the order id."""
    return _value_order(ctx, -1, value, limit, stop, tif, tag)


@kernel
def _value_order(ctx, side, value, limit, stop, tif, tag):
    lots, reason = _lots_of_value(ctx, float(value))
    return _send(ctx, side, lots, reason, limit, stop, tif, False, False, tag, 0)


@kernel
def _lots_of_value(ctx, value):
    """Return (lots, reason) of a value in the quote currency at the last price."""
    if not (-9e9 < value < 9e9):
        return 0, NOT_A_NUMBER
    lots = lots_for_atoms(_market(ctx), int(math.floor(value * ATOMS + 0.5)), _market(ctx).last)
    return lots, (SIZE_IS_ZERO if lots == 0 else 0)


@kernel
def ctx_submit(ctx, side, order_type, qty_lots, price_ticks=0, trigger_ticks=0, tif=1, flags=0, tag=0, expire=0):
    """Send an order in integers: side ±1, OrderType, lots, ticks, TimeInForce, OrderFlag; return the order id."""
    return put_request(
        ctx, SUBMIT, side, order_type, tif, flags, qty_lots, price_ticks, trigger_ticks, 0, 0, tag, 0, expire
    )


@routine
def _to_target(ctx, target, reason, tag):
    """Send the MARKET order that takes the position to `target` lots; 0 when it is there."""
    delta = target - known_lots(ctx)
    if delta == 0 and reason == 0:
        return 0
    side = 1 if delta > 0 else -1
    lots = abs(delta)
    if reason == QTY_NOT_ON_LOT:  # `target` is the lot below what was asked for
        side = 1 if delta >= 0 else -1
        lots = delta if delta >= 0 else -delta - 1
    flags = REDUCE_ONLY if target == 0 and reason == 0 else 0
    return put_request(ctx, SUBMIT, side, MARKET, GTC, flags, lots, 0, 0, reason, 0, tag, 0)


@kernel
def ctx_target(ctx, qty, tag=0):
    """Send what takes the position to `qty` (base units, negative: short) at the market; 0 when it is there."""
    lots, exact = lots_of_qty(_market(ctx), float(qty))
    return _to_target(ctx, lots, NOT_A_NUMBER if exact < 0 else (QTY_NOT_ON_LOT if exact == 0 else 0), tag)


@kernel
def ctx_target_lots(ctx, lots, tag=0):
    """Send what takes the position to `lots` at the market; 0 when it is there."""
    return _to_target(ctx, lots, 0, tag)


@routine
def fraction_lots(ctx, fraction):
    """Return (lots, reason) of a signed fraction of equity at the last price, rounded toward zero."""
    if not (-1e6 < fraction < 1e6):
        return 0, NOT_A_NUMBER
    engine = engine_at(ctx.engine, 0)
    market = _market(ctx)
    currency = currency_at(ctx.currencies, market.currency)
    if fraction != 0.0 and not knows_equity(ctx, currency):
        return 0, EQUITY_UNKNOWN
    nano = int(math.floor(abs(fraction) * 1e9 + 0.5))
    atoms = muldiv_floor(max(engine.equity_atoms, 0), nano, 1_000_000_000)
    if currency.rate_pico != PICO:
        atoms = muldiv_floor(atoms, PICO, max(currency.rate_pico, 1))
    lots = lots_for_atoms(market, atoms, market.last)
    return (lots if fraction >= 0 else -lots), 0


@kernel
def ctx_target_percent(ctx, fraction, tag=0):
    """Send what takes the position to a fraction of equity (1.0 = all of it, negative: short) at the market."""
    lots, reason = fraction_lots(ctx, float(fraction))
    if reason == EQUITY_UNKNOWN:
        return put_request(ctx, SUBMIT, 1 if fraction > 0.0 else -1, MARKET, GTC, 0, 0, 0, 0, reason, 0, tag, 0)
    return _to_target(ctx, lots, reason, tag)


@kernel
def ctx_target_value(ctx, value, tag=0):
    """Send what takes the position to a value in the quote currency (negative: short) at the market."""
    lots, reason = _lots_of_value(ctx, abs(float(value)))
    if reason == SIZE_IS_ZERO:
        reason = 0
    return _to_target(ctx, lots if value >= 0 else -lots, reason, tag)


@kernel
def ctx_close_position(ctx, tag=0):
    """Close the position at the market (reduce_only); 0 when flat."""
    return _to_target(ctx, 0, 0, tag)


@kernel
def ctx_cancel(ctx, order_id):
    """Ask to cancel an order; return whether it is live."""
    put_request(ctx, CANCEL, 0, 0, 0, 0, 0, 0, 0, 0, order_id, 0, 0)
    return known_slot(ctx, order_id) != NONE


@kernel
def ctx_cancel_all(ctx):
    """Ask to cancel all of this strategy's orders in the current instrument."""
    put_request(ctx, CANCEL_ALL, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)


@kernel
def ctx_modify(ctx, order_id, qty=None, limit=None, stop=None):
    """Ask to change an order's total quantity, limit or stop (None: as it is); return whether it is live."""
    market = _market(ctx)
    lots, price_ticks, trigger_ticks, reason = UNCHANGED, UNCHANGED, UNCHANGED, 0
    slot = known_slot(ctx, order_id)
    side = order_at(ctx.orders, slot).side if slot != NONE else 1
    if qty is not None:
        lots, exact = lots_of_qty(market, float(qty))
        if exact != 1:
            reason = NOT_A_NUMBER if exact < 0 else QTY_NOT_ON_LOT
    if limit is not None:
        price_ticks, finite = limit_ticks(market, side, float(limit))
        if not finite:
            reason = NOT_A_NUMBER
    if stop is not None:
        trigger_ticks, finite = limit_ticks(market, -side, float(stop))  # a stop rounds the other way
        if not finite:
            reason = NOT_A_NUMBER
    put_request(ctx, MODIFY, side, 0, 0, 0, lots, price_ticks, trigger_ticks, reason, order_id, 0, 0)
    return slot != NONE
