"""`tradectl explain`: one order's life."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tradectl.cli.app import command
from tradectl.cli.options import DataPlaces, Json, Run, RunsFolder

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command."""

    @command(
        app,
        "explain",
        "Tell one order's life: checks, queue, fills, cost.",
        "tradectl explain latest 17",
        "tradectl explain 20240105T10 17 --json",
    )
    def explain(
        run: Run,
        order_id: Annotated[int, typer.Argument(metavar="ORDER_ID", help="Its id, as in orders.parquet.")],
        data: DataPlaces = None,
        folder: RunsFolder = Path("runs"),
        as_json: Json = False,
    ) -> None:
        """Fold a run again up to an order's end and tell all that decided it.

        The decision and what the strategy could see then, every check with its figure and limit, latency, the quantity
        ahead in the queue over time, each fill with the book (or bar) that it met, why it ended, what it cost.
        """
        from tradectl.cli.output import out, print_json
        from tradectl.cli.progress import Meter
        from tradectl.cli.runner import explain_order
        from tradectl.db.catalogue import find_run

        with Meter(as_json) as meter:
            told = explain_order(find_run(run, folder).path, order_id, data or (), meter)
        if as_json:
            print_json(told)
            return
        from tradectl.cli.explain_text import life

        for part in life(told):
            out().print(part)
