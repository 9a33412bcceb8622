"""What a hook sees through `ctx`: bars, market, position, account.

Plain functions over WORLD, the same source compiled and in plain Python. Everything refers to the current
instrument, which a hook starts with and `ctx.select(i)` changes. Prices and quantities are floats; `*_ticks`
and `*_lots` integers.
"""

from __future__ import annotations

import math

from tradectl.core import layout
from tradectl.core.account import is_valued
from tradectl.core.buying import available_atoms
from tradectl.core.calendars import is_open, session_of, session_of_bar
from tradectl.core.codes import MarketStatus, OrderStatus
from tradectl.core.jit import kernel, routine
from tradectl.core.layout import NONE, bar_at, currency_at, engine_at, market_at, order_at, position_at
from tradectl.core.orders import order_of
from tradectl.core.units import lots_of_qty, price_of_ticks, qty_of_lots

ATOMS = 1e8
LISTED = int(MarketStatus.LISTED)
NONE_STATUS = int(OrderStatus.NONE)
SUBMITTED, PENDING_CANCEL = int(OrderStatus.SUBMITTED), int(OrderStatus.PENDING_CANCEL)
FRAME_SIZE = layout.FRAME.itemsize
MARKET_SIZE = layout.MARKET.itemsize
POSITION_SIZE = layout.POSITION.itemsize

# --- what the current bar and market look like


@kernel
def _market(ctx):
    return market_at(ctx.cursor_market, 0)


@kernel
def ctx_now(ctx):
    """Time of this hook, ns UTC."""
    return engine_at(ctx.engine, 0).now


@kernel
def ctx_open(ctx):
    """Open of the current bar."""
    return price_of_ticks(_market(ctx), bar_at(ctx.cursor_bar, 0).open)


@kernel
def ctx_high(ctx):
    """High of the current bar."""
    return price_of_ticks(_market(ctx), bar_at(ctx.cursor_bar, 0).high)


@kernel
def ctx_low(ctx):
    """Low of the current bar."""
    return price_of_ticks(_market(ctx), bar_at(ctx.cursor_bar, 0).low)


@kernel
def ctx_close(ctx):
    """Close of the current bar."""
    return price_of_ticks(_market(ctx), bar_at(ctx.cursor_bar, 0).close)


@kernel
def ctx_volume(ctx):
    """Volume of the current bar in units of the base; NaN where unknown."""
    lots = bar_at(ctx.cursor_bar, 0).volume
    return qty_of_lots(_market(ctx), lots) if lots >= 0 else math.nan


@kernel
def ctx_open_ticks(ctx):
    """Open of the current bar in ticks."""
    return bar_at(ctx.cursor_bar, 0).open


@kernel
def ctx_high_ticks(ctx):
    """High of the current bar in ticks."""
    return bar_at(ctx.cursor_bar, 0).high


@kernel
def ctx_low_ticks(ctx):
    """Low of the current bar in ticks."""
    return bar_at(ctx.cursor_bar, 0).low


@kernel
def ctx_close_ticks(ctx):
    """Close of the current bar in ticks."""
    return bar_at(ctx.cursor_bar, 0).close


@kernel
def ctx_volume_lots(ctx):
    """Volume of the current bar in lots; -1 where unknown."""
    return bar_at(ctx.cursor_bar, 0).volume


@kernel
def ctx_ts_event(ctx):
    """End of the current bar, ns UTC."""
    return bar_at(ctx.cursor_bar, 0).ts_event


@kernel
def ctx_timeframe_ns(ctx):
    """Length of the current bar, ns."""
    return bar_at(ctx.cursor_bar, 0).tf_ns


@kernel
def ctx_frame(ctx):
    """Which bar of the configuration's `bars:` this is: by time, finest first, then the others; -1: the source's."""
    return ctx.cursor_frame


# --- when the instrument trades


@kernel
def current_session(ctx):
    """Return (number, open, close) of the session of the current bar, or where there is none of this hook's time."""
    market = _market(ctx)
    ended = bar_at(ctx.cursor_bar, 0).ts_event
    if ended <= 0 or (market.level != 0 and ctx.cursor_frame < 0):
        return session_of(ctx, market, engine_at(ctx.engine, 0).now)
    length = market.tf_ns if market.level == 0 else 1  # of a derived bar its last source bar says it
    return session_of_bar(ctx, market, ended - length, ended)


