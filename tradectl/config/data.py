"""The blocks `data` and `instruments`: what is traded and where its history comes from."""

# No `from __future__ import annotations` here: pydantic would evaluate each annotation from its text, which
# doubles the time that this module takes to import.

from decimal import Decimal
from typing import Annotated, Any, ClassVar, Literal

from tradectl.config.block import Block, key
from tradectl.config.calendars import Calendar
from tradectl.config.scalars import Flag, Number, OneOf, Param, Rows, Text
from tradectl.config.timescalars import ClockTime, DurationKind, MomentKind, TimeframeKind, Zone
from tradectl.config.trading import Fees
from tradectl.config.units import Duration, Moment, Timeframe

__all__ = ["COLUMNS", "FAULTS", "Columns", "DataBlock", "FaultActions", "Instrument", "Session"]

Fail = Annotated[Literal["fail"], OneOf()]
FailDrop = Annotated[Literal["fail", "drop"], OneOf()]
FailReport = Annotated[Literal["fail", "report"], OneOf()]
FailDropClip = Annotated[Literal["fail", "drop", "clip"], OneOf()]
FailDropRound = Annotated[Literal["fail", "drop", "round"], OneOf()]
FailDropSort = Annotated[Literal["fail", "drop", "sort"], OneOf()]
Name = Annotated[str, Text("a name")]
Symbol = Annotated[str, Text("a symbol", "BTC/USD")]
Column = Annotated[str, Text("the name of a column", "close")]
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
    """Which source column holds what, and how; each key overrides the profile's."""

    timestamp: Column | None = key(None, "time of the bar, any of s, ms, us, ns or ISO", example="date")
    symbol: Column | None = key(None, "symbol, where one file holds several", example="ticker")
    open: Column | None = key(None, "first price", example="o")
    high: Column | None = key(None, "highest price", example="h")
    low: Column | None = key(None, "lowest price", example="l")
    close: Column | None = key(None, "last price", example="c")
    volume: Column | None = key(None, "traded quantity in units of base", example="v")
    header: Annotated[tuple[Column, ...], Rows()] | None = key(
        None, "names of the columns, for files without a header line", example=["date", "o", "h", "l", "c"]
    )
    unit: Annotated[Literal["s", "ms", "us", "ns"], OneOf()] | None = key(
        None, "unit of integer times; else told from their size", example="ms"
    )
    timestamp_format: Annotated[str, Text("a strftime format", "%d.%m.%Y %H:%M")] | None = key(
        None, "format of times that are not ISO", example="%d.%m.%Y %H:%M"
    )
    scale: Positive | None = key(None, "price = what the file holds times this", example=0.0001)
    received: Column | None = key(
        None, "book data: local time of receipt; else the exchange's time", example="local_ts"
    )
    price: Column | None = key(None, "price of a trade, level or order", example="px")
    qty: Column | None = key(None, "its quantity in units of base", example="amount")
    side: Column | None = key(
        None, "buy or sell: of the aggressor, the level or the order", example="taker_side"
    )
    maker: Column | None = key(None, "trades: true where the buyer was the maker", example="is_buyer_maker")
    id: Column | None = key(None, "id of the trade, update or order", example="trade_id")
    bid: Column | None = key(None, "quotes: best bid", example="bid_px")
    bid_qty: Column | None = key(None, "quotes: quantity at the best bid", example="bid_sz")
    ask: Column | None = key(None, "quotes: best ask", example="ask_px")
    ask_qty: Column | None = key(None, "quotes: quantity at the best ask", example="ask_sz")
    snapshot: Column | None = key(
        None, "depth: true on rows of a snapshot, which replaces the book", example="is_snapshot"
    )
    action: Column | None = key(None, "orders: add, modify, cancel or exec", example="event")


class FaultActions(Block):
    """What is done with each kind of fault; `report` keeps the row as it is and counts it."""

    unparsable: FailDrop = key("fail", "a field is not a number or not a time")
    empty: FailDrop = key("drop", "a field of the row is missing")
    nan: FailDrop = key("fail", "a value is NaN or infinite")
    nonpositive: FailDrop = key("fail", "a price is zero or less")
    negative_volume: FailDropClip = key("fail", "a volume is below zero; clip makes it zero")
    ohlc: FailDropClip = key("fail", "high or low does not contain the other prices; clip widens them")
    overflow: Fail = key("fail", "a price has too many ticks or a volume too many lots")
    disorder: FailDropSort = key("fail", "a row is earlier than one before it in its file")
    duplicate: FailDrop = key("drop", "a row has the time and the values of another")
    conflict: FailDrop = key("fail", "two rows have one time and different values; drop keeps the first")
    off_tick: FailDropRound = key("round", "a price is no multiple of tick_size")
    off_lot: FailDropRound = key("round", "a volume is no multiple of lot_size")
    truncated: FailDrop = key("fail", "the file ends early; drop uses what could be read")
    jump: FailReport = key("report", "a close is more than half away from the one before")
    gap: FailReport = key(
        "report", "bars are missing between two bars, or updates where a source numbers them"
    )
    clock: FailReport = key("report", "book data: a row was received before it happened")


