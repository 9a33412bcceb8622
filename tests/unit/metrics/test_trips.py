"""Round trips and excursions worked out by hand, and against the streaming ones of a run's summary."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from tests.unit.metrics.made import HOUR_NS, STAMP, made_fills
from tradectl.core.layout import FILL
from tradectl.metrics.streams import Trips
from tradectl.metrics.trips import excursions, trips


def rows(table: pl.DataFrame, *names: str) -> list[tuple[object, ...]]:
    return table.select(names).rows()


def test_one_trip_in_four_fills() -> None:
    fills = made_fills(
        (1, "BUY", 100.0, 1.0, 0, 10),
        (2, "BUY", 110.0, 3.0, 0, 20),
        (4, "SELL", 120.0, 2.0, 2500_000_000, 30),
        (6, "SELL", 105.0, 2.0, -500_000_000, 40),
    )
    found = trips(fills)
    assert rows(found, "trip", "side", "qty", "qty_lots", "n_fills", "tag") == [(0, "LONG", 4.0, 40, 4, 0)]
    assert rows(found, "entry_price", "exit_price") == [(107.5, 112.5)]
    assert rows(found, "realised_atoms", "fees_atoms", "pnl_atoms") == [(2_000_000_000, 100, 1_999_999_900)]
    assert found["return"][0] == pytest.approx(19.999999 / 430)
    assert found["duration"].dt.total_hours()[0] == 5
    assert rows(found, "min_price", "max_price", "exit_type", "exit_phase") == [
        (100.0, 120.0, "MARKET", "OPEN")
    ]
    assert found["mae"].is_nan().all()


def test_a_flip_is_shared_by_two_trips() -> None:
    fills = made_fills(
        (1, "BUY", 100.0, 1.0, 0, 7),
        (2, "SELL", 90.0, 4.0, -1_000_000_000, 101),
        (3, "BUY", 80.0, 3.0, 3_000_000_000, 11),
    )
    found = trips(fills)
    assert rows(found, "side", "qty", "entry_price", "exit_price") == [
        ("LONG", 1.0, 100.0, 90.0),
        ("SHORT", 3.0, 90.0, 80.0),
    ]
    # the flip's fee of 101 atoms: three quarters, rounded down, belong to what it opens
    assert rows(found, "realised_atoms", "fees_atoms") == [(-1_000_000_000, 7 + 26), (3_000_000_000, 75 + 11)]
    assert found["n_fills"].to_list() == [2, 2]
    assert found["return"].to_list() == pytest.approx([-10.0 / 100, 30.0 / 270], rel=1e-6)
    assert [str(stamp) for stamp in found["ts_open"].dt.hour()] == ["1", "2"]


def test_trips_close_in_the_order_of_the_fills() -> None:
    one = made_fills((1, "BUY", 10.0, 1.0, 0, 0), (5, "SELL", 11.0, 1.0, 100, 0))
    two = made_fills((2, "SELL", 10.0, 1.0, 0, 0), (3, "BUY", 9.0, 1.0, 200, 0), symbol="X:B")
    found = trips(pl.concat([one, two]).sort("ts"))
    assert rows(found, "symbol", "side", "realised_atoms") == [("X:B", "SHORT", 200), ("X:A", "LONG", 100)]


def test_what_is_open_is_no_trip() -> None:
    assert trips(made_fills((1, "BUY", 10.0, 1.0, 0, 5))).is_empty()
    empty = trips(made_fills())
    assert empty.is_empty()
    assert (
        empty.columns == trips(made_fills((1, "BUY", 10.0, 1.0, 0, 0), (2, "SELL", 9.0, 1.0, 0, 0))).columns
    )


def streamed(fills: pl.DataFrame) -> list[float]:
    made = np.zeros(fills.height, FILL)
    made["ts_event"] = fills["ts"].cast(pl.Int64).to_numpy()
    made["instrument"] = (fills["symbol"] == "X:B").cast(pl.Int8).to_numpy()
    for name in ("position_lots", "qty_lots", "fee_atoms", "realised_atoms"):
        made[name] = fills[name].to_numpy()
    one = Trips(2, 1, np.ones(2))
    one.feed(made)
    return sorted(one.trips.tolist())


@pytest.mark.parametrize("seed", range(10))
def test_random_fills_agree_with_the_stream(seed: int) -> None:
    rng = np.random.default_rng(seed)
    tables = []
    for symbol in ("X:A", "X:B"):
        n, held, made = int(rng.integers(1, 120)), 0, []
        for hour in range(n):
            lots = int(rng.integers(1, 9)) * int(rng.choice([-1, 1]))
            lots = -held if held and rng.random() < 0.3 else lots
            gain = int(rng.integers(-9000, 9000)) if held * lots < 0 else 0
            held += lots
            side = "BUY" if lots > 0 else "SELL"
            made.append(
                (hour, side, float(rng.integers(90, 110)), abs(lots) / 10, gain, int(rng.integers(-5, 90)))
            )
        tables.append(made_fills(*made, symbol=symbol))
    fills = pl.concat(tables).sort("ts", maintain_order=True)
    found = trips(fills)
    assert sorted(found["pnl_atoms"].to_list()) == pytest.approx(streamed(fills), abs=1.0)
    # nothing is lost: what is not in finished trips is in the open one
    for symbol in ("X:A", "X:B"):
        mine, all_fills = (table.filter(pl.col("symbol") == symbol) for table in (found, fills))
        flat = all_fills["position_lots"][-1] == 0
        if flat:
            assert mine["fees_atoms"].sum() == all_fills["fee_atoms"].sum()
        assert mine["realised_atoms"].sum() + _open_gain(all_fills) == all_fills["realised_atoms"].sum()


def _open_gain(fills: pl.DataFrame) -> int:
    """Return what the fills after the last close have realised."""
    after = fills["position_lots"]
    before = after.shift(1, fill_value=0)
    closes = ((before != 0) & ((after == 0) | (before.sign() != after.sign()))).to_numpy()
    last = int(np.flatnonzero(closes)[-1]) + 1 if closes.any() else 0
    return int(fills["realised_atoms"][last:].sum())


def bars(*low_high: tuple[float, float], symbol: str = "X:A") -> pl.DataFrame:
    """Return bars of an hour that end at 1 o'clock and later."""
    n = len(low_high)
    return pl.DataFrame(
        {
            "ts": pl.Series([(k + 1) * HOUR_NS for k in range(n)]).cast(STAMP),
            "symbol": [symbol] * n,
            "low": [low for low, _ in low_high],
            "high": [high for _, high in low_high],
        }
    )


