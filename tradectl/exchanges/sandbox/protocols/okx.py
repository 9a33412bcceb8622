"""OKX v5: spot and linear swaps of 0.01 base units; markets, books with checksum and `seqId`, trades, touch."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
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
from tradectl.history.importers.checksum import OKX_LEVELS, okx_checksum

__all__ = ["Okx"]

DEPTHS = {"books": 400, "books5": 5, "bbo-tbt": 1}
CONTRACT = Decimal("0.01")  # base units of one contract of a swap
UNITS = {"m": MINUTE_NS, "H": 60 * MINUTE_NS, "D": 1_440 * MINUTE_NS, "W": 10_080 * MINUTE_NS}
MOST_TRADES, MOST_HISTORY, MOST_CANDLES = 500, 100, 300
FIRST_SEQ = 123_456


class Okx(Protocol):
    """A book's changes name the `seqId` before them; the checksum is that of the 25 best levels."""

    name = "okx"
    hosts = ("www.okx.com", "ws.okx.com:443", "ws.okx.com")
    has_checksum = True

    def __init__(self, outlet: Outlet) -> None:
        super().__init__(outlet)
        self.books: dict[str, Window] = {}  # topic -> what its listeners are shown

    def name_market(self, market: Market) -> tuple[str, Named]:
        """Name a market; a swap's quantities are contracts."""
        listing = market.listing
        raw_id = f"{listing.base}-{listing.quote}" + ("-SWAP" if listing.settle else "")
        return raw_id, Named(market, raw_id, unit=CONTRACT if listing.settle else Decimal(1))

    def rest(self, request: Request) -> Any:
        """Answer a call of api/v5/public or api/v5/market."""
        handler = getattr(self, f"_get_{request.path.rpartition('/')[2].replace('-', '_')}", None)
        if handler is None:
            raise Status(404, {"code": "404", "msg": "Not Found", "data": []})
        try:
            return {"code": "0", "msg": "", "data": handler(request)}
        except ValueError as error:
            raise Status(200, {"code": "51000", "msg": "Parameter error", "data": []}) from error

    def limit(self, wait_s: int) -> tuple[Any, dict[str, str]]:
        """Return its own words; it does not tell for how long."""
        return {"msg": "Too Many Requests", "code": "50011"}, {}

    def _find(self, request: Request) -> Named:
        named = self.by_id.get(request.query.get("instId", ""))
        if named is None:
            raise Status(200, {"code": "51001", "msg": "Instrument ID does not exist", "data": []})
        return named

    def _get_time(self, request: Request) -> Any:
        return [{"ts": str(request.now // MS)}]

    def _get_instruments(self, request: Request) -> Any:
        kind = request.query.get("instType", "")
        return [_instrument(named) for named in self.named if _kind(named) == kind]

    def _get_books(self, request: Request) -> Any:
        named, count = self._find(request), request.number("sz", 1)
        asks, bids = ([[*pair, "0", "1"] for pair in named.pairs(side, count)] for side in (ASKS, BIDS))
        stamp = str(named.market.depth_stamp // MS)
        return [{"asks": asks, "bids": bids, "ts": stamp, "seqId": named.market.update_id}]

    def _get_trades(self, request: Request) -> Any:
        named = self._find(request)
        rows = named.market.trades.latest(min(request.number("limit", 100), MOST_TRADES))
        return [_trade(named, trade) for trade in reversed(rows)]

    def _get_history_trades(self, request: Request) -> Any:
        """Return the trades with ids below `after`, newest first; with `type` 2 `after` is a time."""
        named, count = self._find(request), min(request.number("limit", MOST_HISTORY), MOST_HISTORY)
        log, after = named.market.trades, request.number("after", 0)
        if request.query.get("type") == "2" and after:
            after = log.since(after * MS)
        last = (after or log.next_id) - 1
        first = max(last - count + 1, request.number("before", 0) + 1)
        return [_trade(named, trade) for trade in reversed(list(log.between(first, last)))]

    def _get_candles(self, request: Request) -> Any:
        """Return candles that begin before `after` and after `before`, newest first."""
        named, text = self._find(request), request.query.get("bar", "1m").removesuffix("utc")
        if text[-1] not in UNITS:
            raise ValueError(text)
        step, count = int(text[:-1]) * UNITS[text[-1]], min(request.number("limit", 100), MOST_CANDLES)
        named.market.candles.roll(request.now)
        last = request.number("after", request.now // MS + 1) * MS - 1
        first = request.number("before", 0) * MS + 1
        rows = named.market.candles.between(step, max(first, last - (count + 1) * step), last)
        return [
            [
                str(r.start // MS), *(named.price(p) for p in r[1:5]), named.qty(r.lots), named.qty(r.lots),
                named.cost(r.turnover), "1" if r.start + step <= request.now else "0",
            ]
            for r in reversed(rows[-count:])
        ]  # fmt: skip

    _get_history_candles = _get_candles

    def on_text(self, connection: Connection, text: str, now: int) -> None:
        """Take subscribe, unsubscribe and the bare word ping; a book begins with its snapshot."""
        if text == "ping":
            connection.say("pong")
            return
        message = read_object(text)
        method = message.get("op")
        if method is None:
            connection.say(json_text({"event": "error", "code": "60012", "msg": f"Illegal request: {text}"}))
        for wanted in message.get("args") or ():
            channel, raw_id = wanted.get("channel"), wanted.get("instId")
            arg = {"channel": channel, "instId": raw_id}
            if raw_id not in self.by_id or channel not in (*DEPTHS, "trades", "trades-all"):
                wrong = f"Wrong URL or channel:{channel},instId:{raw_id} doesn't exist"
                connection.say(json_text({"event": "error", "code": "60018", "msg": wrong}))
                continue
            connection.say(json_text({"event": method, "arg": arg, "connId": "sandbox"}))
            if method == "subscribe":
                self._subscribe(connection, channel, self.by_id[raw_id])
            else:
                self.outlet.unlisten(connection, f"{channel}/{raw_id}")

    def _subscribe(self, connection: Connection, channel: str, named: Named) -> None:
        topic = f"{channel}/{named.raw_id}"
        if channel in DEPTHS:
            if not self.is_heard(topic):
                self.books[topic] = Window(named.market, DEPTHS[channel], tells_leaving=True)
            connection.say(
                _book(named, channel, "snapshot", _best(named, channel), (-1, self.books[topic].update_id))
            )
        self.outlet.listen(connection, topic)

    def on_depth(self, named: Named, levels: Sequence[Level]) -> None:
        """Tell of changes of the book, and of the best levels where these changed."""
        for channel in DEPTHS:
            topic = f"{channel}/{named.raw_id}"
            if not self.is_heard(topic) or not (changed := self.books[topic].changes(levels)):
                continue
            book = self.books[topic]
            before, book.update_id = book.update_id, named.market.update_id
            rows, kind = (changed, "depth") if channel == "books" else (_best(named, channel), "quotes")
            self.outlet.send(topic, kind, _book(named, channel, "update", rows, (before, book.update_id)))

    def on_trade(self, named: Named, trade: Trade) -> None:
        """Tell of a trade."""
        for channel in ("trades", "trades-all"):
            if self.is_heard(topic := f"{channel}/{named.raw_id}"):
                head = f'{{"arg":{{"channel":"{channel}","instId":"{named.raw_id}"}},"data":['
                self.outlet.send(topic, "trades", f"{head}{json_text(_trade(named, trade))}]}}")


def _kind(named: Named) -> str:
    return "SWAP" if named.is_perpetual else "SPOT"


def _best(named: Named, channel: str) -> list[Level]:
    return [(side, *row) for side in (BIDS, ASKS) for row in named.market.best(side, DEPTHS[channel])]


def _trade(named: Named, trade: Trade) -> dict[str, str]:
    return {
        "instId": named.raw_id, "tradeId": str(trade.id), "px": named.price(trade.price), "sz": named.qty(trade.lots),
        "side": "buy" if trade.side > 0 else "sell", "ts": str(trade.ts // MS), "count": "1",
    }  # fmt: skip


def _book(named: Named, channel: str, action: str, levels: Sequence[Level], ids: tuple[int, int]) -> str:
    """Return a message of a book channel; only `books` says whether it is a snapshot, and its checksum."""
    price, qty, market = named.price, named.qty, named.market
    bids, asks = (
        ",".join([f'["{price(p)}","{qty(n)}","0","1"]' for k, p, n in levels if k == side])
        for side in (BIDS, ASKS)
    )
    head, tail = "", ""
    if channel == "books":
        best = [[(price(p), qty(n)) for p, n in market.best(side, OKX_LEVELS)] for side in (BIDS, ASKS)]
        head, tail = f'"action":"{action}",', f',"checksum":{okx_checksum(*best)},"prevSeqId":{ids[0]}'
    return (
        f'{{"arg":{{"channel":"{channel}","instId":"{named.raw_id}"}},{head}"data":[{{"asks":[{asks}],"bids":[{bids}],'
        f'"ts":"{market.depth_stamp // MS}"{tail},"seqId":{ids[1]}}}]}}'
    )


def _instrument(named: Named) -> dict[str, Any]:
    listing, swap = named.listing, named.is_perpetual
    return {
        "instType": _kind(named), "instId": named.raw_id, "baseCcy": "" if swap else listing.base,
        "quoteCcy": "" if swap else listing.quote, "settleCcy": listing.settle, "state": "live",
        "uly": f"{listing.base}-{listing.quote}" if swap else "", "ctVal": str(CONTRACT) if swap else "",
        "ctMult": "1" if swap else "", "ctValCcy": listing.base if swap else "", "ctType": "linear" if swap else "",
        "tickSz": named.tick_text, "lotSz": named.lot_text, "minSz": named.lot_text, "maxLmtSz": "1000000",
        "lever": "10", "listTime": "1548133413000", "expTime": "", "instFamily": "",
    }  # fmt: skip
