"""What an importer of book data is: a function from places and options to frames of canonical rows.

An importer yields `(symbol, rows)`: `rows` is a frame of `book_rows.BOOK_ROWS` (columns in any order; a null
counts as 0), in the order in which the source received them, of one symbol and, where it can, some
65,536 rows long. A symbol may carry its venue (`BITMEX:XBTUSD`); an empty one means that the source
does not say it. Two things are optional, and make messages better:

- a further column `row` (Int64): the line of `options.place` that each row came from, the header counted, or
  its row where the file is no text; both from 1;
- `options.tell(symbol, ...)`: the venue, tick and lot size of a symbol, where the source knows them.

A field that cannot be read is told with `options.bad(row, column, text)`, which raises DataError with file,
row and column unless the block's `on_error` leaves such rows out; what makes no sense as a whole raises
`bad_row` or a DataError of its own that names the file. A file that ends early raises `files.TruncatedError`
after its whole rows were yielded, and the block's `on_error` decides. Values are not judged here: negative
quantities, crossed books and clocks are the framework's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

import polars as pl

from tradectl.errors import ConfigError, DataError, nearest
from tradectl.history.book_rows import BOOK_ROWS
from tradectl.history.files import Place

__all__ = [
    "BATCH", "KINDS", "UNSAID", "Breaks", "Importer", "Meta", "Options", "Piece", "Read", "bad_row", "book_frame",
]  # fmt: skip

BATCH = 65_536  # rows handed on at a time
KINDS = ("trades", "quotes", "depth", "orders", "funding", "book")  # what a block may ask for; book: all that is there

Piece = tuple[str, pl.DataFrame]


@dataclass(frozen=True)
class Meta:
    """What a source knows of a symbol; None: not known."""

    venue: str | None = None
    tick_size: Decimal | None = None
    lot_size: Decimal | None = None


@dataclass
class Breaks:
    """Where a symbol's sequence broke, and how many messages of depth were dropped until a snapshot came."""

    count: int = 0
    first_ns: int = 0  # receive stamp of the first break
    dropped: int = 0
    whole: bool = True  # a snapshot came after the last break

    def merge(self, later: Breaks) -> None:
        """Add what a later part of the same recording tells."""
        self.first_ns = self.first_ns if self.count else later.first_ns
        self.count += later.count
        self.dropped += later.dropped
        self.whole = later.whole and (self.whole or later.count > 0)


@dataclass
class Options:
    """What is asked of an importer, and where it says what it knows.

    `kind` is one of KINDS: rows of other kinds may be yielded all the same, they are left out later.
    `symbols` are those asked for (None: all), for sources that can leave out others cheaply. `extra` are the
    importer's own settings (`data.options`), as text, numbers or truth values.
    """

    kind: str = "book"
    symbols: Sequence[str] | None = None
    mapping: Mapping[str, Any] = field(default_factory=dict)  # the config's `data.mapping`
    tz: str | None = None  # zone of stamps that name none; None: the format's own
    venue: str | None = None  # the config's `data.venue`
    extra: Mapping[str, Any] = field(default_factory=dict)
    metas: dict[str, Meta] = field(default_factory=dict)
    breaks: dict[str, Breaks] = field(default_factory=dict)  # by symbol, of formats that number their messages
    place: Place | None = None  # the file being read: set by the importer before it yields
    refuse: Callable[[int, str], None] | None = None  # how the framework hears of fields that cannot be read

    def tell(self, symbol: str, **known: Any) -> None:
        """Remember what the source knows of a symbol: venue, tick_size, lot_size."""
        self.metas[symbol] = replace(self.metas.get(symbol, Meta()), **known)

    def bad(self, row: int, column: str, text: str, expected: str = "a number") -> None:
        """Tell of a field that cannot be read: raises DataError, unless such rows are to be left out."""
        if self.refuse is not None:
            self.refuse(row, f"{column} = {text[:80]!r} is not {expected}")
        elif self.place is not None:
            raise bad_row(self.place, row, column, text, expected)

    def choice(self, name: str, valid: Sequence[str]) -> str:
        """Return the extra setting `name`, by default the first of `valid`; ConfigError for any other."""
        value = str(self.extra.get(name, valid[0]))
        if value not in valid:
            raise ConfigError(f"data.options.{name}: {value!r} is not known", hint=nearest(value, valid))
        return value

    def only(self, *names: str) -> None:
        """Raise ConfigError if a setting is given that the importer does not have."""
        for name in self.extra:
            if name not in names:
                hint = nearest(name, names) if names else "this format has none"
                raise ConfigError(f"data.options: unknown setting {name!r}", hint=hint)


UNSAID = "LOCAL"  # the venue of what names none

Read = Callable[[Sequence[Place], Options], Iterator[Piece]]


@dataclass(frozen=True)
class Importer:
    """One format of book data.

    `suits(place, head)` tells whether a file is of this format; `head` are its first unpacked bytes (some
    thousand; empty for formats that are no text). `endings` are file endings other than those of tables
    (`.csv`, `.parquet`, …) that a folder is searched for.
    """

    name: str
    read: Read
    about: str  # one sentence
    venue: str = UNSAID
    endings: tuple[str, ...] = ()
    has_receive_clock: bool = True  # ts_recv is a clock of its own, not a copy of ts_event
    pairs: bool | None = (
        None  # its symbols are pairs (BTCUSDT), plain names (False), or pairs where they look so
    )
    suits: Callable[[Place, bytes], bool] | None = None


def book_frame(columns: Mapping[str, Any], **constants: Any) -> pl.DataFrame:
    """Return a frame of BOOK_ROWS from columns (arrays, lists, series) and constants; others are 0.

    `ts_recv` is `ts_event` where it is missing.
    """
    frame = pl.DataFrame(dict(columns))
    given = [pl.lit(value, BOOK_ROWS[name]).alias(name) for name, value in constants.items()]
    if "ts_recv" not in frame.columns and "ts_recv" not in constants:
        given.append(pl.col("ts_event").alias("ts_recv"))
    frame = frame.with_columns(given)
    absent = [pl.lit(0, kind).alias(name) for name, kind in BOOK_ROWS.items() if name not in frame.columns]
    more = ["row"] if "row" in frame.columns else []
    return frame.with_columns(absent).select(
        *(pl.col(name).cast(kind) for name, kind in BOOK_ROWS.items()), *more
    )


def bad_row(place: Place, row: int, column: str, text: str, expected: str = "a number") -> DataError:
    """Return the error for a field that cannot be read; `row` is the line, or the row of what is no text, from 1."""
    shown = text if len(text) <= 80 else text[:77] + "..."
    what = "line" if place.is_text else "row"
    return DataError(f"{place}: {what} {row}, column {column}: {shown!r} is not {expected}")
