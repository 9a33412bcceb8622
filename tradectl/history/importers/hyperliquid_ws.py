"""Hyperliquid's WebSocket messages as they came, one `<receive stamp> <json>` a line: l2Book and trades."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from tradectl.core.codes import EventKind
from tradectl.history.files import Place
from tradectl.history.importers.base import Importer, Options, Piece
from tradectl.history.importers.lines import decode_lines, stamped
from tradectl.history.importers.rows import Sink
from tradectl.history.importers.textbook import TextBook

__all__ = ["IMPORTER", "HyperliquidDecoder", "read"]

MS = 1_000_000  # ns
TRADE = int(EventKind.TRADE)
BACKLOG = ("drop", "keep")


class HyperliquidDecoder:
    """Turns messages into rows: each l2Book shows the best levels whole, rows are what changed.

    A level that is no longer shown is removed, so the book holds exactly what the venue shows. The first message
    of trades repeats some from before the connection: those older than its receive stamp by `backlog_ns` are
    history, not news.
    """

    backlog_ns = 5 * 10**9

    def __init__(self, sink: Sink, *, keep_backlog: bool = False) -> None:
        self.sink = sink
        self.books: dict[str, TextBook] = {}
        self.traded: set[str] = set()  # coins that have had their first message of trades
        self.keep_backlog = keep_backlog

    def line(self, line: bytes, number: int) -> None:
        """Decode one line."""
        parts = stamped(line)
        if parts is None:
            raise ValueError("expected '<receive stamp> <json>'")
        message = json.loads(parts[1])
        if message["channel"] == "l2Book":
            self._book(parts[0], message["data"], number)
        elif message["channel"] == "trades":
            self._trades(parts[0], message["data"], number)

    def _book(self, ts_recv: int, data: dict[str, Any], number: int) -> None:
        rows, stamps = self.sink[data["coin"]], (data["time"] * MS, ts_recv)
        bids, asks = ([(level["px"], level["sz"]) for level in side] for side in data["levels"])
        book = self.books.get(data["coin"])
        if book is None:
            book = self.books[data["coin"]] = TextBook()
            rows.snapshot(stamps, bids, asks, (0, number))
            book.replace(1, bids)
            book.replace(-1, asks)
            return
        rows.sides(stamps, book.replace(1, bids), book.replace(-1, asks), (0, number))

    def _trades(self, ts_recv: int, data: list[dict[str, Any]], number: int) -> None:
        for trade in data:
            stamp = trade["time"] * MS
            old = trade["coin"] not in self.traded and ts_recv - stamp > self.backlog_ns
            if old and not self.keep_backlog:
                continue
            key = (trade["tid"], number)
            side = 1 if trade["side"] == "B" else -1
            price, qty = float(trade["px"]), float(trade["sz"])
            self.sink[trade["coin"]].one(TRADE, side, (stamp, ts_recv), price, qty, key)
        self.traded.update(trade["coin"] for trade in data)


def read(places: Sequence[Place], options: Options) -> Iterator[Piece]:
    """Yield the rows of recorded messages."""
    options.only("backlog")
    sink = Sink()
    decoder = HyperliquidDecoder(sink, keep_backlog=options.choice("backlog", BACKLOG) == "keep")
    yield from decode_lines(places, options, sink, decoder.line)


def _suits(place: Place, head: bytes) -> bool:
    first = head.split(b"\n", 1)[0]
    return b'"channel":"l2Book"' in first or (b'"channel":"trades"' in first and b'"coin"' in first)


IMPORTER = Importer(
    "hyperliquid_ws", read, "Hyperliquid raw WebSocket lines: l2Book and trades",
    venue="HYPERLIQUID", pairs=False, suits=_suits,
)  # fmt: skip
