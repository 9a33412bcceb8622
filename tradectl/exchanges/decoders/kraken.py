"""Kraken's WebSocket v2: book with checksum, trade, ticker, ohlc."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from tradectl.exchanges.codec import EventBuffer
from tradectl.exchanges.decoders.base import SIDES, Lines, VenueDecoder
from tradectl.exchanges.decoders.checked_book import CheckedBook, Level
from tradectl.exchanges.decoders.text import iso_ns, loads
from tradectl.exchanges.depth_line import Row
from tradectl.exchanges.model import Channel, FeedMarket, FeedSettings, GapReason
from tradectl.exchanges.trade_line import CountedTrades, Trade
from tradectl.history.importers.checksum import KRAKEN_LEVELS, kraken_checksum

__all__ = ["KrakenDecoder"]

CHANNELS = {
    '"book"': Channel.DEPTH, '"trade"': Channel.TRADES, '"ticker"': Channel.QUOTES, '"ohlc"': Channel.OHLCV,
}  # fmt: skip
DEPTHS = (10, 25, 100, 500, 1000)  # levels a side that can be subscribed to
MINUTE = 60_000_000_000  # ns


class _Book:
    """What the checksum of one book needs: its levels in the venue's own digits, as many as were subscribed to."""

    def __init__(self) -> None:
        self.depth = 0  # levels a side
        self.levels = CheckedBook()

    def put(self, rows: Sequence[Row], texts: Sequence[Level]) -> None:
        """Apply rows, with the texts that they were read from."""
        for (side, ticks, lots), level in zip(rows, texts, strict=True):
            self.levels.put(side, ticks, lots, level)

    def cut(self) -> list[Row]:
        """Drop the levels beyond the depth: the venue does not tell of them any more."""
        return [(side, ticks, 0) for side in (1, -1) for ticks in self.levels.cut(side, self.depth)]

    def checksum(self) -> int:
        """Return the checksum of what the book holds."""
        return kraken_checksum(self.levels.top(1, KRAKEN_LEVELS), self.levels.top(-1, KRAKEN_LEVELS))


class KrakenDecoder(VenueDecoder):
    """The depth of a book is told in the answer to its subscription alone: `classify` reads it on its way to ccxt."""

    def __init__(self, markets: Sequence[FeedMarket], settings: FeedSettings) -> None:
        super().__init__(markets, settings)
        self.books = {index: _Book() for index in self.lines}
        self.depths: dict[str, int] = {}  # by name

    def classify(self, text: str) -> Channel | None:
        """Return the channel of a message of market data; answers begin with `method`, a heartbeat is ccxt's."""
        if text.startswith('{"channel"'):
            return CHANNELS.get(text[11 : text.find(",", 11, 40)].strip())
        if text.startswith('{"method"') and '"book"' in text and '"depth"' in text:
            self._subscribed(text)
        return None

    def _subscribed(self, text: str) -> None:
        """Note the depth in `{"method":"subscribe","result":{"channel":"book","depth":…,"symbol":…},…}`."""
        try:
            result = loads(text)["result"]
            self.depths[result["symbol"]] = int(result["depth"])
        except (ValueError, KeyError, TypeError):
            return  # it is ccxt's to complain; the depth is then known from the snapshot

    def read(self, text: str) -> Any:
        """Return a message parsed, its numbers in their own digits: the checksum is of them."""
        return json.loads(text, parse_float=str)

    def message(self, message: Any, recv_ns: int, out: EventBuffer) -> None:
        """Append the events of `{channel, type, data: […]}`."""
        channel, is_snapshot, data = message["channel"], message["type"] == "snapshot", message["data"]
        if channel == "trade":
            self._trades(data, is_snapshot, recv_ns, out)
        elif channel == "ohlc":
            self._bars(data, recv_ns, out)
        else:
            for one in data:
                lines = self.named.get(one["symbol"])
                if lines is not None:
                    stamps = lines.stamp(iso_ns(one["timestamp"]) if "timestamp" in one else 0, recv_ns)
                    if channel == "book":
                        self._book(lines, one, is_snapshot, stamps, out)
                    elif channel == "ticker":
                        bid, ask = (one["bid"], one["bid_qty"]), (one["ask"], one["ask_qty"])
                        lines.quotes.put(bid, ask, stamps, 0, out)

    def _book(
        self, lines: Lines, data: dict[str, Any], is_snapshot: bool, stamps: tuple[int, int], out: EventBuffer
    ) -> None:
        if not (is_snapshot or lines.book.whole):
            self.await_snapshot(lines, stamps[1])
            return
        bids = [(str(level["price"]), str(level["qty"])) for level in data["bids"]]
        asks = [(str(level["price"]), str(level["qty"])) for level in data["asks"]]
        rows, book, length = lines.book.rows(bids, asks), self.books[lines.index], len(out)
        if is_snapshot:
            most = max(len(bids), len(asks))
            shown = next((depth for depth in DEPTHS if depth >= most), most)
            book.depth, book.levels = self.depths.get(data["symbol"], shown), CheckedBook()
            lines.book.replace(rows, stamps, 0, out)
            book.put(rows, bids + asks)
        else:
            book.put(rows, bids + asks)
            lines.book.apply(rows + book.cut(), stamps, 0, out)
        if book.checksum() != data["checksum"]:
            out.cut(length)
            self.break_book(lines, GapReason.CHECKSUM, stamps[1], out)

    def _trades(self, data: list[dict[str, Any]], is_snapshot: bool, recv_ns: int, out: EventBuffer) -> None:
        """Take trades; a snapshot's are older than a first subscription, and fill what a later one missed."""
        read: dict[str, list[Trade]] = {}
        for one in data:
            name = one["symbol"]
            if name in self.named:
                ts_event = iso_ns(one["timestamp"])
                trade = self.named[name].trade(
                    one["trade_id"], ts_event, SIDES[one["side"]], one["price"], one["qty"]
                )
                read.setdefault(name, []).append(trade)
        for name, trades in read.items():
            lines = self.named[name]
            begun = is_snapshot and isinstance(lines.trades, CountedTrades) and lines.trades.begin(trades)
            if not begun:
                self.take(lines, trades, recv_ns, out)

    def _bars(self, data: list[dict[str, Any]], recv_ns: int, out: EventBuffer) -> None:
        """Take candles as they form; the first snapshot's closed ones are history."""
        for one in data:
            lines = self.named.get(one["symbol"])
            frame_ns = one["interval"] * MINUTE
            if lines is None or frame_ns != lines.bars.frame_ns:
                continue
            begin_ns = iso_ns(one["interval_begin"])
            bar = lines.bars.read((one["open"], one["high"], one["low"], one["close"], one["volume"]))
            if one is data[-1] or lines.bars.last_end:
                lines.bars.last_end = lines.bars.last_end or begin_ns
                lines.bars.update(begin_ns + frame_ns, bar, recv_ns, out)
