"""Metrics against figures computed by hand, and the streams against slow, obvious versions."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from tradectl.core.layout import EQUITY, FILL
from tradectl.metrics.basic import METRICS, Run, compute
from tradectl.metrics.streams import DAY_NS, EquityDays, Trips

HOUR = 3_600 * 10**9


def run(**changes: Any) -> Run:
    values: dict[str, Any] = {
        "initial_atoms": 1000, "final_atoms": 1100, "max_drawdown": 0.25, "fees_atoms": 150_000_000,
        "returns": np.array([0.01, -0.02, 0.03]), "trips": np.array([10.0, -4.0, 0.0, 6.0]),
        "notional_atoms": 5000.0, "mean_equity_atoms": 1000.0, "held_ns": 25, "first_ts": 0, "last_ts": 100,
    }  # fmt: skip
    return Run(**(values | changes))


@pytest.mark.parametrize(
    ("name", "changes", "expected"),
    [
        ("total_return", {}, 0.1),
        ("total_return", {"initial_atoms": 0}, None),
        ("max_drawdown", {}, 0.25),
        ("fees", {}, 1.5),
        # mean 0.02/3; deviations² sum 0.0012666…; variance (n − 1) 0.00063333…
        ("volatility", {}, math.sqrt(0.0038 / 6) * math.sqrt(365)),
        ("sharpe", {}, (0.02 / 3) / math.sqrt(0.0038 / 6) * math.sqrt(365)),
        ("sharpe", {"returns": np.array([0.01, 0.01])}, None),
        ("sharpe", {"returns": np.array([0.01])}, None),
        ("sharpe", {"returns": np.zeros(0)}, None),
        ("sharpe", {"returns": np.array([0.01, np.inf])}, None),
        ("cagr", {"final_atoms": 1210, "last_ts": 2 * 365 * DAY_NS}, 0.1),
        ("cagr", {"final_atoms": 1100, "last_ts": 365 * DAY_NS // 2}, 0.21),
        ("cagr", {"last_ts": DAY_NS - 1}, None),
        ("cagr", {"final_atoms": 0, "last_ts": 365 * DAY_NS}, None),
        ("win_rate", {}, 0.5),
        ("win_rate", {"trips": np.zeros(0)}, None),
        ("profit_factor", {}, 4.0),
        ("profit_factor", {"trips": np.array([1.0])}, None),
        ("exposure", {}, 0.25),
        ("exposure", {"last_ts": 0}, None),
        ("turnover", {}, 5.0),
        ("turnover", {"mean_equity_atoms": 0.0}, None),
    ],
)
def test_metric(name: str, changes: dict[str, Any], expected: float | None) -> None:
    found = METRICS[name](run(**changes))
    assert math.isnan(found) if expected is None else found == pytest.approx(expected, rel=1e-12)


def test_every_metric_says_its_formula() -> None:
    assert set(compute(run())) == set(METRICS)
    assert all("Return" in (metric.__doc__ or "") for metric in METRICS.values())


def equity(*rows: tuple[int, int]) -> Any:
    made = np.zeros(len(rows), EQUITY)
    made["ts_event"], made["equity_atoms"] = [r[0] for r in rows], [r[1] for r in rows]
    return made


def test_midnight_belongs_to_the_day_that_ends() -> None:
    days = EquityDays(100)
    days.feed(equity((23 * HOUR, 101), (24 * HOUR, 110), (25 * HOUR, 50), (48 * HOUR, 121)))
    assert days.returns() == pytest.approx([0.1, 0.1])
    assert (days.first_ts, days.last_ts, days.samples) == (23 * HOUR, 48 * HOUR, 4)
    assert days.mean_equity == 95.5


def test_days_without_samples_return_nothing() -> None:
    days = EquityDays(100)
    days.feed(equity((HOUR, 110)))
    days.feed(equity((HOUR + 3 * DAY_NS, 99)))
    assert days.returns() == pytest.approx([0.1, 0.0, 0.0, -0.1])


def test_no_samples() -> None:
    days = EquityDays(100)
    days.feed(equity())
    assert len(days.returns()) == 0
    assert days.mean_equity == 100


def test_what_a_run_starts_with_may_be_its_first_sample() -> None:
    days = EquityDays(None)
    assert (days.mean_equity, len(days.returns())) == (0.0, 0)
    for rows in (equity(), equity((HOUR, 200), (2 * HOUR, 220)), equity((DAY_NS + HOUR, 110))):
        days.feed(rows)
    assert days.initial_atoms == 200
    assert days.returns() == pytest.approx([0.1, -0.5])


@pytest.mark.parametrize("seed", range(8))
def test_days_in_any_slicing(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 400))
    step = int(rng.choice([HOUR, DAY_NS // 3, 5 * DAY_NS]))
    ts = np.cumsum(rng.integers(1, 3, n)) * step
    rows = equity(*zip(ts.tolist(), rng.integers(1, 1000, n).tolist(), strict=True))
    last: dict[int, int] = {}
    for t, e in zip(rows["ts_event"].tolist(), rows["equity_atoms"].tolist(), strict=True):
        last[(t - 1) // DAY_NS] = e
    slow, level = [], 500.0
    for day in range(min(last), max(last) + 1):
        now = float(last.get(day, level))
        slow.append(now / level - 1.0)
        level = now
    days = EquityDays(500)
    for part in np.split(rows, np.sort(rng.integers(0, n, 5))):
        days.feed(part)
    assert days.returns() == pytest.approx(slow, abs=1e-12)


def fills(*rows: tuple[int, int, int, int, int, int]) -> Any:
    """Return fills of (time, key, signed lots, realised, fee, position after); key: instrument."""
    made = np.zeros(len(rows), FILL)
    for k, (ts, key, lots, realised, fee, after) in enumerate(rows):
        made[k]["ts_event"], made[k]["instrument"], made[k]["side"] = ts, key, np.sign(lots)
        made[k]["qty_lots"], made[k]["realised_atoms"], made[k]["fee_atoms"] = abs(lots), realised, fee
        made[k]["position_lots"], made[k]["notional_atoms"] = after, abs(lots) * 10
    return made


def trips(n: int = 2) -> Trips:
    return Trips(n, 1, np.ones(n))


def test_a_round_trip_by_hand() -> None:
    one = trips()
    one.feed(fills((0, 0, 5, 0, 2, 5), (10, 0, -2, 30, 1, 3), (20, 0, -3, -4, 1, 0)))
    one.finish(100)
    assert one.trips.tolist() == [30 - 4 - 2 - 1 - 1]
    assert (one.held_ns, one.notional) == (20, 100.0)


def test_rates_may_be_known_only_at_the_end() -> None:
    """Instrument 0 is quoted in a currency that the run's last price makes worth 3."""
    one = Trips(2, 1, np.array([0.0, 1.0]))
    rows = fills((0, 0, 5, 0, 0, 5), (10, 0, -5, 30, 3, 0), (20, 1, 5, 0, 0, 5), (30, 1, -5, -10, 0, 0))
    rows["ambiguous"] = [0, 1, 0, 0]
    for row in rows:
        one.feed(row.reshape(1))
    one.rates = np.array([3.0, 1.0])
    assert one.trips.tolist() == [3.0 * 27, -10.0]
    assert (one.notional, one.ambiguous_share) == (3.0 * 100 + 100, 0.9)


