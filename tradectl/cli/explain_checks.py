"""The gate told: every check that an order meets, with its figure and its limit, in the gate's own order.

Plain Python beside `core.validate` and `risk.gate`, for `tradectl explain`; it reads the state just before an order
is checked and uses the kernels' own arithmetic. A list ends with the first check that fails, as the gate does.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tradectl.core.account import freed_margin, notional_of, to_account
from tradectl.core.buying import available_atoms, opening_lots
from tradectl.core.codes import (
    AccountType,
    MarketStatus,
    OrderFlag,
    OrderType,
    Reason,
    Side,
    TimeInForce,
    TradingState,
)
from tradectl.core.layout import NO_LIMIT, currency_at, market_at, position_at
from tradectl.core.money import muldiv_floor
from tradectl.core.validate import NOTIONAL_MAX, reference_ticks
from tradectl.risk.gate import exceeds_position, is_reducing, is_warming, opening_terms

__all__ = ["Check", "checks_of"]

LIMITS = (OrderType.LIMIT, OrderType.STOP_LIMIT)
STOPS = (OrderType.STOP_MARKET, OrderType.STOP_LIMIT)
NANO = 1_000_000_000
FLOAT_EXACT = 2**53  # a bound of the arithmetic, not of the venue


@dataclass(frozen=True)
class Check:
    """One check: what was found, what it may be (None: no limit is set), and what they are counted in.

    `unit`: ticks, lots, quote or account (atoms of these currencies), orders, or text.
    """

    stage: str
    name: str
    reason: Reason  # with which it refuses
    figure: int | str
    limit: int | str | None
    unit: str
    passed: bool


def checks_of(world: Any, engine: Any, order: Any, fault: int, credit: int) -> list[Check]:
    """Return the checks of an order that is about to be judged (the arguments of `core.watch.before_checks`)."""
    market = market_at(world.markets, order.instrument)
    made: list[Check] = []
    if fault == Reason.ORDERS_FULL:
        return [Check("capacity", "free place", Reason.ORDERS_FULL, "none", "one", "text", False)]
    for check in _all(world, engine, market, order, fault, credit):
        made.append(check)
        if not check.passed:
            break
    return made


def _all(world: Any, engine: Any, market: Any, order: Any, fault: int, credit: int) -> Iterator[Check]:
    yield from _form(market, order, fault)
    yield from _prices(market, order, fault)
    yield from _notional(market, order)
    yield from _limits(world, engine, market, order)
    yield from _opening(world, engine, market, order, credit)
    yield from _counts(engine)


def _named(kind: Any, code: int) -> str:
    return kind(code).name if code in set(kind) else str(code)


def _word(name: str, reason: Reason, figure: str, limit: str, passed: bool) -> Check:
    return Check("validation", name, reason, figure, limit, "text", passed)


def _yes(is_so: bool) -> str:
    return "yes" if is_so else "no"


def _form(market: Any, order: Any, fault: int) -> Iterator[Check]:
    status = _named(MarketStatus, market.status)
    yield _word("instrument", Reason.NOT_TRADABLE, status, "LISTED", market.status == MarketStatus.LISTED)
    priced = bool(market.has_price)
    yield _word("a price", Reason.NO_PRICE_YET, _yes(priced), "yes", priced)
    known = OrderType.MARKET <= order.order_type <= OrderType.STOP_LIMIT
    kind = _named(OrderType, order.order_type)
    yield _word("order type", Reason.UNKNOWN_ORDER_TYPE, kind, "MARKET to STOP_LIMIT", known)
    side = _named(Side, order.side)
    yield _word("side", Reason.UNKNOWN_SIDE, side, "BUY or SELL", order.side in set(Side))
    known = order.time_in_force in set(TimeInForce)
    tif = _named(TimeInForce, order.time_in_force)
    yield _word("time in force", Reason.UNKNOWN_TIME_IN_FORCE, tif, "GTC, IOC, FOK, GTD or DAY", known)
    rests = order.order_type == OrderType.LIMIT and order.time_in_force not in (TimeInForce.IOC, TimeInForce.FOK)
    conflict = bool(order.flags & OrderFlag.POST_ONLY) and not rests
    flags = "in conflict" if conflict else "consistent"
    yield _word("flags", Reason.FLAGS_CONFLICT, flags, "consistent", not conflict)
    late = (Reason.NONE, Reason.QTY_NOT_ON_LOT, Reason.PRICE_NOT_ON_TICK)  # told where they belong
    yield _word("as written", Reason(fault), Reason(fault).name, "NONE", fault in late)
    lots, on_lot = order.leaves_lots, fault != Reason.QTY_NOT_ON_LOT
    positive = lots > 0 or (lots == 0 and not on_lot)
    yield Check("validation", "quantity above", Reason.QTY_NOT_POSITIVE, lots, 0, "lots", positive)
    yield _word("on a lot", Reason.QTY_NOT_ON_LOT, _yes(on_lot), "yes", on_lot)
    least, most = market.min_qty_lots, market.max_qty_lots
    yield Check("validation", "min_qty", Reason.QTY_BELOW_MINIMUM, lots, least, "lots", lots >= least)
    known = most if most < FLOAT_EXACT else None
    yield Check("validation", "max_qty", Reason.QTY_ABOVE_MAXIMUM, lots, known, "lots", lots <= most)


def _prices(market: Any, order: Any, fault: int) -> Iterator[Check]:
    on_tick, most = fault != Reason.PRICE_NOT_ON_TICK, market.max_price_ticks
    for name, ticks, types, low in (
        ("limit", order.price_ticks, LIMITS, Reason.PRICE_NOT_POSITIVE),
        ("stop", order.trigger_ticks, STOPS, Reason.TRIGGER_NOT_POSITIVE),
    ):
        if order.order_type in types:
            yield Check("validation", f"{name} above", low, ticks, 0, "ticks", ticks > 0)
            yield _word(f"{name} on a tick", Reason.PRICE_NOT_ON_TICK, _yes(on_tick), "yes", on_tick)
            reason, known = Reason.PRICE_ABOVE_MAXIMUM, most if most < FLOAT_EXACT else None
            yield Check("validation", f"{name} at most", reason, ticks, known, "ticks", ticks <= most)


def _reference(market: Any, order: Any) -> int:
    return int(reference_ticks(order.order_type, order.price_ticks, order.trigger_ticks, market.last))


def _notional(market: Any, order: Any) -> Iterator[Check]:
    lots, reference = order.leaves_lots, _reference(market, order)
    exact = reference * lots * market.unit_num // market.unit_den
    most, over = int(NOTIONAL_MAX), Reason.NOTIONAL_OVERFLOW
    yield Check("validation", "notional at most", over, exact, most, "quote", exact <= most)
    notional = int(notional_of(market, order.side, reference, lots))
    least = market.min_notional_atoms
    fits = notional >= least or bool(order.flags & OrderFlag.REDUCE_ONLY)
    yield Check("validation", "min_notional", Reason.NOTIONAL_BELOW_MINIMUM, notional, least, "quote", fits)


def _position(world: Any, order: Any) -> Any:
    return position_at(world.positions, order.strategy * world.n_instruments + order.instrument)


def _most(name: str, reason: Reason, figure: int, limit: int, unit: str) -> Check:
    """Return a check of the risk gate against an upper limit, which may not be set."""
    known = limit if limit < NO_LIMIT else None
    return Check("risk", name, reason, figure, known, unit, figure <= limit)


def _limits(world: Any, engine: Any, market: Any, order: Any) -> Iterator[Check]:
    currency = currency_at(world.currencies, market.currency)
    warm = bool(is_warming(engine))
    yield Check("risk", "warm-up", Reason.WARMING_UP, "running" if warm else "over", "over", "text", not warm)
    state = _named(TradingState, engine.trading_state)
    reducing = is_reducing(_position(world, order), order.side, order.leaves_lots, order.flags)
    halted = engine.trading_state == TradingState.HALTED
    passed = engine.trading_state == TradingState.ACTIVE or (reducing and not halted)
    reason = Reason.TRADING_HALTED if halted else Reason.ONLY_REDUCING
    yield Check("risk", "trading state", reason, state, "ACTIVE, or reducing", "text", passed)
    yield _most("max_order_qty", Reason.MAX_ORDER_QTY, order.qty_lots, market.max_order_lots, "lots")
    reference = _reference(market, order)
    notional = to_account(notional_of(market, order.side, reference, order.qty_lots), currency.rate_pico)
    reason = Reason.MAX_ORDER_NOTIONAL
    yield _most("max_order_notional", reason, int(notional), engine.max_notional_atoms, "account")
    for name, ticks, types in (("limit", order.price_ticks, LIMITS), ("stop", order.trigger_ticks, STOPS)):
        if order.order_type in types:
            collar = engine.collar_nano
            allowed = muldiv_floor(market.last, collar, NANO) if collar > 0 else NO_LIMIT
            away = abs(ticks - market.last)
            yield _most(f"price_collar, {name} from last", Reason.PRICE_COLLAR, away, int(allowed), "ticks")


def _opening(world: Any, engine: Any, market: Any, order: Any, credit: int) -> Iterator[Check]:
    """Tell the checks that only orders meet which may open or add: position, exposure, buying power."""
    position = _position(world, order)
    if is_reducing(position, order.side, order.leaves_lots, order.flags):
        return
    currency = currency_at(world.currencies, market.currency)
    side, lots, reference = order.side, order.leaves_lots, _reference(market, order)
    worst = market.net_lots + side * lots
    for s in range(world.n_strategies):
        working = position_at(world.positions, s * world.n_instruments + order.instrument)
        worst += working.open_buy_lots if side > 0 else -working.open_sell_lots
    yield _most("max_position", Reason.MAX_POSITION, abs(worst), market.max_position_lots, "lots")
    if market.max_position_notional < NO_LIMIT:
        worth = int(notional_of(market, side, reference, abs(worst)))
        over = exceeds_position(world, engine, market, order.instrument, side, lots, reference)
        limit = market.max_position_notional
        yield Check("risk", "max_position, notional", Reason.MAX_POSITION, worth, limit, "quote", not over)
    need, exposure = (int(one) for one in opening_terms(engine, market, currency, position, order))
    gross = engine.gross_atoms + engine.exposure_atoms + exposure
    yield _most("max_exposure", Reason.MAX_EXPOSURE, gross, engine.max_exposure_atoms, "account")
    cash = engine.account_type == AccountType.CASH
    if cash and side < 0:
        reason, free = Reason.INSUFFICIENT_POSITION, max(position.lots - position.open_sell_lots, 0)
        yield Check("risk", "position to sell", reason, lots, free, "lots", False)
        return
    available = int(available_atoms(engine, currency)) + credit
    if not cash:
        available += int(freed_margin(market, lots - opening_lots(position, side, lots, order.flags)))
    passed = need <= available or need <= 0
    unit = "quote" if cash else "account"
    yield Check("risk", "buying power", Reason.INSUFFICIENT_BUYING_POWER, need, available, unit, passed)


def _counts(engine: Any) -> Iterator[Check]:
    limit = engine.max_open_orders
    known = limit if limit < NO_LIMIT else None
    passed = engine.n_live < limit
    yield Check("risk", "max_open_orders", Reason.MAX_OPEN_ORDERS, engine.n_live + 1, known, "orders", passed)
    over = engine.rate_count == 0 or engine.now - engine.rate_start >= engine.rate_ns
    sent = 1 if over else engine.rate_count + 1
    allowed = engine.rate_orders if engine.rate_orders > 0 else NO_LIMIT
    yield _most("max_order_rate", Reason.MAX_ORDER_RATE, sent, allowed, "orders")
