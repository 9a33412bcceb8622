"""`tradectl data resample` and `generate`: bars made from bars, and bars made up."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated, Any

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
    duration_ns,
)
from tradectl.errors import ConfigError, nearest

__all__ = ["register"]

MadeKind = Annotated[
    str, typer.Option("--kind", metavar="K", help="bars, or book: depth and trades of an order flow.")
]
Bars = Annotated[int | None, typer.Option("--bars", metavar="N", min=1, help="Bars of each symbol (10000).")]
Step = Annotated[str | None, typer.Option("--timeframe", metavar="T", help="Bar length (1m).")]
Gaps = Annotated[
    int | None, typer.Option("--gaps", metavar="N", min=0, help="Bars left out, of a million (0).")
]
Spread = Annotated[
    int | None,
    typer.Option(
        "--spread", metavar="N", min=0, max=100_000,
        help="Symbols follow the first one, but for a spread that moves by N millionths in a bar and comes back (0).",
    ),
]
Length = Annotated[str | None, typer.Option("--duration", metavar="T", help="Length of book data (1h).")]
Rate = Annotated[
    int | None,
    typer.Option("--rate", metavar="N", min=1, help="Book data: orders that arrive in a second (25)."),
]


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
            print_notes(history.report.notes)
            console().print(f"{count(summary.rows)} bars of {count(summary.series)} series: [bold]{out}[/]")


def _generate(data: typer.Typer) -> None:
    @command(
        data,
        "generate",
        "Write synthetic bars or book data.",
        "tradectl data generate walk.csv.gz --symbols XYZ/USD --bars 10000 --seed 7",
        "tradectl data generate catalogue --symbols A/USD,B/USD --bars 1000000 --timeframe 1s --gaps 100",
        "tradectl data generate pair --symbols A/USD,B/USD --spread 500",
        "tradectl data generate catalogue --kind book --symbols A/USD --duration 1d --rate 100",
    )
    def generate(
        out: Annotated[
            Path,
            typer.Argument(
                metavar="OUT",
                help="A folder (catalogue); for bars also a .csv or .csv.gz, which may hold {symbol}.",
                show_default=False,
            ),
        ],
        symbols: Annotated[
            str, typer.Option("--symbols", metavar="A,B", help="Symbols; each ten times cheaper.")
        ],
        kind: MadeKind = "bars",
        bars: Bars = None,
        timeframe: Step = None,
        gaps: Gaps = None,
        spread: Spread = None,
        duration: Length = None,
        rate: Rate = None,
        start: Annotated[
            str, typer.Option("--start", metavar="DATE", help="Start of the data.")
        ] = "2024-01-01",
        seed: Annotated[
            int, typer.Option("--seed", metavar="N", min=0, help="The same seed gives the same data.")
        ] = 1,
        price: Annotated[
            str, typer.Option("--price", metavar="X", help="First price of the first symbol.")
        ] = "100",
        tick_size: Annotated[str, typer.Option("--tick-size", metavar="X", help="Price step.")] = "0.01",
        lot_size: Annotated[str, typer.Option("--lot-size", metavar="X", help="Quantity step.")] = "0.001",
        as_json: Json = False,
    ) -> None:
        """Write synthetic data, the same on every machine.

        Bars are seeded random walks with clustered volatility; with `--kind book` the depth and trades of a
        seeded flow of orders are added to a catalogue.
        """
        from tradectl.cli.output import count, print_json
        from tradectl.cli.output import out as console
        from tradectl.config.units import Moment

        names = tuple(comma_list(symbols))
        try:
            start_ns = Moment(start).ns
        except ValueError as error:
            raise ConfigError(f"--start: {error}; got {start!r}") from None
        shared = {
            "symbols": names, "start_ns": start_ns, "seed": seed, "price": _positive("--price", price),
            "tick_size": _positive("--tick-size", tick_size), "lot_size": _positive("--lot-size", lot_size),
        }  # fmt: skip
        of_bars = {"--bars": bars, "--timeframe": timeframe, "--gaps": gaps, "--spread": spread}
        rows = _write(kind, out, shared, of_bars, {"--duration": duration, "--rate": rate})
        if as_json:
            print_json({"out": str(out), "rows": rows, "symbols": list(names)})
        else:
            console().print(f"{count(rows)} {'bars' if kind == 'bars' else 'rows'}: [bold]{out}[/]")


def _write(
    kind: str, out: Path, shared: dict[str, Any], of_bars: dict[str, Any], of_book: dict[str, Any]
) -> int:
    """Write the data and return the number of rows; options of the other kind are refused."""
    if kind not in ("bars", "book"):
        raise ConfigError(f"--kind: {kind!r} cannot be made up", hint=nearest(kind, ("bars", "book")))
    for option, value in (of_bars if kind == "book" else of_book).items():
        if value is not None:
            raise ConfigError(f"{option} is not for --kind {kind}")
    if kind == "book":
        from tradectl.history.generate_book import BookWalk, generate_book

        length = duration_ns(of_book["--duration"] or "1h")
        return generate_book(BookWalk(duration_ns=length, rate=of_book["--rate"] or 25, **shared), out)
    from tradectl.history.generate import Walk, generate

    walk = Walk(
        bars=of_bars["--bars"] or 10_000, timeframe=of_bars["--timeframe"] or "1m",
        gap_per_million=of_bars["--gaps"] or 0, spread_ppm=of_bars["--spread"] or 0, **shared,
    )  # fmt: skip
    return generate(walk, out)


def _positive(option: str, text: str) -> Decimal:
    try:
        value = Decimal(text)
    except InvalidOperation:
        value = Decimal("NaN")
    if not (value.is_finite() and value > 0):
        raise ConfigError(f"{option}: expected a number above 0, got {text!r}")
    return value
