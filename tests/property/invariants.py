"""What holds in every state between two events, whatever happened before."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tradectl.core.codes import AccountType, OrderFlag, OrderStatus, OrderType
from tradectl.core.layout import NONE
from tradectl.engine.state import State

__all__ = ["check"]

PICO = 1_000_000_000_000
LIVE = range(OrderStatus.SUBMITTED, OrderStatus.FILLED)


def converted(atoms: int, rate_pico: int) -> int:
    return atoms * rate_pico // PICO


def listed(state: State, market: Any) -> Iterator[tuple[int, Any]]:
    """Walk a market's list forwards; check every link on the way."""
    before, slot, priority = NONE, int(market["first_order"]), 0
    while slot != NONE:
        order = state.orders[slot]
        assert order["prev"] == before
        assert order["priority"] > priority
        yield slot, order
        before, slot, priority = slot, int(order["next"]), int(order["priority"])
    assert market["last_order"] == before


def check_lists(state: State) -> None:
    """Every live order is in the list of its market once, in the order of the priorities."""
    seen: set[int] = set()
    for i, market in enumerate(state.markets):
        mine = list(listed(state, market))
        assert len(mine) == market["n_orders"]
        for slot, order in mine:
            assert slot not in seen
            seen.add(slot)
            assert order["instrument"] == i
            assert order["status"] in LIVE
            assert order["id"] & state.world.order_mask == slot
            assert order["leaves_lots"] + order["filled_lots"] == order["qty_lots"]
            assert order["leaves_lots"] > 0
            check_keys(market, order)
    assert len(seen) == state.engine[0]["n_live"]
    assert seen == {slot for slot, order in enumerate(state.orders[:-1]) if order["status"] in LIVE}


def check_keys(market: Any, order: Any) -> None:
    """No order may act at a price that the market's keys or its attention do not tell of."""
    kind, buy = order["order_type"], order["side"] > 0
    if order["status"] == OrderStatus.SUBMITTED or order["pend_kind"]:
        assert market["attention"]
    if OrderStatus.SUBMITTED in (order["status"], order["before"]):
        return
    stop = kind in (OrderType.STOP_MARKET, OrderType.STOP_LIMIT) and not order["flags"] & OrderFlag.TRIGGERED
    if stop:
        trigger = order["trigger_ticks"]
        assert market["key_up"] <= trigger if buy else market["key_down"] >= trigger
    elif kind in (OrderType.LIMIT, OrderType.STOP_LIMIT):
        limit = order["price_ticks"]
        assert market["key_down"] >= limit if buy else market["key_up"] <= limit
    else:
        assert market["attention"]


def check_reserves(state: State) -> None:
    """What is reserved is the sum of what the live orders reserve; the lots by side as well."""
    engine = state.engine[0]
    live = [order for order in state.orders[:-1] if order["status"] in LIVE]
    cash = engine["account_type"] == AccountType.CASH
    n = len(state.markets)
    assert engine["exposure_atoms"] == sum(int(order["exposure_atoms"]) for order in live)
    assert engine["reserved_atoms"] == (0 if cash else sum(int(order["reserve_atoms"]) for order in live))
    for c, currency in enumerate(state.currencies):
        mine = [order for order in live if cash and state.markets[order["instrument"]]["currency"] == c]
        assert currency["reserved_atoms"] == sum(int(order["reserve_atoms"]) for order in mine)
    for k, position in enumerate(state.positions):
        mine = [o for o in live if o["strategy"] * n + o["instrument"] == k and not o["flags"] & OrderFlag.REDUCE_ONLY]
        assert position["open_buy_lots"] == sum(int(o["leaves_lots"]) for o in mine if o["side"] > 0)
        assert position["open_sell_lots"] == sum(int(o["leaves_lots"]) for o in mine if o["side"] < 0)


def check_money(state: State) -> None:
    """The ledger of every currency, net positions, values, margin, gross exposure and equity."""
    engine, n = state.engine[0], len(state.markets)
    equity = 0
    for c, currency in enumerate(state.currencies):
        mine = [k for k in range(len(state.positions)) if state.markets[k % n]["currency"] == c]
        cost = sum(int(state.positions[k]["cost_atoms"]) for k in mine)
        realised = sum(int(state.positions[k]["realised_atoms"]) for k in mine)
        fees = sum(int(state.positions[k]["fees_atoms"]) for k in mine)
        assert (currency["realised_atoms"], currency["fees_atoms"]) == (realised, fees)
        funding = sum(int(state.positions[k]["funding_atoms"]) for k in mine)
        assert currency["funding_atoms"] == funding
        paid = int(currency["initial_atoms"]) + realised - fees - funding - cost
        assert currency["balance_atoms"] == paid
        value = sum(int(market["value_atoms"]) for market in state.markets if market["currency"] == c)
        assert currency["value_atoms"] == value
        equity += converted(int(currency["balance_atoms"]) + value, int(currency["rate_pico"]))
    assert engine["equity_atoms"] == equity
    gross = margins = 0
    for i, market in enumerate(state.markets):
        assert market["net_lots"] == sum(int(p["lots"]) for p in state.positions[i::n])
        value = int(market["net_lots"]) * int(market["last"]) * int(market["unit_num"]) // int(market["unit_den"])
        assert market["value_atoms"] == value
        held = converted(abs(value), int(state.currencies[market["currency"]]["rate_pico"]))
        assert market["margin_atoms"] == -(-held * 1_000_000_000 // int(engine["leverage_nano"]))
        gross, margins = gross + held, margins + int(market["margin_atoms"])
    assert engine["gross_atoms"] == gross
    assert engine["margin_atoms"] == margins


def check(state: State) -> None:
    """Check all of it."""
    check_lists(state)
    check_reserves(state)
    check_money(state)
    for position in state.positions:
        assert position["lots"] or not position["cost_atoms"]
