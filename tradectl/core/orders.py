"""The order table: slots, each market's list of working orders, and the rows that leave for the outputs.

An order lives in slot `order_id & order_mask`; an id whose slot is taken is skipped, so a look-up is one
mask. A market's working orders form a doubly linked list in the order of their priority.
"""

from __future__ import annotations

from tradectl.core.codes import (
    AccountType,
    BookLevel,
    OrderFlag,
    OrderStatus,
    OrderType,
    Reason,
    ReportKind,
    TimeInForce,
)
from tradectl.core.jit import kernel, routine
from tradectl.core.l3 import withdraw_own
from tradectl.core.ladder_notes import remove_note
from tradectl.core.latency import response_latency
from tradectl.core.layout import (
    NEVER,
    NONE,
    ORDER,
    REPORT,
    currency_at,
    market_at,
    order_at,
    position_at,
    report_at,
    venue_at,
)  # fmt: skip
from tradectl.core.markouts import known_mark
from tradectl.core.money import muldiv_ceil
from tradectl.core.records import copy_words
from tradectl.core.units import price_of_ticks, qty_of_lots

__all__ = [
    "acts_at",
    "arrives_at",
    "emit_order",
    "expire_until",
    "finish_order",
    "hold_reserves",
    "is_arrived",
    "is_immediate",
    "is_live",
    "lapse_order",
    "link_order",
    "next_after",
    "note_order",
    "order_of",
    "push_report",
    "queue_report",
    "refresh_keys",
    "release_reserves",
    "take_order_id",
    "unlink_order",
]  # fmt: skip

CASH = int(AccountType.CASH)
BY_ORDER = int(BookLevel.ORDERS)
ORDER_WORDS = ORDER.itemsize // 8
REPORT_SIZE, REPORT_WORDS = REPORT.itemsize, REPORT.itemsize // 8
SUBMITTED = int(OrderStatus.SUBMITTED)
PENDING_UPDATE, PENDING_CANCEL = int(OrderStatus.PENDING_UPDATE), int(OrderStatus.PENDING_CANCEL)
DENIED, EXPIRED = int(OrderStatus.DENIED), int(OrderStatus.EXPIRED)
MARKET, LIMIT = int(OrderType.MARKET), int(OrderType.LIMIT)
STOP_MARKET, STOP_LIMIT = int(OrderType.STOP_MARKET), int(OrderType.STOP_LIMIT)
IOC, FOK, GTD = int(TimeInForce.IOC), int(TimeInForce.FOK), int(TimeInForce.GTD)
MARKETABLE = int(OrderFlag.MARKETABLE)
TRIGGERED = int(OrderFlag.TRIGGERED)
REDUCE_ONLY = int(OrderFlag.REDUCE_ONLY)
FILL_REPORT = int(ReportKind.FILL)
REPORTS_FULL = int(Reason.REPORTS_FULL)
OUTPUTS_FULL = int(Reason.OUTPUTS_FULL)
SESSION_ENDED, TIME_ENDED = int(Reason.SESSION_ENDED), int(Reason.TIME_ENDED)


@kernel
def is_live(order):
    """Return whether an order is working or on its way to the venue."""
    return SUBMITTED <= order.status <= PENDING_CANCEL


@kernel
def is_arrived(order):
    """Return whether a live order has reached the venue."""
    return order.status != SUBMITTED and (order.pend_kind == 0 or order.before != SUBMITTED)


@kernel
def is_immediate(order):
    """Return whether an order fills at once or not at all; any other may rest."""
    return order.time_in_force == IOC or order.time_in_force == FOK


@kernel
def is_taken(order):
    """Return whether an order's slot is in use: it is live, or a report of it is on its way."""
    return is_live(order) or order.n_unseen > 0


