"""What all decoders share: markets by name, the cut of what cannot be read, gaps, needs, time."""

from __future__ import annotations

import struct
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

from tradectl.errors import FeedError
from tradectl.exchanges.codec import EventBuffer
from tradectl.exchanges.decoders.lines import BarLine, FundingLine, QuoteLine
from tradectl.exchanges.decoders.text import loads
from tradectl.exchanges.depth_line import DepthLine
from tradectl.exchanges.event_rows import MS, Steps
from tradectl.exchanges.model import (
    Channel,
    FeedMarket,
    FeedSettings,
    GapReason,
    Malformed,
    Need,
    NeedKind,
    Position,
)  # fmt: skip
from tradectl.exchanges.trade_line import CountedTrades, RecentTrades, Trade, TradeLine

__all__ = ["SIDES", "UNREADABLE", "Lines", "VenueDecoder"]

UNREADABLE = (ValueError, KeyError, TypeError, IndexError, OverflowError, AttributeError, struct.error)
COMES_BACK = (GapReason.CONNECTION, GapReason.STALE, GapReason.RESUME)  # a new connection follows by itself
SIDES = {"buy": 1, "sell": -1, "Buy": 1, "Sell": -1, "BUY": 1, "SELL": -1}
SNAPSHOT_NS = 10_000_000_000  # a book whose changes come for so long without a snapshot asks for one


class Lines:
    """One market's lines, and what they have in common."""

    def __init__(self, market: FeedMarket, trades: TradeLine) -> None:
        self.market, self.index = market, market.index
        self.prices, self.qtys = Steps(market.instrument.tick_size), Steps(market.qty_step)
        self.marks = Steps(market.instrument.tick_size)  # of mark prices, which are off the grid as a rule
        self.trades = trades
        self.book = DepthLine(self.index, self.prices, self.qtys)
        self.quotes = QuoteLine(self.index, self.prices, self.qtys, Channel.DEPTH not in market.channels)
        self.bars = BarLine(self.index, self.prices, self.qtys, market.timeframe_ns)
        self.funding = FundingLine(self.index, self.marks)
        self.newest = 0  # exchange time of the newest message with a stamp, ns
        self.waiting_ns = 0  # since when changes come to a book that waits for its snapshot; 0: none came

    def stamp(self, ts_event: int, recv_ns: int) -> tuple[int, int]:
        """Return a message's stamps; without a time of its own (0) it has the newest one known."""
        if ts_event > self.newest:
            self.newest = ts_event
        return ts_event or self.newest or recv_ns, recv_ns

    def trade(self, trade_id: int, ts_event: int, side: int, price: Any, qty: Any) -> Trade:
        """Return a trade in ticks and lots."""
        ticks, lots = self.prices.one(price), self.qtys.one(qty)
        if ticks <= 0 or lots <= 0 or trade_id < 0:
            raise Malformed(f"a trade of {qty} at {price}")
        return trade_id, ts_event, side, ticks, lots


