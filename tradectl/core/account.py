"""Accounts: one fill's effect on position, cost, balance, fees and value, exact to the atom."""

from __future__ import annotations

from tradectl.core.codes import AccountType
from tradectl.core.jit import kernel, routine
from tradectl.core.layout import currency_at, market_at
from tradectl.core.money import fee_atoms, muldiv_ceil, muldiv_floor, notional_ceil, notional_floor

__all__ = [
    "apply_trade", "closing_lots", "freed_margin", "is_valued", "mark_market", "notional_of", "refresh_equity",
    "revalue", "to_account", "value_of",
]  # fmt: skip

NANO = 1_000_000_000
PICO = 1_000_000_000_000
CASH = int(AccountType.CASH)


@kernel
def to_account(atoms, rate_pico):
    """Convert atoms of a currency to the account's currency, rounded down."""
    if rate_pico == PICO:
        return atoms
    return muldiv_floor(atoms, rate_pico, PICO)


@kernel
def notional_of(market, side, price_ticks, lots):
    """Return price × quantity in atoms of the quote currency: rounded up for a buy, down for a sell."""
    if side > 0:
        return notional_ceil(price_ticks, lots, market.unit_num, market.unit_den)
    return notional_floor(price_ticks, lots, market.unit_num, market.unit_den)


@kernel
def value_of(market, lots, price_ticks):
    """Return the value of a position in atoms of the quote currency, rounded down."""
    return notional_floor(price_ticks, lots, market.unit_num, market.unit_den)


@kernel
def mark_market(world, engine, market, price_ticks):
    """Set a market's last price and revalue what is held in it; equity is refreshed when that may change it."""
    market.last = price_ticks
    market.has_price = 1
    if market.net_lots != 0 or market.value_atoms != 0 or market.rate_of != 0:
        revalue(world, engine, market, price_ticks)


@kernel
def margin_of(engine, gross_atoms):
    """Return gross exposure ÷ leverage, rounded up; a whole leverage needs no wide product."""
    whole = engine.leverage_nano // NANO
    if whole * NANO == engine.leverage_nano:
        return -(-gross_atoms // whole)
    return muldiv_ceil(gross_atoms, NANO, engine.leverage_nano)


@routine
def revalue(world, engine, market, price_ticks):
    """Revalue a net position at a price: value, margin, gross exposure, equity, and the rate it sets if any."""
    currency = currency_at(world.currencies, market.currency)
    if market.twice_mark == 0:
        value = value_of(market, market.net_lots, price_ticks)
    else:  # a mid may lie between two ticks
        value = notional_floor(market.twice_mark, market.net_lots, market.unit_num, 2 * market.unit_den)
    currency.value_atoms += value - market.value_atoms
    old_gross = to_account(abs(market.value_atoms), currency.rate_pico)
    gross = to_account(abs(value), currency.rate_pico)
    market.value_atoms = value
    margin = gross
    if engine.leverage_nano != NANO:
        margin = margin_of(engine, gross)
    engine.margin_atoms += margin - market.margin_atoms
    engine.gross_atoms += gross - old_gross
    market.margin_atoms = margin
    if market.rate_of != 0:  # this market's price is the rate of a currency: 1 + its index
        rate_currency(world, engine, market)
    refresh_equity(world, engine)


@routine
def rate_currency(world, engine, market):
    """Set the rate of the currency that this market prices, and re-convert what is held in it."""
    rated = currency_at(world.currencies, market.rate_of - 1)
    quote = currency_at(world.currencies, market.currency)
    rate = muldiv_floor(market.last * market.tick_pico, quote.rate_pico, PICO)
    engine.margin_atoms = 0
    engine.gross_atoms = 0
    rated.rate_pico = rate
    for i in range(world.n_instruments):
        other = market_at(world.markets, i)
        gross = to_account(abs(other.value_atoms), currency_at(world.currencies, other.currency).rate_pico)
        other.margin_atoms = gross if engine.leverage_nano == NANO else margin_of(engine, gross)
        engine.margin_atoms += other.margin_atoms
        engine.gross_atoms += gross


@kernel
def refresh_equity(world, engine):
    """Recompute equity: balances and position values of all currencies in the account's currency, atoms."""
    total = 0
    for c in range(world.n_currencies):
        currency = currency_at(world.currencies, c)
        total += to_account(currency.balance_atoms + currency.value_atoms, currency.rate_pico)
    engine.equity_atoms = total


@kernel
def is_valued(world):
    """Return whether all that is held has a rate, so that equity is what the account is worth."""
    for c in range(1, world.n_currencies):
        currency = currency_at(world.currencies, c)
        if currency.rate_pico == 0 and currency.balance_atoms + currency.value_atoms != 0:
            return False
    return True


@kernel
def closing_lots(position_lots, side, lots):
    """Return how many of `lots` close an opposite position."""
    if position_lots * side < 0:
        return min(abs(position_lots), lots)
    return 0


@kernel
def freed_margin(market, closed):
    """Return the margin, in the account's currency, that closing `closed` lots of the net position frees."""
    net = abs(market.net_lots)
    if net == 0 or closed == 0:
        return 0
    return muldiv_floor(market.margin_atoms, min(closed, net), net)


@routine
def apply_trade(engine, market, position, currency, side, price_ticks, lots, fee_nano, ts_event):
    """Book one trade of `lots` at `price_ticks` and time `ts_event`; return (notional, fee, realised), quote atoms.

    Cost released on closing is pro rata, rounded toward zero, and all of it when the position closes, so
    balance + cost + fees = initial + realised holds to the atom.
    """
    notional = notional_of(market, side, price_ticks, lots)
    fee = fee_atoms(notional, fee_nano)
    closed = closing_lots(position.lots, side, lots)
    realised = 0
    opening_notional = notional
    if closed > 0:
        closing_notional = notional if closed == lots else muldiv_floor(notional, closed, lots)
        opening_notional = notional - closing_notional
        held = abs(position.lots)
        released = position.cost_atoms
        if closed < held:
            released = muldiv_floor(abs(position.cost_atoms), closed, held)
            if position.cost_atoms < 0:
                released = -released
        realised = -side * closing_notional - released
        position.cost_atoms -= released
        if closed == held:
            position.n_trades += 1
            engine.n_trades += 1
    was_flat_or_flipped = position.lots == 0 or (closed > 0 and closed < lots)
    position.cost_atoms += side * opening_notional
    position.lots += side * lots
    if was_flat_or_flipped:
        position.opened_batch = engine.batch
        position.ts_opened = ts_event
    position.realised_atoms += realised
    position.fees_atoms += fee
    market.net_lots += side * lots
    currency.balance_atoms += -side * notional - fee
    currency.realised_atoms += realised
    currency.fees_atoms += fee
    return notional, fee, realised
