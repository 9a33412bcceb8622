"""Funding on disk is settled a second time: what is off by an atom or a lot is told."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tradectl.db.rebuild import Market
from tradectl.db.rebuild_funding import funding_of, paid_atoms

MARKET = Market("T:X", "USD", "X", Decimal("0.0001"), Decimal("0.00001"), 0, 0, 20_000)
ROW = {"strategy": "a", "symbol": "T:X", "fill_id": 3, "position_lots": 3, "price_ticks": 10_001}


@pytest.mark.parametrize(
    ("lots", "rate", "atoms"),
    [(3, 10**8, 1), (-3, 5 * 10**8, -1), (3, -5 * 10**8, -1), (-3, -(10**8), 1), (0, 10**8, 0)],
)
def test_each_rounding_is_against_the_trader(lots: int, rate: int, atoms: int) -> None:
    assert paid_atoms(MARKET, lots, 10_001, rate) == atoms


def folder(path: Path, **changed: Any) -> Path:
    fills = {"strategy": ["a", "b", "a"], "symbol": ["T:X"] * 3, "fill_id": [1, 2, 5], "position_lots": [3, 9, 0]}
    pl.DataFrame(fills).write_parquet(path / "fills.parquet")
    row = {**ROW, "rate_pico": 10**8, "funding_atoms": 1, **changed}
    pl.DataFrame([row]).write_parquet(path / "funding.parquet")
    return path


def test_sound_funding_adds_up(tmp_path: Path) -> None:
    assert funding_of(folder(tmp_path), {"T:X": MARKET}) == ({("a", "T:X"): 1}, [])
    (tmp_path / "funding.parquet").unlink()
    assert funding_of(tmp_path, {"T:X": MARKET}) == ({}, [])


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"funding_atoms": 2}, "2 atoms, 1 from rate and position"),
        ({"position_lots": 4}, "4 lots, 3 from the fills"),
        ({"fill_id": 0}, "3 lots, 0 from the fills"),
        ({"fill_id": 5}, "3 lots, 0 from the fills"),
    ],
)
def test_a_difference_is_told(tmp_path: Path, changed: dict[str, int], told: str) -> None:
    _, faults = funding_of(folder(tmp_path, **changed), {"T:X": MARKET})
    assert told in faults[0]
