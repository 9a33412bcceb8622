"""The program `tradectl`: its commands, and the one place where exceptions become exit codes."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Annotated, NoReturn

import typer

from tradectl import __version__
from tradectl.cli import (
    backtest,
    bench,
    check,
    config,
    control,
    data,
    doctor,
    explain,
    paper,
    report,
    sandbox,
    strategy,
    stress,
    verify,
    warmup,
)
from tradectl.cli.app import group
from tradectl.errors import TradectlError

__all__ = ["app", "main", "run"]

BUG, INTERRUPTED = 70, 130

app = group("tradectl", "Backtest and paper-trade Python strategies on one set of compiled kernels.")
for _unit in (backtest, paper, control, verify, report, explain, stress, bench, sandbox, warmup, doctor):
    _unit.register(app)
for _unit in (config, data, strategy, check):
    _unit.register(app)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"tradectl {__version__}")
        raise typer.Exit


@app.callback(epilog="\b\nExample:\n  tradectl backtest configs/quickstart.yaml")
def _root(
    _version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit."),
    ] = False,
    _debug: Annotated[
        bool, typer.Option("--debug", help="Show the traceback of an error; may stand anywhere.")
    ] = False,
) -> None:
    """Backtest and paper-trade Python strategies on one set of compiled kernels."""


def _told(error: BaseException, debug: bool) -> None:
    """Write an error on standard error: red and short, with its traceback if `debug`."""
    if debug:
        import traceback

        sys.stderr.write("".join(traceback.format_exception(error)))
        return
    known = isinstance(error, TradectlError)
    text = str(error) if known else f"{type(error).__name__}: {error}"
    colour = sys.stderr.isatty() and "NO_COLOR" not in os.environ
    first, _, rest = text.partition("\n")
    head = f"error: {first}" if known else f"bug: {first}"
    sys.stderr.write((f"\x1b[1;31m{head}\x1b[0m" if colour else head) + (f"\n{rest}" if rest else "") + "\n")
    if not known:
        sys.stderr.write("  This should not happen; run it again with --debug for a traceback to report.\n")


def run(args: Sequence[str]) -> int:
    """Run the command line `args` and return its exit code."""
    words = list(args)
    end = words.index("--") if "--" in words else len(words)
    debug = "--debug" in words[:end] or bool(os.environ.get("TRADECTL_DEBUG"))
    words = [word for index, word in enumerate(words) if index >= end or word != "--debug"]
    try:
        typer.main.get_command(app).main(args=words, prog_name="tradectl", standalone_mode=True)
    except SystemExit as done:
        code = done.code if isinstance(done.code, int) else int(bool(done.code))
        if code == INTERRUPTED:
            sys.stderr.write("interrupted\n")
        return code
    except TradectlError as error:
        _told(error, debug)
        return error.exit_code
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        return INTERRUPTED
    except Exception as error:  # whatever is not ours is a bug, told in one line
        _told(error, debug)
        return BUG
    return 0


def main() -> NoReturn:
    """Run the program; the entry point of the installed script."""
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
