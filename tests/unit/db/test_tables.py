"""Rows to Parquet and back; the second audit finds every tampered figure."""

from __future__ import annotations

import shutil
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from tests.parity.helpers import small_run, write_config
from tradectl.cli.runner import RunResult
from tradectl.cli.runner_fold import Folded, ledger_rows, start_fold
from tradectl.cli.runner_write import markets_of
from tradectl.config.load import load_config
from tradectl.config.wire import wire
from tradectl.core.layout import EQUITY, ORDER
from tradectl.db import parquet
from tradectl.db.audit import audit_fills
from tradectl.db.compare import compare_frames
from tradectl.db.snapshot import read_snapshot, snapshot_bytes
from tradectl.db.spool import Spool
from tradectl.db.tables import Names
from tradectl.engine.state import State
from tradectl.errors import InvariantViolation, StoreError
from tradectl.history.grid import nearest_floats


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[RunResult, Folded]:
    folder = tmp_path_factory.mktemp("tables")
    result = small_run(folder)
    folded = start_fold(wire(load_config(write_config(folder), env={})), folder / "spool")
    folded.run(lambda _stage, _done=0, _total=None: None)
    return result, folded


def test_the_tables_read_well(made: tuple[RunResult, Folded]) -> None:
    run = made[0].run_dir
    fills = pl.read_parquet(run / "fills.parquet")
    assert fills.schema["ts"] == pl.Datetime("ns", "UTC")
    assert set(fills["symbol"].cast(pl.String)) == {"LOCAL:AAA/USD", "LOCAL:BBB/USD"}
    assert set(fills["side"].cast(pl.String)) == {"BUY", "SELL"}
    assert fills["price"].to_list() == [ticks / 100 for ticks in fills["price_ticks"]]
    assert fills["qty"].to_list() == [lots / 1000 for lots in fills["qty_lots"]]
    assert fills["fee"].to_list() == [atoms / 1e8 for atoms in fills["fee_atoms"]]
    assert fills["strategy"].cast(pl.String).unique().to_list() == ["rsi_reversion"]
    orders = pl.read_parquet(run / "orders.parquet")
    market = orders.filter(pl.col("order_type") == "MARKET")
    assert market["limit"].null_count() == market.height
    assert orders.filter(pl.col("filled_lots") == 0)["avg_price"].null_count() > 0
    one = orders.filter((pl.col("status") == "FILLED") & (pl.col("n_fills") == 1)).row(0, named=True)
    match = fills.filter(pl.col("order_id") == one["order_id"]).row(0, named=True)
    assert one["avg_price"] == match["price"]
    equity = pl.read_parquet(run / "equity.parquet")
    assert equity.height == 3000
    assert equity["ts"].is_sorted()
    assert equity["equity"][-1] == made[0].summary["final_equity"]


def test_floats_are_the_nearest_to_their_decimals() -> None:
    ticks = np.array([1, 3, 7, -3, 966_661, 2**53 - 1, 2**60 + 1])
    for size in ("0.1", "0.01", "0.25", "0.3", "12.5", "0.00000007"):
        step = Decimal(size)
        names = Names(["A"], ["s"], ["USD"], np.array([(*step.as_integer_ratio(), 1, 1000)], np.float64))
        prices = names.price(ticks, np.zeros(len(ticks), np.int64))
        assert prices.tolist() == [float(Fraction(int(k)) * Fraction(step)) for k in ticks], size
    atoms = np.array([2**53 + 1, 12_345_678_901_234_567, 9_007_199_254_740_993_000])
    assert nearest_floats([atoms], [10**8]).tolist() == [int(one) / 10**8 for one in atoms]


def test_an_average_price_is_told_without_noise() -> None:
    rows = np.zeros(5, ORDER)
    rows["filled_lots"] = [3, 4, 1_234_567, 3, 0]
    rows["n_fills"] = [1, 2, 3, 1, 0]
    exact = Names(["A"], ["s"], ["USD"], np.array([(1, 10, 1, 1)], np.float64))
    rows["notional_atoms"] = [9 * 10**7, 2 * 11 * 10**7 + 2 * 12 * 10**7, 0, 10**8, 0]
    assert exact.average(rows).tolist()[:2] == [0.3, 1.15]  # three at 0.3; two at 1.1 and two at 1.2
    assert np.isnan(exact.average(rows)[4])
    fine = Names(["A"], ["s"], ["USD"], np.array([(1, 100_000, 1, 10**8)], np.float64))  # 1e-5 atoms a tick and lot
    rows["notional_atoms"] = [37, 0, 45_879_253_222, 0, 0]  # 36.99999 and 45,879,253,224.17, in atoms
    assert fine.average(rows).tolist()[0] == 12.33333
    assert fine.average(rows).tolist()[2] == 37162.22224


