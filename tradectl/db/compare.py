"""Two runs row by row: what is on disk against what a new fold gives; the first difference has a name."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from tradectl.db.spool import Spool
from tradectl.db.tables import OPTIONAL, TABLES, Names
from tradectl.errors import StoreError

__all__ = ["Difference", "compare_frames", "compare_tables"]

SLICE = 262_144  # rows compared at a time


@dataclass(frozen=True)
class Difference:
    """The first place where two runs differ: table, row (from 0), column, and both values as text."""

    table: str
    row: int
    column: str
    stored: str
    now: str
    key: str = ""

    def __str__(self) -> str:
        where = f"{self.table}, row {self.row:,}" + (f" ({self.key})" if self.key else "")
        return f"{where}: {self.column} was {self.stored}, is now {self.now}"


def compare_frames(table: str, stored: pl.DataFrame, now: pl.DataFrame, offset: int = 0) -> Difference | None:
    """Return the first difference of two tables, in the order of rows, then columns."""
    if stored.schema != now.schema:
        return _schema_difference(table, stored, now)
    if stored.height == now.height and stored.equals(now):
        return None
    both = min(stored.height, now.height)
    first, column = both, ""
    for name in now.columns:
        differs = stored[name][:both].ne_missing(now[name][:both]).arg_true()
        if len(differs) and int(differs[0]) < first:
            first, column = int(differs[0]), name
    if not column:
        then, here = f"{offset + stored.height:,}", f"{offset + now.height:,}"
        return Difference(table, offset + both, "number of rows", then, here)
    key = now.columns[0]
    return Difference(
        table, offset + first, column, str(stored[column][first]), str(now[column][first]),
        f"{key} {stored[key][first]}",
    )  # fmt: skip


def _schema_difference(table: str, stored: pl.DataFrame, now: pl.DataFrame) -> Difference:
    for name in dict.fromkeys((*now.columns, *stored.columns)):
        then, here = stored.schema.get(name), now.schema.get(name)
        if then != here:
            return Difference(table, 0, f"type of column {name}", str(then), str(here))
    return Difference(table, 0, "order of columns", ", ".join(stored.columns), ", ".join(now.columns))


def _stored(path: Path) -> pl.LazyFrame:
    if not path.is_file():
        raise StoreError(f"{path.parent} has no {path.name}")
    return pl.scan_parquet(path)


def compare_tables(folder: Path, spool: Spool, names: Names, positions: pl.DataFrame) -> Iterator[Difference]:
    """Yield the first difference of each table of a run folder against a new fold's rows."""
    for kind, make in TABLES.items():
        if kind in OPTIONAL and not spool.counts[kind] and not (folder / f"{kind}.parquet").exists():
            continue
        try:
            found = _compare_spool(_stored(folder / f"{kind}.parquet"), kind, spool, make, names)
        except pl.exceptions.PolarsError as error:
            raise StoreError(f"{folder / kind}.parquet cannot be read ({error})") from error
        if found is not None:
            yield found
    try:
        stored = _stored(folder / "positions.parquet").collect()
    except pl.exceptions.PolarsError as error:
        raise StoreError(f"{folder}/positions.parquet cannot be read ({error})") from error
    found = compare_frames("positions", stored, positions)
    if found is not None:
        yield found


def _compare_spool(
    stored: pl.LazyFrame, kind: str, spool: Spool, make: Any, names: Names
) -> Difference | None:
    offset = 0
    for rows in spool.read(kind, SLICE):
        now = make(rows, names)
        found = compare_frames(kind, stored.slice(offset, len(rows)).collect(), now, offset)
        if found is not None:
            return found
        offset += len(rows)
    total = int(stored.select(pl.len()).collect().item())
    if total != offset:
        return Difference(kind, offset, "number of rows", f"{total:,}", f"{offset:,}")
    return None