@kernel
def ctx_is_session_open(ctx):
    """Whether the current instrument's market is open now: from a session's open until before its close."""
    return is_open(ctx, _market(ctx), engine_at(ctx.engine, 0).now)


@kernel
def ctx_session(ctx):
    """Number of the session of the current bar (its date in days since 1970-01-01); outside sessions the next one's."""
    number, _, _ = current_session(ctx)
    return number


@kernel
def ctx_session_open(ctx):
    """Open of the session of the current bar, ns UTC; outside sessions the next one's."""
    _, opens, _ = current_session(ctx)
    return opens


@kernel
def ctx_session_close(ctx):
    """Close of the session of the current bar, ns UTC; outside sessions the next one's."""
    _, _, closes = current_session(ctx)
    return closes


@kernel
def ctx_last(ctx):
    """Last price of the current instrument."""
    market = _market(ctx)
    return price_of_ticks(market, market.last)


@kernel
def ctx_last_ticks(ctx):
    """Last price of the current instrument in ticks."""
    return _market(ctx).last


@kernel
def ctx_tick_size(ctx):
    """Tick size of the current instrument."""
    market = _market(ctx)
    return market.tick_num / market.tick_den


@kernel
def ctx_lot_size(ctx):
    """Lot size of the current instrument."""
    market = _market(ctx)
    return market.lot_num / market.lot_den


@kernel
def ctx_is_tradable(ctx):
    """Whether the current instrument is listed and has had a price."""
    market = _market(ctx)
    return market.status == LISTED and market.has_price != 0


@kernel
def ctx_has_bar(ctx):
    """Whether the current instrument has a bar of this timeframe that ends now (it may have none)."""
    return bar_at(ctx.cursor_bar, 0).ts_event == engine_at(ctx.engine, 0).now


@kernel
def state_of(ctx, strategy, instrument):
    """Return the address of a strategy's state for an instrument (portfolio scope: the same for all)."""
    if strategy.portfolio:
        return ctx.blob + strategy.state
    return ctx.blob + strategy.state + instrument * strategy.state_size


@kernel
def ctx_is_ready(ctx):
    """Whether all indicators of the strategy's state for the current instrument have seen what they need."""
    return ctx.is_ready  # each strategy's `ctx` knows its own: see `strategy.warmup`


@kernel
def ctx_instrument(ctx):
    """Index of the current instrument (ids in alphabetical order)."""
    return ctx.cursor_instrument


@kernel
def ctx_n_instruments(ctx):
    """How many instruments the run has."""
    return ctx.n_instruments


# --- what is held


@kernel
def _position(ctx):
    return position_at(ctx.cursor_position, 0)


@kernel
def known_lots(ctx):
    """Return the position as far as reports have told of it; without latency that is the position."""
    position = _position(ctx)
    return position.lots if engine_at(ctx.engine, 0).local_view == 0 else position.seen_lots


@kernel
def known_slot(ctx, order_id):
    """Return the slot of an order that is live as far as reports have told, or NONE."""
    if engine_at(ctx.engine, 0).local_view == 0:
        return order_of(ctx, order_id)
    slot = order_id & ctx.order_mask
    order = order_at(ctx.orders, slot)
    if order.id == order_id and SUBMITTED <= order.seen <= PENDING_CANCEL:
        return slot
    return NONE


@kernel
def ctx_position(ctx):
    """This strategy's position in units of the base (negative: short)."""
    return qty_of_lots(_market(ctx), known_lots(ctx))


@kernel
def ctx_position_lots(ctx):
    """This strategy's position in lots (negative: short)."""
    return known_lots(ctx)


@kernel
def ctx_entry_price(ctx):
    """Average price of the position; NaN when flat."""
    position = _position(ctx)
    market = _market(ctx)
    if position.lots == 0:
        return math.nan
    return position.cost_atoms / ATOMS / qty_of_lots(market, position.lots)


