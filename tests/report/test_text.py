from __future__ import annotations

import math
from typing import Any

import pytest

from tradectl.report.text import count, counted, decimal, duration, ns_of, percent, share, signed, stamp, tone


@pytest.mark.parametrize(
    ("write", "value", "text"),
    [
        (decimal, 1234.567, "1,234.57"),
        (decimal, -0.001, "0.00"),
        (decimal, -0.5, "−0.50"),
        (decimal, math.nan, "–"),
        (decimal, math.inf, "–"),
        (decimal, None, "–"),
        (count, 1e6, "1,000,000"),
        (percent, 0.12346, "12.35 %"),
        (percent, -0.000012, "−0.0012 %"),
        (percent, 0.000211, "0.0211 %"),
        (percent, 0.0005, "0.05 %"),
        (percent, 0, "0.00 %"),
        (share, 0.5, "50.0 %"),
        (signed, 3.0, "+3.00"),
        (signed, -3.0, "−3.00"),
        (signed, 0.0, "0.00"),
        (duration, 0, "0 s"),
        (duration, 0.0123, "12.3 ms"),
        (duration, 1.5, "1.5 s"),
        (duration, 3_600, "1 h"),
        (duration, 5_400, "1 h 30 min"),
        (duration, 90_000, "1 d 1 h"),
        (duration, -90, "−1 min 30 s"),
        (duration, None, "–"),
        (stamp, 0, "–"),
        (stamp, 1_704_067_260_000_000_000, "2024-01-01 00:01:00"),
    ],
)
def test_figures_are_written(write: Any, value: Any, text: str) -> None:
    assert write(value) == text


@pytest.mark.parametrize(("value", "name"), [(1.0, "gain"), (-1.0, "loss"), (0.0, ""), (None, ""), (math.nan, "")])
def test_gains_and_losses_have_a_class(value: Any, name: str) -> None:
    assert tone(value) == name


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("2024-01-01T00:01:00Z", 1_704_067_260_000_000_000),
        ("2024-01-01T23:45:00.002000001Z", 1_704_152_700_002_000_001),
        ("2026-11-22T22:45:55.828170+00:00", 1_795_387_555_828_170_000),
    ],
)
def test_times_are_read_to_the_nanosecond(text: str, ns: int) -> None:
    assert ns_of(text) == ns


def test_one_thing_is_not_several() -> None:
    assert [counted(n, "order") for n in (0, 1, 2, 1_000)] == ["0 orders", "1 order", "2 orders", "1,000 orders"]
