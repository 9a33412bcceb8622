"""Funding on disk, settled a second time: positions from the fills, amounts in Python integers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import polars as pl

from tradectl.db.rebuild import MAX_FAULTS, Market

__all__ = ["funding_of", "paid_atoms"]

PICO = 10**12
KEY = ["strategy", "symbol"]
COLUMNS = ["fill_id", "position_lots", "price_ticks", "rate_pico", "funding_atoms"]


def paid_atoms(market: Market, lots: int, price_ticks: int, rate_pico: int) -> int:
    """Return what a position pays (below 0: receives), atoms: the notional, then its share, each against the trader."""
    num, den = market.unit
    size, pays = abs(lots) * price_ticks * num, lots * rate_pico > 0
    notional = -(-size // den) if pays else size // den
    return -(-(notional if lots > 0 else -notional) * rate_pico // PICO)


def funding_of(
    folder: Path, markets: Mapping[str, Market]
) -> tuple[dict[tuple[str, str], int], list[str]]:
    """Return what each strategy's position in each instrument paid, atoms, and what is wrong with the rows on disk."""
    path, paid, faults = folder / "funding.parquet", dict[tuple[str, str], int](), list[str]()
    if not path.is_file():
        return paid, faults
    cast = [pl.col(name).cast(pl.String) for name in KEY]
    fills = pl.scan_parquet(folder / "fills.parquet").select(*cast, "fill_id", pl.col("position_lots").alias("held"))
    rows = pl.scan_parquet(path).select(*cast, *COLUMNS).with_row_index("row")
    joined = rows.sort("fill_id").join_asof(fills.sort("fill_id"), on="fill_id", by=KEY, check_sortedness=False)
    for row in joined.sort("row").collect().iter_rows(named=True):
        key = row["strategy"], row["symbol"]
        lots = row["position_lots"]
        wanted = paid_atoms(markets[row["symbol"]], lots, row["price_ticks"], row["rate_pico"])
        if lots != (row["held"] or 0):
            faults.append(f"funding row {row['row']}: {lots} lots, {row['held'] or 0} from the fills")
        if row["funding_atoms"] != wanted:
            faults.append(f"funding row {row['row']}: {row['funding_atoms']} atoms, {wanted} from rate and position")
        paid[key] = paid.get(key, 0) + row["funding_atoms"]
    return paid, faults[:MAX_FAULTS]
