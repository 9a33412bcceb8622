"""Resampling: bars to coarser ones, by buckets that start at multiples of the timeframe since 1970 UTC."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from tradectl.errors import ConfigError, DataError
from tradectl.history.first_bars import partial_firsts
from tradectl.history.importing import names_of, windowed
from tradectl.history.model import DataBlock, InstrumentSpec
from tradectl.history.open import open_history
from tradectl.history.rows import Rows, concat_rows
from tradectl.history.stamps import MONTH_NS, format_timeframe, parse_timeframe
from tradectl.history.stream import History
from tradectl.history.writer import Summary, Writer

__all__ = ["resample", "resample_data"]


def resample(
    batches: Iterator[Rows], source_ns: int, target_ns: int, *, keep_partial: bool = False
) -> Iterator[Rows]:
    """Yield bars of `target_ns` from sorted bars of `source_ns`; stamps are the buckets' exclusive ends.

    A bucket without bars gives none. The first bucket is kept even if the data begin inside it (see
    `first_bars`). The last one is partial if no bar ends with it: it is left out unless `keep_partial`.
    Origins are those of each bucket's first bar.
    """
    if target_ns % source_ns or target_ns >= MONTH_NS:
        message = f"{format_timeframe(target_ns)} is no whole multiple of {format_timeframe(source_ns)}"
        raise DataError(f"resample: {message}", hint="months and longer cannot be made")
    rest: list[Rows] = []
    for rows in batches:
        if not len(rows):
            continue
        whole = concat_rows([*rest, rows])
        ends = -(-whole.ts // target_ns) * target_ns
        done = int(np.searchsorted(ends, ends[-1]))  # the last bucket may go on in the next batch
        if done:
            yield _buckets(whole[:done], ends[:done])
        rest = [whole[done:]]
    if rest:
        end = -(-int(rest[0].ts[-1]) // target_ns) * target_ns
        if keep_partial or end - int(rest[0].ts[-1]) < source_ns:
            yield _buckets(rest[0], np.full(len(rest[0]), end))


def _buckets(rows: Rows, ends: np.ndarray[tuple[int], np.dtype[np.int64]]) -> Rows:
    starts = np.flatnonzero(np.diff(ends, prepend=ends[0] - 1))
    stops = np.append(starts[1:], len(ends)) - 1
    return Rows(
        ends[starts],
        rows.open[starts],
        np.maximum.reduceat(rows.high, starts),
        np.minimum.reduceat(rows.low, starts),
        rows.close[stops],
        np.add.reduceat(rows.volume, starts),
        rows.origin[starts],
    )


def resample_data(
    blocks: Sequence[DataBlock],
    timeframe: str,
    out: Path,
    specs: Mapping[str, InstrumentSpec] | None = None,
    *,
    keep_partial: bool = False,
    progress: Callable[[int], None] | None = None,
) -> tuple[Summary, History]:
    """Write the blocks' bars, resampled to `timeframe`, into the catalogue at `out`; return both.

    The opened history's report notes where the first bar made is partial.
    """
    target_ns = parse_timeframe(timeframe)
    if any(block.kind != "bars" for block in blocks):
        raise ConfigError("resample reads bars", hint="bars of trades and quotes are made in a run: `bars: [1m]`")
    history = open_history(blocks, specs or {})
    history.report.notes += partial_firsts(history, [target_ns])
    writer = Writer(out, progress)
    with writer.transaction():
        for source, loaded, names in names_of(history):
            bars = resample(windowed(source), source.timeframe_ns, target_ns, keep_partial=keep_partial)
            writer.add(names, target_ns, bars, loaded.log.actions["conflict"] == "drop")
    return writer.summary, history
