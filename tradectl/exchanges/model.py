"""What the parts of a live feed tell each other: channels, markets, plans, needs, health and notes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import IntEnum, StrEnum
from typing import Any, Protocol

from tradectl.core.instrument import Instrument
from tradectl.exchanges.codec import EventBuffer

__all__ = [
    "Channel", "ChannelHealth", "Decoder", "ExchangePlan", "FeedMarket", "FeedNote", "FeedSettings", "GapReason",
    "Malformed", "Need", "NeedKind", "Position",
]  # fmt: skip


class Channel(IntEnum):
    """What is subscribed to; also the `aux` of a GAP that concerns trades alone (any other GAP has 0)."""

    TRADES = 1
    DEPTH = 2
    QUOTES = 3
    OHLCV = 4
    FUNDING = 5


class GapReason(IntEnum):
    """`w2` of a live feed's GAP event (permanent); `w0`, `w1`: the stamps between which something is missing."""

    CONNECTION = 1  # the connection was lost
    SEQUENCE = 2  # a message is missing
    CHECKSUM = 3  # the book is not the venue's
    STALE = 4  # nothing came for too long
    OVERLOAD = 5  # depth was left out because messages came faster than they were applied
    RESUME = 6  # the session was down
    MALFORMED = 7  # a message could not be read
    CLOCK = 8  # the local clock jumped


class Malformed(ValueError):
    """A message that is not what the venue's protocol says."""


@dataclass(frozen=True)
class FeedMarket:
    """One instrument of one exchange; `index` is its place among the run's instruments (sorted by id)."""

    index: int
    exchange: str  # ccxt's id
    symbol: str  # ccxt's unified symbol
    raw_id: str  # the venue's own name of it in messages
    instrument: Instrument
    channels: frozenset[Channel]
    qty_step: Decimal  # the lot in the venue's own unit: of contracts the lot size divided by the contract's size
    timeframe_ns: int = 0  # of its OHLCV channel
    raw: Mapping[str, Any] = field(default_factory=dict)  # ccxt's market structure


@dataclass(frozen=True)
class ExchangePlan:
    """What the configuration wants of one exchange."""

    name: str  # ccxt's id
    symbols: tuple[str, ...]
    channels: frozenset[Channel]
    timeframe_ns: int = 0  # of OHLCV; 0: none
    endpoint: str | None = None  # scheme://host:port that stands for every host of the exchange
    options: Mapping[str, Any] = field(default_factory=dict)  # ccxt's constructor options


@dataclass(frozen=True)
class FeedSettings:
    """How a feed watches itself; times in ns."""

    stale_ns: int = 30_000_000_000  # a channel silent for longer is resubscribed
    backoff_min_ns: int = 250_000_000
    backoff_max_ns: int = 30_000_000_000
    backfill_ns: int = 5_000_000_000  # how long live trades wait for the missing ones
    compare_ns: int = 5_000_000_000  # between two looks at a venue's recent trades, where ids do not count
    queue: int = 65_536  # messages that may wait; beyond it depth is left out behind a GAP, trades never
    connect_ns: int = 30_000_000_000
    seed: int = 0  # of the jitter


class NeedKind(StrEnum):
    """What a decoder needs from the venue."""

    SNAPSHOT = "snapshot"  # of a book, over REST: handed to `Decoder.snapshot`
    RESUBSCRIBE = "resubscribe"  # of one channel: the venue then sends a snapshot itself
    COMPARE = "compare"  # the newest trades, over REST: to `Decoder.compare`
    TRADES = "trades"  # the trades after id `after` (and before id `before`, 0: all), over REST: to `Decoder.trades`


@dataclass(frozen=True)
class Need:
    """Something a decoder asks the feed for; asked once, and again only after it failed."""

    kind: NeedKind
    market: FeedMarket
    channel: Channel
    after: int = 0  # last trade id there is
    before: int = 0  # first trade id there is again
    since_ns: int = 0  # time of the last trade there is, for venues whose ids do not count

    @property
    def key(self) -> tuple[str, int, int, int]:
        """Return what tells it from other needs: kind, market, and the trades that are missing."""
        return self.kind, self.market.index, self.after, self.before


@dataclass(frozen=True)
class Position:
    """Where a market's feed stands, as a resumed session needs it: last trade id and time (ns), 0: none.

    `recent`: the ids of the trades before it, as far as they are remembered.
    """

    trade_id: int = 0
    trade_ns: int = 0
    recent: tuple[int, ...] = ()


class Decoder(Protocol):
    """One exchange's messages to events; holds each market's book sequence and trade line, does no I/O.

    Events are appended to `out` in the order in which they are to be applied, each with `recv_ns`. After every
    call the feed takes what stands in `needs` and empties it.
    """

    needs: list[Need]
    off_grid: int  # prices and quantities that were no multiple of tick or lot and were rounded

    def classify(self, text: str) -> Channel | None:
        """Return the channel of a message of market data; None: it is for ccxt (answers, pongs, errors)."""

    def decode(self, text: str, recv_ns: int, out: EventBuffer) -> None:
        """Append a message's events; raises Malformed, after which the caller calls `broken`."""

    def snapshot(self, market: FeedMarket, payload: Any, recv_ns: int, out: EventBuffer) -> None:
        """Take the venue's REST answer to a book request (parsed JSON) and append the synchronised book."""

    def trades(self, need: Need, rows: Sequence[Mapping[str, Any]] | None, recv_ns: int, out: EventBuffer) -> None:
        """Take the missing trades (ccxt's unified rows; None: they cannot be had) and append them, then those held."""

    def compare(self, market: FeedMarket, rows: Sequence[Mapping[str, Any]], recv_ns: int, out: EventBuffer) -> int:
        """Take the venue's newest trades and append those that the feed left out; returns how many there were."""

    def broken(self, market: FeedMarket, channel: Channel, reason: GapReason, recv_ns: int, out: EventBuffer) -> None:
        """Append the GAP of a channel whose messages are no longer whole; its book waits for a snapshot."""

    def connected(self, market: FeedMarket, channel: Channel) -> None:
        """Hear that a channel was (re)subscribed on a new connection."""

    def resume(self, market: FeedMarket, position: Position) -> None:
        """Begin where an earlier session ended."""

    def tick(self, now_ns: int, out: EventBuffer) -> None:
        """Let time pass: what waited too long (held trades, buffered depth) is given up behind a GAP."""


@dataclass
class ChannelHealth:
    """How one channel of one market is; what the terminal view and the summary show."""

    market: FeedMarket
    channel: Channel
    state: str = "connecting"  # connecting, live, syncing, stale, down; closed by us
    epoch: int = 0  # connections so far
    messages: int = 0
    last_recv_ns: int = 0
    lag_ns: int = 0  # receive time minus the venue's time of the last message
    gaps: int = 0
    dropped: int = 0  # depth messages left out under overload


@dataclass(frozen=True)
class FeedNote:
    """Something that happened to a feed: gap, reconnect, stale interval, refusal.

    `until_ns` 0: a moment, or an interruption that lasts; those begin when the last message was heard.
    """

    ts_ns: int
    exchange: str
    what: str  # connected, lost, gap, down, stale, backfilled, malformed, refused, limited, overload, …
    symbol: str = ""
    channel: str = ""
    text: str = ""
    until_ns: int = 0
