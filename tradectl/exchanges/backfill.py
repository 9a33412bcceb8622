"""What a feed asks of a venue over REST: the snapshot of a book, and the trades that did not come.

Trades are asked for by id where the venue allows it: time stamps do not tell apart trades of one millisecond.
Each venue's function returns ccxt's unified trades, oldest first, as far as the venue gives them. Where ids do not
count by one they reach back to a trade that is known (`need.after`, `need.since_ns`): that proves that none is missing.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from tradectl.exchanges.decoders.text import id_of
from tradectl.exchanges.model import FeedMarket, Need

__all__ = ["fetch_depth", "fetch_missing_trades", "fetch_newest_trades", "traded_between"]

Rows = list[dict[str, Any]]
MS, SECOND_NS = 1_000_000, 1_000_000_000  # ns
ROUNDED_NS = 5_000_000  # REST and stream round a trade's time differently
PAGE = 1_000  # trades
MOST_PAGES = 200  # of one request


async def fetch_depth(exchange: Any, market: FeedMarket) -> Any:
    """Return the venue's answer to a request for a book, as it came."""
    if exchange.id.startswith("binance"):
        linear = market.raw.get("linear")
        get = exchange.fapiPublicGetDepth if linear else exchange.publicGetDepth
        return await get({"symbol": market.raw["id"], "limit": 1000})
    return await exchange.fetch_order_book(market.symbol)


async def traded_between(exchange: Any, market: FeedMarket, after_ns: int, before_ns: int) -> bool:
    """Say whether there was a trade in an interval of the venue's time."""
    rows = await exchange.fetch_trades(market.symbol, None, 100)
    return any(after_ns + ROUNDED_NS < (row.get("timestamp") or 0) * MS < before_ns for row in rows)


async def fetch_missing_trades(exchange: Any, need: Need) -> Rows:
    """Return the trades that a need asks for, ordered as the venue numbers them."""
    rows = await PAGED.get(exchange.id, _unified)(exchange, need)
    # pages reach back further: what is before the last trade there is was had, or is from before the session
    for place, row in enumerate(rows):
        if need.after and id_of(str(row["id"])) == need.after:
            return rows[place:]
    return [row for row in rows if ((row.get("timestamp") or 0) + 1) * MS > need.since_ns]


async def fetch_newest_trades(exchange: Any, need: Need) -> Rows:
    """Return the newest trades, oldest first, of a venue that gives no others."""
    return await PAGED[exchange.id](exchange, need)


def _reached(rows: Rows, need: Need) -> bool:
    return bool(need.before and rows and int(rows[-1]["id"]) >= need.before - 1)


async def _binance(exchange: Any, need: Need) -> Rows:
    """Spot streams single trades, USD-M aggregated ones; ids of both count up by one."""
    linear = bool(need.market.raw.get("linear"))
    rows: Rows = []
    for _ in range(MOST_PAGES):
        start = int(rows[-1]["id"]) + 1 if rows else need.after
        asked = {"symbol": need.market.raw["id"], "fromId": start, "limit": PAGE}
        page = await (
            exchange.fapiPublicGetAggTrades(asked) if linear else _historical_trades(exchange, asked)
        )
        rows += _parsed(exchange, page, need)
        if len(page) < PAGE or _reached(rows, need):
            break
    return rows


async def _historical_trades(exchange: Any, asked: dict[str, Any]) -> Any:
    """Return Binance's old trades by id: the request needs no key, but ccxt would ask for one."""
    await exchange.throttle(5)
    url = f"{exchange.urls['api']['public']}/historicalTrades?{exchange.urlencode(asked)}"
    return await exchange.fetch(url, "GET", {}, None)


async def _kraken(exchange: Any, need: Need) -> Rows:
    """Pages begin after a time in ns that the page before names."""
    since = str(max(need.since_ns - 1, 0))
    rows: Rows = []
    for _ in range(MOST_PAGES):
        answer = await exchange.publicGetTrades(
            {"pair": need.market.raw["id"], "since": since, "count": PAGE}
        )
        result = dict(answer["result"])
        last = str(result.pop("last"))
        page = next(iter(result.values()))
        rows += _parsed(exchange, page, need)
        if len(page) < PAGE or last == since or _reached(rows, need):
            break
        since = last
    return rows


