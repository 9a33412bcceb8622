"""Writing book data to a catalogue: an import's rows replace those of its kinds and time, the others stay."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from tradectl.core.codes import EventFlag, EventKind
from tradectl.errors import DataError
from tradectl.history.book_catalogue import COLUMNS, book_part, folder_of
from tradectl.history.book_events import Ticks, concat_ticks
from tradectl.history.book_merge import merge_ticks
from tradectl.history.book_source import BookSource
from tradectl.history.files import file_hash
from tradectl.history.model import InstrumentSpec
from tradectl.history.stamps import DAY_NS
from tradectl.history.stream import window
from tradectl.history.writer import Writer, write_atomically

__all__ = ["PART_ROWS", "add_book"]

PART_ROWS = 1 << 21  # rows of a part file at most: what an import holds in memory
ROW_GROUP = 262_144  # rows
GAPS_KEPT = 5
CONNECTED = np.zeros(256, np.bool_)
CONNECTED[[EventKind.CLEAR, EventKind.GAP, EventKind.STATUS]] = True
BOOK = range(int(EventKind.DEPTH), int(EventKind.ORDER_EXEC) + 1)
NEVER = 1 << 62, -(1 << 62)  # first and last stamp of no row


def add_book(
    writer: Writer, names: Mapping[str, str], source: BookSource, grid: tuple[Decimal, Decimal]
) -> None:
    """Add a source's rows to its series; `names` has venue, symbol, base, quote, `grid` tick and lot size.

    What the series holds of the kinds asked for between the first and the last of these rows is replaced by them,
    so that an import can be repeated. Rows of other kinds stay, and are merged with them in receive order.
    """
    folder = folder_of(names["venue"], names["symbol"])
    ticks_index = writer.index.setdefault("ticks", {})
    entry = ticks_index.setdefault(folder, {"parts": [], "has_receive_clock": False})
    if entry.get("symbol", names["symbol"]) != names["symbol"]:
        raise DataError(f"{folder}: {names['symbol']} and {entry['symbol']} would share a folder")
    whole = tuple(
        common_step(Decimal(entry[name]), step) if name in entry else step
        for name, step in zip(("tick_size", "lot_size"), grid, strict=True)
    )
    start, end = window(InstrumentSpec(), source.block)
    new = source.stream(whole, 1, start, end)  # type: ignore[arg-type]
    streams, touched = [_counted(writer, new)], []
    if entry["parts"]:
        extent = _Extent(source.kinds_asked, source.stream(whole, 1, start, end))  # type: ignore[arg-type]
        touched = extent.touched(entry["parts"])
    if touched:
        old = (book_part(writer.root / folder / p["file"], p) for p in touched)
        streams = [_counted(writer, extent.added(new)), _left(writer, old, whole, extent)]  # type: ignore[arg-type]
    entry["parts"] = [p for p in entry["parts"] if p not in touched]
    rows, replaced = writer.summary.rows, writer.summary.replaced
    made = list(_parts(writer, folder, merge_ticks(streams), whole))  # type: ignore[arg-type]
    writer.stale += [writer.root / folder / p["file"] for p in touched]
    entry["parts"] = sorted(entry["parts"] + made, key=lambda part: int(part["first_ns"]))
    writer.summary.series += 1
    writer.summary.added += max(writer.summary.rows - rows - (writer.summary.replaced - replaced), 0)
    _describe(entry, names, source, whole)  # type: ignore[arg-type]
    if not entry["parts"]:
        del ticks_index[folder]


def common_step(one: Decimal, other: Decimal) -> Decimal:
    """Return the largest step of which both are multiples."""
    a, b = Fraction(one), Fraction(other)
    bottom = math.lcm(a.denominator, b.denominator)
    top = math.gcd(int(a * bottom), int(b * bottom))
    return Decimal(top) / Decimal(bottom)


def _describe(
    entry: dict[str, Any], names: Mapping[str, str], source: BookSource, grid: tuple[Decimal, Decimal]
) -> None:
    entry |= {key: names[key] for key in ("venue", "symbol", "base", "quote")}
    entry |= {"tick_size": f"{grid[0]:f}", "lot_size": f"{grid[1]:f}"}
    entry["has_receive_clock"] = bool(entry["has_receive_clock"] or source.has_receive_clock)
    entry["rows"] = sum(part["rows"] for part in entry["parts"])
    counts: dict[str, int] = {}
    for part in entry["parts"]:
        for kind, count in part["kinds"].items():
            name = EventKind(int(kind)).name.lower()
            counts[name] = counts.get(name, 0) + count
    entry["kinds"] = counts
    if entry["parts"]:
        entry["first_ns"] = entry["parts"][0]["first_ns"]
        entry["last_ns"] = entry["parts"][-1]["last_ns"]


class _Extent:
    """What an import's rows take the place of: rows of its kinds that were received within its time.

    Stamps are compared as they were received, without what a correction of the clock has added: the correction
    of an earlier import may have been another. The states of a connection (CONNECTED) are those of the book: they
    are replaced along with depth or orders, and where the series holds these no other import adds or replaces any.
    """

    def __init__(self, kinds: list[int], batches: Iterator[Ticks]) -> None:
        self.first_ns, self.last_ns = NEVER  # as they are written
        self.received = NEVER
        self.of_book = NEVER  # between which the states of the connection stay as they are
        for ticks in batches:
            received = ticks.ts_recv - ticks.shift
            self.first_ns, self.last_ns = min(self.first_ns, int(ticks.ts_recv[0])), int(ticks.ts_recv[-1])
            self.received = min(self.received[0], int(received.min())), max(self.received[1], int(received.max()))
        self.kinds = np.zeros(256, np.bool_)
        self.kinds[kinds] = True
        self.is_book = bool(self.kinds[BOOK].any())
        self.kinds |= CONNECTED & np.bool_(self.is_book)

    def touched(self, parts: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return the stored parts to merge with, or to replace rows of."""
        begins = min(self.first_ns, self.received[0])
        found = [
            part
            for part in parts
            if part["last_ns"] >= begins
            and part["first_ns"] <= max(self.last_ns, self.received[1] + part.get("shift_ns", 0))
        ]
        books = [part for part in found if any(int(kind) in BOOK for kind in part["kinds"])]
        if books and not self.is_book:
            self.of_book = books[0]["first_ns"], books[-1]["last_ns"]
        return found

    def added(self, batches: Iterator[Ticks]) -> Iterator[Ticks]:
        """Yield the import's rows without the states that the stored book tells."""
        for ticks in batches:
            yield ticks[~self._stays(ticks)]

    def replaces(self, ticks: Ticks) -> npt.NDArray[np.bool_]:
        """Return which stored rows the import replaces."""
        received = ticks.ts_recv - ticks.shift
        inside = (received >= self.received[0]) & (received <= self.received[1])
        made: npt.NDArray[np.bool_] = inside & self.kinds[ticks.full("kind")] & ~self._stays(ticks)
        return made

    def _stays(self, ticks: Ticks) -> npt.NDArray[np.bool_]:
        inside = (ticks.ts_recv >= self.of_book[0]) & (ticks.ts_recv <= self.of_book[1])
        made: npt.NDArray[np.bool_] = inside & CONNECTED[ticks.full("kind")]
        return made


