"""Matching where trades are all that is known: own orders meet the prints themselves, each spent once."""

from __future__ import annotations

from tradectl.core.bars import is_stop, waits
from tradectl.core.codes import FillPhase, LiquiditySide, OrderFlag, OrderType, TimeInForce
from tradectl.core.execute import UNCAPPED, can_pay, execute, expire
from tradectl.core.jit import kernel, routine
from tradectl.core.layout import NANO, NONE, currency_at, order_at
from tradectl.core.money import muldiv_floor
from tradectl.core.orders import is_arrived, is_immediate, is_live, next_after, refresh_keys

__all__ = ["match_print"]

MARKET, STOP_MARKET = int(OrderType.MARKET), int(OrderType.STOP_MARKET)
FOK = int(TimeInForce.FOK)
POST_ONLY, RESTED = int(OrderFlag.POST_ONLY), int(OrderFlag.RESTED)
PRINT = int(FillPhase.PRINT)
MAKER, TAKER = int(LiquiditySide.MAKER), int(LiquiditySide.TAKER)


@kernel
def is_met(engine, order, price_ticks):
    """Return whether a print can fill an order.

    Any can fill a market order, one within its limit a new order that may take, one through its limit (with
    `limit_touch: touch` at it) any other.
    """
    if order.order_type == MARKET or order.order_type == STOP_MARKET:
        return True
    better = order.side * (order.price_ticks - price_ticks)
    return better > 0 or (better == 0 and (engine.limit_touch != 0 or order.flags & (RESTED | POST_ONLY) == 0))


@routine
def act_on_print(world, engine, market, slot, price_ticks, room):
    """Let one order meet a print with `room` lots left; return the lots that it took."""
    order = order_at(world.orders, slot)
    first = order.flags & (RESTED | POST_ONLY) == 0
    rests = order.order_type != MARKET and order.order_type != STOP_MARKET
    filled = order.filled_lots
    if is_met(engine, order, price_ticks):
        taker = first or not rests
        fok = order.time_in_force == FOK
        price = price_ticks if taker else order.price_ticks
        if not fok or (room >= order.leaves_lots and can_pay(world, engine, market, slot, price, not rests)):
            market.budget = room
            if room > 0:
                execute(world, engine, market, slot, price, not rests, UNCAPPED, TAKER if taker else MAKER, PRINT)
    if is_live(order):
        order.flags |= RESTED
        if is_immediate(order):
            expire(world, engine, market, currency_at(world.currencies, market.currency), slot)
    return order.filled_lots - filled


@routine
def match_print(world, engine, market, price_ticks, lots):
    """Let a trade of `lots` reach own orders by priority; together they take at most `participation` of it."""
    room = lots if engine.participation_nano == NANO else muldiv_floor(lots, engine.participation_nano, NANO)
    done = -1
    slot = market.first_order
    while slot != NONE:  # at most n_orders steps; looked up anew after each, for a fill may end other orders
        order = order_at(world.orders, slot)
        done = order.priority
        there = is_arrived(order) and order.ts_arrival < market.start  # before the trade, which may be told late
        if there and not is_stop(order) and not waits(world, engine, order):
            room -= act_on_print(world, engine, market, slot, price_ticks, room)
        slot = next_after(world, market, done)
    refresh_keys(world, market)
