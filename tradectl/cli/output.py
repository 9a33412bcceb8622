"""What commands print: tables and messages for people, plain JSON for scripts."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

__all__ = [
    "count", "decimals", "err", "json_text", "money", "out", "percent", "plain", "print_json", "print_notes",
    "seconds", "size", "table", "write",
]  # fmt: skip

CENTS = frozenset(
    "AED ARS AUD BRL CAD CHF CLP CNH CNY COP CZK DAI DKK EUR EURC GBP HKD HUF IDR ILS INR JPY KRW KZT MXN MYR NGN NOK "
    "NZD PHP PLN RON RUB SAR SEK SGD THB TRY TWD UAH VND ZAR".split()
)  # of these, and of all kinds of USD, amounts are written to the cent
PIPE_WIDTH = 100_000  # columns: nothing that goes to a file or pipe is wrapped or cut

_consoles: dict[bool, Console] = {}


def out() -> Console:
    """Return the console on standard output."""
    return _console(False)


def err() -> Console:
    """Return the console on standard error: progress, notes, errors."""
    return _console(True)


def _console(stderr: bool) -> Console:
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    made = _consoles.get(stderr)
    if made is None or made.file is not stream:
        width = None if stream.isatty() else PIPE_WIDTH
        made = _consoles[stderr] = Console(file=stream, highlight=False, width=width, soft_wrap=False)
    return made


def plain(value: Any) -> Any:
    """Return a value that JSON can hold: NaN and infinities are null, paths text, numpy numbers plain."""
    if isinstance(value, bool) or value is None or isinstance(value, (str, int)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(inner) for inner in value]
    if hasattr(value, "item"):
        return plain(value.item())
    return str(value)


def json_text(value: Any, *, indent: int | None = None) -> str:
    """Return a value as JSON, on one line unless `indent` is given."""
    return json.dumps(plain(value), indent=indent, ensure_ascii=False, allow_nan=False)


def print_json(value: Any) -> None:
    """Print one JSON object on a line of its own."""
    write(json_text(value))


def print_notes(notes: Sequence[str]) -> None:
    """Print what is to be known beside a table."""
    from rich.markup import escape

    for note in notes:
        out().print(f"[cyan]note[/] {escape(note)}")


def write(text: str) -> None:
    """Print text as it is, without wrapping or markup."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def table(
    title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[int] = (), wrap: int = 1
) -> RenderableType:
    """Return a table below its title; columns in `right` are numbers, the last `wrap` fold where it is narrow."""
    from rich import box
    from rich.console import Group
    from rich.markup import escape
    from rich.table import Table

    made = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for index, name in enumerate(columns):
        made.add_column(
            name,
            justify="right" if index in right else "left",
            overflow="fold",
            no_wrap=index < len(columns) - wrap,
        )
    for row in rows:
        made.add_row(*(escape(cell) for cell in row))
    return Group(f"[bold]{escape(title)}[/]", made) if title else made


def count(value: float | None) -> str:
    """Write a whole number with thousands separated."""
    return "–" if value is None else f"{value:,.0f}"


def money(value: Any, currency: str = "") -> str:
    """Write an amount: with two decimals, in a coin of which a cent may be much with those of an atom."""
    number = _number(value)
    return "–" if number is None else f"{number:,.{decimals(currency)}f}"


def decimals(currency: str) -> int:
    """Return with how many decimals amounts of a currency are written; of one without a name with two."""
    return 2 if not currency or currency in CENTS or "USD" in currency else 8


def percent(value: Any) -> str:
    """Write a fraction as a percentage."""
    number = _number(value)
    return "–" if number is None else f"{number * 100:,.2f} %"


def seconds(value: float | None) -> str:
    """Write a duration given in seconds."""
    if value is None:
        return "–"
    if value < 1e-3:
        return f"{value * 1e6:.0f} µs"
    if value < 1.0:
        return f"{value * 1e3:.0f} ms"
    return f"{value:.1f} s" if value < 120 else f"{value / 60:.1f} min"


def size(value: float) -> str:
    """Write a number of bytes."""
    for unit in ("B", "KB", "MB", "GB"):
        if value < 1000 or unit == "GB":
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return ""


def _number(value: Any) -> float | None:
    """Return a finite float, or None."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None
