"""Binance: spot and USD-M futures, REST v3 / fapi v1 and the streams of diffs, trades, quotes, candles and mark prices."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from tradectl.exchanges.sandbox.candles import Candle
from tradectl.exchanges.sandbox.market import BIDS, Level, Market, Trade
from tradectl.exchanges.sandbox.outlet import Connection, Outlet
from tradectl.exchanges.sandbox.protocols.base import MS, Named, Protocol, Request, Status, interval_ns
from tradectl.exchanges.sandbox.protocols.funding import FUNDING_NS, next_funding, past_rates, rate_text

__all__ = ["Binance"]

SPOT_HOSTS = ("api.binance.com", "stream.binance.com:9443", "stream.binance.com", "ws-api.binance.com:443")
FUTURES_HOSTS = ("fapi.binance.com", "fstream.binance.com")
DELIVERY_HOSTS = ("dapi.binance.com", "dstream.binance.com")
PLACES = 8  # decimals that spot writes in every number
AGGREGATES_BEHIND = 500_000  # an aggregate trade's id is that much below its trade's: the two are never equal
CANDLE_EVERY = 250 * MS  # of an unfinished candle
MARK_EVERY = {"markPrice@1s": 1_000 * MS, "markPrice": 3_000 * MS}
MOST_ROWS = {"spot": 1_000, "futures": 1_500}
INVALID = {"code": -1121, "msg": "Invalid symbol."}
MALFORMED = {"code": -1100, "msg": "Illegal characters found in a parameter."}
UNKNOWN = {"code": -1, "msg": "The sandbox has no such call."}
RATE = re.compile(r"(?<=^depth)@\d+ms$")  # how often diffs are wanted; here each change is one


class Binance(Protocol):
    """Spot markets and linear perpetuals; COIN-M answers that it has none."""

    name = "binance"
    hosts = (*SPOT_HOSTS, *FUTURES_HOSTS, *DELIVERY_HOSTS)

    def __init__(self, outlet: Outlet) -> None:
        super().__init__(outlet)
        self.clock: dict[str, int] = {}  # topic -> when it was last told by the clock

    def list_market(self, market: Market) -> None:
        """Begin to serve a market: spot, or USD-M where it settles."""
        listing = market.listing
        named = Named(
            market, f"{listing.base}{listing.quote}", (0, 0) if listing.settle else (PLACES, PLACES)
        )
        self.named.append(named)
        self.by_id[self._key(bool(listing.settle), named.raw_id)] = named

    @staticmethod
    def _key(futures: bool, raw_id: str) -> str:
        return f"{'futures' if futures else 'spot'}/{raw_id.lower()}"

    def _find(self, request: Request) -> Named:
        named = self.by_id.get(self._key(request.host in FUTURES_HOSTS, request.query.get("symbol", "")))
        if named is None:
            raise Status(400, INVALID)
        return named

    def rest(self, request: Request) -> Any:
        """Answer a public call of api/v3, fapi/v1 or dapi/v1."""
        call = request.path.rpartition("/")[2]
        handler = getattr(self, f"_get_{call}", None)
        if handler is None or (
            request.host in DELIVERY_HOSTS and call not in ("exchangeInfo", "time", "ping")
        ):
            raise Status(404, UNKNOWN)
        try:
            return handler(request)
        except ValueError as error:
            raise Status(400, MALFORMED) from error

    def _get_ping(self, _request: Request) -> Any:
        return {}

    def _get_time(self, request: Request) -> Any:
        return {"serverTime": request.now // MS}

    def _get_exchangeInfo(self, request: Request) -> Any:
        futures = request.host in FUTURES_HOSTS
        rows = (
            []
            if request.host in DELIVERY_HOSTS
            else [n for n in self.named if bool(n.listing.settle) == futures]
        )
        return {
            "timezone": "UTC", "serverTime": request.now // MS, "rateLimits": [], "exchangeFilters": [],
            "symbols": [_symbol(named) for named in rows],
        }  # fmt: skip

    def _get_depth(self, request: Request) -> Any:
        named = self._find(request)
        count, market = request.number("limit", 100), named.market
        made = {
            "lastUpdateId": market.update_id,
            "bids": named.pairs(BIDS, count),
            "asks": named.pairs(1, count),
        }
        if named.listing.settle:
            stamp = market.depth_stamp // MS
            return {"lastUpdateId": market.update_id, "E": stamp, "T": stamp, **made}
        return made

    def _get_trades(self, request: Request) -> Any:
        named = self._find(request)
        return [
            _trade(named, trade)
            for trade in named.market.trades.latest(min(request.number("limit", 500), 1_000))
        ]

    def _get_historicalTrades(self, request: Request) -> Any:
        named = self._find(request)
        count = min(request.number("limit", 500), 500 if named.listing.settle else 1_000)
        first = request.number("fromId", named.market.trades.next_id - count)
        return [_trade(named, trade) for trade in named.market.trades.between(first, first + count - 1)]

    def _get_aggTrades(self, request: Request) -> Any:
        named, count = self._find(request), min(request.number("limit", 500), 1_000)
        log = named.market.trades
        begins, ends = request.number("startTime", 0) * MS, (request.number("endTime", 0) + 1) * MS - 1
        if "fromId" in request.query:
            first = max(request.number("fromId", 0) + AGGREGATES_BEHIND, log.first_id)
            last = first + count - 1
        elif begins:
            first = log.since(begins)
            last = first + count - 1
        else:
            last = log.next_id - 1 if ends < MS else log.since(ends + 1) - 1
            first = last - count + 1
        rows = log.between(first, last)
        return [_aggregate(named, trade) for trade in rows if ends < MS or trade.ts <= ends]

    def _get_klines(self, request: Request) -> Any:
        named = self._find(request)
        step = interval_ns(request.query.get("interval", ""))
        most = MOST_ROWS["futures" if named.listing.settle else "spot"]
        count, now = min(request.number("limit", 500), most), request.now
        named.market.candles.roll(now)
        ends = min(request.number("endTime", now // MS) * MS, now)
        if "startTime" in request.query:
            begins = request.number("startTime", 0) * MS
            rows = named.market.candles.between(step, begins, min(ends, begins + count * step))[:count]
        else:
            rows = named.market.candles.between(step, ends - count * step, ends)[-count:]
        return [_kline_row(named, row, step) for row in rows]

    def _get_bookTicker(self, request: Request) -> Any:
        named = self._find(request)
        (bid, bid_qty), (ask, ask_qty) = (named.pairs(side, 1)[0] for side in (BIDS, 1))
        return {
            "symbol": named.raw_id,
            "bidPrice": bid,
            "bidQty": bid_qty,
            "askPrice": ask,
            "askQty": ask_qty,
        }

    def _get_premiumIndex(self, request: Request) -> Any:
        rows = (
            [self._find(request)]
            if "symbol" in request.query
            else [n for n in self.named if n.listing.settle]
        )
        made = [
            {
                "symbol": named.raw_id, "markPrice": named.price(named.market.mark),
                "indexPrice": named.price(named.market.mark), "estimatedSettlePrice": named.price(named.market.mark),
                "lastFundingRate": rate_text(named.market, request.now), "interestRate": "0.00010000",
                "nextFundingTime": next_funding(request.now) // MS, "time": request.now // MS,
            }
            for named in rows
        ]  # fmt: skip
        return made[0] if "symbol" in request.query else made

    def _get_fundingRate(self, request: Request) -> Any:
        named, count = self._find(request), min(request.number("limit", 100), 1_000)
        begins = request.number("startTime", 0) * MS
        ends = request.number("endTime", request.now // MS) * MS
        rows = past_rates(named.market, begins, min(ends, request.now), count)
        return [
            {
                "symbol": named.raw_id, "fundingTime": stamp // MS, "fundingRate": rate,
                "markPrice": named.price(named.market.mark),
            }
            for stamp, rate in rows
        ]  # fmt: skip

    def _get_fundingInfo(self, _request: Request) -> Any:
        hours = FUNDING_NS // (3_600_000 * MS)
        return [{"symbol": n.raw_id, "fundingIntervalHours": hours} for n in self.named if n.listing.settle]

    def on_text(self, connection: Connection, text: str, now: int) -> None:
        """Take SUBSCRIBE, UNSUBSCRIBE and LIST_SUBSCRIPTIONS; answered with the same id."""
        try:
            message = json.loads(text)
            method, streams = message["method"], message.get("params", [])
        except (ValueError, KeyError, TypeError):
            connection.say('{"error":{"code":2,"msg":"Invalid request"}}')
            return
        futures = "fstream" in connection.path
        answer: Any = None
        for stream in streams if method in ("SUBSCRIBE", "UNSUBSCRIBE") else ():
            name, _, channel = str(stream).partition("@")
            topic = f"{self._key(futures, name)}@{RATE.sub('', channel)}"
            (self.outlet.listen if method == "SUBSCRIBE" else self.outlet.unlisten)(connection, topic)
        if method == "LIST_SUBSCRIPTIONS":
            answer = sorted(topic.partition("/")[2] for topic in connection.topics)
        connection.say(json.dumps({"result": answer, "id": message.get("id")}))

    def on_depth(self, named: Named, levels: Sequence[Level]) -> None:
        """Tell of changed levels (`depthUpdate`), and of the touch (`bookTicker`)."""
        market, futures = named.market, bool(named.listing.settle)
        key = self._key(futures, named.raw_id)
        stamp = market.stamp // MS
        topic = f"{key}@depth"
        if self.topic_is_heard(topic):
            extra = f'"T":{stamp},' if futures else ""
            before = f'"pu":{market.before_last},' if futures else ""
            self.outlet.send(topic, "depth", (
                f'{{"e":"depthUpdate","E":{stamp},{extra}"s":"{named.raw_id}","U":{market.first_of_last},'
                f'"u":{market.update_id},{before}"b":[{named.changed(levels, BIDS)}],"a":[{named.changed(levels, 1)}]}}'
            ))  # fmt: skip
        topic = f"{key}@bookTicker"
        if self.topic_is_heard(topic):
            bids, asks = named.bids_asks
            if bids and asks and (bids, asks) != named.told:
                named.told = (bids, asks)
                times = f'"e":"bookTicker","T":{stamp},"E":{stamp},' if futures else ""
                self.outlet.send(topic, "quotes", (
                    f'{{{times}"u":{market.update_id},"s":"{named.raw_id}","b":"{named.price(bids[0][0])}",'
                    f'"B":"{named.qty(bids[0][1])}","a":"{named.price(asks[0][0])}","A":"{named.qty(asks[0][1])}"}}'
                ))  # fmt: skip

    def on_trade(self, named: Named, trade: Trade) -> None:
        """Tell of a trade, as `trade` and as `aggTrade`."""
        futures = bool(named.listing.settle)
        key = self._key(futures, named.raw_id)
        stamp = trade.ts // MS
        maker = "true" if trade.side < 0 else "false"
        head = f'"E":{stamp},"T":{stamp},"s":"{named.raw_id}","p":"{named.price(trade.price)}","q":"{named.qty(trade.lots)}"'
        if self.topic_is_heard(topic := f"{key}@trade"):
            last = '"X":"MARKET"' if futures else '"M":true'
            self.outlet.send(topic, "trades", f'{{"e":"trade",{head},"t":{trade.id},"m":{maker},{last}}}')
        if self.topic_is_heard(topic := f"{key}@aggTrade"):
            ids = f'"a":{trade.id - AGGREGATES_BEHIND},"f":{trade.id},"l":{trade.id}'
            self.outlet.send(topic, "trades", f'{{"e":"aggTrade",{head},{ids},"m":{maker},"M":true}}')

    def on_time(self, now: int) -> None:
        """Tell of candles, four times a second and when they end, and of mark prices."""
        for topic in list(self.outlet.listeners):
            name, _, channel = topic.partition("@")
            named = self.by_id.get(name)
            if named is None:
                continue
            if channel.startswith("kline_"):
                self._candles(topic, named, channel.removeprefix("kline_"), now)
            elif channel in MARK_EVERY and self._due(topic, now, MARK_EVERY[channel]):
                self._mark(topic, named, now)

    def _due(self, topic: str, now: int, every: int) -> bool:
        """Return whether a topic's time has come, and note it."""
        if now // every == self.clock.get(topic, 0) // every:
            return False
        self.clock[topic] = now
        return True

    def _candles(self, topic: str, named: Named, interval: str, now: int) -> None:
        """Tell of the candle that has ended since the last look, then of the one that grows."""
        try:
            step = interval_ns(interval)
        except ValueError:
            return
        before = self.clock.get(topic, now)
        if not self._due(topic, now, CANDLE_EVERY):
            return
        named.market.candles.roll(now)
        for row in named.market.candles.between(step, before - before % step, now):
            self.outlet.send(topic, "ohlcv", _kline_event(named, row, interval, step, now))

    def _mark(self, topic: str, named: Named, now: int) -> None:
        price = named.price(named.market.mark)
        self.outlet.send(topic, "funding", (
            f'{{"e":"markPriceUpdate","E":{now // MS},"s":"{named.raw_id}","p":"{price}","P":"{price}","i":"{price}",'
            f'"r":"{rate_text(named.market, now)}","T":{next_funding(now) // MS}}}'
        ))  # fmt: skip


