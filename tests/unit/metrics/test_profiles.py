"""The profiles against the packages that they are named after, on made-up returns."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.metrics.made import made_sample
from tests.unit.metrics.packages import ask_empyrical, ask_quantstats, differences
from tradectl.errors import ConfigError
from tradectl.metrics import profile_empyrical, profile_quantstats
from tradectl.metrics.conventions import OWN, PROFILES, conventions_for, marking_of
from tradectl.metrics.registry import METRICS, PROFILED, compute_sample
from tradectl.metrics.streams import DAY_NS

ASK = {"quantstats": ask_quantstats, "empyrical": ask_empyrical}
RETURN = st.one_of(st.just(0.0), st.integers(-4000, 6000).map(lambda k: k / 10_000))
quiet = settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))


def spread(values: list[float]) -> bool:
    return len(set(values)) > 1


@pytest.mark.parametrize("profile", list(ASK))
@quiet
@given(st.lists(st.tuples(RETURN, RETURN), min_size=4, max_size=80))
def test_random_returns(profile: str, rows: list[tuple[float, float]]) -> None:
    returns, benchmark = ([row[k] for row in rows] for k in (0, 1))
    if not (spread(returns) and spread(benchmark)):
        return
    mine = compute_sample(made_sample(returns, benchmark, profile=profile))
    assert differences(mine, ASK[profile](returns, benchmark)) == {}


EDGES: list[tuple[float, ...]] = [
    (0.0,), (0.25,), (-0.25,), (0.25, 0.5), (-0.25, -0.5), (0.5, -0.5), (0.0, 0.0, 0.0), (0.25, 0.25, 0.25),
    (-0.25, -0.25, -0.25, -0.25), (0.5, -1.0, 0.25), (0.5, 0.25, 0.125, 0.0), (-0.5, -0.25, -0.125, 0.0),
]  # fmt: skip


@pytest.mark.parametrize("profile", list(ASK))
@pytest.mark.parametrize("returns", EDGES)
def test_edges(profile: str, returns: tuple[float, ...]) -> None:
    mine = compute_sample(made_sample(returns, None, profile=profile))
    assert differences(mine, ASK[profile](returns)) == {}


@pytest.mark.parametrize("profile", list(ASK))
@pytest.mark.parametrize(
    "benchmark", [(0.0, 0.0, 0.0, 0.0), (0.5, 0.25, 0.5, 0.25), (-0.5, -0.25, -0.5, -0.25)]
)
def test_benchmarks_without_a_slope_or_a_side(profile: str, benchmark: tuple[float, ...]) -> None:
    returns = (0.5, -0.25, 0.125, -0.5)
    mine = compute_sample(made_sample(returns, benchmark, profile=profile))
    assert differences(mine, ASK[profile](returns, benchmark)) == {}


def test_profiles_name_known_metrics_and_are_all_compared() -> None:
    returns, benchmark = (0.5, -0.25, 0.125), (0.25, -0.5, 0.0)
    for profile, ask in ASK.items():
        assert set(PROFILED[profile]) <= set(ask(returns, benchmark)) <= set(METRICS)
    assert PROFILED["quantstats"] is profile_quantstats.METRICS
    assert PROFILED["empyrical"] is profile_empyrical.METRICS


def test_conventions_are_told() -> None:
    for profile, conventions in PROFILES.items():
        told = dict(conventions.rows())
        assert told["profile"] == profile
        assert all(told.values())
    assert dict(OWN.rows())["year"] == "365 periods"
    assert dict(conventions_for("tradectl", "last mid").rows())["open positions"] == "marked at the last mid"


@pytest.mark.parametrize(
    ("levels", "instruments", "text"),
    [
        ([], 2, "last close"),
        (["quotes", "depth"], 2, "last mid"),
        (["prints"], 1, "last trade"),
        (["prints", "orders"], 3, "last close or mid or trade"),
    ],
)
def test_what_positions_are_marked_at_is_what_the_data_hold(
    levels: list[str], instruments: int, text: str
) -> None:
    books = [{"level": level} for level in levels]
    assert marking_of({"instruments": instruments, "book": books}) == text


def test_an_unknown_profile_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match="unknown profile 'quantstat'") as caught:
        conventions_for("quantstat")
    assert "did you mean 'quantstats'?" in caught.value.hint


@pytest.mark.parametrize(("days", "expected"), [(730, 365.25 * 729 / 729), (20, 252.0)])
def test_sessions_give_their_own_year(days: int, expected: float) -> None:
    sessions: Any = np.arange(1, days + 1) * DAY_NS
    found = conventions_for("tradectl", sessions=sessions)
    assert found.periods_per_year == pytest.approx(expected)
    assert found.sampling.startswith("one return a session")
    assert conventions_for("quantstats", sessions=sessions).periods_per_year == 252.0
