"""Binance's WebSocket messages as they came, one `<receive stamp> <json>` a line: spot, USD-M and COIN-M."""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any

from tradectl.core.codes import EventKind
from tradectl.errors import DataError
from tradectl.history.files import Place
from tradectl.history.importers.base import Importer, Options, Piece
from tradectl.history.importers.binance_chain import DiffChain, Verdict
from tradectl.history.importers.lines import decode_lines, stamped
from tradectl.history.importers.rows import Rows, Sink
from tradectl.history.importers.textbook import TextBook

__all__ = ["IMPORTER", "BinanceDecoder", "read"]

MS = 1_000_000  # ns
MOST_WAITING = 4_096  # depth messages kept for a snapshot to come: two minutes of the fastest stream
TRADE, MARK, FUNDING = int(EventKind.TRADE), int(EventKind.MARK), int(EventKind.FUNDING)
TRADES = {"trade": "t", "aggTrade": "a"}  # event -> its id; a stream of both is read by the first kind seen
NOT_OF_THE_BOOK = ("INSURANCE_FUND", "ADL", "NA")  # X of futures trades that met no resting order
TOP_LEVELS = re.compile(r"@depth(?:5|10|20)(?:@|$)")
FIRST = re.compile(rb'"stream": ?"[^"]+@|"lastUpdateId": ?\d')  # of a recording: a stream, or the REST snapshot
QUOTES = ("no", "yes")
START = ("snapshot", "empty")


class _Market:
    """What is known of one symbol between its messages."""

    def __init__(self, rows: Rows) -> None:
        self.rows = rows
        self.chain = DiffChain()
        self.waiting: deque[tuple[int, dict[str, Any], int]] = deque(maxlen=MOST_WAITING)
        self.trades = ""  # which kind of trade messages is read
        self.newest = 0  # exchange time of the newest message, ns
        self.ever = False  # it had a snapshot
        self.shown: TextBook | None = None  # of a stream of N levels
        self.due: tuple[int, float] | None = None  # the next settlement of funding, ns, and its rate as last told


