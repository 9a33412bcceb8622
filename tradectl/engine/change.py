"""Cancels and modifies: now with zero latency, at their arrival otherwise."""

from __future__ import annotations

from tradectl.core.codes import OrderFlag, OrderStatus, Reason
from tradectl.core.jit import kernel, routine
from tradectl.core.layout import NONE, UNCHANGED, currency_at, market_at, order_at, position_at
from tradectl.core.orders import (
    finish_order,
    hold_reserves,
    link_order,
    order_of,
    push_report,
    queue_report,
    refresh_keys,
    release_reserves,
    unlink_order,
)  # fmt: skip
from tradectl.engine.submit import accept_order, arrival_of, is_marketable, validate_record, venue_code
from tradectl.risk.gate import check_order, opening_terms

__all__ = [
    "CANCEL_PENDING", "apply_arrivals", "apply_modify", "cancel_now", "cancel_where", "handle_cancel",
    "handle_cancel_all", "handle_modify",
]  # fmt: skip

ANY = -1
CANCEL_PENDING, MODIFY_PENDING = 1, 2
TRIGGERED, MARKETABLE, RESTED = int(OrderFlag.TRIGGERED), int(OrderFlag.MARKETABLE), int(OrderFlag.RESTED)
SUBMITTED, CANCELED = int(OrderStatus.SUBMITTED), int(OrderStatus.CANCELED)
PENDING_UPDATE, PENDING_CANCEL = int(OrderStatus.PENDING_UPDATE), int(OrderStatus.PENDING_CANCEL)
CANCELED_BY_STRATEGY = int(Reason.CANCELED_BY_STRATEGY)
MODIFY_BELOW_FILLED = int(Reason.MODIFY_BELOW_FILLED)
UNKNOWN_ORDER, REQUEST_PENDING = int(Reason.UNKNOWN_ORDER), int(Reason.REQUEST_PENDING)


@routine
def report_refusal(world, engine, order, reason, by_venue):
    """Tell the strategy that a change of an order was refused, here or by the venue; the order stays as it was."""
    kept = order.reason
    order.reason = reason
    queue_report(world, engine, order, 1, 0, 0, 0, 0, by_venue)
    order.reason = kept


@kernel
def cancel_now(world, engine, market, slot, reason):
    """Cancel a live order."""
    currency = currency_at(world.currencies, market.currency)
    finish_order(world, engine, market, currency, slot, CANCELED, reason)


@routine
def cancel_where(world, engine, strategy, instrument, reason):
    """Cancel all live orders of a strategy and instrument (ANY: all of them) at once."""
    for i in range(world.n_instruments):
        if instrument == ANY or instrument == i:
            market = market_at(world.markets, i)
            if market.level != 0:
                market.start = engine.now
            slot = market.first_order
            while slot != NONE:  # at most n_orders steps
                order = order_at(world.orders, slot)
                following = order.next
                if strategy == ANY or order.strategy == strategy:
                    cancel_now(world, engine, market, slot, reason)
                slot = following
            refresh_keys(world, market)


@routine
def begin_cancel(world, engine, market, slot):
    """Cancel now, or let the cancel travel; return the reason of a refusal or 0."""
    order = order_at(world.orders, slot)
    if market.travels == 0:
        engine.n_cancels += 1
        cancel_now(world, engine, market, slot, CANCELED_BY_STRATEGY)
    elif order.pend_kind != 0:
        report_refusal(world, engine, order, REQUEST_PENDING, False)
        return REQUEST_PENDING
    else:
        engine.n_cancels += 1
        market.attention = 1
        order.before = order.status
        order.status = PENDING_CANCEL
        order.pend_kind = CANCEL_PENDING
        order.pend_ts = arrival_of(world, engine, market)
        queue_report(world, engine, order, 1, 0, 0, 0, 0, False)
    return 0


@routine
def handle_cancel(world, engine, request):
    """Take a cancel request; return the reason of a refusal (UNKNOWN_ORDER: final or another strategy's) or 0."""
    slot = order_of(world, request.order_id)
    if slot == NONE or order_at(world.orders, slot).strategy != request.strategy:
        return UNKNOWN_ORDER
    market = market_at(world.markets, order_at(world.orders, slot).instrument)
    code = begin_cancel(world, engine, market, slot)
    refresh_keys(world, market)
    return code


@routine
def handle_cancel_all(world, engine, request):
    """Take a request to cancel all orders of a strategy in an instrument."""
    market = market_at(world.markets, request.instrument)
    slot = market.first_order
    while slot != NONE:  # at most n_orders steps
        order = order_at(world.orders, slot)
        following = order.next
        if order.strategy == request.strategy:
            begin_cancel(world, engine, market, slot)
        slot = following
    refresh_keys(world, market)


@routine
def handle_modify(world, engine, request):
    """Take a modify request: apply it now, or let it travel; return the reason of a refusal or 0."""
    slot = order_of(world, request.order_id)
    if slot == NONE or order_at(world.orders, slot).strategy != request.strategy:
        return UNKNOWN_ORDER
    order = order_at(world.orders, slot)
    market = market_at(world.markets, order.instrument)
    if request.reason != 0:
        report_refusal(world, engine, order, request.reason, False)
        return request.reason
    if order.pend_kind != 0:
        report_refusal(world, engine, order, REQUEST_PENDING, False)
        return REQUEST_PENDING
    order.pend_qty_lots = request.qty_lots
    order.pend_price_ticks = request.price_ticks
    order.pend_trigger_ticks = request.trigger_ticks
    code = judge_modify(world, engine, market, order)
    if code != 0:
        report_refusal(world, engine, order, code, False)
        return code
    engine.n_modifies += 1
    order.before = order.status
    if market.travels == 0:
        code = apply_modify(world, engine, market, slot)
        refresh_keys(world, market)
        return code
    order.status = PENDING_UPDATE
    order.pend_kind = MODIFY_PENDING
    order.pend_ts = arrival_of(world, engine, market)
    market.attention = 1
    queue_report(world, engine, order, 1, 0, 0, 0, 0, False)
    return 0


