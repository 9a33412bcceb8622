"""What a file without bars is, told by its name, its first bytes or its header, where nobody says it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from tradectl.errors import DataError
from tradectl.history import files as places
from tradectl.history import profiles
from tradectl.history.book_plan import all_endings, choose_importer
from tradectl.history.export import JOURNAL_META
from tradectl.history.files import Place
from tradectl.history.importers.generic import kinds_of_columns
from tradectl.history.importers.table import open_table
from tradectl.history.model import DataBlock

__all__ = ["book_kinds", "is_journal_table", "not_bars"]


def book_kinds(sources: Sequence[str]) -> tuple[Place | None, str, tuple[str, ...]]:
    """Return (first file, format, kinds) of sources that hold book data; kinds are empty where they do not.

    A format that says itself what its rows are has the kind `book`. Of a plain table the kinds are those whose
    columns it has; one that has the columns of bars holds bars.
    """
    try:
        place = places.resolve(sources, all_endings(), any_file=True)[0]
        chosen = choose_importer(place).name
        if chosen != "generic":
            return place, chosen, ("book",)
        table = open_table(place)
    except (DataError, OSError):
        return None, "", ()  # what is wrong with it is told by who reads it
    try:
        profiles.locate(profiles.choose(None, table.header), table.header, str(place))
    except DataError:
        return place, chosen, kinds_of_columns(table)
    return place, chosen, ()


def is_journal_table(source: str) -> bool:
    """Tell whether a source is a journal that was exported to a Parquet file."""
    path = Path(source)
    try:
        return path.suffix == ".parquet" and path.is_file() and JOURNAL_META in pl.read_parquet_metadata(path)
    except (OSError, pl.exceptions.PolarsError):
        return False


def not_bars(block: DataBlock, error: DataError) -> DataError:
    """Return the error of a block of bars, or a plainer one if its source is book data or a journal."""
    if block.kind != "bars" or block.profile is not None or block.mapping:
        return error
    for source in filter(is_journal_table, block.sources):
        return DataError(f"{source}: no bars, but an exported journal", hint="set kind: journal (--kind journal)")
    place, chosen, kinds = book_kinds(block.sources)
    if kinds == ("book",):
        return DataError(f"{place}: no bars, but book data of format {chosen}", hint="set kind: book (--kind book)")
    if kinds:
        hint = f"set kind: {' or '.join(kinds)} (--kind)"
        return DataError(f"{place}: no bars, but by its columns {' or '.join(kinds)}", hint=hint)
    return error
