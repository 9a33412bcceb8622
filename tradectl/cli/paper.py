"""`tradectl paper`: the strategies of a configuration over live feeds."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tradectl.cli.app import command
from tradectl.cli.options import Json, RunsFolder, Sets
from tradectl.errors import ConfigError

__all__ = ["register", "register_record"]

Span = Annotated[
    str | None,
    typer.Option("--duration", metavar="TIME", help="End after this long: 90s, 10m, 8h.", show_default=False),
]
Headless = Annotated[
    bool, typer.Option("--headless", help="No view: one JSON line for each thing that happens.")
]
Out = Annotated[
    Path | None, typer.Option("--out", metavar="DIR", help="Folder of run folders; default: ./runs.")
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
        duration: Span = None,
        resume: Annotated[
            str | None,
            typer.Option(
                "--resume", metavar="RUN", help="Go on with an earlier session instead.", show_default=False
            ),
        ] = None,
        headless: Headless = False,
        sets: Sets = None,
        out: Out = None,
        folder: RunsFolder = Path("runs"),
        as_json: Json = False,
    ) -> None:
        """Listen to the feeds of a config, run its strategies on them, and write a run folder.

        Every event is journaled before it is applied: a session that was killed goes on with --resume, and
        `tradectl verify` replays it through the backtester. Ctrl-C cancels the orders and writes the summary.
        """
        from tradectl.db.catalogue import find_folder
        from tradectl.db.session import SESSION

        if (config is None) == (resume is None):
            raise ConfigError("name a config, or with --resume an earlier session, and not both")
        if resume is not None and sets:
            raise ConfigError("--set: a resumed session keeps the settings of its run.yaml")
        again = None if resume is None else find_folder(resume, out or folder, SESSION, "session")
        run_dir = _run(config, again, sets, out, duration, headless, as_json)
        _say(f"tradectl verify {run_dir}")


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
        duration: Span = None,
        headless: Headless = False,
        sets: Sets = None,
        out: Out = None,
        as_json: Json = False,
    ) -> None:
        """Listen to the feeds of a config, without its strategies, and keep every event in a journal.

        The folder is a source of data: `data: {source: FOLDER, kind: journal}`; `tradectl data export` makes one
        Parquet file of it. `tradectl paper --resume` goes on with it.
        """
        run_dir = _run(config, None, sets, out, duration, headless, as_json, trades=False)
        _say(f"data: {{source: {run_dir}, kind: journal}}")


def _say(text: str) -> None:
    from tradectl.cli.output import err

    err().print(text, markup=False, highlight=False, soft_wrap=True)


def _run(
    config: Path | None, again: Path | None, sets: list[str] | None, out: Path | None, duration: str | None,
    headless: bool, as_json: bool, trades: bool = True,
) -> Path:  # fmt: skip
    """Run a session with what is to be seen of it; print its end; return its folder."""
    from tradectl.cli.output import out as console
    from tradectl.cli.output import print_json
    from tradectl.cli.paper_control import serve_control
    from tradectl.cli.paper_log import log_lines
    from tradectl.cli.paper_view import live_view
    from tradectl.cli.progress import Meter
    from tradectl.cli.result_table import print_result
    from tradectl.cli.runner_paper import PaperRequest, run_paper

    watched = not headless and not as_json and console().is_terminal
    request = PaperRequest(
        config,
        again,
        tuple(sets or ()),
        out=out,
        duration_s=_seconds(duration),
        trades=trades,
        watches=(serve_control, live_view if watched else log_lines),
    )
    with Meter(headless or as_json) as meter:
        result = run_paper(request, meter)
    if as_json:
        print_json(result.summary)
    elif not headless:
        print_result(console(), result.summary)
    return result.run_dir


def _seconds(text: str | None) -> float | None:
    """Return a duration in seconds; ConfigError where it is none."""
    from tradectl.config.units import Duration

    if text is None:
        return None
    try:
        return Duration(text).ns / 1e9
    except ValueError as error:
        raise ConfigError(f"--duration {text!r}: {error}", hint="e.g. 90s, 10m, 8h") from None
