"""`tradectl control`: steering a paper session that runs in another terminal."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from tradectl.cli.app import command
from tradectl.cli.options import Json, Run, RunsFolder

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command."""

    @command(
        app,
        "control",
        "Steer a running paper session.",
        "tradectl control latest status",
        "tradectl control latest halt",
        "tradectl control 20240105 stop --json",
    )
    def control(
        run: Run,
        word: Annotated[
            str,
            typer.Argument(
                metavar="COMMAND",
                help="halt, resume, reduce, cancel-all, flatten, status or stop.",
                show_default=False,
            ),
        ],
        folder: RunsFolder = Path("runs"),
        as_json: Json = False,
    ) -> None:
        """Tell a running session to halt trading, resume it, only reduce, cancel all orders, flatten, or stop.

        status changes nothing. Every command is an event of the session: it is journaled, and `verify` replays it.
        """
        from tradectl.cli.output import print_json
        from tradectl.cli.paper_control import WORDS, ask
        from tradectl.db.catalogue import find_folder
        from tradectl.db.session import SESSION
        from tradectl.errors import ConfigError, nearest

        if word not in WORDS:
            raise ConfigError(f"unknown command {word!r}", hint=nearest(word, WORDS))
        status = ask(find_folder(run, folder, SESSION, "session"), word)
        if as_json:
            print_json(status)
        else:
            _tell(word, status)


def _tell(word: str, status: dict[str, Any]) -> None:
    """Print what a session answered."""
    from tradectl.cli.output import money, write

    run, trading = status["run"], status["trading_state"]
    if word == "status":
        write(f"{run}: equity {money(status['equity'])} {status['currency']}, trading is {trading}")
    else:
        live, held = len(status["orders"]), len(status["positions"])
        write(f"{run}: {word} done; trading is {trading}, {live} orders live, {held} positions")
