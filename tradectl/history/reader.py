"""Readers: one file in, batches of raw columns out. A new format is one function and a registry line."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import polars as pl

from tradectl.errors import DataError
from tradectl.history import profiles, stamps
from tradectl.history.files import BLOCK, Place, TruncatedError, text_blocks
from tradectl.history.model import DataBlock
from tradectl.history.profiles import Profile
from tradectl.history.stamps import StampFormat

__all__ = [
    "BATCH", "IMPORTERS", "RawBatch", "SourceFile", "binary_batches", "binary_rows", "guarded", "inspect", "pieces",
    "read", "refuse_binary", "scan", "text_of", "unreadable",
]  # fmt: skip

MAGIC = {
    b"\x1f\x8b": "it is gzip data: its name should end in .gz",
    b"PK\x03\x04": "it is a zip file: its name should end in .zip",
    b"PAR1": "it is Parquet: its name should end in .parquet",
    b"\xff\xfe": "it is UTF-16: save it as UTF-8",
    b"\xfe\xff": "it is UTF-16: save it as UTF-8",
}
HEAD = 1 << 17  # bytes of packed text looked at to settle how a file is read
BATCH = 65_536  # rows handed on at a time
PRICES = ("open", "high", "low", "close")
VALUES = (*PRICES, "volume")
T = TypeVar("T")


@dataclass(frozen=True)
class SourceFile:
    """One file and how it is read; `at` gives each field's column."""

    place: Place
    profile: Profile
    header: tuple[str, ...]
    at: dict[str, int]
    form: StampFormat
    separator: str
    skip: int  # lines before the first data row (0 for binary formats)
    symbol: str  # from the file's name ("" where a column says it)
    timeframe_ns: int  # from the file's name or the profile; 0: unknown
    steps: dict[int, int] = field(default_factory=dict)  # distances of the first stamps, ns -> how often
    index: int = 0

    def line(self, row: int) -> int:
        """Return the line of a data row in the text, 0 for binary formats."""
        return row + self.skip if self.place.format == "csv" else 0


@dataclass
class RawBatch:
    """Columns as read: `ts` ns UTC; five value columns (NaN where null); masks of missing fields."""

    row: npt.NDArray[np.int64]  # data rows, from 1
    ts: npt.NDArray[np.int64]
    values: list[npt.NDArray[np.float64]]
    missing: npt.NDArray[np.bool_] | None  # a field is null
    unparsable: dict[int, str]  # position -> "column 'text'"
    symbols: pl.Series | None

    def take(self, mask: npt.NDArray[np.bool_]) -> RawBatch:
        """Return the rows where `mask` is true."""
        place = np.cumsum(mask) - 1
        return RawBatch(
            self.row[mask], self.ts[mask], [column[mask] for column in self.values],
            None if self.missing is None else self.missing[mask],
            {int(place[at]): text for at, text in self.unparsable.items() if mask[at]}, None,
        )  # fmt: skip


def inspect(place: Place, block: DataBlock) -> SourceFile:
    """Look at a file's header and first rows and settle how it is read."""
    named = profiles.choose(block.profile, ()) if block.profile else None
    if place.format == "csv":
        header, separator, skip, head = _csv_head(place, block, named)
    else:
        head = guarded(place, lambda: scan(place).head(5_000).collect())
        header, separator, skip = tuple(head.columns), ",", 0
    profile = named or profiles.choose(None, header)
    if block.mapping:
        profile = profiles.from_mapping(block.mapping, profile)
    at = profiles.locate(profile, header, str(place))
    if not head.height:
        raise DataError(f"{place}: no data row below the header")
    words = _named(place, profile)
    column = head.to_series(at["timestamp"])
    form = _form(place, column, profile, block.tz, words.get("day"))
    frame = words.get("timeframe") or profile.timeframe
    symbol = words.get("symbol", place.stem)
    if words.get("side"):
        symbol = profiles.split_pair(symbol, profile.pairs)[0] + "." + words["side"].lower()
    steps = stamps.to_ns(column, form).diff().drop_nulls().to_numpy()
    sizes, counts = np.unique(steps[steps > 0], return_counts=True)
    return SourceFile(
        place=place, profile=profile, header=header, at=at, form=form, separator=separator, skip=skip,
        symbol="" if "symbol" in at else symbol,
        timeframe_ns=stamps.parse_timeframe(frame) if frame else 0,
        steps=dict(zip(sizes.tolist(), counts.tolist(), strict=True)),
    )  # fmt: skip


def _named(place: Place, profile: Profile) -> dict[str, str]:
    """Return what the file's name says: symbol, timeframe, day, side."""
    whole = f"{place.path.parent.as_posix()}/{place.stem}"
    match = re.fullmatch(profile.file, whole if profile.file.startswith(".*/") else place.stem)
    return {key: word for key, word in match.groupdict().items() if word} if match else {}


