"""A hook's requests, in the order in which they were made; an atomic rebalance is judged as a whole."""

from __future__ import annotations

from tradectl.core.account import to_account
from tradectl.core.buying import proceeds
from tradectl.core.codes import OrderFlag, OrderStatus, Reason, RequestKind
from tradectl.core.jit import routine
from tradectl.core.layout import currency_at, market_at, order_at, position_at, request_at
from tradectl.engine.change import handle_cancel, handle_cancel_all, handle_modify
from tradectl.engine.submit import (
    admit_order,
    check_request,
    deny_order,
    fill_order_record,
    handle_submit,
    order_slot,
)  # fmt: skip
from tradectl.risk.gate import check_rate, is_reducing

__all__ = ["handle_requests"]

SUBMIT, CANCEL, MODIFY = int(RequestKind.SUBMIT), int(RequestKind.CANCEL), int(RequestKind.MODIFY)
REBALANCE = int(OrderFlag.REBALANCE)
NONE_STATUS, SUBMITTED = int(OrderStatus.NONE), int(OrderStatus.SUBMITTED)
MAX_OPEN_ORDERS = int(Reason.MAX_OPEN_ORDERS)


@routine
def judge_legs(world, engine, first, end):
    """Write and check the legs of one rebalance; return the first code that refuses one, or 0."""
    credit, code = 0, 0
    for k in range(first, end):
        request = request_at(world.requests, k)
        slot = order_slot(world, request.order_id)
        order = order_at(world.orders, slot)
        fill_order_record(engine, order, request)
        order.status = NONE_STATUS
        engine.n_orders += 1
        market = market_at(world.markets, request.instrument)
        currency = currency_at(world.currencies, market.currency)
        position = position_at(world.positions, request.strategy * world.n_instruments + request.instrument)
        if code == 0:
            code = check_request(world, engine, market, position, order, request.reason, credit)
            if code == 0 and engine.n_live + (k - first) >= engine.max_open_orders:
                code = MAX_OPEN_ORDERS
            if code == 0:
                reducing = is_reducing(position, order.side, order.leaves_lots, order.flags)
                if reducing:
                    credit += to_account(proceeds(engine, market, order.leaves_lots), currency.rate_pico)
                else:
                    credit -= to_account(order.reserve_atoms, currency.rate_pico)
    return code


@routine
def handle_rebalance(world, engine, first, end):
    """Admit all legs of a rebalance, or deny all of them for the same reason."""
    code = judge_legs(world, engine, first, end)
    for k in range(first, end):
        request = request_at(world.requests, k)
        slot = order_slot(world, request.order_id)
        market = market_at(world.markets, request.instrument)
        if code == 0:
            code = check_rate(engine) if k == first else 0
        if code != 0:
            deny_order(world, engine, slot, code)
        else:
            order_at(world.orders, slot).status = SUBMITTED
            admit_order(world, engine, market, slot)


@routine
def handle_requests(world, engine):
    """Take all requests of the hook that has just returned; each keeps its refusal's reason."""
    k = 0
    while k < engine.n_requests:  # at most request_capacity steps
        request = request_at(world.requests, k)
        if request.kind == SUBMIT:
            if request.flags & REBALANCE and request.legs == 1:
                end = k + 1
                while end < engine.n_requests and request_at(world.requests, end).legs == end - k + 1:
                    end += 1
                handle_rebalance(world, engine, k, end)
                k = end - 1
            else:
                request.reason = handle_submit(world, engine, request)
        elif request.kind == CANCEL:
            request.reason = handle_cancel(world, engine, request)
        elif request.kind == MODIFY:
            request.reason = handle_modify(world, engine, request)
        else:
            handle_cancel_all(world, engine, request)
        k += 1
    engine.n_requests = 0
