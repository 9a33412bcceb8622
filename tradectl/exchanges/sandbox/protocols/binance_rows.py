"""What Binance's REST answers and candle messages are made of."""

from __future__ import annotations

from typing import Any

from tradectl.exchanges.sandbox.candles import Candle
from tradectl.exchanges.sandbox.market import Trade
from tradectl.exchanges.sandbox.protocols.base import MS, Named, json_text

__all__ = [
    "AGGREGATES_BEHIND",
    "PLACES",
    "aggregate_row",
    "kline_event",
    "kline_row",
    "symbol_info",
    "trade_row",
]

PLACES = 8  # decimals that spot writes in every number
AGGREGATES_BEHIND = 500_000  # an aggregate trade's id is that much below its trade's: the two are never equal


def symbol_info(named: Named) -> dict[str, Any]:
    """Return what exchangeInfo says of a symbol."""
    listing = named.listing
    tick, lot = named.tick_text, named.lot_text
    filters: list[dict[str, Any]] = [
        {"filterType": "PRICE_FILTER", "minPrice": tick, "maxPrice": "1000000000", "tickSize": tick},
        {"filterType": "LOT_SIZE", "minQty": lot, "maxQty": "9000000", "stepSize": lot},
        {"filterType": "MARKET_LOT_SIZE", "minQty": lot, "maxQty": "9000000", "stepSize": lot},
    ]
    shared = {
        "symbol": named.raw_id, "status": "TRADING", "baseAsset": listing.base, "quoteAsset": listing.quote,
        "baseAssetPrecision": PLACES, "quotePrecision": PLACES, "orderTypes": ["LIMIT", "MARKET"], "filters": filters,
    }  # fmt: skip
    if not named.is_perpetual:
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


def trade_row(named: Named, trade: Trade) -> dict[str, Any]:
    """Return a trade of `trades` and `historicalTrades`."""
    return {
        "id": trade.id, "price": named.price(trade.price), "qty": named.qty(trade.lots),
        "quoteQty": named.cost(trade.price * trade.lots), "time": trade.ts // MS, "isBuyerMaker": trade.side < 0,
        **({} if named.is_perpetual else {"isBestMatch": True}),
    }  # fmt: skip


def aggregate_row(named: Named, trade: Trade) -> dict[str, Any]:
    """Return a trade of `aggTrades`."""
    return {
        "a": trade.id - AGGREGATES_BEHIND, "p": named.price(trade.price), "q": named.qty(trade.lots), "f": trade.id,
        "l": trade.id, "T": trade.ts // MS, "m": trade.side < 0, **({} if named.is_perpetual else {"M": True}),
    }  # fmt: skip


def kline_row(named: Named, row: Candle, step: int) -> list[Any]:
    """Return a candle of `klines`."""
    mean = row.turnover * row.bought // row.lots if row.lots else 0
    return [
        row.start // MS, *(named.price(price) for price in row[1:5]), named.qty(row.lots), (row.start + step) // MS - 1,
        named.cost(row.turnover), row.trades, named.qty(row.bought), named.cost(mean), "0",
    ]  # fmt: skip


def kline_event(named: Named, row: Candle, interval: str, step: int, now: int) -> str:
    """Return a candle as a stream's message; `x`: it is over."""
    start, opened, high, low, close, lots, end, turnover, trades, bought, cost, _ = kline_row(
        named, row, step
    )
    last = named.market.trades.next_id - 1
    return json_text({
        "e": "kline", "E": now // MS, "s": named.raw_id,
        "k": {
            "t": start, "T": end, "s": named.raw_id, "i": interval, "f": max(last - trades + 1, 0), "L": last,
            "o": opened, "c": close, "h": high, "l": low, "v": lots, "n": trades, "x": now >= row.start + step,
            "q": turnover, "V": bought, "Q": cost, "B": "0",
        },
    })  # fmt: skip
