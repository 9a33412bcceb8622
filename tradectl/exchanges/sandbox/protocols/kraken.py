"""Kraken: spot, REST 0/public and WebSocket v2 with its checksummed book, trades, ticker and candles."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tradectl.exchanges.sandbox.candles import MINUTE_NS, SECOND_NS, Candle
from tradectl.exchanges.sandbox.market import ASKS, BIDS, Level, Market, Trade
from tradectl.exchanges.sandbox.outlet import Connection, Outlet
from tradectl.exchanges.sandbox.protocols.base import (
    Named,
    Protocol,
    Request,
    Status,
    json_text,
    read_object,
    utc_text,
)
from tradectl.exchanges.sandbox.protocols.kraken_rows import (
    book_text,
    candles_text,
    decimals,
    mean_price,
    ticker_text,
    trades_text,
)
from tradectl.exchanges.sandbox.protocols.window import Window

__all__ = ["Kraken"]

DEPTHS = (10, 25, 100, 500, 1000)
INTERVALS = (1, 5, 15, 30, 60, 240, 1440, 10080, 21600)  # minutes
LEGACY = {"BTC": ("XXBT", "XBT"), "ETH": ("XETH", "ETH"), "XRP": ("XXRP", "XRP"), "LTC": ("XLTC", "LTC")}
FIAT = ("USD", "EUR", "GBP", "CAD", "JPY")
MOST_CANDLES, MOST_TRADES, TRADES_SHOWN = 720, 1_000, 50
HEARTBEAT = '{"channel":"heartbeat"}'
STATUS = {
    "version": "2.0.10",
    "system": "online",
    "api_version": "v2",
    "connection_id": 6_447_481_662_169_813_000,
}


def _asset(code: str) -> tuple[str, str]:
    """Return Kraken's id of a currency and its alternative name."""
    return LEGACY.get(code, (f"Z{code}", code) if code in FIAT else (code, code))


