"""`tradectl backtest`: one run for each configuration."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import typer

from tradectl.cli.app import command
from tradectl.cli.options import Configs, From, Json, Quiet, RunsOut, Sets, To
from tradectl.errors import ConfigError, TradectlError

__all__ = ["Failure", "Job", "register"]


@dataclass(frozen=True)
class Job:
    """One run that was asked for; picklable, so that another process can take it."""

    config: Path
    sets: tuple[str, ...] = ()
    overrides: Mapping[str, Any] = field(default_factory=dict)
    out: Path | None = None
    journal: bool = False


@dataclass(frozen=True)
class Failure:
    """Why one of several runs failed; tracebacks do not cross processes, so it is text."""

    config: Path
    exit_code: int
    message: str


def register(app: typer.Typer) -> None:
    """Add the command."""

    @command(
        app,
        "backtest",
        "Run strategies over history, one run for each config.",
        "tradectl backtest configs/quickstart.yaml",
        "tradectl backtest configs/quickstart.yaml --set strategy.params.fast=20 --from 2024-01-03",
        "tradectl backtest configs/*.yaml -j 2 --json > results.ndjson",
    )
    def backtest(
        configs: Configs,
        sets: Sets = None,
        start: From = None,
        end: To = None,
        out: RunsOut = None,
        journal: Annotated[
            bool,
            typer.Option(
                "--journal", help="Also write the events, so that the run replays without its data."
            ),
        ] = False,
        jobs: Annotated[
            int,
            typer.Option(
                "-j", "--jobs", metavar="N", min=1, help="Runs at the same time, for several configs."
            ),
        ] = 1,
        as_json: Json = False,
        quiet: Quiet = False,
    ) -> None:
        """Run strategies over history and write a run folder for each configuration.

        Prints the result and where the run lies. With --json it prints one object for each configuration, in
        their order. Where one of several fails, the others go on and the exit code is that of the first failure.
        """
        overrides = {"data.from": start, "data.to": end}
        given = {key: value for key, value in overrides.items() if value is not None}
        work = [Job(config, tuple(sets or ()), given, out, journal) for config in configs]
        if len({job.config.resolve() for job in work}) < len(work):
            raise ConfigError("the same config is named twice", hint="use --set in two commands, or a sweep")
        code = 0
        for result in _results(work, jobs, as_json or quiet):
            if isinstance(result, Failure):
                code = code or result.exit_code
                _told(result)
            else:
                _show(result, as_json, quiet)
        if code:
            raise typer.Exit(code)


def _results(work: Sequence[Job], jobs: int, quiet: bool) -> Iterator[dict[str, Any] | Failure]:
    """Yield what each job gave, in their order; a single job's error is raised as it is."""
    if len(work) == 1:
        yield _run(work[0], quiet)
        return
    if jobs == 1:
        for job in work:
            yield _attempt(job, quiet)
        return
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    pool = ProcessPoolExecutor(min(jobs, len(work)), mp_context=get_context("spawn"))
    try:
        yield from pool.map(_attempt, work)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _attempt(job: Job, quiet: bool = True) -> dict[str, Any] | Failure:
    """Run a job; its own errors come back as a Failure."""
    try:
        return _run(job, quiet)
    except TradectlError as error:
        return Failure(job.config, error.exit_code, str(error))


def _run(job: Job, quiet: bool) -> dict[str, Any]:
    from tradectl.cli.output import err
    from tradectl.cli.progress import Meter
    from tradectl.cli.runner import run_backtest

    try:
        with Meter(quiet) as meter:
            result = run_backtest(
                job.config,
                sets=job.sets,
                overrides=job.overrides,
                out=job.out,
                journal=job.journal,
                progress=meter,
            )
    except KeyboardInterrupt as stopped:
        if str(stopped):
            err().print(f"what was done is kept: {stopped}", markup=False)
        raise
    for name in result.removed:
        err().print(f"removed the unfinished run {name}: its process is gone", markup=False)
    return dict(result.summary)


def _told(failure: Failure) -> None:
    from tradectl.cli.output import err

    err().print(f"[bold red]error:[/] {failure.config}: ", end="")
    err().print(failure.message, markup=False)


def _show(summary: dict[str, Any], as_json: bool, quiet: bool) -> None:
    from tradectl.cli.output import out, print_json
    from tradectl.cli.result_table import print_result

    if as_json:
        print_json(summary)
    elif not quiet:
        print_result(out(), summary)
