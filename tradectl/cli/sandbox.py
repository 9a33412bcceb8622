"""`tradectl sandbox`: an exchange on this machine, to rehearse with."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tradectl.cli.app import command
from tradectl.cli.options import Json, LastsFor, RunsFolder, duration_ns
from tradectl.errors import ConfigError

if TYPE_CHECKING:
    from tradectl.exchanges.sandbox import Sandbox, Source

__all__ = ["register"]

SYNTHETIC = "synthetic"
FOREVER = 1 << 62

Exchanges = Annotated[
    list[str] | None,
    typer.Option(
        "--exchange", metavar="NAME", show_default=False,
        help="binance, kraken, bybit, okx or coinbase; may be repeated. Default: binance.",
    ),
]  # fmt: skip
From = Annotated[
    str,
    typer.Option(
        "--source", metavar="SOURCE",
        help="synthetic; a run (folder, part of its name, or latest), whose journal is served; or book data.",
    ),
]  # fmt: skip
Symbols = Annotated[
    list[str] | None,
    typer.Option(
        "--symbol", metavar="SYMBOL", show_default=False,
        help="BASE/QUOTE, of a perpetual BASE/QUOTE:SETTLE; synthetic also =PRICE/TICK/LOT. May be repeated.",
    ),
]  # fmt: skip
Faults = Annotated[
    list[str] | None,
    typer.Option(
        "--fault", metavar="FAULT", show_default=False,
        help="KIND[@TIME][:ARGS], as drop@10s, gap@~30s:5:depth, stale@1m+5m:20s. May be repeated.",
    ),
]  # fmt: skip


def register(app: typer.Typer) -> None:
    """Add the command."""

    @command(
        app,
        "sandbox",
        "Be an exchange: serve markets in its own protocol.",
        "tradectl sandbox",
        "tradectl sandbox --exchange kraken --rate 1000 --fault drop@30s --fault any@~20s",
        "tradectl sandbox --exchange binance --source latest --speed 10",
        "tradectl sandbox --symbol BTC/USDT=60000/0.1/0.001 --port 0 --duration 10m --json",
    )
    def sandbox(
        exchanges: Exchanges = None,
        source: From = SYNTHETIC,
        symbols: Symbols = None,
        port: Annotated[
            int, typer.Option("--port", metavar="P", min=0, max=65_535, help="Port; 0: any free one.")
        ] = 9001,
        speed: Annotated[
            float, typer.Option("--speed", metavar="X", help="Times the source's own pace.")
        ] = 1.0,
        duration: LastsFor = None,
        seed: Annotated[
            int, typer.Option("--seed", metavar="N", min=0, help="Of markets and of chance.")
        ] = 1,
        rate: Annotated[
            float | None,
            typer.Option(
                "--rate",
                metavar="N",
                help="Synthetic: messages a second of each exchange (200).",
                show_default=False,
            ),
        ] = None,
        faults: Faults = None,
        wait: Annotated[bool, typer.Option("--wait", help="Begin with the first subscription.")] = False,
        loop: Annotated[
            bool, typer.Option("--loop", help="Begin a recording anew at its end, instead of ending.")
        ] = False,
        runs: RunsFolder = Path("runs"),
        as_json: Json = False,
    ) -> None:
        """Serve markets as binance, kraken, bybit, okx or coinbase would, so that real clients trade against them.

        A config's `feed.exchanges.NAME.endpoint: http://127.0.0.1:9001` sends all its calls here. Faults are
        planned with --fault or begun by `curl -d drop http://127.0.0.1:9001/sandbox/fault`; /sandbox/state tells
        what has been sent, /sandbox/truth/EXCHANGE/SYMBOL the true book and trades. Ctrl-C ends it.
        """
        from tradectl.exchanges.sandbox import Fault, Sandbox

        lasts_ns = FOREVER if duration is None else duration_ns(duration)
        if rate is not None and source != SYNTHETIC:
            raise ConfigError("--rate is for the synthetic source; a recording has its own, times --speed")
        made = Sandbox(
            exchanges or ["binance"], symbols if source == SYNTHETIC else _recorded(source, symbols or [], runs),
            seed=seed, rate=200.0 if rate is None else rate, speed=speed, port=port, loops=loop, waits=wait,
            faults=[Fault.parse(one) for one in faults or ()],
        )  # fmt: skip
        asyncio.run(_serve(made, lasts_ns, as_json))


def _recorded(source: str, symbols: list[str], runs: Path) -> Source:
    """Return the source that is meant: a path, or a run by its name."""
    from tradectl.db.catalogue import find_folder
    from tradectl.engine.journal import META
    from tradectl.exchanges.sandbox.recorded import recorded

    path = Path(source)
    return recorded(
        path if path.exists() else find_folder(source, runs, f"journal/{META}", "journaled run"), symbols
    )


async def _serve(sandbox: Sandbox, lasts_ns: int, as_json: bool) -> None:
    """Serve until the source ends, the time is over or the user stops it; say where, then what was sent."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with sandbox:
        _tell_start(sandbox, as_json)
        waiting = [asyncio.create_task(stop.wait()), asyncio.create_task(sandbox.finished.wait())]
        timeout = None if lasts_ns == FOREVER else lasts_ns / 1e9
        await asyncio.wait(waiting, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        for task in waiting:
            task.cancel()
        _tell_end(sandbox.state(), as_json)


def _tell_start(sandbox: Sandbox, as_json: bool) -> None:
    from tradectl.cli.output import out, print_json

    if as_json:
        print_json({"event": "started", "endpoint": sandbox.endpoint, **_what(sandbox.state())})
        return
    state = sandbox.state()
    what = "SYNTHETIC markets" if state["synthetic"] else state["source"]
    out().print(f"sandbox: [bold]{sandbox.endpoint}[/] · {what}")
    for name, one in state["exchanges"].items():
        out().print(f"  {name}: {', '.join(one['symbols'])}")
    out().print("  feed: {exchanges: {NAME: {endpoint: " + sandbox.endpoint + "}}} · Ctrl-C ends it")


def _what(state: dict[str, Any]) -> dict[str, Any]:
    symbols = {name: one["symbols"] for name, one in state["exchanges"].items()}
    return {"source": state["source"], "synthetic": state["synthetic"], "exchanges": symbols}


def _tell_end(state: dict[str, Any], as_json: bool) -> None:
    from tradectl.cli.output import count, out, print_json, seconds

    if as_json:
        print_json({"event": "ended", **state})
        return
    sent = sum(sum(one["sent"].values()) for one in state["exchanges"].values())
    faults = ", ".join(f"{kind} {number}" for kind, number in state["faults"]["kinds"].items())
    late = f" · {seconds(state['behind_most_s'])} behind at most" if state["behind_most_s"] > 0.25 else ""
    out().print(
        f"{count(sent)} messages sent in {seconds(state['seconds'])}{late}"
        + (f" · faults: {faults}" if faults else "")
    )
