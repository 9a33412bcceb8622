"""Floats to ticks and lots and back: the only place where a strategy's floats meet the integer grid."""

from __future__ import annotations

import math

from tradectl.core.jit import kernel

__all__ = ["lots_of_qty", "price_of_ticks", "qty_of_lots", "ticks_at_least", "ticks_at_most"]

GRID_TOLERANCE = 1e-6  # of one tick or lot: what float arithmetic may leave beside the grid
FLOAT_LIMIT = 4.0e18  # below 2**62; a larger float has no place on the grid


@kernel
def price_of_ticks(market, ticks):
    """Return the price of integer ticks as the nearest float to the decimal."""
    return ticks * market.tick_num / market.tick_den


@kernel
def qty_of_lots(market, lots):
    """Return the quantity of integer lots as the nearest float to the decimal."""
    return lots * market.lot_num / market.lot_den


@kernel
def on_grid(x):
    """Return (units, 1) for a float within tolerance of a whole number, (floor, 0) otherwise, (0, -1) if neither."""
    if not (-FLOAT_LIMIT < x < FLOAT_LIMIT):
        return 0, -1
    whole = math.floor(x + 0.5)
    if abs(x - whole) <= GRID_TOLERANCE:
        return int(whole), 1
    return int(math.floor(x)), 0


@kernel
def ticks_at_most(market, price):
    """Return (ticks, ok): the price on its tick, or the next tick below; ok is False for NaN and infinity."""
    ticks, exact = on_grid(price * market.tick_den / market.tick_num)
    return ticks, exact >= 0


@kernel
def ticks_at_least(market, price):
    """Return (ticks, ok): the price on its tick, or the next tick above; ok is False for NaN and infinity."""
    ticks, exact = on_grid(price * market.tick_den / market.tick_num)
    return (ticks + 1 if exact == 0 else ticks), exact >= 0


@kernel
def lots_of_qty(market, qty):
    """Return (lots, exact): exact is 1 on the lot grid, 0 between lots (rounded down), -1 for NaN and infinity."""
    return on_grid(qty * market.lot_den / market.lot_num)
