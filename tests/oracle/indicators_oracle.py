"""The indicators from their textbook formulas, on whole lists, in exact or 60-digit arithmetic."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal, getcontext
from fractions import Fraction
from itertools import pairwise

__all__ = ["atr", "donchian", "ema", "momentum", "rma", "roc", "rolling", "rsi", "sma", "std"]

getcontext().prec = 60
Values = Sequence[Decimal]
Maybe = list[Decimal | None]


def sma(x: Sequence[int], n: int) -> list[Fraction | None]:
    return [Fraction(sum(x[t - n + 1 : t + 1]), n) if t >= n - 1 else None for t in range(len(x))]


def rolling(x: Values, n: int) -> Maybe:
    return [sum(x[t - n + 1 : t + 1], Decimal(0)) / n if t >= n - 1 else None for t in range(len(x))]


def std(x: Values, n: int) -> Maybe:
    made: Maybe = []
    for t in range(len(x)):
        window = x[t - n + 1 : t + 1] if t >= n - 1 else []
        if len(window) < 2:
            made.append(None)
            continue
        mean = sum(window, Decimal(0)) / n
        made.append((sum(((v - mean) ** 2 for v in window), Decimal(0)) / (n - 1)).sqrt())
    return made


def _seeded(x: Values, n: int, step: Callable[[Decimal, Decimal], Decimal]) -> Maybe:
    """Start with the mean of the first n values, then apply `step(last, value)`."""
    made: Maybe = [None] * min(n - 1, len(x))
    if len(x) >= n:
        made.append(sum(x[:n], Decimal(0)) / n)
        for value in x[n:]:
            last = made[-1]
            assert last is not None
            made.append(step(last, value))
    return made


def ema(x: Values, n: int) -> Maybe:
    alpha = Decimal(2) / (n + 1)
    return _seeded(x, n, lambda last, value: alpha * value + (1 - alpha) * last)


def rma(x: Values, n: int) -> Maybe:
    return _seeded(x, n, lambda last, value: (last * (n - 1) + value) / n)


def rsi(x: Values, n: int) -> Maybe:
    changes = [b - a for a, b in pairwise(x)]
    ups = rma([max(c, Decimal(0)) for c in changes], n)
    downs = rma([max(-c, Decimal(0)) for c in changes], n)
    made: Maybe = [None]
    for up, down in zip(ups, downs, strict=True):
        if up is None or down is None:
            made.append(None)
        elif up == down == 0:
            made.append(Decimal(50))
        elif down == 0:
            made.append(Decimal(100))
        else:
            made.append(100 - 100 / (1 + up / down))
    return made


def atr(high: Values, low: Values, close: Values, n: int) -> Maybe:
    ranges = []
    for t in range(len(close)):
        if t == 0:
            ranges.append(high[0] - low[0])
        else:
            before = close[t - 1]
            ranges.append(max(high[t] - low[t], abs(high[t] - before), abs(low[t] - before)))
    return rma(ranges, n)


def roc(x: Values, n: int) -> Maybe:
    return [x[t] / x[t - n] - 1 if t >= n else None for t in range(len(x))]


def momentum(x: Values, n: int) -> Maybe:
    return [x[t] - x[t - n] if t >= n else None for t in range(len(x))]


def donchian(high: Sequence[int], low: Sequence[int], n: int) -> list[tuple[int, int]]:
    """Return (highest high, lowest low) of the last n bars, of all where there are fewer."""
    spans = [range(max(0, t - n + 1), t + 1) for t in range(len(high))]
    return [(max(high[i] for i in span), min(low[i] for i in span)) for span in spans]
