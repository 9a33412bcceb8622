"""Rows of figures as a table, Markdown, CSV or JSON."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tradectl.cli.output import print_json, write
from tradectl.errors import ConfigError, nearest

__all__ = ["FORMATS", "Column", "check_format", "print_rows"]

FORMATS = ("table", "md", "csv", "json")


@dataclass(frozen=True)
class Column:
    """A column: its heading, its key in JSON and CSV, and how people read it (None: text)."""

    title: str
    key: str
    write: Callable[[Any], str] | None = None

    def text(self, row: Mapping[str, Any]) -> str:
        """Return a row's cell for people."""
        value = row.get(self.key)
        if self.write is None:
            return "–" if value is None else str(value)
        return value if isinstance(value, str) else self.write(value)


def check_format(name: str) -> str:
    """Return the name of a format; ConfigError where it is none."""
    if name not in FORMATS:
        raise ConfigError(f"--format {name} is unknown", hint=nearest(name, FORMATS))
    return name


def print_rows(columns: Sequence[Column], rows: Sequence[Mapping[str, Any]], form: str) -> None:
    """Print rows: figures as they are in CSV and JSON (one object a line), rounded in tables."""
    if form == "json":
        for row in rows:
            print_json(row)
    elif form == "csv":
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow([column.key for column in columns])
        writer.writerows([_plain(row.get(column.key)) for column in columns] for row in rows)
        write(text.getvalue().rstrip("\n"))
    elif form == "md":
        write(_markdown(columns, rows))
    else:
        _print_table(columns, rows)


def _plain(value: Any) -> Any:
    return "" if value is None or value != value else value


def _markdown(columns: Sequence[Column], rows: Sequence[Mapping[str, Any]]) -> str:
    lines = [[column.title for column in columns], ["---" if c.write is None else "---:" for c in columns]]
    lines += [[column.text(row).replace("|", "\\|") for column in columns] for row in rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _print_table(columns: Sequence[Column], rows: Sequence[Mapping[str, Any]]) -> None:
    from tradectl.cli.output import out, table

    right = [k for k, column in enumerate(columns) if column.write is not None]
    cells = [[column.text(row) for column in columns] for row in rows]
    out().print(table("", [column.title for column in columns], cells, right=right, wrap=0))

