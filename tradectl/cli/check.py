"""`tradectl check`: is what a backtest says of a strategy true of its future."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from tradectl.cli.app import command, group
from tradectl.cli.options import From, Json, Quiet, Sets, To

__all__ = ["register"]

Config = Annotated[Path, typer.Argument(metavar="CONFIG", help="A YAML file.", show_default=False)]
Cuts = Annotated[int, typer.Option("--cuts", metavar="N", help="Times at which the future is taken away.")]
AllDecisions = Annotated[
    bool, typer.Option("--all-decisions", help="Take it away at every decision, and at N times beside.")
]
Trust = Annotated[
    list[Path] | None,
    typer.Option(
        "--trust", metavar="FILE", show_default=False,
        help="A file that was there before the run began, such as a model; it is not cut; may be repeated.",
    ),
]  # fmt: skip
Prepare = Annotated[
    str,
    typer.Option(
        "--prepare", metavar="COMMAND", show_default=False,
        help="Makes the side files that a strategy reads, for each run anew: from the data in {data}, into {out}.",
    ),
]  # fmt: skip
Starts = Annotated[int, typer.Option("--starts", metavar="N", min=1, help="Later starts that are compared.")]
Most = Annotated[
    int | None,
    typer.Option(
        "--max", metavar="BARS", min=0, show_default=False, help="Exit with 1 where more bars of warm-up are needed."
    ),
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    checks = group("check", "Find look-ahead, and how much warm-up a strategy needs.")
    app.add_typer(checks)
    _lookahead(checks)
    _warmup(checks)


def _lookahead(app: typer.Typer) -> None:
    @command(
        app,
        "lookahead",
        "Check that decisions do not know the future.",
        "tradectl check lookahead configs/quickstart.yaml",
        "tradectl check lookahead configs/sma_cross.yaml --to 2024-01-03 --all-decisions --json",
    )
    def lookahead(
        config: Config,
        cuts: Cuts = 12,
        all_decisions: AllDecisions = False,
        trust: Trust = None,
        prepare: Prepare = "",
        sets: Sets = None,
        start: From = None,
        end: To = None,
        as_json: Json = False,
        quiet: Quiet = False,
    ) -> None:
        """Run a config again without its future, and compare every decision made until then.

        At each of N times the data is cut off, then scrambled from there on. Everything that is made of it (tick
        sizes, calendars, what strategies read and compute) is made again. All orders, changes and cancels up to
        that time must be the same, and so must the strategies' memory. Exit code 0: they are; 1: they are not, or
        it cannot be proven.
        """
        from tradectl.cli.output import out, print_json
        from tradectl.cli.progress import Meter
        from tradectl.cli.runner_check_lookahead import check_lookahead
        from tradectl.cli.runner_check_world import Asked

        asked = Asked(config, tuple(sets or ()), _dates(start, end))
        with Meter(as_json or quiet) as meter:
            result = check_lookahead(asked, cuts, all_decisions, trust or (), meter, prepare)
        if as_json:
            print_json(result)
        elif not quiet:
            from tradectl.cli.check_table import print_lookahead

            print_lookahead(out(), result)
        raise typer.Exit(0 if result["passed"] else 1)


def _warmup(app: typer.Typer) -> None:
    @command(
        app,
        "warmup",
        "Find how many bars a strategy needs before it counts.",
        "tradectl check warmup configs/quickstart.yaml",
        "tradectl check warmup configs/sma_cross.yaml --starts 12 --max 200 --json",
    )
    def warmup(
        config: Config,
        starts: Starts = 8,
        most: Most = None,
        sets: Sets = None,
        start: From = None,
        end: To = None,
        as_json: Json = False,
        quiet: Quiet = False,
    ) -> None:
        """Run a config from later and later starts, and say after how many bars all runs decide the same.

        Bars are those that the strategy is called on. Decisions are compared without their sizes, which depend on the
        account; positions by their sign. Exit code 1: more bars are needed than --max allows.
        """
        from tradectl.cli.output import out, print_json
        from tradectl.cli.progress import Meter
        from tradectl.cli.runner_check_warmup import check_warmup
        from tradectl.cli.runner_check_world import Asked

        asked = Asked(config, tuple(sets or ()), _dates(start, end))
        with Meter(as_json or quiet) as meter:
            result = check_warmup(asked, starts, most, meter)
        if as_json:
            print_json(result)
        elif not quiet:
            from tradectl.cli.check_table import print_warmup

            print_warmup(out(), result)
        raise typer.Exit(0 if result["passed"] else 1)


def _dates(start: str | None, end: str | None) -> Mapping[str, Any]:
    """Return the overrides of `--from` and `--to`."""
    return {key: value for key, value in (("data.from", start), ("data.to", end)) if value is not None}