PRICES = bars((1.0, 999.0), (95.0, 105.0), (98.0, 130.0), (1.0, 999.0))


def test_excursions_of_a_long_and_a_short_trip() -> None:
    """Entered at the open of the bar that ends at 2, left at the open of the one that ends at 4."""
    long = trips(made_fills((1, "BUY", 100.0, 1.0, 0, 0), (3, "SELL", 110.0, 1.0, 0, 0)))
    found = excursions(long, PRICES)
    assert rows(found, "min_price", "max_price") == [(95.0, 130.0)]
    assert rows(found, "mae", "mfe") == [(pytest.approx(0.05), pytest.approx(0.3))]
    short = trips(made_fills((1, "SELL", 100.0, 1.0, 0, 0), (3, "BUY", 110.0, 1.0, 0, 0)))
    assert rows(excursions(short, PRICES), "mae", "mfe") == [(pytest.approx(0.3), pytest.approx(0.05))]


def test_the_bar_of_a_stop_does_not_count_whole() -> None:
    """A fill on a bar's path bears the bar's end; where in the bar it was is not known."""
    fills = made_fills((1, "BUY", 100.0, 1.0, 0, 0), (3, "SELL", 97.0, 1.0, 0, 0))
    stopped = trips(fills.with_columns(phase=pl.Series(["OPEN", "PATH"])))
    assert rows(excursions(stopped, PRICES), "min_price", "max_price") == [(95.0, 105.0)]


def test_a_trip_inside_a_bar_and_one_without_prices() -> None:
    fills = made_fills((1.2, "BUY", 100.0, 1.0, 0, 0), (1.6, "SELL", 103.0, 1.0, 0, 0))
    table = trips(fills)
    assert rows(excursions(table, PRICES), "mae", "mfe") == [(0.0, pytest.approx(0.03))]
    assert rows(excursions(table, bars((1.0, 2.0), symbol="X:B")), "mae", "mfe") == [
        (0.0, pytest.approx(0.03))
    ]
    assert excursions(trips(made_fills()), PRICES).is_empty()


def test_a_trip_until_the_last_bar() -> None:
    fills = made_fills((1, "BUY", 100.0, 1.0, 0, 0), (9, "SELL", 103.0, 1.0, 0, 0))
    assert rows(excursions(trips(fills), PRICES), "min_price", "max_price") == [(1.0, 999.0)]
