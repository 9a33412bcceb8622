"""The catalogue: bars as hive-partitioned Parquet, and `catalogue.json`, which alone says what is in it.

    <root>/catalogue.json
    <root>/kind=bars/timeframe=1m/venue=BITFINEX/symbol=BTC-USD/year=2017/<hash>.parquet

Columns: ts (the bar's exclusive end, ns UTC), open, high, low, close, volume (float64, as in the source,
so that nothing is lost to a grid chosen at import). Part files are never changed: an import writes new
ones, replaces `catalogue.json` in one step, then removes those that it no longer names.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from tradectl.errors import ConfigError, DataError, nearest
from tradectl.history import profiles, stamps
from tradectl.history.clean import Pairs
from tradectl.history.faults import FaultLog
from tradectl.history.files import CATALOGUE, Place, file_hash
from tradectl.history.grid import MOST, Steps, prices_of
from tradectl.history.model import DataBlock, Gap, InstrumentSpec, actions_for, iso
from tradectl.history.plan import Loaded, gap_after, key_of, wanted
from tradectl.history.reader import SourceFile, binary_batches
from tradectl.history.rows import FILE_SHIFT, Budget, Rows, concat_rows
from tradectl.history.source import Part, Source, slice_rows
from tradectl.history.stamps import StampFormat

__all__ = ["ROW_GROUP", "SCHEMA", "Summary", "Writer", "load_catalogue", "read_index"]

SCHEMA = 1
ROW_GROUP = 65_536  # rows
COLUMNS = ("ts", "open", "high", "low", "close", "volume")
FIELDS = ("timestamp", *COLUMNS[1:])


@dataclass
class Summary:
    """What an import did."""

    rows: int = 0  # rows handed in
    added: int = 0  # of these, rows that were not in the catalogue
    series: int = 0
    files: int = 0
    bytes: int = 0


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


def write_atomically(path: Path, write: Callable[[Path], Any]) -> None:
    """Let `write` fill a temporary file beside `path`, sync it, and give it its name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        write(temporary)
        with temporary.open("rb+") as stream:
            os.fsync(stream.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def _locked(root: Path) -> Iterator[None]:
    """Hold the catalogue's lock; a second writer waits."""
    root.mkdir(parents=True, exist_ok=True)
    with (root / ".lock").open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield


class Writer:
    """Adds clean rows, series by series, to a catalogue; nothing is visible before `commit`."""

    def __init__(self, root: Path, progress: Callable[[int], None] | None = None) -> None:
        self.root, self.progress = root, progress
        self.summary = Summary()
        self.written: list[Path] = []
        self.stale: list[Path] = []

    @contextmanager
    def transaction(self) -> Iterator[Writer]:
        """Hold the lock and the index; commit on success, remove what was written on failure."""
        with _locked(self.root):
            self.index = read_index(self.root)
            try:
                yield self
                text = json.dumps(self.index, indent=1, sort_keys=True)
                write_atomically(self.root / CATALOGUE, lambda path: path.write_text(text))
            except BaseException:
                for path in self.written:
                    path.unlink(missing_ok=True)
                raise
            live = {
                self.root / folder / part["file"]
                for folder, entry in self.index["series"].items()
                for part in entry["parts"].values()
            }
            for path in self.stale:
                if path not in live:
                    path.unlink(missing_ok=True)

    def add(
        self, names: Mapping[str, str], timeframe_ns: int, batches: Iterator[Rows], keep_old: bool
    ) -> None:
        """Merge sorted rows into a series.

        `names` has venue, symbol, base, quote and, where given, tick_size and lot_size. Where the catalogue
        has other values for a stamp, its row stays if `keep_old`; otherwise DataError.
        """
        timeframe = stamps.format_timeframe(timeframe_ns)
        symbol = names["symbol"].replace("/", "-")
        folder = f"kind=bars/timeframe={timeframe}/venue={names['venue']}/symbol={symbol}"
        entry = self.index["series"].setdefault(folder, {"timeframe_ns": timeframe_ns, "parts": {}})
        if entry.get("symbol", names["symbol"]) != names["symbol"]:
            raise DataError(f"{folder}: {names['symbol']} and {entry['symbol']} would share a folder")
        entry.update(names)
        self.summary.series += 1
        pending: list[Rows] = []
        current = ""
        for rows in batches:
            self.summary.rows += len(rows)
            if self.progress is not None:
                self.progress(len(rows))
            for key, piece in _partitions(rows, timeframe_ns):
                if key != current and pending:
                    self._flush(folder, entry, current, concat_rows(pending), keep_old)
                    pending = []
                current = key
                pending.append(piece)
        if pending:
            self._flush(folder, entry, current, concat_rows(pending), keep_old)
        if not entry["parts"]:
            del self.index["series"][folder]
        else:
            self._count_gaps(folder, entry)

    def _flush(self, folder: str, entry: dict[str, Any], key: str, rows: Rows, keep_old: bool) -> None:
        old = entry["parts"].get(key)
        before = 0
        if old is not None:
            before = old["rows"]
            rows = _united(
                self._rows_of(folder, old, 0), rows, f"{entry['venue']}:{entry['symbol']}", keep_old
            )
            self.stale.append(self.root / folder / old["file"])
        self.summary.added += len(rows) - before
        temporary = self.root / folder / f".new.{os.getpid()}.parquet"
        temporary.parent.mkdir(parents=True, exist_ok=True)
        frame = pl.DataFrame(dict(zip(COLUMNS, rows.columns(), strict=False)))
        frame = frame.with_columns(pl.col("ts").cast(pl.Datetime("ns", "UTC")))
        if np.isnan(rows.volume).all():
            frame = frame.drop("volume")
        write_atomically(
            temporary, lambda path: frame.write_parquet(path, compression="lz4", row_group_size=ROW_GROUP)
        )
        digest = file_hash(temporary)
        name = f"{key}/{digest[:16]}.parquet"
        path = self.root / folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            self.written.append(path)
        temporary.replace(path)
        prices, volumes = Steps(), Steps()
        prices.feed(prices_of(rows), np.arange(1, len(rows) + 1))
        if "volume" in frame.columns:
            volumes.feed((rows.volume,), np.arange(1, len(rows) + 1))
        entry["parts"][key] = {
            "file": name, "rows": len(rows), "first_ns": int(rows.ts[0]), "last_ns": int(rows.ts[-1]),
            "size": path.stat().st_size, "blake2b": digest, "columns": frame.columns,
            "zero_volume": int((rows.volume == 0).sum()),
            "prices": _plain(prices), "volumes": _plain(volumes),
        }  # fmt: skip
        self.summary.files += 1
        self.summary.bytes += path.stat().st_size

    def _rows_of(self, folder: str, part: Mapping[str, Any], index: int) -> Rows:
        return concat_rows(list(_batches(_file(self.root / folder, part, index), 1)))

    def _count_gaps(self, folder: str, entry: dict[str, Any]) -> None:
        """Count gaps and jumps over the whole series."""
        name = f"{entry['venue']}:{entry['symbol']}"
        files = [
            _file(self.root / folder, entry["parts"][key], k) for k, key in enumerate(sorted(entry["parts"]))
        ]
        log = FaultLog(actions_for({}), files, strict=False)
        pairs = Pairs(name, entry["timeframe_ns"], gap_after(entry["timeframe_ns"], entry["quote"]), log)
        for file in files:
            for rows in _batches(file, 1):
                pairs.feed(rows)
        jumps = log.counts.get(("jump", name))
        entry["gap_count"], entry["missing_bars"] = pairs.gap_count, pairs.missing
        entry["gaps"] = [[g.from_ns, g.to_ns, g.missing] for g in pairs.gaps]
        entry["jumps"] = jumps.count if jumps else 0


def _partitions(rows: Rows, timeframe_ns: int) -> Iterator[tuple[str, Rows]]:
    """Split rows by the year of their last nanosecond; bars finer than a minute also by month."""
    unit = "M" if timeframe_ns < stamps.TIMEFRAME_NS["m"] else "Y"
    keys = (rows.ts - 1).astype("datetime64[ns]").astype(f"datetime64[{unit}]").astype(np.int64)
    cuts = [0, *(np.flatnonzero(np.diff(keys)) + 1).tolist(), len(rows)]
    for start, stop in pairwise(cuts):
        if stop > start:
            day = datetime.fromtimestamp((int(rows.ts[start]) - 1) // 10**9, UTC)
            month = f"/month={day.month:02d}" if unit == "M" else ""
            yield f"year={day.year:04d}{month}", rows[start:stop]


def _united(old: Rows, new: Rows, name: str, keep_old: bool) -> Rows:
    """Merge two strictly increasing pieces; equal rows count once, others of one stamp are a conflict."""
    both = concat_rows([old, new])
    order = np.argsort(both.ts, kind="stable")
    both = both[order]
    again = np.diff(both.ts, prepend=both.ts[0] - 1) == 0
    at = np.flatnonzero(again)
    differs = np.zeros(len(at), np.bool_)
    for column in both.columns()[1:6]:
        a, b = column[at - 1], column[at]
        differs |= ~((a == b) | (np.isnan(a) & np.isnan(b)))
    if differs.any() and not keep_old:
        i = int(at[differs][0])
        message = f"{name}: {int(differs.sum())} bars differ from those in the catalogue"
        closes = f"close {both.close[i - 1]:.10g}, now {both.close[i]:.10g}"
        detail = f"first at {iso(both.ts[i])}: {closes}"
        raise DataError(f"{message}; {detail}", hint="set on_error: {conflict: drop} to keep the catalogue's")
    return both[~again]


def _plain(steps: Steps) -> dict[str, Any]:
    made = asdict(steps)
    del made["fixed"]
    if not steps.rows:
        made["lowest"] = 0.0
    return made


def _steps(parts: Sequence[Mapping[str, Any]], key: str) -> Steps:
    """Add up the stored counts of parts; row numbers get their file's index."""
    whole = Steps()
    for index, part in enumerate(parts):
        stored = part[key]
        first = [[((index << FILE_SHIFT) + row, text) for row, text in found] for found in stored["first"]]
        whole.merge(Steps(None, stored["rows"], stored["highest"], stored["lowest"], stored["off"], first))
    assert len(whole.off) == MOST + 1
    return whole


def _file(folder: Path, part: Mapping[str, Any], index: int) -> SourceFile:
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


def _batches(file: SourceFile, streams: int) -> Iterator[Rows]:
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
    series = read_index(root)["series"]
    chosen = _chosen(root, series, block, specs)
    loaded = Loaded(block, FaultLog(actions_for(block.on_error), [], strict))
    files: list[SourceFile] = []
    for folder in chosen:
        try:
            source = _source(block, series[folder], root / folder, files)
        except (KeyError, TypeError, IndexError) as error:
            raise DataError(f"{root / CATALOGUE}: {folder} is not complete ({error!r})") from error
        loaded.sources.append(source)
        count = series[folder]
        log = loaded.log
        log.files = files
        origin = source.files[0].index << FILE_SHIFT
        log.add("gap", source.id, count["gap_count"], [(origin, f"{count['missing_bars']} bars are missing")])
        log.add("jump", source.id, count["jumps"], [(origin, "see data check on the source")])
    loaded.paths = [root / CATALOGUE, *(file.place.path for file in files)]
    return loaded


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
        raise DataError(f"{root}: bars of several timeframes", hint=f"set data.timeframe to one of {there}")
    names = {entry["symbol"] for entry in series.values()}
    if keys is not None and (lost := keys - {key_of(n) for n in names}):
        raise DataError(f"{root}: no bars of {sorted(lost)[0]}", hint=nearest(sorted(lost)[0], names))
    return [
        folder
        for folder, entry in sorted(series.items())
        if (asked is None or entry["timeframe_ns"] == asked)
        and (keys is None or key_of(entry["symbol"]) in keys)
        and (block.venue is None or entry["venue"] == block.venue.upper())
    ]


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
        clean=True,
    )
    source.prices, source.volumes = _steps(parts, "prices"), _steps(parts, "volumes")
    for part in parts:
        file = _file(folder, part, len(files))
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
    source.gap_count, source.missing_bars = entry["gap_count"], entry["missing_bars"]
    source.gaps = [Gap(source.id, *gap) for gap in entry["gaps"]]
    source.tick_size = Decimal(entry["tick_size"]) if entry.get("tick_size") else None
    source.lot_size = Decimal(entry["lot_size"]) if entry.get("lot_size") else None
    source.given_by = "catalogue"
    return source


def _part(file: SourceFile, part: Mapping[str, Any]) -> Part:
    return Part(lambda streams: _batches(file, streams), part["first_ns"], part["last_ns"], part["rows"])
