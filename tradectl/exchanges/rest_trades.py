"""Trades of the past over REST, paged by the venue's own ids: trades that share a stamp are never lost at an edge."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Any, NamedTuple

from tradectl.errors import FeedError
from tradectl.exchanges.rest import venue_now
from tradectl.exchanges.rest_call import call, host_of
from tradectl.history.model import iso

__all__ = ["Trade", "TradeBatch", "fetch_trades"]

MS, SECOND = 1_000_000, 1_000_000_000  # ns
LATE_NS = 60 * SECOND  # what is younger may still be joined by trades that the venue publishes late
WINDOW_NS = 600 * SECOND  # first window of venues that are paged backwards; then as wide as FULL trades
FULL = 5_000
BYBIT_NEWEST = {"spot": 60, "linear": 1000}  # trades that there are
Told = Callable[[str], None]


class Trade(NamedTuple):
    """One trade: time ns UTC, the venue's id, price and quantity in units of base as text, the aggressor's side."""

    ts_ns: int
    id: str
    price: str
    qty: str
    side: int  # +1 buy, -1 sell, 0 unknown


@dataclass
class TradeBatch:
    """Trades in the order of their ids; those of [`since_ns`, `until_ns`) are all there, later ones may not be."""

    since_ns: int
    until_ns: int
    rows: list[Trade] = field(default_factory=list)
    missing: int = 0  # ids left out since the batch before, where the venue counts its trades


class Source:
    """One market of one venue; `get` makes a throttled and repeated call of one of ccxt's endpoints."""

    def __init__(self, exchange: Any, symbol: str, told: Told | None) -> None:
        self.exchange, self.told = exchange, told
        self.market: dict[str, Any] = exchange.market(symbol)
        self.id = str(self.market["id"])

    async def get(self, endpoint: str, **params: Any) -> Any:
        """Return an endpoint's parsed answer."""
        work: Callable[[], Awaitable[Any]] = partial(getattr(self.exchange, endpoint), params)
        return await call(self.exchange, work, told=self.told)


Pages = AsyncIterator[
    tuple[int, list[Trade]]
]  # (from where on it is complete, trades); until the last trade's stamp


async def fetch_trades(
    exchange: Any,
    symbol: str,
    since_ns: int,
    until_ns: int,
    progress: Callable[[int], None] | None = None,
    told: Told | None = None,
) -> AsyncIterator[TradeBatch]:
    """Yield the trades of [`since_ns`, `until_ns`), each once, in the order of their ids; the markets must be loaded.

    What the venue no longer gives is told, and lies before the first batch's `since_ns`.
    """
    pages = VENUES.get(exchange.id)
    if pages is None:
        listed = ", ".join(sorted(VENUES))
        raise FeedError(
            f"{exchange.id}: its trades of the past cannot be paged without loss", hint=f"valid: {listed}"
        )
    source = Source(exchange, symbol, told)
    now_ns = await venue_now(exchange, told)
    end = min(until_ns, now_ns)
    size = (
        Decimal(str(source.market.get("contractSize") or 1)) if source.market.get("contract") else Decimal(1)
    )
    done, last_id, first = since_ns, 0, True
    async for begin, page in _checked(exchange, pages(source, since_ns, end)):
        if first and begin > since_ns and told is not None:
            told(f"{exchange.id} gives no trades of {symbol} before {iso(begin)}")
        batch = TradeBatch(max(done, begin), max(done, begin))
        for trade in sorted(
            page, key=lambda t: (_number(t.id), t.ts_ns)
        ):  # stamps may run backwards, ids do not
            if since_ns <= trade.ts_ns < end:
                batch.rows.append(
                    trade if size == 1 else trade._replace(qty=f"{Decimal(trade.qty) * size:f}")
                )
        if batch.rows and exchange.id in COUNTED:
            newest = _number(batch.rows[-1].id)
            batch.missing = newest - (last_id or _number(batch.rows[0].id) - 1) - len(batch.rows)
            last_id = newest
        if batch.rows:
            batch.until_ns = max(batch.until_ns, *(trade.ts_ns for trade in batch.rows))
        done, first = batch.until_ns, False
        if progress is not None:
            progress(len(batch.rows))
        yield batch
    if done < min(end, now_ns - LATE_NS):
        yield TradeBatch(done, min(end, now_ns - LATE_NS))


