"""What a hook sees of a book through `ctx`: touch, depth, the last trade, its orders' places, timers.

Prices and quantities are floats, NaN where there is none; `*_ticks` and `*_lots` integers.
"""

from __future__ import annotations

import math

from tradectl.core.codes import BookLevel, OrderStatus
from tradectl.core.depth_view import shown_best, shown_next, shown_qty
from tradectl.core.jit import kernel, routine
from tradectl.core.l3_own import lots_ahead
from tradectl.core.ladder_layout import NO_ASK, NO_BID
from tradectl.core.layout import NONE, UNCHANGED, engine_at, market_at, order_at, timer_at, venue_at
from tradectl.core.units import price_of_ticks, qty_of_lots
from tradectl.strategy.ctx_read import known_slot

SUBMITTED = int(OrderStatus.SUBMITTED)
MODIFY_PENDING = 2  # ORDER.pend_kind: a modify is on its way
PRINTS, BY_ORDER = int(BookLevel.PRINTS), int(BookLevel.ORDERS)


@kernel
def _market(ctx):
    return market_at(ctx.cursor_market, 0)


@kernel
def _venue(ctx):
    return venue_at(ctx.venues, ctx.cursor_instrument)


@kernel
def _price(ctx, ticks):
    if ticks == NO_BID or ticks == NO_ASK:
        return math.nan
    return price_of_ticks(_market(ctx), ticks)


@kernel
def ctx_bid(ctx):
    """Best bid of the current instrument; NaN where there is none."""
    return _price(ctx, _venue(ctx).bid)


@kernel
def ctx_ask(ctx):
    """Best ask of the current instrument; NaN where there is none."""
    return _price(ctx, _venue(ctx).ask)


@kernel
def ctx_bid_qty(ctx):
    """Displayed quantity at the best bid."""
    return qty_of_lots(_market(ctx), _venue(ctx).bid_lots)


@kernel
def ctx_ask_qty(ctx):
    """Displayed quantity at the best ask."""
    return qty_of_lots(_market(ctx), _venue(ctx).ask_lots)


@kernel
def ctx_bid_ticks(ctx):
    """Best bid in ticks; -2^62 where there is none."""
    return _venue(ctx).bid


@kernel
def ctx_ask_ticks(ctx):
    """Best ask in ticks; 2^62 where there is none."""
    return _venue(ctx).ask


@kernel
def ctx_bid_lots(ctx):
    """Displayed lots at the best bid."""
    return _venue(ctx).bid_lots


@kernel
def ctx_ask_lots(ctx):
    """Displayed lots at the best ask."""
    return _venue(ctx).ask_lots


@kernel
def ctx_mid(ctx):
    """Middle of best bid and best ask; NaN unless both are there."""
    venue = _venue(ctx)
    if venue.bid == NO_BID or venue.ask == NO_ASK:
        return math.nan
    return price_of_ticks(_market(ctx), venue.bid + venue.ask) * 0.5


@kernel
def ctx_spread_ticks(ctx):
    """Best ask less best bid in ticks; 2^62 and more unless both are there."""
    return _venue(ctx).ask - _venue(ctx).bid


@kernel
def ctx_is_synchronised(ctx):
    """Whether the book is whole: false after a gap in the feed until the next snapshot."""
    return _venue(ctx).broken == 0


@kernel
def ctx_trade_price(ctx):
    """Price of the last trade."""
    return price_of_ticks(_market(ctx), _venue(ctx).trade_ticks)


@kernel
def ctx_trade_qty(ctx):
    """Quantity of the last trade."""
    return qty_of_lots(_market(ctx), _venue(ctx).trade_lots)


@kernel
def ctx_trade_ticks(ctx):
    """Price of the last trade in ticks."""
    return _venue(ctx).trade_ticks


@kernel
def ctx_trade_lots(ctx):
    """Quantity of the last trade in lots."""
    return _venue(ctx).trade_lots


@kernel
def ctx_trade_side(ctx):
    """Aggressor of the last trade: 1 a buyer, -1 a seller, 0 unknown."""
    return _venue(ctx).trade_side


@kernel
def ctx_ts_exchange(ctx):
    """Exchange time of the current message, ns UTC (`ctx.now` is when it was received)."""
    return _venue(ctx).ts_event


