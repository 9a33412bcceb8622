"""Spooled records to Parquet: in one piece where that is small, else streamed group by group."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import polars as pl

from tradectl.db.spool import KINDS, Spool
from tradectl.db.tables import OPTIONAL, TABLES, Names

__all__ = ["ONE_PIECE", "write_frame", "write_tables"]

ONE_PIECE = 1 << 25  # bytes of records up to which a table is written at once
GROUP = 131_072  # rows of a row group
COMPRESSION: Literal["lz4"] = "lz4"  # half the time of zstd at nine tenths of the saving


def write_frame(frame: pl.DataFrame, path: Path) -> None:
    """Write one table."""
    frame.write_parquet(path, compression=COMPRESSION, row_group_size=GROUP * 8, statistics=False)


def write_tables(spool: Spool, names: Names, folder: Path, kinds: Sequence[str] = tuple(TABLES)) -> None:
    """Write the tables of a spool (or some of them) as Parquet files; optional ones only where they have rows."""
    for kind in kinds:
        make = TABLES[kind]
        path = folder / f"{kind}.parquet"
        n = spool.counts[kind]
        if n == 0 and kind in OPTIONAL:
            continue
        if n * KINDS[kind].itemsize <= ONE_PIECE:
            rows = next(spool.read(kind, max(n, 1)), np.zeros(0, KINDS[kind]))
            write_frame(make(rows, names), path)
        else:
            _stream(spool, kind, names, path)


def _stream(spool: Spool, kind: str, names: Names, path: Path) -> None:
    """Write a long table without ever holding it."""
    from polars.io.plugins import register_io_source

    make = TABLES[kind]

    def frames(
        with_columns: list[str] | None, predicate: Any, n_rows: int | None, _batch: int | None
    ) -> Iterator[pl.DataFrame]:
        for rows in spool.read(kind, GROUP):
            frame = make(rows, names)
            frame = frame if with_columns is None else frame.select(with_columns)
            yield frame if predicate is None else frame.filter(predicate)

    schema = make(np.zeros(0, KINDS[kind]), names).schema
    source = register_io_source(frames, schema=schema)
    source.sink_parquet(path, compression=COMPRESSION, row_group_size=GROUP, statistics=False)
