"""A journal as one Parquet file, as `data export` writes it: the same events, readable by everything."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl

from tradectl.core.codes import EventKind
from tradectl.core.event import empty_events
from tradectl.engine.journal import JournalMeta
from tradectl.engine.ports import Events
from tradectl.errors import DataError
from tradectl.history.export import JOURNAL_META

__all__ = ["JournalTable"]

INTEGERS = ("side", "flags", "aux", "w0", "w1", "w2", "w3", "w4")
BATCH = 1 << 20  # rows read at a time


class JournalTable:
    """The events of an exported journal; `meta` is the journal's own."""

    def __init__(self, path: Path) -> None:
        self.paths = [path]
        try:
            about = pl.read_parquet_metadata(path).get(JOURNAL_META)
            rows = pl.scan_parquet(path).select(pl.len()).collect().item()
        except (OSError, pl.exceptions.PolarsError) as error:
            raise DataError(f"{path} cannot be read as Parquet ({error})") from error
        if about is None:
            hint = "`tradectl data export RUN --out FILE.parquet` writes one"
            raise DataError(f"{path} is no exported journal: its head has no {JOURNAL_META}", hint=hint)
        self.meta = replace(JournalMeta.from_json(about), events=int(rows))

    def chunks(self, max_rows: int = 65_536) -> Iterator[Events]:
        """Yield all events in their order, at most `max_rows` at a time."""
        table = pl.scan_parquet(self.paths[0])
        index = {one.id: k for k, one in enumerate(self.meta.instruments)}
        for start in range(0, self.meta.events or 0, BATCH):
            rows = table.slice(start, BATCH).collect()
            if rows["sequence"][0] != start or rows["sequence"][-1] != start + len(rows) - 1:
                raise DataError(f"{self.paths[0]}: its rows are not in the order of the journal (column sequence)")
            events = _events(rows, index)
            for low in range(0, len(events), max_rows):
                yield events[low : low + max_rows]


def _events(rows: pl.DataFrame, index: dict[str, int]) -> Events:
    made = empty_events(len(rows))
    for name in ("ts_event", "ts_recv"):
        made[name] = rows[name].cast(pl.Int64).to_numpy()
    codes: dict[str, Any] = {kind.name: int(kind) for kind in EventKind}
    made["kind"] = rows["kind"].replace_strict(codes, return_dtype=pl.UInt8).to_numpy()
    made["instrument"] = rows["instrument"].replace_strict(index, default=0, return_dtype=pl.UInt16).to_numpy()
    for name in INTEGERS:
        made[name] = rows[name].to_numpy().astype(made.dtype[name], copy=False)
    return made
