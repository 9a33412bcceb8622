"""What goes out: WebSocket frames made once for all who listen, and written in batches."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

__all__ = ["Connection", "Outlet", "frame"]

MOST_UNREAD = 1 << 26  # bytes that a client may leave unread before it is thrown out, as venues do


def frame(payload: bytes) -> bytes:
    """Return a text message as one unmasked WebSocket frame (RFC 6455, 5.2)."""
    size = len(payload)
    if size < 126:
        return b"\x81" + bytes((size,)) + payload
    if size < 1 << 16:
        return b"\x81\x7e" + size.to_bytes(2, "big") + payload
    return b"\x81\x7f" + size.to_bytes(8, "big") + payload


@dataclass(eq=False)
class Connection:
    """One client's socket and what it listens to; messages leave with `flush`, in order."""

    transport: asyncio.Transport
    path: str  # below the host, as connected
    topics: set[str] = field(default_factory=set)
    waiting: list[bytes] = field(default_factory=list)

    def say(self, text: str) -> None:
        """Answer the client, whatever fault is on."""
        self.waiting.append(frame(text.encode()))

    def flush(self) -> bool:
        """Write what waits; False: the client reads too slowly."""
        if self.waiting and not self.transport.is_closing():
            self.transport.write(b"".join(self.waiting))
        self.waiting.clear()
        return self.transport.get_write_buffer_size() <= MOST_UNREAD

    def cut(self) -> None:
        """End the connection without a word."""
        self.waiting.clear()
        self.transport.abort()


class Outlet:
    """Who listens to what at one exchange; `shape` may change what is sent (a fault)."""

    def __init__(self, exchange: str) -> None:
        self.exchange = exchange
        self.listeners: dict[str, list[Connection]] = {}
        self.connections: set[Connection] = set()
        self.dialled = 0  # times that somebody wanted a connection, refused or not
        self.sent: dict[str, int] = {}  # messages by kind, times who got them
        self.shape: Callable[[Outlet, str, str, str], None] | None = None

    def listen(self, connection: Connection, topic: str) -> None:
        """Let a connection hear a topic."""
        if topic not in connection.topics:
            connection.topics.add(topic)
            self.listeners.setdefault(topic, []).append(connection)

    def unlisten(self, connection: Connection, topic: str) -> None:
        """Let a connection no longer hear a topic."""
        if topic in connection.topics:
            connection.topics.discard(topic)
            self.listeners[topic].remove(connection)
            if not self.listeners[topic]:
                del self.listeners[topic]

    def forget(self, connection: Connection) -> None:
        """Take out a connection that is over."""
        for topic in list(connection.topics):
            self.unlisten(connection, topic)
        self.connections.discard(connection)

    def send(self, topic: str, kind: str, text: str) -> None:
        """Send market data of a kind (trades, depth, quotes, ohlcv, funding) to all who hear the topic."""
        if self.shape is None:
            self.deliver(topic, kind, text)
        else:
            self.shape(self, topic, kind, text)

    def deliver(self, topic: str, kind: str, text: str) -> None:
        """Send a message as it is."""
        to = self.listeners.get(topic, ())
        whole = frame(text.encode())
        for connection in to:
            connection.waiting.append(whole)
        self.sent[kind] = self.sent.get(kind, 0) + len(to)

    def flush(self) -> int:
        """Write what waits on every connection; returns how many clients were thrown out."""
        slow = [connection for connection in self.connections if not connection.flush()]
        for connection in slow:
            connection.cut()
            self.forget(connection)
        return len(slow)
