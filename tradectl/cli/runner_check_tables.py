"""Data files as a run could have had them at a time: cut off there, or with everything later scrambled."""

from __future__ import annotations

import csv
import gzip
import io
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from tradectl.errors import TradectlError
from tradectl.history import stamps
from tradectl.history.files import FORMATS, Place
from tradectl.history.model import DataBlock
from tradectl.history.profiles import REQUIRED, SYNONYMS, split_pair
from tradectl.history.reader import SourceFile, inspect, read, scan, text_of
from tradectl.history.source import end_stamps

__all__ = ["Table", "bars_table", "side_table"]

LEAST = 2  # rows that a file keeps where its rows begin after the cut: it could not be opened without
FACTORS = ((1, 2), (3, 4), (5, 4), (2, 1), (3, 1))  # what later prices are multiplied with
RECEIVED = ("ts_recv", "received", "local_timestamp", "local_ts")  # when a row was known here, if it is told
NEVER = np.iinfo(np.int64).max
WRITE: dict[str, Callable[[pl.DataFrame, Any], Any]] = {
    "parquet": pl.DataFrame.write_parquet,
    "ipc": pl.DataFrame.write_ipc,
}
Stamps = npt.NDArray[np.int64]


@dataclass
class Table:
    """A file in memory: its columns (text of text files), and from when on each row was known, ns UTC.

    `numbers` are the places of the columns that are scrambled together, price-like ones with their tick (None: only
    shuffled). `head` is the text of the lines above the first row.
    """

    path: Path
    frame: pl.DataFrame
    known: Stamps
    numbers: dict[int, Decimal | None]
    head: str = ""
    separator: str = ","
    made: dict[tuple[int, int, Path], Path] = field(default_factory=dict)

    def write(self, ts: int, seed: int, place: Path) -> Path:
        """Write what was known at `ts` to `place`; with a seed all later rows stay, scrambled. Return `place`."""
        if (ts, seed, place) not in self.made:
            later = self.known > ts
            order = np.flatnonzero(~later)
            rows = self.frame[order]
            if seed or len(order) < LEAST:
                rest = self._noise(np.flatnonzero(later), max(seed, 1))
                rows = self._joined(order, rest if seed else rest[: LEAST - len(order)], later)
            place.parent.mkdir(parents=True, exist_ok=True)
            self._store(rows, place)
            self.made = {(ts, seed, place): place}
        return place

    def _joined(self, order: Stamps, rest: pl.DataFrame, later: npt.NDArray[np.bool_]) -> pl.DataFrame:
        """Return kept and scrambled rows in the order of the file."""
        where = np.concatenate([order, np.flatnonzero(later)[: len(rest)]])
        return pl.concat([self.frame[order], rest])[np.argsort(where, kind="stable")]

    def _noise(self, rows: Stamps, seed: int) -> pl.DataFrame:
        """Return rows with their values shuffled among each other and scaled, their stamps as they are."""
        chance = np.random.default_rng([seed, len(rows)])
        taken = self.frame[rows]
        order = chance.permutation(len(rows))
        up, down = FACTORS[int(chance.integers(len(FACTORS)))]
        columns = taken.get_columns()
        for at, tick in self.numbers.items():
            mixed = columns[at][order]
            columns[at] = mixed if tick is None else _scaled(mixed, tick, up, down)
        return pl.DataFrame(columns)

    def _store(self, rows: pl.DataFrame, place: Path) -> None:
        kind = Place(place).format
        if kind in WRITE:
            WRITE[kind](rows, place)
            return
        text = (self.head + rows.write_csv(include_header=False, separator=self.separator)).encode()
        ending = place.suffix.lower()
        if ending == ".gz":
            place.write_bytes(gzip.compress(text, 1))
        elif ending == ".zip":
            with zipfile.ZipFile(place, "w", zipfile.ZIP_DEFLATED) as packed:
                packed.writestr(place.stem if "." in place.stem else f"{place.stem}.csv", text)
        else:
            place.write_bytes(text)


