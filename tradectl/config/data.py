"""The blocks `data` and `instruments`: what is traded and where its history comes from."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, ClassVar, Literal

from tradectl.config.block import Block, key
from tradectl.config.scalars import (
    ClockTime,
    Flag,
    MomentKind,
    Number,
    OneOf,
    Rows,
    Text,
    TimeframeKind,
    Zone,
)
from tradectl.config.trading import Fees
from tradectl.config.units import Moment, Timeframe

__all__ = ["COLUMNS", "FAULTS", "Columns", "DataBlock", "FaultActions", "Instrument", "Session"]

Action = Annotated[Literal["fail", "drop", "clip", "round", "report"], OneOf()]
Name = Annotated[str, Text("a name")]
Symbol = Annotated[str, Text("a symbol", "BTC/USD")]
Column = Annotated[str, Text("a column's name or its position from 0", "close")]
Day = Annotated[Moment, MomentKind()]
Positive = Annotated[Decimal, Number(gt="0", example="0.01")]
NotNegative = Annotated[Decimal, Number(ge="0", example="10")]


class Session(Block):
    """When the trading day ends: daily bars are stamped with this time instead of the next 00:00 UTC."""

    close: Annotated[str, ClockTime()] = key(
        ..., "time of day at which the session closes", unit="HH:MM", example="16:00"
    )
    tz: Annotated[str, Zone()] = key("UTC", "time zone of `close`", example="America/New_York")


class Columns(Block):
    """Which source column holds what; it overrides the profile, column by column."""

    timestamp: Column | None = key(None, "time of the bar, any of s, ms, us, ns or ISO", example="date")
    symbol: Column | None = key(None, "symbol, where one file holds several", example="ticker")
    open: Column | None = key(None, "first price", example="o")
    high: Column | None = key(None, "highest price", example="h")
    low: Column | None = key(None, "lowest price", example="l")
    close: Column | None = key(None, "last price", example="c")
    volume: Column | None = key(None, "traded quantity in units of base", example="v")


class FaultActions(Block):
    """What is done with each kind of fault; `report` keeps the row as it is and counts it."""

    gap: Action = key("report", "bars are missing between two bars")
    duplicate: Action = key("drop", "a row equals an earlier one of the same time")
    conflict: Action = key("fail", "two different rows have the same time")
    disorder: Action = key("fail", "a row is earlier than the one before it")
    empty: Action = key("drop", "a price is empty or no number")
    off_tick: Action = key("round", "a price is no multiple of tick_size")
    off_lot: Action = key("round", "a volume is no multiple of lot_size")
    ohlc: Action = key("fail", "high or low does not contain the other prices; clip widens them")
    non_positive: Action = key("fail", "a price is zero or negative, or a volume negative")
    jump: Action = key("report", "a price is ten times or a tenth of the one before it")


FAULTS: tuple[str, ...] = tuple(FaultActions.model_fields)
COLUMNS: tuple[str, ...] = tuple(Columns.model_fields)


class DataBlock(Block):
    """One source of events; several are merged by receive time."""

    short_key: ClassVar[str] = "source"

    source: Annotated[tuple[Annotated[str, Text("a path", "../data/btc.csv.gz")], ...], Rows()] = key(
        ...,
        "file, folder, glob or catalogue (for `kind: journal` a run folder), relative to the config file; or a list",
        example="../data/btc.csv.gz",
    )
    kind: Annotated[Literal["bars", "journal"], OneOf(later=("trades", "quotes", "depth", "orders", "l3"))] = key(
        "bars", "`bars` reads history, `journal` the recorded events of a run"
    )
    profile: Name | None = key(None, "named column layout of the files", example="bitfinex")
    mapping: Columns = key(Columns, "columns by name; overrides the profile column by column")
    timeframe: Annotated[Timeframe, TimeframeKind()] | None = key(
        None, "bar length of the source; a catalogue knows its own", example="1m"
    )
    symbols: Annotated[tuple[Symbol, ...], Rows()] | None = key(
        None, "the symbols to use; all that the source holds when left out", example=["BTC/USD"]
    )
    venue: Name | None = key(None, "venue of its instruments; else the profile's, else LOCAL", example="BITFINEX")
    from_: Day | None = key(
        None, "first moment used (UTC unless a zone is given)", name="from", example="2017-01-01"
    )
    to: Day | None = key(None, "first moment no longer used (a date means its 00:00)", example="2018-01-01")
    session: Session | None = key(None, "close of the trading day, for daily bars of an exchange with hours")
    stamp: Annotated[Literal["open", "close"], OneOf()] | None = key(
        None, "whether the source stamps a bar with its start or end; else the profile's, else open", example="open"
    )
    tz: Annotated[str, Zone()] | None = key(
        None, "time zone of stamps that carry none; else the profile's, else UTC", example="America/New_York"
    )
    on_error: FaultActions = key(FaultActions, "what is done with faulty rows; always counted, never silent")
    detail: Annotated[bool, Flag()] = key(False, "this source only resolves ambiguous bars (`execution.detail`)")


class Instrument(Block):
    """What is known of one symbol; what is left out is inferred from the data and printed."""

    tick_size: Positive | None = key(None, "price step", unit="quote", example=0.01)
    lot_size: Positive | None = key(None, "quantity step", unit="base", example=0.0001)
    min_qty: NotNegative | None = key(None, "smallest order", unit="base", example=0.001)
    max_qty: Positive | None = key(None, "largest order", unit="base", example=1000)
    min_notional: NotNegative | None = key(None, "smallest price × quantity of an order", unit="quote", example=10)
    base: Name | None = key(None, "what is traded; else the part before `/`", example="BTC")
    quote: Name | None = key(None, "what it is paid in; else the part after `/`, else the account's", example="USD")
    listed: Day | None = key(None, "first moment it can be traded", example="2021-05-31")
    delisted: Day | None = key(None, "first moment it can no longer be traded", example="2022-05-13")
    alias: Symbol | None = key(None, "its symbol in the data, where that differs (a relisted name)", example="LUNA")
    fees: Fees | None = key(None, "its own fees instead of the account's")
