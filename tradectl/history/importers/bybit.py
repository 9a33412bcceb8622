"""Bybit's order-book archives (`ob200`, `ob500`: one JSON a line) and its public WebSocket messages."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from tradectl.core.codes import EventKind
from tradectl.history.files import Place
from tradectl.history.importers.base import Importer, Options, Piece
from tradectl.history.importers.lines import decode_lines, stamped
from tradectl.history.importers.rows import Rows, Sink

__all__ = ["IMPORTER", "BybitDecoder", "read"]

MS = 1_000_000  # ns
TRADE = int(EventKind.TRADE)


class BybitDecoder:
    """Turns messages into rows; a GAP where an update id is missing, until the next snapshot.

    Stamps: that of the matching engine (`cts`) where there is one, else that of the message (`ts`).
    """

    def __init__(self, sink: Sink) -> None:
        self.sink = sink
        self.last: dict[str, int] = {}  # symbol -> update id of its book; absent: waiting for a snapshot

    def line(self, line: bytes, number: int) -> None:
        """Decode one line: JSON, with or without a receive stamp before it."""
        parts = stamped(line)
        message = json.loads(parts[1] if parts else line)
        topic = str(message.get("topic", ""))
        stamp = int(message.get("cts") or message["ts"]) * MS if topic else 0
        stamps = (stamp, parts[0] if parts else stamp)
        if topic.startswith("orderbook."):
            data = message["data"]
            self._book(self.sink[data["s"]], stamps, message["type"], data, number)
        elif topic.startswith("publicTrade."):
            for trade in message["data"]:
                when = (int(trade["T"]) * MS, parts[0] if parts else int(trade["T"]) * MS)
                side = 1 if trade["S"] == "Buy" else -1
                key = (int(trade.get("seq", 0)), number)
                self.sink[trade["s"]].one(TRADE, side, when, float(trade["p"]), float(trade["v"]), key)

    def _book(
        self, rows: Rows, stamps: tuple[int, int], kind: str, data: dict[str, Any], number: int
    ) -> None:
        symbol, update = data["s"], int(data["u"])
        if kind == "snapshot":
            rows.snapshot(stamps, data["b"], data["a"], (update, number))
        elif kind != "delta":
            raise ValueError(f"type {kind!r} is neither snapshot nor delta")
        elif symbol not in self.last:
            rows.drop()
            return
        elif update != self.last[symbol] + 1:
            rows.gap(stamps, number)
            rows.drop()
            del self.last[symbol]
            return
        else:
            rows.sides(stamps, data["b"], data["a"], (update, number))
        self.last[symbol] = update


def read(places: Sequence[Place], options: Options) -> Iterator[Piece]:
    """Yield the rows of archives or recorded messages."""
    options.only()
    sink = Sink()
    yield from decode_lines(places, options, sink, BybitDecoder(sink).line)


def _suits(place: Place, head: bytes) -> bool:
    first = head.split(b"\n", 1)[0]
    return b'"topic":"orderbook.' in first or b'"topic":"publicTrade.' in first


IMPORTER = Importer(
    "bybit", read, "Bybit order-book archives (ob200, ob500) and raw public WebSocket lines",
    venue="BYBIT", endings=(".data",), has_receive_clock=False, pairs=True, suits=_suits,
)  # fmt: skip
