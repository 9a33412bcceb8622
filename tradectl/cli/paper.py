"""`tradectl paper`: the strategies of a configuration over live feeds."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tradectl.cli.app import command
from tradectl.cli.options import Json, LastsFor, RunsFolder, RunsOut, Sets, duration_ns
from tradectl.errors import ConfigError

if TYPE_CHECKING:
    from tradectl.cli.runner_paper import PaperRequest

__all__ = ["register", "register_record"]

Headless = Annotated[
    bool, typer.Option("--headless", help="No view: one JSON line for each thing that happens.")
]


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
        duration: LastsFor = None,
        resume: Annotated[
            str | None,
            typer.Option(
                "--resume", metavar="RUN", help="Go on with an earlier session instead.", show_default=False
            ),
        ] = None,
        headless: Headless = False,
        sets: Sets = None,
        out: RunsOut = None,
        folder: RunsFolder = Path("runs"),
        as_json: Json = False,
    ) -> None:
        """Listen to the feeds of a config, run its strategies on them, and write a run folder.

        Every event is journaled before it is applied: a session that was killed goes on with --resume, and
        `tradectl verify` replays it through the backtester. Ctrl-C cancels the orders and writes the summary.
        """
        from tradectl.cli.runner_paper import PaperRequest
        from tradectl.db.catalogue import find_folder
        from tradectl.db.session import SESSION

        if (config is None) == (resume is None):
            raise ConfigError("name a config, or with --resume an earlier session, and not both")
        if resume is not None and sets:
            raise ConfigError("--set: a resumed session keeps the settings of its run.yaml")
        again = None if resume is None else find_folder(resume, out or folder, SESSION, "session")
        request = PaperRequest(config, again, tuple(sets or ()), out=out, duration_s=_seconds(duration))
        run_dir = _run(request, headless, as_json)
        _next(f"tradectl verify {run_dir}", run_dir, headless or as_json)


def register_record(data: typer.Typer) -> None:
    """Add `data record`."""

    @command(
        data,
        "record",
        "Record live feeds as data for backtests.",
        "tradectl data record configs/paper_sandbox.yaml --duration 8h",
    )
    def record(
        config: Annotated[
            Path, typer.Argument(metavar="CONFIG", help="A YAML file with a block `feed`.", show_default=False)
        ],
        duration: LastsFor = None,
        headless: Headless = False,
        sets: Sets = None,
        out: RunsOut = None,
        as_json: Json = False,
    ) -> None:
        """Listen to the feeds of a config, without its strategies, and keep every event in a journal.

        The folder is a source of data: `data: {source: FOLDER, kind: journal}`; `tradectl data export` makes one
        Parquet file of it. `tradectl paper --resume` goes on with it.
        """
        from tradectl.cli.runner_paper import PaperRequest

        asked = PaperRequest(config, sets=tuple(sets or ()), out=out, duration_s=_seconds(duration), trades=False)
        run_dir = _run(asked, headless, as_json)
        _next(f"data: {{source: {run_dir}, kind: journal}}", run_dir, headless or as_json)


def _next(text: str, run_dir: Path, as_json: bool) -> None:
    """Say on standard error what comes next, among lines of JSON as one of them."""
    from tradectl.cli.output import err, json_text

    if as_json:
        text = json_text({"event": "written", "run_dir": str(run_dir), "next": text})
    err().print(text, markup=False, highlight=False, soft_wrap=True)


def _seconds(duration: str | None) -> float | None:
    return None if duration is None else duration_ns(duration) / 1e9


def _run(request: PaperRequest, headless: bool, as_json: bool) -> Path:
    """Run a session with what is to be seen of it; print its end; return its folder."""
    from tradectl.cli.output import out as console
    from tradectl.cli.output import print_json
    from tradectl.cli.paper_control import serve_control
    from tradectl.cli.paper_log import log_lines
    from tradectl.cli.paper_view import live_view
    from tradectl.cli.progress import Meter
    from tradectl.cli.result_table import print_result
    from tradectl.cli.runner_paper import run_paper

    watched = not headless and not as_json and console().is_terminal
    watches = (serve_control, live_view if watched else log_lines)
    with Meter(headless or as_json) as meter:
        result = run_paper(replace(request, watches=watches), meter)
    if as_json:
        print_json(result.summary)
    elif not headless:
        print_result(console(), result.summary)
    return result.run_dir