def _scaled(column: pl.Series, tick: Decimal, up: int, down: int) -> pl.Series:
    """Return prices × up ÷ down on the tick's grid, at least one tick; text stays text, what is no number as it is."""
    values = column.cast(pl.Float64, strict=False)
    steps = ((values / float(tick)).round(0) * up / down).floor().clip(lower_bound=1.0)
    made = (steps * float(tick)).round(max(-int(tick.as_tuple().exponent), 0))
    return made.cast(column.dtype, strict=False).fill_null(column).alias(column.name)


def bars_table(place: Place, block: DataBlock, timeframe_ns: int, tick: Decimal) -> Table:
    """Read a file of bars as a data block reads it: a row is known at the end of its bar."""
    file = inspect(place, block)
    table = _loaded(place, file.header, file.separator, file.skip)
    known = np.full(len(table.frame), NEVER)
    symbol = split_pair(file.symbol, file.profile.pairs)[0]
    sessions = block.sessions_for(block.venue or file.profile.venue, symbol) if block.sessions_for is not None else None
    for raw in read(file):
        known[raw.row - 1] = end_stamps(raw.ts, file, block, timeframe_ns or file.timeframe_ns, sessions)
    scaled = tick / file.profile.scale
    prices = {file.at[name]: scaled for name in REQUIRED[1:]}
    volume = {file.at["volume"]: None} if "volume" in file.at else {}
    return replace(table, known=known, numbers={**prices, **volume})


def side_table(path: Path) -> Table | None:
    """Read any table with a column of times; None where it is none. Bars are known at their end, other rows at once."""
    place = Place(path)
    if place.format not in set(FORMATS.values()):
        return None
    try:
        return _as_bars(place) or _as_rows(place)
    except (TradectlError, pl.exceptions.PolarsError, OSError, ValueError, UnicodeDecodeError):
        return None


def _as_bars(place: Place) -> Table | None:
    """Read a file that has a time, open, high, low and close."""
    try:
        file: SourceFile = inspect(place, DataBlock(str(place.path)))
    except TradectlError:
        return None
    step = file.timeframe_ns or max(file.steps, key=lambda one: (file.steps[one], -one), default=0)
    return bars_table(place, DataBlock(str(place.path)), step, Decimal("0.01"))


def _as_rows(place: Place) -> Table | None:
    """Read a file with a column of times and others."""
    if place.format == "csv":
        line = next(text_of(place, 1 << 16)).decode("utf-8-sig").splitlines()[0]
        separator = max(",;\t|", key=line.count)
        header = tuple(next(csv.reader([line], delimiter=separator)))
        table = _loaded(place, header, separator, 1)
    else:
        header = tuple(scan(place).collect_schema().names())
        table = _loaded(place, header, ",", 0)
    lower = [name.strip().lower() for name in header]
    at = next((lower.index(name) for name in (*RECEIVED, *SYNONYMS["timestamp"]) if name in lower), None)
    if at is None:
        return None
    column = table.frame.to_series(at)
    form = stamps.StampFormat()
    if column.dtype == pl.String or column.dtype.is_numeric():
        form = stamps.detect(column.drop_nulls().head(50).to_list(), None, None, "UTC")
    known = stamps.to_ns(column, form).fill_null(NEVER).to_numpy()
    return replace(table, known=known, numbers={k: None for k in range(len(header)) if k != at})


def _loaded(place: Place, header: tuple[str, ...], separator: str, skip: int) -> Table:
    """Read all columns of a file: those of text files as text."""
    nothing = np.empty(0, np.int64)
    if place.format != "csv":
        return Table(place.path, scan(place).collect(), nothing, {})
    text = b"".join(text_of(place)).decode("utf-8-sig")
    lines = text.splitlines(keepends=True)[:skip]
    body = io.BytesIO(text[sum(map(len, lines)) :].encode())
    names = [f"column {k}" for k in range(len(header))]
    frame = pl.read_csv(
        body, has_header=False, new_columns=names, infer_schema=False, separator=separator,
        truncate_ragged_lines=True,
    )  # fmt: skip
    return Table(place.path, frame, nothing, {}, "".join(lines), separator)
