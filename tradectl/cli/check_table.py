"""What `tradectl check` shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tradectl.cli.output import count, print_notes, table

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["print_lookahead", "print_warmup"]

Told = dict[str, Any]


def print_lookahead(console: Console, result: Told) -> None:
    console.print(result)


def print_warmup(console: Console, result: Told) -> None:
    console.print(result)