def _counted(writer: Writer, batches: Iterator[Ticks]) -> Iterator[Ticks]:
    """Yield the rows that are handed in, and count them."""
    for ticks in batches:
        writer.summary.rows += len(ticks)
        if writer.progress is not None:
            writer.progress(len(ticks))
        yield ticks


def _left(
    writer: Writer, parts: Iterator[Any], grid: tuple[Decimal, Decimal], new: _Extent
) -> Iterator[Ticks]:
    """Yield the rows of parts that an import does not replace; count the others."""
    for part in parts:
        for ticks in part.read(*grid, 1, -(1 << 62), 1 << 62):
            gone = new.replaces(ticks)
            writer.summary.replaced += int(np.count_nonzero(gone))
            yield ticks[~gone]


def _parts(
    writer: Writer, folder: str, batches: Iterator[Ticks], grid: tuple[Decimal, Decimal]
) -> Iterator[dict[str, Any]]:
    """Write batches as part files of one day and at most PART_ROWS rows, and of whole receive stamps."""
    pending: list[Ticks] = []
    held = 0
    for batch in batches:
        for piece in _days(batch):
            same_day = not pending or int(pending[0].ts_recv[0]) // DAY_NS == int(piece.ts_recv[0]) // DAY_NS
            apart = pending and pending[-1].ts_recv[-1] != piece.ts_recv[0]
            if pending and (not same_day or (held + len(piece) > PART_ROWS and apart)):
                yield _write(writer, folder, concat_ticks(pending), grid)
                pending, held = [], 0
            pending.append(piece)
            held += len(piece)
    if pending:
        yield _write(writer, folder, concat_ticks(pending), grid)


