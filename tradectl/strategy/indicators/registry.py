"""All indicators by name, for what is made of text: rules, benches, tables."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from tradectl.strategy import indicators as i
from tradectl.strategy.memory import Record

__all__ = ["ALIASES", "INDICATORS", "Entry", "find"]


class Entry(NamedTuple):
    """An indicator: its record, the function that takes in a value, its outputs (the main one first).

    The function returns the main output, NaN until ready, but `donchian`, which returns whether it is complete, and
    `cross`. Outputs are fields of the record, to be read once `ready`; the mean of `sma` is returned only.
    """

    record: type[Record]
    update: Callable[..., Any]
    outputs: tuple[str, ...]


def _entry(record: type[i.Indicator], update: Callable[..., Any]) -> Entry:
    return Entry(record, update, record.outputs)


INDICATORS: dict[str, Entry] = {
    "sma": Entry(i.Sma, i.sma, ("value",)),
    "ema": _entry(i.Ema, i.ema),
    "rma": _entry(i.Rma, i.rma),
    "wma": _entry(i.Wma, i.wma),
    "dema": _entry(i.Dema, i.dema),
    "tema": _entry(i.Tema, i.tema),
    "hma": _entry(i.Hma, i.hma),
    "kama": _entry(i.Kama, i.kama),
    "rsi": _entry(i.Rsi, i.rsi),
    "roc": _entry(i.Roc, i.roc),
    "momentum": _entry(i.Roc, i.momentum),
    "macd": _entry(i.Macd, i.macd),
    "trix": _entry(i.Trix, i.trix),
    "stochastic": _entry(i.Stochastic, i.stochastic),
    "stoch_rsi": _entry(i.StochRsi, i.stoch_rsi),
    "williams_r": _entry(i.WilliamsR, i.williams_r),
    "cci": _entry(i.Cci, i.cci),
    "adx": _entry(i.Adx, i.adx),
    "aroon": _entry(i.Aroon, i.aroon),
    "supertrend": _entry(i.Supertrend, i.supertrend),
    "psar": _entry(i.Psar, i.psar),
    "ichimoku": _entry(i.Ichimoku, i.ichimoku),
    "atr": _entry(i.Atr, i.atr),
    "volatility": _entry(i.Volatility, i.volatility),
    "bollinger": _entry(i.Bollinger, i.bollinger),
    "keltner": _entry(i.Keltner, i.keltner),
    "donchian": _entry(i.Donchian, i.donchian),
    "obv": _entry(i.Obv, i.obv),
    "vwap": _entry(i.Vwap, i.vwap),
    "anchored_vwap": _entry(i.Vwap, i.anchored_vwap),
    "rolling_vwap": _entry(i.RollingVwap, i.rolling_vwap),
    "mfi": _entry(i.Mfi, i.mfi),
    "cmf": _entry(i.Cmf, i.cmf),
    "rolling": _entry(i.Rolling, i.rolling),
    "variance": _entry(i.Rolling, i.variance),
    "std": _entry(i.Rolling, i.std),
    "zscore": _entry(i.Rolling, i.zscore),
    "highest": _entry(i.Extremum, i.highest),
    "lowest": _entry(i.Extremum, i.lowest),
    "rank": _entry(i.Rank, i.rank),
    "correlation": Entry(i.PairStats, i.correlation, ("value",)),
    "beta": _entry(i.PairStats, i.beta),
    "linreg": _entry(i.LinReg, i.linreg),
    "cross": Entry(i.Cross, i.cross, ("sign",)),
}
ALIASES = {
    "mean": "rolling", "stdev": "std", "max": "highest", "min": "lowest", "stoch": "stochastic", "bb": "bollinger",
    "percent_rank": "rank", "hedge_ratio": "beta", "regression": "linreg", "di": "adx", "sar": "psar",
    "realised_volatility": "volatility", "willr": "williams_r",
}  # fmt: skip


def find(name: str) -> Entry | None:
    """Return the indicator of a name or alias, None where there is none."""
    return INDICATORS.get(ALIASES.get(name, name))
