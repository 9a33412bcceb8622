"""`tradectl report`: the figures of finished runs."""

from __future__ import annotations

import typer

from tradectl.cli.app import command
from tradectl.cli.options import Json, Runs

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command."""

    @command(
        app,
        "report",
        "Show the result of runs, side by side.",
        "tradectl report runs/20240105T101500-quickstart-1a2b3c4d",
        "tradectl report 20240105T10 20240105T11   # side by side",
        "tradectl report 20240105T10 --json",
    )
    def report(runs: Runs, as_json: Json = False) -> None:
        """Show the result of one run, or of several side by side, from their summary.json."""
        from tradectl.cli.output import out, print_json
        from tradectl.cli.result_table import notes, result_table
        from tradectl.cli.runs import find_run, read_summary

        summaries = [read_summary(find_run(run)) for run in runs]
        if as_json:
            for summary in summaries:
                print_json(summary)
            return
        out().print(result_table(*summaries))
        if len(summaries) == 1:
            for line in notes(summaries[0]):
                out().print(line)
