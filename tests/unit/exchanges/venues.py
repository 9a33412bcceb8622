"""Small servers, each writing one venue's messages from a book that it keeps."""

from __future__ import annotations

import re
from typing import Any

from tests.unit.exchanges.decoding import Driver, compact, market
from tradectl.exchanges.model import Channel
from tradectl.history.importers.checksum import kraken_checksum, okx_checksum
from tradectl.history.importers.textbook import TextBook

MS = 1_000_000
T0 = 1_700_000_000_000  # ms
Levels = list[tuple[str, str]]


class Venue:
    """How one venue writes: the test's server, with its book (in text) and its numbering."""

    exchange, raw_id, ordered = "", "", True

    def __init__(self) -> None:
        self.shown = TextBook()
        self.number = 100

    def driver(self) -> Driver:
        made = Driver(market(self.exchange, self.raw_id))
        made.connect()
        return made

    def change(self, bids: Levels, asks: Levels) -> None:
        self.shown.update(1, bids)
        self.shown.update(-1, asks)
        self.number += 1

    def snapshot(self) -> Any:
        return self.book(True, self.shown.top(1, 1000), self.shown.top(-1, 1000))

    def update(self, bids: Levels, asks: Levels) -> Any:
        self.change(bids, asks)
        return self.book(False, bids, asks)

    def book(self, whole: bool, bids: Levels, asks: Levels) -> Any:
        raise AssertionError

    def levels(self) -> dict[str, dict[int, int]]:
        sides = {}
        for name, side in (("bids", 1), ("asks", -1)):
            top = self.shown.top(side, 1000)
            sides[name] = {round(float(p) * 10): round(float(q) * 1000) for p, q in top}
        return sides


class Kraken(Venue):
    exchange, raw_id, ordered = "kraken", "BTC/USD", False

    def driver(self) -> Driver:
        """Return a driver that writes prices and quantities as JSON numbers with all their digits."""
        made = super().driver()
        made.write = lambda message: re.sub(r'("price"|"qty"):"([^"]*)"', r"\1:\2", compact(message))
        return made

    def book(self, whole: bool, bids: Levels, asks: Levels) -> Any:
        data = {
            "symbol": self.raw_id,
            "bids": [{"price": p, "qty": q} for p, q in bids],
            "asks": [{"price": p, "qty": q} for p, q in asks],
            "checksum": kraken_checksum(self.shown.top(1, 10), self.shown.top(-1, 10)),
            "timestamp": "2023-11-14T22:13:20.000001Z",
        }
        return {"channel": "book", "type": "snapshot" if whole else "update", "data": [data]}


class Bybit(Venue):
    exchange, raw_id = "bybit", "BTCUSDT"

    def book(self, whole: bool, bids: Levels, asks: Levels) -> Any:
        data = {"s": self.raw_id, "b": bids, "a": asks, "u": self.number, "seq": 1}
        kind = "snapshot" if whole else "delta"
        return {"topic": f"orderbook.50.{self.raw_id}", "type": kind, "ts": T0 + 2, "data": data, "cts": T0}


class Okx(Venue):
    exchange, raw_id = "okx", "BTC-USDT"
    checked = True

    def __init__(self) -> None:
        super().__init__()
        self.told = -1

    def book(self, whole: bool, bids: Levels, asks: Levels) -> Any:
        data: dict[str, Any] = {
            "bids": [[p, q, "0", "1"] for p, q in bids], "asks": [[p, q, "0", "1"] for p, q in asks],
            "ts": str(T0), "prevSeqId": -1 if whole else self.told, "seqId": self.number * 7,
        }  # fmt: skip
        self.told = self.number * 7
        if self.checked:
            data["checksum"] = okx_checksum(self.shown.top(1, 25), self.shown.top(-1, 25))
        arg = {"channel": "books", "instId": self.raw_id}
        return {"arg": arg, "action": "snapshot" if whole else "update", "data": [data]}


class OkxUnchecked(Okx):
    checked = False


class Coinbase(Venue):
    exchange, raw_id = "coinbase", "BTC-USD"

    def __init__(self) -> None:
        super().__init__()
        self.sequence = -1

    def message(self, channel: str, *events: Any) -> dict:
        self.sequence += 1
        return {
            "channel": channel, "client_id": "", "timestamp": "2023-11-14T22:13:20.123456789Z",
            "sequence_num": self.sequence, "events": list(events),
        }  # fmt: skip

    def book(self, whole: bool, bids: Levels, asks: Levels) -> Any:
        updates = [
            {"side": side, "event_time": "2023-11-14T22:13:20Z", "price_level": p, "new_quantity": q}
            for side, levels in (("bid", bids), ("offer", asks))
            for p, q in levels
        ]
        kind = "snapshot" if whole else "update"
        return self.message("l2_data", {"type": kind, "product_id": self.raw_id, "updates": updates})


class CoinbaseExchange(Venue):
    exchange, raw_id, ordered = "coinbaseexchange", "BTC-USD", False

    def book(self, whole: bool, bids: Levels, asks: Levels) -> Any:
        if whole:
            return {"type": "snapshot", "product_id": self.raw_id, "bids": bids, "asks": asks}
        changes = [["buy", *level] for level in bids] + [["sell", *level] for level in asks]
        return {
            "type": "l2update",
            "product_id": self.raw_id,
            "changes": changes,
            "time": "2023-11-14T22:13:20.5Z",
        }


VENUES: dict[str, type[Venue]] = {
    "kraken": Kraken, "bybit": Bybit, "okx": Okx, "okx without checksum": OkxUnchecked, "coinbase": Coinbase,
    "coinbaseexchange": CoinbaseExchange,
}  # fmt: skip
NUMBERED = [name for name, venue in VENUES.items() if venue.ordered]
CHECKED = ["kraken", "okx"]


def begun(name: str) -> tuple[Venue, Driver]:
    """A venue and a driver whose book is whole: two bids, two asks."""
    venue = VENUES[name]()
    driver = venue.driver()
    venue.change([("100.0", "1.000"), ("99.9", "2.000")], [("100.2", "1.500"), ("100.4", "0.001")])
    driver.say(venue.snapshot(), Channel.DEPTH)
    return venue, driver
