"""Bybit v5: spot and linear perpetuals; markets, books with their `u`, public trades, candles over REST."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tradectl.exchanges.sandbox.candles import MINUTE_NS
from tradectl.exchanges.sandbox.market import ASKS, BIDS, Level, Market, Trade
from tradectl.exchanges.sandbox.outlet import Connection, Outlet
from tradectl.exchanges.sandbox.protocols.base import (
    MS,
    Named,
    Protocol,
    Request,
    Status,
    json_text,
    read_object,
)
from tradectl.exchanges.sandbox.protocols.window import Window

__all__ = ["Bybit"]

DEPTHS = (1, 50, 200, 1000)
INTERVALS = {"D": 1_440, "W": 10_080}  # minutes; others are told as their number
MOST_TRADES = {"spot": 60, "linear": 1_000}
MOST_CANDLES = 1_000


class Bybit(Protocol):
    """A book's snapshot and changes count `u` up by one each; trades have UUIDs on perpetuals, numbers on spot."""

    name = "bybit"
    hosts = ("api.bybit.com", "stream.bybit.com")

    def __init__(self, outlet: Outlet) -> None:
        super().__init__(outlet)
        self.books: dict[str, Window] = {}  # topic -> what its listeners are shown

    def name_market(self, market: Market) -> tuple[str, Named]:
        """Name a market within its category."""
        named = Named(market, f"{market.listing.base}{market.listing.quote}")
        return f"{_category(named)}/{named.raw_id}", named

    def rest(self, request: Request) -> Any:
        """Answer a call of v5/market."""
        handler = getattr(self, f"_get_{request.path.rpartition('/')[2].replace('-', '_')}", None)
        if handler is None:
            raise Status(404, {"retCode": 10001, "retMsg": "unknown call"})
        try:
            result = handler(request)
        except ValueError as error:
            raise Status(200, {"retCode": 10001, "retMsg": "params error", "result": {}}) from error
        return {"retCode": 0, "retMsg": "OK", "result": result, "retExtInfo": {}, "time": request.now // MS}

    def _find(self, request: Request) -> Named:
        named = self.by_id.get(f"{request.query.get('category', '')}/{request.query.get('symbol', '')}")
        if named is None:
            raise Status(200, {"retCode": 10001, "retMsg": "Not supported symbols", "result": {}})
        return named

    def _get_time(self, request: Request) -> Any:
        return {"timeSecond": str(request.now // 1_000_000_000), "timeNano": str(request.now)}

    def _get_instruments_info(self, request: Request) -> Any:
        category = request.query.get("category", "")
        there = [
            n for n in self.named if _category(n) == category and request.query.get("status") != "PreLaunch"
        ]
        return {"category": category, "list": [_instrument(named) for named in there], "nextPageCursor": None}

    def _get_orderbook(self, request: Request) -> Any:
        named, count, market = self._find(request), request.number("limit", 25), self._find(request).market
        stamp = market.depth_stamp // MS
        return {
            "s": named.raw_id, "b": named.pairs(BIDS, count), "a": named.pairs(ASKS, count), "ts": stamp, "cts": stamp,
            "u": market.update_id, "seq": market.update_id,
        }  # fmt: skip

    def _get_recent_trade(self, request: Request) -> Any:
        named = self._find(request)
        most = MOST_TRADES[_category(named)]
        rows = named.market.trades.latest(min(request.number("limit", most), most))
        return {"category": _category(named), "list": [
            {
                "execId": _trade_id(named, t), "symbol": named.raw_id, "price": named.price(t.price),
                "size": named.qty(t.lots), "side": "Buy" if t.side > 0 else "Sell", "time": str(t.ts // MS),
                "isBlockTrade": False, "isRPITrade": False, "seq": str(t.id),
            }
            for t in reversed(rows)
        ]}  # fmt: skip

    def _get_kline(self, request: Request) -> Any:
        named, interval = self._find(request), request.query.get("interval", "1")
        step = (INTERVALS.get(interval) or int(interval)) * MINUTE_NS
        count = min(request.number("limit", 200), MOST_CANDLES)
        named.market.candles.roll(request.now)
        ends = min(request.number("end", request.now // MS) * MS, request.now)
        begins = request.number("start", 0) * MS
        rows = named.market.candles.between(step, begins or ends - count * step, ends)
        rows = rows[:count] if begins else rows[-count:]
        return {"symbol": named.raw_id, "category": _category(named), "list": [
            [str(r.start // MS), *(named.price(p) for p in r[1:5]), named.qty(r.lots), named.cost(r.turnover)]
            for r in reversed(rows)
        ]}  # fmt: skip

    def on_text(self, connection: Connection, text: str, now: int) -> None:
        """Take subscribe, unsubscribe and ping; a book begins with its snapshot."""
        message = read_object(text)
        method, topics = message.get("op"), message.get("args") or []
        if method is None:
            connection.say('{"success":false,"ret_msg":"error:request","op":""}')
            return
        answer = {
            "success": True,
            "ret_msg": "",
            "conn_id": "sandbox",
            "req_id": message.get("req_id"),
            "op": method,
        }
        if method == "ping":
            connection.say(json_text({**answer, "ret_msg": "pong"}))
            return
        category = "spot" if connection.path.endswith("/spot") else "linear"
        wrong = [topic for topic in topics if not self._is_topic(category, topic)]
        if wrong:
            answer |= {"success": False, "ret_msg": f"error:handler not found,topic:{wrong[0]}"}
        connection.say(json_text(answer))
        for topic in topics if not wrong else ():
            if method == "subscribe":
                self._subscribe(connection, category, topic)
            else:
                self.outlet.unlisten(connection, f"{category}/{topic}")

    def _is_topic(self, category: str, topic: str) -> bool:
        name, *middle, symbol = topic.split(".")
        if f"{category}/{symbol}" not in self.by_id:
            return False
        return (
            not middle
            if name == "publicTrade"
            else name == "orderbook" and middle in [[str(n)] for n in DEPTHS]
        )

    def _subscribe(self, connection: Connection, category: str, topic: str) -> None:
        key, (name, *middle, symbol) = f"{category}/{topic}", topic.split(".")
        named = self.by_id[f"{category}/{symbol}"]
        if name == "orderbook":
            depth = int(middle[0])
            if not self.is_heard(key):
                self.books[key] = Window(named.market, depth, tells_leaving=True)
            bids, asks = ([(side, *row) for row in named.market.best(side, depth)] for side in (BIDS, ASKS))
            connection.say(_book(named, topic, "snapshot", [*bids, *asks], self.books[key].count))
        self.outlet.listen(connection, key)

    def on_depth(self, named: Named, levels: Sequence[Level]) -> None:
        """Tell of changes in the windows listened to."""
        for depth in DEPTHS:
            topic = f"orderbook.{depth}.{named.raw_id}"
            key = f"{_category(named)}/{topic}"
            if self.is_heard(key) and (changed := self.books[key].changes(levels)):
                kind = "quotes" if depth == 1 else "depth"
                self.outlet.send(key, kind, _book(named, topic, "delta", changed, self.books[key].count))

    def on_trade(self, named: Named, trade: Trade) -> None:
        """Tell of a trade."""
        topic, stamp = f"publicTrade.{named.raw_id}", trade.ts // MS
        if self.is_heard(key := f"{_category(named)}/{topic}"):
            self.outlet.send(key, "trades", (
                f'{{"topic":"{topic}","type":"snapshot","ts":{stamp},"data":[{{"T":{stamp},"s":"{named.raw_id}",'
                f'"S":"{"Buy" if trade.side > 0 else "Sell"}","v":"{named.qty(trade.lots)}",'
                f'"p":"{named.price(trade.price)}","L":"ZeroTick","i":"{_trade_id(named, trade)}",'
                f'"BT":false,"RPI":false,"seq":{trade.id}}}]}}'
            ))  # fmt: skip


def _category(named: Named) -> str:
    return "linear" if named.is_perpetual else "spot"


def _trade_id(named: Named, trade: Trade) -> str:
    return f"00000000-0000-5000-8000-{trade.id:012x}" if named.is_perpetual else f"2290000000{trade.id:09d}"


def _book(named: Named, topic: str, kind: str, levels: Sequence[Level], count: int) -> str:
    stamp = named.market.depth_stamp // MS
    return (
        f'{{"topic":"{topic}","type":"{kind}","ts":{stamp},"data":{{"s":"{named.raw_id}",'
        f'"b":[{named.changed(levels, BIDS)}],"a":[{named.changed(levels, ASKS)}],'
        f'"u":{count},"seq":{named.market.update_id}}},"cts":{stamp}}}'
    )


def _instrument(named: Named) -> dict[str, Any]:
    listing = named.listing
    shared = {
        "symbol": named.raw_id, "baseCoin": listing.base, "quoteCoin": listing.quote, "status": "Trading",
        "priceFilter": {"tickSize": named.tick_text, "minPrice": named.tick_text, "maxPrice": "1000000000"},
    }  # fmt: skip
    lots = {"minOrderQty": named.lot_text, "maxOrderQty": "1000000"}
    if named.is_perpetual:
        return {
            **shared, "contractType": "LinearPerpetual", "settleCoin": listing.settle, "launchTime": "1585526400000",
            "deliveryTime": "0", "fundingInterval": 480, "leverageFilter": {"minLeverage": "1", "maxLeverage": "100"},
            "lotSizeFilter": {**lots, "qtyStep": named.lot_text, "minNotionalValue": str(listing.min_notional)},
        }  # fmt: skip
    filters = {
        **lots,
        "basePrecision": named.lot_text,
        "minOrderAmt": str(listing.min_notional),
        "maxOrderAmt": "4000000",
    }
    return {**shared, "marginTrading": "none", "lotSizeFilter": filters}
