"""`tradectl verify`: fold a run again and compare every row."""

from __future__ import annotations

from pathlib import Path

import typer

from tradectl.cli.app import command
from tradectl.cli.options import DataPlaces, Json, Run, RunsFolder

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command."""

    @command(
        app,
        "verify",
        "Fold a run again and compare every row.",
        "tradectl verify latest",
        "tradectl verify 20240105 --data /mnt/archive/bars --json",
        "tradectl verify 20240105 --data 'archive/*.csv.gz' --data more/ETHUSD.csv",
    )
    def verify(
        run: Run,
        data: DataPlaces = None,
        folder: RunsFolder = Path("runs"),
        as_json: Json = False,
    ) -> None:
        """Run it again, compare every row and the state hash, name the first difference.

        Data named by --data may also have been renamed: it is known by its content.
        Exit code 0: identical; 1: differs; 3: data missing; 7: made by other versions (compared all the same).
        """
        from tradectl.cli.output import out, print_json
        from tradectl.cli.progress import Meter
        from tradectl.cli.runner import verify_run
        from tradectl.db.catalogue import find_run

        with Meter(as_json) as meter:
            result = verify_run(find_run(run, folder).path, data or (), meter)
        if as_json:
            print_json(result.to_dict())
        else:
            out().print(result.text(), markup=False)
        raise typer.Exit(result.exit_code)
