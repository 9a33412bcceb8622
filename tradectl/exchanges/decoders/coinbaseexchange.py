"""Coinbase Exchange: level2, matches, ticker; its books have neither sequence nor checksum."""

from __future__ import annotations

from typing import Any

from tradectl.exchanges.codec import EventBuffer
from tradectl.exchanges.decoders.base import SIDES, Lines, VenueDecoder
from tradectl.exchanges.decoders.text import iso_ns
from tradectl.exchanges.model import Channel
from tradectl.exchanges.trade_line import CountedTrades

__all__ = ["CoinbaseExchangeDecoder"]

TYPES = {
    '"snapshot"': Channel.DEPTH, '"l2update"': Channel.DEPTH, '"match"': Channel.TRADES,
    '"last_match"': Channel.TRADES, '"ticker"': Channel.QUOTES,
}  # fmt: skip


class CoinbaseExchangeDecoder(VenueDecoder):
    """A message's side is the maker's; over REST ccxt has turned it already."""

    def classify(self, text: str) -> Channel | None:
        """Return the channel of a message of market data; answers and errors are of other types."""
        if text.startswith('{"type"'):
            return TYPES.get(text[8 : text.find(",", 8, 40)].strip())
        return None

    def message(self, message: Any, recv_ns: int, out: EventBuffer) -> None:
        """Append the events of one message."""
        lines, kind = self.named.get(message["product_id"]), message["type"]
        if lines is None:
            return
        ts_event = iso_ns(message["time"]) if "time" in message else 0
        if kind in ("match", "last_match"):
            self._trade(lines, message, ts_event, recv_ns, out)
            return
        stamps = lines.stamp(ts_event, recv_ns)
        if kind == "snapshot":
            rows = lines.book.rows(message["bids"], message["asks"])
            lines.book.replace(rows, stamps, 0, out)
        elif kind == "l2update":
            if not lines.book.whole:
                self.await_snapshot(lines, recv_ns)
                return
            sides: dict[str, list[tuple[str, str]]] = {"buy": [], "sell": []}
            for side, price, qty in message["changes"]:
                sides[side].append((price, qty))
            lines.book.apply(lines.book.rows(sides["buy"], sides["sell"]), stamps, 0, out)
        elif kind == "ticker":
            bid = (message["best_bid"], message["best_bid_size"])
            lines.quotes.put(bid, (message["best_ask"], message["best_ask_size"]), stamps, 0, out)

    def _trade(
        self, lines: Lines, message: dict[str, Any], ts_event: int, recv_ns: int, out: EventBuffer
    ) -> None:
        """Take a trade; the last one before a subscription tells a first one where to begin."""
        side = -SIDES[message["side"]]
        trade = lines.trade(message["trade_id"], ts_event, side, message["price"], message["size"])
        is_old = message["type"] == "last_match"
        begun = is_old and isinstance(lines.trades, CountedTrades) and lines.trades.begin((trade,))
        if not begun:
            self.take(lines, (trade,), recv_ns, out)
