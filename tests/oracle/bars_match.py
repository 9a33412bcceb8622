"""Sections 3.1 to 3.5 of the fill contract: one bar of one instrument."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from math import ceil

from tests.golden.protocol import E9, Bar
from tests.oracle.bars_world import Order, World
from tradectl.core.codes import (
    FillPhase,
    LiquiditySide,
    OrderStatus,
    OrderType,
    PathRule,
    Reason,
    Side,
    TimeInForce,
)

__all__ = ["act_at_close", "act_at_open", "ambiguous", "flag_ambiguous", "paths", "preferred", "walk"]

IMMEDIATE = (TimeInForce.IOC, TimeInForce.FOK)
STOPS = (OrderType.STOP_MARKET, OrderType.STOP_LIMIT)


# ---- one execution


def slipped(world: World, order: Order, price: int, qty: int) -> int:
    """Return `price` made worse for a taker of `qty` lots (3.3)."""
    config, bar = world.config, world.bars[order.instrument]
    ticks = config.slippage_ticks + ceil(Fraction(price * config.slippage_rate_e9, E9))
    if config.slippage_share_e9 and bar is not None and bar.volume:
        share = qty * 1_000_000 // bar.volume
        impact = ceil(Fraction(price * config.slippage_share_e9, E9))
        impact = ceil(Fraction(impact * share, 1_000_000))
        ticks += ceil(Fraction(impact * share, 1_000_000))
    return max(1, price + order.side * ticks)


def affordable(world: World, order: Order, price: int, liquidity: int, closing: int, opening: int) -> int:
    """Return how many of `opening` lots the account can pay for, `closing` lots being closed first (3.4)."""
    free = world.free(but=order) + (world.freed_by_flip(order) if closing else 0)

    def cost(qty: int) -> int:
        notional = world.notional(order.instrument, price, qty, order.side)
        margin = notional if world.cash else world.over_leverage(notional)
        return margin + world.fee(notional, liquidity)

    low, high = 0, opening
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if cost(middle) <= free else (low, middle - 1)
    return low


def execute(
    world: World, order: Order, price: int, liquidity: LiquiditySide, phase: FillPhase, ts: int
) -> None:
    """Fill what can be filled of `order` at `price` (before slippage for takers by market or stop) (3.4)."""
    index = order.instrument
    want, budget = order.leaves, world.budget[index]
    if order.reduce_only and not world.reducible(order):
        world.end(order, OrderStatus.CANCELED, Reason.REDUCE_ONLY_CLOSED)
        return
    qty = want if budget is None else min(want, budget)
    if order.reduce_only:
        qty = min(qty, world.reducible(order))
    shrunk = Reason.NONE
    if world.cash and order.side == Side.SELL and not order.reduce_only:
        held = max(0, world.positions[index].lots)
        if qty > held:
            qty, shrunk = held, Reason.SHRUNK_TO_POSITION
    # choice: volume_share slippage is that of the quantity before buying power shrinks it.
    if order.type != OrderType.LIMIT and liquidity == LiquiditySide.TAKER:
        price = slipped(world, order, price, qty)
        if order.type == OrderType.STOP_LIMIT:
            price = min(price, order.limit) if order.side == Side.BUY else max(price, order.limit)
    closing = min(qty, world.reducible(order))
    if qty > closing:
        can = affordable(world, order, price, liquidity, closing, qty - closing)
        if can < qty - closing:
            qty, shrunk = closing + can, Reason.SHRUNK_TO_BUYING_POWER
    settle(world, order, qty, shrunk, (price, liquidity, phase, ts))


def settle(
    world: World,
    order: Order,
    qty: int,
    shrunk: Reason,
    terms: tuple[int, LiquiditySide, FillPhase, int],
) -> None:
    """Book `qty` lots, then end what the order's time in force or the account does not allow to live on."""
    price, liquidity, phase, ts = terms
    at_close = phase == FillPhase.CLOSE
    # choice: FOK counts all limits of 3.4: whatever makes less than the whole possible leaves it unfilled.
    if order.tif == TimeInForce.FOK and qty < order.leaves:
        if not at_close:
            world.expire(order)
        return
    if qty:
        budget = world.budget[order.instrument]
        if budget is not None:
            world.budget[order.instrument] = budget - qty
        world.book(order, price, qty, liquidity, phase, ts)
    if order.live and shrunk:
        world.end(order, OrderStatus.CANCELED, shrunk)
    elif order.live and order.tif == TimeInForce.IOC and not at_close:
        world.expire(order)


