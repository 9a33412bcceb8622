"""`data export`: events to Parquet or CSV, with their words decoded into named columns."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
from polars.io.plugins import register_io_source

from tradectl.core.codes import EventFlag, EventKind, MarketStatus
from tradectl.core.event import empty_events
from tradectl.core.instrument import Instrument
from tradectl.engine.journal import JournalMeta
from tradectl.errors import ConfigError
from tradectl.history.grid import nearest_floats
from tradectl.history.stamps import format_timeframe
from tradectl.history.writer import write_atomically

__all__ = ["JOURNAL_META", "decode", "export_events", "write_frames"]

JOURNAL_META = "tradectl.journal"  # key in a Parquet file's head

PRICE_WORDS = ("open", "high", "low", "close")


def decode(
    events: npt.NDArray[Any],
    instruments: Sequence[Instrument],
    timeframes_ns: Sequence[int],
    sequence: int = 0,
    raw: bool = False,
) -> pl.DataFrame:
    """Return a frame of events in their order; `sequence` is the first one's position.

    Columns: stamps, kind, instrument, timeframe, flags; prices and volume of bars in units; of other kinds
    the raw words w0..w4, and the name of a STATUS. With `raw` the words of all kinds and `aux` too, so that nothing
    is lost.
    """
    n = len(events)
    kind, index = events["kind"], events["instrument"].astype(np.int64)
    bar = kind == EventKind.BAR
    steps = [(*one.tick_size.as_integer_ratio(), *one.lot_size.as_integer_ratio()) for one in instruments]
    grid = np.array(steps or [(1, 1, 1, 1)], np.float64)
    tick, ticks, lot, lots = grid[np.minimum(index, len(grid) - 1)].T
    kinds = {int(k): k.name for k in EventKind}
    frames = dict(enumerate(format_timeframe(t) for t in timeframes_ns))
    ids = dict(enumerate(i.id for i in instruments))
    frame = pl.DataFrame(
        {
            "sequence": np.arange(sequence, sequence + n),
            "ts_event": events["ts_event"].copy(),
            "ts_recv": events["ts_recv"].copy(),
            "kind": kind.astype(np.int64),
            "instrument": index,
            "timeframe": np.where(bar, events["aux"].astype(np.int64), -1),
            "side": events["side"].astype(np.int64),
            "flags": events["flags"].astype(np.int64),
        }
    )
    columns = []
    for word, name in zip(("w0", "w1", "w2", "w3"), PRICE_WORDS, strict=True):
        columns.append(pl.Series(name, nearest_floats([events[word], tick], [ticks])))
    columns.append(pl.Series("volume", nearest_floats([events["w4"], lot], [lots])))
    words = [pl.Series(f"w{k}", events[f"w{k}"].copy()) for k in range(5)]
    status = pl.Series("status", np.where(kind == EventKind.STATUS, events["w0"], -1))
    is_bar, unknown = pl.Series(bar), pl.Series(bar & (events["w4"] < 0))
    shown = frame.with_columns(columns).with_columns(
        [pl.when(is_bar).then(pl.col(name)).alias(name) for name in PRICE_WORDS]
        + [pl.when(is_bar & ~unknown).then(pl.col("volume")).alias("volume")]
        + [word if raw else pl.when(~is_bar).then(word).alias(word.name) for word in words]
        + [pl.Series("aux", events["aux"].astype(np.int64))] * raw
    )
    statuses = {int(s): s.name for s in MarketStatus}
    return shown.with_columns(
        pl.col("ts_event", "ts_recv").cast(pl.Datetime("ns", "UTC")),
        pl.col("kind").replace_strict(kinds, default="UNKNOWN", return_dtype=pl.String),
        pl.col("instrument").replace_strict(ids, default=None, return_dtype=pl.String),
        pl.col("timeframe").replace_strict(frames, default=None, return_dtype=pl.String),
        status.replace_strict(statuses, default=None, return_dtype=pl.String).alias("status"),
        ((pl.col("flags") & int(EventFlag.LAST)) > 0).alias("last"),
    )


def export_events(
    chunks: Iterable[npt.NDArray[Any]],
    instruments: Sequence[Instrument],
    timeframes_ns: Sequence[int],
    out: Path,
    meta: JournalMeta | None = None,
) -> int:
    """Write events to `out`, a .parquet or .csv file; return how many.

    With the `meta` of the journal that they come from, a Parquet file is itself a journal (`kind: journal`).
    """
    written = 0
    raw = meta is not None and out.suffix == ".parquet"

    def frames() -> Iterable[pl.DataFrame]:
        nonlocal written
        for chunk in chunks:
            yield decode(chunk, instruments, timeframes_ns, written, raw)
            written += len(chunk)

    about = {JOURNAL_META: meta.to_json()} if meta is not None else None
    write_frames(out, frames(), decode(empty_events(0), [], [], raw=raw), about)
    return written


def write_frames(
    out: Path, frames: Iterable[pl.DataFrame], empty: pl.DataFrame, about: dict[str, str] | None = None
) -> None:
    """Stream frames into one .parquet or .csv file, which appears when it is whole; `empty` gives the columns.

    `about` is kept in the head of a Parquet file.
    """
    if out.suffix == ".csv":
        write_atomically(out, lambda path: _csv(path, chain([empty], frames)))
    elif out.suffix == ".parquet":
        write_atomically(out, lambda path: _parquet(path, frames, empty, about))
    else:
        raise ConfigError(f"{out.name}: unknown kind of file", hint="valid: .parquet, .csv")


def _csv(path: Path, frames: Iterable[pl.DataFrame]) -> None:
    with path.open("wb") as stream:
        for number, frame in enumerate(frames):
            text = io.BytesIO()
            frame.write_csv(text, include_header=number == 0, datetime_format="%Y-%m-%dT%H:%M:%S%.fZ")
            stream.write(text.getvalue())


def _parquet(
    path: Path, frames: Iterable[pl.DataFrame], empty: pl.DataFrame, about: dict[str, str] | None
) -> None:
    """Stream frames into one file; Polars pulls them one by one."""

    def source(columns: Any, predicate: Any, rows: Any, size: Any) -> Iterator[pl.DataFrame]:
        del predicate, rows, size  # a sink asks for all rows
        for frame in chain([empty], frames):
            yield frame if columns is None else frame.select(columns)

    lazy = register_io_source(source, schema=empty.schema)
    lazy.sink_parquet(path, compression="zstd", maintain_order=True, metadata=about)
