"""A small local server that answers REST as venues do; every answer can be replaced by a failure, once or for ever."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

PAGE = "<html><body>We are down</body></html>"
Answer = Callable[[Mapping[str, str]], Any]


@dataclass
class Fake:
    """Routes are `host/path` without the scheme; `calls` keeps what was asked, in order."""

    routes: dict[str, Answer]
    failures: deque[tuple[int, str, dict[str, str]]] = field(default_factory=deque)
    after: int = 0  # calls that are answered before the failures begin
    only: str = ""  # failures concern calls whose path holds this
    calls: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    endpoint: str = ""

    async def __aenter__(self) -> Fake:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self.answer)
        self.runner = web.AppRunner(app)
        await self.runner.setup()
        site = web.TCPSite(self.runner, "127.0.0.1", 0)
        await site.start()
        self.endpoint = f"http://127.0.0.1:{self.runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.runner.cleanup()

    async def answer(self, request: web.Request) -> web.Response:
        path, query = request.match_info["path"], dict(request.query)
        self.calls.append((path, query))
        if self.failures and self.only in path:
            if self.after > 0:
                self.after -= 1
            else:
                status, body, headers = self.failures.popleft()
                return web.Response(status=status, text=body, headers=headers, content_type="text/html")
        for ending, answer in self.routes.items():
            if path.endswith(ending):
                return web.json_response(answer(query))
        return web.json_response({"code": -1, "msg": f"no route {path}"}, status=404)

    def count(self, ending: str) -> int:
        return sum(path.endswith(ending) for path, _ in self.calls)


def binance_symbol(name: str = "BTCUSDT", **changes: Any) -> dict[str, Any]:
    """One entry of exchangeInfo: BTC/USDT, tick 0.01, lot 0.00001, at least 5 USDT."""
    made = {
        "symbol": name, "status": "TRADING", "baseAsset": name[:-4], "quoteAsset": name[-4:],
        "baseAssetPrecision": 8, "quotePrecision": 8, "isSpotTradingAllowed": True, "permissions": [],
        "filters": [
            {"filterType": "PRICE_FILTER", "minPrice": "0.01", "maxPrice": "1000000", "tickSize": "0.01000000"},
            {"filterType": "LOT_SIZE", "minQty": "0.00001000", "maxQty": "9000", "stepSize": "0.00001000"},
            {"filterType": "NOTIONAL", "minNotional": "5.00000000", "maxNotional": "9000000"},
        ],
    }  # fmt: skip
    return made | changes


def binance_info(*symbols: dict[str, Any]) -> dict[str, Any]:
    return {"timezone": "UTC", "symbols": list(symbols) or [binance_symbol()]}
