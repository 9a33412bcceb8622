"""`tradectl control`: steering a paper session that runs in another terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tradectl.cli.app import command
from tradectl.cli.options import Json, Run, RunsFolder

if TYPE_CHECKING:
    from rich.console import RenderableType

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
        from tradectl.cli.paper_control import ask
        from tradectl.db.catalogue import find_folder
        from tradectl.db.session import SESSION

        status = ask(find_folder(run, folder, SESSION, "session"), word)
        if as_json:
            print_json(status)
        else:
            _tell(word, status)


def _tell(word: str, status: dict[str, Any]) -> None:
    """Print what a session answered."""
    from tradectl.cli.output import money, out, percent, write

    run, trading = status["run"], status["trading_state"]
    held, orders = status["positions"], status["orders"]
    if word == "stop":
        write(f"{run}: stops; {len(orders)} live orders are canceled, {len(held)} open positions stay as they are")
        return
    if word != "status":
        write(f"{run}: {word} done; trading is {trading}, {len(orders)} live orders, {len(held)} open positions")
        return
    counts = status["counts"]

    def amount(key: str) -> str:
        return money(status[key], status["currency"])

    write(f"{run}: trading is {trading}" + (", drawdown limit breached" if status["breached"] else ""))
    write(
        f"equity {amount('equity')} {status['currency']}, P&L {amount('pnl')},"
        f" drawdown {percent(status['drawdown'])}, fees {amount('fees')}"
    )
    write(
        f"{counts['events']:,} events to {status['last_event']}; {counts['orders']:,} orders,"
        f" {counts['fills']:,} fills, {counts['denied'] + counts['rejected']:,} refused"
    )
    for made in (_positions(held), _orders(orders), _feeds(status["feeds"])):
        if made is not None:
            out().print(made)
    for note in status["notes"]:
        write(" ".join(str(part) for part in note.values()))
    for name in status["disabled"]:
        write(f"strategy {name} raised and is off")


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:,.10g}"


def _positions(held: Sequence[Mapping[str, Any]]) -> RenderableType | None:
    from tradectl.cli.output import money, table

    rows = [
        [one["strategy"], one["instrument"], *(_number(one[key]) for key in ("qty", "avg_price", "mark")),
         money(one["unrealised"]), money(one["realised"])]
        for one in held
    ]  # fmt: skip
    columns = ["strategy", "instrument", "qty", "avg price", "mark", "open P&L", "realised"]
    return table("positions", columns, rows, right=range(2, 7)) if rows else None


def _orders(orders: Sequence[Mapping[str, Any]]) -> RenderableType | None:
    from tradectl.cli.output import seconds, table

    keys = ("leaves", "price", "stop", "queue_ahead")
    rows = [
        [str(one["order_id"]), one["instrument"], one["side"], one["order_type"], *(_number(one[key]) for key in keys),
         one["status"].replace("_", " "), seconds(one["age_s"])]
        for one in orders
    ]  # fmt: skip
    columns = ["order", "instrument", "side", "type", "qty", "price", "stop", "ahead", "status", "age"]
    return table("working orders", columns, rows, right=(0, 4, 5, 6, 7, 9)) if rows else None


def _feeds(feeds: Sequence[Mapping[str, Any]]) -> RenderableType | None:
    from tradectl.cli.output import count, table

    keys = ("connections", "messages", "gaps", "dropped")
    rows = [
        [one["instrument"], one["channel"], one["state"], *(count(one[key]) for key in keys), f"{one['lag_ms']:,.1f}"]
        for one in feeds
    ]
    columns = ["instrument", "channel", "state", "connections", "messages", "gaps", "left out", "lag ms"]
    return table("feeds", columns, rows, right=range(3, 8)) if rows else None
