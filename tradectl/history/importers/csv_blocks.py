"""Big tables of text without header, read block by block into typed frames; errors name line and column."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping

import polars as pl
from polars.exceptions import PolarsError

from tradectl.errors import DataError
from tradectl.history.files import Place, text_blocks
from tradectl.history.importers.base import bad_row

__all__ = ["BLOCK", "csv_blocks", "first_line"]

BLOCK = 4 << 20  # bytes of text at a time
Schema = Mapping[str, pl.DataType]


def first_line(place: Place) -> str:
    """Return the first line of a file; DataError if it has none."""
    for block in text_blocks(place, 4096):
        return block.split(b"\n", 1)[0].decode(errors="replace").strip("\ufeff\r ")
    raise DataError(f"{place}: the file is empty")


def csv_blocks(
    place: Place, schema: Schema, *, skip: int = 0, optional: tuple[str, ...] = (), block: int = BLOCK
) -> Iterator[tuple[int, pl.DataFrame]]:
    """Yield (line of its first row, frame): the first columns of a table, by position, as `schema` says.

    `skip` lines at the top are left out; only `optional` columns may be empty or absent.
    """
    line, names = 1, list(schema)
    required = [name for name in names if name not in optional]
    for text in text_blocks(place, block):
        body = text
        if skip and line == 1:
            body = text.split(b"\n", skip)[-1] if text.count(b"\n") >= skip else b""
            line += skip
        if not body.strip():
            continue
        frame = _typed(body, schema)
        if frame is None or frame.select(pl.any_horizontal(pl.col(required).is_null().any())).item():
            raise _fault(place, body, schema, required, line)
        yield line, frame.select(names)
        line += frame.height


def _typed(body: bytes, schema: Schema) -> pl.DataFrame | None:
    try:
        return pl.read_csv(
            io.BytesIO(body),
            has_header=False,
            schema=schema,
            truncate_ragged_lines=True,
            quote_char=None,
            extra_columns="ignore",
            missing_columns="insert",
        )
    except PolarsError:
        return None


def _fault(place: Place, body: bytes, schema: Schema, required: list[str], line: int) -> DataError:
    """Return the error of the first field that cannot be read."""
    for at, text in enumerate(body.decode(errors="replace").splitlines()):
        fields = text.split(",")
        for k, (name, kind) in enumerate(schema.items()):
            value = fields[k].strip() if k < len(fields) else ""
            expected = "a whole number" if kind.is_integer() else "a number"
            if not value and name not in required:
                continue
            try:
                if kind.is_integer():
                    int(value)
                elif kind.is_float():
                    float(value)
                elif not value:
                    raise ValueError
            except ValueError:
                return bad_row(place, line + at, name, value, expected)
    return DataError(f"{place}: from line {line} on the table cannot be read")
