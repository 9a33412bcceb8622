"""`tradectl report`: the figures of finished runs, and a page of HTML that tells everything about them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tradectl.cli.app import command
from tradectl.cli.options import DataPlaces, Json, RunsFolder

if TYPE_CHECKING:
    from tradectl.db.catalogue import Run

__all__ = ["register"]

Runs = Annotated[
    list[str] | None,
    typer.Argument(metavar="RUN", help="Run folders, parts of their names, or latest.", show_default=False),
]
Out = Annotated[
    Path | None,
    typer.Option("--out", metavar="FILE", help="The page (report.html in the run folder).", show_default=False),
]
Html = Annotated[bool, typer.Option("--html/--no-html", help="Write the page of a run (yes, of one run).")]
Compare = Annotated[bool, typer.Option("--compare", help="Write one page that lays runs over each other.")]
Listed = Annotated[bool, typer.Option("--list", help="List the runs, the latest first.")]
Format = Annotated[
    str | None,
    typer.Option("--format", metavar="F", help="Print figures as table, md, csv or json; no page.", show_default=False),
]
MetricProfile = Annotated[
    str | None,
    typer.Option(
        "--profile",
        metavar="P",
        help="Print every metric as quantstats, empyrical or tradectl computes it; no page.",
        show_default=False,
    ),
]
COMPARED = "compare.html"


def register(app: typer.Typer) -> None:
    """Add the command."""

    @command(
        app,
        "report",
        "Show the result of runs; write a page of it.",
        "tradectl report latest",
        "tradectl report latest --out report.html",
        "tradectl report 20240105T10 20240105T11 --compare   # both in one page",
        "tradectl report --list --format md",
        "tradectl report latest --profile quantstats",
        "tradectl report 20240105T10 --runs other/runs --json",
    )
    def report(
        runs: Runs = None,
        folder: RunsFolder = Path("runs"),
        out: Out = None,
        html: Html = True,
        compare: Compare = False,
        listed: Listed = False,
        form: Format = None,
        profile: MetricProfile = None,
        data: DataPlaces = None,
        as_json: Json = False,
    ) -> None:
        """Show the result of one run, or of several side by side, and write a page of HTML.

        Of one run the page goes to report.html in its folder, or where --out says; it needs no network. With
        --compare several runs stand in one page. Prices are read from the run's data again; where that is gone,
        the page says so. --json prints summary.json; --format json adds every metric to it.
        """
        from tradectl.cli.report_figures import print_figures, print_list, print_metrics
        from tradectl.cli.report_format import check_format
        from tradectl.db.catalogue import find_run
        from tradectl.errors import ConfigError

        chosen = check_format(form or ("json" if as_json else "table"))
        if listed:
            print_list(folder, chosen)
            return
        if not runs:
            raise ConfigError("report: name a run", hint="`tradectl report latest`, or `tradectl report --list`")
        found = [find_run(run, folder) for run in runs]
        if compare and len(found) < 2:
            raise ConfigError("--compare wants two runs or more")
        if out is not None and len(found) > 1 and not compare:
            raise ConfigError("--out is one page: give --compare to lay the runs over each other")
        if profile is not None:
            print_metrics(found, chosen, data or [], profile)
        else:
            print_figures(found, "summary" if as_json and form is None else chosen, data or [])
        quiet = form is not None or as_json or profile is not None
        if compare or (html and len(found) == 1 and (not quiet or out is not None)):
            _write(found, compare, out, data or [], quiet)


def _write(found: list[Run], compare: bool, out: Path | None, data: list[str], quiet: bool) -> None:
    """Write the page and say where it is; a run folder that nobody may write to is no error."""
    from tradectl.cli.output import err
    from tradectl.cli.output import out as console
    from tradectl.cli.report_page import write_comparison, write_report
    from tradectl.errors import StoreError

    try:
        place = write_comparison(found, out or Path(COMPARED)) if compare else write_report(found[0], out, data)
    except StoreError as error:
        if out is not None or compare:
            raise
        err().print(f"no page: {error}", markup=False)
        return
    if not quiet:
        console().print(f"page: [bold]{place}[/]", soft_wrap=True)