FAULTS: tuple[str, ...] = tuple(FaultActions.model_fields)
COLUMNS: tuple[str, ...] = tuple(Columns.model_fields)


class DataBlock(Block):
    """One source of events; several are merged by receive time."""

    short_key: ClassVar[str] = "source"

    source: Annotated[tuple[Annotated[str, Text("a path", "../data/btc.csv.gz")], ...], Rows()] = key(
        ...,
        "file, folder, glob or catalogue (of `kind: journal`: a run folder), relative to the config file",
        example="../data/btc.csv.gz",
    )
    kind: Annotated[
        Literal["bars", "trades", "quotes", "depth", "orders", "funding", "book", "journal"], OneOf()
    ] = key(
        "bars",
        "what is read: bars, or book data (`book`: all kinds that the source has); `funding`: rates at settlements, "
        "beside either; `journal`: a run's events",
    )
    profile: Name | None = key(
        None, "named column layout of the files, or format of book data", example="bitfinex"
    )
    mapping: Columns = key(Columns, "names of columns; each key overrides the profile's")
    timeframe: Annotated[Timeframe, TimeframeKind()] | None = key(
        None, "bar length of the source; a catalogue knows its own", example="1m"
    )
    symbols: Annotated[tuple[Symbol, ...], Rows()] | None = key(
        None, "the symbols to use; all that the source holds when left out", example=["BTC/USD"]
    )
    venue: Name | None = key(
        None, "venue of its instruments; else the profile's, else LOCAL", example="BITFINEX"
    )
    from_: Day | None = key(
        None, "first moment used (UTC unless a zone is given)", name="from", example="2017-01-01"
    )
    to: Day | None = key(None, "first moment no longer used (a date means its 00:00)", example="2018-01-01")
    session: Session | None = key(
        None, "close of the trading day, for daily bars of an exchange with hours; a `calendar` knows it already"
    )
    stamp: Annotated[Literal["open", "close"], OneOf()] | None = key(
        None,
        "whether the source stamps a bar with its start or end; else the profile's, else open",
        example="open",
    )
    tz: Annotated[str, Zone()] | None = key(
        None, "time zone of stamps that carry none; else the profile's, else UTC", example="America/New_York"
    )
    on_error: FaultActions = key(FaultActions, "what is done with faulty rows; always counted, never silent")
    clock: Annotated[Literal["keep", "correct"], OneOf()] = key(
        "keep", "book data: correct shifts a receive clock that runs behind exchange time"
    )
    clock_latency: Annotated[Duration, DurationKind()] = key(
        Duration("0"), "the least latency that a corrected clock leaves", example="1ms"
    )
    options: dict[str, Annotated[Any, Param()]] = key(
        dict, "book data: settings of the format (`docs/data.md`)", example={"qty": 1000}
    )
    detail: Annotated[bool, Flag()] = key(
        False, "this source only resolves ambiguous bars (`execution.detail`)"
    )

    @property
    def from_ns(self) -> int | None:
        """Return the first moment used, ns UTC."""
        return None if self.from_ is None else self.from_.ns

    @property
    def to_ns(self) -> int | None:
        """Return the first moment no longer used, ns UTC."""
        return None if self.to is None else self.to.ns


class Instrument(Block):
    """What is known of one symbol; what is left out is inferred from the data and printed."""

    tick_size: Positive | None = key(None, "price step", unit="quote", example=0.01)
    lot_size: Positive | None = key(None, "quantity step", unit="base", example=0.0001)
    min_qty: NotNegative | None = key(None, "smallest order", unit="base", example=0.001)
    max_qty: Positive | None = key(None, "largest order", unit="base", example=1000)
    min_notional: NotNegative | None = key(
        None, "smallest price times quantity of an order", unit="quote", example=10
    )
    base: Name | None = key(None, "what is traded; else the part before `/`", example="BTC")
    quote: Name | None = key(
        None, "what it is paid in; else the part after `/`, else the account's", example="USD"
    )
    listed: Day | None = key(None, "first moment it can be traded", example="2021-05-31")
    delisted: Day | None = key(None, "first moment it can no longer be traded", example="2022-05-13")
    alias: Symbol | None = key(
        None, "its symbol in the data, where that differs (a relisted name)", example="LUNA"
    )
    fees: Fees | None = key(None, "its own fees instead of the account's")
    calendar: Calendar | None = key(None, "when it trades, instead of the run's `calendar`", example="XNYS")

    @property
    def listed_ns(self) -> int | None:
        """Return the first moment it can be traded, ns UTC."""
        return None if self.listed is None else self.listed.ns

    @property
    def delisted_ns(self) -> int | None:
        """Return the first moment it can no longer be traded, ns UTC."""
        return None if self.delisted is None else self.delisted.ns
