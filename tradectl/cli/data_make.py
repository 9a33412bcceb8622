"""`tradectl data resample` and `generate`: bars made from bars, and bars made up."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated

import typer

from tradectl.cli.app import command
from tradectl.cli.data_source import block_options, data_input
from tradectl.cli.options import (
    Catalogue,
    From,
    Json,
    Profile,
    Quiet,
    Sets,
    Source,
    Symbols,
    Timeframe,
    To,
    comma_list,
)
from tradectl.errors import ConfigError

__all__ = ["register"]


def register(data: typer.Typer) -> None:
    """Add the commands to the group."""
    _resample(data)
    _generate(data)


def _resample(data: typer.Typer) -> None:
    @command(
        data,
        "resample",
        "Make coarser bars.",
        "tradectl data resample catalogue --to-timeframe 1h --out hourly --symbols BTC/USD",
    )
    def resample(
        sources: Source,
        out: Catalogue,
        target: Annotated[
            str, typer.Option("--to-timeframe", metavar="T", help="Bar length to make, e.g. 1h.")
        ],
        profile: Profile = None,
        timeframe: Timeframe = None,
        symbols: Symbols = None,
        start: From = None,
        end: To = None,
        keep_partial: Annotated[
            bool, typer.Option("--keep-partial", help="Keep a last bar that is not complete.")
        ] = False,
        sets: Sets = None,
        as_json: Json = False,
        quiet: Quiet = False,
    ) -> None:
        """Make coarser bars and add them to a catalogue; buckets start at multiples of T since 1970 UTC.

        A first bar that the data begin inside of is kept, and told; a last one that is not complete is left out.
        """
        from tradectl.cli.output import count, print_json, print_notes
        from tradectl.cli.output import out as console
        from tradectl.cli.progress import Meter
        from tradectl.history.resample import resample_data

        found = data_input(sources, block_options(profile, timeframe, symbols, start, end), sets or ())
        with Meter(as_json or quiet) as meter:
            summary, history = resample_data(
                found.blocks(), target, out, found.specs(), keep_partial=keep_partial,
                progress=meter.counter("writing bars"),
            )  # fmt: skip
        if as_json:
            print_json({**vars(summary), "out": str(out), "notes": history.report.notes})
        elif not quiet:
            print_notes(history.report)
            console().print(f"{count(summary.rows)} bars of {count(summary.series)} series: [bold]{out}[/]")


def _generate(data: typer.Typer) -> None:
    @command(
        data,
        "generate",
        "Write synthetic bars.",
        "tradectl data generate walk.csv.gz --symbols XYZ/USD --bars 10000 --seed 7",
        "tradectl data generate catalogue --symbols A/USD,B/USD --bars 1000000 --timeframe 1s --gaps 100",
    )
    def generate(
        out: Annotated[
            Path,
            typer.Argument(
                metavar="OUT",
                help="A folder (catalogue), or a .csv or .csv.gz; may hold {symbol}.",
                show_default=False,
            ),
        ],
        symbols: Annotated[
            str, typer.Option("--symbols", metavar="A,B", help="Symbols; each ten times cheaper.")
        ],
        bars: Annotated[
            int, typer.Option("--bars", metavar="N", min=1, help="Bars of each symbol.")
        ] = 10_000,
        timeframe: Annotated[str, typer.Option("--timeframe", metavar="T", help="Bar length.")] = "1m",
        start: Annotated[
            str, typer.Option("--start", metavar="DATE", help="Start of the first bar.")
        ] = "2024-01-01",
        seed: Annotated[
            int, typer.Option("--seed", metavar="N", min=0, help="The same seed gives the same bars.")
        ] = 1,
        price: Annotated[
            str, typer.Option("--price", metavar="X", help="First price of the first symbol.")
        ] = "100",
        tick_size: Annotated[str, typer.Option("--tick-size", metavar="X", help="Price step.")] = "0.01",
        lot_size: Annotated[str, typer.Option("--lot-size", metavar="X", help="Quantity step.")] = "0.001",
        gaps: Annotated[
            int, typer.Option("--gaps", metavar="N", min=0, help="Bars left out, of a million.")
        ] = 0,
        as_json: Json = False,
    ) -> None:
        """Write synthetic bars: seeded random walks with clustered volatility, the same on every machine."""
        from tradectl.cli.output import count, print_json
        from tradectl.cli.output import out as console
        from tradectl.config.units import Moment
        from tradectl.history.generate import Walk
        from tradectl.history.generate import generate as write_bars

        names = tuple(comma_list(symbols))
        try:
            start_ns = Moment(start).ns
        except ValueError as error:
            raise ConfigError(f"--start: {error}; got {start!r}") from None
        sizes = (
            _positive("--price", price),
            _positive("--tick-size", tick_size),
            _positive("--lot-size", lot_size),
        )
        rows = write_bars(Walk(names, bars, timeframe, start_ns, seed, *sizes, gap_per_million=gaps), out)
        if as_json:
            print_json({"out": str(out), "rows": rows, "symbols": list(names)})
        else:
            console().print(f"{count(rows)} bars: [bold]{out}[/]")


def _positive(option: str, text: str) -> Decimal:
    try:
        value = Decimal(text)
    except InvalidOperation:
        value = Decimal("NaN")
    if not (value.is_finite() and value > 0):
        raise ConfigError(f"{option}: expected a number above 0, got {text!r}")
    return value