def trigger(order: Order) -> None:
    """Mark a stop as triggered."""
    order.triggered = True
    if order.status == OrderStatus.ACCEPTED:
        order.status = OrderStatus.TRIGGERED


def act_on_trigger(world: World, order: Order, price: int, phase: FillPhase, ts: int) -> None:
    """Trigger a stop at `price` and execute it there if its limit allows."""
    trigger(order)
    if order.type == OrderType.STOP_MARKET or within(order, price):
        execute(world, order, price, LiquiditySide.TAKER, phase, ts)
    elif order.tif in IMMEDIATE:  # choice: nothing to be had at once at the trigger: it ends there
        world.expire(order)


def within(order: Order, price: int) -> bool:
    """Say whether `price` is within the order's limit."""
    return price <= order.limit if order.side == Side.BUY else price >= order.limit


# ---- 3.1 at the open, and fill_at: close


def waits(world: World, order: Order) -> bool:
    """Say whether a reduce_only order waits for a position, or with `entry_bar: false` for the next bar."""
    if not order.reduce_only:
        return False
    if world.positions[order.instrument].opened and not world.config.entry_bar:
        return True
    untriggered = order.type in STOPS and not order.triggered
    limit = order.type in (OrderType.LIMIT, OrderType.STOP_LIMIT) and order.tif not in IMMEDIATE
    return not world.reducible(order) and (untriggered or limit)


def act_at_open(world: World, order: Order, price: int, ts: int) -> None:
    """Let one order act at the open price, by the table of 3.1."""
    first, order.first_bar = order.first_bar, False
    buy = order.side == Side.BUY
    if order.type == OrderType.MARKET or (order.type == OrderType.STOP_MARKET and order.triggered):
        execute(world, order, price, LiquiditySide.TAKER, FillPhase.OPEN, ts)
    elif order.type in STOPS and not order.triggered:
        if (price >= order.trigger) if buy else (price <= order.trigger):
            act_on_trigger(world, order, price, FillPhase.OPEN, ts)
    elif order.type == OrderType.LIMIT and first and order.tif in IMMEDIATE:
        if within(order, price):
            execute(world, order, price, LiquiditySide.TAKER, FillPhase.OPEN, ts)
        else:
            world.expire(order)
    elif order.type == OrderType.LIMIT and first and order.marketable:
        if within(order, price):
            execute(world, order, price, LiquiditySide.TAKER, FillPhase.OPEN, ts)
    elif within(order, price) and (price != order.limit or world.config.limit_touch):
        if world.budget[order.instrument] == 0:  # choice: without budget not even looked at, as on the path
            return
        at = price if world.config.limit_gap_open else order.limit
        execute(world, order, at, LiquiditySide.MAKER, FillPhase.OPEN, ts)


def act_at_close(world: World, order: Order, ts: int) -> None:
    """Execute a MARKET order at the last close (`fill_at: close`); a synthetic bar fills nothing."""
    price, bar = world.last[order.instrument], world.bars[order.instrument]
    if price is not None and not (bar is not None and bar.synthetic):
        execute(world, order, price, LiquiditySide.TAKER, FillPhase.CLOSE, ts)


# ---- 3.2 along the path


def adaptive_high_first(bar: Bar) -> bool:
    """Say whether the high is nearer to the open than the low; a tie goes to the low."""
    return bar.high - bar.open < bar.open - bar.low


Legs = list[tuple[int, bool]]  # (where a leg ends, whether it rises)


def paths(bar: Bar) -> tuple[Legs, Legs]:
    """Return the legs of the two paths from the open: high first, low first."""
    high, low = bar.high, bar.low
    return [(high, True), (low, False), (bar.close, True)], [(low, False), (high, True), (bar.close, False)]


def meeting(world: World, order: Order, rising: bool) -> int | None:
    """Return the price at which a leg meets the order, or None if such a leg cannot."""
    if waits(world, order):
        return None
    buy = order.side == Side.BUY
    if order.type in STOPS and not order.triggered:
        return order.trigger if buy == rising else None
    if order.type not in (OrderType.LIMIT, OrderType.STOP_LIMIT) or buy == rising:
        return None
    if world.budget[order.instrument] == 0:
        return None
    through = 0 if world.config.limit_touch else 1
    return order.limit + through if rising else order.limit - through


