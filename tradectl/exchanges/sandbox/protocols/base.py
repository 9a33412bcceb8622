"""What a venue's protocol is: its hosts, its answers over REST, its subscriptions, its messages."""

from __future__ import annotations

import json
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any

from tradectl.exchanges.sandbox.candles import MINUTE_NS, SECOND_NS, Candle
from tradectl.exchanges.sandbox.market import ASKS, BIDS, Level, Listing, Market, Trade, number_text
from tradectl.exchanges.sandbox.outlet import Connection, Outlet

__all__ = [
    "MS",
    "Named",
    "Protocol",
    "Request",
    "Status",
    "interval_ns",
    "json_text",
    "read_object",
    "utc_text",
]

MS = 1_000_000  # ns
CANDLE_EVERY = 250 * MS  # of an unfinished candle
ONE = Decimal(1)
BOOK = re.compile(r"depth|orderbook|market/books|product_book", re.IGNORECASE)
UNITS = {"s": SECOND_NS, "m": MINUTE_NS, "h": 60 * MINUTE_NS, "d": 1_440 * MINUTE_NS, "w": 10_080 * MINUTE_NS}


@dataclass(frozen=True)
class Request:
    """One REST call: host, path below it, arguments; `now` ns UTC."""

    host: str
    path: str
    query: Mapping[str, str]
    now: int

    def number(self, name: str, default: int) -> int:
        """Return an integer argument; ValueError where it is none."""
        return int(self.query.get(name) or default)


class Status(Exception):
    """A REST answer that is an error: HTTP status and the venue's own JSON."""

    def __init__(self, status: int, body: Any) -> None:
        super().__init__(status)
        self.status, self.body = status, body


class Named:
    """A market under its venue's names, with the functions that write its numbers.

    `places` are the least decimals of prices and quantities; `unit` is what the venue counts as one.
    """

    def __init__(
        self, market: Market, raw_id: str, places: tuple[int, int] = (0, 0), unit: Decimal = ONE
    ) -> None:
        self.market, self.raw_id = market, raw_id
        self.listing: Listing = market.listing
        self.is_perpetual = bool(self.listing.settle)
        self.tick_text, self.lot = _plain(self.listing.tick_size), self.listing.lot_size / unit
        self.lot_text = _plain(self.lot)
        self.price = number_text(self.listing.tick_size, places[0])
        self.qty = number_text(self.lot, places[1])
        self.cost = number_text(self.listing.tick_size * self.listing.lot_size)
        self.told: Any = None  # the touch that was told last

    def pairs(self, side: int, count: int) -> list[list[str]]:
        """Return the best levels as the venue's text, best first; count 0: all."""
        return [[self.price(price), self.qty(lots)] for price, lots in self.market.best(side, count)]

    def changed(self, levels: Sequence[Level], side: int) -> str:
        """Return the changed levels of a side as JSON `["price","qty"],…`."""
        price, qty = self.price, self.qty
        return ",".join([f'["{price(p)}","{qty(n)}"]' for k, p, n in levels if k == side])

    def touch(self) -> tuple[str, str, str, str] | None:
        """Return bid, its quantity, ask, its quantity as text; None where a side is empty or nothing has changed."""
        bids, asks = self.market.best(BIDS, 1), self.market.best(ASKS, 1)
        if not bids or not asks or (bids, asks) == self.told:
            return None
        self.told = (bids, asks)
        return self.price(bids[0][0]), self.qty(bids[0][1]), self.price(asks[0][0]), self.qty(asks[0][1])


