"""Money arithmetic, compiled and plain, against Python's integers."""

from __future__ import annotations

from fractions import Fraction
from math import ceil, floor

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numba import types

from tradectl.core import bits, money
from tradectl.core.jit import entry

MAX, MIN = money.INT64_MAX, money.INT64_MIN
i8 = types.int64


@entry(lambda: i8(i8, i8, i8))
def floor_entry(a, b, den):
    return money.muldiv_floor(a, b, den)


@entry(lambda: i8(i8, i8, i8))
def ceil_entry(a, b, den):
    return money.muldiv_ceil(a, b, den)


@entry(lambda: i8(i8, i8))
def fee_entry(notional, rate):
    return money.fee_atoms(notional, rate)


@entry(lambda: i8(i8, i8, i8, i8))
def notional_floor_entry(price, qty, num, den):
    return money.notional_floor(price, qty, num, den)


@entry(lambda: i8(i8, i8, i8, i8))
def notional_ceil_entry(price, qty, num, den):
    return money.notional_ceil(price, qty, num, den)


@entry(lambda: types.UniTuple(i8, 6)(i8, i8))
def bits_entry(a, b):
    return (
        bits.trailing_zeros(a), bits.leading_zeros(a), bits.mul_low(a, b), bits.mul_high(a, b),
        bits.mul_high_unsigned(a, b), bits.fnv_mix(a, b),
    )  # fmt: skip


def around(*exponents):
    return st.sampled_from(sorted({s * (1 << e) + d for e in exponents for s in (1, -1) for d in (-1, 0, 1)}))


WORDS = st.one_of(
    st.integers(MIN, MAX),
    st.integers(-1000, 1000),
    around(20, 31, 32, 42, 52, 61, 62),
    st.sampled_from([MIN, MAX]),
)
POSITIVE = st.one_of(
    st.integers(1, MAX),
    st.integers(1, 1000),
    st.sampled_from([1, 2, 3, 10**9, 10**12, 2**42 - 1, 2**42, MAX]),
)
CASES = settings(max_examples=1500, deadline=None)


def clamp(value):
    return max(MIN, min(MAX, value))


def both(fn, *args):
    compiled, plain = fn(*args), fn.py_func(*args)
    assert compiled == plain
    return compiled


@CASES
@given(WORDS, WORDS)
def test_words_match_their_twins(a, b):
    compiled, plain = bits_entry(a, b), bits_entry.py_func(a, b)
    assert compiled == plain
    assert compiled[2] + (compiled[3] << 64) == (a * b if compiled[2] >= 0 else a * b - (1 << 64))


@CASES
@given(WORDS, WORDS, POSITIVE)
@example(MIN, MIN, 1)
@example(MIN, MIN, MAX)
@example(MIN, MAX, MAX)
@example(MAX, MAX, MAX)
@example(MIN, 3, 3)
@example(MIN, -3, 3)
@example(MAX, 2**42 - 1, 2**42 - 1)
def test_muldiv_is_one_directed_rounding(a, b, den):
    assert both(floor_entry, a, b, den) == clamp(a * b // den)
    assert both(ceil_entry, a, b, den) == clamp(-(-a * b // den))


@CASES
@given(st.integers(1, MAX), st.integers(1, MAX), st.integers(-3, 3), st.booleans())
def test_muldiv_near_whole_quotients(quotient, den, nudge, negative):
    a, b = quotient, den
    for top, bottom in ((a, b), (b, a)):
        top += nudge
        top = clamp(-top if negative else top)
        assert both(floor_entry, top, b, bottom) == clamp(top * b // bottom)
        assert both(ceil_entry, top, b, bottom) == clamp(-(-top * b // bottom))


@CASES
@given(WORDS, st.one_of(st.integers(-(10**9), 10**9), WORDS))
@example(MIN, 10**9)
@example(MAX, -(10**9))
@example(MIN, -(10**9))
def test_fee_is_rounded_against_the_trader(notional, rate):
    assert both(fee_entry, notional, rate) == clamp(-(-notional * rate // 10**9))


@CASES
@given(WORDS, WORDS, POSITIVE, POSITIVE)
@example(10**13, 10**10, 1, 10**8)
@example(MIN, 2, 1, 2)
@example(MIN, MIN, 1, MAX)
@example(-(2**61) - 1, 4, 3, 6)
def test_notional_is_one_directed_rounding(price, qty, num, den):
    exact = Fraction(price * qty * num, den)
    assert both(notional_floor_entry, price, qty, num, den) == clamp(floor(exact))
    assert both(notional_ceil_entry, price, qty, num, den) == clamp(ceil(exact))


@CASES
@given(st.integers(MIN, MIN + 4), st.integers(1, 9), st.integers(1, 9), st.integers(-9, 9))
def test_notional_near_the_lower_limit(target, num, den, nudge):
    total = target * den // num + nudge
    price, qty = clamp(total // 4), 4
    exact = Fraction(price * qty * num, den)
    assert both(notional_floor_entry, price, qty, num, den) == clamp(floor(exact))
    assert both(notional_ceil_entry, price, qty, num, den) == clamp(ceil(exact))


@pytest.mark.parametrize("seed", range(4))
def test_many_random_products(seed):
    rng = np.random.default_rng(seed)
    for _ in range(3000):
        a, b = (int(rng.integers(MIN, MAX)) >> int(rng.integers(0, 60)) for _ in range(2))
        den = max(1, int(rng.integers(1, MAX)) >> int(rng.integers(0, 62)))
        assert floor_entry(a, b, den) == clamp(a * b // den)
        assert ceil_entry(a, b, den) == clamp(-(-a * b // den))
