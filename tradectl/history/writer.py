"""Writing a catalogue: rows are merged into new part files, and one rename makes them all visible."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from tradectl.errors import DataError
from tradectl.history import stamps
from tradectl.history.catalogue import COLUMNS, part_batches, part_file, read_index
from tradectl.history.clean import Pairs
from tradectl.history.faults import FaultLog
from tradectl.history.files import CATALOGUE, file_hash
from tradectl.history.grid import Steps, prices_of
from tradectl.history.model import actions_for, iso
from tradectl.history.plan import gap_after
from tradectl.history.rows import Rows, concat_rows

__all__ = ["ROW_GROUP", "Summary", "Writer", "write_atomically"]

ROW_GROUP = 65_536  # rows


@dataclass
class Summary:
    """What an import did."""

    rows: int = 0  # rows handed in
    added: int = 0  # rows by which the catalogue grew
    replaced: int = 0  # rows of the catalogue that made way for them
    series: int = 0
    files: int = 0
    bytes: int = 0


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
            live |= {
                self.root / folder / part["file"]
                for folder, entry in self.index.get("ticks", {}).items()
                for part in entry["parts"]
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
        return concat_rows(list(part_batches(part_file(self.root / folder, part, index), 1)))

    def _count_gaps(self, folder: str, entry: dict[str, Any]) -> None:
        """Count gaps and jumps over the whole series."""
        name = f"{entry['venue']}:{entry['symbol']}"
        files = [
            part_file(self.root / folder, entry["parts"][key], k)
            for k, key in enumerate(sorted(entry["parts"]))
        ]
        log = FaultLog(actions_for({}), files, strict=False)
        pairs = Pairs(name, entry["timeframe_ns"], gap_after(entry["timeframe_ns"], entry["quote"]), log)
        for file in files:
            for rows in part_batches(file, 1):
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
