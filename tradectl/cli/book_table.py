"""The rebuilt book of one instrument as a Parquet file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from tradectl.cli.data_source import DataInput
from tradectl.config.units import parse_duration_ns
from tradectl.config.wire_data import Opened, find_instrument, open_data
from tradectl.config.wire_numbers import level_of
from tradectl.core.codes import BookLevel, EventKind
from tradectl.core.instrument import Instrument
from tradectl.engine.book_view import BOOK_KINDS, BookView, book_columns
from tradectl.engine.spec import InstrumentLimits
from tradectl.errors import ConfigError
from tradectl.history.export import write_frames
from tradectl.history.grid import nearest_floats

__all__ = ["write_book"]

CHUNK = 65_536
OF_MARKET = np.zeros(256, np.bool_)
OF_MARKET[[*BOOK_KINDS, EventKind.TRADE, EventKind.GAP]] = True
STAMP = pl.Datetime("ns", "UTC")


def write_book(
    found: DataInput, target: Path, levels: int, every: str, progress: Callable[[int], None] | None = None
) -> int:
    """Write the book table of one instrument of a source; return its rows. The file appears when it is whole."""
    every_ns = 0 if every == "event" else _pace(every)
    opened, index = _opened(found, progress)
    instrument = opened.instruments[index]
    level = level_of(instrument, opened.kinds[index])
    if level in (BookLevel.BARS, BookLevel.PRINTS):
        raise ConfigError(f"{instrument.id} has no quotes, depth or orders to make a book of")
    engine = found.config.engine
    limits = InstrumentLimits(level=level, window=engine.window, l3_orders=engine.book_orders)
    view = BookView(instrument, limits, levels)
    chunks = opened.chunks(CHUNK)
    if found.is_journal:
        chunks = (_of_market(events, index) for events in chunks)
    rows = 0

    def frames() -> Iterator[pl.DataFrame]:
        nonlocal rows
        for table in view.tables(chunks, every_ns):
            rows += len(table)
            yield _frame(table, instrument, levels)

    write_frames(target, frames(), _frame(np.zeros((0, 2 + 4 * levels), np.int64), instrument, levels))
    return rows


def _opened(found: DataInput, progress: Callable[[int], None] | None) -> tuple[Opened, int]:
    """Return the opened source and the place of the instrument that is asked for; a journal is read whole anyway."""
    config, asked = found.config, None
    if found.is_journal:
        block = config.data[0]
        asked = block.symbols
        config = config.model_copy(update={"data": (block.model_copy(update={"symbols": None}),)})
    opened = open_data(config, found.folder, progress)
    if asked is not None and len(asked) == 1:
        return opened, find_instrument(asked[0], opened.instruments)
    if len(opened.instruments) != 1:
        names = ", ".join(one.symbol for one in opened.instruments)
        raise ConfigError(f"the source holds {len(opened.instruments)} instruments", hint=f"--symbol: one of {names}")
    return opened, 0


def _of_market(events: Any, index: int) -> Any:
    """Return what a journal's events tell of the market of one instrument, as that of the only one."""
    made = events[(events["instrument"] == index) & OF_MARKET[events["kind"]]]
    made["instrument"] = 0
    return made


def _pace(every: str) -> int:
    try:
        found = parse_duration_ns(every)
    except ValueError as error:
        raise ConfigError(f"--every {every}: {error}", hint="or `event`, after every message") from None
    if not found:
        raise ConfigError("--every 0: expected a duration above zero, e.g. 100ms", hint="or `event`")
    return found


def _frame(rows: Any, instrument: Instrument, levels: int) -> pl.DataFrame:
    """Return ticks and lots as prices and quantities, null where a side has no such level."""
    made: dict[str, Any] = {
        "ts": pl.Series(rows[:, 1].copy()).cast(STAMP),
        "ts_exchange": pl.Series(rows[:, 0].copy()).cast(STAMP),
    }
    steps = {"px": instrument.tick_size, "qty": instrument.lot_size}
    for k, name in enumerate(book_columns(levels)):
        values = rows[:, 2 + k]
        there = rows[:, 2 + (k | 1)] > 0  # its level has lots
        num, den = steps[name.split("_")[1]].as_integer_ratio()
        floats = nearest_floats([np.where(there, values, 0), num], [den])
        made[name] = pl.select(pl.when(pl.Series(there)).then(pl.Series(floats)))[:, 0]
    return pl.DataFrame(made)
