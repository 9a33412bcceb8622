"""Tables and series for pages, worked out by hand and against slow versions."""

from __future__ import annotations

import math
from datetime import date

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.metrics.made import RESULTS, TRIPS, made_sample
from tradectl.errors import ConfigError
from tradectl.metrics.registry import compute_sample
from tradectl.metrics.series import GROUPS, MAX_BINS, calendar_returns, histogram, profit_by, rolling

DAILY = pl.DataFrame(
    {
        "day": pl.date_range(date(2023, 12, 30), date(2024, 1, 3), eager=True),
        "return": [0.5, -0.5, 1.0, 0.0, -0.25],
    }
)


def test_months_and_years() -> None:
    assert calendar_returns(DAILY).rows() == [(2023, 12, -0.25, 2), (2024, 1, 0.5, 3)]
    assert calendar_returns(DAILY, "year").rows() == [(2023, -0.25, 2), (2024, 0.5, 3)]
    assert calendar_returns(DAILY.head(0)).is_empty()
    with pytest.raises(ConfigError, match="neither month nor year"):
        calendar_returns(DAILY, "week")


def test_a_window_is_the_whole_run_of_its_days() -> None:
    found = rolling(DAILY, 3)
    assert found["sharpe"].to_list()[:2] == [None, None]
    for k in (3, 4, 5):
        window = compute_sample(made_sample(DAILY["return"].to_list()[k - 3 : k]))
        assert found["sharpe"][k - 1] == pytest.approx(window["sharpe"], rel=1e-12)
        assert found["volatility"][k - 1] == pytest.approx(window["volatility"], rel=1e-12)


def test_a_window_without_movement() -> None:
    """After large returns a running deviation of equal ones is rounding; it must not become a Sharpe ratio."""
    flat = pl.DataFrame({"day": pl.date_range(date(2024, 1, 1), date(2024, 1, 9), eager=True)})
    found = rolling(flat.with_columns(pl.Series("return", [0.9, -0.7, 0.3, *[0.01] * 6])), 4)
    assert found["volatility"].to_list()[6:] == [0.0] * 3
    assert all(math.isnan(value) for value in found["sharpe"].to_list()[6:])
    assert rolling(DAILY, 9)["sharpe"].null_count() == DAILY.height


def test_bins_by_hand() -> None:
    # quartiles 1 and 3, width 2 × 2 ÷ ∛5
    found = histogram(np.array([0.0, 1.0, 2.0, 3.0, 4.0, math.nan]))
    width = 4.0 / 5 ** (1 / 3)
    assert found["low"].to_list() == pytest.approx([0.0, width])
    assert found["count"].to_list() == [3, 2]


@given(st.lists(st.floats(-1e6, 1e6), max_size=60))
@settings(max_examples=80, deadline=None, derandomize=True)
def test_bins_hold_every_value(values: list[float]) -> None:
    found = histogram(np.array(values))
    assert found["count"].sum() == len(values)
    assert found.height <= MAX_BINS
    if values:
        assert found["low"][0] <= min(values) + 1e-6
        assert found["high"][-1] >= max(values) - 1e-6


@pytest.mark.parametrize("values", [[], [0.0], [0.1] * 5, [1e-300, 1e-300], [0.1, 0.1 + 1e-17], [math.inf]])
def test_bins_of_next_to_nothing(values: list[float]) -> None:
    assert histogram(np.array(values))["count"].sum() == sum(map(math.isfinite, values))


def grouped() -> pl.DataFrame:
    hours = [0, 25, 26, 0, 49, 0]  # 1970-01-01 was a Thursday
    return TRIPS.with_columns(
        symbol=pl.Series(["A", "B", "A", "A", "B", "A"]), strategy=pl.lit("s"), tag=pl.lit(3), rate=pl.lit(2.0),
        exit_type=pl.lit("MARKET"), fees=pl.lit(0.5),
        ts_open=pl.Series([hour * 3_600 * 10**9 for hour in hours]).cast(pl.Datetime("ns", "UTC")),
    )  # fmt: skip


def test_profit_by_group() -> None:
    assert profit_by(grouped(), "symbol").rows() == [
        ("A", 4, 50.0, 12.5, 0.5, 4.0),
        ("B", 2, 10.0, 5.0, 0.5, 2.0),
    ]
    assert profit_by(grouped(), "side").select("side", "result").rows() == [("LONG", 110.0), ("SHORT", -50.0)]
    assert profit_by(grouped(), "hour").select("hour", "result").rows() == [(0, 90.0), (1, 10.0), (2, -40.0)]
    assert profit_by(grouped(), "weekday").select("weekday", "trades").rows() == [(4, 3), (5, 2), (6, 1)]
    for group in GROUPS:
        assert profit_by(grouped(), group)["result"].sum() == sum(RESULTS)
        assert profit_by(grouped().head(0), group).is_empty()


def test_an_unknown_group_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match="no group 'weekdays'") as caught:
        profit_by(grouped(), "weekdays")
    assert "did you mean 'weekday'?" in caught.value.hint
