"""Orders, cancels and changes that reach a venue with tick data: when, against which book, with what result.

What arrives at exchange time t meets the book as it stands before the first event of its instrument that is
later than t. First in, first out.
"""

from __future__ import annotations

from tradectl.core.bars import is_stop, waits
from tradectl.core.codes import (
    BookLevel,
    OrderFlag,
    OrderStatus,
    OrderType,
    Reason,
    TimeInForce,
    TriggerSource,
)
from tradectl.core.depth_view import shown_best
from tradectl.core.execute import UNCAPPED, expire
from tradectl.core.jit import kernel, routine
from tradectl.core.l3_own import rest_in_queue
from tradectl.core.ladder_layout import NO_ASK, NO_BID
from tradectl.core.layout import NONE, currency_at, order_at
from tradectl.core.markouts import known_mark
from tradectl.core.orders import (
    acts_at,
    arrives_at,
    finish_order,
    is_arrived,
    is_immediate,
    is_live,
    lapse_order,
    link_order,
    next_after,
    push_report,
    refresh_keys,
    unlink_order,
)
from tradectl.core.resting import TOUCH, begin_rest
from tradectl.core.taking import can_take_all, take
from tradectl.engine.change import CANCEL_PENDING, apply_modify, cancel_now
from tradectl.engine.submit import is_marketable, reject_order, venue_code

__all__ = ["apply_due", "fire_stops", "resume_book"]

MARKET, STOP_MARKET = int(OrderType.MARKET), int(OrderType.STOP_MARKET)
FOK = int(TimeInForce.FOK)
POST_ONLY, TRIGGERED = int(OrderFlag.POST_ONLY), int(OrderFlag.TRIGGERED)
SUBMITTED, ACCEPTED = int(OrderStatus.SUBMITTED), int(OrderStatus.ACCEPTED)
STATUS_TRIGGERED, PENDING_UPDATE = int(OrderStatus.TRIGGERED), int(OrderStatus.PENDING_UPDATE)
CANCELED = int(OrderStatus.CANCELED)
PRINTS, BY_ORDER = int(BookLevel.PRINTS), int(BookLevel.ORDERS)
BY_LAST = int(TriggerSource.LAST)
CANCELED_BY_STRATEGY = int(Reason.CANCELED_BY_STRATEGY)
BOOK_BROKEN, NO_LIQUIDITY = int(Reason.BOOK_BROKEN), int(Reason.NO_LIQUIDITY)
POST_ONLY_WOULD_TAKE = int(Reason.POST_ONLY_WOULD_TAKE)


@kernel
def has_price(order):
    """Return whether an order has a limit."""
    return order.order_type != MARKET and order.order_type != STOP_MARKET


@routine
def end_remainder(world, engine, market, venue, slot):
    """Let what an order could not take at once rest, expire or be canceled."""
    order = order_at(world.orders, slot)
    currency = currency_at(world.currencies, market.currency)
    if is_immediate(order):
        expire(world, engine, market, currency, slot)
    elif has_price(order) and market.level == BY_ORDER:
        rest_in_queue(world, venue, slot)
    elif has_price(order):
        begin_rest(world, engine, market, venue, slot)
    else:
        finish_order(world, engine, market, currency, slot, CANCELED, NO_LIQUIDITY)


@routine
def meet_book(world, engine, market, venue, slot):
    """Let an order meet the book: take what it can, then rest or end.

    While the book is broken an IOC or FOK order ends and any other waits; with prints alone each waits for one.
    """
    order = order_at(world.orders, slot)
    if market.level == PRINTS:
        return
    if venue.broken != 0:
        if is_immediate(order):
            currency = currency_at(world.currencies, market.currency)
            finish_order(world, engine, market, currency, slot, CANCELED, BOOK_BROKEN)
        return
    limit = order.price_ticks if has_price(order) else UNCAPPED
    whole = order.time_in_force != FOK or can_take_all(world, engine, market, venue, slot, limit)
    if whole and not waits(world, engine, order):
        order.front = 0.0  # a taker has no queue, even if it rested before
        take(world, engine, market, venue, slot, limit)
        if market.level == BY_ORDER:
            venue.touched = TOUCH  # what it took is gone from the book
    if is_live(order):
        end_remainder(world, engine, market, venue, slot)


@routine
def resume_book(world, engine, market, venue):
    """Let the orders that arrived while the book was broken meet it, by priority; post_only ones may not take."""
    done = -1
    slot = market.first_order
    while slot != NONE:  # at most n_orders steps; looked up anew after each, for a fill may end other orders
        order = order_at(world.orders, slot)
        done = order.priority
        if order.note == 0 and is_arrived(order) and not is_stop(order):
            if order.flags & POST_ONLY and is_marketable(world, engine, market, order):
                currency = currency_at(world.currencies, market.currency)
                finish_order(world, engine, market, currency, slot, CANCELED, POST_ONLY_WOULD_TAKE)
            else:
                meet_book(world, engine, market, venue, slot)
        slot = next_after(world, market, done)
    refresh_keys(world, market)


