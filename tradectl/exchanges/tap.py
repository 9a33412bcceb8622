"""The tap on ccxt's connections: raw market data goes past its parser, and what it keeps to itself is told.

ccxt stays in charge of connecting, subscribing, answers, pongs and errors. Its parser and caches do not see
the messages that an own decoder reads, an exception in its handlers ends the connection instead of the receive
loop alone, and the end of a connection is told whether or not anybody awaits it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Sequence
from contextvars import ContextVar
from typing import Any, Protocol

from tradectl.exchanges.model import Channel

__all__ = ["WATCHING", "Link", "Listener", "attach", "hang_up", "is_refusal"]

CLOSE_S = 1.0  # venues have for their answer to a close

SUBSCRIBING = ("op", "method", "type")  # where a message says that it subscribes
# Who calls a watch method: ccxt says to no one over which connection a subscription goes.
WATCHING: ContextVar[Hashable | None] = ContextVar("WATCHING", default=None)


class Link:
    """One WebSocket connection, the members that are watched over it, and the tasks that ccxt started for it."""

    def __init__(self, client: Any) -> None:
        self.client = client
        self.members: dict[Any, None] = {}  # a set in the order of joining
        self.asked: dict[Any, list[dict[str, Any]]] = {}  # what was sent to subscribe a member
        self.refusal = ""  # what the venue did not want of it
        self.renews = False  # a member has been subscribed anew: answers to that are not ccxt's
        self.opened = False
        self.over = asyncio.Event()
        self.heard_ns = 0  # when market data last came over it
        self.tasks: set[asyncio.Task[Any]] = set()

    @property
    def lost(self) -> bool:
        """Whether the connection has ended."""
        return self.over.is_set()

    def end(self, error: Exception) -> None:
        """Close the connection; everything that is pending over it raises the error."""
        if not self.lost:
            self.client.on_error(error)

    async def renew(self, member: Any, cost: float, between: Callable[[], None]) -> None:
        """Subscribe a member anew, the others undisturbed; `between` is called when the old subscription is taken back.

        `cost` is that of a message to ccxt's throttle. A message that cannot be sent ends the connection.
        """
        WATCHING.set(None)  # what is sent here is known
        self.renews = True
        asked = self.asked[member]
        try:
            for message in [_unsubscribing(one) for one in asked] + asked:
                await self.client.throttle(cost)
                if message is asked[0]:
                    between()
                await self.client.send(message)
        except Exception as error:
            self.end(error)

    def track(self, method: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        """Return the method so that the task which runs it is known."""

        async def tracked(*args: Any, **kwargs: Any) -> Any:
            task = asyncio.current_task()
            if task is None or task in self.tasks:
                return await method(*args, **kwargs)
            self.tasks.add(task)
            try:
                return await method(*args, **kwargs)
            finally:
                self.tasks.discard(task)

        return tracked


class Listener(Protocol):
    """Who is told of an exchange's connections and messages."""

    def classify(self, text: str) -> Channel | None:
        """Return the channel of a message of market data, None if it is ccxt's."""

    def heard(self, link: Link, channel: Channel, text: str) -> None:
        """Take a message of market data."""

    def handled(self, link: Link) -> None:
        """Hear that ccxt has handled a message."""

    def joined(self, link: Link, member: Any) -> None:
        """Hear that a member is watched over an open link: it opened, or the member came to it."""

    def lost(self, link: Link, error: Exception | None) -> None:
        """Hear that a link has ended."""


def _unsubscribing(message: dict[str, Any]) -> dict[str, Any]:
    """Return what takes a subscription back; Kraken's knows no snapshot."""
    key = next(key for key in SUBSCRIBING if str(message.get(key)).lower() == "subscribe")
    taken = {**message, key: {"subscribe": "unsubscribe", "SUBSCRIBE": "UNSUBSCRIBE"}[message[key]]}
    if isinstance(params := taken.get("params"), dict):
        taken["params"] = {name: value for name, value in params.items() if name != "snapshot"}
    return taken


