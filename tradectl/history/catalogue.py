"""The catalogue: bars as hive-partitioned Parquet, and `catalogue.json`, which alone says what is in it.

    <root>/catalogue.json
    <root>/kind=bars/timeframe=1m/venue=BITFINEX/symbol=BTC-USD/year=2017/<hash>.parquet

Columns: ts (the bar's exclusive end, ns UTC), open, high, low, close, volume (float64, as in the source,
so that nothing is lost to a grid chosen at import). Part files are never changed: an import writes new
ones, replaces `catalogue.json` in one step, then removes those that it no longer names.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np

from tradectl.errors import ConfigError, DataError, nearest
from tradectl.history import profiles, stamps
from tradectl.history.faults import FaultLog
from tradectl.history.files import CATALOGUE, Place
from tradectl.history.grid import MOST, Steps
from tradectl.history.model import DataBlock, Gap, InstrumentSpec, actions_for
from tradectl.history.plan import Loaded, gap_after, key_of, refuse_absent, wanted
from tradectl.history.reader import SourceFile, binary_batches
from tradectl.history.rows import FILE_SHIFT, Budget, Rows
from tradectl.history.source import Judge, Part, Source, slice_rows
from tradectl.history.stamps import StampFormat

__all__ = ["COLUMNS", "SCHEMA", "load_catalogue", "minima", "of_venue", "part_batches", "part_file", "read_index"]

SCHEMA = 1
ROW_GROUP = 65_536  # rows
COLUMNS = ("ts", "open", "high", "low", "close", "volume")
FIELDS = ("timestamp", *COLUMNS[1:])


def read_index(root: Path) -> dict[str, Any]:
    """Return a catalogue's index; a folder without one gives an empty index."""
    path = root / CATALOGUE
    if not path.exists():
        return {"schema": SCHEMA, "series": {}}
    try:
        index = json.loads(path.read_text())
        version = index["schema"]
        index["series"]
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise DataError(f"{path}: not a readable catalogue ({error})") from error
    if version != SCHEMA:
        raise DataError(f"{path}: schema {version}, this version reads {SCHEMA}")
    return dict(index)


def _steps(parts: Sequence[Mapping[str, Any]], key: str) -> Steps:
    """Add up the stored counts of parts; row numbers get their file's index."""
    whole = Steps()
    for index, part in enumerate(parts):
        stored = part[key]
        first = [[((index << FILE_SHIFT) + row, text) for row, text in found] for found in stored["first"]]
        whole.merge(Steps(None, stored["rows"], stored["highest"], stored["lowest"], stored["off"], first))
    assert len(whole.off) == MOST + 1
    return whole


def part_file(folder: Path, part: Mapping[str, Any], index: int) -> SourceFile:
    """Return how a part is read; raise DataError if it is not the file that was written."""
    path = folder / part["file"]
    if not path.is_file() or path.stat().st_size != part["size"]:
        raise DataError(f"{path}: missing or changed since it was imported", hint="import its data again")
    at = {
        key: part["columns"].index(name)
        for key, name in zip(FIELDS, COLUMNS, strict=True)
        if name in part["columns"]
    }
    return SourceFile(
        place=Place(path), profile=profiles.PROFILES["ohlcv"], header=tuple(part["columns"]), at=at,
        form=StampFormat(), separator=",", skip=0, symbol="", timeframe_ns=0, index=index,
    )  # fmt: skip


def part_batches(file: SourceFile, streams: int) -> Iterator[Rows]:
    """Yield a part's rows, without checks: they were made when it was written."""
    row = 1 + (file.index << FILE_SHIFT)
    for frame in binary_batches(file, slice_rows(streams)):
        n = frame.height
        columns = [frame[key].to_physical().rechunk().to_numpy() for key in FIELDS if key in file.at]
        volume = columns[5] if "volume" in file.at else np.full(n, np.nan)
        yield Rows(
            columns[0], columns[1], columns[2], columns[3], columns[4], volume, np.arange(row, row + n)
        )
        row += n


def load_catalogue(
    block: DataBlock,
    specs: Mapping[str, InstrumentSpec],
    _budget: Budget,
    strict: bool,
    _progress: Callable[[int], None] | None,
) -> Loaded:
    """Return the sources of a block whose source is a catalogue: nothing is read but its index."""
    root = Path(block.sources[0])
    if block.profile or block.mapping or block.session or block.stamp:
        raise ConfigError(
            "data: a catalogue needs no profile, mapping, session or stamp: they were applied at import"
        )
    series = _bars_of(root)
    chosen = _chosen(root, series, block, specs)
    files: list[SourceFile] = []
    loaded = Loaded(block, FaultLog(actions_for(block.on_error), files, strict, block.span))
    for folder in chosen:
        try:
            source = _source(block, series[folder], root / folder, files)
        except (KeyError, TypeError, IndexError) as error:
            raise DataError(f"{root / CATALOGUE}: {folder} is not complete ({error!r})") from error
        loaded.sources.append(source)
        count = series[folder]
        log = loaded.log
        if block.has_window:  # the index counts over the whole series
            _look(source, log)
            continue
        origin = source.files[0].index << FILE_SHIFT
        log.add("gap", source.id, count["gap_count"], [(origin, f"{count['missing_bars']} bars are missing")])
        log.add("jump", source.id, count["jumps"], [(origin, "see data check on the source")])
    loaded.paths = [root / CATALOGUE, *(file.place.path for file in files)]
    return loaded