class Protocol(ABC):
    """One venue; the server tells it what happens in its markets, and it tells those who listen."""

    name: str
    hosts: tuple[str, ...]
    defaults: tuple[str, ...] = ("BTC/USDT", "ETH/USDT", "BTC/USDT:USDT")  # symbols of a synthetic source
    has_perpetuals = True
    has_checksum = False

    def __init__(self, outlet: Outlet) -> None:
        self.outlet = outlet
        self.by_index: dict[int, Named] = {}  # by the source's index of the market
        self.by_id: dict[str, Named] = {}
        self.clock: dict[str, int] = {}  # topic -> when it was last told by the clock
        self.candles: dict[str, tuple[Named, str, int]] = {}  # topic -> market, interval, ns

    @property
    def named(self) -> list[Named]:
        """Return all markets."""
        return list(self.by_index.values())

    def is_heard(self, topic: str) -> bool:
        """Return whether a message of this topic would reach anyone."""
        return topic in self.outlet.listeners

    @abstractmethod
    def name_market(self, market: Market) -> tuple[str, Named]:
        """Return a market's key, and the market under its names."""

    def list_market(self, market: Market) -> None:
        """Begin to serve a market, if the venue has such ones."""
        if self.has_perpetuals or not market.listing.settle:
            key, named = self.name_market(market)
            self.by_id[key] = self.by_index[market.index] = named

    @abstractmethod
    def rest(self, request: Request) -> Any:
        """Return the answer to a call, as what JSON can hold; Status for an error."""

    def limit(self, wait_s: int) -> tuple[Any, dict[str, str]]:
        """Return body and headers of a 429 that lasts for so many seconds more."""
        return {"code": -1003, "msg": "Too many requests"}, {"Retry-After": str(wait_s)}

    def is_book(self, request: Request) -> bool:
        """Return whether a call asks for a book."""
        return BOOK.search(request.path) is not None

    @abstractmethod
    def on_text(self, connection: Connection, text: str, now: int) -> None:
        """Take a client's message: a subscription, a ping."""

    @abstractmethod
    def on_depth(self, named: Named, levels: Sequence[Level]) -> None:
        """Tell of levels that have just changed."""

    @abstractmethod
    def on_trade(self, named: Named, trade: Trade) -> None:
        """Tell of a trade."""

    def on_connect(self, connection: Connection, now: int) -> None:
        """Note a new client."""
        self.clock[f"connected {id(connection)}"] = now

    def on_end(self, connection: Connection) -> None:
        """Forget a client."""
        self.clock.pop(f"connected {id(connection)}", None)

    def on_time(self, now: int) -> None:
        """Tell what is told by the clock: the candles that have ended since the last look, and those that grow."""
        for topic, (named, interval, step) in self.candles.items():
            before = self.clock.get(topic, now)
            if self.is_heard(topic) and self.is_due(topic, now, CANDLE_EVERY):
                named.market.candles.roll(now)
                for row in named.market.candles.between(step, before - before % step, now):
                    self.outlet.send(topic, "ohlcv", self.candle_text(named, row, interval, step, now))

    def candle_text(self, named: Named, row: Candle, interval: str, step: int, now: int) -> str:
        """Return a candle as the venue's message."""
        raise ValueError(
            f"{self.name} tells no candles of {named.raw_id}: {interval}, {row.start}, {step}, {now}"
        )

    def is_due(self, topic: str, now: int, every: int) -> bool:
        """Return whether a topic's time has come, and note it."""
        due = now // every != self.clock.get(topic, 0) // every
        if due:
            self.clock[topic] = now
        return due


def read_object(text: str) -> dict[str, Any]:
    """Return a client's message, or nothing where it is no JSON object."""
    try:
        message = json.loads(text)
    except ValueError:
        return {}
    return message if isinstance(message, dict) else {}


def utc_text(ns: int, digits: int = 9) -> str:
    """Return a time as ISO text with this many decimals of a second, in UTC."""
    seconds, rest = divmod(ns, SECOND_NS)
    return f"{_second_text(seconds)}.{rest:09d}"[: 20 + digits] + "Z"


@lru_cache(64)
def _second_text(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def _plain(step: Decimal) -> str:
    return format(step.normalize(), "f")


def interval_ns(text: str, units: Mapping[str, int] = UNITS) -> int:
    """Return the length of a candle named as `1m`; ValueError for another form."""
    number, unit = text[:-1], text[-1:]
    if not number.isdigit() or unit not in units:
        raise ValueError(f"interval {text!r}")
    return int(number) * units[unit]


def json_text(value: Any) -> str:
    """Return what JSON can hold as compact text."""
    return json.dumps(value, separators=(",", ":"))
