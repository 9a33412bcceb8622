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


# --- history

T0 = 1_711_843_200_000  # 2024-03-31 00:00 UTC in ms: clocks in Europe go forward an hour later
MINUTE = 60_000  # ms
STEPS = {"1m": MINUTE, "1h": 60 * MINUTE, "1d": 1440 * MINUTE, "1w": 7 * 1440 * MINUTE}


@dataclass
class Klines:
    """Binance's candles of minutes `present` (numbers since T0); coarser ones begin where a minute is present."""

    present: list[int]
    most: int = 1000  # of one answer
    newest_first: bool = False  # which ones are left out where there are more
    now: int = T0 + 10**10

    def __call__(self, query: Mapping[str, str]) -> Any:
        step, start, end = STEPS[query["interval"]], int(query["startTime"]), int(query["endTime"])
        opens = sorted({(T0 + n * MINUTE) // step * step for n in self.present})
        found = [at for at in opens if start <= at <= min(end, self.now)]
        most = min(int(query["limit"]), self.most)
        found = found[-most:] if self.newest_first else found[:most]
        return [[at, *candle(at), at + step - 1, "1", 1, "1", "1", "0"] for at in found]


def candle(at: int) -> list[str]:
    """Return open, high, low, close, volume of the candle that opens at a time (ms): no two are alike."""
    price = 40_000 + at // MINUTE % 1_000
    return [f"{price}.10", f"{price + 2}.00", f"{price - 1}.37", f"{price}.99", "1.50000"]


def made_trades(count: int, per_stamp: int = 37, apart: int = 40) -> list[tuple[int, int, str, str, int]]:
    """Return (time ms, id from 1, price, qty, side) of trades of which many share a stamp, `apart` ms from the next."""
    return [
        (
            T0 + 1_000 + k // per_stamp * apart,
            k + 1,
            f"{100 + k % 50}.{k % 100:02d}",
            f"0.{1 + k % 9}",
            1 - 2 * (k % 2),
        )
        for k in range(count)
    ]


def spot_market(exchange: Any, name: str) -> None:
    """Give an exchange one market, BTC/USDT, under the venue's `name` for it."""
    market = {
        "id": name, "symbol": "BTC/USDT", "base": "BTC", "quote": "USDT", "baseId": "BTC", "quoteId": "USDT",
        "type": "spot", "spot": True, "swap": False, "contract": False, "active": True,
        "precision": {"price": "0.01", "amount": "0.1"}, "limits": {"amount": {"min": "0.1"}, "cost": {"min": "5"}},
        "maker": "0.001", "taker": "0.002",
    }  # fmt: skip
    exchange.set_markets([exchange.deep_extend(exchange.safe_market_structure(), market)])
