"""A run folder read back: daily equity, round trips, buy and hold, and what is damaged."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from tests.unit.metrics.made import HOUR_NS, STAMP, made_fills
from tradectl.errors import StoreError
from tradectl.metrics.load import RunData, buy_and_hold, daily, unrated
from tradectl.metrics.registry import METRICS, compute_all
from tradectl.metrics.streams import DAY_NS
from tradectl.metrics.trials import Trials, trials_of

RATE = {"USD": 10**12, "EUR": 12 * 10**11}
LEDGER = {"fees_atoms": 10**8, "funding_atoms": 5 * 10**8}  # of each currency


def equity(*rows: tuple[float, float]) -> pl.DataFrame:
    """Return samples of (hour, equity)."""
    return pl.DataFrame(
        {
            "ts": pl.Series([round(hour * HOUR_NS) for hour, _ in rows], dtype=pl.Int64).cast(STAMP),
            "equity": pl.Series([level for _, level in rows], dtype=pl.Float64),
            "equity_atoms": pl.Series([round(level * 1e8) for _, level in rows], dtype=pl.Int64),
        }
    )


def prices(symbol: str, *rows: tuple[float, float]) -> pl.DataFrame:
    stamps = pl.Series([round(hour * HOUR_NS) for hour, _ in rows], dtype=pl.Int64).cast(STAMP)
    closes = [close for _, close in rows]
    return pl.DataFrame({"ts": stamps, "symbol": symbol, "high": closes, "low": closes, "close": closes})


def write(
    folder: Path, samples: pl.DataFrame, fills: pl.DataFrame, currency: str = "USD", **changes: Any
) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    final = float(samples["equity"][-1]) if samples.height else 100.0
    summary = {
        "name": "made", "status": "complete", "state_hash": "", "audit": {}, "currency": "USD",
        "initial_equity": 100.0, "final_equity": final, "max_drawdown": 0.0,
        "balances": [{"currency": name, "rate_pico": rate, **LEDGER} for name, rate in RATE.items()],
    }  # fmt: skip
    (folder / "summary.json").write_text(json.dumps(summary | changes))
    samples.write_parquet(folder / "equity.parquet")
    fills.write_parquet(folder / "fills.parquet")
    held = fills.select("strategy", "symbol").unique().with_columns(currency=pl.lit(currency))
    held.write_parquet(folder / "positions.parquet")
    pl.DataFrame({"order_id": pl.Series([], dtype=pl.Int64)}).write_parquet(folder / "orders.parquet")
    return folder


TRIP = ((1.0, "BUY", 100.0, 1.0, 0, 10**8), (30.0, "SELL", 110.0, 1.0, 10 * 10**8, 10**8))


def test_days_without_samples_and_midnights() -> None:
    """Midnight belongs to the day that ends with it; a day without samples keeps the equity."""
    found = daily(equity((23, 101), (24, 110), (25, 50), (73, 99)), 100.0)
    assert found["equity"].to_list() == [110.0, 50.0, 50.0, 99.0]
    assert found["return"].to_list() == pytest.approx([0.1, 50 / 110 - 1, 0.0, 0.98])
    assert [str(day) for day in found["day"]] == ["1970-01-01", "1970-01-02", "1970-01-03", "1970-01-04"]
    assert found["ts"].cast(pl.Int64).to_list() == [DAY_NS * k for k in (1, 2, 3, 4)]


def test_no_samples() -> None:
    assert daily(equity(), 100.0).is_empty()


def test_days_that_are_sessions() -> None:
    """Sessions end at 20:00; what comes after the close belongs to the next one."""
    closes = np.array([20, 44, 92, 116, 140]) * HOUR_NS
    found = daily(equity((10, 101), (20, 102), (21, 103), (50, 104), (100, 105)), 100.0, closes)
    assert found["equity"].to_list() == [102.0, 103.0, 104.0, 105.0]
    assert found["ts"].cast(pl.Int64).to_list() == closes[:4].tolist()
    beyond = daily(equity((10, 101), (21, 102), (30, 103)), 100.0, closes[:1])
    assert beyond["equity"].to_list() == [101.0, 103.0]


def test_buy_and_hold_of_two_instruments() -> None:
    ends = np.array([1, 2, 3]) * DAY_NS
    both = pl.concat([
        prices("A", (1, 50.0), (2, 100.0), (24, 110.0), (70, 220.0)),
        prices("B", (30, 10.0), (40, 15.0)),
    ])  # fmt: skip
    # from 2 o'clock: A 1 → 1.1 → 1.1 → 2.2, B cash until hour 30, then 1 → 1.5 → 1.5
    levels = [(1.1 + 1.0) / 2, (1.1 + 1.5) / 2, (2.2 + 1.5) / 2]
    assert buy_and_hold(both, ends, 2 * HOUR_NS) == pytest.approx(
        [levels[0] - 1, levels[1] / levels[0] - 1, levels[2] / levels[1] - 1]
    )
    assert np.isnan(buy_and_hold(both.head(0), ends)).all()


def test_buy_and_hold_of_what_is_quoted_in_another_currency() -> None:
    """E costs 1, 2 and 2 B, a B costs 10 from hour 3 on, 20 from hour 24 and 15 from hour 30: E is bought at hour 3."""
    ends = np.array([1, 2]) * DAY_NS
    b = prices("B", (3, 10.0), (24, 20.0), (30, 15.0)).with_columns(rated_by=pl.lit(None, pl.String))
    e = prices("E", (1, 1.0), (3, 1.0), (24, 2.0), (25, 2.0)).with_columns(rated_by=pl.lit("B"))
    held = (4.0 + 2.0) / 2, (3.0 + 1.5) / 2
    assert buy_and_hold(pl.concat([b, e]), ends) == pytest.approx([held[0] - 1, held[1] / held[0] - 1])
    assert unrated(pl.concat([b, e])) == {}
    gone = e.with_columns(rated_by=pl.lit("C"))
    assert unrated(pl.concat([b, gone])) == {"E": "C"}
    assert buy_and_hold(pl.concat([b, gone]), ends) == pytest.approx([1.0, -0.25])
    assert np.isnan(buy_and_hold(gone, ends)).all()


def test_a_benchmark_in_another_currency_needs_its_rates(tmp_path: Path) -> None:
    place = write(tmp_path / "run", equity((1, 99), (47, 108)), made_fills(*TRIP), currency="EUR")
    plain = prices("X:A", (1, 100.0), (40, 110.0))
    assert RunData.open(place, plain).benchmark is None
    constant = plain.with_columns(rated_by=pl.lit(None, pl.String))
    assert RunData.open(place, constant).benchmark == pytest.approx([0.0, 0.1])
    never = write(tmp_path / "never", equity(), made_fills(), initial_equity=None)
    assert math.isnan(compute_all(RunData.open(never))["total_return"])


def test_a_run_is_read_back(tmp_path: Path) -> None:
    samples = equity((1, 99), (24, 104), (30, 108), (47, 108))
    data = RunData.open(
        write(tmp_path / "run", samples, made_fills(*TRIP)), prices("X:A", (1, 100.0), (40, 110.0))
    )
    assert data.daily["return"].to_list() == pytest.approx([0.04, 108 / 104 - 1])
    assert data.trips.select("symbol", "currency", "result", "pnl").rows() == [("X:A", "USD", 8.0, 8.0)]
    assert data.benchmark == pytest.approx([0.0, 0.1])
    found = compute_all(data)
    assert list(found) == list(METRICS)
    assert (found["trades"], found["win_rate"], found["expectancy"]) == (1.0, 1.0, 8.0)
    assert found["exposure"] == pytest.approx(29 / 46)
    assert found["turnover"] == pytest.approx(210 / np.mean([99, 104, 108, 108]))
    assert (found["total_return"], found["funding"]) == (pytest.approx(0.08), 11.0)
    assert found["benchmark_return"] == pytest.approx(0.1)
    given = compute_all(data, np.array([0.01, 0.02]))
    assert given["benchmark_return"] == pytest.approx(1.01 * 1.02 - 1)


def test_results_are_told_in_the_account_s_currency(tmp_path: Path) -> None:
    data = RunData.open(
        write(tmp_path / "run", equity((1, 100), (47, 109)), made_fills(*TRIP), currency="EUR")
    )
    assert data.trips.select("pnl", "rate", "result").rows() == [(8.0, 1.2, pytest.approx(9.6))]
    found = compute_all(data)
    assert (found["fees"], found["funding"], found["costs"]) == (2.2, 11.0, 13.2)
    assert data.benchmark is None


@pytest.mark.parametrize("profile", ["tradectl", "quantstats", "empyrical"])
def test_a_run_without_events_or_fills(tmp_path: Path, profile: str) -> None:
    data = RunData.open(write(tmp_path / "run", equity(), made_fills()))
    assert compute_all(data, profile=profile)["trades"] == 0.0
    data = RunData.open(
        write(tmp_path / "flat", equity((1, 100), (2, 100)), made_fills()), prices("X:A", (1, 5.0))
    )
    found = compute_all(data, profile=profile)
    assert found["total_return"] == 0.0
    assert found["benchmark_return"] == 0.0


def test_what_is_damaged_is_named(tmp_path: Path) -> None:
    folder = write(tmp_path / "run", equity((1, 100)), made_fills())
    (folder / "fills.parquet").write_bytes(b"PAR1")
    with pytest.raises(StoreError, match=r"fills\.parquet is damaged or cannot be read"):
        RunData.open(folder)
    (folder / "fills.parquet").unlink()
    with pytest.raises(StoreError, match=r"it has no fills\.parquet"):
        RunData.open(folder)
    with pytest.raises(StoreError, match="is no run folder"):
        RunData.open(tmp_path)


def trial(run: str, config: str, mean: float | None, family: str = "a", symbol: str = "X") -> str:
    returns = {"n": 9, "mean": mean, "std": 0.01 if mean else 0.0}
    known = {"family": [family], "symbols": [symbol]}
    return json.dumps({"run": run, "config_hash": config, "data_hash": "d", **known, "returns": returns})


def test_trials_of_a_family(tmp_path: Path) -> None:
    """Runs r1 and r2 are one trial with other settings; r4 never traded; r5 and r6 are of others."""
    lines = [
        trial("r1", "c1", 0.01), trial("r2", "c2", 0.01), trial("r3", "c3", 0.03), trial("r4", "c4", None),
        trial("r5", "c5", 0.9, family="b"), trial("r6", "c1", 0.5, symbol="Y"), trial("r7", "c1", 0.02),
    ]  # fmt: skip
    (tmp_path / "trials.ndjson").write_text("\n".join(lines) + "\n{half")
    found = trials_of(tmp_path / "r1")
    assert found.count == 3
    assert found.variance == pytest.approx(np.var([1.0, 3.0, 2.0], ddof=1))
    for run in ("r5", "r6"):
        alone = trials_of(tmp_path / run)
        assert (alone.count, math.isnan(alone.variance)) == (1, True)
    assert trials_of(tmp_path / "r4").count == 0
    assert trials_of(tmp_path / "unknown").count == Trials().count == 0
    assert trials_of(tmp_path / "nowhere" / "r1").count == 0
