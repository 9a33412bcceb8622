"""Options that several commands share: one name and one help text each."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["Configs", "From", "Json", "Quiet", "Run", "Runs", "RunsFolder", "Sets", "To"]

Configs = Annotated[
    list[Path], typer.Argument(metavar="CONFIG", help="YAML files, one run each.", show_default=False)
]
Run = Annotated[
    str,
    typer.Argument(metavar="RUN", help="A run folder, a part of its name, or latest.", show_default=False),
]
Runs = Annotated[
    list[str],
    typer.Argument(metavar="RUN", help="Run folders, parts of their names, or latest.", show_default=False),
]
Sets = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Override a key of the config; may be repeated.",
        show_default=False,
    ),
]
RunsFolder = Annotated[Path, typer.Option("--runs", metavar="DIR", help="Where run folders are.")]
From = Annotated[
    str | None,
    typer.Option(
        "--from", metavar="DATE", help="First moment used, of every data block.", show_default=False
    ),
]
To = Annotated[
    str | None, typer.Option("--to", metavar="DATE", help="First moment no longer used.", show_default=False)
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, one object a line, and nothing else.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print no progress and no table.")]
