"""Cancels and modifies: now with zero latency, at their arrival otherwise."""

from __future__ import annotations

from tradectl.core.codes import OrderFlag, OrderStatus, OrderType, Reason
from tradectl.core.jit import kernel, routine
from tradectl.core.layout import NONE, currency_at, market_at, order_at, position_at
from tradectl.core.orders import (
    finish_order, hold_lots, link_order, order_of, push_report, refresh_keys, release_reserves, unlink_order,
)  # fmt: skip
from tradectl.engine.submit import accept_order, check_request, is_marketable

__all__ = ["apply_arrivals", "cancel_where", "handle_cancel", "handle_cancel_all", "handle_modify"]

CASH = 1
ANY = -1
CANCEL_PENDING, MODIFY_PENDING = 1, 2
UNCHANGED = -1
POST_ONLY = int(OrderFlag.POST_ONLY)
TRIGGERED, MARKETABLE, RESTED = int(OrderFlag.TRIGGERED), int(OrderFlag.MARKETABLE), int(OrderFlag.RESTED)
LIMIT = int(OrderType.LIMIT)
SUBMITTED, CANCELED = int(OrderStatus.SUBMITTED), int(OrderStatus.CANCELED)
PENDING_UPDATE, PENDING_CANCEL = int(OrderStatus.PENDING_UPDATE), int(OrderStatus.PENDING_CANCEL)
CANCELED_BY_STRATEGY = int(Reason.CANCELED_BY_STRATEGY)
MODIFY_BELOW_FILLED = int(Reason.MODIFY_BELOW_FILLED)
UNKNOWN_ORDER, REQUEST_PENDING = int(Reason.UNKNOWN_ORDER), int(Reason.REQUEST_PENDING)
POST_ONLY_WOULD_TAKE = int(Reason.POST_ONLY_WOULD_TAKE)


@routine
def report_refusal(world, engine, order, reason):
    """Tell the strategy that a change of an order was refused; the order stays as it was."""
    kept = order.reason
    order.reason = reason
    push_report(world, engine, order, 1, 0, 0, 0, 0)
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
    """Cancel now, or let the cancel travel."""
    order = order_at(world.orders, slot)
    if engine.latency_entry_ns == 0:
        cancel_now(world, engine, market, slot, CANCELED_BY_STRATEGY)
    elif order.pend_kind != 0:
        report_refusal(world, engine, order, REQUEST_PENDING)
    else:
        order.before = order.status
        order.status = PENDING_CANCEL
        order.pend_kind = CANCEL_PENDING
        order.pend_ts = engine.now + engine.latency_entry_ns
        push_report(world, engine, order, 1, 0, 0, 0, 0)


@routine
def handle_cancel(world, engine, request):
    """Take a cancel request; one for an order that is final or another strategy's does nothing."""
    slot = order_of(world, request.order_id)
    if slot == NONE or order_at(world.orders, slot).strategy != request.strategy:
        return
    market = market_at(world.markets, order_at(world.orders, slot).instrument)
    begin_cancel(world, engine, market, slot)
    refresh_keys(world, market)


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
    """Take a modify request: apply it now, or let it travel."""
    slot = order_of(world, request.order_id)
    if slot == NONE or order_at(world.orders, slot).strategy != request.strategy:
        return
    order = order_at(world.orders, slot)
    market = market_at(world.markets, order.instrument)
    if request.reason != 0:
        report_refusal(world, engine, order, request.reason)
        return
    if order.pend_kind != 0:
        report_refusal(world, engine, order, REQUEST_PENDING)
        return
    order.pend_qty_lots = request.qty_lots
    order.pend_price_ticks = request.price_ticks
    order.pend_trigger_ticks = request.trigger_ticks
    order.before = order.status
    if engine.latency_entry_ns == 0:
        apply_modify(world, engine, market, slot)
        refresh_keys(world, market)
        return
    order.status = PENDING_UPDATE
    order.pend_kind = MODIFY_PENDING
    order.pend_ts = engine.now + engine.latency_entry_ns
    market.attention = 1
    push_report(world, engine, order, 1, 0, 0, 0, 0)


@routine
def restore_reserves(world, engine, currency, order, reserve, exposure, held):
    """Put back what an order reserved."""
    order.reserve_atoms = reserve
    order.exposure_atoms = exposure
    order.held_lots = held
    if engine.account_type == CASH:
        currency.reserved_atoms += reserve
    else:
        engine.reserved_atoms += reserve
    engine.exposure_atoms += exposure
    hold_lots(world, order, held)


@routine
def apply_modify(world, engine, market, slot):
    """Change an order as its pending request says, or leave it as it was and report why."""
    order = order_at(world.orders, slot)
    currency = currency_at(world.currencies, market.currency)
    position = position_at(world.positions, order.strategy * world.n_instruments + order.instrument)
    price, stop, qty, leaves = order.price_ticks, order.trigger_ticks, order.qty_lots, order.leaves_lots
    reserve, exposure, held = order.reserve_atoms, order.exposure_atoms, order.held_lots
    order.status = order.before
    order.pend_kind = 0
    release_reserves(world, engine, currency, order, 0)
    engine.n_live -= 1  # its own place among the open orders
    if order.pend_price_ticks != UNCHANGED and price != 0:
        order.price_ticks = order.pend_price_ticks
    if order.pend_trigger_ticks != UNCHANGED and stop != 0 and order.flags & TRIGGERED == 0:
        order.trigger_ticks = order.pend_trigger_ticks
    if order.pend_qty_lots != UNCHANGED:
        order.qty_lots = order.pend_qty_lots
        order.leaves_lots = order.qty_lots - order.filled_lots
    code = 0
    if order.pend_qty_lots != UNCHANGED and order.leaves_lots <= 0:
        code = MODIFY_BELOW_FILLED
    else:
        code = check_request(world, engine, market, position, order, 0, 0)
    if code == 0 and order.flags & POST_ONLY and is_marketable(engine, market, order):
        code = POST_ONLY_WOULD_TAKE
    engine.n_live += 1
    if code != 0:
        order.price_ticks, order.trigger_ticks = price, stop
        order.qty_lots, order.leaves_lots = qty, leaves
        restore_reserves(world, engine, currency, order, reserve, exposure, held)
        report_refusal(world, engine, order, code)
        return
    restore_reserves(
        world, engine, currency, order, order.reserve_atoms, order.exposure_atoms, order.leaves_lots
    )
    moved = order.price_ticks != price or order.trigger_ticks != stop
    if moved or order.leaves_lots > leaves:
        unlink_order(world, market, slot)
        link_order(world, engine, market, slot)
    if moved and order.order_type == LIMIT and order.status != SUBMITTED:
        if is_marketable(engine, market, order):
            order.flags = (order.flags | MARKETABLE) & ~RESTED
        else:
            order.flags &= ~MARKETABLE
    order.ts_last = engine.now
    push_report(world, engine, order, 1, 0, 0, 0, 0)


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
