"""From money to lots: the sizing methods."""

from __future__ import annotations

from tradectl.core.buying import affordable_lots
from tradectl.core.codes import SizingMethod
from tradectl.core.jit import kernel, routine
from tradectl.core.money import muldiv_ceil, muldiv_floor, share_floor

__all__ = ["lots_for_atoms", "sized_lots"]

NANO = 1_000_000_000
FIXED = int(SizingMethod.FIXED)
NOTIONAL = int(SizingMethod.NOTIONAL)


@kernel
def lots_for_atoms(market, atoms, price_ticks):
    """Return the whole lots that `atoms` buy at a price, fees not included (0 for no money or no price)."""
    if atoms <= 0 or price_ticks <= 0:
        return 0
    return muldiv_floor(atoms, market.unit_den, price_ticks * market.unit_num)


@routine
def sized_lots(engine, market, strategy, equity, available):
    """Return the lots that the strategy's sizing method gives at the last price (0: less than one lot).

    `equity` and `available` are atoms of the instrument's quote currency.
    """
    if strategy.sizing_method == FIXED:
        return muldiv_floor(strategy.sizing_value, int(market.lot_den), NANO * int(market.lot_num))
    if strategy.sizing_method == NOTIONAL:
        return lots_for_atoms(market, strategy.sizing_value, market.last)
    budget = share_floor(equity, strategy.sizing_value)
    lots = lots_for_atoms(market, budget, market.last)
    collared = market.last
    if engine.collar_nano > 0:
        collared += muldiv_ceil(market.last, engine.collar_nano, NANO)
    return affordable_lots(engine, market, 1, collared, lots, market.taker_nano, available)
