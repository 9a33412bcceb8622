"""Each risk limit one lot (or one step) below, at and above; on the oracle and on the kernels."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.golden.kernel_backend import KernelBackend
from tests.golden.oracle_backend import OracleBackend
from tests.golden.protocol import Backend
from tests.golden.runner import run_script
from tests.golden.script import parse
from tests.property.invariants import check

BACKENDS: list[Callable[[], Backend]] = [OracleBackend, KernelBackend]
MARGIN = "config account margin leverage 1 tick 1 lot 1 balance 100000 taker 0"
BAR = "bar 100 100 100 100"

# limit: (configuration, orders before, the order with {n}, n at the limit, reason above it)
CASES = {
    "max_order_qty": (f"{MARGIN} max_order_qty 10", [], "BUY MARKET {n}", 10, "MAX_ORDER_QTY"),
    "max_order_qty sell": (f"{MARGIN} max_order_qty 10", [], "SELL MARKET {n}", 10, "MAX_ORDER_QTY"),
    "max_order_notional": (f"{MARGIN} max_order_notional 1000", [], "BUY MARKET {n}", 10, "MAX_ORDER_NOTIONAL"),
    "max_order_notional limit": (
        f"{MARGIN} max_order_notional 1000", [], "BUY LIMIT {n} @50", 20, "MAX_ORDER_NOTIONAL",
    ),
    "collar above": (f"{MARGIN} price_collar 0.05", [], "SELL LIMIT 1 @{n}", 105, "PRICE_COLLAR"),
    "collar trigger": (f"{MARGIN} price_collar 0.05", [], "BUY STOP_MARKET 1 stop {n}", 105, "PRICE_COLLAR"),
    "max_position": (f"{MARGIN} max_position 10", [], "BUY MARKET {n}", 10, "MAX_POSITION"),
    "max_position working": (
        f"{MARGIN} max_position 10", ["BUY LIMIT 4 @99"], "BUY MARKET {n}", 6, "MAX_POSITION",
    ),
    "max_position short": (f"{MARGIN} max_position 10", [], "SELL MARKET {n}", 10, "MAX_POSITION"),
    "max_exposure": (f"{MARGIN} max_exposure 1000", [], "BUY MARKET {n}", 10, "MAX_EXPOSURE"),
    "max_exposure working": (
        f"{MARGIN} max_exposure 1000", ["SELL LIMIT 4 @100"], "BUY LIMIT {n} @100", 6, "MAX_EXPOSURE",
    ),
    "buying power": (
        "config account margin leverage 2 tick 1 lot 1 balance 500 taker 0", [], "BUY MARKET {n}", 10,
        "INSUFFICIENT_BUYING_POWER",
    ),
    "buying power with fee": (
        "config tick 1 lot 1 balance 1010 taker 0.01", [], "BUY LIMIT {n} @100", 10, "INSUFFICIENT_BUYING_POWER",
    ),
    "buying power with collar": (
        "config tick 1 lot 1 balance 1100 price_collar 0.1", [], "BUY MARKET {n}", 10, "INSUFFICIENT_BUYING_POWER",
    ),
    "min_notional": ("config tick 1 lot 1 balance 100000 min_notional 1000", [], "BUY MARKET {n}", -10,
                     "NOTIONAL_BELOW_MINIMUM"),
    "min_qty": ("config tick 1 lot 1 balance 100000 min_qty 10", [], "BUY MARKET {n}", -10, "QTY_BELOW_MINIMUM"),
    "max_qty": ("config tick 1 lot 1 balance 100000 max_qty 10", [], "BUY MARKET {n}", 10, "QTY_ABOVE_MAXIMUM"),
    "max_price": ("config tick 1 lot 1 balance 100000 max_price 120", [], "BUY LIMIT 1 @{n}", 120,
                  "PRICE_ABOVE_MAXIMUM"),
}  # fmt: skip


@pytest.mark.parametrize("backend", BACKENDS, ids=lambda b: b.name)
@pytest.mark.parametrize("step", [-1, 0, 1])
@pytest.mark.parametrize("name", CASES)
def test_one_below_at_and_above(name: str, step: int, backend: Callable[[], Backend]) -> None:
    config, before, order, at, reason = CASES[name]
    n = abs(at) + step
    refused = step > 0 if at > 0 else step < 0
    lines = [config, BAR, *(f"submit b{k} {text} -> ACCEPTED" for k, text in enumerate(before))]
    lines.append(f"submit a1 {order.format(n=n)} -> " + (f"DENIED {reason}" if refused else "ACCEPTED"))
    run_script(parse(name, "\n".join(lines)), backend())


@pytest.mark.parametrize("backend", BACKENDS, ids=lambda b: b.name)
def test_open_orders_and_rate(backend: Callable[[], Backend]) -> None:
    text = f"""{MARGIN} max_open_orders 2
        {BAR}
        submit a1 BUY LIMIT 1 @90 -> ACCEPTED
        submit a2 BUY LIMIT 1 @90 -> ACCEPTED
        submit a3 BUY LIMIT 1 @90 -> DENIED MAX_OPEN_ORDERS
        modify a2 qty 2 -> OK
        cancel a1 -> OK, a1 CANCELED CANCELED_BY_STRATEGY
        submit a4 BUY LIMIT 1 @90 -> ACCEPTED"""
    run_script(parse("open orders", text), backend())
    text = f"""{MARGIN} max_order_rate 2 rate_window 120
        {BAR}
        submit a1 BUY LIMIT 1 @90 -> ACCEPTED
        {BAR}
        submit a2 BUY LIMIT 1 @90 -> ACCEPTED
        submit a3 BUY LIMIT 1 @90 -> DENIED MAX_ORDER_RATE
        {BAR}
        submit a4 BUY LIMIT 1 @90 -> ACCEPTED"""
    run_script(parse("rate", text), backend())


@pytest.mark.parametrize("backend", BACKENDS, ids=lambda b: b.name)
def test_exposure_of_what_is_left_is_exact(backend: Callable[[], Backend]) -> None:
    text = f"""{MARGIN} max_exposure 1100
        bar 100 100 100 100 v=9
        submit a1 BUY LIMIT 10 @100
        bar 100 100 98 100 v=4 -> a1 FILL 4 @100 MAKER PATH
        submit a2 BUY LIMIT 1 @100 -> ACCEPTED
        submit a3 BUY LIMIT 1 @1 -> DENIED MAX_EXPOSURE"""
    run_script(parse("exposure", text), backend())


@pytest.mark.parametrize("latency", [0, 1])
@pytest.mark.parametrize("backend", BACKENDS, ids=lambda b: b.name)
def test_a_refused_modify_leaves_a_partly_filled_order_as_it_was(
    backend: Callable[[], Backend], latency: int
) -> None:
    text = f"""config tick 1 lot 1 balance 2000 latency.entry {latency}
        bar 100 100 100 100 v=9
        submit a1 BUY LIMIT 10 @100
        bar 101 101 101 101 v=9
        bar 101 101 98 100 v=4 -> a1 FILL 4 @100 MAKER PATH
        modify a1 qty 4 -> DENIED MODIFY_BELOW_FILLED
        modify a1 qty 30 -> DENIED INSUFFICIENT_BUYING_POWER
        submit a2 BUY LIMIT 11 @100 -> DENIED INSUFFICIENT_BUYING_POWER
        submit a3 BUY LIMIT 10 @100 -> ACCEPTED, a1 LEAVES 6"""
    made = backend()
    run_script(parse("modify", text.replace("-> ACCEPTED", "-> SUBMITTED") if latency else text), made)
    if isinstance(made, KernelBackend):
        check(made.state)


@pytest.mark.parametrize("backend", BACKENDS, ids=lambda b: b.name)
@pytest.mark.parametrize(("price", "state"), [("91", "ACTIVE"), ("90", "ACTIVE"), ("89", "REDUCING")])
def test_drawdown_at_the_limit_is_allowed(price: str, state: str, backend: Callable[[], Backend]) -> None:
    text = f"""config tick 1 lot 1 balance 1000 max_drawdown 0.1 on_breach reject
        {BAR}
        submit a1 BUY MARKET 10
        {BAR} -> a1 FILL 10 @100 TAKER OPEN
        bar {price} {price} {price} {price} -> state={state}"""
    run_script(parse("drawdown", text), backend())
