"""Clients of a sandbox for tests: a test's loop, a plain WebSocket that has subscribed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

from tradectl.exchanges.sandbox import Sandbox

WS = {
    "binance": "stream.binance.com:9443/ws/0", "kraken": "ws.kraken.com/v2", "okx": "ws.okx.com:443/ws/v5/public",
}  # fmt: skip


def run(test: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(asyncio.wait_for(test(), 60))


async def until(holds: Callable[[], bool], seconds: float = 10.0) -> None:
    """Wait until something holds: a client that is late catches up."""
    for _ in range(int(seconds / 0.05)):
        if holds():
            return
        await asyncio.sleep(0.05)
    assert holds()


@asynccontextmanager
async def listening(server: Sandbox, exchange: str, *requests: Any) -> Any:
    """Yield a plain WebSocket that has subscribed."""
    url = f"{server.endpoint.replace('http', 'ws')}/{WS[exchange]}"
    async with aiohttp.ClientSession() as session, session.ws_connect(url) as socket:
        for request in requests:
            await socket.send_json(request)
        await asyncio.sleep(0.05)
        yield socket


async def texts(socket: aiohttp.ClientWebSocketResponse, seconds: float = 0.15) -> list[str]:
    """Return the messages that come until none has come for some time."""
    found = []
    while True:
        try:
            message = await socket.receive(seconds)
        except TimeoutError:
            return found
        if message.type != aiohttp.WSMsgType.TEXT:
            return found
        found.append(message.data)
