"""What the history unit is asked (blocks, overrides, actions) and what it answers (the report)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from tradectl.errors import ConfigError, nearest

if TYPE_CHECKING:
    from tradectl.history.calendars import Sessions

__all__ = [
    "ACTIONS",
    "DataBlock",
    "DataReport",
    "Example",
    "FaultCount",
    "Gap",
    "InstrumentReport",
    "InstrumentSpec",
    "actions_for",
    "iso",
    "split_id",
]

FIRST, LAST = -(1 << 62), 1 << 62  # before and after all stamps

# What may be done with each kind of fault; the first action is the default. `report` only counts.
ACTIONS: dict[str, tuple[str, ...]] = {
    "unparsable": ("fail", "drop"),  # a field is not a number or not a time
    "empty": ("drop", "fail"),  # a field of the row is missing
    "nan": ("fail", "drop"),  # NaN or infinite
    "nonpositive": ("fail", "drop"),  # a price of zero or less
    "negative_volume": ("fail", "drop", "clip"),  # clip: zero
    "ohlc": ("fail", "drop", "clip"),  # high or low inside the body; clip: widened to it
    "overflow": ("fail",),  # more ticks or lots than 2**53
    "disorder": ("fail", "drop", "sort"),  # earlier than a row before it in the file
    "duplicate": ("drop", "fail"),  # the same stamp and the same values
    "conflict": ("fail", "drop"),  # the same stamp, other values; drop keeps the first
    "off_tick": ("round", "fail", "drop"),
    "off_lot": ("round", "fail", "drop"),
    "truncated": ("fail", "drop"),  # the file ends early; drop: what could be read is used
    "jump": ("report", "fail"),  # a close more than 50 % away from the one before
    "gap": ("report", "fail"),  # bars are missing between two bars, or the source's sequence breaks
    "clock": ("report", "fail"),  # a row was received before it happened
}


def actions_for(on_error: Mapping[str, str]) -> dict[str, str]:
    """Merge `on_error` over the defaults; raise ConfigError for an unknown fault or action."""
    for kind, action in on_error.items():
        if kind not in ACTIONS:
            raise ConfigError(f"on_error: unknown kind of fault {kind!r}", hint=nearest(kind, ACTIONS))
        if action not in ACTIONS[kind]:
            message = f"on_error: {kind}: {action!r} is no action for this fault"
            raise ConfigError(message, hint=nearest(action, ACTIONS[kind]))
    return {kind: on_error.get(kind, allowed[0]) for kind, allowed in ACTIONS.items()}


@dataclass(frozen=True)
class DataBlock:
    """One source of history; paths absolute, times in ns UTC.

    A bar belongs to the window when its end stamp is in (`start_ns`, `end_ns`], a row of book data when its
    receive stamp is in [`start_ns`, `end_ns`). `session` is the local close time and its zone of daily bars;
    `tz` the zone of stamps that name none.
    """

    source: str | list[str]
    profile: str | None = None
    mapping: Mapping[str, Any] | None = None
    kind: str = "bars"
    timeframe: str | None = None
    symbols: list[str] | None = None
    venue: str | None = None
    start_ns: int | None = None
    end_ns: int | None = None
    session: tuple[str, str] | None = None
    sessions_for: Callable[[str, str], Sessions | None] | None = None  # of a venue and symbol: what stamps daily bars
    stamp: str | None = None
    tz: str | None = None
    on_error: Mapping[str, str] = field(default_factory=dict)
    detail: bool = False
    clock: str = "keep"  # correct: shift receive stamps of a clock that runs behind exchange time
    clock_latency_ns: int = 0  # the least latency that a corrected clock leaves
    options: Mapping[str, Any] = field(default_factory=dict)  # the importer's own settings
    feed_ns: int = 0  # what passes between event and receipt where the source has no receive clock

    @property
    def has_window(self) -> bool:
        """Tell whether `from` or `to` is given."""
        return self.start_ns is not None or self.end_ns is not None

    @property
    def span(self) -> tuple[int, int]:
        """Return the stamps, low <= stamp < high, of what belongs to the window: ends of bars, receipts of others."""
        of_bars = self.kind == "bars"
        low = FIRST if self.start_ns is None else self.start_ns + of_bars
        return low, LAST if self.end_ns is None else self.end_ns + of_bars

    @property
    def sources(self) -> list[str]:
        """Return the source as a list."""
        return [self.source] if isinstance(self.source, str) else list(self.source)


@dataclass(frozen=True)
class InstrumentSpec:
    """What a config says about an instrument; None: inferred, or taken from the profile or catalogue."""

    tick_size: Decimal | None = None
    lot_size: Decimal | None = None
    min_qty: Decimal | None = None
    min_notional: Decimal | None = None
    base: str | None = None
    quote: str | None = None
    listed: int | None = None  # ns UTC
    delisted: int | None = None  # ns UTC
    alias: str | None = None  # the symbol under which its rows stand in the source


@dataclass(frozen=True)
class Example:
    """Where a fault was seen: the data row and the line in the text file, each from 1 (0: not known)."""

    file: str
    row: int
    line: int
    value: str


@dataclass
class FaultCount:
    """How often one kind of fault was seen in one instrument's rows, and what is done about it."""

    kind: str
    instrument: str
    action: str
    count: int = 0
    examples: list[Example] = field(default_factory=list)


