"""What waits to be decoded: raw messages and what happened to connections, in the order in which they came."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

from tradectl.exchanges.codec import EventBuffer
from tradectl.exchanges.model import Channel

__all__ = ["CALL", "Act", "Inbox", "Shedder"]

Act = Callable[[int, EventBuffer], None]  # takes the receive time, ns, and where events go
CALL = 0  # in the place of a channel: the payload is an Act


class Shedder(Protocol):
    """A feed, as far as its depth can be left out."""

    shedding: bool

    def shed(self, recv_ns: int, out: EventBuffer) -> None:
        """Break the books, in the place of the first message that was left out."""

    def relieved(self) -> None:
        """Hear that depth is taken again."""

    def dropped(self) -> None:
        """Count a depth message that was left out."""


class Inbox:
    """A queue of (receive time ns, feed, channel or CALL, payload); depth is left out beyond `limit` messages.

    Trades, quotes, bars and calls always enter. `wake` is called when something waits, once until `rest`.
    """

    def __init__(self, limit: int) -> None:
        self.items: deque[tuple[int, Any, int, Any]] = deque()
        self.wake: Callable[[], None] = _nobody
        self._limit = limit
        self._half = max(limit // 2, 1)
        self._awake = False

    def __len__(self) -> int:
        return len(self.items)

    def put(self, recv_ns: int, feed: Shedder, channel: int, payload: Any) -> None:
        """Append a message or an Act, or leave it out if it is depth and too much waits."""
        items = self.items
        if channel == Channel.DEPTH and (feed.shedding or len(items) >= self._limit):
            if not feed.shedding:
                feed.shedding = True
                items.append((recv_ns, feed, CALL, feed.shed))
            elif len(items) < self._half:
                self.relieve(feed)
            if feed.shedding:
                feed.dropped()
                return
        items.append((recv_ns, feed, channel, payload))
        if not self._awake:
            self._awake = True
            self.wake()

    def relieve(self, feed: Shedder) -> None:
        """Take depth again if little enough waits."""
        if feed.shedding and len(self.items) < self._half:
            feed.shedding = False
            feed.relieved()

    def begin(self) -> None:
        """Hear that the consumer takes: what is put meanwhile wakes nobody."""
        self._awake = True

    def rest(self) -> bool:
        """Hear that the consumer has taken; return whether something is left, for which `again` is to be called."""
        self._awake = bool(self.items)
        return self._awake

    def again(self) -> None:
        """Wake the consumer for what it left."""
        if self.items:
            self.wake()


def _nobody() -> None:
    """Wake nobody: nothing has been started."""
