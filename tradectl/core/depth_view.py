"""What an instrument's book displays, whatever it is made of: price levels (L1, L2) or orders (L3).

`books` is WORLD.books, `index` a side: 0 bids, 1 asks. Own orders are not displayed.
"""

from __future__ import annotations

from tradectl.core.codes import BookLevel
from tradectl.core.jit import kernel
from tradectl.core.l3 import l3_best, l3_next, l3_qty
from tradectl.core.ladder import best, next_price, qty_at

__all__ = ["shown_best", "shown_next", "shown_qty"]

ORDERS = int(BookLevel.ORDERS)


@kernel
def shown_best(books, market, venue, index):
    """Return the best price of a side in ticks; NO_BID or NO_ASK when it is empty."""
    if market.level == ORDERS:
        return l3_best(books + venue.ladder, index)
    return best(books + venue.ladder, index)


@kernel
def shown_next(books, market, venue, index, price_ticks):
    """Return the best price of a side that is worse than `price_ticks`; NO_BID or NO_ASK: none."""
    if market.level == ORDERS:
        return l3_next(books + venue.ladder, index, price_ticks)
    return next_price(books + venue.ladder, index, price_ticks)


@kernel
def shown_qty(books, market, venue, index, price_ticks):
    """Return the lots displayed at a price, 0 where there are none."""
    if market.level == ORDERS:
        return l3_qty(books + venue.ladder, index, price_ticks)
    return qty_at(books + venue.ladder, index, price_ticks)
