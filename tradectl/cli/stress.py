"""`tradectl stress`: one run under other queue models, latencies, fees and slippage."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from tradectl.cli.app import command
from tradectl.cli.options import From, Json, Quiet, Sets, To

__all__ = ["register"]

Config = Annotated[Path, typer.Argument(metavar="CONFIG", help="A YAML file.", show_default=False)]
Queues = Annotated[
    str | None,
    typer.Option(
        "--queue", metavar="A,B", show_default=False,
        help="Queue models, for depth; default: power3,power2,power,log2,log,risk_averse.",
    ),
]  # fmt: skip
Latencies = Annotated[
    str | None,
    typer.Option(
        "--latency", metavar="T,T", show_default=False,
        help="Latencies, of answers as of orders, or ENTRY/RESPONSE; default: 0,1ms,5ms,20ms,100ms.",
    ),
]  # fmt: skip
FeeLevels = Annotated[
    str | None,
    typer.Option(
        "--fees", metavar="F,F", show_default=False,
        help="Factors of the config's fees, or MAKER/TAKER rates (0.0002/0.05%); default: 0,1,2x.",
    ),
]  # fmt: skip
Ticks = Annotated[
    str | None,
    typer.Option(
        "--slippage", metavar="N,N", show_default=False,
        help="Ticks that market orders and triggered stops pay; default: 0,1,2.",
    ),
]  # fmt: skip
Full = Annotated[bool, typer.Option("--full", help="Run the whole product of the four lists.")]
Jobs = Annotated[
    int | None,
    typer.Option(
        "-j", "--jobs", metavar="N", min=1, show_default=False,
        help="Variants at the same time; default: one for each CPU.",
    ),
]  # fmt: skip
Folder = Annotated[
    Path | None,
    typer.Option(
        "--out", metavar="DIR", show_default=False, help="Also write stress.json, stress.parquet and stress.html."
    ),
]


def register(app: typer.Typer) -> None:
    """Add the command."""

    @command(
        app,
        "stress",
        "Run one config under worse and better assumptions.",
        "tradectl stress configs/market_maker.yaml",
        "tradectl stress configs/market_maker.yaml --queue power3,risk_averse --latency 0,10ms,50ms/80ms --out stress",
        "tradectl stress configs/quickstart.yaml --fees 0,1,2x,0.0002/0.0006 --slippage 0,1,5 --json",
    )
    def stress(
        config: Config,
        queue: Queues = None,
        latency: Latencies = None,
        fees: FeeLevels = None,
        slippage: Ticks = None,
        full: Full = False,
        sets: Sets = None,
        start: From = None,
        end: To = None,
        folder: Folder = None,
        jobs: Jobs = None,
        as_json: Json = False,
        quiet: Quiet = False,
    ) -> None:
        """Run a config under other queue models, latencies, fees and slippage, and say where its profit ends.

        Shown are each axis alone, a heat map of P&L and of the fill ratio over queue models × latencies (without
        depth: fees × latencies), the latency and the fee at which nothing is left. What the config says is always
        one of the values (•) and gives what `backtest` gives. No run folder is written.
        """
        from tradectl.cli.output import out, print_json
        from tradectl.cli.progress import Meter
        from tradectl.cli.stress_axes import Wanted
        from tradectl.cli.stress_run import Asked, stress

        dates = {"data.from": start, "data.to": end}
        given = {key: value for key, value in dates.items() if value is not None}
        wanted = Wanted(queue, latency, fees, slippage)
        asked = Asked(config, wanted, tuple(sets or ()), given, full, jobs or os.cpu_count() or 1)
        with Meter(as_json or quiet) as meter:
            result = stress(asked, meter)
        if as_json:
            print_json(result)
        elif not quiet:
            from tradectl.cli.stress_table import print_stress

            print_stress(out(), result)
        if folder is not None:
            _write(result, folder, as_json or quiet)


def _write(result: dict[str, Any], folder: Path, quiet: bool) -> None:
    """Write the files; say which."""
    from tradectl.cli.output import out
    from tradectl.cli.stress_files import write_stress

    paths = write_stress(result, folder)
    if not quiet:
        out().print(f"wrote {', '.join(str(path) for path in paths)}", markup=False)
