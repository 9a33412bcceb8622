"""OKX v5: books with sequence and checksum, trades, bbo-tbt and tickers, candles, funding rates and mark prices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tradectl.exchanges.codec import EventBuffer
from tradectl.exchanges.decoders.base import SIDES, Lines, VenueDecoder
from tradectl.exchanges.decoders.checked_book import CheckedBook
from tradectl.exchanges.event_rows import MS
from tradectl.exchanges.model import Channel, FeedMarket, FeedSettings, GapReason, Malformed
from tradectl.exchanges.trade_line import Trade
from tradectl.history.importers.checksum import OKX_LEVELS, okx_checksum

__all__ = ["OkxDecoder"]

NAMES = (
    ('"books', Channel.DEPTH), ('"trades', Channel.TRADES), ('"bbo-tbt"', Channel.QUOTES),
    ('"tickers"', Channel.QUOTES), ('"candle', Channel.OHLCV), ('"funding-rate"', Channel.FUNDING),
    ('"mark-price"', Channel.FUNDING),
)  # fmt: skip
HEAD = 64  # characters in which a message names its channel
MOST_JOINED = 100_000  # trades of one taker at one price
REPEATED = 1_000  # sequence ids so far back are repetitions; farther back the venue counts anew


class OkxDecoder(VenueDecoder):
    """Trade ids count, but a message may stand for several trades: it says for how many, and has the last one's id."""

    skips = True

    def __init__(self, markets: Sequence[FeedMarket], settings: FeedSettings) -> None:
        super().__init__(markets, settings)
        self.last_seq: dict[int, int] = {}  # of each book that is whole; -1: its messages have none
        self.checked: dict[int, CheckedBook] = {}  # of books whose messages have checksums

    def classify(self, text: str) -> Channel | None:
        """Return the channel of a message of market data; answers and errors have an event, a pong is no JSON."""
        if text.startswith('{"arg"'):
            head = text[:HEAD]
            if '"event"' not in head:
                for name, channel in NAMES:
                    if name in head:
                        return channel
        return None

    def message(self, message: Any, recv_ns: int, out: EventBuffer) -> None:
        """Append the events of `{arg: {channel, instId}, action, data: […]}`."""
        channel, data = message["arg"]["channel"], message["data"]
        lines = self.named.get(message["arg"]["instId"])
        if lines is None or not data:
            return
        if channel.startswith("trades"):
            self.take(lines, [trade for one in data for trade in _trades(lines, one)], recv_ns, out)
        elif channel.startswith("candle"):
            self._bars(lines, data, recv_ns, out)
        else:
            for one in data:
                stamps = lines.stamp(int(one["ts"]) * MS, recv_ns)
                if channel.startswith("books"):
                    self._book(lines, one, message.get("action", "snapshot") == "snapshot", stamps, out)
                elif channel == "bbo-tbt":
                    lines.quotes.put((one["bids"] or (None,))[0], (one["asks"] or (None,))[0], stamps, 0, out)
                elif channel == "tickers":
                    bid = (one["bidPx"], one["bidSz"]) if one["bidPx"] else None
                    ask = (one["askPx"], one["askSz"]) if one["askPx"] else None
                    lines.quotes.put(bid, ask, stamps, 0, out)
                elif channel == "mark-price":
                    lines.funding.mark(lines.funding.read(one["markPx"]), stamps, out)
                elif channel == "funding-rate":
                    settled = float(one["settFundingRate"]) if one.get("settState") == "settled" else None
                    rate = float(one["fundingRate"])
                    lines.funding.rate(int(one["fundingTime"]) * MS, rate, recv_ns, out, settled)

    def _book(
        self, lines: Lines, data: dict[str, Any], is_snapshot: bool, stamps: tuple[int, int], out: EventBuffer
    ) -> None:
        index, seq = lines.index, int(data.get("seqId", -1))
        if not is_snapshot:
            last = self.last_seq.get(index)
            if last is None:
                self.await_snapshot(lines, stamps[1])
                return
            if last >= 0 and int(data.get("prevSeqId", last)) != last:
                if not last - REPEATED < seq <= last:
                    self.break_book(lines, GapReason.SEQUENCE, stamps[1], out)
                return
        bids, asks, length = data["bids"], data["asks"], len(out)
        rows = lines.book.rows(bids, asks)
        checksum = int(data.get("checksum") or 0)  # 0 or none: the channel has none
        if is_snapshot:
            lines.book.replace(rows, stamps, max(seq, 0), out)
            self.checked.pop(index, None)
            if checksum:
                self.checked[index] = CheckedBook()
        else:
            lines.book.apply(rows, stamps, max(seq, 0), out)
        self.last_seq[index] = seq
        if (checked := self.checked.get(index)) is not None:
            for (side, ticks, lots), level in zip(rows, bids + asks, strict=True):
                checked.put(side, ticks, lots, (level[0], level[1]))
            if checksum and okx_checksum(checked.top(1, OKX_LEVELS), checked.top(-1, OKX_LEVELS)) != checksum:
                out.cut(length)
                self.break_book(lines, GapReason.CHECKSUM, stamps[1], out)

    def _bars(self, lines: Lines, data: list[list[str]], recv_ns: int, out: EventBuffer) -> None:
        """Take closed candles `[begin ms, open, high, low, close, volume, …, confirm]`, oldest first."""
        for one in sorted(data):
            if one[-1] == "1":
                begin, *texts = one[:6]
                bar = lines.bars.read((texts[0], texts[1], texts[2], texts[3], texts[4]))
                lines.bars.close(int(begin) * MS + lines.bars.frame_ns, bar, recv_ns, out)

    def break_book(self, lines: Lines, reason: GapReason, recv_ns: int, out: EventBuffer) -> None:
        """Give a book up until its next snapshot."""
        self.last_seq.pop(lines.index, None)
        super().break_book(lines, reason, recv_ns, out)

    def connected(self, market: FeedMarket, channel: Channel) -> None:
        """Hear that a channel was (re)subscribed: a book's snapshot comes first."""
        super().connected(market, channel)
        if channel == Channel.DEPTH and not self.lines[market.index].book.whole:
            self.last_seq.pop(market.index, None)


def _trades(lines: Lines, one: dict[str, Any]) -> list[Trade]:
    """Return a trade; where it stands for several, those before it, of no quantity of their own, for their ids."""
    last_id, count = int(one["tradeId"]), int(one.get("count") or 1)
    if not 1 <= count <= MOST_JOINED:
        raise Malformed(f"a trade of {count} trades")
    trade = lines.trade(last_id, int(one["ts"]) * MS, SIDES[one["side"]], one["px"], one["sz"])
    return [(trade_id, *trade[1:4], 0) for trade_id in range(max(last_id - count + 1, 0), last_id)] + [trade]
