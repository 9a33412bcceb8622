"""`tradectl report`: the figures of finished runs."""

from __future__ import annotations

from pathlib import Path

import typer

from tradectl.cli.app import command
from tradectl.cli.options import Json, Runs, RunsFolder

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command."""

    @command(
        app,
        "report",
        "Show the result of runs, side by side.",
        "tradectl report latest",
        "tradectl report 20240105T10 20240105T11   # side by side",
        "tradectl report 20240105T10 --runs other/runs --json",
    )
    def report(runs: Runs, folder: RunsFolder = Path("runs"), as_json: Json = False) -> None:
        """Show the result of one run, or of several side by side, from their summary.json."""
        from tradectl.cli.output import out, print_json
        from tradectl.cli.result_table import print_result, result_table
        from tradectl.db.catalogue import find_run

        summaries = [find_run(run, folder).summary for run in runs]
        if as_json:
            for summary in summaries:
                print_json(summary)
            return
        if len(summaries) == 1:
            print_result(out(), summaries[0])
        else:
            out().print(result_table(*summaries))
