"""Streaming indicators: a record in the state, and a function that takes in one value."""

from tradectl.strategy.indicators.base import Indicator, indicator, ready
from tradectl.strategy.indicators.channel import Donchian, donchian
from tradectl.strategy.indicators.crossing import Cross, cross
from tradectl.strategy.indicators.moving_average import Ema, Rma, Sma, ema, rma, sma, sma_compare
from tradectl.strategy.indicators.oscillator import Roc, Rsi, momentum, roc, rsi
from tradectl.strategy.indicators.volatility import Atr, Rolling, atr, rolling, rolling_std

__all__ = [
    "Atr", "Cross", "Donchian", "Ema", "Indicator", "Rma", "Roc", "Rolling", "Rsi", "Sma", "atr", "cross", "donchian",
    "ema", "indicator", "momentum", "ready", "rma", "roc", "rolling", "rolling_std", "rsi", "sma", "sma_compare",
]  # fmt: skip