@kernel
def take_changes(order):
    """Write an order's pending changes into it; what its type does not have stays."""
    if order.pend_price_ticks != UNCHANGED and order.price_ticks != 0:
        order.price_ticks = order.pend_price_ticks
    if order.pend_trigger_ticks != UNCHANGED and order.trigger_ticks != 0 and order.flags & TRIGGERED == 0:
        order.trigger_ticks = order.pend_trigger_ticks
    if order.pend_qty_lots != UNCHANGED:
        order.qty_lots = order.pend_qty_lots
        order.leaves_lots = order.qty_lots - order.filled_lots


@routine
def judge_modify(world, engine, market, order):
    """Return 0, or why a modification is refused: validation of the new total, what is filled, the risk gate.

    The order is as it was afterwards.
    """
    currency = currency_at(world.currencies, market.currency)
    position = position_at(world.positions, order.strategy * world.n_instruments + order.instrument)
    price, stop, qty, leaves = order.price_ticks, order.trigger_ticks, order.qty_lots, order.leaves_lots
    reserve, exposure, held = order.reserve_total, order.exposure_total, order.held_total
    still_held = order.held_lots
    release_reserves(world, engine, currency, order, 0)
    engine.n_live -= 1  # its own place among the open orders
    take_changes(order)
    left = order.leaves_lots
    order.leaves_lots = order.qty_lots
    code = validate_record(market, order, 0)
    order.leaves_lots = left
    if code == 0 and left <= 0:
        code = MODIFY_BELOW_FILLED
    if code == 0:
        code = check_order(world, engine, market, position, order, order.qty_lots, 0)
    engine.n_live += 1
    order.price_ticks, order.trigger_ticks, order.qty_lots, order.leaves_lots = price, stop, qty, leaves
    hold_reserves(world, engine, currency, order, reserve, exposure, held)
    release_reserves(world, engine, currency, order, still_held)
    return code


@routine
def apply_modify(world, engine, market, slot):
    """Let a modification take effect unless the venue refuses it: then the order stays; return why, or 0."""
    order = order_at(world.orders, slot)
    currency = currency_at(world.currencies, market.currency)
    position = position_at(world.positions, order.strategy * world.n_instruments + order.instrument)
    price, stop, qty, leaves = order.price_ticks, order.trigger_ticks, order.qty_lots, order.leaves_lots
    order.status = order.before
    order.pend_kind = 0
    take_changes(order)
    code = MODIFY_BELOW_FILLED if order.leaves_lots <= 0 else venue_code(world, engine, market, order)
    if code != 0:
        order.price_ticks, order.trigger_ticks, order.qty_lots, order.leaves_lots = price, stop, qty, leaves
        report_refusal(world, engine, order, code, True)
        return code
    new_leaves = order.leaves_lots
    order.leaves_lots = leaves
    release_reserves(world, engine, currency, order, 0)
    order.leaves_lots = new_leaves
    reserve, exposure = opening_terms(engine, market, currency, position, order)
    hold_reserves(world, engine, currency, order, reserve, exposure, new_leaves)
    moved = order.price_ticks != price or order.trigger_ticks != stop
    if moved or order.qty_lots > qty:
        unlink_order(world, market, slot)
        link_order(world, engine, market, slot)
        order.flags &= ~(MARKETABLE | RESTED)
        if is_marketable(world, engine, market, order):
            order.flags |= MARKETABLE
    order.ts_last = market.start if market.level != 0 else engine.now
    push_report(world, engine, order, 1, 0, 0, 0, 0)
    return 0


@routine
def next_arrival(world, market):
    """Return the slot of what reaches the venue first by this bar's start: by time, then order id (-1: nothing)."""
    found, at, found_id = NONE, 0, 0
    slot = market.first_order
    while slot != NONE:  # at most n_orders steps
        order = order_at(world.orders, slot)
        waiting = order.status == SUBMITTED or (order.pend_kind != 0 and order.before == SUBMITTED)
        due = order.ts_arrival if waiting else order.pend_ts
        if (waiting or order.pend_kind != 0) and due <= market.start:
            if found == NONE or due < at or (due == at and order.id < found_id):
                found, at, found_id = slot, due, order.id
        slot = order.next
    return found


@routine
def apply_arrivals(world, engine, market):
    """Let orders, cancels and modifies that arrived by this bar's start take effect."""
    while True:  # each step uses up one arrival
        slot = next_arrival(world, market)
        if slot == NONE:
            return
        order = order_at(world.orders, slot)
        if order.status == SUBMITTED or order.before == SUBMITTED:
            accept_order(world, engine, market, slot)
        elif order.pend_kind == CANCEL_PENDING:
            cancel_now(world, engine, market, slot, CANCELED_BY_STRATEGY)
        else:
            apply_modify(world, engine, market, slot)