@kernel
def take_order_id(world, engine):
    """Take the next order id whose slot is free; 0 when the table is full."""
    if engine.n_live + engine.n_requests > world.order_mask:
        return 0
    order_id = engine.next_order_id
    while is_taken(order_at(world.orders, order_id & world.order_mask)):  # at most as many as are taken
        order_id += 1
        if order_id - engine.next_order_id > world.order_mask:
            return 0
    engine.next_order_id = order_id + 1
    return order_id


@kernel
def order_of(world, order_id):
    """Return the slot of a live order, or -1 where no live order has this id."""
    slot = order_id & world.order_mask
    order = order_at(world.orders, slot)
    if order.id == order_id and is_live(order):
        return slot
    return NONE


@routine
def link_order(world, engine, market, slot):
    """Append an order to its market's list with the next priority."""
    order = order_at(world.orders, slot)
    order.priority = engine.next_priority
    engine.next_priority += 1
    order.prev = market.last_order
    order.next = NONE
    if market.last_order == NONE:
        market.first_order = slot
    else:
        order_at(world.orders, market.last_order).next = slot
    market.last_order = slot
    market.n_orders += 1


@routine
def next_after(world, market, priority):
    """Return the slot of a market's order that comes next after a priority, whatever has left the list (NONE: none)."""
    slot = market.first_order
    while slot != NONE and order_at(world.orders, slot).priority <= priority:
        slot = order_at(world.orders, slot).next
    return slot


@routine
def unlink_order(world, market, slot):
    """Take an order out of its market's list, and out of its queue."""
    order = order_at(world.orders, slot)
    if order.note != 0:
        book = world.books + venue_at(world.venues, order.instrument).ladder
        if market.level == BY_ORDER:
            withdraw_own(book, (1 - order.side) >> 1, order.note - 1)
        else:
            remove_note(book, order.note - 1)
        order.note = 0
    if order.prev == NONE:
        market.first_order = order.next
    else:
        order_at(world.orders, order.prev).next = order.next
    if order.next == NONE:
        market.last_order = order.prev
    else:
        order_at(world.orders, order.next).prev = order.prev
    market.n_orders -= 1


@kernel
def hold_lots(world, order, lots):
    """Count `lots` (may be negative) of a working order that could open, by strategy, instrument and side."""
    if order.flags & REDUCE_ONLY == 0:
        position = position_at(world.positions, order.strategy * world.n_instruments + order.instrument)
        if order.side > 0:
            position.open_buy_lots += lots
        else:
            position.open_sell_lots += lots


@routine
def release_reserves(world, engine, currency, order, leaves):
    """Shrink what an order reserves to its share for `leaves` lots of what it had (rounded up)."""
    held = order.held_lots
    if held == leaves:
        return
    reserve = 0 if leaves == 0 else muldiv_ceil(order.reserve_total, leaves, order.held_total)
    exposure = 0 if leaves == 0 else muldiv_ceil(order.exposure_total, leaves, order.held_total)
    if engine.account_type == CASH:
        currency.reserved_atoms += reserve - order.reserve_atoms
    else:
        engine.reserved_atoms += reserve - order.reserve_atoms
    engine.exposure_atoms += exposure - order.exposure_atoms
    order.reserve_atoms = reserve
    order.exposure_atoms = exposure
    hold_lots(world, order, leaves - held)
    order.held_lots = leaves


@routine
def hold_reserves(world, engine, currency, order, reserve, exposure, lots):
    """Let an order reserve atoms and exposure for `lots`; it holds nothing yet."""
    order.reserve_atoms = order.reserve_total = reserve
    order.exposure_atoms = order.exposure_total = exposure
    order.held_lots = order.held_total = lots
    if engine.account_type == CASH:
        currency.reserved_atoms += reserve
    else:
        engine.reserved_atoms += reserve
    engine.exposure_atoms += exposure
    hold_lots(world, order, lots)


@routine
def emit_order(world, engine, slot):
    """Copy an order's final row to the outputs."""
    if world.n_orders >= world.orders_capacity:
        engine.fault_reason = OUTPUTS_FULL
        return
    size = ORDER_WORDS * 8
    copy_words(world.orders_out + world.n_orders * size, world.orders + slot * size, ORDER_WORDS)
    world.n_orders += 1


