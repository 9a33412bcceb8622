"""Streaming indicators: a record in the state, and a function that takes in one value."""

from tradectl.strategy.indicators.base import Indicator, indicator, ready
from tradectl.strategy.indicators.channel import Bollinger, Donchian, Keltner, bollinger, donchian, keltner
from tradectl.strategy.indicators.crossing import Cross, cross
from tradectl.strategy.indicators.moving_average import Ema, Rma, Sma, ema, rma, sma, sma_compare
from tradectl.strategy.indicators.oscillator import Macd, Roc, Rsi, Trix, macd, momentum, roc, rsi, trix
from tradectl.strategy.indicators.smoothing import Dema, Hma, Kama, Tema, Wma, dema, hma, kama, tema, wma
from tradectl.strategy.indicators.statistics import (
    Extremum,
    LinReg,
    PairStats,
    Rank,
    Rolling,
    beta,
    correlation,
    highest,
    linreg,
    lowest,
    rank,
    rolling,
    rolling_std,
    rolling_variance,
    std,
    variance,
    zscore,
)
from tradectl.strategy.indicators.stochastic import (
    Cci,
    StochRsi,
    Stochastic,
    WilliamsR,
    cci,
    stoch_rsi,
    stochastic,
    williams_r,
)
from tradectl.strategy.indicators.trend import (
    Adx,
    Aroon,
    Ichimoku,
    Psar,
    Supertrend,
    adx,
    aroon,
    ichimoku,
    psar,
    supertrend,
)
from tradectl.strategy.indicators.volatility import Atr, Volatility, atr, volatility
from tradectl.strategy.indicators.volume import (
    Cmf,
    Mfi,
    Obv,
    RollingVwap,
    Vwap,
    anchored_vwap,
    cmf,
    mfi,
    obv,
    restart,
    rolling_vwap,
    vwap,
)

__all__ = [
    "Adx", "Aroon", "Atr", "Bollinger", "Cci", "Cmf", "Cross", "Dema", "Donchian", "Ema", "Extremum",
    "Hma", "Ichimoku", "Indicator", "Kama", "Keltner", "LinReg", "Macd", "Mfi", "Obv", "PairStats",
    "Psar", "Rank", "Rma", "Roc", "Rolling", "RollingVwap", "Rsi", "Sma", "StochRsi", "Stochastic",
    "Supertrend", "Tema", "Trix", "Volatility", "Vwap", "WilliamsR", "Wma", "adx", "anchored_vwap",
    "aroon", "atr", "beta", "bollinger", "cci", "cmf", "correlation", "cross", "dema", "donchian", "ema",
    "highest", "hma", "ichimoku", "indicator", "kama", "keltner", "linreg", "lowest", "macd", "mfi",
    "momentum", "obv", "psar", "rank", "ready", "restart", "rma", "roc", "rolling", "rolling_std",
    "rolling_variance", "rolling_vwap", "rsi", "sma", "sma_compare", "std", "stoch_rsi", "stochastic",
    "supertrend", "tema", "trix", "variance", "volatility", "vwap", "williams_r", "wma", "zscore",
]  # fmt: skip
