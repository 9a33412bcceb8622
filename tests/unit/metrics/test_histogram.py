"""Quantiles of durations are those of the sorted list, to a thirty-second."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradectl.metrics.histogram import Durations


@given(st.lists(st.integers(0, 2**62), min_size=1, max_size=200), st.sampled_from([0.01, 0.5, 0.9, 0.99, 1.0]))
def test_quantiles(values: list[int], share: float) -> None:
    counted = Durations()
    for value in values:
        counted.add(value)
    exact = sorted(values)[max(math.ceil(share * len(values)) - 1, 0)]
    found = counted.quantile(share)
    assert exact <= found * (1 + 1e-9)
    assert found <= exact * (1 + 1 / 32) + 1e-9 or found == max(values)


def test_none_and_less_than_none() -> None:
    empty = Durations()
    assert math.isnan(empty.quantile(0.5))
    empty.add(-5)
    assert (empty.quantile(1.0), empty.n) == (0, 1)


def test_told_in_microseconds() -> None:
    counted = Durations()
    for value in (1_000, 2_000, 3_000, 1_000_000):
        counted.add(value)
    told = counted.to_dict()
    assert told["count"] == 4
    assert told["p50_us"] == pytest.approx(2.0, rel=1 / 32)
    assert told["max_us"] == 1_000.0


@given(st.lists(st.integers(-5, 2**53 - 1), max_size=200))
def test_many_at_once_and_kept_are_as_one_by_one(values: list[int]) -> None:
    single, together, again = Durations(), Durations(), Durations()
    for value in values:
        single.add(value)
    together.add_many(np.array(values, np.int64))
    for half in (values[::2], values[1::2]):
        part = Durations()
        part.add_many(np.array(half, np.int64))
        again.take_up(json.loads(json.dumps(part.kept())))
    assert vars(single) == vars(together) == vars(again)
