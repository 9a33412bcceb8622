"""Break-even points: crossings of a list, bisection, fees by linearity."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradectl.metrics.breakeven import crossings, fee_factor, flat_rate, narrow


@pytest.mark.parametrize(
    ("profits", "found"),
    [
        ([], []),
        ([5.0], []),
        ([5.0, 1.0, 0.5], []),
        ([-5.0, 0.0, -1.0], []),  # a run that trades nothing gains nothing
        ([5.0, 0.0], [0]),
        ([5.0, 3.0, -1.0, -2.0], [1]),
        ([-5.0, 3.0, -1.0, 2.0], [0, 1, 2]),
    ],
)
def test_crossings(profits: list[float], found: list[int]) -> None:
    assert crossings(profits) == found


@given(st.integers(1, 10**9), st.integers(0, 10**9), st.booleans())
def test_bisection_ends_at_the_change_of_sign(span: int, at: int, gains: bool) -> None:
    last = min(at, span - 1)  # the last value with the sign of the low end
    asked = []

    def profit(value: int) -> float:
        asked.append(value)
        return 1.0 if (value <= last) == gains else -1.0

    assert narrow(0, span, gains, profit) == (last, last + 1)
    assert len(asked) <= span.bit_length()
    assert all(0 < value < span for value in asked)  # the ends are known


def test_bisection_stops_at_what_is_not_known() -> None:
    assert narrow(0, 100, True, lambda value: None if value == 25 else -1.0) == (0, 50)


@given(st.floats(-1e6, 1e6), st.floats(0.01, 1e5), st.floats(1.0, 1e9))
def test_fees_that_leave_nothing(gross: float, fees: float, notional: float) -> None:
    pnl = gross - fees
    close = pytest.approx(gross, rel=1e-6, abs=1e-6)
    assert flat_rate(pnl, fees, notional) * notional == close
    assert fee_factor(pnl, fees) * fees == close


def test_without_fills_or_fees_there_is_no_such_fee() -> None:
    assert math.isnan(flat_rate(0.0, 0.0, 0.0))
    assert math.isnan(fee_factor(10.0, 0.0))
    assert math.isnan(fee_factor(10.0, -2.0))  # rebates
    assert flat_rate(-3.0, 1.0, 1000.0) == -0.002  # needs a rebate
