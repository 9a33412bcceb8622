"""What a live market shows besides trades and depth: quotes, closed bars, mark prices and funding payments."""

from __future__ import annotations

from typing import Any

from tradectl.core.codes import EventFlag, EventKind
from tradectl.exchanges.codec import EventBuffer
from tradectl.exchanges.event_rows import BOOK, END, TRADES_ALONE, Steps, put_gap
from tradectl.exchanges.model import GapReason, Malformed

__all__ = ["BarLine", "FundingLine", "QuoteLine"]

QUOTE, BAR = int(EventKind.QUOTE), int(EventKind.BAR)
MARK, FUNDING = int(EventKind.MARK), int(EventKind.FUNDING)
LAST = int(EventFlag.LAST)
PICO = 1e12  # a funding rate is told in 1e-12
GRACE_NS = 2_000_000_000  # an interval over for so long is closed, whether or not the next one has begun
Stamps = tuple[int, int]  # exchange time, receipt (ns)
Ohlcv = tuple[int, int, int, int, int]  # ticks, ticks, ticks, ticks, lots


class QuoteLine:
    """Best bid and ask; `alone` where they are all there is of the book, so that a break of them is one of it."""

    def __init__(self, index: int, prices: Steps, qtys: Steps, alone: bool) -> None:
        self.index, self.prices, self.qtys, self.alone = index, prices, qtys, alone
        self.last_id = self.last_ns = self.last_recv = 0
        self.live = False  # a quote was told since the last break

    def put(self, bid: Any, ask: Any, stamps: Stamps, update_id: int, out: EventBuffer) -> None:
        """Append a quote, each side (price, quantity) as the venue writes it, or None; older updates are dropped."""
        if update_id and update_id <= self.last_id:
            return
        prices, qtys = self.prices.one, self.qtys.one
        bid_ticks, bid_lots = (prices(bid[0]), qtys(bid[1])) if bid else (0, 0)
        ask_ticks, ask_lots = (prices(ask[0]), qtys(ask[1])) if ask else (0, 0)
        if min(bid_ticks, bid_lots, ask_ticks, ask_lots) < 0:
            raise Malformed(f"a quote of {bid_lots} lots at {bid_ticks}, {ask_lots} at {ask_ticks} ticks")
        self.last_id, self.live = update_id, True
        ts_event, recv_ns = self.last_ns, self.last_recv = stamps
        words = (bid_ticks, bid_lots, ask_ticks, ask_lots, update_id)
        out.add(ts_event, recv_ns, QUOTE, 0, END, self.index, 0, *words)

    def give_up(self, reason: GapReason, recv_ns: int, out: EventBuffer) -> None:
        """Append the GAP of quotes that are no longer what the venue shows."""
        if self.live and self.alone:
            put_gap(out, self.index, (self.last_ns, recv_ns), BOOK, self.last_recv, reason)
        self.live, self.last_id = False, 0


class BarLine:
    """Bars of one timeframe, each told once, when it is closed; an interval without a bar is a GAP."""

    def __init__(self, index: int, prices: Steps, qtys: Steps, frame_ns: int) -> None:
        self.index, self.prices, self.qtys, self.frame_ns = index, prices, qtys, frame_ns
        self.last_end = 0  # exclusive end of the last bar told
        self.reason = GapReason.SEQUENCE  # why the next missing bar is missing
        self.forming: tuple[int, Ohlcv] | None = None  # end and figures of the bar that is not closed

    def read(self, texts: tuple[Any, Any, Any, Any, Any]) -> Ohlcv:
        """Return open, high, low, close and volume, as the venue writes them, in ticks and lots."""
        o, h, low, c = self.prices.many(texts[:4])
        volume = self.qtys.one(texts[4])
        if not 0 < low <= min(o, c) <= max(o, c) <= h or volume < 0:
            raise Malformed(f"a bar of {o}, {h}, {low}, {c} ticks and {volume} lots")
        return o, h, low, c, volume

    def close(self, end_ns: int, bar: Ohlcv, recv_ns: int, out: EventBuffer) -> None:
        """Append a closed bar, and a GAP before it if one is missing in between; one told before is dropped."""
        if end_ns <= self.last_end:
            return
        missing = self.last_end and self.frame_ns and end_ns > self.last_end + self.frame_ns
        if missing:
            put_gap(out, self.index, (self.last_end, recv_ns), TRADES_ALONE, self.last_end, self.reason)
        self.reason = GapReason.SEQUENCE
        out.add(end_ns, recv_ns, BAR, 0, LAST, self.index, 0, *bar)
        self.last_end = end_ns

    def update(self, end_ns: int, bar: Ohlcv, recv_ns: int, out: EventBuffer) -> None:
        """Take the figures so far of the interval that ends at `end_ns`; those of an earlier one are then closed."""
        if end_ns <= self.last_end or (self.forming and end_ns < self.forming[0]):
            return
        if self.forming and end_ns > self.forming[0]:
            self.close(*self.forming, recv_ns, out)
        self.forming = (end_ns, bar)

    def tick(self, now_ns: int, out: EventBuffer) -> None:
        """Close the interval that is over."""
        if self.forming and now_ns >= self.forming[0] + GRACE_NS:
            self.close(*self.forming, now_ns, out)
            self.forming = None


class FundingLine:
    """Mark prices, and each funding payment once: when its time has passed, at the rate that was last told for it."""

    def __init__(self, index: int, marks: Steps) -> None:
        self.index, self.marks = index, marks
        self.due: tuple[int, float] | None = None  # next payment: exchange time (ns), rate
        self.mark_ticks = 0  # last mark price told; 0: none

    def read(self, price: Any) -> int:
        """Return a mark price in ticks."""
        ticks = self.marks.one(price)
        if ticks <= 0:
            raise Malformed(f"a mark price of {price}")
        return ticks

    def mark(self, ticks: int, stamps: Stamps, out: EventBuffer) -> None:
        """Append a mark price."""
        out.add(*stamps, MARK, 0, END, self.index, 0, ticks)
        self.mark_ticks = ticks

    def rate(
        self, due_ns: int, rate: float, recv_ns: int, out: EventBuffer, settled: float | None = None
    ) -> None:
        """Take the rate of the payment at `due_ns`; the one before it has passed if it was due earlier.

        It is then told with the last mark price before this message, whose own is to follow.
        `settled`: the rate of that one, where the venue tells it.
        """
        if not -1.0 < rate < 1.0:
            raise Malformed(f"a funding rate of {rate}")
        if self.due and due_ns > self.due[0]:
            paid = self.due[1] if settled is None else settled
            out.add(self.due[0], recv_ns, FUNDING, 0, END, self.index, 0, round(paid * PICO), self.mark_ticks)
        if not self.due or due_ns >= self.due[0]:
            self.due = (due_ns, rate)