class Kraken(Protocol):
    """Spot markets; v2 names them as ccxt does, REST in its own old way."""

    name = "kraken"
    hosts = ("api.kraken.com", "ws.kraken.com", "ws-auth.kraken.com")
    defaults = ("BTC/USD", "ETH/USD")
    has_perpetuals = False
    has_checksum = True

    def __init__(self, outlet: Outlet) -> None:
        super().__init__(outlet)
        self.books: dict[str, Window] = {}  # topic -> what its listeners are shown

    def name_market(self, market: Market) -> tuple[str, Named]:
        """Name a market: by its id of REST; v2 knows it by its symbol."""
        (base, base_alt), (quote, quote_alt) = _asset(market.listing.base), _asset(market.listing.quote)
        raw_id = f"{base}{quote}" if base != base_alt and quote != quote_alt else f"{base_alt}{quote_alt}"
        named = Named(market, raw_id)
        self.by_id[market.listing.symbol] = named
        return raw_id, named

    def rest(self, request: Request) -> Any:
        """Answer a call of 0/public."""
        handler = getattr(self, f"_get_{request.path.rpartition('/')[2].lower()}", None)
        if handler is None:
            raise Status(404, {"error": ["EGeneral:Unknown method"]})
        try:
            return {"error": [], "result": handler(request)}
        except ValueError as error:
            raise Status(200, {"error": ["EGeneral:Invalid arguments"]}) from error

    def _find(self, request: Request) -> Named:
        named = self.by_id.get(request.query.get("pair", ""))
        if named is None:
            raise Status(200, {"error": ["EQuery:Unknown asset pair"]})
        return named

    def _get_time(self, request: Request) -> Any:
        return {"unixtime": request.now // SECOND_NS, "rfc1123": utc_text(request.now, 0)}

    def _get_systemstatus(self, request: Request) -> Any:
        return {"status": "online", "timestamp": utc_text(request.now, 0)}

    def _get_assets(self, _request: Request) -> Any:
        codes = {code for named in self.named for code in (named.listing.base, named.listing.quote)}
        shared = {"aclass": "currency", "decimals": 10, "display_decimals": 5, "status": "enabled"}
        return {_asset(code)[0]: {**shared, "altname": _asset(code)[1]} for code in sorted(codes)}

    def _get_assetpairs(self, _request: Request) -> Any:
        made = {}
        for named in self.named:
            (base, base_alt), (quote, quote_alt) = _asset(named.listing.base), _asset(named.listing.quote)
            made[named.raw_id] = {
                "altname": f"{base_alt}{quote_alt}", "wsname": f"{base_alt}/{quote_alt}", "aclass_base": "currency",
                "base": base, "aclass_quote": "currency", "quote": quote, "lot": "unit",
                "pair_decimals": decimals(named.tick_text), "lot_decimals": decimals(named.lot_text),
                "cost_decimals": 8, "lot_multiplier": 1, "leverage_buy": [], "leverage_sell": [],
                "fees": [[0, 0.4]], "fees_maker": [[0, 0.25]],
                "ordermin": named.lot_text, "costmin": "0.5", "tick_size": named.tick_text, "status": "online",
            }  # fmt: skip
        return made

    def _get_depth(self, request: Request) -> Any:
        named, count = self._find(request), request.number("count", 100)
        stamp = named.market.depth_stamp // SECOND_NS
        sides = [[[*pair, stamp] for pair in named.pairs(side, count)] for side in (ASKS, BIDS)]
        return {named.raw_id: {"asks": sides[0], "bids": sides[1]}}

    def _get_ohlc(self, request: Request) -> Any:
        named, now = self._find(request), request.now
        step = request.number("interval", 1) * MINUTE_NS
        if step // MINUTE_NS not in INTERVALS:
            raise ValueError(step)
        named.market.candles.roll(now)
        since = request.number("since", 0) * SECOND_NS
        rows = named.market.candles.between(step, now - MOST_CANDLES * step, now)
        made = [
            [
                row.start // SECOND_NS, *(named.price(price) for price in row[1:5]), named.price(mean_price(row)),
                named.qty(row.lots), row.trades,
            ]
            for row in rows
            if row.start > since
        ]  # fmt: skip
        return {named.raw_id: made, "last": rows[-2].start // SECOND_NS if len(rows) > 1 else 0}

    def _get_trades(self, request: Request) -> Any:
        """Return the trades after `since`, in seconds or ns; `last` is the ns stamp to go on from."""
        named, count = self._find(request), min(request.number("count", MOST_TRADES), MOST_TRADES)
        log, since = named.market.trades, request.query.get("since", "")
        if since:
            whole, _, part = since.partition(".")
            after = int(whole) if len(whole) > 12 else int(whole) * SECOND_NS + int(f"{part:0<9.9}")
            first = log.since(after + 1)
            rows = list(log.between(first, first + count - 1))
        else:
            rows = log.latest(count)
            after = request.now
        made = [
            [
                named.price(t.price), named.qty(t.lots), t.ts / SECOND_NS, "b" if t.side > 0 else "s", "m", "", t.id,
            ]
            for t in rows
        ]  # fmt: skip
        return {named.raw_id: made, "last": str(rows[-1].ts if rows else after)}

    def on_connect(self, connection: Connection, now: int) -> None:
        """Greet a client with the system's status."""
        super().on_connect(connection, now)
        connection.say(json_text({"channel": "status", "type": "update", "data": [STATUS]}))

    def on_text(self, connection: Connection, text: str, now: int) -> None:
        """Take subscribe, unsubscribe and ping; each symbol is answered by itself."""
        message = read_object(text)
        method = message.get("method")
        if method is None:
            connection.say('{"error":"Malformed request","success":false}')
            return
        times = {"time_in": utc_text(now, 6), "time_out": utc_text(now, 6), "req_id": message.get("req_id")}
        if method == "ping":
            connection.say(json_text({"method": "pong", **times}))
            return
        wanted = message.get("params") or {}
        for symbol in wanted.get("symbol", ()):
            told = self._subscribe if method == "subscribe" else self._unsubscribe
            connection.say(json_text({"method": method, **told(connection, symbol, wanted), **times}))
            if method == "subscribe" and symbol in self.by_id:
                self._first(connection, self.by_id[symbol], wanted, now)

    @staticmethod
    def _topic(symbol: str, wanted: dict[str, Any]) -> str:
        extra = {"book": wanted.get("depth", 10), "ohlc": wanted.get("interval", 1)}
        extra["ticker"] = wanted.get("event_trigger", "trades")
        return f"{wanted.get('channel')}/{symbol}/{extra.get(wanted.get('channel', ''), '')}"

    def _subscribe(self, connection: Connection, symbol: str, wanted: dict[str, Any]) -> dict[str, Any]:
        channel, named = wanted.get("channel"), self.by_id.get(symbol)
        if named is None:
            return {"error": f"Currency pair not supported {symbol}", "success": False, "symbol": symbol}
        if channel not in ("book", "trade", "ticker", "ohlc") or wanted.get("depth", 10) not in DEPTHS:
            return {"error": "Subscription not supported", "success": False, "symbol": symbol}
        topic = self._topic(symbol, wanted)
        if channel == "book" and topic not in self.outlet.listeners:
            self.books[topic] = Window(named.market, wanted.get("depth", 10), tells_leaving=False)
        if channel == "ohlc":
            interval = int(wanted.get("interval", 1))
            self.candles[topic] = (named, str(interval), interval * MINUTE_NS)
        self.outlet.listen(connection, topic)
        return {"result": {**wanted, "symbol": symbol}, "success": True}

    def _unsubscribe(self, connection: Connection, symbol: str, wanted: dict[str, Any]) -> dict[str, Any]:
        self.outlet.unlisten(connection, self._topic(symbol, wanted))
        return {"result": {**wanted, "symbol": symbol}, "success": True}

    def _first(self, connection: Connection, named: Named, wanted: dict[str, Any], now: int) -> None:
        """Send what a subscription begins with."""
        channel = wanted.get("channel")
        if channel == "book" and wanted.get("snapshot", True):
            bids, asks = (
                [(side, *level) for level in named.market.best(side, wanted.get("depth", 10))]
                for side in (BIDS, ASKS)
            )
            connection.say(book_text(named, "snapshot", [*bids, *asks]))
        elif channel == "trade" and wanted.get("snapshot", False):
            connection.say(trades_text(named, "snapshot", named.market.trades.latest(TRADES_SHOWN)))
        elif channel == "ticker" and wanted.get("snapshot", True):
            connection.say(ticker_text(named, "snapshot", now))
        elif channel == "ohlc" and wanted.get("snapshot", True):
            step = int(wanted.get("interval", 1)) * MINUTE_NS
            named.market.candles.roll(now)
            rows = named.market.candles.between(step, now - 10 * step, now)
            connection.say(candles_text(named, "snapshot", rows, step, now))

    def on_depth(self, named: Named, levels: Sequence[Level]) -> None:
        """Tell of changes in the windows listened to, and of the touch."""
        symbol = named.listing.symbol
        for depth in DEPTHS:
            topic = f"book/{symbol}/{depth}"
            if self.is_heard(topic) and (changed := self.books[topic].changes(levels)):
                self.outlet.send(topic, "depth", book_text(named, "update", changed))
        if self.is_heard(topic := f"ticker/{symbol}/bbo") and named.touch() is not None:
            self.outlet.send(topic, "quotes", ticker_text(named, "update", named.market.stamp))

    def on_trade(self, named: Named, trade: Trade) -> None:
        """Tell of a trade."""
        symbol = named.listing.symbol
        if self.is_heard(topic := f"trade/{symbol}/"):
            self.outlet.send(topic, "trades", trades_text(named, "update", [trade]))
        if self.is_heard(topic := f"ticker/{symbol}/trades"):
            self.outlet.send(topic, "quotes", ticker_text(named, "update", trade.ts))

    def candle_text(self, named: Named, row: Candle, interval: str, step: int, now: int) -> str:
        """Return an `ohlc` message."""
        return candles_text(named, "update", [row], step, now)

    def on_time(self, now: int) -> None:
        """Tell of candles, and let each client hear the heart beat once a second."""
        super().on_time(now)
        if self.is_due("heartbeat", now, SECOND_NS):
            for connection in self.outlet.connections:
                if connection.topics:
                    connection.say(HEARTBEAT)
