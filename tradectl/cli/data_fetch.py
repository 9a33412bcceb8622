"""`tradectl data fetch`: candles, trades, funding rates and markets of an exchange, over REST."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tradectl.cli.app import command
from tradectl.cli.options import Json, Quiet
from tradectl.errors import ConfigError, nearest

if TYPE_CHECKING:
    from tradectl.cli.progress import Meter
    from tradectl.exchanges.rest_store import Series
    from tradectl.exchanges.rest_sync import Fetched

__all__ = ["register"]

# What is fetched -> the kind of its series in the catalogue, and what its rows are called.
KINDS = {
    "ohlcv": ("bars", "candles"),
    "trades": ("trades", "trades"),
    "funding": ("funding", "funding rates"),
}
WORDS = (*KINDS, "markets")
LAST_NS = 1 << 62  # later than any stamp
Since = Annotated[
    str | None,
    typer.Option(
        "--since", metavar="DATE", help="First moment; else where the catalogue begins.", show_default=False
    ),
]
Until = Annotated[
    str | None,
    typer.Option("--until", metavar="DATE", help="First moment left out; else now.", show_default=False),
]
Step = Annotated[str, typer.Option("--timeframe", metavar="T", help="Length of a candle.")]
Endpoint = Annotated[
    str | None,
    typer.Option(
        "--endpoint", metavar="URL", help="A local server instead of the exchange.", show_default=False
    ),
]


@dataclass(frozen=True)
class Order:
    """What is to be fetched; times in ns UTC (since None: where the catalogue begins)."""

    exchange: str
    symbols: tuple[str, ...]
    what: str  # one of WORDS
    timeframe_ns: int
    since_ns: int | None
    until_ns: int
    out: Path
    endpoint: str | None


def register(data: typer.Typer) -> None:
    """Add the command to the group."""

    @command(
        data,
        "fetch",
        "Fetch history from an exchange.",
        "tradectl data fetch binance BTC/USDT ETH/USDT ohlcv --timeframe 1m --since 2024-01-01",
        "tradectl data fetch kraken BTC/USD trades --since 2024-06-01 --until 2024-06-08 --out ticks",
        "tradectl data fetch binance BTC/USDT:USDT funding --since 2024-01-01",
        "tradectl data fetch okx markets --json",
    )
    def fetch(
        exchange: Annotated[
            str, typer.Argument(metavar="EXCHANGE", help="ccxt's name of it.", show_default=False)
        ],
        words: Annotated[
            list[str],
            typer.Argument(
                metavar="SYMBOL... WHAT",
                help="Symbols, then ohlcv, trades, funding or markets.",
                show_default=False,
            ),
        ],
        timeframe: Step = "1m",
        since: Since = None,
        until: Until = None,
        out: Annotated[Path, typer.Option("--out", metavar="DIR", help="The catalogue.")] = Path("catalogue"),
        endpoint: Endpoint = None,
        as_json: Json = False,
        quiet: Quiet = False,
    ) -> None:
        """Add what an exchange has to a catalogue; only what is not there yet is fetched.

        A fetch that was cut off, in whatever way, goes on where it stopped when it is given again. Candles that
        are not over are left out; holes are told. Markets (all, or those of the symbols) are shown, with tick and
        lot sizes, minima and fees, and kept for when the network is down.
        """
        import asyncio

        from tradectl.history.stamps import parse_timeframe

        *symbols, what = words
        if what not in WORDS:
            raise ConfigError(f"{what!r} is nothing that can be fetched", hint=nearest(what, WORDS))
        if what != "markets" and not symbols:
            raise ConfigError(
                f"{what} of which symbols?", hint=f"tradectl data fetch {exchange} BTC/USDT {what}"
            )
        if out.exists() and not out.is_dir():
            raise ConfigError(
                f"{out} is a file; a catalogue is a folder", hint="name a new folder, or a catalogue"
            )
        span = _moment("--since", since), _moment("--until", until)
        end = LAST_NS if span[1] is None else span[1]
        if span[0] is not None and span[0] >= end:
            raise ConfigError(f"--since {since} is not before --until {until}")
        order = Order(exchange, tuple(symbols), what, parse_timeframe(timeframe), span[0], end, out, endpoint)
        asyncio.run(_fetch(order, as_json, quiet))


def _moment(option: str, text: str | None) -> int | None:
    from tradectl.config.units import parse_moment_ns

    try:
        return None if text is None else parse_moment_ns(text)
    except ValueError as error:
        raise ConfigError(f"{option} {text!r}: {error}") from error


async def _fetch(order: Order, as_json: bool, quiet: bool) -> None:
    """Do what is ordered; what each series came to is printed also where it ends early."""
    from tradectl.cli.progress import Meter
    from tradectl.exchanges.connect import new_exchange
    from tradectl.exchanges.markets import find_market, instrument_of, load_markets, market_cache
    from tradectl.exchanges.rest import check_funding, timeframe_name
    from tradectl.exchanges.rest_store import Series

    exchange = new_exchange(order.exchange, order.endpoint)
    try:
        offline = order.what == "markets"
        markets = await load_markets(exchange, market_cache(), order.symbols, _note, offline=offline)
        if order.what == "markets":
            _show_markets(order, markets, as_json)
            return
        kind, _ = KINDS[order.what]
        if kind == "bars":
            timeframe_name(exchange, order.timeframe_ns)
        for name in order.symbols if kind == "funding" else ():
            check_funding(exchange, find_market(order.exchange, name, markets)["symbol"])
        specs = [
            instrument_of(order.exchange, find_market(order.exchange, name, markets))
            for name in order.symbols
        ]
        for spec in specs:
            series = Series(order.out, spec, kind, order.timeframe_ns if kind == "bars" else 0)
            with Meter(as_json or quiet) as meter:
                await _one(exchange, series, order, meter, as_json, quiet)
    finally:
        await exchange.close()


async def _one(exchange: Any, series: Series, order: Order, meter: Meter, as_json: bool, quiet: bool) -> None:
    """Bring one series up to date and say what was done."""
    from tradectl.exchanges.rest_sync import Fetched, sync

    name = f"{series.spec.instrument.symbol} {order.what}"
    covered = series.covered()
    since = order.since_ns if order.since_ns is not None else covered[0][0] if covered else None
    if since is None:
        raise ConfigError(f"{name}: from when on?", hint="give --since, for instance --since 2024-01-01")
    end = min(order.until_ns, time.time_ns())
    report = Fetched()

    def progress(rows: int, reached: int) -> None:
        share = min(max((reached - since) / max(end - since, 1), 1e-9), 1.0)
        meter(f"fetching {name}", rows, round(rows / share))

    try:
        await sync(exchange, series, (since, order.until_ns), report, progress, _note)
    finally:
        if as_json:
            _json(series, order, report)
        elif not quiet:
            _summary(series, order, report)


def _note(text: str) -> None:
    from rich.markup import escape

    from tradectl.cli.output import err

    err().print(f"[cyan]note[/] {escape(text)}")


# --- what is printed


def _show_markets(order: Order, markets: Any, as_json: bool) -> None:
    from tradectl.cli.output import out, print_json, table
    from tradectl.exchanges.markets import market_table

    rows = market_table(order.exchange, markets, order.symbols)
    if as_json:
        for row in rows:
            print_json(row)
        return
    keys = [key for key in rows[0] if key != "id"] if rows else []
    shown = [[str(row[key]) for key in keys] for row in rows]
    out().print(table("", [key.replace("_", " ") for key in keys], shown, right=range(3, len(keys))))
    out().print(f"{len(rows):,} markets of {order.exchange}")


def _json(series: Series, order: Order, report: Fetched) -> None:
    from tradectl.cli.output import print_json
    from tradectl.history.model import iso
    from tradectl.history.stamps import format_timeframe

    made: dict[str, Any] = {"id": series.spec.instrument.id, "kind": order.what, "out": str(order.out)}
    made |= {"timeframe": format_timeframe(series.timeframe_ns)} if series.timeframe_ns else {}
    made |= {
        key: value for key, value in vars(report).items() if key not in ("first_ns", "last_ns", "longest")
    }
    made |= {"first": iso(report.first_ns), "last": iso(report.last_ns)} if report.rows else {}
    print_json(made | {"longest_holes": [[iso(start), iso(end)] for start, end in report.longest]})


def _summary(series: Series, order: Order, report: Fetched) -> None:
    """Print what one series came to on a few lines."""
    from tradectl.cli.output import count, out
    from tradectl.history.model import iso
    from tradectl.history.stamps import format_timeframe

    name = series.spec.instrument.id + (
        f" {format_timeframe(series.timeframe_ns)}" if series.timeframe_ns else ""
    )
    noun = KINDS[order.what][1]
    said = [
        f"{count(report.rows)} {noun}" if report.rows else f"no {noun} that were not there",
        *_left_out(report),
    ]
    if report.rows:
        said[0] += f" ({count(report.new)} new) from {iso(report.first_ns)} to {iso(report.last_ns)}"
    out().print(
        f"{name}: {'; '.join(said)}" + ("" if report.whole else "; [yellow]not all: give it again[/]")
    )
    if report.holes:
        wide = report.longest[0] if report.longest else None
        where = f", the longest from {iso(wide[0])} to {iso(wide[1])}" if wide else ""
        out().print(f"  {count(report.missing)} {noun} are missing in {count(report.holes)} holes{where}")
    out().print(f"  catalogue: [bold]{order.out}[/]")


def _left_out(report: Fetched) -> Sequence[str]:
    said = [f"{report.faulty:,} that are no candles were left out"] if report.faulty else []
    return [*said, "the last candle is not over and was left out"] if report.unfinished else said