def _symbol(named: Named) -> dict[str, Any]:
    """Return what exchangeInfo says of a symbol."""
    listing = named.listing
    tick, lot = (format(step.normalize(), "f") for step in (listing.tick_size, listing.lot_size))
    filters: list[dict[str, Any]] = [
        {"filterType": "PRICE_FILTER", "minPrice": tick, "maxPrice": "1000000000", "tickSize": tick},
        {"filterType": "LOT_SIZE", "minQty": lot, "maxQty": "9000000", "stepSize": lot},
        {"filterType": "MARKET_LOT_SIZE", "minQty": lot, "maxQty": "9000000", "stepSize": lot},
    ]
    shared = {
        "symbol": named.raw_id, "status": "TRADING", "baseAsset": listing.base, "quoteAsset": listing.quote,
        "baseAssetPrecision": PLACES, "quotePrecision": PLACES, "orderTypes": ["LIMIT", "MARKET"], "filters": filters,
    }  # fmt: skip
    if not listing.settle:
        filters.append(
            {"filterType": "NOTIONAL", "minNotional": str(listing.min_notional), "applyMinToMarket": True}
        )
        return {
            **shared,
            "isSpotTradingAllowed": True,
            "isMarginTradingAllowed": False,
            "permissions": ["SPOT"],
        }
    filters.append({"filterType": "MIN_NOTIONAL", "notional": str(listing.min_notional)})
    return {
        **shared, "pair": named.raw_id, "contractType": "PERPETUAL", "contractStatus": "TRADING",
        "deliveryDate": 4133404800000, "onboardDate": 1567965300000, "marginAsset": listing.settle,
        "pricePrecision": len(tick.partition(".")[2]), "quantityPrecision": len(lot.partition(".")[2]),
    }  # fmt: skip