@routine
def _level(ctx, side, k):
    """Return the price in ticks of the k-th level (0: the best) of a side, NO_BID or NO_ASK beyond the last."""
    if _market(ctx).level <= PRINTS:
        return NO_BID
    market, venue, index = _market(ctx), _venue(ctx), (1 - side) >> 1
    price = shown_best(ctx.books, market, venue, index)
    for _ in range(k):
        if price == NO_BID or price == NO_ASK:
            break
        price = shown_next(ctx.books, market, venue, index, price)
    return price


@kernel
def ctx_level_price(ctx, side, k):
    """Return the price of the k-th level (0: the best) of the bids (side 1) or asks (side -1); NaN beyond the last."""
    return _price(ctx, _level(ctx, side, k))


@kernel
def ctx_level_qty(ctx, side, k):
    """Return the displayed quantity of the k-th level (0: the best) of a side; 0 beyond the last."""
    price = _level(ctx, side, k)
    if price == NO_BID or price == NO_ASK:
        return 0.0
    return qty_of_lots(_market(ctx), shown_qty(ctx.books, _market(ctx), _venue(ctx), (1 - side) >> 1, price))


@routine
def ctx_depth_qty(ctx, side, levels, decay=1.0):
    """Return the quantity of a side's best `levels` levels together; each weighs `decay` times the one before it."""
    if _market(ctx).level <= PRINTS:
        return 0.0
    market, venue, index = _market(ctx), _venue(ctx), (1 - side) >> 1
    price = shown_best(ctx.books, market, venue, index)
    lots, weight = 0.0, 1.0
    for _ in range(levels):
        if price == NO_BID or price == NO_ASK:
            break
        lots += weight * shown_qty(ctx.books, market, venue, index, price)
        weight *= decay
        price = shown_next(ctx.books, market, venue, index, price)
    return qty_of_lots(market, lots)


@kernel
def ctx_queue_ahead(ctx, order_id):
    """Return the quantity ahead of a resting order (exact order by order, else estimated); NaN if it does not rest."""
    slot = known_slot(ctx, order_id)
    if slot == NONE or order_at(ctx.orders, slot).note == 0:
        return math.nan
    order = order_at(ctx.orders, slot)
    market = market_at(ctx.markets, order.instrument)
    front = order.front
    if market.level == BY_ORDER:
        front = float(lots_ahead(ctx, ctx.books + venue_at(ctx.venues, order.instrument).ladder, order.note - 1))
    return max(front, 0.0) * (market.lot_num / market.lot_den)


@kernel
def ctx_order_ticks(ctx, order_id):
    """Return the limit in ticks that was last asked for of a live order; 0 for one without, or that is not live."""
    slot = known_slot(ctx, order_id)
    if slot == NONE:
        return 0
    order = order_at(ctx.orders, slot)
    if order.pend_kind == MODIFY_PENDING and order.pend_price_ticks != UNCHANGED:
        return order.pend_price_ticks
    return order.price_ticks


@kernel
def ctx_order_price(ctx, order_id):
    """Return the limit that was last asked for of a live order; NaN for one without, or that is not live."""
    ticks = ctx_order_ticks(ctx, order_id)
    if ticks == 0:
        return math.nan
    return price_of_ticks(market_at(ctx.markets, order_at(ctx.orders, known_slot(ctx, order_id)).instrument), ticks)


@kernel
def ctx_order_side(ctx, order_id):
    """Return the side of a live order, 1 or -1; 0 for one that is not live."""
    slot = known_slot(ctx, order_id)
    return order_at(ctx.orders, slot).side if slot != NONE else 0


@kernel
def ctx_is_in_flight(ctx, order_id):
    """Return whether an order, or a change of it, is on its way to the venue as far as is known here."""
    slot = known_slot(ctx, order_id)
    if slot == NONE:
        return False
    order = order_at(ctx.orders, slot)
    return order.seen == SUBMITTED or order.pend_kind != 0


@kernel
def ctx_set_timer(ctx, at):
    """Ask for `on_timer` at a time, ns UTC, later than now; a new time replaces the last one."""
    engine = engine_at(ctx.engine, 0)
    timer = timer_at(ctx.timers, ctx.cursor_strategy * ctx.n_instruments + ctx.cursor_instrument)
    timer.at = max(int(at), engine.now + 1)
    engine.next_timer = min(engine.next_timer, timer.at)
    engine.next_local = min(engine.next_local, engine.next_timer + 1)
