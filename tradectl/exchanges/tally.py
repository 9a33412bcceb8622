"""What the taken events say of the feeds: health of channels, gaps and their ends, the last trade of each market.

Events are put aside and counted together, once a second or when somebody asks: a count for each message would
cost more than the message.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

import numpy as np

from tradectl.core.codes import EventFlag, EventKind, GapScope
from tradectl.engine.ports import Events
from tradectl.exchanges.feed import Subscription
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


class Tally:
    """Keeps each subscription's health up to date; `replaced` is told when a gap that was noted has ended."""

    def __init__(
        self,
        subscriptions: Iterable[Subscription],
        note: Callable[[FeedNote], None],
        replaced: Callable[[FeedNote, FeedNote], None],
    ) -> None:
        self._subscriptions = {(one.market.index, int(one.channel)): one for one in subscriptions}
        self._note, self._replaced = note, replaced
        self._aside: list[Events] = []
        self._count = 0
        self._open: dict[int, FeedNote] = {}  # gaps of books that are not whole yet

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
        events = self._aside[0] if len(self._aside) == 1 else np.concatenate(self._aside)
        self._aside, self._count = [], 0
        kinds, flags = events["kind"], events["flags"]
        codes = events["instrument"].astype(np.int64) * CODES + CHANNEL_OF[kinds]
        whole = (kinds != EventKind.DEPTH) | ((flags & EventFlag.MESSAGE_END) != 0)
        messages = np.bincount(codes[whole])
        last = np.full(len(messages), -1)
        last[codes[whole]] = np.flatnonzero(whole)  # of equal codes the last one stays
        for code in np.flatnonzero(messages):
            self._heard(int(code), int(messages[code]), events[last[code]])
        marked = (kinds == EventKind.GAP) | ((flags & EventFlag.SNAPSHOT_END) != 0)
        for event in events[marked]:
            self._marked(event)

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

    def _marked(self, event: Events) -> None:
        """Note a gap, or the end of one."""
        index, ts_ns = int(event["instrument"]), int(event["ts_recv"])
        if event["kind"] != EventKind.GAP:
            one = self._subscriptions.get((index, int(Channel.DEPTH)))
            if one is not None:
                one.whole = True
            gap = self._open.pop(index, None)
            if gap is not None:
                self._replaced(gap, replace(gap, until_ns=ts_ns))
            return
        trades = event["aux"] == GapScope.TRADES
        channels = (Channel.TRADES,) if trades else (Channel.DEPTH, Channel.QUOTES, Channel.OHLCV)
        one = next(
            (self._subscriptions[index, c] for c in channels if (index, c) in self._subscriptions), None
        )
        if one is None:
            return
        one.health.gaps += 1
        reason = GapReason(int(event["w2"])).name.lower()
        market, channel = one.market, one.channel.name.lower()
        note = FeedNote(ts_ns, market.exchange, "gap", market.symbol, channel, reason)
        self._note(note)
        if one.channel == Channel.DEPTH:
            one.whole = False
            self._open[index] = note
