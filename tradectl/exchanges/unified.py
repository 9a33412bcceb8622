"""Every exchange without an own decoder: what ccxt's unified watch methods tell, as events.

Trades and books are read from ccxt's caches after each message, not from what a watch returns: that may withhold
the end of a burst. Books are compared with what they showed before, for ccxt changes them in place.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from itertools import takewhile
from typing import Any

from tradectl.exchanges.backoff import Desk
from tradectl.exchanges.codec import EventBuffer
from tradectl.exchanges.decoders.base import UNREADABLE, Lines, VenueDecoder
from tradectl.exchanges.decoders.text import id_of
from tradectl.exchanges.depth_line import Row
from tradectl.exchanges.event_rows import MS
from tradectl.exchanges.feed import Feed, Subscription
from tradectl.exchanges.model import Channel, FeedMarket, FeedSettings, GapReason, Malformed
from tradectl.exchanges.tap import Link

__all__ = ["UnifiedDecoder", "UnifiedFeed"]

News = tuple[FeedMarket, Channel, Any]  # in the place of a message's text


class UnifiedDecoder(VenueDecoder):
    """Turns ccxt's unified structures into events; ids need not count, numbers are text or float."""

    counted = False

    def __init__(self, markets: Sequence[FeedMarket], settings: FeedSettings) -> None:
        super().__init__(markets, settings)
        self._shown: dict[int, dict[tuple[int, int], int]] = {}  # by market: side, ticks -> lots

    def classify(self, text: str) -> Channel | None:
        """Leave every message to ccxt."""
        return None

    def decode(self, text: Any, recv_ns: int, out: EventBuffer) -> None:
        """Append the events of `News`; raises Malformed, after which nothing of it stands in `out`."""
        length = len(out)
        try:
            self.message(text, recv_ns, out)
        except UNREADABLE as error:
            out.cut(length)
            raise Malformed(f"{type(error).__name__}: {error}") from error

    def message(self, message: Any, recv_ns: int, out: EventBuffer) -> None:
        """Append the events of `News`."""
        market, channel, news = message
        READERS[channel](self, self.lines[market.index], news, recv_ns, out)

    def trade_id(self, text: str | int) -> int:
        """Return a number for any id."""
        return id_of(text)

    def trades_news(
        self, lines: Lines, rows: Sequence[Mapping[str, Any]], recv_ns: int, out: EventBuffer
    ) -> None:
        """Take unified trades."""
        self.take(lines, [self.row(lines, row) for row in rows], recv_ns, out)

    def book_news(self, lines: Lines, book: Mapping[str, Any], recv_ns: int, out: EventBuffer) -> None:
        """Take a copy of a book: a snapshot if there is none to compare it with, else what changed."""
        rows = [row for row in lines.book.rows(book["bids"], book["asks"]) if row[2]]
        if not rows:
            return
        stamps = lines.stamp(_ns(book), recv_ns)
        shown = {(side, ticks): lots for side, ticks, lots in rows}
        before = self._shown.get(lines.index, {})
        if lines.book.whole:
            changed: list[Row] = [(side, ticks, 0) for side, ticks in before if (side, ticks) not in shown]
            changed += [row for row in rows if before.get(row[:2]) != row[2]]
            lines.book.apply(changed, stamps, int(book.get("nonce") or 0), out)
        else:
            lines.book.replace(rows, stamps, int(book.get("nonce") or 0), out)
        self._shown[lines.index] = shown

    def quote_news(self, lines: Lines, told: Mapping[str, Any], recv_ns: int, out: EventBuffer) -> None:
        """Take a ticker, or one by its symbol."""
        one = told.get(lines.market.symbol, told)
        sides = [(one.get(side), one.get(f"{side}Volume")) for side in ("bid", "ask")]
        if any(price is not None and qty is None for price, qty in sides):
            raise Malformed("a quote without quantities")
        bid, ask = (None if price is None else (price, qty) for price, qty in sides)
        lines.quotes.put(bid, ask, lines.stamp(_ns(one), recv_ns), 0, out)

    def bar_news(self, lines: Lines, rows: Sequence[Sequence[Any]], recv_ns: int, out: EventBuffer) -> None:
        """Take candles [open time ms, o, h, l, c, v], the last one not closed."""
        for opened_ms, o, h, low, c, volume in sorted(rows, key=lambda row: int(row[0])):
            bar = lines.bars.read((o, h, low, c, volume))
            lines.bars.update(int(opened_ms) * MS + lines.bars.frame_ns, bar, recv_ns, out)

    def funding_news(self, lines: Lines, told: Mapping[str, Any], recv_ns: int, out: EventBuffer) -> None:
        """Take a mark price or a funding rate, or what a ticker has of them."""
        stamps = lines.stamp(_ns(told), recv_ns)
        if told.get("markPrice") is not None:
            lines.funding.mark(told["markPrice"], stamps, out)
        due_ms = told.get("fundingTimestamp") or told.get("nextFundingTimestamp")
        if told.get("fundingRate") is not None and due_ms:
            lines.funding.rate(int(due_ms) * MS, float(told["fundingRate"]), recv_ns, out)

    def break_book(self, lines: Lines, reason: GapReason, recv_ns: int, out: EventBuffer) -> None:
        """Give a book up until its next snapshot."""
        self._shown.pop(lines.index, None)
        super().break_book(lines, reason, recv_ns, out)


