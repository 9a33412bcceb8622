"""Importing: any blocks of bars or book data, checked and cleaned, into a catalogue."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from tradectl.errors import ConfigError, DataError
from tradectl.history.book_source import BookSource
from tradectl.history.book_writer import add_book
from tradectl.history.model import DataBlock, InstrumentSpec
from tradectl.history.open import open_history
from tradectl.history.plan import Loaded
from tradectl.history.rows import Rows
from tradectl.history.source import Source
from tradectl.history.stream import History, window, within
from tradectl.history.writer import Summary, Writer

__all__ = ["import_data", "names_of", "windowed"]


def import_data(
    blocks: Sequence[DataBlock],
    out: Path,
    specs: Mapping[str, InstrumentSpec] | None = None,
    *,
    default_quote: str = "USD",
    progress: Callable[[int], None] | None = None,
) -> tuple[Summary, History]:
    """Merge the blocks' clean rows into the catalogue at `out`; return what was done and the opened blocks.

    The catalogue changes in one step at the end or not at all. Rows stand under their source's symbol:
    listings and aliases are applied when a catalogue is opened. Tick and lot sizes of bars are stored where
    the config or the profile gives them, else inferred whenever the catalogue is opened; book data is stored
    in ticks and lots.
    """
    if out.exists() and not out.is_dir():
        raise ConfigError(f"{out} is a file; a catalogue is a folder", hint="name a new folder, or a catalogue")
    history = open_history(blocks, specs or {}, default_quote=default_quote)
    writer = Writer(out, progress)
    with writer.transaction():
        for source, loaded, names in names_of(history):
            if isinstance(source, BookSource):
                add_book(writer, names, source, _grid_of(history, source))
                continue
            writer.add(names, source.timeframe_ns, windowed(source), loaded.log.actions["conflict"] == "drop")
    return writer.summary, history


def _grid_of(history: History, source: BookSource) -> tuple[Decimal, Decimal]:
    """Return the tick and lot size that a source's instrument was given."""
    for target in history.targets:
        if target.instrument is not None and any(one is source for one, _ in target.sources):
            return target.instrument.tick_size, target.instrument.lot_size
    raise DataError(f"{source.id} is no instrument of the import")


def names_of(history: History) -> Iterator[tuple[Any, Loaded, dict[str, str]]]:
    """Yield each source once, with its block and what a catalogue stores about its instrument."""
    done: set[int] = set()
    for target in history.targets:
        for source, loaded in target.sources:
            if id(source) in done:
                continue
            done.add(id(source))
            tick = target.spec.tick_size or source.tick_size
            lot = target.spec.lot_size or source.lot_size
            names = {
                "venue": source.venue,
                "symbol": source.symbol,
                "base": source.base,
                "quote": source.quote,
            }
            names |= {"tick_size": f"{tick:f}"} if tick is not None else {}
            names |= {"lot_size": f"{lot:f}"} if lot is not None else {}
            yield source, loaded, names


def windowed(source: Source) -> Iterator[Rows]:
    """Yield the rows of the block's window."""
    start, end = window(InstrumentSpec(), source.block)
    for rows in source.stream(1, start, end):
        yield within(rows, start, end)
