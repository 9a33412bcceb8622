"""The root of a configuration, `RunConfig`, and its remaining blocks; see `docs/configuration.md`."""

# No `from __future__ import annotations` here: pydantic would evaluate each annotation from its text, which
# doubles the time that this module takes to import.

from pathlib import PurePath
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import model_validator

from tradectl.config.block import Block, key
from tradectl.config.calendars import Calendar
from tradectl.config.data import Columns, DataBlock, FaultActions, Instrument, Session
from tradectl.config.feed import ExchangeFeed, Feed
from tradectl.config.rules import Rules
from tradectl.config.scalars import Flag, OneOf, Param, Rows, Text, Whole
from tradectl.config.timescalars import BarKind, DurationKind
from tradectl.config.trading import (
    Account,
    Execution,
    Fees,
    Latency,
    OrderRate,
    Queue,
    Risk,
    Sizing,
    Slippage,
)
from tradectl.config.units import BarLength, Duration

__all__ = [
    "Account", "Calendar", "Columns", "DataBlock", "Engine", "ExchangeFeed", "Execution", "FaultActions", "Feed",
    "Fees", "Instrument",
    "Latency", "OrderRate", "Output", "Queue", "Risk", "RunConfig", "Session", "Sizing", "Slippage", "StrategyBlock",
    "normalised",
]  # fmt: skip

OnRaise = Annotated[Literal["stop", "disable"], OneOf()]
Symbol = Annotated[str, Text("a symbol", "BTC/USD")]
_MAX_CAPACITY = 1 << 20


class StrategyBlock(Block):
    """One strategy of the run, a file or rules; a bare text is its path."""

    short_key: ClassVar[str] = "path"

    path: Annotated[str, Text("a Python file", "../strategies/sma_cross.py")] | None = key(
        None,
        "its file, relative to the config file; `:ClassName` picks one of several",
        example="../strategies/sma_cross.py",
    )
    rules: Rules | None = key(None, "instead of a file: entries and exits as expressions")
    params: dict[str, Annotated[Any, Param()]] = key(
        dict, "values of its parameters; the strategy declares names, types and bounds", example={"fast": 10}
    )
    symbols: Annotated[tuple[Symbol, ...], Rows()] | None = key(
        None, "the symbols it trades; all of the run when left out", example=["BTC/USD"]
    )
    sizing: Sizing | None = key(None, "its own sizing instead of the run's")
    tag: Annotated[str, Text("a short name", "fast")] | None = key(
        None, "its name in orders and reports; else the file's name", example="fast"
    )
    jit: Annotated[bool, Flag()] = key(
        True, "compile it; false runs the same source as plain Python, for debugging"
    )
    on_error: OnRaise | None = key(None, "its own `on_strategy_error`", example="disable")

    @property
    def file_and_class(self) -> tuple[str, str | None]:
        """Return the file as it is written, and the class that `:ClassName` picks."""
        path = self.path or ""
        file, _, name = path.rpartition(":")
        return (file, name) if file.endswith(".py") else (path, None)

    @property
    def label(self) -> str:
        """Return its name in orders and reports: the tag, else the class, else the file's name."""
        file, name = self.file_and_class
        return self.tag or name or PurePath(file).stem or "rules"


class Engine(Block):
    """Capacities and pace of the engine; they bound memory and never change a result that fits."""

    order_capacity: Annotated[int, Whole(ge=16, le=_MAX_CAPACITY, example="1024", power_of_two=True)] = key(
        1024, "working orders that the engine can hold (a power of two)", unit="orders"
    )
    request_capacity: Annotated[int, Whole(ge=16, le=_MAX_CAPACITY, example="1024", power_of_two=True)] = key(
        1024, "requests that strategies can make in one event (a power of two)", unit="requests"
    )
    report_capacity: Annotated[int, Whole(ge=16, le=_MAX_CAPACITY, example="4096", power_of_two=True)] = key(
        4096, "reports that can be on their way to strategies (a power of two)", unit="reports"
    )
    chunk: Annotated[int, Whole(ge=1, le=1 << 24, example="65536")] = key(
        65536, "events between two looks at progress and Ctrl-C", unit="events"
    )
    window: Annotated[int, Whole(ge=4096, le=131_072, example="16384", power_of_two=True)] = key(
        16_384, "prices around the market that a book holds in a table; others are found more slowly", unit="ticks"
    )
    book_orders: Annotated[int, Whole(ge=1024, le=1 << 22, example="65536", power_of_two=True)] = key(
        65_536, "recorded orders that an order-by-order book can hold at a time (a power of two)", unit="orders"
    )
    watchdog: Annotated[Duration, DurationKind()] = key(
        Duration("30s"), "a chunk that takes longer is reported as an endless loop; 0 never"
    )


