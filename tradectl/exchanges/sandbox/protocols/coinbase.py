"""Coinbase Advanced Trade: spot; products, level2 and market trades, every message counted by connection."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tradectl.exchanges.sandbox.candles import MINUTE_NS, SECOND_NS
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

__all__ = ["Coinbase"]

CHANNELS = {"level2": "l2_data", "market_trades": "market_trades", "heartbeats": "heartbeats"}
INTERVALS = {
    "ONE_MINUTE": 1,
    "FIVE_MINUTE": 5,
    "FIFTEEN_MINUTE": 15,
    "THIRTY_MINUTE": 30,
    "ONE_HOUR": 60,
    "ONE_DAY": 1_440,
}
MOST_TRADES, MOST_CANDLES, TRADES_SHOWN = 1_000, 350, 10
FIAT = ("USD", "EUR", "GBP")


class Coinbase(Protocol):
    """Trades name the maker's side; `sequence_num` counts all messages of a connection, whatever their channel."""

    name = "coinbase"
    hosts = ("api.coinbase.com", "advanced-trade-ws.coinbase.com")
    defaults = ("BTC/USD", "ETH/USD")
    has_perpetuals = False

    def __init__(self, outlet: Outlet) -> None:
        super().__init__(outlet)
        self.numbers: dict[Connection, int] = {}  # next sequence_num

    def name_market(self, market: Market) -> tuple[str, Named]:
        """Name a product."""
        raw_id = f"{market.listing.base}-{market.listing.quote}"
        return raw_id, Named(market, raw_id)

    def rest(self, request: Request) -> Any:
        """Answer a public call of v2 or api/v3/brokerage."""
        parts = request.path.split("/")
        try:
            if parts[:5] == ["api", "v3", "brokerage", "market", "products"] and len(parts) > 5:
                named = self._find(parts[5])
                if len(parts) == 6:
                    return _product(named)
                return {"ticker": self._ticker, "candles": self._candles}[parts[6]](named, request)
            return getattr(self, f"_get_{parts[-1].replace('-', '_')}")(request)
        except (AttributeError, KeyError) as error:
            raise Status(404, {"error": "NOT_FOUND", "message": "no such call"}) from error
        except ValueError as error:
            raise Status(400, {"error": "INVALID_ARGUMENT", "message": str(error)}) from error

    def _find(self, raw_id: str) -> Named:
        if raw_id not in self.by_id:
            raise Status(400, {"error": "INVALID_ARGUMENT", "message": f"ProductID {raw_id} is invalid"})
        return self.by_id[raw_id]

    def _get_time(self, request: Request) -> Any:
        seconds = request.now // SECOND_NS
        if request.path.startswith("v2"):
            return {"data": {"iso": utc_text(request.now, 0), "epoch": seconds}}
        return {
            "iso": utc_text(request.now, 0),
            "epochSeconds": str(seconds),
            "epochMillis": str(request.now // 1_000_000),
        }

    def _codes(self) -> list[str]:
        return sorted({code for named in self.named for code in (named.listing.base, named.listing.quote)})

    def _get_currencies(self, _request: Request) -> Any:
        return {
            "data": [{"id": code, "name": code, "min_size": "0.01"} for code in self._codes() if code in FIAT]
        }

    def _get_crypto(self, _request: Request) -> Any:
        there = [code for code in self._codes() if code not in FIAT]
        return {"data": [{"asset_id": f"sandbox-{code}", "code": code, "name": code} for code in there]}

    def _get_exchange_rates(self, _request: Request) -> Any:
        return {"data": {"currency": "USD", "rates": dict.fromkeys(self._codes(), "1")}}

    def _get_products(self, request: Request) -> Any:
        rows = [] if request.query.get("product_type") == "FUTURE" else self.named
        return {"products": [_product(named) for named in rows], "num_products": len(rows), "data": []}

    def _get_product_book(self, request: Request) -> Any:
        named, count = self._find(request.query.get("product_id", "")), request.number("limit", 0)
        sides = [[{"price": p, "size": n} for p, n in named.pairs(side, count)] for side in (BIDS, ASKS)]
        stamp = utc_text(named.market.depth_stamp, 6)
        return {"pricebook": {"product_id": named.raw_id, "bids": sides[0], "asks": sides[1], "time": stamp}}

    def _ticker(self, named: Named, request: Request) -> Any:
        """Return trades in [start, end) seconds, newest first: the last ones there are."""
        count, log = min(request.number("limit", 100), MOST_TRADES), named.market.trades
        first = log.since(request.number("start", 0) * SECOND_NS)
        last = log.since((request.number("end", 0) or request.now) * SECOND_NS) - 1
        rows = list(log.between(max(first, last - count + 1), last))
        return {"trades": [_trade(named, trade) for trade in reversed(rows)]}

    def _candles(self, named: Named, request: Request) -> Any:
        step = INTERVALS[request.query.get("granularity", "ONE_MINUTE")] * MINUTE_NS
        named.market.candles.roll(request.now)
        ends = min(request.number("end", request.now // SECOND_NS) * SECOND_NS, request.now)
        begins = request.number("start", 0) * SECOND_NS or ends - MOST_CANDLES * step
        rows = named.market.candles.between(step, begins, ends)[:MOST_CANDLES]
        names = ("open", "high", "low", "close")
        return {"candles": [
            {
                "start": str(row.start // SECOND_NS), "volume": named.qty(row.lots),
                **{name: named.price(price) for name, price in zip(names, row[1:5], strict=True)},
            }
            for row in reversed(rows)
        ]}  # fmt: skip

    def on_end(self, connection: Connection) -> None:
        """Forget a client."""
        super().on_end(connection)
        self.numbers.pop(connection, None)

    def on_text(self, connection: Connection, text: str, now: int) -> None:
        """Take subscribe and unsubscribe of one channel; what begins with a snapshot begins with it."""
        message = read_object(text)
        method, channel, products = (
            message.get("type"),
            message.get("channel"),
            message.get("product_ids") or [],
        )
        if method is None or channel is None:
            connection.say('{"type":"error","message":"failure to parse request"}')
            return
        wrong = [product for product in products if product not in self.by_id]
        if channel not in CHANNELS or wrong:
            what = f"invalid channel {channel}" if not wrong else f"{wrong[0]} is not a valid product"
            connection.say(json_text({"type": "error", "message": what}))
            return
        for product in products or ("",):
            topic = self._topic(connection, channel, product)
            (self.outlet.listen if method == "subscribe" else self.outlet.unlisten)(connection, topic)
        names: dict[str, list[str]] = {}
        for topic in sorted(connection.topics):
            name, _, product = topic.partition("/")[2].partition("/")
            names.setdefault(name, []).append(product)
        events = [{"subscriptions": names}]
        for product in products if method == "subscribe" else ():
            first = self._first(channel, self.by_id[product])
            if first:
                connection.say(self._message(connection, CHANNELS[channel], first, now))
        connection.say(self._message(connection, "subscriptions", json_text(events), now))

    @staticmethod
    def _topic(connection: Connection, channel: str, product: str) -> str:
        return f"{id(connection)}/{channel}/{product}"

    def _message(self, connection: Connection, channel: str, events: str, now: int) -> str:
        """Return a message under the connection's next number; `events` is JSON."""
        number = self.numbers.get(connection, 0)
        self.numbers[connection] = number + 1
        head = f'{{"channel":"{channel}","client_id":"","timestamp":"{utc_text(now)}"'
        return f'{head},"sequence_num":{number},"events":{events}}}'

    @staticmethod
    def _first(channel: str, named: Named) -> str:
        if channel == "level2":
            return _updates(
                named,
                "snapshot",
                [(side, *row) for side in (BIDS, ASKS) for row in named.market.best(side, 0)],
            )
        if channel == "market_trades":
            rows = [_trade(named, trade) for trade in reversed(named.market.trades.latest(TRADES_SHOWN))]
            return json_text([{"type": "snapshot", "trades": rows}]) if rows else ""
        return ""

    def _tell(self, channel: str, kind: str, named: Named, events: str) -> None:
        """Send events to every connection that listens, each under its own number."""
        for connection in self.outlet.connections:
            if self.is_heard(topic := self._topic(connection, channel, named.raw_id)):
                text = self._message(connection, CHANNELS[channel], events, named.market.stamp)
                self.outlet.send(topic, kind, text)

    def on_depth(self, named: Named, levels: Sequence[Level]) -> None:
        """Tell of changed levels."""
        if self.outlet.listeners:
            self._tell("level2", "depth", named, _updates(named, "update", levels))

    def on_trade(self, named: Named, trade: Trade) -> None:
        """Tell of a trade."""
        if self.outlet.listeners:
            self._tell(
                "market_trades",
                "trades",
                named,
                json_text([{"type": "update", "trades": [_trade(named, trade)]}]),
            )

    def on_time(self, now: int) -> None:
        """Let those who listen to heartbeats hear one a second."""
        if self.is_due("heartbeat", now, SECOND_NS):
            for connection in self.outlet.connections:
                if self._topic(connection, "heartbeats", "") in connection.topics:
                    events = json_text(
                        [{"current_time": utc_text(now), "heartbeat_counter": str(now // SECOND_NS)}]
                    )
                    connection.say(self._message(connection, "heartbeats", events, now))


def _updates(named: Named, kind: str, levels: Sequence[Level]) -> str:
    price, qty, stamp = named.price, named.qty, utc_text(named.market.depth_stamp, 6)
    rows = ",".join([
        f'{{"side":"{"offer" if side else "bid"}","event_time":"{stamp}",'
        f'"price_level":"{price(p)}","new_quantity":"{qty(n)}"}}'
        for side, p, n in levels
    ])  # fmt: skip
    return f'[{{"type":"{kind}","product_id":"{named.raw_id}","updates":[{rows}]}}]'


def _trade(named: Named, trade: Trade) -> dict[str, str]:
    return {
        "trade_id": str(trade.id), "product_id": named.raw_id, "price": named.price(trade.price),
        "size": named.qty(trade.lots), "side": "SELL" if trade.side > 0 else "BUY", "time": utc_text(trade.ts, 6),
    }  # fmt: skip


def _product(named: Named) -> dict[str, Any]:
    listing, last = named.listing, named.price(named.market.last_price)
    return {
        "product_id": named.raw_id, "price": last, "base_currency_id": listing.base, "quote_currency_id": listing.quote,
        "base_increment": named.lot_text, "quote_increment": named.tick_text, "price_increment": named.tick_text,
        "base_min_size": named.lot_text, "base_max_size": "3400", "quote_min_size": "1", "quote_max_size": "150000000",
        "product_type": "SPOT", "status": "online", "trading_disabled": False, "is_disabled": False, "alias": "",
        "alias_to": [], "base_name": listing.base, "quote_name": listing.quote, "volume_24h": "0",
    }  # fmt: skip
