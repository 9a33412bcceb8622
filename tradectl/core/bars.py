"""Matching on bars: what working orders do at a bar's open and along its path (docs/fills.md, 3)."""

from __future__ import annotations

from tradectl.core.codes import (
    FillPhase,
    LiquiditySide,
    OrderFlag,
    OrderStatus,
    OrderType,
    PathRule,
)
from tradectl.core.execute import UNCAPPED, execute, expire
from tradectl.core.jit import kernel, routine
from tradectl.core.layout import NEVER, NONE, currency_at, order_at, position_at
from tradectl.core.money import muldiv_floor
from tradectl.core.orders import is_immediate, next_after, push_report

__all__ = [
    "after_open", "fill_budget", "high_comes_first", "is_stop", "match_open", "reaches_open", "takes_part",
    "walk_gap", "walk_path",
]  # fmt: skip

NANO = 1_000_000_000
MARKET, LIMIT = int(OrderType.MARKET), int(OrderType.LIMIT)
STOP_MARKET, STOP_LIMIT = int(OrderType.STOP_MARKET), int(OrderType.STOP_LIMIT)
MARKETABLE, TRIGGERED, RESTED = int(OrderFlag.MARKETABLE), int(OrderFlag.TRIGGERED), int(OrderFlag.RESTED)
REDUCE_ONLY = int(OrderFlag.REDUCE_ONLY)
MAKER, TAKER = int(LiquiditySide.MAKER), int(LiquiditySide.TAKER)
SUBMITTED = int(OrderStatus.SUBMITTED)
STATUS_TRIGGERED = int(OrderStatus.TRIGGERED)
PENDING_UPDATE = int(OrderStatus.PENDING_UPDATE)
AT_OPEN, ON_PATH = int(FillPhase.OPEN), int(FillPhase.PATH)
OHLC, OLHC = int(PathRule.OHLC), int(PathRule.OLHC)


@kernel
def fill_budget(engine, market):
    """Set how many lots own orders may take from this bar."""
    if market.volume >= 0:
        if engine.participation_nano == NANO:
            market.budget = market.volume
        else:
            market.budget = muldiv_floor(market.volume, engine.participation_nano, NANO)


@kernel
def reaches_open(market):
    """Return whether any working order can act at this bar's open."""
    return market.attention != 0 or market.open >= market.key_up or market.open <= market.key_down


@kernel
def high_comes_first(engine, bar):
    """Return whether a bar's path visits the high before the low (adaptive: the nearer one; tie: the low)."""
    if engine.path == OHLC or engine.path == OLHC:
        return engine.path == OHLC
    return bar.high - bar.open < bar.open - bar.low


@kernel
def takes_part(market, order):
    """Return whether an order had arrived when this bar began."""
    return order.status != SUBMITTED and order.ts_arrival <= market.start


@kernel
def within(side, price_ticks, limit_ticks):
    """Return whether a price is at or better than a limit."""
    return side * price_ticks <= side * limit_ticks


@kernel
def is_stop(order):
    """Return whether an order is a stop that has not been triggered."""
    stop = order.order_type == STOP_MARKET or order.order_type == STOP_LIMIT
    return stop and order.flags & TRIGGERED == 0


@kernel
def waits(world, engine, order):
    """Return whether a reduce_only order waits for a position, or with `entry_bar: false` for the next bar."""
    if order.flags & REDUCE_ONLY == 0:
        return False
    position = position_at(world.positions, order.strategy * world.n_instruments + order.instrument)
    if engine.entry_bar == 0 and engine.batch > 0 and position.opened_batch == engine.batch:
        return True
    if position.lots * order.side < 0:
        return False
    limit = order.order_type == LIMIT or order.order_type == STOP_LIMIT
    return is_stop(order) or (limit and not is_immediate(order))


@routine
def trigger(world, engine, market, slot, price_ticks, phase):
    """Trigger a stop at a price and let it act there."""
    order = order_at(world.orders, slot)
    order.flags |= TRIGGERED
    order.ts_last = engine.now
    if order.status < PENDING_UPDATE:
        order.status = STATUS_TRIGGERED
    else:
        order.before = STATUS_TRIGGERED
    push_report(world, engine, order, 1, price_ticks, 0, 0, 0)
    if order.order_type == STOP_MARKET:
        execute(world, engine, market, slot, price_ticks, True, UNCAPPED, TAKER, phase)
    elif within(order.side, price_ticks, order.price_ticks):
        execute(world, engine, market, slot, price_ticks, True, order.price_ticks, TAKER, phase)
    elif is_immediate(order):
        expire(world, engine, market, currency_at(world.currencies, market.currency), slot)