def test_a_flip_shares_its_fee() -> None:
    one = trips()
    one.feed(fills((0, 0, 5, 0, 1, 5), (10, 0, -20, 50, 8, -15), (30, 0, 15, 7, 2, 0)))
    assert one.trips.tolist() == [50 - 1 - 2, 7 - 6 - 2]


def test_an_open_position_counts_until_the_end() -> None:
    one = trips()
    one.feed(fills((10, 1, 5, 0, 1, 5)))
    one.finish(100)
    one.finish(100)
    assert (one.held_ns, len(one.trips)) == (90, 0)


def slow_trips(rows: Any) -> tuple[list[float], int]:
    lots: dict[int, int] = {}
    result: dict[int, float] = {}
    done: list[float] = []
    held, since = 0, None
    for row in rows:
        key, after = int(row["instrument"]), int(row["position_lots"])
        before = lots.get(key, 0)
        ts = int(row["ts_event"])
        if any(lots.values()) and since is not None:
            held += ts - since
        since = ts
        fee, gain = float(row["fee_atoms"]), float(row["realised_atoms"])
        result.setdefault(key, 0.0)
        if before and (after == 0 or (after > 0) != (before > 0)):
            opening = fee * abs(after) / float(row["qty_lots"])
            done.append(result[key] + gain - (fee - opening))
            result[key] = -opening
        else:
            result[key] += gain - fee
        lots[key] = after
    return done, held


@pytest.mark.parametrize("seed", range(12))
def test_trips_in_any_slicing(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n, position = int(rng.integers(1, 300)), {0: 0, 1: 0, 2: 0}
    rows = []
    for k in range(n):
        key = int(rng.integers(0, 3))
        lots = int(rng.integers(1, 9)) * int(rng.choice([-1, 1]))
        if rng.random() < 0.3 and position[key]:
            lots = -position[key]
        closing = position[key] * lots < 0
        position[key] += lots
        realised = int(rng.integers(-90, 90)) if closing else 0
        rows.append((k * 10, key, lots, realised, int(rng.integers(-2, 9)), position[key]))
    made = fills(*rows)
    done, held = slow_trips(made)
    one = trips(3)
    for part in np.split(made, np.sort(rng.integers(0, n, 4))):
        one.feed(part)
    assert one.held_ns == held
    assert sorted(one.trips.tolist()) == pytest.approx(sorted(done), abs=1e-6)
