"""From a request to a working order: validation, risk gate, venue."""

from __future__ import annotations

from tradectl.core.bars import within
from tradectl.core.calendars import session_of
from tradectl.core.codes import (
    BookLevel,
    FillAt,
    FillPhase,
    LiquiditySide,
    OrderFlag,
    OrderStatus,
    OrderType,
    Reason,
    TimeInForce,
)  # fmt: skip
from tradectl.core.depth_view import shown_best
from tradectl.core.execute import UNCAPPED, execute
from tradectl.core.jit import kernel, routine
from tradectl.core.ladder_layout import NO_ASK, NO_BID
from tradectl.core.latency import entry_latency
from tradectl.core.layout import NEVER, NONE, currency_at, market_at, order_at, position_at, venue_at
from tradectl.core.markouts import known_mark
from tradectl.core.orders import (
    emit_order,
    finish_order,
    hold_reserves,
    link_order,
    note_order,
    push_report,
    unlink_order,
)
from tradectl.core.validate import validate_order
from tradectl.core.watch import before_checks
from tradectl.risk.gate import check_order, check_rate

__all__ = [
    "accept_order", "admit_order", "arrival_of", "check_request", "deny_order", "fill_order_record", "handle_submit",
    "is_marketable", "order_slot", "place_system_order", "reject_order", "validate_record", "venue_code",
]  # fmt: skip

MARKET, LIMIT = int(OrderType.MARKET), int(OrderType.LIMIT)
STOP_MARKET, STOP_LIMIT = int(OrderType.STOP_MARKET), int(OrderType.STOP_LIMIT)
POST_ONLY, REDUCE_ONLY = int(OrderFlag.POST_ONLY), int(OrderFlag.REDUCE_ONLY)
MARKETABLE = int(OrderFlag.MARKETABLE)
SUBMITTED, ACCEPTED = int(OrderStatus.SUBMITTED), int(OrderStatus.ACCEPTED)
DENIED, REJECTED = int(OrderStatus.DENIED), int(OrderStatus.REJECTED)
AT_CLOSE = int(FillPhase.CLOSE)
PRINTS = int(BookLevel.PRINTS)
FILL_AT_CLOSE = int(FillAt.CLOSE)
TAKER = int(LiquiditySide.TAKER)
GTD, DAY = int(TimeInForce.GTD), int(TimeInForce.DAY)
ORDERS_FULL, EXPIRY_INVALID = int(Reason.ORDERS_FULL), int(Reason.EXPIRY_INVALID)
UNKNOWN_INSTRUMENT = int(Reason.UNKNOWN_INSTRUMENT)
POST_ONLY_WOULD_TAKE = int(Reason.POST_ONLY_WOULD_TAKE)
REDUCE_ONLY_WOULD_OPEN = int(Reason.REDUCE_ONLY_WOULD_OPEN)


@kernel
def order_slot(world, order_id):
    """Return the slot of a new order; the spare one behind the table where there was no room."""
    return order_id & world.order_mask if order_id > 0 else world.order_mask + 1


@routine
def fill_order_record(engine, order, request):
    """Write a request into a fresh order record."""
    order.id = request.order_id
    order.priority = 0
    order.ts_submitted = engine.now
    order.ts_arrival = 0
    order.ts_accepted = 0
    order.ts_last = engine.now
    limit = request.order_type == LIMIT or request.order_type == STOP_LIMIT
    stop = request.order_type == STOP_MARKET or request.order_type == STOP_LIMIT
    order.price_ticks = request.price_ticks if limit else 0  # what a type does not have is not kept
    order.trigger_ticks = request.trigger_ticks if stop else 0
    order.qty_lots = request.qty_lots
    order.leaves_lots = request.qty_lots
    order.filled_lots = 0
    order.notional_atoms = 0
    order.fees_atoms = 0
    order.reserve_atoms = 0
    order.exposure_atoms = 0
    order.held_lots = 0
    order.reserve_total = 0
    order.exposure_total = 0
    order.held_total = 0
    order.acted_batch = 0
    order.pend_ts = 0
    order.pend_qty_lots = 0
    order.pend_price_ticks = 0
    order.pend_trigger_ticks = 0
    order.tag = request.tag
    order.instrument = request.instrument
    order.strategy = request.strategy
    order.prev = NONE
    order.next = NONE
    order.reason = 0
    order.n_fills = 0
    order.front = 0.0
    order.front_post = -1.0  # it has never rested
    order.note = 0
    order.n_unseen = 0
    order.twice_submit = 0
    order.twice_arrival = 0
    order.ts_response = 0
    order.twice_end = 0
    order.expires = request.expires
    order.seen = SUBMITTED
    order.seen_leaves = order.qty_lots
    order.side = request.side
    order.order_type = request.order_type
    order.time_in_force = request.time_in_force
    order.status = SUBMITTED
    order.before = 0
    order.pend_kind = 0
    order.flags = request.flags


