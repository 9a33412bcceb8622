"""Tables of any kind (CSV, Parquet, Arrow; packed or not) as frames of chosen columns with their row numbers."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from tradectl.errors import DataError
from tradectl.history.files import Place, TruncatedError
from tradectl.history.importers.base import Options
from tradectl.history.reader import guarded, pieces, refuse_binary, scan, text_of, unreadable

__all__ = ["Table", "id_numbers", "number_column", "open_table"]

HEAD = 1 << 17  # bytes looked at for the header and the first values
UUID = r"^[0-9a-fA-F]{8}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{12}$"


@dataclass(frozen=True)
class Table:
    """One table file: its column names and how its text is read."""

    place: Place
    header: tuple[str, ...]
    separator: str = ","
    skip: int = 0  # lines above the first data row

    def at(self, choices: Sequence[str]) -> int | None:
        """Return the index of the first of `choices` (lower case) that is a column."""
        names = [name.strip().lower().lstrip("\ufeff") for name in self.header]
        return next((names.index(choice) for choice in choices if choice in names), None)

    def frames(
        self, columns: Mapping[str, int], numbers: Sequence[str], slice_rows: int = 0
    ) -> Iterator[pl.DataFrame]:
        """Yield frames of `columns` (name -> index); CSV ones are text but for `numbers`.

        `row` is the line, or the row of what is no text, from 1. A frame of which some number does not parse comes
        as text throughout (see `number_column`).
        """
        row = 1 + self.skip
        found = (
            self._text(columns, numbers) if self.place.format == "csv" else self._binary(columns, slice_rows)
        )
        for frame in found:
            if frame.height:
                yield frame.with_columns(pl.int_range(row, row + frame.height, dtype=pl.Int64).alias("row"))
            row += frame.height

    def head(self, columns: Mapping[str, int]) -> pl.DataFrame:
        """Return the first rows of `columns`."""
        return next(self.frames(columns, ()), pl.DataFrame())

    def _binary(self, columns: Mapping[str, int], slice_rows: int) -> Iterator[pl.DataFrame]:
        lazy = scan(self.place).select([self.header[at] for at in columns.values()])
        for frame in pieces(self.place, lazy, slice_rows):
            frame.columns = list(columns)
            yield frame

    def _text(self, columns: Mapping[str, int], numbers: Sequence[str]) -> Iterator[pl.DataFrame]:
        wanted = sorted(set(columns.values()))
        texts: dict[str, Any] = {str(k): pl.String for k in range(len(self.header))}
        typed = texts | {str(columns[name]): pl.Float64 for name in numbers if name in columns}
        skip, line = self.skip, 1 + self.skip
        for block in text_of(self.place):
            text = block
            for _ in range(skip):
                text = text[text.index(b"\n") + 1 :] if b"\n" in text else b""
            skip = 0
            if not text:
                continue
            try:
                frame = _parsed(text, typed, wanted, self.separator)
            except pl.exceptions.PolarsError:
                try:
                    frame = _parsed(text, texts, wanted, self.separator)
                except pl.exceptions.PolarsError as error:
                    raise unreadable(self.place, text, line, error) from error
            line += text.count(b"\n")
            yield frame.select(pl.col(str(at)).alias(name) for name, at in columns.items())


def _parsed(text: bytes, schema: dict[str, Any], wanted: list[int], separator: str) -> pl.DataFrame:
    return pl.read_csv(
        io.BytesIO(text), has_header=False, schema=schema, columns=wanted, separator=separator,
        truncate_ragged_lines=True, missing_columns="insert",
    )  # fmt: skip


def open_table(
    place: Place, header: Sequence[str] | None = None, needed: Sequence[str] = ("timestamp", "price")
) -> Table:
    """Look at a table's header; `header` names the columns of a text without one, `needed` those that there must be."""
    if place.format != "csv":
        return Table(place, tuple(guarded(place, lambda: scan(place).collect_schema().names())))
    try:
        text = next(iter(text_of(place, HEAD)), b"")
    except TruncatedError as error:
        raise DataError(f"{place}: {error}; no whole row could be read") from error
    text = text.removeprefix(b"\xef\xbb\xbf")[:HEAD]
    refuse_binary(place, text)
    lines = text.decode("utf-8", "replace").splitlines()
    if not lines or not lines[0].strip():
        raise DataError(f"{place}: the file has no header and no rows")
    separator = max(",;\t|", key=lines[0].count)
    words = next(csv.reader([lines[0]], delimiter=separator))
    if header:
        return Table(place, tuple(header), separator, 0)
    if all(re.fullmatch(r"[-+.\d:TZ ]*", word) for word in words):
        names = ", ".join(needed)
        hint = f"first line: {lines[0][:80]!r}; name the columns: mapping: {{header: [{names}, …]}}"
        raise DataError(f"{place}: the first line is data, not a header", hint=hint)
    return Table(place, tuple(words), separator, 1)


def number_column(
    frame: pl.DataFrame, name: str, shown: str, options: Options
) -> tuple[pl.Series, pl.Series | None]:
    """Return a column as float64 (nulls where empty) and the mask of rows that could not be read, if any.

    Each of these is told to `options`, which raises unless such rows are to be left out.
    """
    raw = frame[name]
    if raw.dtype == pl.String:
        raw = raw.str.strip_chars()
        raw = raw.set(raw == "", None)
    made = raw.cast(pl.Float64, strict=False)
    if made.null_count() == raw.null_count():
        return made, None
    bad = made.is_null() & raw.is_not_null()
    for at in bad.arg_true().to_list():
        options.bad(int(frame["row"][at]), shown, str(raw[at]))
    return made, bad


def id_numbers(column: pl.Series) -> pl.Series:
    """Return ids as Int64: integers as they are, UUIDs by their first 60 bits, anything else 0."""
    if column.dtype.is_integer():
        return column.cast(pl.Int64).fill_null(0)
    made = column.cast(pl.Int64, strict=False)
    if made.null_count() > column.null_count() and column.dtype == pl.String:
        uuids = column.str.contains(UUID)
        digits = column.str.replace_all("-", "").str.slice(0, 15)
        parts = digits.to_frame("d").select(pl.when(uuids).then(pl.col("d"))).to_series()
        made = made.fill_null(parts.str.to_integer(base=16, strict=False, dtype=pl.Int64))
    return made.fill_null(0)