@kernel
def ctx_unrealised(ctx):
    """Unrealised profit of the position at the last price, in the quote currency."""
    position = _position(ctx)
    market = _market(ctx)
    return (position.lots * market.last * (market.unit_num / market.unit_den) - position.cost_atoms) / ATOMS


@kernel
def ctx_realised(ctx):
    """Realised profit of this strategy in the current instrument, before fees, in the quote currency."""
    return _position(ctx).realised_atoms / ATOMS


@kernel
def ctx_equity(ctx):
    """Equity of the account in its currency; NaN until all that is held has a rate."""
    if not is_valued(ctx):
        return math.nan
    return engine_at(ctx.engine, 0).equity_atoms / ATOMS


@kernel
def ctx_balance(ctx):
    """Balance of the current instrument's quote currency."""
    return currency_at(ctx.currencies, _market(ctx).currency).balance_atoms / ATOMS


@kernel
def ctx_buying_power(ctx):
    """What is free for new orders: cash of the quote currency, or equity not in use as margin."""
    return available_atoms(engine_at(ctx.engine, 0), currency_at(ctx.currencies, _market(ctx).currency)) / ATOMS


@kernel
def ctx_drawdown(ctx):
    """Drawdown of the account: 1 - equity / peak equity."""
    engine = engine_at(ctx.engine, 0)
    return 1.0 - engine.equity_atoms / engine.peak_atoms if engine.peak_atoms > 0 else 0.0


@kernel
def ctx_trading_state(ctx):
    """1 ACTIVE, 2 REDUCING, 3 HALTED."""
    return engine_at(ctx.engine, 0).trading_state


@routine
def ctx_open_orders(ctx):
    """How many orders of this strategy are live in the current instrument, as the venue counts them."""
    count = 0
    slot = _market(ctx).first_order
    while slot != NONE:
        order = order_at(ctx.orders, slot)
        if order.strategy == ctx.cursor_strategy:
            count += 1
        slot = order.next
    return count


@kernel
def ctx_order_status(ctx, order_id):
    """Return the OrderStatus of a live order, 0 for one that is final or unknown."""
    slot = known_slot(ctx, order_id)
    if slot == NONE:
        return NONE_STATUS
    order = order_at(ctx.orders, slot)
    return order.status if engine_at(ctx.engine, 0).local_view == 0 else order.seen


@kernel
def ctx_is_live(ctx, order_id):
    """Return whether an order is working or on its way."""
    return known_slot(ctx, order_id) != NONE


@kernel
def ctx_leaves(ctx, order_id):
    """Return what an order still has to fill, in units of the base (0 for one that is final)."""
    slot = known_slot(ctx, order_id)
    if slot == NONE:
        return 0.0
    order = order_at(ctx.orders, slot)
    left = order.leaves_lots if engine_at(ctx.engine, 0).local_view == 0 else order.seen_leaves
    return qty_of_lots(market_at(ctx.markets, order.instrument), left)


@kernel
def ctx_round_qty(ctx, qty):
    """Return a quantity rounded down to whole lots."""
    lots, _exact = lots_of_qty(_market(ctx), float(qty))
    return qty_of_lots(_market(ctx), lots)


@kernel
def ctx_select(ctx, instrument):
    """Make an instrument the current one, with its last bar of this timeframe; return whether it is tradable."""
    if instrument < 0 or instrument >= ctx.n_instruments:
        return False
    select_instrument(ctx, instrument)
    return ctx_is_tradable(ctx)


@kernel
def select_instrument(ctx, instrument):
    """Point the cursors at an instrument and its bar of the current timeframe."""
    ctx.cursor_instrument = instrument
    ctx.cursor_market = ctx.markets + instrument * MARKET_SIZE
    if ctx.cursor_frame < 0:
        ctx.cursor_bar = ctx.cursor_market
    else:
        ctx.cursor_bar = ctx.frames + (instrument * ctx.n_frames + ctx.cursor_frame) * FRAME_SIZE
    ctx.cursor_position = ctx.positions + (ctx.cursor_strategy * ctx.n_instruments + instrument) * POSITION_SIZE
