"""Atomic rebalancing: one call, all legs or none, reductions first."""

from __future__ import annotations

from tradectl.core.account import to_account
from tradectl.core.buying import available_atoms, cost_to_open, proceeds
from tradectl.core.codes import MarketStatus, OrderFlag, OrderType, Reason, RequestKind
from tradectl.core.jit import kernel, routine
from tradectl.core.layout import currency_at, engine_at, market_at, position_at
from tradectl.core.money import muldiv_ceil, muldiv_floor, notional_floor
from tradectl.strategy.ctx_orders import EQUITY_UNKNOWN, fraction_lots, knows_equity, put_request
from tradectl.strategy.ctx_read import select_instrument

NANO = 1_000_000_000
MARKET = int(OrderType.MARKET)
REDUCE_ONLY, REBALANCE = int(OrderFlag.REDUCE_ONLY), int(OrderFlag.REBALANCE)
SUBMIT = int(RequestKind.SUBMIT)
LISTED = int(MarketStatus.LISTED)
WEIGHTS_INVALID = int(Reason.WEIGHTS_INVALID)
TOLERANCE = 1e-9  # of the sum of weights


@kernel
def leg_position(ctx, i):
    """Return this strategy's position record in instrument `i`."""
    return position_at(ctx.positions, ctx.cursor_strategy * ctx.n_instruments + i)


@kernel
def leg_reduces(held, delta):
    """Return whether a change only takes away from what is held."""
    opposite = (held > 0 and delta < 0) or (held < 0 and delta > 0)  # their product could overflow
    return opposite and abs(delta) <= abs(held)


@routine
def check_weights(ctx, weights):
    """Return 0 for weights that are numbers, tradable where not zero, and what the account may hold; or a Reason."""
    engine = engine_at(ctx.engine, 0)
    total = 0.0
    for i in range(ctx.n_instruments):
        w = weights[i]
        if not (-1e6 < w < 1e6) or (w < 0.0 and engine.account_type == 1):
            return WEIGHTS_INVALID
        market = market_at(ctx.markets, i)
        if w != 0.0 and (market.status != LISTED or market.has_price == 0):
            return WEIGHTS_INVALID
        if w != 0.0 and not knows_equity(ctx, currency_at(ctx.currencies, market.currency)):
            return EQUITY_UNKNOWN
        total += abs(w)
    return 0 if total <= engine.leverage_nano / 1e9 + TOLERANCE else WEIGHTS_INVALID


@kernel
def leg_delta(ctx, i, weight):
    """Return the lots by which instrument `i` must change; 0 also where the change is too small to be an order."""
    select_instrument(ctx, i)
    market = market_at(ctx.markets, i)
    if market.status != LISTED or market.has_price == 0:
        return 0
    held = leg_position(ctx, i).lots
    target, _reason = fraction_lots(ctx, weight)
    delta = target - held
    if target == 0:
        return delta
    if abs(delta) < max(market.min_qty_lots, 1):
        return 0
    if notional_floor(market.last, abs(delta), market.unit_num, market.unit_den) < market.min_notional_atoms:
        return 0
    return delta


@kernel
def send_leg(ctx, i, delta, legs):
    """Append one leg of a rebalance."""
    select_instrument(ctx, i)
    flags = REBALANCE
    if leg_position(ctx, i).lots + delta == 0:
        flags |= REDUCE_ONLY
    side = 1 if delta > 0 else -1
    return put_request(ctx, SUBMIT, side, MARKET, 1, flags, abs(delta), 0, 0, 0, 0, 0, legs)


@routine
def money_for_purchases(ctx, weights):
    """Return (needed, available) of a rebalance's purchases in atoms of the account's currency."""
    engine = engine_at(ctx.engine, 0)
    needed, freed = 0, 0
    for i in range(ctx.n_instruments):
        delta = leg_delta(ctx, i, weights[i])
        if delta == 0:
            continue
        market = market_at(ctx.markets, i)
        currency = currency_at(ctx.currencies, market.currency)
        if leg_reduces(leg_position(ctx, i).lots, delta):
            freed += to_account(proceeds(engine, market, abs(delta)), currency.rate_pico)
        else:
            collared = market.last + muldiv_ceil(market.last, engine.collar_nano, NANO)
            cost = cost_to_open(engine, market, 1, collared, abs(delta), market.taker_nano)
            needed -= to_account(-cost, currency.rate_pico)
    available = available_atoms(engine, currency_at(ctx.currencies, 0)) + freed
    return needed, max(available, 0)


@routine
def ctx_rebalance(ctx, weights):
    """Take the whole portfolio to signed fractions of equity, `weights[i]` for instrument `i`, atomically.

    Reductions are sent first, then purchases, scaled down together when the account could not pay for all
    of them; if any leg is refused, none is sent. Returns the number of legs (-1: the weights are refused).
    """
    instrument = ctx.cursor_instrument
    legs = -1
    reason = check_weights(ctx, weights)
    if reason == 0:
        legs = send_legs(ctx, weights)
    else:
        put_request(ctx, SUBMIT, 1, MARKET, 1, REBALANCE, 0, 0, 0, reason, 0, 0, 0)
    select_instrument(ctx, instrument)
    return legs


@routine
def send_legs(ctx, weights):
    """Send all legs, reductions first; return how many."""
    needed, available = money_for_purchases(ctx, weights)
    legs = 0
    for i in range(ctx.n_instruments):
        delta = leg_delta(ctx, i, weights[i])
        if delta != 0 and leg_reduces(leg_position(ctx, i).lots, delta):
            legs += 1
            send_leg(ctx, i, delta, legs)
    for i in range(ctx.n_instruments):
        delta = leg_delta(ctx, i, weights[i])
        if delta != 0 and not leg_reduces(leg_position(ctx, i).lots, delta):
            if needed > available:
                scaled = muldiv_floor(abs(delta), available, needed)
                delta = scaled if delta > 0 else -scaled
            if delta != 0:
                legs += 1
                send_leg(ctx, i, delta, legs)
    return legs