def _days(ticks: Ticks) -> Iterator[Ticks]:
    days = ticks.ts_recv // DAY_NS
    cuts = [0, *(np.flatnonzero(np.diff(days)) + 1).tolist(), len(ticks)]
    for start, stop in pairwise(cuts):
        if stop > start:
            yield ticks[start:stop]


def _write(writer: Writer, folder: str, ticks: Ticks, grid: tuple[Decimal, Decimal]) -> dict[str, Any]:
    """Write one part file; return what the index says of it."""
    frame, constants = _frame(ticks)
    root = writer.root / folder
    temporary = root / f".new.{os.getpid()}.parquet"
    write_atomically(
        temporary, lambda path: frame.write_parquet(path, compression="zstd", row_group_size=ROW_GROUP)
    )
    digest = file_hash(temporary)
    day = datetime.fromtimestamp(int(ticks.ts_recv[0]) // 10**9, UTC).strftime("%Y-%m-%d")
    name = f"date={day}/{digest[:16]}.parquet"
    path: Path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        writer.written.append(path)
    temporary.replace(path)
    writer.summary.files += 1
    writer.summary.bytes += path.stat().st_size
    kind = ticks.full("kind")
    lag = ticks.ts_recv - ticks.ts_event
    gaps = np.flatnonzero(kind == EventKind.GAP)
    counts = np.bincount(kind, minlength=256)
    resets = np.flatnonzero((ticks.full("flags") & EventFlag.SNAPSHOT_BEGIN > 0) | (kind == EventKind.CLEAR))
    return {
        "file": name, "rows": len(ticks), "first_ns": int(ticks.ts_recv[0]), "last_ns": int(ticks.ts_recv[-1]),
        "size": path.stat().st_size, "blake2b": digest, "columns": frame.columns, "constants": constants,
        "tick_size": f"{grid[0]:f}", "lot_size": f"{grid[1]:f}",
        "kinds": {str(k): int(counts[k]) for k in np.flatnonzero(counts).tolist()},
        "shift_ns": int(np.max(ticks.shift)), "behind": int((lag < 0).sum()),
        "lag_min": int(lag.min()), "lag_max": int(lag.max()),
        "reset_ns": int(ticks.ts_recv[resets[-1]]) if len(resets) else None,
        "gaps": [[int(ticks.full("price")[i]), int(ticks.full("qty")[i])] for i in gaps[:GAPS_KEPT]],
    }  # fmt: skip


def _frame(ticks: Ticks) -> tuple[pl.DataFrame, dict[str, int]]:
    """Return the columns that vary, and the others' values."""
    columns: dict[str, Any] = {}
    constants: dict[str, int] = {}
    for name, field in COLUMNS.items():
        values = getattr(ticks, field)
        if name == "ts_recv" and np.array_equal(values, ticks.ts_event):
            continue
        if isinstance(values, int):
            constants[name] = values
        elif not name.startswith("ts_") and (values == values[0]).all():
            constants[name] = int(values[0])
        else:
            columns[name] = values
    frame = pl.DataFrame(columns)
    stamps = [name for name in ("ts_event", "ts_recv") if name in columns]
    return frame.with_columns(pl.col(stamps).cast(pl.Datetime("ns", "UTC"))), constants
