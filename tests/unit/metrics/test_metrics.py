"""Every metric against a figure that is worked out here, and runs on which nothing can be said."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest

from tests.unit.metrics.made import BENCHMARK, RETURNS, TRIPS, empty_sample, made_sample
from tradectl.metrics.conventions import PROFILES
from tradectl.metrics.ratios import expected_best
from tradectl.metrics.registry import FAMILIES, METRICS, compute_sample
from tradectl.metrics.sample import NO_TRIPS
from tradectl.metrics.trials import Trials

YEAR = 365.0
# RETURNS 0.5, −0.5, 1, 0, −0.25: mean 0.15; deviations 0.35, −0.65, 0.85, −0.15, −0.4;
# their squares sum to 1.45, cubes to 0.315, fourth powers to 0.741625
SD = math.sqrt(1.45 / 4)
SKEW = (0.315 / 5) / (1.45 / 5) ** 1.5
KURTOSIS = (0.741625 / 5) / (1.45 / 5) ** 2
SHARPE_DAY = 0.15 / SD
SPREAD = 1 - SKEW * SHARPE_DAY + (KURTOSIS - 1) / 4 * SHARPE_DAY**2
Z95 = 1.6448536269514722
TRIALS = Trials(100, 0.002)
BEST = 0.1132  # the example of Bailey and López de Prado, 2014: 100 trials, variance ½ a year of 250 days
LOST = (-0.5, -0.25, -0.5, 0.0, -0.25)


def normal(x: float) -> float:
    return (1 + math.erf(x / math.sqrt(2))) / 2


CASES: list[tuple[str, dict[str, Any], float | None]] = [
    ("total_return", {}, 0.125),
    ("cagr", {}, 1.125**73 - 1),
    ("max_drawdown", {}, 0.625),
    ("volatility", {}, SD * math.sqrt(YEAR)),
    ("sharpe", {}, SHARPE_DAY * math.sqrt(YEAR)),
    ("win_rate", {}, 3 / 6),
    ("profit_factor", {}, 110 / 50),
    ("exposure", {}, 0.25),
    ("turnover", {}, 10.0),
    ("fees", {}, 25.0),
    ("sharpe_error", {}, math.sqrt(SPREAD / 4 * YEAR)),
    ("probabilistic_sharpe", {}, normal(SHARPE_DAY * 2 / math.sqrt(SPREAD))),
    ("deflated_sharpe", {"trials": Trials(1)}, normal(SHARPE_DAY * 2 / math.sqrt(SPREAD))),
    ("deflated_sharpe", {}, None),
    ("expected_best_sharpe", {"trials": Trials(1)}, 0.0),
    ("expected_best_sharpe", {}, None),
    ("trials", {"trials": Trials(7)}, 7.0),
    ("trials", {}, None),
    ("min_track_record", {}, 1 + SPREAD * (Z95 / SHARPE_DAY) ** 2),
    ("min_track_record", {"returns": LOST}, None),
    # below 0: −0.5 and −0.25, squares 0.3125, a fifth of it 0.0625
    ("downside_deviation", {}, 0.25 * math.sqrt(YEAR)),
    ("sortino", {}, 0.15 / 0.25 * math.sqrt(YEAR)),
    ("sortino", {"returns": (0.1, 0.2)}, None),
    ("calmar", {}, (1.125**73 - 1) / 0.625),
    ("calmar", {"max_drawdown": 0.0}, None),
    ("omega", {}, 1.5 / 0.75),
    ("omega", {"returns": (0.1, 0.2)}, None),
    ("gain_to_pain", {}, 0.75 / 0.75),
    ("recovery_factor", {}, 0.125 / 0.625),
    ("ulcer_performance", {}, (1.125**73 - 1) / 0.25),
    ("pain_ratio", {}, (1.125**73 - 1) / 0.15),
    ("mean_day", {}, 0.15),
    ("median_day", {}, 0.0),
    ("geometric_day", {}, 1.125**0.2 - 1),
    ("mean_up_day", {}, 0.75),
    ("mean_down_day", {}, -0.375),
    ("best_day", {}, 1.0),
    ("worst_day", {}, -0.5),
    # 30 and 31 December: 1.5 × 0.5; 1 to 3 January: 2 × 1 × 0.75
    ("best_month", {}, 0.5),
    ("worst_month", {}, -0.25),
    ("best_year", {}, 0.5),
    ("worst_year", {}, -0.25),
    ("positive_days", {}, 0.4),
    ("positive_months", {}, 0.5),
    ("up_streak_days", {"returns": (0.1, 0.1, -0.1, 0.1, 0.2, 0.1)}, 3.0),
    ("down_streak_days", {"returns": (-0.1, -0.1, 0.0, -0.1)}, 2.0),
    # −0.65 × 0.35 + 0.85 × −0.65 + −0.15 × 0.85 + −0.4 × −0.15
    ("autocorrelation", {}, -0.8475 / 1.45),
    ("autocorrelation", {"returns": (0.1, 0.1)}, None),
    # log equity in units of ln 2: 1, 1, 2; about the mean −1, −1, 2 thirds; slope ½ of total 1
    ("stability", {"returns": (1.0, 0.0, 1.0)}, 0.75),
    ("stability", {"returns": (1.0, 1.0, 1.0)}, 1.0),
    ("stability", {"returns": (0.0, 0.0, 0.0)}, None),
    # sorted −0.5, −0.25, 0, 0.5, 1: the 5 % quantile lies a fifth of a step up, at −0.45, the 95 % one at 0.9
    ("value_at_risk", {}, 0.45),
    ("cvar", {}, 0.5),
    ("tail_ratio", {}, 2.0),
    ("tail_ratio", {"returns": (0.0, 0.0)}, None),
    ("normal_value_at_risk", {}, Z95 * SD - 0.15),
    (
        "cornish_fisher_value_at_risk",
        {},
        -0.15
        + SD
        * (
            Z95
            - (Z95**2 - 1) * SKEW / 6
            + (Z95**3 - 3 * Z95) * (KURTOSIS - 3) / 24
            - (2 * Z95**3 - 5 * Z95) * SKEW**2 / 36
        ),
    ),
    ("skew", {}, SKEW),
    ("kurtosis", {}, KURTOSIS),
    # equity 1, 1.5, 0.75, 1.5, 1.5, 1.125: ½ deep over two days, back after one; ¼ deep for one day, not back
    ("daily_drawdown", {}, 0.5),
    ("mean_drawdown", {}, 0.375),
    ("mean_drawdown", {"returns": (0.1, 0.1)}, None),
    ("current_drawdown", {}, 0.25),
    ("drawdown_count", {}, 2.0),
    ("longest_drawdown", {}, 2.0),
    ("longest_drawdown", {"returns": (0.1, 0.1)}, 0.0),
    ("mean_drawdown_days", {}, 1.5),
    ("longest_recovery", {}, 1.0),
    ("longest_recovery", {"returns": LOST}, None),
    ("mean_recovery", {}, 1.0),
    ("time_under_water", {}, 0.4),
    ("ulcer_index", {}, math.sqrt((0.25 + 0.0625) / 5)),
    ("pain_index", {}, 0.75 / 5),
    ("trades", {}, 6.0),
    ("expectancy", {}, 10.0),
    ("expectancy_ratio", {}, 10 / 25),
    ("mean_trade_return", {}, 0.01),
    ("median_trade", {}, 10.0),
    ("mean_win", {}, 110 / 3),
    ("mean_loss", {}, -25.0),
    ("best_trade", {}, 60.0),
    ("worst_trade", {}, -40.0),
    ("payoff", {}, 110 / 75),
    ("kelly", {}, 0.5 - 0.5 * 75 / 110),
    # about the mean 20, −20, −50, −10, 10, 50: squares 6000, a fifth 1200
    ("sqn", {}, math.sqrt(6) * 10 / math.sqrt(1200)),
    ("win_streak", {}, 2.0),
    ("loss_streak", {}, 2.0),
    ("mean_duration", {}, 4.0),
    ("median_duration", {}, 3.5),
    ("longest_duration", {}, 9.0),
    ("mean_win_duration", {}, 5.0),
    ("mean_loss_duration", {}, 2.5),
    ("trades_per_day", {}, 6 / 5),
    ("trades_per_day", {"last_ts": 10**9}, None),
    ("long_share", {}, 4 / 6),
    ("long_win_rate", {}, 3 / 4),
    ("short_win_rate", {}, 0.0),
    ("fills_per_trade", {}, 15 / 6),
    ("mean_mae", {}, 0.02),
    ("worst_mae", {}, 0.05),
    ("mean_mfe", {}, 0.03),
    ("edge_ratio", {}, 1.5),
    ("mfe_kept", {}, 0.06 / 0.18),
    ("fee_rate", {}, 25 / 10_000),
    ("fee_share", {}, 25 / 150),
    ("funding", {"funding": 3.5}, 3.5),
    ("costs", {"funding": 3.5}, 28.5),
    # BENCHMARK 0.25, −0.25, 0.5, 0, −0.5: mean 0, squares 0.625; with the deviations of the returns 0.875
    ("benchmark_return", {}, 1.25 * 0.75 * 1.5 * 0.5 - 1),
    ("benchmark_growth", {}, (1.25 * 0.75 * 1.5 * 0.5) ** 73 - 1),
    ("excess_return", {}, 0.125 + 0.296875),
    ("beta", {}, 1.4),
    ("beta", {"benchmark": (0.1,) * 5}, None),
    ("alpha", {}, 0.15 * YEAR),
    ("correlation", {}, 0.875 / math.sqrt(1.45 * 0.625)),
    ("r_squared", {}, 0.875**2 / (1.45 * 0.625)),
    # r − b: 0.25, −0.25, 0.5, 0, 0.25, mean 0.15, squares about it 0.325
    ("tracking_error", {}, math.sqrt(0.325 / 4 * YEAR)),
    ("information_ratio", {}, 0.15 / math.sqrt(0.325 / 4) * math.sqrt(YEAR)),
    ("information_ratio", {"benchmark": RETURNS}, None),
    ("treynor", {}, 0.15 * YEAR / 1.4),
    ("up_capture", {}, 0.75 / 0.375),
    ("down_capture", {}, 1.0),
    ("capture_ratio", {}, 2.0),
    ("batting_average", {}, 0.6),
]


@pytest.mark.parametrize(("name", "changes", "expected"), CASES)
def test_by_hand(name: str, changes: dict[str, Any], expected: float | None) -> None:
    found = METRICS[name].function(made_sample(**changes))
    assert math.isnan(found) if expected is None else found == pytest.approx(expected, rel=1e-12, abs=1e-15)


def test_the_published_example_of_the_deflated_ratio() -> None:
    assert expected_best(made_sample(trials=TRIALS)) == pytest.approx(BEST, abs=5e-5)
    # 1250 days, Sharpe ratio 2.5 a year of 250, skewness −3, kurtosis 10: 0.9004
    rate, threshold = 2.5 / math.sqrt(250), expected_best(made_sample(trials=TRIALS))
    spread = 1 + 3 * rate + (10 - 1) / 4 * rate**2
    assert normal((rate - threshold) * math.sqrt(1249 / spread)) == pytest.approx(0.9004, abs=5e-4)
    mine = METRICS["deflated_sharpe"].function(made_sample(trials=TRIALS))
    assert mine == pytest.approx(normal((SHARPE_DAY - threshold) * 2 / math.sqrt(SPREAD)), rel=1e-12)
    annual = METRICS["expected_best_sharpe"].function(made_sample(trials=TRIALS))
    assert annual == pytest.approx(threshold * math.sqrt(YEAR), rel=1e-12)


def test_every_metric_has_a_case_and_says_what_it_is() -> None:
    assert set(METRICS) == {case[0] for case in CASES}
    assert sum(map(len, FAMILIES.values())) == len(METRICS) >= 45
    for name, metric in METRICS.items():
        assert metric.formula, name
        assert metric.label
        assert metric.unit in ("fraction", "ratio", "money", "days", "hours", "count"), name


def test_a_risk_free_rate() -> None:
    conventions = replace(PROFILES["tradectl"], risk_free=0.1)
    free = 1.1 ** (1 / YEAR) - 1
    sample = made_sample(conventions=conventions)
    found = compute_sample(sample)
    assert found["sharpe"] == pytest.approx((0.15 - free) / SD * math.sqrt(YEAR), rel=1e-12)
    assert found["sortino"] == pytest.approx((0.15 - free) / 0.25 * math.sqrt(YEAR), rel=1e-12)
    assert found["alpha"] == pytest.approx((0.15 - free + 1.4 * free) * YEAR, rel=1e-12)
    rate = (0.15 - free) / SD
    spread = 1 - SKEW * rate + (KURTOSIS - 1) / 4 * rate**2
    assert found["probabilistic_sharpe"] == pytest.approx(normal(rate * 2 / math.sqrt(spread)), rel=1e-12)


def told(**figures: float) -> dict[str, float]:
    return figures


def known(found: dict[str, float]) -> dict[str, float]:
    return {name: value for name, value in found.items() if not math.isnan(value)}


def test_an_empty_run() -> None:
    found = known(compute_sample(empty_sample()))
    assert found == told(
        total_return=0.0, max_drawdown=0.0, turnover=0.0, fees=0.0, up_streak_days=0.0, down_streak_days=0.0,
        trades=0.0, win_streak=0.0, loss_streak=0.0, funding=0.0, costs=0.0,
    )  # fmt: skip


def test_a_flat_run_without_trades() -> None:
    flat = made_sample((0.0,) * 30, (0.0,) * 30, NO_TRIPS, max_drawdown=0.0, fees_atoms=0, held_ns=0)
    found = known(compute_sample(flat))
    assert not any(value for name, value in found.items() if name != "turnover")
    undefined = {
        "sharpe",
        "sortino",
        "calmar",
        "omega",
        "beta",
        "alpha",
        "information_ratio",
        "skew",
        "stability",
    }
    assert not undefined & set(found)


@pytest.mark.parametrize("move", [0.01, -0.01])
def test_returns_that_do_not_differ_have_no_sharpe_ratio(move: float) -> None:
    """0.01 is no binary number: the deviation of equal returns is rounding, and must not be divided by."""
    found = compute_sample(made_sample((move,) * 23, (move,) * 23))
    assert found["volatility"] == 0.0
    for name in (
        "sharpe",
        "sharpe_error",
        "probabilistic_sharpe",
        "skew",
        "beta",
        "correlation",
        "information_ratio",
    ):
        assert math.isnan(found[name]), name


def test_a_single_day() -> None:
    found = known(compute_sample(made_sample((0.25,), (0.5,), NO_TRIPS, max_drawdown=0.0)))
    assert (found["total_return"], found["mean_day"], found["geometric_day"]) == (
        0.25,
        0.25,
        pytest.approx(0.25),
    )
    assert not {"sharpe", "volatility", "value_at_risk", "ulcer_performance", "benchmark_growth"} & set(found)
    assert found["benchmark_return"] == 0.5


def test_a_single_trade() -> None:
    found = compute_sample(made_sample(trips=TRIPS.head(1)))
    assert (found["trades"], found["expectancy"], found["win_rate"]) == (1.0, 30.0, 1.0)
    for name in (
        "profit_factor",
        "payoff",
        "kelly",
        "sqn",
        "mean_loss",
        "short_win_rate",
        "expectancy_ratio",
    ):
        assert math.isnan(found[name]), name


def test_losses_only() -> None:
    lost = TRIPS.filter(pl.col("result") < 0)
    found = compute_sample(made_sample(LOST, BENCHMARK, lost))
    assert (found["win_rate"], found["profit_factor"], found["loss_streak"]) == (0.0, 0.0, 2.0)
    assert (found["omega"], found["gain_to_pain"]) == (0.0, -1.0)
    assert found["probabilistic_sharpe"] < 0.5
    for name in ("payoff", "kelly", "mean_win", "min_track_record", "mean_recovery"):
        assert math.isnan(found[name]), name


@pytest.mark.parametrize(
    "returns", [(0.1, -1.0, 0.0), (0.1, -1.5, 0.2), (0.1, math.inf, 0.2), (0.1, math.nan, 0.2)]
)
@pytest.mark.parametrize("profile", list(PROFILES))
def test_equity_that_was_lost(returns: tuple[float, ...], profile: str) -> None:
    with np.errstate(all="raise"):
        found = compute_sample(made_sample(returns, (0.1, 0.0, -0.1), final_atoms=0, profile=profile))
    if profile == "tradectl":
        for name in ("volatility", "sharpe", "sortino", "omega", "cvar", "skew", "beta", "cagr"):
            assert math.isnan(found[name]), name


@pytest.mark.parametrize("profile", list(PROFILES))
def test_every_profile_says_something_of_every_run(profile: str) -> None:
    for sample in (empty_sample(profile=profile), made_sample((0.1,), None, NO_TRIPS, profile)):
        assert set(compute_sample(sample)) == set(METRICS)