def test_long_tables_are_streamed_alike(
    made: tuple[RunResult, Folded], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, folded = made
    names = Names.of(folded.state)
    (tmp_path / "one").mkdir()
    (tmp_path / "many").mkdir()
    parquet.write_tables(folded.spool, names, tmp_path / "one")
    monkeypatch.setattr(parquet, "ONE_PIECE", 1000)
    monkeypatch.setattr(parquet, "GROUP", 64)
    parquet.write_tables(folded.spool, names, tmp_path / "many")
    for kind in ("orders", "fills", "equity"):
        one, many = (pl.read_parquet(tmp_path / place / f"{kind}.parquet") for place in ("one", "many"))
        assert one.equals(many)
        assert one.schema == many.schema


def test_a_spool_gives_back_what_it_took(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool")
    rows = np.zeros(1000, EQUITY)
    rows["ts_event"] = np.arange(1000)
    for start in range(0, 1000, 37):
        spool.rows("equity", rows[start : start + 37])
    parts = list(spool.read("equity", 100))
    assert [len(part) for part in parts] == [100] * 10
    assert np.concatenate(parts).tobytes() == rows.tobytes()
    assert list(spool.read("fills", 10)) == []
    spool.close()
    assert not (tmp_path / "spool").exists()


def audit(folder: Path, folded: Folded) -> int:
    final = int(folded.state.engine[0]["equity_atoms"])
    return audit_fills(folder, markets_of(folded.state), ledger_rows(folded), final)


def test_the_second_audit_agrees(made: tuple[RunResult, Folded]) -> None:
    assert audit(made[0].run_dir, made[1]) == made[0].summary["fills"]


@pytest.mark.parametrize(
    ("table", "column", "message"),
    [
        ("fills", "price_ticks", "notional"),
        ("fills", "qty_lots", "notional"),
        ("fills", "fee_atoms", "fee"),
        ("fills", "realised_atoms", "realised"),
        ("fills", "notional_atoms", "notional"),
        ("fills", "position_lots", "position"),
        ("positions", "cost_atoms", "cost_atoms"),
        ("positions", "qty_lots", "qty_lots"),
        ("positions", "fees_atoms", "fees_atoms"),
    ],
)
def test_one_atom_more_is_found(
    made: tuple[RunResult, Folded], tmp_path: Path, table: str, column: str, message: str
) -> None:
    folder = Path(shutil.copytree(made[0].run_dir, tmp_path / "run"))
    path = folder / f"{table}.parquet"
    frame = pl.read_parquet(path)
    last = pl.int_range(pl.len()) == frame.height - 1
    frame.with_columns(pl.col(column) + last.cast(pl.Int64)).write_parquet(path)
    with pytest.raises(InvariantViolation, match=message):
        audit(folder, made[1])


def test_a_fill_that_is_missing_is_found(made: tuple[RunResult, Folded], tmp_path: Path) -> None:
    folder = Path(shutil.copytree(made[0].run_dir, tmp_path / "run"))
    path = folder / "fills.parquet"
    pl.read_parquet(path)[:-1].write_parquet(path)
    with pytest.raises(InvariantViolation, match=r"from the fills|the row says"):
        audit(folder, made[1])


def test_other_ledgers_and_equity_are_found(made: tuple[RunResult, Folded]) -> None:
    result, folded = made
    markets, final = markets_of(folded.state), int(folded.state.engine[0]["equity_atoms"])
    with pytest.raises(InvariantViolation, match="equity"):
        audit_fills(result.run_dir, markets, ledger_rows(folded), final + 1)
    for name in ("balance_atoms", "fees_atoms", "realised_atoms", "initial_atoms"):
        changed = [dict(row) for row in ledger_rows(folded)]
        changed[0][name] += 1
        with pytest.raises(InvariantViolation, match=r"USD|equity"):
            audit_fills(result.run_dir, markets, changed, final)


def test_a_snapshot_is_the_state(made: tuple[RunResult, Folded], tmp_path: Path) -> None:
    result, folded = made
    found = read_snapshot(result.run_dir / "snapshots" / "final.tcs")
    state = State(folded.wired.spec)
    state.restore(found.parts)
    assert state.hash() == found.hash == result.summary["state_hash"]
    path = tmp_path / "x.tcs"
    for content, message in (
        (b"", "not a readable snapshot"),
        (snapshot_bytes(state)[:-1], "bytes of state"),
        (b'{"layout": "x", "hash": "", "sizes": {}, "events": 0}\n', "a snapshot of layout x"),
    ):
        path.write_bytes(content)
        with pytest.raises(StoreError, match=message):
            read_snapshot(path)


@pytest.mark.parametrize(
    ("stored", "now", "text"),
    [
        ({"k": [1, 2], "x": [1, 2]}, {"k": [1, 2], "x": [1, 3]}, "t, row 1 (k 2): x was 2, is now 3"),
        ({"k": [1, 2], "x": [1, None]}, {"k": [1, 2], "x": [1, 0]}, "t, row 1 (k 2): x was None, is now 0"),
        ({"k": [1], "x": [1]}, {"k": [1, 2], "x": [1, 3]}, "t, row 1: number of rows was 1, is now 2"),
        ({"k": [9, 2], "x": [7, 0]}, {"k": [9, 3], "x": [8, 0]}, "t, row 0 (k 9): x was 7, is now 8"),
        ({"k": [1]}, {"k": ["a"]}, "t, row 0: type of column k was Int64, is now String"),
        ({"k": [1]}, {"k": [1], "x": [1]}, "t, row 0: type of column x was None, is now Int64"),
        ({"k": [1], "x": [1]}, {"k": [1], "x": [1]}, None),
    ],
)
def test_the_first_difference_has_a_name(
    stored: dict[str, list[int]], now: dict[str, list[int]], text: str | None
) -> None:
    found = compare_frames("t", pl.DataFrame(stored), pl.DataFrame(now))
    assert (None if found is None else str(found)) == text
