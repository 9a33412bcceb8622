"""Durations, bar lengths and moments: text ↔ nanoseconds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradectl.config.units import (
    BarLength,
    Duration,
    Moment,
    Timeframe,
    format_ns,
    parse_duration_ns,
    parse_moment_ns,
    parse_timeframe_ns,
)

S = 1_000_000_000


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("0", 0), ("0s", 0), ("1ns", 1), ("5us", 5_000), ("100ms", S // 10), ("5s", 5 * S), ("5 s", 5 * S),
        ("1.5h", 5400 * S), ("2m", 120 * S), ("1d", 86_400 * S), ("1w", 604_800 * S), ("0.001us", 1),
    ],
)  # fmt: skip
def test_duration(text: str, ns: int) -> None:
    assert parse_duration_ns(text) == ns
    assert Duration(text).ns == ns


@pytest.mark.parametrize(
    "text", ["", "5", "s", "-5s", "5x", "1e3s", "0.0001ns", "300y", "1M", "5 5s", "9" * 40 + "s"]
)
def test_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match=r"expected|fixed length"):
        parse_duration_ns(text)


@pytest.mark.parametrize(
    ("text", "ns", "canonical"),
    [
        ("1m", 60 * S, "1m"), ("60m", 3600 * S, "1h"), ("24h", 86_400 * S, "1d"), ("1w", 604_800 * S, "7d"),
        ("500ms", S // 2, "500ms"), ("90s", 90 * S, "90s"), ("0.5h", 1800 * S, "30m"),
    ],
)  # fmt: skip
def test_timeframe(text: str, ns: int, canonical: str) -> None:
    made = Timeframe(text)
    assert (made, made.ns) == (canonical, ns)
    assert Timeframe(made).ns == parse_timeframe_ns(text) == ns


@pytest.mark.parametrize("text", ["0m", "7m", "5h", "36h", "1M", "1min", "", "m", "60"])
def test_no_timeframe(text: str) -> None:
    with pytest.raises(ValueError, match=r"expected|fixed length"):
        Timeframe(text)


@pytest.mark.parametrize(
    ("text", "ns", "canonical"),
    [
        ("1970-01-01", 0, "1970-01-01T00:00:00Z"),
        ("2017-01-01", 1_483_228_800 * S, "2017-01-01T00:00:00Z"),
        ("2017-01-01 12:30", 1_483_273_800 * S, "2017-01-01T12:30:00Z"),
        ("2017-01-01T00:00:00.123456789Z", 1_483_228_800 * S + 123_456_789, "2017-01-01T00:00:00.123456789Z"),
        ("2017-01-01T00:00:00+02:00", 1_483_221_600 * S, "2016-12-31T22:00:00Z"),
        ("2017-01-01T00:00:00 -0530", 1_483_248_600 * S, "2017-01-01T05:30:00Z"),
        ("2017-07-03 09:30 America/New_York", 1_499_088_600 * S, "2017-07-03T13:30:00Z"),
        ("1969-12-31T23:59:59.5Z", -S // 2, "1969-12-31T23:59:59.5Z"),
    ],
)
def test_moment(text: str, ns: int, canonical: str) -> None:
    made = Moment(text)
    assert (made.ns, made) == (ns, canonical)
    assert Moment(made).ns == ns


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2017",
        "2017-13-01",
        "2017-02-29",
        "2017-01-01T25:00",
        "01.02.2017",
        "2017-01-01 Mars/Base",
        "9999-01-01",
    ],
)
def test_no_moment(text: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        parse_moment_ns(text)


@given(st.integers(0, 2**62))
def test_format_is_the_inverse_of_parse(ns: int) -> None:
    assert parse_duration_ns(format_ns(ns)) == ns


@given(st.integers(-(2**62), 2**62))
def test_moment_keeps_every_nanosecond(ns: int) -> None:
    seconds, rest = divmod(ns, S)
    stamp = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    assert Moment(f"{stamp:%Y-%m-%dT%H:%M:%S}.{rest:09d}Z").ns == ns


@pytest.mark.parametrize("text", ["-1volume", "0tick", "0.5tick", "tick", "1e3notional", "volume10"])
def test_no_bar_of_a_size(text: str) -> None:
    with pytest.raises(ValueError, match=r"expected a bar of more than nothing.*500tick, 2.5volume, 1000000notional"):
        BarLength(text)
