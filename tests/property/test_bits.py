"""Bits of floats, compiled and plain; and the fold's code needs nothing of the process but the C library."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numba import types

from tradectl.core.bits import split_float, two_to
from tradectl.core.jit import DISABLE_JIT, entry

ROOT = Path(__file__).parents[2]
WARM = """
import sys
from tradectl.engine.advance import advance_bars as advance
advance.load()
print(advance.was_cached, "numba" in sys.modules)
"""


@entry(lambda: types.UniTuple(types.float64, 2)(types.float64))
def split(x):
    m, k = split_float(x)
    return m, float(k)


@entry(lambda: types.float64(types.int64))
def power_of_two(k):
    return two_to(k)


@settings(deadline=None)  # the first call compiles
@given(st.floats(allow_nan=False, allow_infinity=False).filter(bool))
@example(5e-324)
@example(2.0**-1022)
@example(-1.7976931348623157e308)
@example(1.0)
def test_a_float_is_split_exactly(x: float) -> None:
    assert split(x) == math.frexp(x)


def test_powers_of_two() -> None:
    for k in range(-1022, 1024):
        assert power_of_two(k) == two_to(k) == 2.0**k


@pytest.mark.skipif(DISABLE_JIT, reason="nothing is compiled")
def test_a_second_process_folds_without_the_compiler() -> None:
    for _ in range(2):  # the first may have to compile
        done = subprocess.run([sys.executable, "-c", WARM], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "False"]
