"""Options that several commands share: one name and one help text each."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tradectl.errors import ConfigError

__all__ = [
    "Catalogue", "Configs", "DataPlaces", "From", "Json", "LastsFor", "Profile", "Quiet", "Run", "Runs",
    "RunsFolder", "RunsOut", "Sets", "Source", "Symbols", "Timeframe", "To", "comma_list", "duration_ns",
]

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
DataPlaces = Annotated[
    list[str] | None,
    typer.Option(
        "--data",
        metavar="PATH",
        help="Where the input data is now: a file, folder or glob; may be repeated.",
        show_default=False,
    ),
]
RunsOut = Annotated[
    Path | None, typer.Option("--out", metavar="DIR", help="Folder of run folders; default: ./runs.")
]
LastsFor = Annotated[
    str | None,
    typer.Option("--duration", metavar="TIME", help="End after this long: 90s, 10m, 8h.", show_default=False),
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
Source = Annotated[
    list[str],
    typer.Argument(
        metavar="SOURCE",
        help="Files, folders, globs, a catalogue, a run's journal, or one config.",
        show_default=False,
    ),
]
Profile = Annotated[
    str | None,
    typer.Option(
        "--profile",
        metavar="NAME",
        help="Named layout of bars (bitfinex) or format of book data (tardis).",
        show_default=False,
    ),
]
Timeframe = Annotated[
    str | None,
    typer.Option("--timeframe", metavar="T", help="Bar length of the source, e.g. 1m.", show_default=False),
]
Symbols = Annotated[
    str | None,
    typer.Option(
        "--symbols", "--symbol", metavar="A,B", help="Use only these symbols, separated by commas.", show_default=False
    ),
]
Catalogue = Annotated[
    Path, typer.Option("--out", metavar="DIR", help="The catalogue; made if it is not there.")
]


def duration_ns(text: str) -> int:
    """Return the nanoseconds that `--duration` names; ConfigError where it is no span of time."""
    from tradectl.config.units import parse_duration_ns

    try:
        return parse_duration_ns(text)
    except ValueError as error:
        raise ConfigError(f"--duration: {error}; got {text!r}") from None


def comma_list(text: str) -> list[str]:
    """Return the names in a list separated by commas."""
    return [name.strip() for name in text.split(",") if name.strip()]