@routine
def place_report(world, engine, due):
    """Make room for a report in the queue, which is sorted by time of delivery; return its slot."""
    at = engine.report_tail
    engine.report_tail += 1
    while at > engine.report_head:  # at most as many steps as reports wait
        if report_at(world.reports, (at - 1) & world.report_mask).ts_deliver <= due:
            break
        source = world.reports + ((at - 1) & world.report_mask) * REPORT_SIZE
        copy_words(world.reports + (at & world.report_mask) * REPORT_SIZE, source, REPORT_WORDS)
        at -= 1
    engine.next_local = min(engine.next_local, due + 1)
    return at & world.report_mask


@kernel
def push_report(world, engine, order, kind, price_ticks, lots, fee, liquidity):
    """Queue a report of the venue's."""
    queue_report(world, engine, order, kind, price_ticks, lots, fee, liquidity, True)


@routine
def queue_report(world, engine, order, kind, price_ticks, lots, fee, liquidity, answers):
    """Queue a report for the strategy's `on_order` or `on_fill`, due after the response latency.

    On bars that begins when the bar is seen; on tick data at the venue's own time, but not before the event
    that tells of it has been received, and what the venue does not answer (`answers`) is due at once.
    """
    if engine.wants_reports & kind == 0 and engine.local_view == 0:
        return
    if engine.report_tail - engine.report_head > world.report_mask:
        engine.fault_reason = REPORTS_FULL
        return
    market = market_at(world.markets, order.instrument)
    due = max(engine.now, order.ts_last) + engine.latency_response_ns
    stamp, status = order.ts_last, order.status
    if market.level != 0:
        due = engine.now  # a refusal of our own does not travel, and tells nothing that is still on its way
        if not answers:
            stamp = engine.now
            status = order.seen if status < PENDING_UPDATE else status
        elif order.status != DENIED:
            answered = order.ts_last + response_latency(world, engine, order.ts_last)
            due = max(engine.now, answered)
            engine.n_acks += 1
            if due > answered:
                engine.n_late_acks += 1
                engine.late_acks_ns += due - answered
            due = max(due, order.ts_response)  # of one order no answer overtakes an earlier one
            order.ts_response = due
    report = report_at(world.reports, place_report(world, engine, due))
    order.n_unseen += engine.local_view
    report.order_id = order.id
    report.ts_event = stamp
    report.ts_deliver = due
    report.price_ticks = price_ticks
    report.qty_lots = lots
    report.leaves_lots = order.leaves_lots
    report.filled_lots = order.filled_lots
    report.fee_atoms = fee
    report.tag = order.tag
    report.price = price_of_ticks(market, price_ticks)
    report.qty = qty_of_lots(market, lots)
    report.fee = fee / 1e8
    report.instrument = order.instrument
    report.strategy = order.strategy
    report.reason = order.reason
    report.kind = kind
    report.status = status
    report.side = order.side
    report.liquidity_side = liquidity
    report.order_type = order.order_type


@routine
def finish_order(world, engine, market, currency, slot, status, reason):
    """End a linked order: final status, reserves back, out of the list, row out, report."""
    order = order_at(world.orders, slot)
    order.status = status
    if reason != 0:
        order.reason = reason
    order.ts_last = market.start if market.level != 0 else engine.now
    order.twice_end = known_mark(world, market)
    release_reserves(world, engine, currency, order, 0)
    unlink_order(world, market, slot)
    engine.n_live -= 1
    emit_order(world, engine, slot)
    push_report(world, engine, order, 1, 0, 0, 0, 0)


@kernel
def needs_open(order):
    """Return whether an order acts at the next open whatever the price."""
    if order.status == SUBMITTED or order.pend_kind != 0 or order.flags & MARKETABLE:
        return True
    if order.order_type == MARKET:
        return True
    if order.order_type == STOP_MARKET and order.flags & TRIGGERED:
        return True
    return is_immediate(order) and (order.order_type == LIMIT or order.flags & TRIGGERED != 0)


