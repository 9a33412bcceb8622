"""`tradectl data book`: the rebuilt book as a table."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tradectl.cli.app import command
from tradectl.cli.data_source import FixClock, Kind, block_options, data_input
from tradectl.cli.options import From, Json, Profile, Quiet, Sets, Source, Symbols, To

__all__ = ["register"]

Levels = Annotated[int, typer.Option("--levels", metavar="N", min=1, max=1000, help="Levels of each side.")]
Every = Annotated[
    str,
    typer.Option(
        "--every",
        metavar="T",
        help="event: after every message; 100ms: as it was at the end of each 100 ms in which a message came, "
        "with the stamps of the last one.",
    ),
]


def register(data: typer.Typer) -> None:
    """Add the command."""

    @command(
        data,
        "book",
        "Write the rebuilt book as a table.",
        "tradectl data book catalogue --symbol BTC/USDT --levels 5 --every 100ms --out book.parquet",
        "tradectl data book 'ticks/*.csv.gz' --profile tardis --out book.parquet",
    )
    def book(
        sources: Source,
        target: Annotated[Path, typer.Option("--out", metavar="FILE", help="A .parquet or .csv file.")],
        levels: Levels = 10,
        every: Every = "event",
        kind: Kind = "book",
        profile: Profile = None,
        symbols: Symbols = None,
        start: From = None,
        end: To = None,
        fix_clock: FixClock = False,
        sets: Sets = None,
        as_json: Json = False,
        quiet: Quiet = False,
    ) -> None:
        """Rebuild one instrument's book from quotes, depth or orders, and write its best levels.

        The source is history, or a run with a journal.

        A row holds ts (local receive time), ts_exchange, and bid_px_1, bid_qty_1, ask_px_1, ask_qty_1, … of as
        many levels as asked for; what a side does not have is null.
        """
        from tradectl.cli.book_table import write_book
        from tradectl.cli.output import count, out, print_json
        from tradectl.cli.progress import Meter

        clock = "correct" if fix_clock else None
        options = block_options(profile, None, symbols, start, end) | {"kind": kind, "clock": clock}
        found = data_input(sources, options, sets or ())
        with Meter(as_json or quiet) as meter:
            rows = write_book(found, target, levels, every, meter.counter("reading data"))
        if as_json:
            print_json({"rows": rows, "levels": levels, "every": every, "out": str(target)})
        elif not quiet:
            out().print(f"{count(rows)} rows: [bold]{target}[/]")
