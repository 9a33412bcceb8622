"""The other indicators from their formulas, on whole arrays, each value from its own window or by a plain recursion.

Inputs are float arrays of one length; an output is NaN where it is not defined yet. Nothing here is fast.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float64]
Outputs = dict[str, Values]
__all__ = ["ORACLE", "Values"]


def over(n: int, fn: Callable[..., Any], *series: Values) -> Values:
    """Return fn(window, ...) of the last n values of each series; NaN where one of them is NaN or missing."""
    made = np.full(len(series[0]), np.nan)
    for t in range(n - 1, len(made)):
        windows = [one[t - n + 1 : t + 1] for one in series]
        if not any(np.isnan(one).any() for one in windows):
            made[t] = fn(*windows)
    return made


def recursive(x: Values, n: int, alpha: float) -> Values:
    """Return alpha * x + (1 - alpha) * last from the mean of the first n values that are there."""
    made = np.full(len(x), np.nan)
    start = int(np.argmax(~np.isnan(x))) + n - 1
    if start < len(x):
        made[start] = x[start - n + 1 : start + 1].mean()
        for t in range(start + 1, len(x)):
            made[t] = alpha * x[t] + (1.0 - alpha) * made[t - 1]
    return made


def ema(x: Values, n: int) -> Values:
    return recursive(x, n, 2.0 / (n + 1))


def rma(x: Values, n: int) -> Values:
    return recursive(x, n, 1.0 / n)


def shifted(x: Values, k: int) -> Values:
    return np.concatenate([np.full(k, np.nan), x[: len(x) - k]])


def wma(x: Values, n: int) -> Values:
    weights = np.arange(1, n + 1)
    return over(n, lambda w: (w * weights).sum() / weights.sum(), x)


def hma(x: Values, n: int) -> Values:
    return wma(2 * wma(x, max(n // 2, 1)) - wma(x, n), int(np.sqrt(n)))


def kama(x: Values, n: int, fast: int, slow: int) -> Values:
    made = np.full(len(x), np.nan)
    for t in range(n, len(x)):
        way = np.abs(np.diff(x[t - n : t + 1])).sum()
        efficiency = abs(x[t] - x[t - n]) / way if way > 0 else 1.0
        c = efficiency * (2 / (fast + 1) - 2 / (slow + 1)) + 2 / (slow + 1)
        last = x[t - 1] if t == n else made[t - 1]
        made[t] = last + c**2 * (x[t] - last)
    return made


def rsi(x: Values, n: int) -> Values:
    change = np.diff(x, prepend=np.nan)
    up, down = rma(np.where(np.isnan(change), np.nan, np.maximum(change, 0)), n), rma(
        np.where(np.isnan(change), np.nan, np.maximum(-change, 0)), n
    )
    with np.errstate(invalid="ignore"):
        return np.where(np.isnan(up), np.nan, np.where(up + down > 0, 100 * up / (up + down), 50.0))


def ranges(high: Values, low: Values, close: Values) -> Values:
    before = shifted(close, 1)
    return np.fmax(high, before) - np.fmin(low, before)


def atr(high: Values, low: Values, close: Values, n: int) -> Values:
    return rma(ranges(high, low, close), n)


def place(high: Values, low: Values, close: Values, n: int) -> Values:
    """Return where closes are between lowest low (0) and highest high (100)."""
    return over(n, _place, high, low, close)


def _place(high: Values, low: Values, close: Values) -> float:
    top, bottom = high.max(), low.min()
    return float(100 * (close[-1] - bottom) / (top - bottom)) if top > bottom else 50.0


def stochastic(high: Values, low: Values, close: Values, n: int, k: int, d: int) -> Outputs:
    value = over(k, np.mean, place(high, low, close, n))
    average = over(d, np.mean, value)
    return {"value": np.where(np.isnan(average), np.nan, value), "d": average}


def macd(x: Values, fast: int, slow: int, n: int) -> Outputs:
    value = ema(x, fast) - ema(x, slow)
    signal = ema(value, n)
    return {"value": np.where(np.isnan(signal), np.nan, value), "signal": signal, "histogram": value - signal}


def trix(x: Values, n: int) -> Values:
    third = ema(ema(ema(x, n), n), n)
    return 100 * (third / shifted(third, 1) - 1)


def adx(high: Values, low: Values, close: Values, n: int) -> Outputs:
    up, down = high - shifted(high, 1), shifted(low, 1) - low
    plus = np.where((up > down) & (up > 0), up, 0.0)
    minus = np.where((down > up) & (down > 0), down, 0.0)
    plus[0] = minus[0] = np.nan
    reach = ranges(high, low, close)
    reach[0] = np.nan
    smooth_plus, smooth_minus, smooth_reach = rma(plus, n), rma(minus, n), rma(reach, n)
    both = smooth_plus + smooth_minus
    with np.errstate(invalid="ignore", divide="ignore"):
        dx = np.where(both == 0, 0.0, 100 * np.abs(smooth_plus - smooth_minus) / both)
        di = [np.where(smooth_reach == 0, 0.0, 100 * one / smooth_reach) for one in (smooth_plus, smooth_minus)]
    value = rma(dx, n)
    late = {"plus_di": di[0], "minus_di": di[1], "dx": dx}
    return {"value": value} | {name: np.where(np.isnan(value), np.nan, one) for name, one in late.items()}


def cci(high: Values, low: Values, close: Values, n: int) -> Values:
    def one(p: Values) -> float:
        spread = np.abs(p - p.mean()).mean()
        return float((p[-1] - p.mean()) / (0.015 * spread)) if np.ptp(p) > 0 else 0.0

    return over(n, one, (high + low + close) / 3)


def aroon(high: Values, low: Values, n: int) -> Outputs:
    up = over(n + 1, lambda w: 100 * (n - int(np.argmax(w[::-1]))) / n, high)
    down = over(n + 1, lambda w: 100 * (n - int(np.argmin(w[::-1]))) / n, low)
    return {"value": up - down, "up": up, "down": down}


def supertrend(high: Values, low: Values, close: Values, n: int, factor: float) -> Outputs:
    reach = factor * atr(high, low, close, n)
    basic_upper, basic_lower = (high + low) / 2 + reach, (high + low) / 2 - reach
    upper, lower, side = basic_upper.copy(), basic_lower.copy(), np.full(len(high), np.nan)
    for t in range(n - 1, len(high)):
        if t == n - 1:
            side[t] = 1
            continue
        upper[t] = basic_upper[t] if close[t - 1] > upper[t - 1] else min(basic_upper[t], upper[t - 1])
        lower[t] = basic_lower[t] if close[t - 1] < lower[t - 1] else max(basic_lower[t], lower[t - 1])
        crossed = close[t] < lower[t] if side[t - 1] > 0 else close[t] > upper[t]
        side[t] = -side[t - 1] if crossed else side[t - 1]
    return {"value": np.where(side > 0, lower, upper), "side": side, "upper": upper, "lower": lower}


def psar(high: Values, low: Values, step: float, most: float) -> Outputs:
    value, sides = np.full(len(high), np.nan), np.full(len(high), np.nan)
    fall, rise = low[0] - low[1], high[1] - high[0]
    long = not (fall > 0 and fall > rise)
    stop, extreme, speed = (low[0], high[1], step) if long else (high[0], low[1], step)
    for t in range(1, len(high)):
        if long and low[t] <= stop:
            long, stop, extreme, speed = False, max(extreme, high[max(t - 1, 1)], high[t]), low[t], step
        elif not long and high[t] >= stop:
            long, stop, extreme, speed = True, min(extreme, low[max(t - 1, 1)], low[t]), high[t], step
        elif long and high[t] > extreme:
            extreme, speed = high[t], min(speed + step, most)
        elif not long and low[t] < extreme:
            extreme, speed = low[t], min(speed + step, most)
        value[t], sides[t] = stop, 1 if long else -1
        stop += speed * (extreme - stop)
        before = max(t - 1, 1)
        stop = min(stop, low[before], low[t]) if long else max(stop, high[before], high[t])
    return {"value": value, "side": sides}


def ichimoku(high: Values, low: Values, short: int, middle: int, long: int) -> Outputs:
    def line(n: int) -> Values:
        return over(n, lambda h, l: (h.max() + l.min()) / 2, high, low)  # noqa: E741

    made = {"conversion": line(short), "base": line(middle)}
    made["lead_a"], made["lead_b"] = (made["conversion"] + made["base"]) / 2, line(long)
    made["cloud_a"], made["cloud_b"] = shifted(made["lead_a"], middle), shifted(made["lead_b"], middle)
    late = np.isnan(made["cloud_a"]) | np.isnan(made["cloud_b"])
    return {name: np.where(late, np.nan, one) for name, one in made.items()}


def volatility(x: Values, n: int, periods: float) -> Values:
    r = np.diff(np.log(x), prepend=np.nan)
    return over(n, lambda w: np.sqrt(periods * np.mean(w**2)), r)


def bollinger(x: Values, n: int, factor: float) -> Outputs:
    middle, reach = over(n, np.mean, x), factor * spread(x, n, 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        percent = np.where(reach > 0, (x - middle + reach) / (2 * reach), np.nan)
    return {
        "middle": middle, "upper": middle + reach, "lower": middle - reach, "percent_b": percent,
        "width": 2 * reach / middle,
    }  # fmt: skip


def keltner(high: Values, low: Values, close: Values, n: int, factor: float, atr_n: int) -> Outputs:
    middle, reach = ema(close, n), factor * atr(high, low, close, atr_n)
    late = np.isnan(middle + reach)
    made = {"middle": middle, "upper": middle + reach, "lower": middle - reach}
    return {name: np.where(late, np.nan, one) for name, one in made.items()}


def obv(close: Values, volume: Values) -> Values:
    return np.cumsum(np.sign(np.diff(close, prepend=close[0])) * volume)


def vwap(price: Values, volume: Values, session: Values) -> Values:
    made = np.full(len(price), np.nan)
    for t in range(len(price)):
        start = int(np.argmax(session == session[t]))
        if volume[start : t + 1].sum() > 0:
            made[t] = np.average(price[start : t + 1], weights=volume[start : t + 1])
    return made


def mfi(price: Values, volume: Values, n: int) -> Values:
    change = np.diff(price, prepend=np.nan)
    inflow = np.where(change > 0, price * volume, np.where(np.isnan(change), np.nan, 0.0))
    outflow = np.where(change < 0, price * volume, np.where(np.isnan(change), np.nan, 0.0))
    return over(n, lambda a, b: 100 * a.sum() / (a.sum() + b.sum()) if a.sum() + b.sum() > 0 else 50.0, inflow, outflow)


def cmf(high: Values, low: Values, close: Values, volume: Values, n: int) -> Values:
    with np.errstate(invalid="ignore", divide="ignore"):
        place_in = np.where(high > low, (2 * close - low - high) / (high - low), 0.0)
    return over(n, lambda f, v: f.sum() / v.sum() if v.sum() else np.nan, place_in * volume, volume)


def line_fit(x: Values, n: int) -> Outputs:
    def fit(w: Values) -> Values:
        return np.polyfit(np.arange(n), w, 1)

    slope, intercept = over(n, lambda w: fit(w)[0], x), over(n, lambda w: fit(w)[1], x)
    r2 = over(n, lambda w: np.corrcoef(np.arange(n), w)[0, 1] ** 2 if np.ptp(w) > 0 else np.nan, x)
    return {"value": intercept + slope * (n - 1), "slope": slope, "intercept": intercept, "r2": r2}


def pair_fit(x: Values, y: Values, n: int) -> tuple[Outputs, Values]:
    """Return the line of y on x, and the correlation."""

    def still(w: Values) -> bool:
        return bool(np.ptp(w) == 0)

    slope = over(n, lambda a, b: np.nan if still(a) else np.cov(a, b)[0, 1] / np.var(a, ddof=1), x, y)
    r = over(n, lambda a, b: np.nan if still(a) or still(b) else np.corrcoef(a, b)[0, 1], x, y)
    intercept = over(n, np.mean, y) - slope * over(n, np.mean, x)
    return {"value": slope, "intercept": intercept, "residual": y - intercept - slope * x}, r


def spread(x: Values, n: int, ddof: int) -> Values:
    return over(n, lambda w: np.std(w, ddof=ddof) if np.ptp(w) > 0 else 0.0, x)


def zscore(x: Values, n: int, ddof: int) -> Values:
    with np.errstate(invalid="ignore", divide="ignore"):
        return (x - over(n, np.mean, x)) / np.where(spread(x, n, ddof) > 0, spread(x, n, ddof), np.nan)


def rank(x: Values, n: int) -> Values:
    return over(n + 1, lambda w: 100 * float((w[:-1] < w[-1]).mean()), x)


def tema(x: Values, n: int) -> Values:
    first = ema(x, n)
    second = ema(first, n)
    return 3 * first - 3 * second + ema(second, n)


def typical(b: Any) -> Values:
    return np.asarray((b.high + b.low + b.close) / 3)


# name -> what it is of bars `b` (open, high, low, close, close_ticks, volume, session) and its own arguments
ORACLE: dict[str, Callable[..., Values | Outputs]] = {
    "sma": lambda b, n: over(n, np.mean, b.close_ticks),
    "ema": lambda b, n: ema(b.close, n),
    "rma": lambda b, n: rma(b.close, n),
    "wma": lambda b, n: wma(b.close, n),
    "dema": lambda b, n: 2 * ema(b.close, n) - ema(ema(b.close, n), n),
    "tema": lambda b, n: tema(b.close, n),
    "hma": lambda b, n: hma(b.close, n),
    "kama": lambda b, n, fast=2, slow=30: kama(b.close, n, fast, slow),
    "rsi": lambda b, n: rsi(b.close, n),
    "roc": lambda b, n: b.close / shifted(b.close, n) - 1,
    "momentum": lambda b, n: b.close - shifted(b.close, n),
    "macd": lambda b, fast=12, slow=26, n=9: macd(b.close, fast, slow, n),
    "trix": lambda b, n: trix(b.close, n),
    "stochastic": lambda b, n=14, k=3, d=3: stochastic(b.high, b.low, b.close, n, k, d),
    "stoch_rsi": lambda b, n=14, m=14, k=3, d=3: stochastic(*[rsi(b.close, n)] * 3, m, k, d),
    "williams_r": lambda b, n=14: place(b.high, b.low, b.close, n) - 100,
    "cci": lambda b, n=20: cci(b.high, b.low, b.close, n),
    "adx": lambda b, n=14: adx(b.high, b.low, b.close, n),
    "aroon": lambda b, n=25: aroon(b.high, b.low, n),
    "supertrend": lambda b, n=10, factor=3.0: supertrend(b.high, b.low, b.close, n, factor),
    "psar": lambda b, step=0.02, most=0.2: psar(b.high, b.low, step, most),
    "ichimoku": lambda b, short=9, middle=26, long=52: ichimoku(b.high, b.low, short, middle, long),
    "atr": lambda b, n: atr(b.high, b.low, b.close, n),
    "volatility": lambda b, n, periods=1.0: volatility(b.close, n, periods),
    "bollinger": lambda b, n=20, factor=2.0: bollinger(b.close, n, factor),
    "keltner": lambda b, n=20, factor=2.0, atr_n=10: keltner(b.high, b.low, b.close, n, factor, atr_n),
    "obv": lambda b: obv(b.close, b.volume),
    "vwap": lambda b: vwap(typical(b), b.volume, b.session),
    "anchored_vwap": lambda b: vwap(typical(b), b.volume, np.zeros(len(b.close))),
    "rolling_vwap": lambda b, n: over(
        n, lambda p, v: np.average(p, weights=v) if v.sum() else np.nan, typical(b), b.volume
    ),
    "mfi": lambda b, n=14: mfi(typical(b), b.volume, n),
    "cmf": lambda b, n=20: cmf(b.high, b.low, b.close, b.volume, n),
    "rolling": lambda b, n, ddof=1: over(n, np.mean, b.close),
    "variance": lambda b, n, ddof=1: spread(b.close, n, ddof) ** 2,
    "std": lambda b, n, ddof=1: spread(b.close, n, ddof),
    "zscore": lambda b, n, ddof=1: zscore(b.close, n, ddof),
    "highest": lambda b, n: over(n, np.max, b.close),
    "lowest": lambda b, n: over(n, np.min, b.close),
    "rank": lambda b, n: rank(b.close, n),
    "correlation": lambda b, n: pair_fit(b.close, b.open, n)[1],
    "beta": lambda b, n: pair_fit(b.close, b.open, n)[0],
    "linreg": lambda b, n: line_fit(b.close, n),
}