async def _okx(exchange: Any, need: Need) -> Rows:
    """Pages go back in time from the newest trade, 100 at a time: an answer from behind a hole tells what is none."""
    rows: Rows = []
    after = ""
    for _ in range(MOST_PAGES):
        asked = {"instId": need.market.raw["id"], "type": "1", "limit": "100"}
        answer = await exchange.publicGetMarketHistoryTrades({**asked, "after": after} if after else asked)
        page = _parsed(exchange, answer["data"], need)
        rows = page + rows
        if not page or int(page[0]["id"]) <= need.after or page[0]["timestamp"] * MS < need.since_ns:
            break
        after = str(page[0]["id"])
    return rows


async def _coinbase(exchange: Any, need: Need) -> Rows:
    """Pages go back in time, by whole seconds, from a minute ahead of our clock to the last trade there is."""
    rows: dict[str, dict[str, Any]] = {}
    start, end = need.since_ns // SECOND_NS, exchange.seconds() + 60
    for _ in range(MOST_PAGES):
        asked = {"product_id": need.market.raw["id"], "start": str(start), "end": str(end), "limit": PAGE}
        answer = await exchange.v3PublicGetBrokerageMarketProductsProductIdTicker(asked)
        page = _parsed(exchange, answer.get("trades") or [], need)
        rows = {row["id"]: row for row in page} | rows
        oldest = page[0]["timestamp"] // 1_000 + 1 if page else start
        if len(page) < PAGE or int(page[0]["id"]) <= need.after + 1 or oldest >= end:
            break
        end = oldest
    return sorted(rows.values(), key=_order)


async def _coinbase_exchange(exchange: Any, need: Need) -> Rows:
    """Pages go back from `before` (or the newest) by id."""
    rows: Rows = []
    after = need.before
    for _ in range(MOST_PAGES):
        asked = {"id": need.market.raw["id"], "limit": PAGE}
        answer = await exchange.publicGetProductsIdTrades({**asked, "after": after} if after else asked)
        page = _parsed(exchange, answer, need)
        rows = page + rows
        if not page or int(page[0]["id"]) <= need.after + 1:
            break
        after = int(page[0]["id"])
    return rows


async def _bybit(exchange: Any, need: Need) -> Rows:
    """There are only the latest trades (60 of spot, 1,000 of contracts), newest first; ids do not tell their order."""
    raw = need.market.raw
    asked = {
        "category": "linear" if raw.get("linear") else "spot",
        "symbol": raw["id"],
        "limit": PAGE if raw.get("linear") else 60,
    }
    answer = await exchange.publicGetV5MarketRecentTrade(asked)
    return [exchange.parse_trade(row, dict(raw)) for row in reversed(answer["result"]["list"])]


async def _unified(exchange: Any, need: Need) -> Rows:
    """Ask for the trades since the last one there is, as many as the venue gives at once."""
    rows = await exchange.fetch_trades(need.market.symbol, (need.since_ns // MS) or None, PAGE)
    return sorted(rows, key=_order)


def _parsed(exchange: Any, page: Any, need: Need) -> Rows:
    return sorted(exchange.parse_trades(page, dict(need.market.raw)), key=_order)


def _order(row: dict[str, Any]) -> tuple[int, int]:
    trade_id = str(row.get("id") or "")
    return row.get("timestamp") or 0, int(trade_id) if trade_id.isdigit() else 0


PAGED: dict[str, Callable[[Any, Need], Awaitable[Rows]]] = {
    "binance": _binance,
    "binanceusdm": _binance,
    "bybit": _bybit,
    "coinbase": _coinbase,
    "coinbaseexchange": _coinbase_exchange,
    "kraken": _kraken,
    "okx": _okx,
}
