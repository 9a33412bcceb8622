from __future__ import annotations

import base64

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tradectl.report.series import pack, pick

MS = 1_000_000


def unpack(packed: dict) -> tuple[np.ndarray, np.ndarray]:
    t = np.frombuffer(base64.b64decode(packed["t"]), "<u4").astype(np.int64)
    y = np.frombuffer(base64.b64decode(packed["y"]), "<f4").astype(np.float64)
    return packed["t0"] + t * packed["q"], packed["y0"] + y


@pytest.mark.parametrize("n", [0, 1, 2, 1_000])
def test_short_series_are_whole(n: int) -> None:
    ts, values = np.arange(n) * 60_000 * MS, 100_000.0 + np.arange(n) * 0.01
    at, got = unpack(pack(ts, values))
    assert at.tolist() == (ts // MS).tolist()
    assert got == pytest.approx(values, abs=1e-4)


def test_long_series_keep_ends_and_extremes() -> None:
    values = np.random.default_rng(1).normal(size=500_000).cumsum()
    ts = np.arange(500_000) * 60_000 * MS
    at = pick(ts, values, 5_000)
    assert len(at) <= 5_000
    assert (at[0], at[-1]) == (0, len(ts) - 1)
    assert (np.diff(at) > 0).all()
    assert values[at].max() == values.max()
    assert values[at].min() == values.min()


def test_years_fit_in_four_bytes_a_stamp() -> None:
    ts = np.array([0, 10 * 365 * 86_400_000 * MS])
    at, _ = unpack(pack(ts, np.zeros(2)))
    assert abs(at - ts // MS).max() <= 100


def test_a_small_gain_on_a_large_account_is_not_rounded_away() -> None:
    values = 1e9 + np.linspace(0.0, 1.0, 1_000)
    _, got = unpack(pack(np.arange(1_000) * MS, values))
    assert abs(got - values).max() < 1e-6


@settings(max_examples=30, deadline=None)
@given(st.integers(3, 4_000), st.integers(100, 1_000), st.integers(0, 9))
def test_places_are_ascending_and_few(n: int, most: int, seed: int) -> None:
    values = np.random.default_rng(seed).normal(size=n)
    at = pick(np.arange(n) * MS, values, most)
    assert len(at) <= max(most, 3)
    assert (np.diff(at) > 0).all()
