"""`tradectl paper`: the strategies of a configuration over live feeds."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tradectl.cli.app import command
from tradectl.cli.options import Json, RunsFolder, Sets
from tradectl.errors import ConfigError

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command."""

    @command(
        app,
        "paper",
        "Run strategies over live feeds, with paper money.",
        "tradectl paper configs/paper_sandbox.yaml --duration 1h",
        "tradectl paper configs/paper_sandbox.yaml --headless --json > end.json",
        "tradectl paper --resume latest",
    )
    def paper(
        config: Annotated[
            Path | None,
            typer.Argument(metavar="[CONFIG]", help="A YAML file with a block `feed`.", show_default=False),
        ] = None,
        duration: Annotated[
            str | None,
            typer.Option("--duration", metavar="TIME", help="End after this long: 90s, 10m, 8h.", show_default=False),
        ] = None,
        resume: Annotated[
            str | None,
            typer.Option(
                "--resume", metavar="RUN", help="Go on with an earlier session instead.", show_default=False
            ),
        ] = None,
        headless: Annotated[
            bool, typer.Option("--headless", help="No view: one JSON line for each thing that happens.")
        ] = False,
        sets: Sets = None,
        out: Annotated[
            Path | None, typer.Option("--out", metavar="DIR", help="Folder of run folders; default: ./runs.")
        ] = None,
        folder: RunsFolder = Path("runs"),
        as_json: Json = False,
    ) -> None:
        """Listen to the feeds of a config, run its strategies on them, and write a run folder.

        Every event is journaled before it is applied: a session that was killed goes on with --resume, and
        `tradectl verify` replays it through the backtester. Ctrl-C cancels the orders and writes the summary.
        """
        from tradectl.cli.output import err, print_json
        from tradectl.cli.output import out as console
        from tradectl.cli.paper_control import serve_control
        from tradectl.cli.paper_log import log_lines
        from tradectl.cli.paper_view import live_view
        from tradectl.cli.progress import Meter
        from tradectl.cli.result_table import print_result
        from tradectl.cli.runner_paper import PaperRequest, run_paper
        from tradectl.db.catalogue import find_folder
        from tradectl.db.session import SESSION

        if (config is None) == (resume is None):
            raise ConfigError("name a config, or with --resume an earlier session, and not both")
        if resume is not None and sets:
            raise ConfigError("--set: a resumed session keeps the settings of its run.yaml")
        watched = not headless and not as_json and console().is_terminal
        request = PaperRequest(
            config,
            None if resume is None else find_folder(resume, out or folder, SESSION, "session"),
            tuple(sets or ()),
            out=out,
            duration_s=_seconds(duration),
            watches=(serve_control, live_view if watched else log_lines),
        )
        with Meter(headless or as_json) as meter:
            result = run_paper(request, meter)
        if as_json:
            print_json(result.summary)
        elif not headless:
            print_result(console(), result.summary)
        err().print(f"tradectl verify {result.run_dir}", markup=False, highlight=False, soft_wrap=True)


def _seconds(text: str | None) -> float | None:
    """Return a duration in seconds; ConfigError where it is none."""
    from tradectl.config.units import Duration

    if text is None:
        return None
    try:
        return Duration(text).ns / 1e9
    except ValueError as error:
        raise ConfigError(f"--duration {text!r}: {error}", hint="e.g. 90s, 10m, 8h") from None
