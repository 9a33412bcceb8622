"""What one order costs from request to booked trade: validation, risk gate, order-by-order matching, accounts.

The operations of a flow are sent by 64 margin accounts. Each goes through the kernels of a run, in a run's
order: `validate_order`, `check_order`, `check_rate`, reserves, the order-by-order book, then for each trade
`apply_trade` and `revalue` on both accounts. Clocks are read around each stage of each single order.
"""

from __future__ import annotations

import time
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
from numba import types

from tradectl.bench.flow import generate_flow, load_flow
from tradectl.bench.matching import clock
from tradectl.core.account import apply_trade, revalue
from tradectl.core.bits import cycles
from tradectl.core.book import book_cancel, book_market, book_modify, book_submit, book_trade
from tradectl.core.book_layout import book_address, book_at, new_book, slot_at
from tradectl.core.book_replay import FLOW, OP_ADD, OP_CANCEL, OP_MARKET
from tradectl.core.codes import AccountType
from tradectl.core.instrument import Instrument
from tradectl.core.jit import entry, kernel, readonly, routine
from tradectl.core.layout import (
    NO_LIMIT, ORDER, currency_at, engine_at, market_at, order_at, position_at, word_at, world_at,
)  # fmt: skip
from tradectl.core.orders import hold_reserves, release_reserves
from tradectl.core.validate import validate_order
from tradectl.engine.spec import AccountSpec, InstrumentLimits, RiskSpec, RunSpec, StrategySpec
from tradectl.engine.state import State, aligned
from tradectl.errors import InvariantViolation
from tradectl.risk.gate import check_order, check_rate

__all__ = ["bench_pipeline", "bench_risk", "bench_validation", "run_pipeline"]

ACCOUNTS = 64
MARKET, LIMIT = 1, 2
GTC, IOC = 1, 2
START_ATOMS = 10**15
PAGE = 4096  # bytes
SLOTS = 1 << 18  # orders of all accounts that may rest at once
FREE = SLOTS  # where the slots by order id begin
TIMED, UNTIMED = 1, 0


@kernel
def take_slot(desk, order_id):
    """Give an order a recycled record; return its slot."""
    top = slot_at(desk, 0).slot
    slot_at(desk, 0).slot = top - 1
    slot = slot_at(desk, top).slot
    slot_at(desk, FREE + order_id).slot = slot
    return slot


@kernel
def book_trade_to(world, side, price_ticks, lots, maker):
    """Book one side of a trade to its account."""
    engine, market = engine_at(world.engine, 0), market_at(world.markets, 0)
    currency = currency_at(world.currencies, 0)
    rate = market.maker_nano if maker else market.taker_nano
    position = position_at(world.positions, 0)
    apply_trade(engine, market, position, currency, side, price_ticks, lots, rate, engine.now)


@kernel
def settle(world, orders, slot, price_ticks, leaves):
    """Bring an account up to date after its order traded: reserves for what is left, mark, equity."""
    engine, market = engine_at(world.engine, 0), market_at(world.markets, 0)
    release_reserves(world, engine, currency_at(world.currencies, 0), order_at(orders, slot), leaves)
    market.last = price_ticks
    revalue(world, engine, market, price_ticks)


@kernel
def give_back(desk, order_id, slot):
    """Take an order's record back."""
    top = slot_at(desk, 0).slot + 1
    slot_at(desk, 0).slot = top
    slot_at(desk, top).slot = slot
    slot_at(desk, FREE + order_id).slot = 0