READERS: dict[Channel, Any] = {
    Channel.TRADES: UnifiedDecoder.trades_news,
    Channel.DEPTH: UnifiedDecoder.book_news,
    Channel.QUOTES: UnifiedDecoder.quote_news,
    Channel.OHLCV: UnifiedDecoder.bar_news,
    Channel.FUNDING: UnifiedDecoder.funding_news,
}


class UnifiedFeed(Feed):
    """A feed whose messages ccxt reads."""

    renews = False

    def __init__(self, exchange: Any, markets: Sequence[FeedMarket], desk: Desk) -> None:
        super().__init__(exchange, markets, UnifiedDecoder(markets, desk.settings), desk)
        self._unread: dict[Subscription, None] = {}
        self._newest: dict[Subscription, Any] = {}  # the newest row of ccxt's cache of trades that was taken

    def prepare(self) -> None:
        """Let ccxt calculate with numbers: not all of its handlers can with text."""
        self.exchange.number = float

    def took(self, one: Subscription, news: Any) -> float:
        """Put what a watch returned into the inbox; trades and books are read after each message."""
        if one.channel == Channel.OHLCV:
            self._heard(one, [list(row) for row in news])
        elif one.channel not in (Channel.TRADES, Channel.DEPTH):
            self._heard(one, news)
        return 0.0

    def _is_refused(self, one: Subscription, link: Link, error: Exception) -> bool:
        """Say no: what is not watched anew tells nothing any more."""
        return False

    def handled(self, link: Link) -> None:
        """Read what a message changed in ccxt's caches, once for all messages that came together."""
        for one in link.members:
            if one not in self._unread:
                self._unread[one] = None
                asyncio.get_running_loop().call_soon(self._read, one)

    def lost(self, link: Link, error: Exception | None) -> None:
        """Hear that a connection ended: ccxt's books of it are no longer the venue's."""
        for one in link.members:
            if one.channel == Channel.DEPTH:
                (self.exchange.orderbooks or {}).pop(one.market.symbol, None)
        super().lost(link, error)

    def _read(self, one: Subscription) -> None:
        """Put what is new of trades or a book into the inbox."""
        self._unread.pop(one, None)
        symbol = one.market.symbol
        if one.channel == Channel.DEPTH:
            book = (self.exchange.orderbooks or {}).get(symbol)
            if book is not None:
                sides = {side: [tuple(level[:2]) for level in book[side]] for side in ("bids", "asks")}
                self._heard(one, {**sides, "nonce": book.get("nonce"), "timestamp": book.get("timestamp")})
        elif one.channel == Channel.TRADES:
            cache, newest = (self.exchange.trades or {}).get(symbol), self._newest.get(one)
            if cache and cache[-1] is not newest:
                self._newest[one] = cache[-1]
                fresh = list(takewhile(lambda row: row is not newest, reversed(cache)))
                self._heard(one, fresh[::-1])

    def _heard(self, one: Subscription, news: Any) -> None:
        now_ns = self.desk.clock.now_ns()
        if one.link is not None:
            one.link.heard_ns = now_ns
        self.desk.inbox.put(now_ns, self, int(one.channel), (one.market, one.channel, news))


def _ns(told: Mapping[str, Any]) -> int:
    """Return the exchange time of a unified structure, 0 where it has none."""
    return int(told.get("timestamp") or 0) * MS