async def _checked(exchange: Any, pages: Pages) -> Pages:
    """Yield pages of trades that are some; FeedError for an answer that is not what the venue's protocol says."""
    try:
        async for begin, page in pages:
            for trade in page:
                if not (0.0 < float(trade.price) < math.inf and 0.0 < float(trade.qty) < math.inf):
                    raise ValueError(f"price {trade.price}, quantity {trade.qty}")
            yield begin, page
    except (ArithmeticError, LookupError, TypeError, ValueError) as error:
        said = f"{host_of(exchange)} sent what is no trade: {error!r}"
        raise FeedError(f"{exchange.id}: {said}") from error


def _number(text: str) -> int:
    """Return an id that is a number; 0: it is none."""
    return int(text) if text.isdigit() else 0


def _side(word: Any) -> int:
    return {"buy": 1, "sell": -1}.get(str(word).lower(), 0)


def _stamp(text: str) -> int:
    """Return ISO text as ns UTC."""
    whole, _, fraction = text.rstrip("Z").partition(".")
    seconds = int(datetime.fromisoformat(f"{whole}+00:00").timestamp())
    return seconds * SECOND + int(fraction[:9].ljust(9, "0") or 0)


# --- venues


async def _binance(source: Source, since: int, end: int) -> Pages:
    """Page aggregate trades by `fromId`: the ids count."""
    endpoint = "fapiPublicGetAggTrades" if source.market.get("linear") else "publicGetAggTrades"
    rows = await source.get(endpoint, symbol=source.id, limit=1000, startTime=-(-since // MS))
    while rows:
        page = [
            Trade(int(row["T"]) * MS, str(row["a"]), str(row["p"]), str(row["q"]), -1 if row["m"] else 1)
            for row in rows
        ]
        yield since, page
        if page[-1].ts_ns >= end:
            return
        rows = await source.get(endpoint, symbol=source.id, limit=1000, fromId=int(page[-1].id) + 1)


async def _kraken(source: Source, since: int, end: int) -> Pages:
    """Page by stamps in ns, each page from the last trade on: what was there is told by its id, which counts."""
    cursor = max(since - 1, 0)
    known: set[str] = set()  # ids of the page before
    while True:
        answer = await source.get("publicGetTrades", pair=source.id, since=str(cursor), count=1000)
        result: dict[str, Any] = dict(answer["result"])
        last = int(result.pop("last"))
        rows: list[Any] = next(iter(result.values()), [])
        page = [
            Trade(int(Decimal(str(r[2])) * SECOND), str(r[6]), str(r[0]), str(r[1]), 1 if r[3] == "b" else -1)
            for r in rows
        ]
        fresh = [trade for trade in page if trade.id not in known]
        known = {trade.id for trade in page}
        if fresh:
            yield since, fresh
        if len(rows) < 1000 or page[-1].ts_ns >= end:
            return
        cursor = last - 1 if fresh else last


async def _coinbaseexchange(source: Source, since: int, end: int) -> Pages:
    """Find the first id by halving, then page forwards: the ids count, and `after` gives those below it."""

    async def below(number: int, limit: int) -> list[Trade]:
        rows = await source.get("publicGetProductsIdTrades", id=source.id, limit=limit, after=number)
        return sorted((_coinbase_trade(row) for row in rows), key=lambda t: int(t.id))

    newest = await source.get("publicGetProductsIdTrades", id=source.id, limit=1)
    low, high = 0, int(newest[0]["trade_id"]) if newest else 0
    while low < high:  # the last id whose trade is before `since`
        middle = (low + high + 1) // 2
        found = await below(middle + 1, 1)
        if not found or found[-1].ts_ns < since:
            low = middle
        else:
            high = middle - 1
    while page := [trade for trade in await below(low + 1001, 1000) if int(trade.id) > low]:
        yield since, page
        if page[-1].ts_ns >= end:
            return
        low = int(page[-1].id)


async def _okx(source: Source, since: int, end: int) -> Pages:
    """Page windows backwards, by time at first and then by id."""

    async def earlier(start: int, stop: int) -> list[Trade]:
        found: list[Trade] = []
        cursor = {"type": 2, "after": -(-stop // MS)}
        while True:
            answer = await source.get("publicGetMarketHistoryTrades", instId=source.id, limit=100, **cursor)
            rows = [_okx_trade(row) for row in answer["data"]]
            found += rows
            if not rows or rows[-1].ts_ns < start:
                return found
            cursor = {"type": 1, "after": int(rows[-1].id)}

    async for page in _windows(earlier, since, end):
        yield page


async def _coinbase(source: Source, since: int, end: int) -> Pages:
    """Page windows backwards by whole seconds: each page ends with the one in which that before began.

    Of a second with more than a page of trades some cannot be had; their ids show it.
    """

    async def earlier(start: int, stop: int) -> list[Trade]:
        found: dict[str, Trade] = {}
        last = -(-stop // SECOND)
        while True:
            answer = await source.get(
                "v3PublicGetBrokerageMarketProductsProductIdTicker",
                product_id=source.id, limit=1000, start=str(start // SECOND), end=str(last),
            )  # fmt: skip
            rows = [_coinbase_trade(row) for row in answer["trades"]]
            fresh = {row.id: row for row in rows if row.id not in found}
            found |= fresh
            if len(rows) < 1000 or not fresh:
                return list(found.values())
            last = min(row.ts_ns for row in rows) // SECOND + 1

    async for page in _windows(earlier, since, end):
        yield page


async def _bybit(source: Source, since: int, end: int) -> Pages:
    """Give the newest trades, which is all there is."""
    category = "spot" if source.market.get("spot") else "linear"
    answer = await source.get("publicGetV5MarketRecentTrade", category=category, symbol=source.id, limit=1000)
    page = [
        Trade(
            int(row["time"]) * MS, str(row["execId"]), str(row["price"]), str(row["size"]), _side(row["side"])
        )
        for row in answer["result"]["list"]
    ]
    page.reverse()
    if len(page) < BYBIT_NEWEST[category]:
        yield since, page
    elif page[0].ts_ns < end:  # of the oldest stamp some may be cut off
        yield max(since, page[0].ts_ns + MS), [trade for trade in page if trade.ts_ns > page[0].ts_ns]


def _okx_trade(row: dict[str, Any]) -> Trade:
    return Trade(int(row["ts"]) * MS, str(row["tradeId"]), str(row["px"]), str(row["sz"]), _side(row["side"]))


def _coinbase_trade(row: dict[str, Any]) -> Trade:
    """Return a row of either interface of Coinbase; both tell the resting order's side."""
    side = -_side(row["side"])
    return Trade(_stamp(row["time"]), str(row["trade_id"]), str(row["price"]), str(row["size"]), side)


async def _windows(earlier: Callable[[int, int], Awaitable[list[Trade]]], since: int, end: int) -> Pages:
    """Yield [since, end) in windows, each as wide as is likely to hold FULL trades."""
    begin, width = since, WINDOW_NS
    while since < end:
        stop = min(since + width, end)
        page = [trade for trade in await earlier(since, stop) if since <= trade.ts_ns < stop]
        yield begin, page
        width = min(max(width * FULL // max(len(page), FULL // 8), SECOND), 86_400 * SECOND)
        since = stop


# What pages a venue's trades, and the venues whose ids count without holes.
VENUES: dict[str, Callable[[Source, int, int], Pages]] = {
    "binance": _binance, "binanceusdm": _binance, "kraken": _kraken, "okx": _okx, "bybit": _bybit,
    "coinbase": _coinbase, "coinbaseexchange": _coinbaseexchange,
}  # fmt: skip
COUNTED = {"binance", "binanceusdm", "kraken", "coinbase", "coinbaseexchange"}
