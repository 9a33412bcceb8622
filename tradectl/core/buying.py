"""Buying power: what an order takes from it, what is free, what can be afforded."""

from __future__ import annotations

from tradectl.core.account import closing_lots, notional_of
from tradectl.core.codes import AccountType, OrderFlag
from tradectl.core.jit import kernel, routine
from tradectl.core.money import fee_atoms, muldiv_ceil, muldiv_floor, notional_floor

__all__ = ["affordable_lots", "available_atoms", "cost_to_open", "opening_lots", "proceeds"]

NANO = 1_000_000_000
CASH = int(AccountType.CASH)
REDUCE_ONLY = int(OrderFlag.REDUCE_ONLY)


@kernel
def opening_lots(position, side, lots, flags):
    """Return the part of an order that opens or adds."""
    if flags & REDUCE_ONLY:
        return 0
    return lots - closing_lots(position.lots, side, lots)


@kernel
def available_atoms(engine, currency):
    """Return what is free for new orders: cash of the quote currency, or equity not in use as margin."""
    if engine.account_type == CASH:
        return currency.balance_atoms - currency.reserved_atoms
    return engine.equity_atoms - engine.margin_atoms - engine.reserved_atoms


@kernel
def cost_to_open(engine, market, side, price_ticks, lots, fee_nano):
    """Return what opening `lots` at a price takes from buying power: notional / leverage + fee, atoms."""
    notional = notional_of(market, side, price_ticks, lots)
    fee = fee_atoms(notional, fee_nano)
    if engine.leverage_nano == NANO:
        return notional + fee
    return muldiv_ceil(notional, NANO, engine.leverage_nano) + fee


@routine
def affordable_lots(engine, market, side, price_ticks, lots, fee_nano, available):
    """Return the most lots, at most `lots`, whose `cost_to_open` is at most `available` atoms."""
    if lots <= 0 or available <= 0:
        return 0
    if cost_to_open(engine, market, side, price_ticks, lots, fee_nano) <= available:
        return lots
    unit = price_ticks * (market.unit_num / market.unit_den)
    per_lot = unit * (NANO / engine.leverage_nano) + unit * (fee_nano / 1e9)
    guess = min(lots, int(available / per_lot)) if per_lot > 0.0 else lots
    while guess > 0 and cost_to_open(engine, market, side, price_ticks, guess, fee_nano) > available:
        guess -= 1  # float error: a few lots at the most
    while guess < lots and cost_to_open(engine, market, side, price_ticks, guess + 1, fee_nano) <= available:
        guess += 1
    return guess


@kernel
def proceeds(engine, market, lots):
    """Return the buying power that closing `lots` frees: notional (over leverage) less the taker fee, atoms."""
    notional = notional_floor(market.last, lots, market.unit_num, market.unit_den)
    fee = fee_atoms(notional, market.taker_nano)
    if engine.account_type == CASH:
        return notional - fee
    return muldiv_floor(notional, NANO, engine.leverage_nano) - fee
