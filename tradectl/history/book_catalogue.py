"""Book data in a catalogue: rows in ticks and lots as Parquet, one series per instrument, all kinds in it.

    <root>/kind=ticks/venue=BINANCE/symbol=BTC-USDT/date=2024-08-08/<hash>.parquet

Columns: ts_event, ts_recv (ns UTC; left out where it is ts_event), kind, side, flags (as in the event),
price_ticks, qty_lots, price2_ticks, qty2_lots, id, shift_ns (what `clock: correct` added to ts_recv). A column
of one value is left out and stands in `catalogue.json`, whose `ticks` says what parts there are, on which grid
each one is, and what is in it. Rows are in receive order, and no receive stamp is in two parts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from tradectl.core.codes import EventKind
from tradectl.errors import ConfigError, DataError
from tradectl.history.book_events import Ticks
from tradectl.history.book_plan import TickFile, judge_clock
from tradectl.history.book_source import BookPart, BookSource
from tradectl.history.catalogue import minima, of_venue, read_index
from tradectl.history.faults import FaultLog
from tradectl.history.files import CATALOGUE, Place
from tradectl.history.model import DataBlock, Gap, InstrumentSpec, actions_for
from tradectl.history.plan import Loaded, Progress, key_of, refuse_absent, wanted
from tradectl.history.reader import pieces
from tradectl.history.rows import FILE_SHIFT, Budget
from tradectl.history.source import slice_rows

__all__ = ["COLUMNS", "book_part", "folder_of", "load_book_catalogue"]

# Column of the files -> field of `Ticks`.
COLUMNS = {
    "ts_event": "ts_event", "ts_recv": "ts_recv", "kind": "kind", "side": "side", "flags": "flags",
    "price_ticks": "price", "qty_lots": "qty", "price2_ticks": "price2", "qty2_lots": "qty2", "id": "id",
    "shift_ns": "shift",
}  # fmt: skip
GAPS_KEPT = 5  # listed per source
UNSCALED = np.zeros(256, np.bool_)
UNSCALED[[EventKind.FUNDING, EventKind.GAP]] = True  # a rate, and stamps


def folder_of(venue: str, symbol: str) -> str:
    """Return the folder of an instrument's series below the catalogue's root."""
    return f"kind=ticks/venue={venue}/symbol={symbol.replace('/', '-')}"


def book_part(path: Path, part: Mapping[str, Any]) -> BookPart:
    """Return how a part is read; raise DataError if it is not the file that was written."""
    if not path.is_file() or path.stat().st_size != part["size"]:
        raise DataError(f"{path}: missing or changed since it was imported", hint="import its data again")
    stored = Decimal(part["tick_size"]), Decimal(part["lot_size"])

    def read(tick: Decimal, lot: Decimal, streams: int, start: int, end: int) -> Iterator[Ticks]:
        scales = Fraction(stored[0]) / Fraction(tick), Fraction(stored[1]) / Fraction(lot)
        lazy = pl.scan_parquet(path, hive_partitioning=False).select(part["columns"])
        for frame in pieces(Place(path), lazy, slice_rows(streams)):
            ticks = _ticks(frame, part["constants"])
            if ticks.ts_recv[-1] < start:
                continue
            if ticks.ts_recv[0] >= end:
                return
            yield ticks if scales[0] == scales[1] == 1 else _rescaled(ticks, *scales)

    kinds = [int(kind) for kind in part["kinds"]]
    return BookPart(
        read,
        part["first_ns"],
        part["last_ns"],
        part["rows"],
        min(kinds),
        part["lag_min"],
        stored,
        part["reset_ns"],
    )


def _ticks(frame: pl.DataFrame, constants: Mapping[str, int]) -> Ticks:
    made: dict[str, Any] = {}
    for name, field in COLUMNS.items():
        if name in constants:
            made[field] = constants[name]
        elif name in frame.columns:
            made[field] = frame[name].to_physical().rechunk().to_numpy()
    made.setdefault("ts_recv", made["ts_event"])
    return Ticks(**made)


def _rescaled(ticks: Ticks, price: Fraction, qty: Fraction) -> Ticks:
    """Return rows on another grid: exact where it contains the stored one, else to the nearest step."""
    fixed: Any = UNSCALED[ticks.full("kind")]
    for name, scale in (("price", price), ("qty", qty), ("price2", price), ("qty2", qty)):
        if scale == 1:
            continue
        values = ticks.full(name).astype(np.int64)
        top, bottom = scale.numerator, scale.denominator
        moved = values * top if bottom == 1 else (2 * values * top + bottom) // (2 * bottom)
        moved[(moved == 0) & (values > 0)] = 1
        setattr(ticks, name, np.where(fixed, values, moved))
    return ticks


def load_book_catalogue(
    block: DataBlock,
    specs: Mapping[str, InstrumentSpec],
    _budget: Budget,
    strict: bool,
    _progress: Progress | None,
) -> Loaded:
    """Return the sources of a block whose source is a catalogue: nothing is read but its index."""
    root = Path(block.sources[0])
    if block.profile or block.mapping or block.options:
        raise ConfigError(
            "data: a catalogue needs no profile, mapping or options: they were applied at import"
        )
    series: Mapping[str, Any] = read_index(root).get("ticks", {})
    files: list[TickFile] = []
    loaded = Loaded(block, FaultLog(actions_for(block.on_error), files, strict, block.span))
    for folder in _chosen(root, series, block, specs):
        try:
            source = _source(block, series[folder], root / folder, files)
        except (KeyError, TypeError, IndexError, ValueError) as error:
            raise DataError(f"{root / CATALOGUE}: {folder} is not complete ({error!r})") from error
        if source.is_empty:
            there = ", ".join(sorted(_named(source.counts)))
            raise DataError(f"{root}: no {block.kind} of {source.symbol}", hint=f"there is {there}")
        loaded.sources.append(source)
        if block.has_window:  # the index counts over whole parts
            _look(source)
        origin = source.files[0].index << FILE_SHIFT
        loaded.log.add("gap", source.id, source.gap_count, [(origin, "the sequence breaks")])
        loaded.log.add("clock", source.id, source.behind, [(origin, f"by {-source.lag_min:,} ns at most")])
    loaded.paths = [root / CATALOGUE, *(file.place.path for file in files)]
    judge_clock(loaded, block)
    return loaded


def _look(source: BookSource) -> None:
    """Count what the block's window of a series holds."""
    low, high = source.block.span
    source.used_counts[:] = 0
    source.behind, source.gaps = 0, []
    for part in source.parts:
        if part.last_ns < low or part.first_ns >= high:
            continue
        assert part.grid is not None
        for ticks in part.stream(part.grid, 1, low, high):
            source.used_counts += np.bincount(ticks.full("kind"), minlength=256)
            source.behind += int(np.count_nonzero(ticks.ts_recv < ticks.full("ts_event")))
            for stamp in ticks.ts_recv[ticks.full("kind") == EventKind.GAP].tolist():
                source.gaps += [Gap(source.id, stamp, stamp, 0)] if len(source.gaps) < GAPS_KEPT else []
    source.gap_count = int(source.used_counts[EventKind.GAP])