@kernel
def note_order(market, order):
    """Widen a market's keys for an order that was added or changed."""
    if needs_open(order):
        market.attention = 1
    stop = order.order_type == STOP_MARKET or order.order_type == STOP_LIMIT
    if stop and order.flags & TRIGGERED == 0:
        if order.side > 0:
            market.key_up = min(market.key_up, order.trigger_ticks)
        else:
            market.key_down = max(market.key_down, order.trigger_ticks)
    elif order.order_type == LIMIT or order.order_type == STOP_LIMIT:
        if order.side > 0:
            market.key_down = max(market.key_down, order.price_ticks)
        else:
            market.key_up = min(market.key_up, order.price_ticks)


@routine
def refresh_venue(world, market):
    """Recompute what tick data compares with: own best prices, nearest stops, the next arrival."""
    venue = venue_at(world.venues, market.index)
    venue.own_bid, venue.own_ask = -NEVER, NEVER
    venue.stop_up, venue.stop_down = NEVER, -NEVER
    venue.next_arrival = NEVER
    slot = market.first_order
    while slot != NONE:  # at most n_orders steps
        order = order_at(world.orders, slot)
        venue.next_arrival = min(venue.next_arrival, acts_at(order))
        stop = order.order_type == STOP_MARKET or order.order_type == STOP_LIMIT
        if is_arrived(order):
            if stop and order.flags & TRIGGERED == 0:
                if order.side > 0:
                    venue.stop_up = min(venue.stop_up, order.trigger_ticks)
                else:
                    venue.stop_down = max(venue.stop_down, order.trigger_ticks)
            elif order.side > 0 and order.order_type != MARKET:
                venue.own_bid = max(venue.own_bid, order.price_ticks)
            elif order.order_type != MARKET:
                venue.own_ask = min(venue.own_ask, order.price_ticks)
        slot = order.next


@kernel
def arrives_at(order):
    """Return when what is on its way of an order, itself or a change of it, reaches the venue (NEVER: nothing is)."""
    if order.status == SUBMITTED or (order.pend_kind != 0 and order.before == SUBMITTED):
        return order.ts_arrival
    return order.pend_ts if order.pend_kind != 0 else NEVER


@kernel
def acts_at(order):
    """Return when something is due of an order at a venue with tick data: an arrival, or its end, 1 ns before that."""
    return min(arrives_at(order), order.expires - 1)


@routine
def lapse_order(world, engine, market, slot):
    """Expire an order whose time has come; the row and the report carry that time."""
    order = order_at(world.orders, slot)
    now, start = engine.now, market.start
    if market.level == 0:
        engine.now = order.expires
    market.start = order.expires
    reason = TIME_ENDED if order.time_in_force == GTD else SESSION_ENDED
    currency = currency_at(world.currencies, market.currency)
    finish_order(world, engine, market, currency, slot, EXPIRED, reason)
    engine.now = now
    market.start = start


@routine
def expire_until(world, engine, market, until):
    """Expire the orders of a market with bars whose time comes by `until`: by that time, then priority."""
    while market.next_expiry <= until:  # each step ends an order, or finds when the next one ends
        found, at = NONE, NEVER
        slot = market.first_order
        while slot != NONE:  # at most n_orders steps
            order = order_at(world.orders, slot)
            if order.expires < at:
                found, at = slot, order.expires
            slot = order.next
        market.next_expiry = at
        if at <= until:
            lapse_order(world, engine, market, found)


@routine
def refresh_keys(world, market):
    """Recompute the nearest prices at which any working order of a market can act, and whether one must."""
    market.key_up = NEVER
    market.key_down = -NEVER
    market.attention = 0
    slot = market.first_order
    while slot != NONE:  # at most n_orders steps
        order = order_at(world.orders, slot)
        note_order(market, order)
        slot = order.next
    if market.level != 0:
        refresh_venue(world, market)