def is_refusal(error: BaseException) -> bool:
    """Say whether an error is the venue's answer to what was asked, not a fault of the connection."""
    from ccxt.base.errors import ExchangeError

    return isinstance(error, ExchangeError)


def attach(exchange: Any, listener: Listener) -> list[Link]:
    """Tap every connection that an exchange makes from now on; return the list of its links, kept up to date."""
    links: list[Link] = []
    by_client: dict[int, Link] = {}
    original = exchange.client

    def client(url: str) -> Any:
        found = original(url)
        link = by_client.get(id(found))
        if (
            link is not None and link.client is found and link.lost
        ):  # ccxt forgets most of those that ended, not all
            exchange.clients.pop(url, None)
            found = original(url)
            link = None
        if link is None or link.client is not found:
            link = by_client[id(found)] = Link(found)
            links[:] = [one for one in links if not one.lost or one.tasks] + [link]
            for key in [key for key, one in by_client.items() if one.lost]:
                del by_client[key]
            _tap(link, listener)
        member = WATCHING.get()
        if member is not None and member not in link.members and not link.lost:
            link.members[member] = None
            if link.opened:
                listener.joined(link, member)
        return found

    exchange.client = client
    return links


async def hang_up(links: Sequence[Link]) -> None:
    """Close all connections together and end their tasks; those that do not answer within CLOSE_S are cut off."""
    open_ones = [link.client for link in links if link.client.connection is not None]
    transports = [one.connection._conn.transport for one in open_ones if one.connection._conn is not None]
    tasks = {asyncio.create_task(one.close()) for one in open_ones}
    if tasks:
        await asyncio.wait(tasks, timeout=CLOSE_S)
    tasks |= {task for link in links for task in link.tasks}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    for transport in transports:
        if transport is not None:
            transport.abort()


def _tap(link: Link, listener: Listener) -> None:
    """Put ourselves between a new ccxt client and its callbacks."""
    client = link.client
    parse, handle = client.handle_text_or_binary_message, client.handle_message
    on_connected, on_error, on_close = (
        client.on_connected_callback, client.on_error_callback, client.on_close_callback,
    )  # fmt: skip
    classify, heard, send = listener.classify, listener.heard, client.send

    async def sent(said: Any) -> Any:
        member = WATCHING.get()
        words = [str(said.get(key)).lower() for key in SUBSCRIBING] if isinstance(said, dict) else []
        if member in link.members and "subscribe" in words:
            link.asked.setdefault(member, []).append(said)
        return await send(said)

    def text_or_binary(data: str | bytes) -> None:
        text = data.decode() if isinstance(data, bytes) else data
        channel = classify(text)
        if channel is None:
            if not (link.renews and '"unsubscribe"' in text):  # ccxt would take the channel for given up
                parse(data)
            listener.handled(link)
        else:
            heard(link, channel, text)

    def message(received: Any) -> None:
        try:
            handle(received)
        except Exception as error:  # whatever a handler of ccxt raises would end its receive loop unheard
            if is_refusal(error):
                client.reject(error)
            else:
                link.end(error)

    def connected(tapped: Any) -> None:
        link.opened = True
        for member in list(link.members):
            listener.joined(link, member)
        on_connected(tapped)

    def ended(error: Exception | None) -> None:
        if not link.lost:
            link.over.set()
            listener.lost(link, error)

    def failed(tapped: Any, error: Exception) -> None:
        on_error(tapped, error)
        ended(error)

    def closed(tapped: Any, code: Any) -> None:
        on_close(tapped, code)
        ended(None)

    client.handle_text_or_binary_message, client.handle_message, client.send = text_or_binary, message, sent
    client.on_connected_callback = connected
    client.on_error_callback, client.on_close_callback = failed, closed
    for name in ("open", "close", "aiohttp_close", "ping_loop"):
        setattr(client, name, link.track(getattr(client, name)))
