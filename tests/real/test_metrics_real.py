"""Metrics of real runs: equal to their summaries, and under the profiles to quantstats and empyrical."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from tests.unit.metrics.packages import ask_empyrical, ask_quantstats, differences
from tradectl.cli.runner import run_backtest
from tradectl.metrics import basic
from tradectl.metrics.load import RunData
from tradectl.metrics.registry import METRICS, PROFILED, compute_all
from tradectl.metrics.series import GROUPS, calendar_returns, histogram, profit_by, rolling

ROOT = Path(__file__).parents[2]
SOURCE = ROOT.parent / "shared" / "data" / "bitfinex_1m" / "BTCUSD_1m_2017.csv.gz"
SYMBOL = "BITFINEX:BTC/USD"
pytestmark = pytest.mark.skipif(not SOURCE.is_file(), reason="../shared/data/bitfinex_1m is not there")

STRATEGIES = {  # params, account
    "donchian_breakout": ("{length: 20, atr: 14, width: 3.0}", "type: cash"),
    "rsi_reversion": ("{length: 14, low: 30, stop: 0.03, target: 0.03}", "type: cash"),
    "sma_cross": ("{fast: 20, slow: 60, short: true}", "type: margin, leverage: 2"),
}
FIRST, *OTHERS = STRATEGIES
CONFIG = """
name: {name}
strategy: {{path: {root}/strategies/{name}.py, params: {params}}}
data: {{source: {source}, timeframe: 1m, symbols: [BTC/USD]}}
bars: [1h]
instruments: {{BTC/USD: {{tick_size: 0.01, lot_size: 0.0001}}}}
account: {{{account}, currency: USD, balance: 100000}}
execution: {{slippage: {{ticks: 1}}}}
fees: {{maker: 0.0002, taker: 0.0005}}
sizing: {{method: percent_equity, value: 0.5}}
"""


@pytest.fixture(scope="module")
def prices() -> pl.DataFrame:
    start = pl.from_epoch("timestamp_ms", time_unit="ms").dt.replace_time_zone("UTC")
    return pl.read_csv(SOURCE).select(
        (start + pl.duration(minutes=1)).alias("ts"), pl.lit(SYMBOL).alias("symbol"), "high", "low", "close"
    )


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory, prices: pl.DataFrame) -> dict[str, RunData]:
    folder = tmp_path_factory.mktemp("metrics")
    made = {}
    for name, (params, account) in STRATEGIES.items():
        config = folder / f"{name}.yaml"
        text = CONFIG.format(name=name, root=ROOT, source=SOURCE, params=params, account=account)
        config.write_text(text, encoding="utf-8")
        made[name] = RunData.open(run_backtest(config, out=folder / "runs").run_dir, prices)
    return made


@pytest.mark.parametrize("name", list(STRATEGIES))
def test_what_the_summary_has_too_is_equal(runs: dict[str, RunData], name: str) -> None:
    data = runs[name]
    found = compute_all(data)
    for metric in (*basic.METRICS, "trades"):
        assert found[metric] == pytest.approx(data.summary[metric], rel=1e-12), metric
    levels = np.concatenate(([data.initial], data.equity["equity"].to_numpy()))
    deepest = (1.0 - levels / np.maximum.accumulate(levels)).max()
    assert found["max_drawdown"] == pytest.approx(deepest, rel=1e-12)
    assert found["daily_drawdown"] <= found["max_drawdown"]


@pytest.mark.parametrize("name", [FIRST, *(pytest.param(one, marks=pytest.mark.proof) for one in OTHERS)])
@pytest.mark.parametrize(("profile", "ask"), [("quantstats", ask_quantstats), ("empyrical", ask_empyrical)])
def test_profiles_are_the_packages_numbers(
    runs: dict[str, RunData], name: str, profile: str, ask: Any
) -> None:
    data = runs[name]
    theirs = ask(data.daily["return"].to_numpy(), data.benchmark, str(data.daily["day"][0]))
    assert set(PROFILED[profile]) <= set(theirs)
    assert np.isfinite(list(theirs.values())).all()
    assert differences(compute_all(data, profile=profile), theirs) == {}


@pytest.mark.parametrize("name", list(STRATEGIES))
def test_round_trips_are_whole(runs: dict[str, RunData], name: str) -> None:
    """Fees and realised profit of the trips and of what is open are those of the positions, to the atom."""
    data = runs[name]
    table, fills = data.trips, data.fills
    opened = _since_flat(fills)
    assert (
        table["realised_atoms"].sum() + opened["realised_atoms"].sum()
        == data.positions["realised_atoms"].sum()
    )
    rest = data.positions["fees_atoms"].sum() - table["fees_atoms"].sum()
    assert 0 <= rest - opened["fee_atoms"].sum() <= fills["fee_atoms"].max()  # a flip's share
    assert (table["ts_close"] >= table["ts_open"]).all()
    for side in ("mae", "mfe"):
        assert ((table[side] >= 0.0) & (table[side] < 1.0)).all()
    # nobody made more than the best moment gave, nor less than the worst
    gross = (table["exit_price"] / table["entry_price"] - 1.0) * pl.Series(
        np.where(table["side"] == "LONG", 1.0, -1.0)
    )
    assert (gross <= table["mfe"] + 1e-12).all()
    assert (gross >= -table["mae"] - 1e-12).all()


def _since_flat(fills: pl.DataFrame) -> pl.DataFrame:
    after = fills["position_lots"].to_numpy()
    before = np.concatenate(([0], after[:-1]))
    ends = np.flatnonzero((before != 0) & ((after == 0) | (np.sign(before) != np.sign(after))))
    return fills[int(ends[-1]) + 1 :] if len(ends) else fills


def test_sides_and_trials(runs: dict[str, RunData]) -> None:
    sides = set(runs["sma_cross"].trips["side"].cast(pl.String))
    assert sides == {"LONG", "SHORT"}
    assert set(runs["donchian_breakout"].trips["side"].cast(pl.String)) == {"LONG"}
    for data in runs.values():
        found = compute_all(data)
        assert found["trials"] == 1.0
        assert found["deflated_sharpe"] == found["probabilistic_sharpe"]


def test_buy_and_hold_is_the_price(runs: dict[str, RunData], prices: pl.DataFrame) -> None:
    held = runs["donchian_breakout"].benchmark
    assert held is not None
    assert np.prod(1.0 + held) == pytest.approx(prices["close"][-1] / prices["close"][0], rel=1e-12)


def test_series_of_pages_add_up(runs: dict[str, RunData]) -> None:
    data = runs["sma_cross"]
    whole = data.daily["equity"][-1] / data.initial
    for every in ("month", "year"):
        table = calendar_returns(data.daily, every)
        assert (table["return"] + 1.0).product() == pytest.approx(whole, rel=1e-12)
        assert table["days"].sum() == data.daily.height == 365
    last = rolling(data.daily, 365).tail(1)
    assert last["sharpe"][0] == pytest.approx(data.summary["sharpe"], rel=1e-9)
    assert last["volatility"][0] == pytest.approx(data.summary["volatility"], rel=1e-9)
    assert histogram(data.daily["return"].to_numpy())["count"].sum() == 365
    for group in GROUPS:
        table = profit_by(data.trips, group)
        assert table["result"].sum() == pytest.approx(data.trips["result"].sum(), rel=1e-9)
        assert table["trades"].sum() == data.summary["trades"]


def test_every_metric_is_known_of_a_run_with_both_sides(runs: dict[str, RunData]) -> None:
    found = compute_all(runs["sma_cross"])
    assert len(found) == len(METRICS)
    assert [name for name, value in found.items() if not np.isfinite(value)] == []
