"""How every command is declared: help, examples, no heavy import before it runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import typer

__all__ = ["EXIT_CODES", "command", "group"]

EXIT_CODES = (
    (0, "done; `verify`: identical"),
    (1, "`verify`: differs; `check`: look-ahead was found or not excluded, more warm-up is needed than allowed"),
    (2, "a configuration, option or argument is wrong"),
    (3, "data is missing, damaged or refused"),
    (4, "a strategy does not compile, or raised"),
    (5, "a live feed failed"),
    (6, "a run folder, journal or catalogue cannot be read or written"),
    (7, "`verify`: made by other versions"),
    (70, "a bug of tradectl"),
    (130, "interrupted by Ctrl-C"),
)
CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 110}


def group(name: str, help_text: str) -> typer.Typer:
    """Return a group of commands; without a command it shows its help."""
    return typer.Typer(
        name=name,
        help=help_text,
        no_args_is_help=True,
        rich_markup_mode=None,  # importing rich for the help alone would treble its time
        pretty_exceptions_enable=False,
        context_settings=CONTEXT,
        add_completion=name == "tradectl",
    )


def command(
    app: typer.Typer, name: str, short: str, *examples: str
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register a function as a command; its docstring is the help, `short` its line in lists, `examples` end it."""
    title = "Example:" if len(examples) == 1 else "Examples:"
    epilog = "\n".join(["\b", title, *(f"  {line}" for line in examples)])
    return app.command(name, short_help=short, epilog=epilog, context_settings=CONTEXT)
