"""Raw recordings of a venue's WebSocket (`<stamp>: <json>`, `<->` connects, `<-` was sent): Kraken v1 and OKX v5.

Both venues send checksums of their books. Each is computed from the venue's own text; where it differs, the book
is no longer the venue's: a GAP, and the book waits for the next snapshot.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from tradectl.core.codes import EventKind
from tradectl.history.files import Place
from tradectl.history.importers.base import Importer, Options, Piece
from tradectl.history.importers.checksum import KRAKEN_LEVELS, OKX_LEVELS, kraken_checksum, okx_checksum
from tradectl.history.importers.lines import decode_lines, seconds_to_ns, stamped
from tradectl.history.importers.rows import Sink
from tradectl.history.importers.textbook import TextBook

__all__ = ["IMPORTERS", "KrakenDecoder", "OkxDecoder"]

MS = 1_000_000  # ns
TRADE = int(EventKind.TRADE)


class _Decoder:
    """What both venues share: books by symbol, connections, and how many checksums agreed."""

    def __init__(self, sink: Sink) -> None:
        self.sink = sink
        self.books: dict[str, TextBook] = {}  # absent: waiting for a snapshot
        self.agreed = 0
        self.differed = 0

    def line(self, line: bytes, number: int) -> None:
        """Decode one line."""
        parts = stamped(line)
        if parts is None:
            if b" <-> " in line[:200]:
                self._connected(line, number)
            elif b" <- " not in line[:200]:
                raise ValueError("expected '<receive stamp>: <json>'")
            return
        self.message(parts[0], json.loads(parts[1]), number)

    def _connected(self, line: bytes, number: int) -> None:
        """Nothing of an earlier connection holds: books that were whole have a gap."""
        ts_recv = seconds_to_ns(line.rsplit(b" ", 1)[-1].decode())
        for symbol in self.books:
            self.sink[symbol].gap((ts_recv, ts_recv), number)
        self.books.clear()

    def message(self, ts_recv: int, message: Any, number: int) -> None:
        """Decode one message received at `ts_recv` (ns); each venue has its own."""
        raise TypeError(f"{type(self).__name__} decodes no messages")

    def _verify(self, symbol: str, stamps: tuple[int, int], agrees: bool, number: int) -> None:
        self.agreed += agrees
        self.differed += not agrees
        if not agrees:
            del self.books[symbol]
            self.sink[symbol].gap(stamps, number)


class KrakenDecoder(_Decoder):
    """Kraken's v1 channels `book-N` and `trade`; of a book of N levels what falls beyond N is removed."""

    def message(self, ts_recv: int, message: Any, number: int) -> None:
        """Decode `[channel id, payload…, channel name, pair]`; events (dicts) tell nothing of a book."""
        if not isinstance(message, list):
            return
        channel, pair = str(message[-2]), str(message[-1])
        if channel == "trade":
            for price, qty, stamp, side, *_ in message[1]:
                stamps = (seconds_to_ns(stamp), ts_recv)
                taker = 1 if side == "b" else -1
                self.sink[pair].one(TRADE, taker, stamps, float(price), float(qty), (0, number))
        elif channel.startswith("book-"):
            payload: dict[str, Any] = {}
            for part in message[1:-2]:
                payload.update(part)
            self._book(pair, int(channel.removeprefix("book-")), payload, ts_recv, number)

    def _book(self, pair: str, depth: int, payload: dict[str, Any], ts_recv: int, number: int) -> None:
        rows, snapshot = self.sink[pair], "as" in payload or "bs" in payload
        bids = payload.get("bs" if snapshot else "b", ())
        asks = payload.get("as" if snapshot else "a", ())
        stamp = max((seconds_to_ns(level[2]) for side in (bids, asks) for level in side), default=ts_recv)
        stamps = (stamp, ts_recv)
        if snapshot:
            book = self.books[pair] = TextBook()
            rows.snapshot(stamps, bids, asks, (0, number))
        elif pair in self.books:
            book = self.books[pair]
        else:
            rows.drop()
            return
        book.update(1, bids)
        book.update(-1, asks)
        if not snapshot:
            beyond = book.cut(1, depth), book.cut(-1, depth)
            rows.sides(stamps, [*bids, *beyond[0]], [*asks, *beyond[1]], (0, number))
        if "c" in payload:
            best = book.top(1, KRAKEN_LEVELS), book.top(-1, KRAKEN_LEVELS)
            self._verify(pair, stamps, kraken_checksum(*best) == int(payload["c"]), number)


class OkxDecoder(_Decoder):
    """OKX's v5 channels `books` (400 levels, changes) and `trades`."""

    def message(self, ts_recv: int, message: Any, number: int) -> None:
        """Decode `{arg, action, data}`; replies to requests have no data."""
        if "data" not in message:
            return
        channel, symbol = message["arg"]["channel"], message["arg"].get("instId", "")
        if channel in ("trades", "trades-all"):
            for trade in message["data"]:
                stamps = (int(trade["ts"]) * MS, ts_recv)
                taker = 1 if trade["side"] == "buy" else -1
                key = (int(trade["tradeId"]), number)
                self.sink[symbol].one(TRADE, taker, stamps, float(trade["px"]), float(trade["sz"]), key)
        elif channel in ("books", "books-l2-tbt", "books50-l2-tbt"):
            for data in message["data"]:
                self._book(symbol, message["action"] == "snapshot", data, ts_recv, number)

    def _book(self, symbol: str, snapshot: bool, data: dict[str, Any], ts_recv: int, number: int) -> None:
        rows, stamps, bids, asks = (
            self.sink[symbol],
            (int(data["ts"]) * MS, ts_recv),
            data["bids"],
            data["asks"],
        )
        key = (max(int(data.get("seqId", 0)), 0), number)
        if snapshot:
            book = self.books[symbol] = TextBook()
            rows.snapshot(stamps, bids, asks, key)
        elif symbol in self.books:
            book = self.books[symbol]
            rows.sides(stamps, bids, asks, key)
        else:
            rows.drop()
            return
        book.update(1, bids)
        book.update(-1, asks)
        if "checksum" in data:
            best = book.top(1, OKX_LEVELS), book.top(-1, OKX_LEVELS)
            self._verify(symbol, stamps, okx_checksum(*best) == int(data["checksum"]), number)


def _reader(decoder: type[_Decoder]) -> Callable[[Sequence[Place], Options], Iterator[Piece]]:
    def read(places: Sequence[Place], options: Options) -> Iterator[Piece]:
        options.only()
        for place in places:  # each is one connection, or several in turn
            sink = Sink()
            yield from decode_lines([place], options, sink, decoder(sink).line)

    return read


IMPORTERS: dict[str, Importer] = {
    "kraken_ws": Importer(
        "kraken_ws", _reader(KrakenDecoder), "Kraken raw WebSocket lines (v1 book and trade), CRC32 checked",
        venue="KRAKEN", pairs=True, suits=lambda place, head: b"ws.kraken.com" in head.split(b"\n", 1)[0],
    ),
    "okx_ws": Importer(
        "okx_ws", _reader(OkxDecoder), "OKX raw WebSocket lines (v5 books and trades), CRC32 checked",
        venue="OKX", suits=lambda place, head: b"ws.okx.com" in head.split(b"\n", 1)[0],
    ),
}  # fmt: skip