@routine
def send(worlds, book, orders, desk, row, now, timed, ticks, k):
    """Take one new order through all stages; return its refusal or 0, and note the stages' cycles."""
    account = row.id % ACCOUNTS
    world = world_at(word_at(worlds, account).value, 0)
    engine, market = engine_at(world.engine, 0), market_at(world.markets, 0)
    engine.now = now
    slot = take_slot(desk, row.id)
    order = order_at(orders, slot)
    order.id = row.id
    order.side = 1 - 2 * row.side
    order.order_type = LIMIT if row.op == OP_ADD else MARKET
    order.time_in_force = GTC if row.op == OP_ADD else IOC
    order.price_ticks = row.price
    order.qty_lots = order.leaves_lots = row.qty
    begun = cycles() if timed else 0
    code = validate_order(
        market, order.side, order.order_type, order.time_in_force, 0, order.leaves_lots, order.price_ticks, 0, 0
    )
    checked = cycles() if timed else 0
    if code == 0:
        position = position_at(world.positions, 0)
        code = check_order(world, engine, market, position, order, order.qty_lots, 0)
        if code == 0:
            code = check_rate(engine)
    if timed:
        word_at(ticks, 3 * k).value = checked - begun
        word_at(ticks, 3 * k + 1).value = cycles() - checked
    if code != 0:
        give_back(desk, row.id, slot)
        return code
    currency = currency_at(world.currencies, 0)
    hold_reserves(world, engine, currency, order, order.reserve_atoms, order.exposure_atoms, order.leaves_lots)
    if row.op == OP_ADD:
        book_submit(book, slot, order.side, row.price, row.qty, GTC, 0)
    else:
        book_market(book, slot, order.side, row.qty)
    left, last = np.int64(row.qty), np.int64(0)
    for t in range(book_at(book, 0).trade_count):
        trade = book_trade(book, t)
        maker_slot, last, lots = trade.resting_id, trade.price_ticks, trade.qty_lots  # the book knows slots
        left -= lots
        resting = order_at(orders, maker_slot)
        resting.leaves_lots -= lots
        maker = world_at(word_at(worlds, resting.id % ACCOUNTS).value, 0)
        book_trade_to(maker, -order.side, last, lots, True)
        settle(maker, orders, maker_slot, last, resting.leaves_lots)
        book_trade_to(world, order.side, last, lots, False)
        if resting.leaves_lots == 0:
            give_back(desk, resting.id, maker_slot)
    if last != 0:
        settle(world, orders, slot, last, left)
    order.leaves_lots = left
    if left == 0 or row.op == OP_MARKET:
        release_reserves(world, engine, currency, order, 0)
        give_back(desk, row.id, slot)
    return 0


@kernel
def change(worlds, book, orders, desk, row):
    """Cancel an order, or reduce it to a new quantity; one that has gone is left alone."""
    slot = slot_at(desk, FREE + row.id).slot
    if slot == 0:
        return
    order = order_at(orders, slot)
    world = world_at(word_at(worlds, row.id % ACCOUNTS).value, 0)
    if row.op == OP_CANCEL:
        book_cancel(book, slot)
        order.leaves_lots = 0
    elif order.leaves_lots > row.qty:
        book_modify(book, slot, order.price_ticks, row.qty)
        order.leaves_lots = row.qty
    release_reserves(world, engine_at(world.engine, 0), currency_at(world.currencies, 0), order, order.leaves_lots)
    if order.leaves_lots == 0:
        give_back(desk, row.id, slot)


@entry(lambda: types.int64(*[types.int64] * 4, readonly(FLOW), types.int64, types.int64))
def run_pipeline(worlds, book, orders, desk, flow, timed, ticks):
    """Send a flow through the pipeline; return how many orders were refused.

    All but the flow are addresses: worlds (64,) i8 of WORLD; orders: ORDER records by slot; desk i4: free slots
    (count, then the stack), from FREE on the slot of each order id; ticks (n, 3) i8: cycles of validation, risk and
    the whole of each operation where `timed`.
    """
    refused = 0
    for k in range(flow.shape[0]):
        row = flow[k]
        begun = cycles() if timed else 0
        if row.op == OP_ADD or row.op == OP_MARKET:
            if send(worlds, book, orders, desk, row, k * 1000, timed, ticks, k) != 0:
                refused += 1
        else:
            change(worlds, book, orders, desk, row)
        if timed:
            word_at(ticks, 3 * k + 2).value = cycles() - begun
    return refused


def account_state() -> State:
    """Return the state of one account: margin, every limit set, none of them reached by the flow."""
    instrument = Instrument("BENCH", "X/USD", "X", "USD", Decimal("0.01"), Decimal("0.01"))
    limits = InstrumentLimits(200_000, 500_000, 10**9, 10**12, NO_LIMIT - 1)
    risk = RiskSpec(10**15, 900_000_000, 10**17, 10**6, 10**9, 10**9, 900_000_000)
    spec = RunSpec(
        [instrument], [limits], [StrategySpec("bench", b"", b"", {})],
        AccountSpec(AccountType.MARGIN, "USD", {"USD": START_ATOMS}), risk=risk,
        order_capacity=16, request_capacity=16, report_capacity=16, output_capacity=1, equity_capacity=1,
    )  # fmt: skip
    return State(spec)


def lay_side_by_side(states: list[State]) -> None:
    """Move the accounts' records into arrays that they share, as an engine of many accounts would hold them."""
    for name in ("engine", "currencies", "markets", "positions"):
        shared = aligned(len(states), getattr(states[0], name).dtype)
        for k, state in enumerate(states):
            shared[k] = getattr(state, name)[0]
            setattr(state, name, shared[k : k + 1])
            setattr(state.world, name, shared[k : k + 1].ctypes.data)