@dataclass(frozen=True)
class Gap:
    """Missing bars: the end stamps of the bars on both sides, and how many bars are missing."""

    instrument: str
    from_ns: int
    to_ns: int
    missing: int


@dataclass
class InstrumentReport:
    """What was found about one source symbol between its block's `from` and `to`; times are end stamps in ns UTC."""

    instrument: str
    timeframe: str
    rows: int
    first_ns: int
    last_ns: int
    tick_size: str
    lot_size: str
    tick_from: str  # config | profile | catalogue | inferred
    lot_from: str
    worst_rounding: float = 0.0  # bound of a price's relative change when put on a tick
    outside_listing: int = 0
    gap_count: int = 0
    missing_bars: int = 0
    zero_volume: int = 0
    kinds: dict[str, int] = field(default_factory=dict)  # of book data: rows of each kind of event
    has_receive_clock: bool = False  # ts_recv is no copy of ts_event
    lag_min_ns: int = 0  # smallest and largest ts_recv - ts_event, as recorded
    lag_max_ns: int = 0
    shift_ns: int = 0  # what `clock: correct` adds to ts_recv


@dataclass
class DataReport:
    """Everything `data check` shows and a run writes down about its data."""

    instruments: list[InstrumentReport] = field(default_factory=list)
    faults: list[FaultCount] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)  # the longest ones of each instrument
    rows_read: int = 0
    rows_used: int = 0
    notes: list[str] = field(default_factory=list)  # what else a user should know, a sentence each

    def count(self, kind: str, instrument: str | None = None) -> int:
        """Return how many faults of a kind were seen, in one instrument or in all."""
        return sum(f.count for f in self.faults if f.kind == kind and instrument in (None, f.instrument))

    def failing(self) -> list[FaultCount]:
        """Return the faults that stop a run."""
        return [f for f in self.faults if f.action == "fail" and f.count]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, times as ISO text, for JSON."""
        return {
            "rows_read": self.rows_read,
            "rows_used": self.rows_used,
            "instruments": [
                {**vars(i), "first_ns": iso(i.first_ns), "last_ns": iso(i.last_ns)} for i in self.instruments
            ],
            "faults": [{**vars(f), "examples": [vars(e) for e in f.examples]} for f in self.faults],
            "gaps": [{**vars(g), "from_ns": iso(g.from_ns), "to_ns": iso(g.to_ns)} for g in self.gaps],
            "notes": self.notes,
        }


def split_id(name: str) -> tuple[str, str]:
    """Return (venue, symbol) of `venue:SYMBOL`; no venue: a bare symbol, which may name what settles it.

    `X:BTC/USDT:USDT` is (`X`, `BTC/USDT:USDT`), and that symbol alone has no venue: a venue holds no slash.
    """
    venue, colon, symbol = name.partition(":")
    return (venue, symbol) if colon and "/" not in venue else ("", name)


def iso(stamp_ns: int) -> str:
    """Write ns UTC as ISO text, to the second where nothing finer is there."""
    seconds, rest = divmod(int(stamp_ns), 1_000_000_000)
    text = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{text}.{rest:09d}Z" if rest else f"{text}Z"