class VenueDecoder(ABC):
    """One exchange's messages to events (`exchanges/model.py: Decoder`); each venue adds how its messages look.

    A message is read whole before it changes a line of trades, so that one that proves malformed loses none.
    """

    counted = True  # trade ids count on by one
    skips = False  # … but leave some out
    compares = False  # they do not count, and the venue's newest trades tell which were left out

    def __init__(self, markets: Sequence[FeedMarket], settings: FeedSettings) -> None:
        self.settings = settings
        self.needs: list[Need] = []
        self.off_grid = 0  # as of the last tick
        self.lines = {market.index: Lines(market, self._trade_line(market)) for market in markets}
        self.named: dict[str, Lines] = {}
        for lines in self.lines.values():
            self.name(lines)

    def _trade_line(self, market: FeedMarket) -> TradeLine:
        if self.counted:
            return CountedTrades(market, self.settings, self.skips)
        return RecentTrades(market, self.settings, self.compares)

    def name(self, lines: Lines) -> None:
        """Let a market be found by its name in messages; FeedError where two have the same."""
        other = self.named.setdefault(lines.market.raw_id, lines)
        if other is not lines:
            raise FeedError(
                f"{lines.market.exchange}'s messages call {other.market.symbol} and {lines.market.symbol} the same",
                hint="feed one of them",
            )

    @abstractmethod
    def classify(self, text: str) -> Channel | None:
        """Return the channel of a message of market data; None: it is for ccxt."""

    def read(self, text: str) -> Any:
        """Return a message parsed."""
        return loads(text)

    @abstractmethod
    def message(self, message: Any, recv_ns: int, out: EventBuffer) -> None:
        """Append the events of a parsed message; each venue has its own."""

    def decode(self, text: str, recv_ns: int, out: EventBuffer) -> None:
        """Append a message's events; raises Malformed, after which nothing of it stands in `out`."""
        length = len(out)
        try:
            self.message(self.read(text), recv_ns, out)
        except UNREADABLE as error:
            out.cut(length)
            raise Malformed(f"{type(error).__name__}: {error}") from error

    def take(self, lines: Lines, trades: Sequence[Trade], recv_ns: int, out: EventBuffer) -> None:
        """Append a message's trades by their line."""
        if trades[-1][1] > lines.newest:
            lines.newest = trades[-1][1]
        if (need := lines.trades.take(trades, recv_ns, out)) is not None:
            self.needs.append(need)

    def snapshot(self, market: FeedMarket, payload: Any, recv_ns: int, out: EventBuffer) -> None:
        """Leave a REST snapshot aside: the venue sends its own in the stream."""
        return

    def trades(
        self, need: Need, rows: Sequence[Mapping[str, Any]] | None, recv_ns: int, out: EventBuffer
    ) -> None:
        """Take the missing trades (ccxt's unified rows; None or unreadable: they cannot be had)."""
        lines = self.lines[need.market.index]
        try:
            read = None if rows is None else [self.row(lines, row) for row in rows]
        except UNREADABLE:
            read = None
        if (further := lines.trades.fill(read, recv_ns, out)) is not None:
            self.needs.append(further)

    def compare(
        self, market: FeedMarket, rows: Sequence[Mapping[str, Any]], recv_ns: int, out: EventBuffer
    ) -> int:
        """Take the venue's newest trades (ccxt's unified rows, oldest first); returns how many the feed left out."""
        lines = self.lines[market.index]
        assert isinstance(lines.trades, RecentTrades)
        return lines.trades.compare([self.row(lines, row) for row in rows], recv_ns, out)

    def row(self, lines: Lines, row: Mapping[str, Any]) -> Trade:
        """Return ccxt's unified trade."""
        side, ts_event = SIDES.get(row.get("side") or "", 0), int(row["timestamp"]) * MS
        return lines.trade(self.trade_id(row["id"]), ts_event, side, row["price"], row["amount"])

    def trade_id(self, text: str | int) -> int:
        """Return the id of one of the venue's trades."""
        return int(text)

    def broken(
        self, market: FeedMarket, channel: Channel, reason: GapReason, recv_ns: int, out: EventBuffer
    ) -> None:
        """Append the GAP of a channel whose messages are no longer whole.

        Missing trades and bars show by themselves when the next ones come; ids that do not count make the line ask.
        """
        lines = self.lines[market.index]
        if channel == Channel.DEPTH:
            self.break_book(lines, reason, recv_ns, out)
        elif channel == Channel.QUOTES:
            lines.quotes.give_up(reason, recv_ns, out)
        elif channel == Channel.OHLCV:
            lines.bars.reason = reason
        elif channel == Channel.TRADES and reason not in COMES_BACK:
            lines.trades.connected()

    def break_book(self, lines: Lines, reason: GapReason, recv_ns: int, out: EventBuffer) -> None:
        """Give a book up until its next snapshot, which is asked for unless it comes by itself."""
        lines.book.give_up(reason, recv_ns, out)
        lines.waiting_ns = 0
        if reason not in COMES_BACK:
            self.needs.append(Need(NeedKind.RESUBSCRIBE, lines.market, Channel.DEPTH))

    def await_snapshot(self, lines: Lines, recv_ns: int) -> None:
        """Take note of a change to a book that waits for its snapshot; ask for that if it does not come."""
        lines.waiting_ns = lines.waiting_ns or recv_ns
        if recv_ns - lines.waiting_ns >= SNAPSHOT_NS:
            lines.waiting_ns = 0
            self.needs.append(Need(NeedKind.RESUBSCRIBE, lines.market, Channel.DEPTH))

    def connected(self, market: FeedMarket, channel: Channel) -> None:
        """Hear that a channel was (re)subscribed on a new connection."""
        lines = self.lines[market.index]
        if channel == Channel.TRADES:
            lines.trades.connected()
        elif channel == Channel.QUOTES:
            lines.quotes.last_id = 0
        elif channel == Channel.DEPTH:
            lines.waiting_ns = 0

    def renewed(self, market: FeedMarket, channel: Channel) -> None:
        """Hear that a channel was subscribed anew on its old connection, whose numbers go on."""
        VenueDecoder.connected(self, market, channel)

    def resume(self, market: FeedMarket, position: Position) -> None:
        """Begin where an earlier session ended."""
        self.lines[market.index].trades.resume(position)

    def tick(self, now_ns: int, out: EventBuffer) -> None:
        """Let time pass: trades held too long are told behind a GAP, intervals that are over are closed."""
        off = 0
        for lines in self.lines.values():
            if (need := lines.trades.tick(now_ns, out)) is not None:
                self.needs.append(need)
            lines.bars.tick(now_ns, out)
            off += lines.prices.off + lines.qtys.off
        self.off_grid = off
