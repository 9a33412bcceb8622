"""Binance: spot and USD-M futures, REST v3 and fapi v1, streams of books, trades, quotes, candles, mark prices."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from tradectl.exchanges.sandbox.candles import Candle
from tradectl.exchanges.sandbox.market import ASKS, BIDS, Level, Market, Trade
from tradectl.exchanges.sandbox.outlet import Connection
from tradectl.exchanges.sandbox.protocols.base import (
    MS,
    Named,
    Protocol,
    Request,
    Status,
    interval_ns,
    json_text,
    read_object,
)
from tradectl.exchanges.sandbox.protocols.binance_rows import (
    AGGREGATES_BEHIND,
    PLACES,
    aggregate_row,
    kline_event,
    kline_row,
    symbol_info,
    trade_row,
)
from tradectl.exchanges.sandbox.protocols.funding import FUNDING_NS, next_funding, past_rates, rate_text

__all__ = ["Binance"]

SPOT_HOSTS = ("api.binance.com", "stream.binance.com:9443", "stream.binance.com", "ws-api.binance.com:443")
FUTURES_HOSTS = ("fapi.binance.com", "fstream.binance.com")
DELIVERY_HOSTS = ("dapi.binance.com", "dstream.binance.com")
MARK_EVERY, MARK_SLOW = {"markPrice@1s": 1_000 * MS}, 3_000 * MS
MOST_ROWS = {"spot": 1_000, "futures": 1_500}
INVALID = {"code": -1121, "msg": "Invalid symbol."}
MALFORMED = {"code": -1100, "msg": "Illegal characters found in a parameter."}
UNKNOWN = {"code": -1, "msg": "The sandbox has no such call."}
RATE = re.compile(r"(?<=^depth)@\d+ms$")  # how often diffs are wanted; here each change is one


class Binance(Protocol):
    """Spot markets and linear perpetuals; COIN-M answers that it has none."""

    name = "binance"
    hosts = (*SPOT_HOSTS, *FUTURES_HOSTS, *DELIVERY_HOSTS)

    def name_market(self, market: Market) -> tuple[str, Named]:
        """Name a market: of spot, or of USD-M where it settles."""
        futures = bool(market.listing.settle)
        named = Named(
            market, f"{market.listing.base}{market.listing.quote}", (0, 0) if futures else (PLACES, PLACES)
        )
        return self._key(futures, named.raw_id), named

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
        rows = [] if request.host in DELIVERY_HOSTS else [n for n in self.named if n.is_perpetual == futures]
        return {
            "timezone": "UTC", "serverTime": request.now // MS, "rateLimits": [], "exchangeFilters": [],
            "symbols": [symbol_info(named) for named in rows],
        }  # fmt: skip

    def _get_depth(self, request: Request) -> Any:
        named = self._find(request)
        count, market = request.number("limit", 100), named.market
        made = {
            "lastUpdateId": market.update_id,
            "bids": named.pairs(BIDS, count),
            "asks": named.pairs(ASKS, count),
        }
        if named.is_perpetual:
            stamp = market.depth_stamp // MS
            return {"lastUpdateId": market.update_id, "E": stamp, "T": stamp, **made}
        return made

    def _get_trades(self, request: Request) -> Any:
        named = self._find(request)
        return [
            trade_row(named, trade)
            for trade in named.market.trades.latest(min(request.number("limit", 500), 1_000))
        ]

    def _get_historicalTrades(self, request: Request) -> Any:
        named = self._find(request)
        count = min(request.number("limit", 500), 500 if named.is_perpetual else 1_000)
        first = request.number("fromId", named.market.trades.next_id - count)
        return [trade_row(named, trade) for trade in named.market.trades.between(first, first + count - 1)]

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
        return [aggregate_row(named, trade) for trade in rows if ends < MS or trade.ts <= ends]

    def _get_klines(self, request: Request) -> Any:
        named = self._find(request)
        step = interval_ns(request.query.get("interval", ""))
        most = MOST_ROWS["futures" if named.is_perpetual else "spot"]
        count, now = min(request.number("limit", 500), most), request.now
        named.market.candles.roll(now)
        ends = min(request.number("endTime", now // MS) * MS, now)
        if "startTime" in request.query:
            begins = request.number("startTime", 0) * MS
            rows = named.market.candles.between(step, begins, min(ends, begins + count * step))[:count]
        else:
            rows = named.market.candles.between(step, ends - count * step, ends)[-count:]
        return [kline_row(named, row, step) for row in rows]

    def _get_bookTicker(self, request: Request) -> Any:
        named = self._find(request)
        (bid, bid_qty), (ask, ask_qty) = (named.pairs(side, 1)[0] for side in (BIDS, ASKS))
        return {
            "symbol": named.raw_id,
            "bidPrice": bid,
            "bidQty": bid_qty,
            "askPrice": ask,
            "askQty": ask_qty,
        }

    def _get_premiumIndex(self, request: Request) -> Any:
        rows = (
            [self._find(request)] if "symbol" in request.query else [n for n in self.named if n.is_perpetual]
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
        return [{"symbol": n.raw_id, "fundingIntervalHours": hours} for n in self.named if n.is_perpetual]

    def on_text(self, connection: Connection, text: str, now: int) -> None:
        """Take SUBSCRIBE, UNSUBSCRIBE and LIST_SUBSCRIPTIONS; answered with the same id."""
        message = read_object(text)
        method, streams = message.get("method"), message.get("params") or []
        if method is None:
            connection.say('{"error":{"code":2,"msg":"Invalid request"}}')
            return
        futures, answer = "fstream" in connection.path, None
        for stream in streams if method in ("SUBSCRIBE", "UNSUBSCRIBE") else ():
            name, _, channel = str(stream).partition("@")
            key = self._key(futures, name)
            topic = f"{key}@{RATE.sub('', channel)}"
            if channel.startswith("kline_") and key in self.by_id and topic not in self.candles:
                self._list_candles(topic, self.by_id[key], channel.removeprefix("kline_"))
            (self.outlet.listen if method == "SUBSCRIBE" else self.outlet.unlisten)(connection, topic)
        if method == "LIST_SUBSCRIPTIONS":
            answer = sorted(topic.partition("/")[2] for topic in connection.topics)
        connection.say(json_text({"result": answer, "id": message.get("id")}))

    def _list_candles(self, topic: str, named: Named, interval: str) -> None:
        with suppress(ValueError):  # a stream that does not exist stays silent, as on the venue
            self.candles[topic] = (named, interval, interval_ns(interval))

    def on_depth(self, named: Named, levels: Sequence[Level]) -> None:
        """Tell of changed levels (`depthUpdate`), and of the touch (`bookTicker`)."""
        market, futures, raw_id = named.market, named.is_perpetual, named.raw_id
        key = self._key(futures, raw_id)
        stamp = market.stamp // MS
        if self.is_heard(topic := f"{key}@depth"):
            extra, before = (f'"T":{stamp},', f'"pu":{market.before_last},') if futures else ("", "")
            bids, asks = named.changed(levels, BIDS), named.changed(levels, ASKS)
            self.outlet.send(topic, "depth", (
                f'{{"e":"depthUpdate","E":{stamp},{extra}"s":"{raw_id}","U":{market.first_of_last},'
                f'"u":{market.update_id},{before}"b":[{bids}],"a":[{asks}]}}'
            ))  # fmt: skip
        if self.is_heard(topic := f"{key}@bookTicker") and (touch := named.touch()) is not None:
            bid, bid_qty, ask, ask_qty = touch
            times = f'"e":"bookTicker","T":{stamp},"E":{stamp},' if futures else ""
            self.outlet.send(topic, "quotes", (
                f'{{{times}"u":{market.update_id},"s":"{raw_id}","b":"{bid}","B":"{bid_qty}","a":"{ask}","A":"{ask_qty}"}}'
            ))  # fmt: skip

    def on_trade(self, named: Named, trade: Trade) -> None:
        """Tell of a trade, as `trade` and as `aggTrade`."""
        futures, stamp = named.is_perpetual, trade.ts // MS
        key = self._key(futures, named.raw_id)
        maker = "true" if trade.side < 0 else "false"
        price, qty = named.price(trade.price), named.qty(trade.lots)
        head = f'"E":{stamp},"T":{stamp},"s":"{named.raw_id}","p":"{price}","q":"{qty}"'
        if self.is_heard(topic := f"{key}@trade"):
            last = '"X":"MARKET"' if futures else '"M":true'
            self.outlet.send(topic, "trades", f'{{"e":"trade",{head},"t":{trade.id},"m":{maker},{last}}}')
        if self.is_heard(topic := f"{key}@aggTrade"):
            ids = f'"a":{trade.id - AGGREGATES_BEHIND},"f":{trade.id},"l":{trade.id}'
            last = "" if futures else ',"M":true'
            self.outlet.send(topic, "trades", f'{{"e":"aggTrade",{head},{ids},"m":{maker}{last}}}')

    def candle_text(self, named: Named, row: Candle, interval: str, step: int, now: int) -> str:
        """Return a `kline` message."""
        return kline_event(named, row, interval, step, now)

    def on_time(self, now: int) -> None:
        """Tell of candles and of mark prices."""
        super().on_time(now)
        for topic in [topic for topic in self.outlet.listeners if "@markPrice" in topic]:
            name, _, channel = topic.partition("@")
            if name in self.by_id and self.is_due(topic, now, MARK_EVERY.get(channel, MARK_SLOW)):
                self._mark(topic, self.by_id[name], now)

    def _mark(self, topic: str, named: Named, now: int) -> None:
        price = named.price(named.market.mark)
        self.outlet.send(topic, "funding", (
            f'{{"e":"markPriceUpdate","E":{now // MS},"s":"{named.raw_id}","p":"{price}","P":"{price}","i":"{price}",'
            f'"r":"{rate_text(named.market, now)}","T":{next_funding(now) // MS}}}'
        ))  # fmt: skip