@kernel
def is_due(world, engine, order, high_ticks, low_ticks):
    """Return whether prices up to `high_ticks` and down to `low_ticks` trigger a stop.

    One that would reduce a position waits until there is one.
    """
    if waits(world, engine, order):
        return False
    if order.side > 0:
        return high_ticks >= order.trigger_ticks
    return low_ticks <= order.trigger_ticks


@routine
def fire_stop(world, engine, market, venue, slot):
    """Trigger a stop: it gets a new place in time and meets the book as a market or limit order."""
    order = order_at(world.orders, slot)
    order.flags |= TRIGGERED
    order.ts_last = market.start
    if order.status < PENDING_UPDATE:
        order.status = STATUS_TRIGGERED
    else:
        order.before = STATUS_TRIGGERED
    unlink_order(world, market, slot)
    link_order(world, engine, market, slot)
    push_report(world, engine, order, 1, order.trigger_ticks, 0, 0, 0)
    meet_book(world, engine, market, venue, slot)


@routine
def fire_stops(world, engine, market, venue, high_ticks, low_ticks):
    """Trigger the stops that prices up to `high_ticks` and down to `low_ticks` reach, by priority."""
    if high_ticks < venue.stop_up and low_ticks > venue.stop_down:
        return
    slot = market.first_order
    last = engine.next_priority
    while slot != NONE and order_at(world.orders, slot).priority < last:  # each order at most once
        order = order_at(world.orders, slot)
        done = order.priority
        if is_arrived(order) and is_stop(order) and is_due(world, engine, order, high_ticks, low_ticks):
            fire_stop(world, engine, market, venue, slot)
        slot = next_after(world, market, done)
    refresh_keys(world, market)


@routine
def begin_work(world, engine, market, venue, slot):
    """Let an order that has arrived or changed meet the book; a stop beyond its price triggers at once."""
    order = order_at(world.orders, slot)
    if not is_stop(order):
        meet_book(world, engine, market, venue, slot)
    elif venue.broken == 0:
        high, low = venue.trade_ticks, venue.trade_ticks
        known = venue.trade_lots > 0
        if venue.trigger != BY_LAST and market.level != PRINTS:
            high, low = shown_best(world.books, market, venue, 1), shown_best(world.books, market, venue, 0)
            known = high != NO_ASK and low != NO_BID and low < high
        if known and is_due(world, engine, order, high, low):
            fire_stop(world, engine, market, venue, slot)


@routine
def begin_life(world, engine, market, venue, slot):
    """Let the venue accept or reject an order that has arrived; it meets the book, a stop waits for its price."""
    order = order_at(world.orders, slot)
    order.ts_last = order.ts_arrival
    order.twice_arrival = known_mark(world, market)
    code = venue_code(world, engine, market, order)
    if code != 0:
        reject_order(world, engine, market, slot, code)
        return
    order.ts_accepted = order.ts_arrival
    unlink_order(world, market, slot)  # its priority is that of its arrival
    link_order(world, engine, market, slot)
    if order.pend_kind == 0:
        order.status = ACCEPTED
    else:
        order.before = ACCEPTED
    push_report(world, engine, order, 1, 0, 0, 0, 0)
    begin_work(world, engine, market, venue, slot)


@routine
def next_due(world, market, until):
    """Return the slot of what is due at the venue first, before `until`: by time, then order id (NONE: nothing)."""
    found, at, found_id = NONE, until, 0
    slot = market.first_order
    while slot != NONE:  # at most n_orders steps
        order = order_at(world.orders, slot)
        due = acts_at(order)
        if due < at or (due == at and found != NONE and order.id < found_id):
            found, at, found_id = slot, due, order.id
        slot = order.next
    return found


@routine
def apply_due(world, engine, market, venue, until):
    """Let what arrives or expires before `until` (exchange time) take effect, in order of time."""
    while True:  # each step uses up one arrival, or ends an order
        slot = next_due(world, market, until)
        if slot == NONE:
            break
        order = order_at(world.orders, slot)
        market.start = arrives_at(order)
        if acts_at(order) < market.start:
            lapse_order(world, engine, market, slot)
        elif order.status == SUBMITTED or order.before == SUBMITTED:
            begin_life(world, engine, market, venue, slot)
        elif order.pend_kind == CANCEL_PENDING:
            cancel_now(world, engine, market, slot, CANCELED_BY_STRATEGY)
        else:
            order.ts_last = market.start
            moved = order.priority
            if apply_modify(world, engine, market, slot) == 0 and order.priority != moved:
                begin_work(world, engine, market, venue, slot)
    refresh_keys(world, market)
