"""What a strategy author uses: the decorator, parameters, state, indicators; and the loader behind them."""

from tradectl.core.codes import LiquiditySide, OrderFlag, OrderStatus, OrderType, Reason, Side, TimeInForce
from tradectl.strategy.declare import strategy
from tradectl.core.functions import exp, log, power, sqrt
from tradectl.strategy.indicators import (
    Atr,
    Cross,
    Donchian,
    Ema,
    Rma,
    Roc,
    Rolling,
    Rsi,
    Sma,
    atr,
    cross,
    donchian,
    ema,
    momentum,
    ready,
    rma,
    roc,
    rolling,
    rolling_std,
    rsi,
    sma,
    sma_compare,
)
from tradectl.strategy.memory import Array, Float64, Int64, PerInstrument, Record
from tradectl.strategy.params import Bool, Choice, Float, Int

GTC, IOC, FOK = int(TimeInForce.GTC), int(TimeInForce.IOC), int(TimeInForce.FOK)
POST_ONLY, REDUCE_ONLY = int(OrderFlag.POST_ONLY), int(OrderFlag.REDUCE_ONLY)  # `flags` of ctx.submit

__all__ = [
    "FOK", "GTC", "IOC", "POST_ONLY", "REDUCE_ONLY", "Array", "Atr", "Bool", "Choice", "Cross", "Donchian",
    "Ema", "Float", "Float64", "Int", "Int64", "LiquiditySide", "OrderStatus", "OrderType", "PerInstrument",
    "Reason", "Record", "Rma", "Roc", "Rolling", "Rsi", "Side", "Sma", "TimeInForce", "atr", "cross",
    "donchian", "ema", "exp", "log", "momentum", "power", "ready", "rma", "roc", "rolling", "rolling_std",
    "rsi", "sma", "sma_compare", "sqrt", "strategy",
]  # fmt: skip
