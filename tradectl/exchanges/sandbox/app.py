"""The HTTP side of the sandbox: sessions and calls go to their venue, `/sandbox/…` is its own."""

from __future__ import annotations

import asyncio
import errno
import time
from typing import TYPE_CHECKING, Any

from aiohttp import WSMsgType, web

from tradectl.errors import ConfigError, FeedError, TradectlError
from tradectl.exchanges.sandbox.outlet import Connection
from tradectl.exchanges.sandbox.protocols.base import Request, Status, json_text

if TYPE_CHECKING:
    from tradectl.exchanges.sandbox.server import Sandbox, Venue

__all__ = ["Front"]

HTML = "<html><head><title>503 Service Temporarily Unavailable</title></head><body>nginx</body></html>"


class Front:
    """The web server of a sandbox."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.by_host = {host: venue for venue in sandbox.venues.values() for host in venue.protocol.hosts}
        self._runner: web.AppRunner | None = None

    async def start(self, host: str, port: int) -> int:
        """Begin to listen; returns the port, which for 0 is any free one. FeedError where it is taken."""
        app = web.Application()
        app.add_routes([
            web.get("/sandbox/state", self._state), web.post("/sandbox/fault", self._fault),
            web.get("/sandbox/truth/{exchange}/{symbol:.+}", self._truth),
            web.route("*", "/{host}/{path:.*}", self._call), web.route("*", "/{host}", self._call),
        ])  # fmt: skip
        self._runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, host, port)
        try:
            await site.start()
        except OSError as error:
            await self._runner.cleanup()
            what = "is in use" if error.errno == errno.EADDRINUSE else f"cannot be used ({error.strerror})"
            raise FeedError(
                f"sandbox: port {port} of {host} {what}", hint="name another, or 0 for any free one"
            ) from error
        found: int = self._runner.addresses[0][1]
        return found

    async def stop(self) -> None:
        """End all connections."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _state(self, _request: web.Request) -> web.Response:
        return _json(self.sandbox.state())

    async def _fault(self, request: web.Request) -> web.Response:
        """Let a fault happen: the body is its text, as `gap:5`, or JSON `{"fault": "gap:5"}`."""
        body = (await request.text()).strip()
        text = str((await request.json()).get("fault", "")) if body.startswith("{") else body
        try:
            return _json({"fault": str(self.sandbox.fault(text))})
        except ConfigError as error:
            return _json({"error": str(error)}, 400)

    async def _truth(self, request: web.Request) -> web.Response:
        where = request.match_info
        try:
            since = int(request.query.get("since", "0"))
            return _json(self.sandbox.truth(where["exchange"], where["symbol"].replace("-", "/", 1), since))
        except (TradectlError, ValueError) as error:
            return _json({"error": str(error)}, 404)

    async def _call(self, request: web.Request) -> web.StreamResponse:
        host, path = request.match_info["host"], request.match_info.get("path", "")
        venue = self.by_host.get(host)
        if venue is None:
            served = " and ".join(sorted({one.name for one in self.by_host.values()}))
            return _json({"error": f"the sandbox serves {served} (--exchange); none has the host {host}"}, 404)
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return await self._session(request, venue, f"{host}/{path}")
        return await self._rest(request, venue, Request(host, path, request.query, time.time_ns()))

    async def _rest(self, request: web.Request, venue: Venue, call: Request) -> web.Response:
        """Answer a REST call, or with the fault that is on."""
        faults = self.sandbox.faults
        if (wait := faults.limited(venue.name)) > 0:
            return _limit(venue, wait)
        if faults.is_html(venue.name):
            return web.Response(text=HTML, content_type="text/html")
        try:
            if venue.protocol.is_book(call):
                with faults.older(venue.name):
                    body = venue.protocol.rest(call)
                await asyncio.sleep(faults.slow_s(venue.name))
            else:
                body = venue.protocol.rest(call)
        except Status as error:
            return _json(error.body, error.status)
        return _json(body)

    async def _session(self, request: web.Request, venue: Venue, path: str) -> web.StreamResponse:
        """Serve one WebSocket until either side ends it."""
        venue.outlet.dialled += 1
        if self.sandbox.faults.refuses(venue.name):
            return web.Response(status=503, text=HTML, content_type="text/html")
        if (wait := self.sandbox.faults.limited(venue.name)) > 0:
            return _limit(venue, wait)
        socket = web.WebSocketResponse(compress=False, autoping=True)
        await socket.prepare(request)
        if request.transport is None:
            return socket
        connection = Connection(request.transport, path)
        venue.outlet.connections.add(connection)
        venue.protocol.on_connect(connection, time.time_ns())
        try:
            async for message in socket:
                if message.type == WSMsgType.TEXT:
                    venue.protocol.on_text(connection, message.data, time.time_ns())
                    connection.flush()
        finally:
            venue.outlet.forget(connection)
            venue.protocol.on_end(connection)
        return socket


def _limit(venue: Venue, wait_s: int) -> web.Response:
    body, headers = venue.protocol.limit(wait_s)
    return _json(body, 429, headers)


def _json(body: Any, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    text = body if isinstance(body, str) else json_text(body)
    return web.Response(text=text, status=status, headers=headers, content_type="application/json")