def _trade(named: Named, trade: Trade) -> dict[str, Any]:
    return {
        "id": trade.id, "price": named.price(trade.price), "qty": named.qty(trade.lots),
        "quoteQty": named.cost(trade.price * trade.lots), "time": trade.ts // MS, "isBuyerMaker": trade.side < 0,
        **({} if named.listing.settle else {"isBestMatch": True}),
    }  # fmt: skip


def _aggregate(named: Named, trade: Trade) -> dict[str, Any]:
    return {
        "a": trade.id - AGGREGATES_BEHIND, "p": named.price(trade.price), "q": named.qty(trade.lots), "f": trade.id,
        "l": trade.id, "T": trade.ts // MS, "m": trade.side < 0, **({} if named.listing.settle else {"M": True}),
    }  # fmt: skip


def _kline_row(named: Named, row: Candle, step: int) -> list[Any]:
    mean = row.turnover * row.bought // row.lots if row.lots else 0
    return [
        row.start // MS, *(named.price(price) for price in row[1:5]), named.qty(row.lots), (row.start + step) // MS - 1,
        named.cost(row.turnover), row.trades, named.qty(row.bought), named.cost(mean), "0",
    ]  # fmt: skip


def _kline_event(named: Named, row: Candle, interval: str, step: int, now: int) -> str:
    start, opened, high, low, close, lots, end, turnover, trades, bought, cost, _ = _kline_row(
        named, row, step
    )
    last = named.market.trades.next_id - 1
    return json.dumps({
        "e": "kline", "E": now // MS, "s": named.raw_id,
        "k": {
            "t": start, "T": end, "s": named.raw_id, "i": interval, "f": max(last - trades + 1, 0), "L": last,
            "o": opened, "c": close, "h": high, "l": low, "v": lots, "n": trades, "x": now >= row.start + step,
            "q": turnover, "V": bought, "Q": cost, "B": "0",
        },
    }, separators=(",", ":"))  # fmt: skip