@routine
def act_at_open(world, engine, market, slot):
    """Let one order act at the open price; return whether it did anything."""
    order = order_at(world.orders, slot)
    price = market.open
    if order.order_type == MARKET or (order.order_type == STOP_MARKET and order.flags & TRIGGERED):
        execute(world, engine, market, slot, price, True, UNCAPPED, TAKER, AT_OPEN)
        return True
    if is_stop(order):
        if order.side * price >= order.side * order.trigger_ticks:
            trigger(world, engine, market, slot, price, AT_OPEN)
            return True
        return False
    first = order.flags & RESTED == 0 and order.order_type == LIMIT
    if first and (is_immediate(order) or order.flags & MARKETABLE):
        if within(order.side, price, order.price_ticks):
            execute(world, engine, market, slot, price, False, UNCAPPED, TAKER, AT_OPEN)
            return True
        if is_immediate(order):
            expire(world, engine, market, currency_at(world.currencies, market.currency), slot)
            return True
        return False
    if market.volume >= 0 and market.budget == 0:
        return False
    reached = order.side * price < order.side * order.price_ticks
    if reached or (engine.limit_touch and price == order.price_ticks):
        at = price if engine.limit_gap_open else order.price_ticks
        execute(world, engine, market, slot, at, False, UNCAPPED, MAKER, AT_OPEN)
        return True
    return False


@routine
def match_open(world, engine, market, reducing_pass):
    """Walk a market's orders by priority at the open: those that reduce, or in the second pass the others."""
    slot = market.first_order
    while slot != NONE:  # each order acts at most once a batch
        order = order_at(world.orders, slot)
        priority = order.priority
        following = order.next
        skip = not takes_part(market, order) or order.acted_batch == engine.batch
        skip = skip or waits(world, engine, order)
        if reducing_pass and not skip:
            position = position_at(world.positions, order.strategy * world.n_instruments + order.instrument)
            reduces = position.lots * order.side < 0 and order.leaves_lots <= abs(position.lots)
            skip = not (reduces or order.flags & REDUCE_ONLY)
        if not skip:
            if act_at_open(world, engine, market, slot):
                order.acted_batch = engine.batch
                following = next_after(world, market, priority)  # orders may have gone
        slot = following


@routine
def after_open(world, market):
    """After a first bar's open every order rests."""
    slot = market.first_order
    while slot != NONE:
        order = order_at(world.orders, slot)
        if takes_part(market, order):
            order.flags = (order.flags | RESTED) & ~MARKETABLE
        slot = order.next


@routine
def next_on_leg(world, engine, market, current, end, up):
    """Return (slot, price): the order met first when the price goes from `current` to `end` (-1: none)."""
    found, at = NONE, 0
    direction = 1 if up else -1
    slot = market.first_order
    while slot != NONE:  # at most n_orders steps
        order = order_at(world.orders, slot)
        level = NEVER
        if takes_part(market, order):
            if is_stop(order):
                if order.side == direction:
                    level = order.trigger_ticks
            elif order.side != direction and (order.order_type == LIMIT or order.order_type == STOP_LIMIT):
                if market.volume < 0 or market.budget > 0:
                    level = order.price_ticks + (0 if engine.limit_touch else direction)
        if level != NEVER and waits(world, engine, order):
            level = NEVER
        if level != NEVER and direction * level <= direction * end:
            level = max(level, current) if up else min(level, current)
            if found == NONE or direction * level < direction * at:
                found, at = slot, level
        slot = order.next
    return found, at


@routine
def walk_leg(world, engine, market, start, end, up):
    """Let orders act along one leg of the path, nearest price first, on equal prices by priority."""
    current = start
    while True:  # each step ends, triggers or partly fills an order; a partial fill empties the budget
        slot, current_or_zero = next_on_leg(world, engine, market, current, end, up)
        if slot == NONE:
            return
        current = current_or_zero
        order = order_at(world.orders, slot)
        if is_stop(order):
            trigger(world, engine, market, slot, current, ON_PATH)
        else:
            execute(world, engine, market, slot, order.price_ticks, False, UNCAPPED, MAKER, ON_PATH)


@routine
def walk_gap(world, engine, market, price_ticks):
    """Let act what the price passed in a jump to `price_ticks`, rising leg first."""
    walk_leg(world, engine, market, price_ticks, price_ticks, True)
    walk_leg(world, engine, market, price_ticks, price_ticks, False)


@routine
def walk_path(world, engine, market, bar, high_first):
    """Walk open → extreme → extreme → close of a bar."""
    first = bar.high if high_first else bar.low
    second = bar.low if high_first else bar.high
    walk_leg(world, engine, market, bar.open, first, high_first)
    walk_leg(world, engine, market, first, second, not high_first)
    walk_leg(world, engine, market, second, bar.close, high_first)
