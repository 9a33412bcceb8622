"""From money to lots: sizing methods and what an account can pay for."""

from __future__ import annotations

from tradectl.core.codes import SizingMethod
from tradectl.core.jit import kernel, routine
from tradectl.core.money import fee_atoms, muldiv_ceil, muldiv_floor, notional_ceil

__all__ = ["affordable_lots", "cost_to_open", "lots_for_atoms", "sized_lots"]

NANO = 1_000_000_000
FIXED = int(SizingMethod.FIXED)
NOTIONAL = int(SizingMethod.NOTIONAL)


@kernel
def lots_for_atoms(market, atoms, price_ticks):
    """Return the whole lots that `atoms` buy at a price, fees not included (0 for no money or no price)."""
    if atoms <= 0 or price_ticks <= 0:
        return 0
    return muldiv_floor(atoms, market.unit_den, price_ticks * market.unit_num)


@kernel
def cost_to_open(engine, market, price_ticks, lots):
    """Return what opening `lots` at a price takes from buying power: notional / leverage + taker fee, atoms."""
    notional = notional_ceil(price_ticks, lots, market.unit_num, market.unit_den)
    fee = fee_atoms(notional, market.taker_nano)
    margin = notional
    if engine.leverage_nano != NANO:
        margin = muldiv_ceil(notional, NANO, engine.leverage_nano)
    return margin + fee


@routine
def affordable_lots(engine, market, price_ticks, lots, available):
    """Return the most lots, at most `lots`, whose `cost_to_open` is at most `available` atoms."""
    if lots <= 0 or available <= 0:
        return 0
    if cost_to_open(engine, market, price_ticks, lots) <= available:
        return lots
    unit = price_ticks * (market.unit_num / market.unit_den)
    per_lot = unit * (NANO / engine.leverage_nano) + unit * (market.taker_nano / 1e9)
    guess = min(lots, int(available / per_lot)) if per_lot > 0.0 else lots
    while guess > 0 and cost_to_open(engine, market, price_ticks, guess) > available:
        guess -= 1  # float error: a few lots at the most
    while guess < lots and cost_to_open(engine, market, price_ticks, guess + 1) <= available:
        guess += 1
    return guess


@routine
def sized_lots(engine, market, strategy, available):
    """Return the lots that the strategy's sizing method gives at the last price (0: less than one lot)."""
    if strategy.sizing_method == FIXED:
        return muldiv_floor(strategy.sizing_value, int(market.lot_den), NANO * int(market.lot_num))
    if strategy.sizing_method == NOTIONAL:
        return lots_for_atoms(market, strategy.sizing_value, market.last)
    budget = muldiv_floor(engine.equity_atoms, strategy.sizing_value, NANO)
    lots = lots_for_atoms(market, budget, market.last)
    collared = market.last + muldiv_ceil(market.last, engine.collar_nano, NANO)
    return affordable_lots(engine, market, collared, lots, available)