@kernel
def validate_record(market, order, fault):
    """Return 0 or the 1xx code of an order record; `fault`: what was wrong with its numbers as written."""
    return validate_order(
        market,
        order.side,
        order.order_type,
        order.time_in_force,
        order.flags,
        order.leaves_lots,
        order.price_ticks,
        order.trigger_ticks,
        fault,
    )


@routine
def check_request(world, engine, market, position, order, reason, credit):
    """Return 0, or why an order is denied: 1xx, then 2xx; sets the order's reserves."""
    wrong = order.expires <= engine.now if order.time_in_force == GTD else order.expires != 0
    if wrong and reason != ORDERS_FULL:
        reason = EXPIRY_INVALID
    before_checks(world, engine, order, reason, credit)
    if reason == ORDERS_FULL:
        return reason
    code = validate_record(market, order, reason)
    if code != 0:
        return code
    return check_order(world, engine, market, position, order, order.qty_lots, credit)


@routine
def deny_order(world, engine, slot, reason):
    """End an order that never left: DENIED with its reason."""
    order = order_at(world.orders, slot)
    order.status = DENIED
    order.reason = reason
    order.reserve_atoms = 0
    order.exposure_atoms = 0
    engine.n_denied += 1
    emit_order(world, engine, slot)
    push_report(world, engine, order, 1, 0, 0, 0, 0)


@kernel
def crosses(world, market, order):
    """Return whether a limit reaches the other side of a displayed book that is whole."""
    venue = venue_at(world.venues, market.index)
    if venue.broken != 0:
        return False
    opposite = shown_best(world.books, market, venue, (1 + order.side) >> 1)
    return opposite != NO_BID and opposite != NO_ASK and order.side * opposite <= order.side * order.price_ticks


@kernel
def is_marketable(world, engine, market, order):
    """Return whether a limit lies beyond the last price (with touch: at it), or reaches the displayed book."""
    if order.order_type != LIMIT:
        return False
    if market.level != 0 and market.level != PRINTS:
        return crosses(world, market, order)
    if engine.limit_touch:
        return within(order.side, market.last, order.price_ticks)
    return order.side * market.last < order.side * order.price_ticks


@routine
def could_open(world, market, order):
    """Return whether a working order of the same strategy could open what a reduce_only order reduces."""
    slot = market.first_order
    while slot != NONE:  # at most n_orders steps
        other = order_at(world.orders, slot)
        arrived = other.status != SUBMITTED and other.before != SUBMITTED
        opposite = other.strategy == order.strategy and other.side == -order.side
        if arrived and opposite and other.flags & REDUCE_ONLY == 0:
            return True
        slot = other.next
    return False


@routine
def venue_code(world, engine, market, order):
    """Return 0, or the 3xx code with which the venue rejects an order on arrival."""
    if order.flags & REDUCE_ONLY:
        position = position_at(world.positions, order.strategy * world.n_instruments + order.instrument)
        if position.lots * order.side >= 0 and not could_open(world, market, order):
            return REDUCE_ONLY_WOULD_OPEN
    if order.flags & POST_ONLY and is_marketable(world, engine, market, order):
        return POST_ONLY_WOULD_TAKE
    return 0


@routine
def reject_order(world, engine, market, slot, code):
    """End an order that the venue rejects on arrival."""
    engine.n_rejected += 1
    finish_order(world, engine, market, currency_at(world.currencies, market.currency), slot, REJECTED, code)


