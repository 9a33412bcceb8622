"""Binance, spot and USD-M: trades, depth changes, best quotes, klines, mark prices with funding."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tradectl.errors import FeedError
from tradectl.exchanges.codec import EventBuffer
from tradectl.exchanges.decoders.base import UNREADABLE, Lines, VenueDecoder
from tradectl.exchanges.decoders.binance_book import DiffBook
from tradectl.exchanges.decoders.text import loads
from tradectl.exchanges.event_rows import MS
from tradectl.exchanges.model import Channel, FeedMarket, FeedSettings, GapReason, Malformed, Need, NeedKind

__all__ = ["BinanceDecoder"]

EVENTS = (
    ('"depthUpdate"', Channel.DEPTH), ('"trade"', Channel.TRADES), ('"aggTrade"', Channel.TRADES),
    ('"bookTicker"', Channel.QUOTES), ('"kline"', Channel.OHLCV), ('"markPriceUpdate"', Channel.FUNDING),
)  # fmt: skip
HEAD = 120  # characters in which a message tells its event, also within {"stream":…,"data":…}
TRADE_IDS = {"trade": "t", "aggTrade": "a"}
NOT_OF_THE_BOOK = (
    "INSURANCE_FUND",
    "ADL",
    "NA",
)  # X of futures trades that met no order: only their ids count


class BinanceDecoder(VenueDecoder):
    """Messages of one symbol's spot and swap have the same name in them: they are told apart by their fields."""

    def __init__(self, markets: Sequence[FeedMarket], settings: FeedSettings) -> None:
        self.swaps: dict[str, Lines] = {}  # of names that a spot market has too
        super().__init__(markets, settings)
        self.books = {index: DiffBook(lines.book) for index, lines in self.lines.items()}
        self.trade_events: dict[int, str] = {}  # trade or aggTrade, by market: the first one seen is read

    def name(self, lines: Lines) -> None:
        """Let a market be found by its name, and where two have the same by the kind of message too."""
        raw_id = lines.market.raw_id
        other = self.named.get(raw_id)
        if other is None:
            self.named[raw_id] = lines
            return
        if Channel.OHLCV in other.market.channels & lines.market.channels:
            both = f"{other.market.symbol} and {lines.market.symbol}"
            raise FeedError(f"binance's klines call {both} the same", hint="feed the swap as binanceusdm")
        spot, swap = (lines, other) if ":" in other.market.symbol else (other, lines)
        self.named[raw_id], self.swaps[raw_id] = spot, swap

    def _find(self, name: str, of_swap: bool) -> Lines | None:
        return self.swaps.get(name) or self.named.get(name) if of_swap else self.named.get(name)

    def classify(self, text: str) -> Channel | None:
        """Return the channel of a message of market data; answers begin with `result`, `id` or `error`."""
        if text.startswith(('{"e"', '{"stream"')):
            head = text[:HEAD]
            for event, channel in EVENTS:
                if event in head:
                    return channel
            return Channel.QUOTES if "@bookTicker" in head else None
        return Channel.QUOTES if text.startswith('{"u"') else None

    def message(self, message: Any, recv_ns: int, out: EventBuffer) -> None:
        """Append a message's events; spot's best quotes have no event name."""
        data = message.get("data", message)
        event = data.get("e")
        if event == "depthUpdate":
            self._depth(data, recv_ns, out)
        elif event in TRADE_IDS:
            self._trade(event, data, recv_ns, out)
        elif event == "bookTicker" or event is None:
            lines = self._find(data["s"], event is not None)
            if lines is not None:
                stamps = lines.stamp(data.get("T", data.get("E", 0)) * MS, recv_ns)
                lines.quotes.put((data["b"], data["B"]), (data["a"], data["A"]), stamps, data["u"], out)
        elif event == "kline":
            self._kline(data, recv_ns, out)
        elif event == "markPriceUpdate":
            lines = self._find(data["s"], True)
            if lines is not None:
                ticks, stamps = lines.funding.read(data["p"]), lines.stamp(data["E"] * MS, recv_ns)
                if data.get("r"):
                    lines.funding.rate(data["T"] * MS, float(data["r"]), recv_ns, out)
                lines.funding.mark(ticks, stamps, out)

    def _depth(self, data: dict[str, Any], recv_ns: int, out: EventBuffer) -> None:
        lines = self._find(data["s"], "pu" in data)
        if lines is None:
            return
        stamps = lines.stamp(data.get("T", data["E"]) * MS, recv_ns)
        rows = lines.book.rows(data["b"], data["a"])
        if self.books[lines.index].diff((data["U"], data["u"], data.get("pu")), rows, stamps, out):
            self._need_snapshot(lines)

    def _trade(self, event: str, data: dict[str, Any], recv_ns: int, out: EventBuffer) -> None:
        lines = self._find(data["s"], "M" not in data)
        if lines is None or self.trade_events.setdefault(lines.index, event) != event:
            return
        trade_id, ts_event, side = data[TRADE_IDS[event]], data["T"] * MS, -1 if data["m"] else 1
        if data.get("X") in NOT_OF_THE_BOOK:
            trade = (trade_id, ts_event, side, 0, 0)
        else:
            trade = lines.trade(trade_id, ts_event, side, data["p"], data["q"])
        self.take(lines, (trade,), recv_ns, out)

    def _kline(self, data: dict[str, Any], recv_ns: int, out: EventBuffer) -> None:
        lines, kline = self._find(data["s"], True), data["k"]
        if lines is not None and Channel.OHLCV not in lines.market.channels:
            lines = self.named[data["s"]]
        end_ns = (kline["T"] + 1) * MS
        if lines is None or not kline["x"] or end_ns - kline["t"] * MS != lines.bars.frame_ns:
            return
        bar = lines.bars.read((kline["o"], kline["h"], kline["l"], kline["c"], kline["v"]))
        lines.bars.close(end_ns, bar, recv_ns, out)

    def snapshot(self, market: FeedMarket, payload: Any, recv_ns: int, out: EventBuffer) -> None:
        """Join the REST snapshot (parsed, or its text) to the messages that wait for it; ask anew if it is too old."""
        lines, length = self.lines[market.index], len(out)
        try:
            data = loads(payload) if isinstance(payload, str) else payload
            stamps = lines.stamp(int(data.get("T") or data.get("E") or 0) * MS, recv_ns)
            rows = lines.book.rows(data["bids"], data["asks"])
            too_old = self.books[market.index].snapshot(int(data["lastUpdateId"]), rows, stamps, out)
        except UNREADABLE as error:
            out.cut(length)
            raise Malformed(f"snapshot: {type(error).__name__}: {error}") from error
        if too_old:
            self._need_snapshot(lines)

    def _need_snapshot(self, lines: Lines) -> None:
        self.needs.append(Need(NeedKind.SNAPSHOT, lines.market, Channel.DEPTH))

    def break_book(self, lines: Lines, reason: GapReason, recv_ns: int, out: EventBuffer) -> None:
        """Give a book up; its next message asks for a snapshot."""
        lines.book.give_up(reason, recv_ns, out)
        self.books[lines.index].forget()

    def connected(self, market: FeedMarket, channel: Channel) -> None:
        """Hear that a channel was (re)subscribed on a new connection."""
        super().connected(market, channel)
        if channel == Channel.DEPTH and not self.lines[market.index].book.whole:
            self.books[market.index].forget()

    def tick(self, now_ns: int, out: EventBuffer) -> None:
        """Let time pass."""
        super().tick(now_ns, out)
        for index, book in self.books.items():
            if book.tick(now_ns):
                self._need_snapshot(self.lines[index])
