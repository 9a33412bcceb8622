"""Validation (1xx): whether an order is one that this instrument's venue could accept at all."""

from __future__ import annotations

from tradectl.core.account import notional_of
from tradectl.core.codes import MarketStatus, OrderFlag, OrderType, Reason, TimeInForce
from tradectl.core.jit import kernel

__all__ = ["reference_ticks", "validate_order"]

MARKET, LIMIT = int(OrderType.MARKET), int(OrderType.LIMIT)
STOP_MARKET, STOP_LIMIT = int(OrderType.STOP_MARKET), int(OrderType.STOP_LIMIT)
GTC, DAY = int(TimeInForce.GTC), int(TimeInForce.DAY)
IOC, FOK = int(TimeInForce.IOC), int(TimeInForce.FOK)
POST_ONLY, REDUCE_ONLY = int(OrderFlag.POST_ONLY), int(OrderFlag.REDUCE_ONLY)
LISTED = int(MarketStatus.LISTED)
NOTIONAL_MAX = 4.0e18  # atoms; below 2**62, so sums with fees and margins stay inside int64

UNKNOWN_ORDER_TYPE = int(Reason.UNKNOWN_ORDER_TYPE)
UNKNOWN_SIDE = int(Reason.UNKNOWN_SIDE)
UNKNOWN_TIME_IN_FORCE = int(Reason.UNKNOWN_TIME_IN_FORCE)
QTY_NOT_ON_LOT = int(Reason.QTY_NOT_ON_LOT)
PRICE_NOT_ON_TICK = int(Reason.PRICE_NOT_ON_TICK)
QTY_NOT_POSITIVE = int(Reason.QTY_NOT_POSITIVE)
QTY_BELOW_MINIMUM = int(Reason.QTY_BELOW_MINIMUM)
QTY_ABOVE_MAXIMUM = int(Reason.QTY_ABOVE_MAXIMUM)
PRICE_NOT_POSITIVE = int(Reason.PRICE_NOT_POSITIVE)
PRICE_ABOVE_MAXIMUM = int(Reason.PRICE_ABOVE_MAXIMUM)
TRIGGER_NOT_POSITIVE = int(Reason.TRIGGER_NOT_POSITIVE)
NOTIONAL_BELOW_MINIMUM = int(Reason.NOTIONAL_BELOW_MINIMUM)
NOTIONAL_OVERFLOW = int(Reason.NOTIONAL_OVERFLOW)
FLAGS_CONFLICT = int(Reason.FLAGS_CONFLICT)
NOT_TRADABLE = int(Reason.NOT_TRADABLE)
NO_PRICE_YET = int(Reason.NO_PRICE_YET)


@kernel
def reference_ticks(order_type, price_ticks, trigger_ticks, last_ticks):
    """Return the price that an order is judged by: its limit, else its trigger, else the last price."""
    if order_type == LIMIT or order_type == STOP_LIMIT:
        return price_ticks
    return trigger_ticks if order_type == STOP_MARKET else last_ticks


@kernel
def validate_order(market, side, order_type, time_in_force, flags, lots, price_ticks, trigger_ticks, fault):
    """Return 0, or the 1xx code of the first rule that the order breaks (order of rules: docs/fills.md, 2).

    `fault` is what was wrong with the numbers as written: NOT_A_NUMBER, QTY_NOT_ON_LOT, PRICE_NOT_ON_TICK, ….
    """
    if market.status != LISTED:
        return NOT_TRADABLE
    if market.has_price == 0:
        return NO_PRICE_YET
    if order_type < MARKET or order_type > STOP_LIMIT:
        return UNKNOWN_ORDER_TYPE
    if side != 1 and side != -1:
        return UNKNOWN_SIDE
    if time_in_force < GTC or time_in_force > DAY:
        return UNKNOWN_TIME_IN_FORCE
    if flags & POST_ONLY and (order_type != LIMIT or time_in_force == IOC or time_in_force == FOK):
        return FLAGS_CONFLICT
    if fault != 0 and fault != QTY_NOT_ON_LOT and fault != PRICE_NOT_ON_TICK:
        return fault  # not a number, no size, weights: there is nothing more to look at
    if lots < 0 or (lots == 0 and fault != QTY_NOT_ON_LOT):  # less than one lot is positive, but off its lot
        return QTY_NOT_POSITIVE
    if fault == QTY_NOT_ON_LOT:
        return fault
    if lots < market.min_qty_lots:
        return QTY_BELOW_MINIMUM
    if lots > market.max_qty_lots:
        return QTY_ABOVE_MAXIMUM
    if order_type == LIMIT or order_type == STOP_LIMIT:
        if price_ticks <= 0:
            return PRICE_NOT_POSITIVE
        if fault == PRICE_NOT_ON_TICK:
            return fault
        if price_ticks > market.max_price_ticks:
            return PRICE_ABOVE_MAXIMUM
    if order_type == STOP_MARKET or order_type == STOP_LIMIT:
        if trigger_ticks <= 0:
            return TRIGGER_NOT_POSITIVE
        if fault == PRICE_NOT_ON_TICK:
            return fault
        if trigger_ticks > market.max_price_ticks:
            return PRICE_ABOVE_MAXIMUM
    reference = reference_ticks(order_type, price_ticks, trigger_ticks, market.last)
    if (reference * 1.0) * lots * market.unit_num / market.unit_den > NOTIONAL_MAX:
        return NOTIONAL_OVERFLOW
    notional = notional_of(market, side, reference, lots)
    if notional < market.min_notional_atoms and flags & REDUCE_ONLY == 0:
        return NOTIONAL_BELOW_MINIMUM
    return NOTIONAL_OVERFLOW if notional > market.max_notional_atoms else 0