class BinanceDecoder:
    """Turns messages into rows: snapshot and U/u/pu rules, a GAP where the chain of depth messages breaks.

    Depth messages before a snapshot wait for it and are received with it. A snapshot that comes while the chain
    is whole tells nothing new and is left out. Spot quotes have no stamp: theirs is the newest one seen.
    """

    def __init__(self, sink: Sink, *, quotes: bool = False, start_empty: bool = False) -> None:
        self.sink = sink
        self.quotes = quotes
        self.start_empty = start_empty
        self.markets: dict[str, _Market] = {}
        self.unnamed: tuple[int, dict[str, Any], int] | None = None  # a snapshot before any symbol was seen

    def line(self, line: bytes, number: int) -> None:
        """Decode one line; ValueError, KeyError or TypeError if it cannot be read."""
        parts = stamped(line)
        if parts is None:
            raise ValueError("expected '<receive stamp> <json>'")
        message = json.loads(parts[1])
        self.message(parts[0], message.get("data", message), number, str(message.get("stream", "")))

    def message(self, ts_recv: int, data: dict[str, Any], number: int, stream: str = "") -> None:
        """Decode the payload of one message received at `ts_recv` (ns); streams of N levels tell it by name."""
        event = data.get("e")
        if TOP_LEVELS.search(stream):
            symbol = data.get("s") or stream.partition("@")[0].upper()
            self._levels(self._market(symbol), ts_recv, data, number)
        elif event is None and "lastUpdateId" in data:
            self._snapshot(ts_recv, data, number)
        elif event == "depthUpdate":
            self._depth(self._market(data["s"]), ts_recv, data, number)
        elif event in TRADES:
            self._trade(self._market(data["s"]), ts_recv, data, number)
        elif event == "bookTicker" or (event is None and "B" in data and "A" in data):
            self._quote(self._market(data["s"]), ts_recv, data, number)
        elif event == "markPriceUpdate":
            self._mark(self._market(data["s"]), ts_recv, data, number)

    def _market(self, symbol: str) -> _Market:
        market = self.markets.get(symbol)
        if market is None:
            market = self.markets[symbol] = _Market(self.sink[symbol])
            if self.unnamed and len(self.markets) == 1:
                self._restart(market, *self.unnamed)
                self.unnamed = None
        return market

    def _stamps(self, market: _Market, ts_recv: int, data: dict[str, Any]) -> tuple[int, int]:
        stamp = data.get("T") or data.get("E")
        if stamp is None:
            return market.newest or ts_recv, ts_recv
        market.newest = max(market.newest, stamp * MS)
        return stamp * MS, ts_recv

    def _snapshot(self, ts_recv: int, data: dict[str, Any], number: int) -> None:
        symbol = data.get("symbol") or data.get("s")
        if symbol is None and not self.markets:
            self.unnamed = (ts_recv, data, number)
            return
        if symbol is None and len(self.markets) > 1:
            raise ValueError(f"a snapshot without symbol, in a file of {', '.join(sorted(self.markets))}")
        self._restart(self._market(symbol or next(iter(self.markets))), ts_recv, data, number)

    def _restart(self, market: _Market, ts_recv: int, data: dict[str, Any], number: int) -> None:
        market.ever = True
        if market.chain.last is not None:
            return
        stamps = self._stamps(market, ts_recv, data)
        last = int(data["lastUpdateId"])
        market.chain.restart(last)
        resumed = not market.rows.breaks.whole
        market.rows.snapshot(stamps, data["bids"], data["asks"], (last, number))
        waiting = list(market.waiting)
        market.waiting.clear()
        for _, message, _ in waiting:
            verdict = self._depth(market, ts_recv, message, number)
            market.rows.breaks.dropped -= resumed and verdict != Verdict.STALE  # it was dropped until now

    def _depth(self, market: _Market, ts_recv: int, data: dict[str, Any], number: int) -> Verdict:
        stamps = self._stamps(market, ts_recv, data)
        verdict = market.chain.judge(data["U"], data["u"], data.get("pu"))
        if verdict == Verdict.WAIT and self.start_empty and not market.ever:
            market.ever = True
            market.rows.snapshot(stamps, (), (), (data["u"], number))
            market.chain.restart(data["u"])
            verdict = Verdict.NEXT
        if verdict == Verdict.NEXT:
            market.rows.sides(stamps, data["b"], data["a"], (data["u"], number))
        elif verdict == Verdict.BREAK:
            market.rows.gap(stamps, number)
        if verdict in (Verdict.WAIT, Verdict.BREAK):
            market.waiting.append((ts_recv, data, number))
            market.rows.drop()
        return verdict

    def _levels(self, market: _Market, ts_recv: int, data: dict[str, Any], number: int) -> None:
        """Decode the best N levels, whole: rows are what changed; a level no longer shown is removed."""
        bids, asks = (data["bids"], data["asks"]) if "bids" in data else (data["b"], data["a"])
        stamps, key = self._stamps(market, ts_recv, data), (data.get("lastUpdateId") or data["u"], number)
        first = market.shown is None
        book = market.shown = market.shown or TextBook()
        changes = book.replace(1, bids), book.replace(-1, asks)
        (market.rows.snapshot if first else market.rows.sides)(stamps, *changes, key)

    def _trade(self, market: _Market, ts_recv: int, data: dict[str, Any], number: int) -> None:
        stamps = self._stamps(market, ts_recv, data)
        market.trades = market.trades or data["e"]
        if data["e"] != market.trades or data.get("X") in NOT_OF_THE_BOOK:
            return
        key = (data[TRADES[data["e"]]], number)
        market.rows.one(TRADE, -1 if data["m"] else 1, stamps, float(data["p"]), float(data["q"]), key)

    def _mark(self, market: _Market, ts_recv: int, data: dict[str, Any], number: int) -> None:
        """Decode a mark price; its rate is quoted every second, and charged once: when its time T has passed."""
        market.rows.one(MARK, 0, (data["E"] * MS, ts_recv), float(data["p"]), 0.0, (0, number))
        if not data.get("r") or not data.get("T"):  # a contract without funding
            return
        due = (data["T"] * MS, float(data["r"]))
        if market.due is not None and due[0] > market.due[0]:
            market.rows.one(FUNDING, 0, (market.due[0], ts_recv), market.due[1], 0.0, (0, number))
        market.due = due

    def _quote(self, market: _Market, ts_recv: int, data: dict[str, Any], number: int) -> None:
        if self.quotes:
            bid, ask = (float(data["b"]), float(data["B"])), (float(data["a"]), float(data["A"]))
            market.rows.quote(self._stamps(market, ts_recv, data), bid, ask, (data["u"], number))

    def unseeded(self) -> list[str]:
        """Return the symbols that had depth messages but never a snapshot."""
        return sorted(name for name, market in self.markets.items() if market.waiting and not market.ever)


def read(places: Sequence[Place], options: Options) -> Iterator[Piece]:
    """Yield the rows of recorded messages; the files of one recording follow one another."""
    options.only("quotes", "start")
    sink = Sink()
    wants_quotes = options.choice("quotes", QUOTES) == "yes" or options.kind == "quotes"
    start_empty = options.choice("start", START) == "empty"
    decoder = BinanceDecoder(sink, quotes=wants_quotes, start_empty=start_empty)
    yield from decode_lines(places, options, sink, decoder.line)
    if (unseeded := decoder.unseeded()) and options.kind in ("depth", "book"):
        raise DataError(
            f"{options.place}: {', '.join(unseeded)}: depth messages, but no snapshot to begin with",
            hint="give the file before it too, or data.options: {start: empty}, or data.kind: trades",
        )


def _suits(place: Place, head: bytes) -> bool:
    first = head.split(b"\n", 1)[0]
    return FIRST.search(first) is not None and stamped(first) is not None


IMPORTER = Importer(
    "binance_ws", read, "Binance raw WebSocket lines: spot, USD-M and COIN-M, with their REST snapshot",
    venue="BINANCE", endings=(".gz", ".dat", ".txt"), suits=_suits,
)  # fmt: skip