def walk(world: World, index: int, start: int, legs: Legs, ts: int) -> None:
    """Walk legs from a price; execute what is met, nearest first, then by priority.

    A leg of no length meets what is overdue; two of them, up and down, come before the path where the
    price has jumped to its start.
    """
    at = start
    for goal, rising in legs:
        while True:
            met: list[tuple[int, int, Order]] = []
            for order in world.by_priority(index):
                price = meeting(world, order, rising)
                if price is None:
                    continue
                price = max(at, price) if rising else min(at, price)  # overdue: met at once
                if price <= goal if rising else price >= goal:
                    met.append((abs(price - at), order.priority, order))
            if not met:
                break
            distance, _, order = min(met, key=lambda m: m[:2])
            at += distance if rising else -distance
            act_on_path(world, order, at, ts)
        at = goal


def act_on_path(world: World, order: Order, at: int, ts: int) -> None:
    """Let one order act that the path has met, by the table of 3.2."""
    if order.type in STOPS and not order.triggered:
        act_on_trigger(world, order, at, FillPhase.PATH, ts)
    else:
        execute(world, order, order.limit, LiquiditySide.MAKER, FillPhase.PATH, ts)


# ---- 3.5 ambiguous bars


def outcome(world: World) -> tuple[object, ...]:
    """Return what two paths must agree on: positions, balance, orders.

    # choice: a position is its lots and its cost.
    """
    positions = tuple((p.lots, p.cost) for p in world.positions)
    return positions, world.balance, tuple(order.state() for order in world.orders)


def exits(world: World, index: int, bar: Bar) -> tuple[list[Order], list[Order]]:
    """Return the reduce_only stops and limits whose price, as a leg would meet it, lies within the bar."""
    through = 0 if world.config.limit_touch else 1
    stops, limits = [], []
    for order in world.by_priority(index):
        if not order.reduce_only:
            continue
        if order.type in STOPS and not order.triggered:
            if order.trigger in range(bar.low, bar.high + 1):
                stops.append(order)
        elif order.type in (OrderType.LIMIT, OrderType.STOP_LIMIT) and world.budget[index] != 0:
            met = order.limit + through if order.side == Side.SELL else order.limit - through
            if met in range(bar.low, bar.high + 1):
                limits.append(order)
    return stops, limits


def compete(before: World, after: World, index: int, bar: Bar) -> bool:
    """Say whether a stop and a target were both in range and one of them acted.

    # choice: a pair of which both filled whole took nothing from each other.
    """
    now = {order.id: order for order in after.orders}
    stops, limits = exits(before, index, bar)
    pairs = [(stop, limit) for stop in stops for limit in limits if stop.side == limit.side]
    for stop, limit in pairs:
        acted = now[stop.id].triggered or now[limit.id].filled != limit.filled
        if acted and not all(now[order.id].filled == order.qty for order in (stop, limit)):
            return True
    return False


def ambiguous(before: World, high: World, low: World, index: int, bar: Bar) -> bool:
    """Say whether two paths led to different results, or to the same with a stop and a target in range."""
    return outcome(high) != outcome(low) or compete(before, high, index, bar)


def preferred(index: int, bar: Bar, high: World, low: World) -> World:
    """Return the world of the path that the configuration takes for this bar."""
    rule = high.config.path
    adaptive = high if adaptive_high_first(bar) else low
    if rule == PathRule.OHLC:
        return high
    if rule == PathRule.OLHC:
        return low
    if rule == PathRule.ADAPTIVE:
        return adaptive
    values = []
    for world in (high, low):
        marked = world.clone()
        marked.last[index] = bar.close
        values.append(marked.equity())
    if values[0] == values[1]:
        return adaptive
    return high if (values[0] < values[1]) == (rule == PathRule.ADVERSE) else low


def flag_ambiguous(world: World, index: int) -> None:
    """Flag the fills of an ambiguous bar (of the open as well: they are fills in it)."""
    world.fills = [
        replace(fill, ambiguous=True)
        if fill.instrument == index and fill.phase in (FillPhase.OPEN, FillPhase.PATH)
        else fill
        for fill in world.fills
    ]