def _form(place: Place, column: pl.Series, profile: Profile, tz: str | None, day: str | None) -> StampFormat:
    zone = tz or profile.tz
    if column.dtype == pl.Date or isinstance(column.dtype, pl.Datetime):
        stamps.zone(zone)
        return StampFormat(date_only=column.dtype == pl.Date, tz=zone)
    if day:
        return stamps.with_day(StampFormat(unit_ns=stamps.UNITS_NS[profile.unit or "ms"], tz=zone), day)
    try:
        sample = column.drop_nulls().head(100).to_list()
        return stamps.detect(sample, profile.unit, profile.timestamp_format, zone)
    except DataError as error:
        raise DataError(
            f"{place}: row 1, column {column.name!r}: {error.message}", hint=error.hint
        ) from error


def _csv_head(
    place: Place, block: DataBlock, named: Profile | None
) -> tuple[tuple[str, ...], str, int, pl.DataFrame]:
    """Return (column names, separator, header lines, the first rows as text)."""
    try:
        text = next(text_of(place, HEAD), b"")
    except TruncatedError as error:
        raise DataError(f"{place}: {error}; no whole row could be read") from error
    text = text.removeprefix(b"\xef\xbb\xbf")
    refuse_binary(place, text)
    lines = text[: 1 << 20].decode("utf-8", "replace").splitlines()[:5_001]
    if not lines or not lines[0].strip():
        raise DataError(f"{place}: the file has no header and no rows")
    first = lines[0]
    separator = max(",;\t|", key=first.count)
    words = next(csv.reader([first], delimiter=separator))
    given = (block.mapping or {}).get("header") or (named.header if named else ())
    header = tuple(given) if given else tuple(words)
    if not given and len(words) > 1 and all(re.fullmatch(r"[-+.\d:TZ ]+", w) for w in words):
        hint = f"first line: {first[:80]!r}; name the columns: mapping: {{header: [timestamp, open, ...]}}"
        raise DataError(f"{place}: the first line is data, not a header", hint=hint)
    if given and len(words) < 5:
        raise DataError(f"{place}: expected columns {', '.join(given)}, found {first[:80]!r}")
    skip = 0 if given else 1
    body = "\n".join(lines[skip:]).encode()
    try:
        head = _parse_text(body, header, separator, list(range(len(header)))) if body else pl.DataFrame(
            {str(k): [] for k in range(len(header))}
        )  # fmt: skip
    except pl.exceptions.PolarsError as error:
        reason = str(error).splitlines()[0]
        raise DataError(f"{place}: cannot be read as columns {', '.join(header)[:80]!r} ({reason})") from error
    return header, separator, skip, head


def refuse_binary(place: Place, text: bytes) -> None:
    """Raise DataError for what begins as no text does, naming what it is."""
    if b"\0" in text[: 1 << 20]:
        what = next((what for begins, what in MAGIC.items() if text.startswith(begins)), "it holds zero bytes")
        raise DataError(f"{place}: not a text file ({what})", hint="expected UTF-8 text with a header")


def unreadable(place: Place, text: bytes, line: int, error: Exception) -> DataError:
    """Return the error for text that is no table; `line` is the number of its first line in the file."""
    try:
        text.decode()
    except UnicodeDecodeError as fault:
        line += text[: fault.start].count(b"\n")
        message = f"{place}, line {line}: byte {text[fault.start]:#04x} is no UTF-8 text"
        return DataError(message, hint="save the file as UTF-8")
    return DataError(f"{place}: cannot be read as a table ({str(error).splitlines()[0]})")


def text_of(place: Place, size: int = BLOCK) -> Iterator[bytes]:
    """Yield the text in blocks of whole lines (Polars unpacks zst)."""
    if place.path.suffix.lower() != ".zst":
        yield from text_blocks(place, size)
        return
    try:
        for lines in pl.scan_lines(place.path, name="line").collect_batches(chunk_size=BATCH):
            yield "\n".join(lines["line"]).encode() + b"\n"
    except pl.exceptions.PolarsError as error:
        raise TruncatedError(f"damaged zst data ({str(error).splitlines()[0]})") from error


def _parse_text(text: bytes, header: tuple[str, ...], separator: str, wanted: list[int]) -> pl.DataFrame:
    schema = {str(k): pl.String for k in range(len(header))}
    return pl.read_csv(
        io.BytesIO(text), has_header=False, schema=schema, columns=wanted, separator=separator,
        extra_columns="ignore", missing_columns="insert",
    )  # fmt: skip