def _look(source: Source, log: FaultLog) -> None:
    """Count what the block's window of a series holds."""
    judge = Judge(source, log)
    for rows in source.stream(1, log.span[0] - 1, log.span[1] - 1):
        judge.feed(rows)
    judge.tell(source, log)


def _bars_of(root: Path) -> dict[str, Any]:
    """Return the index's series of bars; DataError if it has none."""
    index = read_index(root)
    if not index["series"]:
        kinds = sorted({kind for entry in index.get("ticks", {}).values() for kind in entry["kinds"]})
        hint = f"set kind: book; it has {', '.join(kinds)}" if kinds else "it is empty: import data first"
        raise DataError(f"{root}: the catalogue holds no bars", hint=hint)
    return dict(index["series"])


def _chosen(
    root: Path, series: Mapping[str, Any], block: DataBlock, specs: Mapping[str, InstrumentSpec]
) -> list[str]:
    """Return the folders of the series that the block asks for; each symbol in one timeframe."""
    keys = wanted(block, specs)
    asked = stamps.parse_timeframe(block.timeframe) if block.timeframe else None
    frames = {entry["timeframe_ns"] for entry in series.values()}
    if asked is not None and asked not in frames:
        there = ", ".join(stamps.format_timeframe(t) for t in sorted(frames))
        raise DataError(f"{root}: no bars of timeframe {block.timeframe}", hint=f"there is {there}")
    if asked is None and len(frames) > 1:
        there = ", ".join(stamps.format_timeframe(t) for t in sorted(frames))
        raise DataError(f"{root}: bars of several timeframes", hint=f"set data.timeframe (--timeframe): {there}")
    left = of_venue(root, block, {k: one for k, one in series.items() if asked in (None, one["timeframe_ns"])})
    refuse_absent(root, block, specs, {entry["symbol"] for entry in left.values()})
    return [folder for folder, entry in sorted(left.items()) if keys is None or key_of(entry["symbol"]) in keys]


def of_venue(root: Path, block: DataBlock, series: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the series of the venue that the block asks for; DataError if it has none."""
    venue = (block.venue or "").upper()
    left = {folder: entry for folder, entry in series.items() if venue in ("", entry["venue"])}
    if not left:
        there = {entry["venue"] for entry in series.values()}
        raise DataError(f"{root}: no rows of venue {block.venue}", hint=nearest(venue, there))
    return left


def _source(block: DataBlock, entry: Mapping[str, Any], folder: Path, files: list[SourceFile]) -> Source:
    """Make a series' source; its files are added to `files`."""
    parts = [entry["parts"][key] for key in sorted(entry["parts"])]
    source = Source(
        block,
        entry["venue"],
        entry["symbol"],
        entry["base"],
        entry["quote"],
        entry["timeframe_ns"],
        [],
        gap_ns=gap_after(entry["timeframe_ns"], entry["quote"]),
        clean=True,
    )
    source.prices, source.volumes = _steps(parts, "prices"), _steps(parts, "volumes")
    for part in parts:
        file = part_file(folder, part, len(files))
        files.append(file)
        source.files.append(file)
        source.parts.append(_part(file, part))
        source.rows += part["rows"]
        source.zero_volume += part["zero_volume"]
    offset = source.files[0].index << FILE_SHIFT
    for steps in (source.prices, source.volumes):
        steps.first = [[(origin + offset, text) for origin, text in found] for found in steps.first]
    source.rows_read = source.rows
    source.first_ns, source.last_ns = parts[0]["first_ns"], parts[-1]["last_ns"]
    source.used, source.used_first_ns, source.used_last_ns = source.rows, source.first_ns, source.last_ns
    source.gap_count, source.missing_bars = entry["gap_count"], entry["missing_bars"]
    source.gaps = [Gap(source.id, *gap) for gap in entry["gaps"]]
    source.tick_size = Decimal(entry["tick_size"]) if entry.get("tick_size") else None
    source.lot_size = Decimal(entry["lot_size"]) if entry.get("lot_size") else None
    source.min_qty, source.min_notional = minima(entry)
    source.given_by = "catalogue"
    return source


def minima(entry: Mapping[str, Any]) -> tuple[Decimal, Decimal]:
    """Return the smallest quantity and notional of a series' instrument, as `data fetch` wrote them; 0: not known."""
    return Decimal(entry.get("min_qty", 0)), Decimal(entry.get("min_notional", 0))


def _part(file: SourceFile, part: Mapping[str, Any]) -> Part:
    return Part(lambda streams: part_batches(file, streams), part["first_ns"], part["last_ns"], part["rows"])