def _named(counts: npt.NDArray[np.int64]) -> set[str]:
    return {EventKind(k).name.lower() for k in np.flatnonzero(counts).tolist()}


def _chosen(
    root: Path, series: Mapping[str, Any], block: DataBlock, specs: Mapping[str, InstrumentSpec]
) -> list[str]:
    """Return the folders of the series that the block asks for."""
    keys = wanted(block, specs)
    if not series:
        raise DataError(f"{root}: the catalogue holds no book data", hint="set kind: bars")
    left = of_venue(root, block, series)
    refuse_absent(root, block, specs, {entry["symbol"] for entry in left.values()})
    return [folder for folder, entry in sorted(left.items()) if keys is None or key_of(entry["symbol"]) in keys]


def _source(block: DataBlock, entry: Mapping[str, Any], folder: Path, files: list[TickFile]) -> BookSource:
    """Make a series' source; its files are added to `files`."""
    source = BookSource(block, entry["venue"], entry["symbol"], entry["base"], entry["quote"])
    source.lag_min, source.lag_max = 1 << 62, -(1 << 62)
    for part in entry["parts"]:
        path = folder / part["file"]
        files.append(TickFile(Place(path), len(files)))
        source.files.append(files[-1])
        source.parts.append(book_part(path, part))
        for kind, count in part["kinds"].items():
            source.counts[int(kind)] += count
        source.lag_min, source.lag_max = (
            min(source.lag_min, part["lag_min"]),
            max(source.lag_max, part["lag_max"]),
        )
        source.behind += part["behind"]
        source.gap_count += part["kinds"].get(str(int(EventKind.GAP)), 0)
        source.gaps += [Gap(source.id, start, end, 0) for start, end in part["gaps"]][: GAPS_KEPT - len(source.gaps)]
    source.used_counts = source.counts.copy()
    source.rows_read = sum(part["rows"] for part in entry["parts"])
    source.has_receive_clock = entry["has_receive_clock"]
    source.tick_size, source.lot_size = Decimal(entry["tick_size"]), Decimal(entry["lot_size"])
    source.min_qty, source.min_notional = minima(entry)
    source.given_by = "catalogue"
    return source