def _csv_batches(file: SourceFile, _slice_rows: int = 0) -> Iterator[pl.DataFrame]:
    """Yield frames of the wanted columns: numbers where all parse, else text."""
    fields = [key for key in profiles.FIELDS if key in file.at]
    wanted = sorted(file.at[key] for key in fields)
    schema: dict[str, Any] = {str(k): pl.String for k in range(len(file.header))}
    schema |= {str(file.at[key]): pl.Float64 for key in VALUES if key in file.at}
    if file.form.unit_ns:
        schema[str(file.at["timestamp"])] = pl.Int64
    skip, line = file.skip, 1 + file.skip
    for text in text_of(file.place):
        if skip:
            text = text[text.index(b"\n") + 1 :] if b"\n" in text else b""
            skip = 0
        if not text:
            continue
        try:
            frame = pl.read_csv(
                io.BytesIO(text), has_header=False, schema=schema, columns=wanted, separator=file.separator,
                extra_columns="ignore", missing_columns="insert",
            )  # fmt: skip
        except pl.exceptions.PolarsError:
            try:
                frame = _parse_text(text, file.header, file.separator, wanted)
            except pl.exceptions.PolarsError as error:
                raise unreadable(file.place, text, line, error) from error
        line += text.count(b"\n")
        yield frame.select(pl.col(str(file.at[key])).alias(key) for key in fields)


def scan(place: Place) -> pl.LazyFrame:
    """Return a Parquet or Arrow file, not yet read."""
    if place.format == "parquet":
        return pl.scan_parquet(place.path, hive_partitioning=False)
    return pl.scan_ipc(place.path)


def binary_batches(file: SourceFile, slice_rows: int = 0) -> Iterator[pl.DataFrame]:
    """Yield frames of the wanted columns of a Parquet or Arrow file.

    `slice_rows` > 0 reads slice by slice, which holds nothing in memory between two of them.
    """
    names = [file.header[at] for at in file.at.values()]
    lazy = scan(file.place).select(
        names
    )  # only a projection: with expressions Polars would buffer without bound
    for frame in pieces(file.place, lazy, slice_rows):
        frame.columns = list(file.at)
        yield frame


def pieces(place: Place, lazy: pl.LazyFrame, slice_rows: int) -> Iterator[pl.DataFrame]:
    """Yield a file's frames in order; `slice_rows` > 0 reads slice by slice and keeps nothing open."""
    if not slice_rows:
        batches = lazy.collect_batches(chunk_size=BATCH, maintain_order=True)
        while (frame := guarded(place, lambda: next(batches, None))) is not None:
            yield frame
        return
    at = 0
    while (frame := guarded(place, lazy.slice(at, slice_rows).collect)).height:
        at += slice_rows
        yield frame


def binary_rows(place: Place) -> int:
    """Return how many rows a Parquet or Arrow file has."""
    return int(guarded(place, lambda: scan(place).select(pl.len()).collect().item()))


def guarded(place: Place, work: Callable[[], T]) -> T:
    """Return what `work` returns; what Polars cannot read becomes a DataError that names the file."""
    try:
        return work()
    except (pl.exceptions.PolarsError, OSError) as error:
        raise DataError(f"{place}: damaged or truncated file ({str(error).splitlines()[0]})") from error


IMPORTERS: dict[str, Callable[[SourceFile, int], Iterator[pl.DataFrame]]] = {
    "csv": _csv_batches,
    "parquet": binary_batches,
    "ipc": binary_batches,
}


def read(file: SourceFile, slice_rows: int = 0) -> Iterator[RawBatch]:
    """Yield the file's batches; raise TruncatedError where its text ends early."""
    row = 1
    for frame in IMPORTERS[file.place.format](file, slice_rows):
        if frame.height:
            yield _raw(file, frame, row)
            row += frame.height


def _raw(file: SourceFile, frame: pl.DataFrame, row: int) -> RawBatch:
    bad: dict[int, str] = {}
    missing = np.zeros(0, np.bool_)
    raw_stamp = frame["timestamp"]
    stamp = stamps.to_ns(raw_stamp, file.form)
    scale = float(file.profile.scale)
    values = []
    columns = [("timestamp", raw_stamp, stamp)]
    for key in VALUES:
        if key not in file.at:
            values.append(np.full(frame.height, np.nan))
            continue
        raw = frame[key]
        if raw.dtype == pl.String:
            raw = raw.str.strip_chars()
            raw = raw.set(raw == "", None)
        number = raw.cast(pl.Float64, strict=False)
        columns.append((key, raw, number))
        array = (number.fill_null(float("nan")) if number.null_count() else number).to_numpy()
        values.append(array / round(1 / scale) if scale < 1 and key in PRICES else array)
    for key, raw, made in columns:
        if not made.null_count():
            continue
        if not len(missing):
            missing = np.zeros(frame.height, np.bool_)
        unread = made.is_null()
        missing |= unread.to_numpy()
        for at in (unread & raw.is_not_null()).arg_true().to_list():
            wanted = "; expected a time of the years 1900 to 2100" if key == "timestamp" else ""
            bad.setdefault(at, f"{file.header[file.at[key]]} = {str(raw[at])!r}{wanted}")
    return RawBatch(
        row=np.arange(row, row + frame.height),
        ts=(stamp.fill_null(0) if stamp.null_count() else stamp).to_numpy(),
        values=values,
        missing=missing if len(missing) else None,
        unparsable=bad,
        symbols=frame["symbol"].cast(pl.String) if "symbol" in file.at else None,
    )
