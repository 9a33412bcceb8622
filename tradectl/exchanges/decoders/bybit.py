"""Bybit v5: orderbook.N, publicTrade, kline, tickers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tradectl.exchanges.codec import EventBuffer
from tradectl.exchanges.decoders.base import SIDES, Lines, VenueDecoder
from tradectl.exchanges.decoders.text import id_of
from tradectl.exchanges.event_rows import MS
from tradectl.exchanges.model import Channel, FeedMarket, FeedSettings, GapReason, Need, NeedKind
from tradectl.exchanges.trade_line import Trade

__all__ = ["BybitDecoder"]

TOPICS = (
    ('"orderbook.1.', Channel.QUOTES), ('"orderbook.', Channel.DEPTH), ('"publicTrade.', Channel.TRADES),
    ('"kline.', Channel.OHLCV), ('"tickers.', Channel.FUNDING),
)  # fmt: skip
HEAD = 80  # characters in which a message names its topic
REPEATED = 64  # update ids so far back are repetitions; farther back the venue counts anew
Levels = dict[str, str]  # price -> quantity


class BybitDecoder(VenueDecoder):
    """Each topic's update ids count on by one; trade ids are UUIDs, or numbers that do not count.

    A trade's `seq` does not either: changes of the book have their share of it.
    """

    counted = False
    compares = True

    def __init__(self, markets: Sequence[FeedMarket], settings: FeedSettings) -> None:
        super().__init__(markets, settings)
        self.updates: dict[tuple[int, Channel], int] = {}  # last update id of a book or of its best levels
        self.touches: dict[int, tuple[Levels, Levels]] = {}  # best bids and asks of orderbook.1, by market

    def classify(self, text: str) -> Channel | None:
        """Return the channel of a message of market data; answers and pongs have no topic."""
        head = text[:HEAD]
        if '"topic"' in head:
            for topic, channel in TOPICS:
                if topic in head:
                    return channel
        return None

    def trade_id(self, text: str | int) -> int:
        """Return a trade's number, or 63 bits of a hash of its id."""
        return id_of(text)

    def message(self, message: Any, recv_ns: int, out: EventBuffer) -> None:
        """Append the events of `{topic, type, ts, data}`."""
        parts = message["topic"].split(".")
        lines = self.named.get(parts[-1])
        if lines is None:
            return
        data, is_snapshot = message["data"], message["type"] == "snapshot"
        if parts[0] == "publicTrade":
            if data:
                self.take(lines, [_trade(lines, one) for one in data], recv_ns, out)
            return
        stamps = lines.stamp(int(message.get("cts") or message["ts"]) * MS, recv_ns)
        if parts[0] == "orderbook":
            channel = Channel.QUOTES if parts[1] == "1" else Channel.DEPTH
            if self._follows(lines, channel, data["u"], is_snapshot, recv_ns, out):
                told = self._touch if channel == Channel.QUOTES else _book
                told(lines, data, is_snapshot, stamps, out)
        elif parts[0] == "kline":
            for one in data:
                end_ns = (one["end"] + 1) * MS
                if one["confirm"] and end_ns - one["start"] * MS == lines.bars.frame_ns:
                    texts = (one["open"], one["high"], one["low"], one["close"], one["volume"])
                    lines.bars.close(end_ns, lines.bars.read(texts), recv_ns, out)
        elif parts[0] == "tickers":
            ticks = lines.funding.read(data["markPrice"]) if "markPrice" in data else 0
            self._funding(lines, data, recv_ns, out)
            if ticks:
                lines.funding.mark(ticks, stamps, out)

    def _follows(
        self,
        lines: Lines,
        channel: Channel,
        update_id: int,
        is_snapshot: bool,
        recv_ns: int,
        out: EventBuffer,
    ) -> bool:
        """Say whether a message follows the one before; a snapshot always does; a hole is a GAP."""
        key = (lines.index, channel)
        last = self.updates.get(key)
        if is_snapshot:
            self.updates[key] = update_id
            return True
        if last is None:
            if channel == Channel.DEPTH:
                self.await_snapshot(lines, recv_ns)
            return False
        if last - REPEATED < update_id <= last:
            return False
        if update_id == last + 1:
            self.updates[key] = update_id
            return True
        self.broken(lines.market, channel, GapReason.SEQUENCE, recv_ns, out)
        if channel == Channel.QUOTES:
            self.needs.append(Need(NeedKind.RESUBSCRIBE, lines.market, channel))
        return False

    def _touch(
        self, lines: Lines, data: dict[str, Any], is_snapshot: bool, stamps: tuple[int, int], out: EventBuffer
    ) -> None:
        """Append the best levels after a message that tells them whole or their changes."""
        sides = ({}, {}) if is_snapshot else self.touches[lines.index]
        for side, changes in zip(sides, (data["b"], data["a"]), strict=True):
            for price, qty in changes:
                if float(qty):
                    side[price] = qty
                else:
                    side.pop(price, None)
        self.touches[lines.index] = bids, asks = sides
        bid = max(bids.items(), key=lambda level: float(level[0]), default=None)
        ask = min(asks.items(), key=lambda level: float(level[0]), default=None)
        lines.quotes.put(bid, ask, stamps, 0, out)

    def _funding(self, lines: Lines, data: dict[str, Any], recv_ns: int, out: EventBuffer) -> None:
        """Take what a ticker changes of funding: a rate, its time, or both."""
        due, rate = lines.funding.due or (0, 0.0)
        due_ns, now = int(data.get("nextFundingTime") or 0) * MS, float(data.get("fundingRate") or rate)
        if due_ns or (due and now != rate):
            lines.funding.rate(due_ns or due, now, recv_ns, out)

    def broken(
        self, market: FeedMarket, channel: Channel, reason: GapReason, recv_ns: int, out: EventBuffer
    ) -> None:
        """Append the GAP of a channel whose messages are no longer whole; its next snapshot begins it anew."""
        self.updates.pop((market.index, channel), None)
        super().broken(market, channel, reason, recv_ns, out)


def _trade(lines: Lines, one: dict[str, Any]) -> Trade:
    return lines.trade(id_of(one["i"]), one["T"] * MS, SIDES[one["S"]], one["p"], one["v"])


def _book(
    lines: Lines, data: dict[str, Any], is_snapshot: bool, stamps: tuple[int, int], out: EventBuffer
) -> None:
    rows = lines.book.rows(data["b"], data["a"])
    (lines.book.replace if is_snapshot else lines.book.apply)(rows, stamps, data["u"], out)
