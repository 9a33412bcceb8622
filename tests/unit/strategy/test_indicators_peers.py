"""Indicators against TA-Lib and against the expected values of 502 real days, each from the bar on that docs name."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.unit.strategy.indicator_desk import (
    NAMES,
    ROWS,
    Bars,
    Result,
    Values,
    assert_close,
    bitcoin,
    expectation,
    quotes,
    run,
    walk,
)

# What TA-Lib or the expectations have: (line, output, theirs, from which bar on it is the same, 0: from the first).
Theirs = Callable[[Any, Bars], Values]
Row = tuple[str, str, str, Theirs, int]
TALIB: list[Row] = [
    ("sma", "14", "value", lambda t, b: t.SMA(b.close_ticks, 14), 0),
    ("ema", "14", "value", lambda t, b: t.EMA(b.close, 14), 0),
    ("wma", "14", "value", lambda t, b: t.WMA(b.close, 14), 0),
    ("dema", "14", "value", lambda t, b: t.DEMA(b.close, 14), 0),
    ("tema", "14", "value", lambda t, b: t.TEMA(b.close, 14), 0),
    ("kama", "10, 2, 30", "value", lambda t, b: t.KAMA(b.close, 10), 0),
    ("rsi", "14", "value", lambda t, b: t.RSI(b.close, 14), 0),
    ("roc", "14", "value", lambda t, b: t.ROCP(b.close, 14), 0),
    ("momentum", "14", "value", lambda t, b: t.MOM(b.close, 14), 0),
    ("macd", "12, 26, 9", "value", lambda t, b: t.MACD(b.close)[0], 200),
    ("macd", "12, 26, 9", "signal", lambda t, b: t.MACD(b.close)[1], 250),
    ("macd", "12, 26, 9", "histogram", lambda t, b: t.MACD(b.close)[2], 250),
    ("trix", "14", "value", lambda t, b: t.TRIX(b.close, 14), 0),
    ("stochastic", "14, 3, 3", "value", lambda t, b: t.STOCH(b.high, b.low, b.close, 14, 3, 0, 3, 0)[0], 0),
    ("stochastic", "14, 3, 3", "d", lambda t, b: t.STOCH(b.high, b.low, b.close, 14, 3, 0, 3, 0)[1], 0),
    ("stoch_rsi", "14, 9, 1, 3", "value", lambda t, b: t.STOCHRSI(b.close, 14, 9, 3, 0)[0], 0),
    ("stoch_rsi", "14, 9, 1, 3", "d", lambda t, b: t.STOCHRSI(b.close, 14, 9, 3, 0)[1], 0),
    ("williams_r", "14", "value", lambda t, b: t.WILLR(b.high, b.low, b.close, 14), 0),
    ("cci", "20", "value", lambda t, b: t.CCI(b.high, b.low, b.close, 20), 0),
    ("adx", "14", "value", lambda t, b: t.ADX(b.high, b.low, b.close, 14), 400),
    ("adx", "14", "plus_di", lambda t, b: t.PLUS_DI(b.high, b.low, b.close, 14), 350),
    ("adx", "14", "minus_di", lambda t, b: t.MINUS_DI(b.high, b.low, b.close, 14), 350),
    ("adx", "14", "dx", lambda t, b: t.DX(b.high, b.low, b.close, 14), 400),
    ("aroon", "25", "up", lambda t, b: t.AROON(b.high, b.low, 25)[1], 0),
    ("aroon", "25", "down", lambda t, b: t.AROON(b.high, b.low, 25)[0], 0),
    ("aroon", "25", "value", lambda t, b: t.AROONOSC(b.high, b.low, 25), 0),
    ("psar", "0.02, 0.2", "value", lambda t, b: t.SAR(b.high, b.low, 0.02, 0.2), 0),
    ("atr", "14", "value", lambda t, b: t.ATR(b.high, b.low, b.close, 14), 350),
    ("bollinger", "20, 2.0", "upper", lambda t, b: t.BBANDS(b.close, 20, 2.0, 2.0)[0], 0),
    ("bollinger", "20, 2.0", "middle", lambda t, b: t.BBANDS(b.close, 20, 2.0, 2.0)[1], 0),
    ("bollinger", "20, 2.0", "lower", lambda t, b: t.BBANDS(b.close, 20, 2.0, 2.0)[2], 0),
    ("donchian", "20", "upper", lambda t, b: t.MAX(b.high, 20) * b.per_unit, 20),
    ("donchian", "20", "lower", lambda t, b: t.MIN(b.low, 20) * b.per_unit, 20),
    ("obv", "", "value", lambda t, b: t.OBV(b.close, b.volume) - b.volume[0], 0),
    ("mfi", "14", "value", lambda t, b: t.MFI(b.high, b.low, b.close, b.volume, 14), 0),
    ("rolling", "14, 1", "mean", lambda t, b: t.SMA(b.close, 14), 0),
    ("variance", "14, 0", "value", lambda t, b: t.VAR(b.close, 14), 0),
    ("std", "14, 0", "value", lambda t, b: t.STDDEV(b.close, 14), 0),
    ("highest", "14", "value", lambda t, b: t.MAX(b.close, 14), 0),
    ("lowest", "14", "value", lambda t, b: t.MIN(b.close, 14), 0),
    ("correlation", "14", "value", lambda t, b: t.CORREL(b.close, b.open, 14), 0),
    ("linreg", "14", "value", lambda t, b: t.LINEARREG(b.close, 14), 0),
    ("linreg", "14", "slope", lambda t, b: t.LINEARREG_SLOPE(b.close, 14), 0),
    ("linreg", "14", "intercept", lambda t, b: t.LINEARREG_INTERCEPT(b.close, 14), 0),
]
ROUNDS = {"variance", "std", "bollinger", "correlation"}  # TA-Lib subtracts running sums of squares there
EXPECTED: list[tuple[str, str, str, Callable[[dict[str, Values], Bars], Values], int]] = [
    ("adx", "14", "value", lambda e, b: e["adx"], 0),
    ("adx", "14", "plus_di", lambda e, b: e["pdi"], 27),
    ("adx", "14", "minus_di", lambda e, b: e["mdi"], 27),
    ("adx", "14", "dx", lambda e, b: e["dx"], 27),
    ("atr", "14", "value", lambda e, b: e["atr"], 350),
    ("bollinger", "20, 2.0", "middle", lambda e, b: e["sma"], 0),
    ("bollinger", "20, 2.0", "upper", lambda e, b: e["upperBand"], 0),
    ("bollinger", "20, 2.0", "lower", lambda e, b: e["lowerBand"], 0),
    ("bollinger", "20, 2.0", "percent_b", lambda e, b: e["percentB"], 0),
    ("bollinger", "20, 2.0", "width", lambda e, b: e["width"], 0),
    ("cci", "20", "value", lambda e, b: e["cci"], 0),
    ("dema", "14", "value", lambda e, b: e["dema"], 200),
    ("donchian", "20", "prior_upper", lambda e, b: e["upperBand"] * b.per_unit, 0),
    ("donchian", "20", "prior_lower", lambda e, b: e["lowerBand"] * b.per_unit, 0),
    ("ema", "20", "value", lambda e, b: e["ema"], 0),
    ("hma", "14", "value", lambda e, b: e["hma"], 0),
    ("macd", "12, 26, 9", "value", lambda e, b: e["macd"], 33),
    ("macd", "12, 26, 9", "signal", lambda e, b: e["signal"], 0),
    ("macd", "12, 26, 9", "histogram", lambda e, b: e["histogram"], 0),
    ("obv", "", "value", lambda e, b: e["obv"], 0),
    ("psar", "0.02, 0.2", "value", lambda e, b: at_most_the_low(e["sar"], b), 40),
    ("roc", "14", "value", lambda e, b: e["roc"] / 100.0, 0),
    ("momentum", "14", "value", lambda e, b: e["momentum"], 0),
    ("rsi", "14", "value", lambda e, b: e["rsi"], 0),
    ("sma", "20", "value", lambda e, b: e["sma"] * b.per_unit, 0),
    ("std", "14, 0", "value", lambda e, b: e["stdDev"], 0),
    ("std", "14, 0", "mean", lambda e, b: e["mean"], 0),
    ("zscore", "14, 0", "value", lambda e, b: e["zScore"], 0),
    ("stochastic", "14, 3, 3", "value", lambda e, b: e["k"], 17),
    ("stochastic", "14, 3, 3", "d", lambda e, b: e["d"], 0),
    ("tema", "20", "value", lambda e, b: e["tema"], 350),
    ("anchored_vwap", "", "value", lambda e, b: e["vwap"], 0),
    ("wma", "14", "value", lambda e, b: e["wma"], 0),
]
FILES = {"bollinger": "bb", "std": "stdev", "zscore": "stdev", "stochastic": "stoch", "momentum": "roc",
         "anchored_vwap": "vwap"}  # fmt: skip
SERIES: dict[str, Callable[[], Bars]] = {"walk": lambda: walk(ROWS), "days": quotes, "minutes": lambda: bitcoin(ROWS)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("indicators")


def output(bars: Bars, folder: Path, name: str, arguments: str, field: str) -> Values:
    """Return one output of an indicator made with these arguments."""
    numbers = [float(one) if "." in one else int(one) for one in arguments.split(",") if one]
    values = dict(zip(NAMES.get(name, "n"), numbers, strict=True))
    return run_once(bars, folder, tuple(values.items())).outputs[name][field]


@cache
def run_once(bars: Bars, folder: Path, values: tuple[tuple[str, Any], ...]) -> Result:
    return run(bars, folder, dict(values))


@pytest.mark.parametrize("series", SERIES)
def test_talib(folder: Path, series: str) -> None:
    talib = pytest.importorskip("talib")
    bars = SERIES[series]()
    faults = []
    for name, arguments, field, theirs, start in TALIB:
        wanted = np.asarray(theirs(talib, bars))
        got = output(bars, folder, name, arguments, field)
        what = f"{name}.{field} of {series}"
        got, wanted = (without_ties(one, bars) if name == "mfi" else one for one in (got, wanted))
        scale = float(np.nanmax(np.abs(wanted))) if name in ROUNDS else price_noise(name, bars)
        start = start or int(np.argmax(~np.isnan(got)))
        try:
            assert_close(got, wanted, what, start=start, scale=scale)
        except AssertionError as fault:
            faults.append(str(fault))
    assert not faults, "\n".join(faults)


def without_ties(values: Values, bars: Bars) -> Values:
    """Return NaN where a mean price of the window was that of the bar before, but for the rounding of each side."""
    still = np.flatnonzero(np.diff(bars.ticks["high"] + bars.ticks["low"] + bars.ticks["close"]) == 0) + 1
    kept = values.copy()
    for at in still:
        kept[at : at + 14] = np.nan
    return kept


def at_most_the_low(stops: Values, bars: Bars) -> Values:
    """Return the stops, where they turn upwards within a bar limited by that bar as Wilder asks (one of the 502)."""
    return np.where((bars.low < stops) & (stops < bars.high), bars.low, stops)


def price_noise(name: str, bars: Bars) -> float:
    """Return what a difference of prices is compared to: 1e-12 of a price is noise."""
    return 1e-3 * float(bars.close.max()) if name in ("macd", "trix", "linreg", "cci") else 1e-3


def test_expected_values_of_real_days(folder: Path) -> None:
    bars = quotes()
    faults = []
    for name, arguments, field, theirs, start in EXPECTED:
        wanted = theirs(expectation(FILES.get(name, name)), bars)
        got = output(bars, folder, name, arguments, field)
        start = start or int(np.argmax(~np.isnan(wanted)))
        try:
            assert_close(got, wanted, f"{name}.{field}", start=start, scale=1e-3)
        except AssertionError as fault:
            faults.append(str(fault))
    assert not faults, "\n".join(faults)
