"""Coinbase Advanced Trade: level2, market_trades, ticker; one sequence over all messages of a connection."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from tradectl.exchanges.codec import EventBuffer
from tradectl.exchanges.decoders.base import SIDES, Lines, VenueDecoder
from tradectl.exchanges.decoders.text import iso_ns
from tradectl.exchanges.model import Channel, FeedMarket, FeedSettings, GapReason
from tradectl.exchanges.trade_line import CountedTrades, Trade

__all__ = ["CoinbaseDecoder"]

CHANNELS = {
    '"l2_data"': Channel.DEPTH, '"market_trades"': Channel.TRADES,
    '"ticker"': Channel.QUOTES, '"ticker_batch"': Channel.QUOTES,
}  # fmt: skip
SEQUENCE = re.compile(r'"sequence_num":\s*(\d+)')
OTHERS = 64  # numbers of messages that went to ccxt, remembered


class CoinbaseDecoder(VenueDecoder):
    """Answers and heartbeats have numbers of the sequence too: `classify` notes them on their way to ccxt.

    A message's side is the maker's, in the stream and over REST.
    """

    def __init__(self, markets: Sequence[FeedMarket], settings: FeedSettings) -> None:
        super().__init__(markets, settings)
        self.expected: int | None = None  # next number of the connection; None: it is new
        self.others: dict[int, None] = {}
        for name, lines in list(self.named.items()):
            if name.endswith("-USDC"):  # the venue answers in the name of the same book in dollars
                self.named.setdefault(name.removesuffix("C"), lines)

    def classify(self, text: str) -> Channel | None:
        """Return the channel of a message of market data."""
        if text.startswith('{"channel"'):
            channel = CHANNELS.get(text[11 : text.find(",", 11, 40)].strip())
            if channel is not None:
                return channel
            if (found := SEQUENCE.search(text)) is not None:
                self.others[int(found[1])] = None
                if len(self.others) > OTHERS:
                    del self.others[next(iter(self.others))]
        return None

    def message(self, message: Any, recv_ns: int, out: EventBuffer) -> None:
        """Append the events of `{channel, timestamp, sequence_num, events: […]}`."""
        channel, ts_event = message["channel"], iso_ns(message["timestamp"])
        is_new = self._follows(int(message["sequence_num"]), recv_ns, out)
        if channel == "market_trades":
            self._trades(message["events"], recv_ns, out)
        elif channel == "l2_data" and is_new:
            for event in message["events"]:
                lines = self.named.get(event["product_id"])
                if lines is not None:
                    self._book(lines, event, lines.stamp(ts_event, recv_ns), out)
        elif channel.startswith("ticker"):
            for event in message["events"]:
                for one in event["tickers"]:
                    lines = self.named.get(one["product_id"])
                    if lines is not None:
                        bid = (one["best_bid"], one["best_bid_quantity"])
                        ask = (one["best_ask"], one["best_ask_quantity"])
                        lines.quotes.put(bid, ask, lines.stamp(ts_event, recv_ns), 0, out)

    def _follows(self, number: int, recv_ns: int, out: EventBuffer) -> bool:
        """Say whether a message is new; where numbers before it are missing all books are broken."""
        expected = self.expected
        if expected is not None and number < expected:
            return False
        self.expected = number + 1
        between = range(number if expected is None else max(expected, number - OTHERS - 1), number)
        if any(missing not in self.others for missing in between):
            for lines in self.lines.values():
                if lines.book.whole:
                    self.break_book(lines, GapReason.SEQUENCE, recv_ns, out)
        return True

    def _book(self, lines: Lines, event: dict[str, Any], stamps: tuple[int, int], out: EventBuffer) -> None:
        is_snapshot = event["type"] == "snapshot"
        if not (is_snapshot or lines.book.whole):
            self.await_snapshot(lines, stamps[1])
            return
        sides: dict[str, list[tuple[str, str]]] = {"bid": [], "offer": []}
        for one in event["updates"]:
            sides[one["side"]].append((one["price_level"], one["new_quantity"]))
        rows = lines.book.rows(sides["bid"], sides["offer"])
        (lines.book.replace if is_snapshot else lines.book.apply)(rows, stamps, 0, out)

    def _trades(self, events: list[dict[str, Any]], recv_ns: int, out: EventBuffer) -> None:
        """Take trades, which come newest first; a snapshot's are older than a first subscription."""
        old: list[tuple[Lines, bool, list[Trade]]] = []
        for event in events:
            read: dict[str, list[Trade]] = {}
            for one in event["trades"]:
                lines = self.named.get(one["product_id"])
                if lines is not None:
                    side, ts_event = -SIDES[one["side"]], iso_ns(one["time"])
                    trade = lines.trade(int(one["trade_id"]), ts_event, side, one["price"], one["size"])
                    read.setdefault(one["product_id"], []).append(trade)
            old += [(self.named[name], event["type"] == "snapshot", trades) for name, trades in read.items()]
        for lines, is_snapshot, trades in old:
            begun = is_snapshot and isinstance(lines.trades, CountedTrades) and lines.trades.begin(trades)
            if not begun:
                self.take(lines, sorted(trades), recv_ns, out)

    def row(self, lines: Lines, row: Mapping[str, Any]) -> Trade:
        """Return ccxt's unified trade, whose side is the maker's here."""
        trade_id, ts_event, side, ticks, lots = super().row(lines, row)
        return trade_id, ts_event, -side, ticks, lots

    def connected(self, market: FeedMarket, channel: Channel) -> None:
        """Hear that a channel was (re)subscribed on a new connection, which counts anew."""
        super().connected(market, channel)
        self.expected = None