def pipeline_once(flow: Any, timed: int) -> tuple[float, Any, dict[str, Any]]:
    """Run a flow once; return its seconds, the cycles and what was booked; every account must balance."""
    states = [account_state() for _ in range(ACCOUNTS)]
    first = int(flow["price"][flow["op"] == OP_ADD][0])
    for state in states:
        state.markets[0]["last"], state.markets[0]["has_price"] = first, 1
    lay_side_by_side(states)
    worlds = np.array([s.address for s in states], np.int64)
    orders = aligned(SLOTS, ORDER)
    desk = np.zeros(FREE + int(flow["id"].max()) + 1, np.int32)
    desk[0] = SLOTS - 1
    desk[1:SLOTS] = np.arange(SLOTS - 1, 0, -1)
    blob = new_book(SLOTS, SLOTS, first)
    ticks = np.zeros((len(flow) if timed else 1, 3), np.int64)
    for array in (orders, desk, blob, ticks):  # memory is there before the clock runs
        array.view(np.uint8).reshape(-1)[:: PAGE] |= 0
    run_pipeline.load()
    flow.flags.writeable = False
    begun = time.perf_counter()
    refused = run_pipeline(
        worlds.ctypes.data, book_address(blob), orders.ctypes.data, desk.ctypes.data, flow, timed, ticks.ctypes.data
    )
    seconds = time.perf_counter() - begun
    return seconds, ticks, {"refused": int(refused), **books_balance(states, int(refused))}


def books_balance(states: list[State], refused: int) -> dict[str, Any]:
    """Check every account to the atom and that positions cancel out; return what was traded."""
    lots = 0
    for state in states:
        c, p = state.currencies[0], state.positions[0]
        booked = int(c["balance_atoms"]) + int(p["cost_atoms"]) + int(c["fees_atoms"])
        if booked != START_ATOMS + int(c["realised_atoms"]):
            raise InvariantViolation("pipeline bench: an account does not balance")
        lots += int(p["lots"])
    if lots != 0:
        raise InvariantViolation("pipeline bench: bought and sold lots differ")
    trades = sum(int(s.positions[0]["n_trades"]) for s in states)
    return {"round_trips": trades, "state_mb": round(states[0].nbytes * ACCOUNTS / 1e6, 3)}


def measure(flow: Path | None, ops: int, repeats: int) -> tuple[dict[str, Any], Any, float]:
    """Return whole-pipeline figures, the cycles of each operation, and ns per cycle."""
    rows = generate_flow(ops) if flow is None else load_flow(flow)
    pipeline_once(rows[: min(len(rows), 10_000)], UNTIMED)
    seconds = float(np.median([pipeline_once(rows, UNTIMED)[0] for _ in range(repeats)]))
    _, ticks, booked = pipeline_once(rows, TIMED)
    ns_per_cycle, clock_ns = clock()
    orders = int(np.count_nonzero((rows["op"] == OP_ADD) | (rows["op"] == OP_MARKET)))
    result = {
        "ops": len(rows),
        "orders": orders,
        "ns_per_op": round(seconds / len(rows) * 1e9, 2),
        "orders_per_s": round(len(rows) / seconds),
        "new_orders_per_s": round(orders / seconds),
        **booked,
        "clock_ns": round(clock_ns, 1),
    }
    new = (rows["op"] == OP_ADD) | (rows["op"] == OP_MARKET)
    return result, (ticks, new), ns_per_cycle


def percentiles(ticks: Any, ns_per_cycle: float) -> dict[str, float]:
    """Return p50, p99 and p99.9 in ns, the clock's own cost included."""
    p50, p99, p99_9 = (float(v) * ns_per_cycle for v in np.percentile(ticks, (50, 99, 99.9)))
    return {"p50_ns": round(p50, 1), "p99_ns": round(p99, 1), "p99_9_ns": round(p99_9, 1)}


def bench_pipeline(flow: Path | None = None, ops: int = 1_000_000, repeats: int = 5) -> dict[str, Any]:
    """Measure the whole pipeline over a flow; `orders_per_s` counts operations, as the book's bench does."""
    result, (ticks, _new), ns_per_cycle = measure(flow, ops, repeats)
    return {**result, **percentiles(ticks[:, 2], ns_per_cycle)}


def bench_validation(flow: Path | None = None, ops: int = 1_000_000) -> dict[str, Any]:
    """Measure `validate_order` inside the pipeline, order by order."""
    result, (ticks, new), ns_per_cycle = measure(flow, ops, 1)
    return {"orders": result["orders"], "clock_ns": result["clock_ns"], **percentiles(ticks[new, 0], ns_per_cycle)}


def bench_risk(flow: Path | None = None, ops: int = 1_000_000) -> dict[str, Any]:
    """Measure `check_order` and `check_rate` inside the pipeline, order by order."""
    result, (ticks, new), ns_per_cycle = measure(flow, ops, 1)
    return {"orders": result["orders"], "clock_ns": result["clock_ns"], **percentiles(ticks[new, 1], ns_per_cycle)}
