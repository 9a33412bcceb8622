"""What the taken events say of the feeds: health of channels, gaps and their ends, the last trade of each market.

Events are put aside and counted together, once a second or when somebody asks: a count for each message would
cost more than the message.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from tradectl.core.codes import EventFlag, EventKind, GapScope
from tradectl.core.event import EVENT
from tradectl.engine.ports import Events
from tradectl.exchanges.feed import Subscription
from tradectl.exchanges.feed_log import FeedLog
from tradectl.exchanges.model import Channel, FeedNote, GapReason, Position

__all__ = ["Tally"]

MOST = 65_536  # events put aside
CHANNEL_OF = np.zeros(256, np.int64)  # by event kind; 0: none
for _kind, _channel in (
    (EventKind.TRADE, Channel.TRADES), (EventKind.DEPTH, Channel.DEPTH), (EventKind.QUOTE, Channel.QUOTES),
    (EventKind.BAR, Channel.OHLCV), (EventKind.MARK, Channel.FUNDING), (EventKind.FUNDING, Channel.FUNDING),
):  # fmt: skip
    CHANNEL_OF[_kind] = _channel
CODES = 8  # codes of one instrument: its index x CODES + channel
LAGS = (CHANNEL_OF > 0) & (np.arange(256) != EventKind.FUNDING)  # a payment has the time when it was due
# Where a gap is counted: with the first of these channels that its instrument has.
OF_TRADES = (Channel.TRADES, Channel.OHLCV)
OF_BOOKS = (Channel.DEPTH, Channel.QUOTES, Channel.OHLCV, Channel.TRADES, Channel.FUNDING)
UNTIL_WHOLE = (Channel.DEPTH, Channel.QUOTES)  # a gap of these lasts until the book is whole, others are over when told


class Tally:
    """Keeps each subscription's health up to date, and tells the log of lags, of gaps and of their ends."""

    def __init__(self, subscriptions: Iterable[Subscription], log: FeedLog) -> None:
        self._subscriptions = {(one.market.index, int(one.channel)): one for one in subscriptions}
        self._log = log
        self._aside: list[Events] = []
        self._count = 0
        self._open: dict[int, FeedNote] = {}  # gaps of books that are not whole yet
        quoted, deep = ({i for i, c in self._subscriptions if c == kind} for kind in (Channel.QUOTES, Channel.DEPTH))
        self._alone = sorted(quoted - deep)  # instruments whose book is nothing but quotes

    def add(self, events: Events) -> None:
        """Put taken events aside."""
        if len(events):
            self._aside.append(events)
            self._count += len(events)
            if self._count > MOST:
                self.settle()

    def settle(self) -> None:
        """Count what was put aside."""
        if not self._aside:
            return
        # Bytes: numpy compares the fields of each part before it concatenates them, which takes thirty times as long.
        events = np.frombuffer(b"".join([part.tobytes() for part in self._aside]), EVENT)
        self._aside, self._count = [], 0
        kinds, flags = events["kind"], events["flags"]
        codes = events["instrument"].astype(np.int64) * CODES + CHANNEL_OF[kinds]
        ends = ((flags & EventFlag.MESSAGE_END) != 0) | (kinds == EventKind.BAR)
        ends &= (flags & EventFlag.WARMUP) == 0
        messages = np.bincount(codes[ends])
        last = np.full(len(messages), -1)
        last[codes[ends]] = np.flatnonzero(ends)  # of equal codes the last one stays
        for code in np.flatnonzero(messages):
            self._heard(int(code), int(messages[code]), events[last[code]])
        lags = ends & LAGS[kinds]
        self._log.lags(events["ts_recv"][lags] - events["ts_event"][lags])
        gaps = kinds == EventKind.GAP
        marked = gaps | ((flags & EventFlag.SNAPSHOT_END) != 0)
        if self._alone and (self._open or gaps.any()):
            marked |= (kinds == EventKind.QUOTE) & np.isin(events["instrument"], self._alone)
        for event in events[marked]:
            if event["kind"] == EventKind.GAP:
                self._broken(event)
            else:
                self._whole(int(event["instrument"]), int(event["ts_recv"]))

    def _heard(self, code: int, messages: int, event: Events) -> None:
        """Count the messages of one channel; `event` is its last one."""
        index, channel = divmod(code, CODES)
        one = self._subscriptions.get((index, channel))
        if one is None:
            return
        health = one.health
        health.messages += messages
        health.last_recv_ns = int(event["ts_recv"])
        health.lag_ns = health.last_recv_ns - int(event["ts_event"])
        if channel == Channel.TRADES:
            one.position = Position(int(event["w2"]), max(int(event["ts_event"]), one.position.trade_ns))

    def _whole(self, index: int, ts_ns: int) -> None:
        """Note that an instrument's book is the venue's again."""
        one = self._subscriptions.get((index, int(Channel.DEPTH)))
        if one is not None:
            one.whole = True
        gap = self._open.pop(index, None)
        if gap is not None:
            self._log.end(gap, ts_ns)

    def _broken(self, event: Events) -> None:
        """Note a gap; it began when the last of what it breaks was heard."""
        index, of_trades = int(event["instrument"]), event["aux"] == GapScope.TRADES
        channels = OF_TRADES if of_trades else OF_BOOKS
        one = next((self._subscriptions[index, c] for c in channels if (index, c) in self._subscriptions), None)
        if one is None:
            return
        one.health.gaps += 1
        since, until, reason = int(event["w0"]), int(event["ts_recv"]), GapReason(int(event["w2"]))
        what, why = "gap", reason.name.lower()
        if reason == GapReason.RESUME:
            what, why = "down", f"the session was down for {(until - since) / 1e9:.1f} s"
            self._whole(index, since)  # what was broken before is a part of it from here on
        lasts = not of_trades and one.channel in UNTIL_WHOLE
        market, channel = one.market, one.channel.name.lower()
        note = FeedNote(since, market.exchange, what, market.symbol, channel, why, 0 if lasts else until)
        self._log.interrupted(note)
        if lasts:
            one.whole = one.channel != Channel.DEPTH
            self._open[index] = note

    # --- over the end of a session

    def kept(self) -> dict[str, Any]:
        """Return what a session that goes on takes up."""
        self.settle()
        channels = [
            {
                "index": one.market.index, "channel": int(one.channel), "messages": one.health.messages,
                "gaps": one.health.gaps, "dropped": one.health.dropped, "epoch": one.health.epoch,
                "lag_ns": one.health.lag_ns,
            }
            for one in self._subscriptions.values()
        ]  # fmt: skip
        return {"channels": channels, "log": self._log.kept()}

    def take_up(self, kept: Mapping[str, Any] | None, behind: Iterable[Events]) -> None:
        """Go on from what was kept, and count the events of the journal `behind` it; None: that is all of them."""
        if kept is not None:
            self._log.take_up(kept["log"])
            for row in kept["channels"]:
                one = self._subscriptions[row["index"], row["channel"]]
                for name in ("messages", "gaps", "dropped", "epoch", "lag_ns"):
                    setattr(one.health, name, row[name])
        index_of = {(one.market.exchange, one.market.symbol): i for (i, _), one in self._subscriptions.items()}
        for note in self._log.interruptions:
            if note.what in ("gap", "down") and not note.until_ns:
                self._open[index_of[note.exchange, note.symbol]] = note
        for events in behind:
            self.add(events)
        self.settle()
        for one in self._subscriptions.values():
            one.whole, one.position = one.channel != Channel.DEPTH, Position()  # nothing came yet
        self._log.recalled = self._log.noted.total()
