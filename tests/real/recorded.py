"""Recorded traffic through a live decoder: what it told, and the best levels after each message of depth."""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

from tests.unit.exchanges.decoding import Driver
from tradectl.core.codes import EventFlag, EventKind
from tradectl.core.instrument import Instrument
from tradectl.exchanges.model import Channel, FeedMarket
from tradectl.history.importers.lines import stamped

__all__ = ["DATA", "Recorded", "Touch", "lines_of", "listed"]

DATA = Path(__file__).parents[3] / "shared" / "data"
Touch = tuple[int, int, int, int]  # bid, bid lots, ask, ask lots
QUOTE, DEPTH = int(EventKind.QUOTE), int(EventKind.DEPTH)
BOOK = frozenset({Channel.TRADES, Channel.DEPTH, Channel.QUOTES})


def listed(
    exchange: str, raw_id: str, index: int, tick: str, lot: str, symbol: str = "", channels: Any = BOOK
) -> FeedMarket:
    """Return a market of a recording."""
    instrument = Instrument(exchange.upper(), symbol or raw_id, raw_id, "", Decimal(tick), Decimal(lot))
    return FeedMarket(
        index, exchange, symbol or raw_id, raw_id, instrument, frozenset(channels), Decimal(lot), 60_000_000_000
    )  # fmt: skip


def lines_of(*paths: Path) -> Iterator[tuple[int, str]]:
    """Yield (receive stamp ns, JSON text) of files of `<stamp>[:] <json>` lines; others are left out."""
    for path in paths:
        with (gzip.open if path.suffix == ".gz" else open)(path, "rb") as stream:
            for line in stream:
                if (parts := stamped(line.strip())) is not None and b"<-" not in line[:200]:
                    yield parts[0], parts[1].decode()


class Recorded(Driver):
    """A driver at the times of a recording, which keeps the touch after each message of depth by its update id."""

    def __init__(self, *markets: FeedMarket) -> None:
        super().__init__(*markets)
        self.now = 0
        self.taken: list[Any] = []
        self.wanted: set[tuple[int, int]] = (
            set()
        )  # (instrument, update id) at which the touch is kept; empty: all
        self.touches: dict[tuple[int, int], Touch] = {}
        self.quotes: list[tuple[tuple[int, int], Touch]] = []

    def hear(self, recv_ns: int, text: str) -> bool:
        """Take one line of the recording; False if it is not of market data."""
        if self.decoder.classify(text) is None:
            return False
        self.now = max(self.now, recv_ns)
        self.decoder.decode(text, self.now, self.out)
        self.take(self.out.take())
        return True

    def play(self, lines: Iterable[tuple[int, str]]) -> int:
        """Take lines; return how many were of market data."""
        return sum(self.hear(*line) for line in lines)

    def take(self, events: Any) -> Any:
        """Take events: quotes, and the touch after the last event if it is of depth."""
        if len(events):
            rows = events.tolist()
            self.read(rows)
            self.taken.append(events)
            for row in rows:
                if row[2] == QUOTE:
                    self.quotes.append(((row[5], row[11]), row[7:11]))
            *_, kind, _side, flags, index, _aux, _ticks, _lots, update_id, _w3, _w4 = rows[-1]
            if kind == DEPTH and flags & EventFlag.MESSAGE_END:
                key = (index, update_id)
                if not self.wanted or key in self.wanted:
                    self.touches[key] = self.touch(index)
        return events

    def touch(self, index: int) -> Touch:
        """Return the best levels of a book; 0 where there is none."""
        book = self.books.get(index, {})
        bid = max((ticks for side, ticks in book if side > 0), default=0)
        ask = min((ticks for side, ticks in book if side < 0), default=0)
        return bid, book.get((1, bid), 0), ask, book.get((-1, ask), 0)
