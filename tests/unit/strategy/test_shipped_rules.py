"""What the shipped strategies do on a few bars whose figures are reckoned here by hand."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from tests.parity.helpers import ROOT, START_MS, write_config
from tradectl.cli.runner import run_backtest
from tradectl.errors import StrategyError

Bar = tuple[float, float, float, float]  # open, high, low, close
MARGIN = {"type": "margin", "currency": "USD", "balance": 100_000, "leverage": 3}


class Ran:
    """A run over hand-made minutes: its orders, fills and plotted values."""

    def __init__(self, run_dir: Path) -> None:
        self.orders = pl.read_parquet(run_dir / "orders.parquet").sort("order_id")
        self.fills = pl.read_parquet(run_dir / "fills.parquet")
        self.dir = run_dir

    def sent(self, *columns: str | pl.Expr) -> list[tuple[Any, ...]]:
        """Return (minute, side, …) of each order."""
        at = (pl.col("ts_submitted").dt.epoch("ms") - START_MS) // 60_000
        return self.orders.select(at, pl.col("side").cast(pl.String), *columns).rows()

    def filled(self) -> list[tuple[Any, ...]]:
        """Return (side, qty, price) of each fill."""
        return self.fills.select(pl.col("side").cast(pl.String), "qty", "price").rows()

    def plotted(self, series: str) -> list[float]:
        table = pl.read_parquet(self.dir / "plots.parquet")
        return table.filter(pl.col("series").cast(pl.String) == series)["value"].to_list()


def ran(
    folder: Path, name: str | dict[str, Any], bars: dict[str, Sequence[Bar]], sizing: float = 0.5, **given: Any
) -> Ran:
    """Run a shipped strategy, or rules, in plain Python on minutes without fees and slippage; volumes are large."""
    for symbol, rows in bars.items():
        path = folder / "bars" / f"{symbol}USD.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = [f"{START_MS + k * 60_000},{','.join(f'{x:.2f}' for x in row)},1000000" for k, row in enumerate(rows)]
        path.write_text("timestamp,open,high,low,close,volume\n" + "\n".join(lines) + "\n")
    source = {"rules": name} if isinstance(name, dict) else {"path": str(ROOT / "strategies" / f"{name}.py")}
    config = write_config(
        folder,
        strategy={**source, "params": given.pop("params", {}), "jit": False},
        instruments={f"{symbol}/USD": {"tick_size": 0.01, "lot_size": 0.001} for symbol in bars},
        execution=None, fees=None, sizing={"method": "percent_equity", "value": sizing}, **given,
    )  # fmt: skip
    return Ran(run_backtest(config, out=folder / "runs").run_dir)


def closes(*values: float) -> list[Bar]:
    """Return bars that open at the close before and reach no farther than their ends."""
    before = (values[0], *values[:-1])
    return [(o, max(o, c), min(o, c), c) for o, c in zip(before, values, strict=True)]


def test_buy_and_hold_buys_once_and_keeps(tmp_path: Path) -> None:
    made = ran(tmp_path, "buy_and_hold", {"AAA": closes(100, 90, 50, 120), "BBB": closes(20, 20, 30, 10)}, 0.4)
    assert made.filled() == [("BUY", 400.0, 100.0), ("BUY", 2000.0, 20.0)]
    assert made.sent() == [(1, "BUY"), (1, "BUY")]


def test_ema_cross_holds_target_over_realised_volatility(tmp_path: Path) -> None:
    params = {"fast": 2, "slow": 3, "window": 2, "periods": 1.0, "target": 0.005, "band": 0.5, "short": True}
    made = ran(
        tmp_path, "ema_cross", {"AAA": closes(100, 101, 103, 105, 90, 80)}, params=params, account=MARGIN
    )  # fmt: skip
    up = math.sqrt((math.log(101 / 100) ** 2 + math.log(103 / 101) ** 2) / 2)
    down = math.sqrt((math.log(105 / 103) ** 2 + math.log(90 / 105) ** 2) / 2)
    qty = math.floor(100_000 * 0.005 / up / 103 * 1000) / 1000
    equity = 100_000 + qty * (90 - 103)
    short = math.floor(equity * 0.005 / down / 90 * 1000) / 1000
    # at 105 the volatility is 1 % higher than at 103: less than the band; at 90 the averages have crossed
    assert made.sent() == [(3, "BUY"), (5, "SELL")]
    assert [row[1] for row in made.filled()] == pytest.approx([qty, qty + short], abs=1e-9)
    assert made.plotted("fast")[1:3] == pytest.approx([100.5, 100.5 + (103 - 100.5) * 2 / 3])


def test_bollinger_orders_rest_on_the_bands_and_move(tmp_path: Path) -> None:
    reach = math.sqrt(2 / 3)  # deviation of 100, 101, 102 in any order
    bars = [*closes(100, 102, 101, 103), (103, 103.2, 101.0, 102.0), (102, 104, 101.5, 103.0)]
    params = {"length": 3, "factor": 1.0}
    made = ran(tmp_path, "bollinger_limits", {"AAA": bars}, params=params)
    # bid at 101 - reach after three bars, moved to 102 - reach after the fourth, filled by the fifth
    moved = math.floor((102 - reach) * 100) / 100
    qty = math.floor(50_000 / 101 * 1000) / 1000
    assert made.plotted("lower")[2] == pytest.approx(101 - reach)
    # the exit rests on the middle of 101, 103, 102 = 102; the sixth bar opens there
    assert made.filled() == [("BUY", qty, moved), ("SELL", qty, 102.0)]
    assert made.sent("limit")[:2] == [(3, "BUY", moved), (5, "SELL", 102.0)]


def test_bollinger_gives_up_after_its_patience(tmp_path: Path) -> None:
    bars = [*closes(100, 102, 101), *closes(100, 99, 98, 97, 96)[1:]]
    made = ran(tmp_path, "bollinger_limits", {"AAA": bars}, params={"length": 3, "factor": 1.0, "patience": 2})
    kinds = made.orders.select(pl.col("order_type").cast(pl.String), pl.col("status").cast(pl.String)).rows()
    assert kinds[:3] == [("LIMIT", "FILLED"), ("LIMIT", "CANCELED"), ("MARKET", "FILLED")]
    assert made.sent()[2][0] - made.sent()[1][0] == 1


def test_bollinger_sells_the_upper_band_on_margin(tmp_path: Path) -> None:
    bars = [*closes(100, 102, 101), (101, 103, 101, 101)]
    params = {"length": 3, "factor": 1.0, "short": True}
    made = ran(tmp_path, "bollinger_limits", {"AAA": bars}, params=params, account=MARGIN)
    assert made.filled()[0][::2] == ("SELL", math.ceil((101 + math.sqrt(2 / 3)) * 100) / 100)
    assert made.orders["status"].cast(pl.String).to_list()[0] == "CANCELED"  # the bid


def test_grid_sells_each_line_one_line_higher(tmp_path: Path) -> None:
    bars = [*closes(100), (100, 100, 98.5, 99.5), (99.5, 100.2, 99.4, 99.8), (99.8, 99.8, 97.5, 97.6)]
    bars += [(97.6, 97.6, 96.9, 97.0), (97, 97, 97, 97), (97, 97, 97, 97)]
    made = ran(tmp_path, "grid", {"AAA": bars}, params={"lines": 2, "step": 0.01, "invest": 0.5})
    # half of equity in two lines below 100: 250 each at 99 and 98; what 99 buys is sold at 100, and bid for again
    assert made.filled() == [
        ("BUY", 250.0, 99.0), ("SELL", 250.0, 100.0), ("BUY", 250.0, 99.0), ("BUY", 250.0, 98.0),
        ("SELL", 500.0, 97.0),
    ]  # fmt: skip
    assert made.orders.filter(pl.col("status").cast(pl.String) == "DENIED").is_empty()
    # 97.0 is a step below the last line: all is closed, and a new grid set below 97
    assert [row[2] for row in made.sent("limit") if row[0] == 6] == [pytest.approx(96.03), pytest.approx(95.06)]


def test_pairs_follow_the_rolling_regression(tmp_path: Path) -> None:
    x = [100 + (k * 7 % 5) for k in range(40)]
    y = [0.5 * one + 20 + (k * 3 % 4) * 0.1 for k, one in enumerate(x)]
    y[30] += 2.0
    params = {"window": 10, "enter": 2.0, "leave": 0.5, "stop": 9.0, "invest": 1.0}
    made = ran(
        tmp_path, "pairs", {"AAA": closes(*x), "BBB": closes(*y)}, params=params, account=MARGIN,
    )  # fmt: skip
    slopes, residuals = [], []
    for end in range(10, 41):
        slope, intercept = np.polyfit(x[end - 10 : end], y[end - 10 : end], 1)
        slopes.append(slope)
        residuals.append(y[end - 1] - intercept - slope * x[end - 1])
    scores = [residuals[k] / np.std(residuals[k - 9 : k + 1], ddof=1) for k in range(9, len(residuals))]
    assert made.plotted("score")[9:] == pytest.approx(scores, rel=1e-7)
    assert max(scores) == scores[30 - 18] > 2.0
    units = 100_000 / (y[30] + slopes[30 - 9] * x[30])
    back = next(k for k in range(31, 40) if scores[k - 18] <= 0.5)
    assert made.sent() == [(31, "BUY"), (31, "SELL"), (back + 1, "SELL"), (back + 1, "BUY")]
    quantities = [units * slopes[30 - 9], units] * 2
    assert made.orders["qty"].to_list() == pytest.approx(quantities, abs=0.0011)


def test_pairs_given_up_wait_until_the_score_is_back(tmp_path: Path) -> None:
    x = [100 + (k * 7 % 5) for k in range(60)]
    y = [0.5 * one + 20 + (k * 3 % 4) * 0.1 for k, one in enumerate(x)]
    y[30], y[31] = y[30] + 0.5, y[31] + 1.0
    params = {"window": 10, "enter": 2.0, "leave": 0.1, "stop": 2.5}
    made = ran(tmp_path, "pairs", {"AAA": closes(*x), "BBB": closes(*y)}, params=params, account=MARGIN)
    scores = [math.nan] * (60 - len(made.plotted("score"))) + made.plotted("score")
    side, barred, expected = 0, False, []
    for k, score in enumerate(scores):
        if side and (side * score >= -0.1 or abs(score) >= 2.5):
            side, barred = 0, abs(score) >= 2.5
            expected += [k + 1]
        elif not side and barred:
            barred = abs(score) > 0.1
        elif not side and 2.0 <= abs(score) < 2.5:
            side = -1 if score > 0 else 1
            expected += [k + 1]
    assert [row[0] for row in made.sent()[::2]] == expected
    assert expected[:2] == [31, 32]  # opened at 2.3, given up at 2.8


@pytest.mark.parametrize(("rehedge", "at"), [(0.0, []), (0.3, [37]), (0.05, [32, 33, 34, 35, 37, 38])])
def test_pairs_follow_the_ratio_while_they_are_open(tmp_path: Path, rehedge: float, at: list[int]) -> None:
    x = [100 + (k * 7 % 5) for k in range(41)]
    y = [(0.5 if k < 30 else 0.51) * one + 20 + (k * 3 % 4) * 0.1 for k, one in enumerate(x)]
    params = {"window": 10, "enter": 2.0, "leave": 0.0, "stop": 9.0, "rehedge": rehedge}
    made = ran(tmp_path, "pairs", {"AAA": closes(*x), "BBB": closes(*y)}, params=params, account=MARGIN)
    slopes = {k: np.polyfit(x[k - 9 : k + 1], y[k - 9 : k + 1], 1)[0] for k in range(30, 40)}
    units = 100_000 / (y[30] + slopes[30] * x[30])  # sold when the ratio falls to 0.39 and BBB is dear by it
    expected = [(k + 1, units * slopes[k]) for k in (30, *at)] + [(40, 0.0)]
    leg = made.orders.filter(pl.col("symbol").cast(pl.String).str.contains("AAA"))
    signed = pl.when(pl.col("side").cast(pl.String) == "BUY").then(pl.col("qty")).otherwise(-pl.col("qty"))
    assert leg.select(signed.cum_sum()).to_series().to_list() == pytest.approx([qty for _, qty in expected], abs=0.0011)
    minutes = (leg["ts_submitted"].dt.epoch("ms") - START_MS) // 60_000
    assert minutes.to_list() == [minute for minute, _ in expected]
    assert made.orders.height - leg.height == 2  # the second leg stands


def test_pairs_are_two(tmp_path: Path) -> None:
    with pytest.raises(StrategyError, match="a pair is two instruments"):
        ran(tmp_path, "pairs", {"AAA": closes(1, 2, 3)}, account=MARGIN)


def test_rsi_exits_stand_around_each_fill(tmp_path: Path) -> None:
    bars = [*closes(100, 99, 98), (98, 98.5, 97.5, 98), (98, 99.1, 97.9, 99)]
    made = ran(tmp_path, "rsi_reversion", {"AAA": bars}, params={"length": 2, "stop": 0.02, "target": 0.01})
    qty = math.floor(50_000 / 98 * 1000) / 1000
    # two falls: the index is 0; bought at the next open, the stop 2 % below and the target 1 % above it
    exits = [(4, "SELL", 96.04, None), (4, "SELL", None, 98.98)]
    assert made.sent("stop", "limit")[:3] == [(3, "BUY", None, None), *exits]
    assert made.filled() == [("BUY", qty, 98.0), ("SELL", qty, 98.98)]
    assert made.orders["status"].cast(pl.String).to_list()[1] == "CANCELED"


def test_donchian_stop_trails_by_average_ranges(tmp_path: Path) -> None:
    bars = [(100, 101, 99, 100), (100, 101, 99, 100), (100, 103, 100, 103), (103, 105, 103, 105), (105, 105, 101, 101)]
    made = ran(tmp_path, "donchian_breakout", {"AAA": bars}, params={"length": 2, "atr": 2, "width": 1.0})
    # ranges 2, 2, 3, 2: averages 2, 2.5, 2.25; bought at 103, stop 103 - 2.5, then raised to 105 - 2.25
    assert made.filled()[0][::2] == ("BUY", 103.0)
    assert made.filled()[1][::2] == ("SELL", 102.75)
    assert made.plotted("stop")[3] == pytest.approx(100.5)  # as it stood within the bar


def test_momentum_holds_what_rose_most(tmp_path: Path) -> None:
    bars = {"AAA": closes(100, 101, 104, 104), "BBB": closes(50, 51, 51, 51), "CCC": closes(10, 9, 8, 8)}
    params = {"lookback": 1, "top": 1, "every": 3, "invest": 0.5}
    made = ran(tmp_path, "momentum_rotation", bars, params=params)
    assert made.filled() == [("BUY", math.floor(50_000 / 104 * 1000) / 1000, 104.0)]


# --- scikit-learn

SKLEARN = {"window": 40, "every": 10, "ahead": 2, "enter": 0.5, "leave": 0.5, "seed": 3}


def walk(n: int) -> list[float]:
    return (100 + np.cumsum(np.random.default_rng(4).integers(-30, 31, n)) / 100).round(2).tolist()


def test_sklearn_learns_from_the_past_alone(tmp_path: Path) -> None:
    linear = pytest.importorskip("sklearn.linear_model", reason="scikit-learn is not installed")
    prices = walk(130)
    short = ran(tmp_path / "short", "sklearn_walk_forward", {"AAA": closes(*prices[:100])}, params=SKLEARN)
    whole = ran(tmp_path / "whole", "sklearn_walk_forward", {"AAA": closes(*prices)}, params=SKLEARN)
    seen = short.plotted("probability")
    assert whole.plotted("probability")[: len(seen)] == seen
    assert len(short.fills) > 0
    # the first fit is after 33 closes for the lags, 40 examples and 2 bars of outcome: at bar 74
    assert len(seen) == 100 - 74
    close = np.array(prices)
    lags = (1, 2, 4, 8, 16, 32)
    examples = np.array([[close[k] / close[k - lag] - 1 for lag in lags] for k in range(33, 73)])
    rose = (close[35:75] > close[33:73]).astype(float)
    means, scales = examples.mean(axis=0), examples.std(axis=0)
    model = linear.LogisticRegression(C=0.1, solver="liblinear", random_state=3).fit((examples - means) / scales, rose)
    now = np.array([[close[74] / close[74 - lag] - 1 for lag in lags]])
    assert seen[0] == pytest.approx(model.predict_proba((now - means) / scales)[0][1], rel=1e-9)


def test_sklearn_that_is_not_there_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.linear_model", None)
    with pytest.raises(StrategyError, match=r"pip install 'tradectl\[sklearn\]'"):
        ran(tmp_path, "sklearn_walk_forward", {"AAA": closes(*walk(5))})
