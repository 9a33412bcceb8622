"""What a venue's protocol is: its hosts, its answers over REST, its subscriptions, its messages."""

from __future__ import annotations

import json
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tradectl.exchanges.sandbox.candles import MINUTE_NS, SECOND_NS
from tradectl.exchanges.sandbox.market import BIDS, Level, Listing, Market, Trade, number_text
from tradectl.exchanges.sandbox.outlet import Connection, Outlet

__all__ = ["MS", "Named", "Protocol", "Request", "Status", "interval_ns", "json_text"]

MS = 1_000_000  # ns
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
    """A market under its venue's names, with the functions that write its numbers."""

    def __init__(self, market: Market, raw_id: str, places: tuple[int, int] = (0, 0)) -> None:
        self.market, self.raw_id = market, raw_id
        self.listing: Listing = market.listing
        self.price = number_text(self.listing.tick_size, places[0])
        self.qty = number_text(self.listing.lot_size, places[1])
        self.cost = number_text(self.listing.tick_size * self.listing.lot_size)
        self.told: Any = None  # the touch that was told last

    def pairs(self, side: int, count: int) -> list[list[str]]:
        """Return the best levels as the venue's text, best first; count 0: all."""
        return [[self.price(price), self.qty(lots)] for price, lots in self.market.best(side, count)]

    def changed(self, levels: Sequence[Level], side: int) -> str:
        """Return the changed levels of a side as JSON `["price","qty"],…`."""
        price, qty = self.price, self.qty
        return ",".join([f'["{price(p)}","{qty(n)}"]' for k, p, n in levels if k == side])

    @property
    def bids_asks(self) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
        """Return the best bid and the best ask as lists of at most one (price, lots)."""
        return self.market.best(BIDS, 1), self.market.best(1 - BIDS, 1)


class Protocol(ABC):
    """One venue. Markets are added by `list_market`; what happens in them is told to `on_depth` and `on_trade`."""

    name: str
    hosts: tuple[str, ...]
    has_checksum = False

    def __init__(self, outlet: Outlet) -> None:
        self.outlet = outlet
        self.named: list[Named] = []  # by index of the market
        self.by_id: dict[str, Named] = {}

    def topic_is_heard(self, topic: str) -> bool:
        """Return whether a message of this topic would reach anyone."""
        return topic in self.outlet.listeners

    @abstractmethod
    def list_market(self, market: Market) -> None:
        """Begin to serve a market."""

    @abstractmethod
    def rest(self, request: Request) -> Any:
        """Return the answer to a call, as what JSON can hold or as its text; Status for an error."""

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

    def on_time(self, now: int) -> None:
        """Tell what is told by the clock: candles, mark prices."""

    def on_connect(self, connection: Connection) -> None:
        """Greet a client."""


def interval_ns(text: str, units: Mapping[str, int] = UNITS) -> int:
    """Return the length of a candle named as `1m`; ValueError for another form."""
    number, unit = text[:-1], text[-1:]
    if not number.isdigit() or unit not in units:
        raise ValueError(f"interval {text!r}")
    return int(number) * units[unit]


def json_text(value: Any) -> str:
    """Return what JSON can hold as compact text."""
    return json.dumps(value, separators=(",", ":"))
