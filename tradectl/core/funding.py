"""Funding: what a perpetual's position pays or receives at a settlement, exact to the atom, against the trader."""

from __future__ import annotations

from tradectl.core.account import refresh_equity
from tradectl.core.codes import Reason
from tradectl.core.jit import kernel, routine
from tradectl.core.layout import currency_at, funded_at, position_at
from tradectl.core.money import muldiv_ceil, notional_ceil, notional_floor

__all__ = ["charge_funding", "funding_atoms"]

PICO = 1_000_000_000_000
OUTPUTS_FULL = int(Reason.OUTPUTS_FULL)


@kernel
def funding_atoms(market, lots, price_ticks, rate_pico):
    """Return what a position pays, in atoms of the quote currency (below 0: receives).

    ceil(notional × rate): a long pays a rate above 0, a short receives it. The notional is rounded up where it is
    paid on, down where it is received on.
    """
    pays = lots if rate_pico > 0 else -lots
    size = abs(lots)
    if pays > 0:
        notional = notional_ceil(price_ticks, size, market.unit_num, market.unit_den)
    else:
        notional = notional_floor(price_ticks, size, market.unit_num, market.unit_den)
    return muldiv_ceil(notional if lots > 0 else -notional, rate_pico, PICO)


@kernel
def write_funding(world, engine, position, s, i, ts, price_ticks, rate_pico, atoms):
    """Append a row of what one position paid."""
    row = funded_at(world.fundings, world.n_fundings)
    row.ts_event = ts
    row.rate_pico = rate_pico
    row.price_ticks = price_ticks
    row.lots = position.lots
    row.funding_atoms = atoms
    row.fill_id = engine.next_fill_id - 1
    row.instrument = i
    row.strategy = s
    world.n_fundings += 1


@routine
def charge_funding(world, engine, market, i, ts, price_ticks, rate_pico):
    """Settle funding on every strategy's position in instrument `i` at a price and a rate."""
    currency = currency_at(world.currencies, market.currency)
    if rate_pico == 0 or price_ticks <= 0:
        return
    for s in range(world.n_strategies):
        position = position_at(world.positions, s * world.n_instruments + i)
        if position.lots == 0:
            continue
        if world.n_fundings >= world.fundings_capacity:
            engine.fault_reason = OUTPUTS_FULL
            return
        atoms = funding_atoms(market, position.lots, price_ticks, rate_pico)
        position.funding_atoms += atoms
        currency.funding_atoms += atoms
        currency.balance_atoms -= atoms
        write_funding(world, engine, position, s, i, ts, price_ticks, rate_pico, atoms)
    refresh_equity(world, engine)