@routine
def accept_order(world, engine, market, slot):
    """Let the venue judge an order that has arrived: accept or reject it; return the 3xx code or 0."""
    order = order_at(world.orders, slot)
    code = venue_code(world, engine, market, order)
    if code != 0:
        reject_order(world, engine, market, slot, code)
        return code
    order.ts_accepted = order.ts_arrival
    if engine.latency_entry_ns > 0:  # the priority is that of the arrival
        unlink_order(world, market, slot)
        link_order(world, engine, market, slot)
    if order.pend_kind == 0:
        order.status = ACCEPTED
    else:
        order.before = ACCEPTED
    if is_marketable(world, engine, market, order):
        order.flags |= MARKETABLE
    push_report(world, engine, order, 1, 0, 0, 0, 0)
    note_order(market, order)
    at_close = engine.fill_at == FILL_AT_CLOSE and order.order_type == MARKET
    if at_close and market.synthetic == 0:
        execute(world, engine, market, slot, market.last, True, UNCAPPED, TAKER, AT_CLOSE)
    return 0


@routine
def arrival_of(world, engine, market):
    """Return when what is sent now reaches the venue; nothing overtakes what was sent before it, ns."""
    due = engine.now + entry_latency(world, engine, engine.now)
    if market.level != 0:
        venue = venue_at(world.venues, market.index)
        due = max(due, venue.last_arrival)
        venue.last_arrival = due
        venue.next_arrival = min(venue.next_arrival, due)
    return due


@routine
def set_expiry(world, market, order):
    """Set when an order ends that arrives at its `ts_arrival`: DAY with the session that is on then, or comes next."""
    if order.time_in_force == DAY:
        _, _, order.expires = session_of(world, market, order.ts_arrival)
    elif order.time_in_force != GTD:
        order.expires = NEVER
    if market.level == 0:
        market.next_expiry = min(market.next_expiry, order.expires)
    else:
        venue = venue_at(world.venues, market.index)
        venue.next_arrival = min(venue.next_arrival, order.expires - 1)


@routine
def admit_order(world, engine, market, slot):
    """Put an order that passed on its way: reserves, list, with zero latency the venue; return its code or 0."""
    order = order_at(world.orders, slot)
    currency = currency_at(world.currencies, market.currency)
    hold_reserves(world, engine, currency, order, order.reserve_atoms, order.exposure_atoms, order.leaves_lots)
    engine.n_live += 1
    link_order(world, engine, market, slot)
    order.ts_arrival = arrival_of(world, engine, market)
    set_expiry(world, market, order)
    order.twice_submit = known_mark(world, market)
    if market.travels == 0:
        return accept_order(world, engine, market, slot)
    market.attention = 1
    return 0


@routine
def handle_submit(world, engine, request):
    """Judge one request for an order and admit or deny it; return the reason of a refusal or 0."""
    slot = order_slot(world, request.order_id)
    order = order_at(world.orders, slot)
    fill_order_record(engine, order, request)
    engine.n_orders += 1
    if request.instrument < 0 or request.instrument >= world.n_instruments:
        order.status = DENIED
        order.reason = UNKNOWN_INSTRUMENT
        engine.n_denied += 1
        emit_order(world, engine, slot)
        return UNKNOWN_INSTRUMENT
    market = market_at(world.markets, request.instrument)
    position = position_at(world.positions, request.strategy * world.n_instruments + request.instrument)
    reason = request.reason if request.order_id > 0 else ORDERS_FULL
    code = check_request(world, engine, market, position, order, reason, 0)
    if code == 0:
        code = check_rate(engine)
    if code != 0:
        deny_order(world, engine, slot, code)
        return code
    return admit_order(world, engine, market, slot)


@routine
def place_system_order(world, engine, request):
    """Admit an order of the risk unit: no gate, no latency of decision."""
    if request.order_id == 0:
        engine.fault_reason = ORDERS_FULL
        return
    slot = order_slot(world, request.order_id)
    order = order_at(world.orders, slot)
    fill_order_record(engine, order, request)
    engine.n_orders += 1
    admit_order(world, engine, market_at(world.markets, request.instrument), slot)