class Output(Block):
    """What is written, and where."""

    dir: Annotated[str, Text("a folder", "../runs")] | None = key(
        None,
        "folder of the run folders, relative to the config file; else ./runs where you are",
        example="../runs",
    )
    equity_every: Annotated[Duration, DurationKind()] = key(
        Duration("1s"), "book data: shortest time between two rows of the equity curve; 0: after every message"
    )
    plots: Annotated[bool, Flag()] = key(True, "keep what strategies plot with `ctx.plot`, for the report")
    journal: Annotated[bool, Flag()] = key(
        False, "also write the events, so that the run replays without its data"
    )


class RunConfig(Block):
    """A whole configuration file."""

    name: Annotated[str, Text("a name", "sma-cross-btc")] = key(
        "run", "name of the run, part of its folder's name", example="sma-cross-btc"
    )
    description: Annotated[str, Text()] | None = key(
        None, "a sentence for the report", example="first try on 2017"
    )
    seed: Annotated[int, Whole(ge=0, le=2**63 - 1, example="7")] = key(
        0, "seed of the run's random generators"
    )
    strategies: tuple[StrategyBlock, ...] = key(
        ...,
        "the strategies; `strategy:` is short for a list of one",
        example=[{"path": "../strategies/sma_cross.py"}],
    )
    data: tuple[DataBlock, ...] = key(
        (),
        "history: one block or a list of blocks, merged by receive time; what `backtest` reads",
        example={"source": "../data/btc.csv.gz"},
    )
    feed: Feed | None = key(
        None,
        "live markets: what `paper` and `data record` listen to",
        example={"exchanges": {"binance": {"symbols": ["BTC/USDT"]}}},
    )
    bars: Annotated[tuple[Annotated[BarLength, BarKind()], ...], Rows()] = key(
        (),
        "bars that strategies are called on, derived from the data; its own bars when left out. From trades also "
        "`500tick`, `10volume` (units of base), `1000000notional` (units of quote)",
        example=["1h"],
    )  # fmt: skip
    instruments: dict[Symbol, Instrument] = key(
        dict, "what is known of each symbol", example={"BTC/USD": {"tick_size": 0.01}}
    )
    calendar: Calendar | None = key(
        None, "when instruments without one of their own trade; left out: `24/7`", example="XNYS"
    )
    account: Account = key(Account, "the account that all strategies share")
    execution: Execution = key(Execution, "how orders fill")
    fees: Fees = key(Fees, "fees of instruments that have none of their own")
    risk: Risk = key(Risk, "limits on orders, positions and losses")
    sizing: Sizing | None = key(None, "size of orders that name no quantity; without it each order needs one")
    engine: Engine = key(Engine, "capacities and pace")
    on_strategy_error: OnRaise | None = key(
        None,
        "what happens when a strategy raises; left out: `stop` in a backtest, `disable` in paper",
        example="stop",
    )
    output: Output = key(Output, "what is written, and where")

    @classmethod
    def as_mapping(cls, value: Any) -> Any:
        """Accept the short forms of `strategy` and `data`."""
        value = super().as_mapping(value)
        if not isinstance(value, dict):
            return value
        if "strategy" in value and "strategies" in value:
            raise ValueError("give either `strategy` (short for a list of one) or `strategies`, not both")
        return normalised(value)

    @model_validator(mode="after")
    def _check(self) -> Self:
        from tradectl.config.checks import raise_conflicts  # checks need these models

        raise_conflicts(self)
        return self


def normalised(raw: dict[str, Any]) -> dict[str, Any]:
    """Return a copy in which `strategy` is `strategies: [it]` and a single `data` block a list of one."""
    made = dict(raw)
    if "strategy" in made:
        made["strategies"] = [made.pop("strategy")]
    elif isinstance(made.get("strategies"), (dict, str)):
        made["strategies"] = [made["strategies"]]
    if "data" in made and not isinstance(made["data"], (list, tuple)):
        made["data"] = [made["data"]]
    return made
