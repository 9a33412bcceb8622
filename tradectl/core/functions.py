"""Mathematics for strategies and queue models that gives the same bits compiled and plain, and on every machine.

Only + - * / and exact scaling by powers of two: no C library's rounding enters. Accuracy: a few units in
the last place. Arguments outside a function's domain give NaN, never an exception.
"""

from __future__ import annotations

import math

from tradectl.core.bits import split_float, two_to
from tradectl.core.jit import kernel, routine

__all__ = ["exp", "log", "power", "ratio", "sqrt"]

LN2_HIGH = 0.6931471803691238  # ln 2 with 21 low bits zero: k * LN2_HIGH is exact for |k| < 2**21
LN2_LOW = 1.9082149292705877e-10  # ln 2 - LN2_HIGH
ROOT_HALF = 0.7071067811865476
EXP_MAX = 709.782712893384  # exp of more is infinite
EXP_MIN = -745.1332191019412  # exp of less is zero
LOG_TERMS = tuple(1.0 / (2 * k + 1) for k in range(11, -1, -1))  # of atanh(f) / f in powers of f²
EXP_TERMS = tuple(1.0 / math.factorial(k) for k in range(14, -1, -1))  # of exp(r) in powers of r


@kernel
def sqrt(x: float) -> float:
    """Return the square root, NaN for x < 0."""
    return math.sqrt(x) if x >= 0.0 else math.nan


@kernel
def ratio(a: float, b: float) -> float:
    """Return a / b, NaN where b is 0."""
    return a / b if b != 0.0 else math.nan


@routine
def log(x: float) -> float:
    """Return the natural logarithm, -inf for 0, NaN for x < 0.

    x = m * 2^k with m near 1; ln m = 2 atanh(f) with f = (m - 1) / (m + 1), |f| < 0.172, by its power series.
    """
    x = float(x)
    if not x > 0.0:
        return -math.inf if x == 0.0 else math.nan
    if x == math.inf:
        return x
    m, k = split_float(x)
    if m < ROOT_HALF:
        m += m
        k -= 1
    f = (m - 1.0) / (m + 1.0)
    square = f * f
    series = 0.0
    for term in LOG_TERMS:
        series = series * square + term
    return k * LN2_HIGH + (2.0 * f * series + k * LN2_LOW)


@routine
def exp(x: float) -> float:
    """Return e to the x: infinity above 709.78, 0 below -745.13.

    x = k ln 2 + r with |r| <= 0.347; exp(r) by its power series, times 2^k.
    """
    x = float(x)
    if x != x:
        return math.nan
    if x > EXP_MAX:
        return math.inf
    if x < EXP_MIN:
        return 0.0
    k = math.floor(x / (LN2_HIGH + LN2_LOW) + 0.5)
    r = (x - k * LN2_HIGH) - k * LN2_LOW
    series = 0.0
    for term in EXP_TERMS:
        series = series * r + term
    half = k // 2  # in two steps: 2^1024 alone is no float
    return series * two_to(half) * two_to(k - half)


@routine
def power(x: float, y: float) -> float:
    """Return x to the y: by multiplication for whole |y| <= 64, else exp(y ln x); NaN for x < 0 with broken y."""
    x, y = float(x), float(y)
    if y == math.floor(y) and abs(y) <= 64.0:
        left = int(abs(y))
        made, base = 1.0, x
        while left > 0:  # at most 7 steps
            if left & 1:
                made *= base
            base *= base
            left >>= 1
        if y >= 0.0:
            return made
        return 1.0 / made if made != 0.0 else math.inf
    if x == 0.0:
        return 0.0 if y > 0.0 else math.inf
    return exp(y * log(x))
