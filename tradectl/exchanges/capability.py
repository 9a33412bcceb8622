"""What an exchange can send, asked of ccxt before anything is subscribed to."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from tradectl.errors import FeedError, nearest
from tradectl.exchanges.model import Channel, ExchangePlan, FeedMarket
from tradectl.exchanges.rest import timeframe_name

__all__ = ["Watch", "channels_on", "check_plan", "watches"]

Watch = Callable[[], Awaitable[Any]]

# The methods of ccxt that can serve a channel: their names in `has` and on the exchange.
METHODS: dict[Channel, tuple[tuple[str, str], ...]] = {
    Channel.TRADES: (("watchTrades", "watch_trades"),),
    Channel.DEPTH: (("watchOrderBook", "watch_order_book"),),
    Channel.QUOTES: (("watchBidsAsks", "watch_bids_asks"), ("watchTicker", "watch_ticker")),
    Channel.OHLCV: (("watchOHLCV", "watch_ohlcv"),),
    Channel.FUNDING: (("watchMarkPrice", "watch_mark_price"), ("watchFundingRate", "watch_funding_rate")),
}
FUNDING_IN_TICKER = ("bybit",)
DEPTHS = {
    "kraken": 1000
}  # levels that have to be asked for; any other venue's default is its deepest fast book


def methods_of(exchange: Any, channel: Channel) -> list[str]:
    """Return the names of the methods that together serve a channel: the best one, but of funding all."""
    there = [method for capability, method in METHODS[channel] if exchange.has.get(capability)]
    if channel == Channel.FUNDING:
        return there or (["watch_ticker"] if exchange.id in FUNDING_IN_TICKER else [])
    return there[:1]


def channels_of(exchange: Any) -> list[str]:
    """Return the names of the channels that an exchange can send."""
    return [channel.name.lower() for channel in Channel if methods_of(exchange, channel)]


def check_plan(exchange: Any, plan: ExchangePlan, markets: Mapping[str, Any]) -> None:
    """Refuse what an exchange cannot send: FeedError with exchange, symbol, channel, and what it can."""
    if not plan.symbols or not plan.channels:
        raise FeedError(f"{plan.name}: nothing is wanted of it", hint="name symbols and channels")
    for channel in sorted(plan.channels):
        if not methods_of(exchange, channel):
            can = ", ".join(channels_of(exchange)) or "none"
            raise FeedError(f"{plan.name} sends no {channel.name.lower()}", hint=f"its channels: {can}")
    if Channel.OHLCV in plan.channels:
        timeframe_name(exchange, plan.timeframe_ns)
    for symbol in plan.symbols:
        if symbol not in markets:
            raise FeedError(f"{plan.name} has no market {symbol!r}", hint=nearest(symbol, markets))
        market = markets[symbol]
        if market.get("active") is False:
            raise FeedError(f"{plan.name}: {symbol} is not traded now")
    without = [symbol for symbol in plan.symbols if not channels_on(plan, markets[symbol])]
    if Channel.FUNDING in plan.channels and not any(markets[symbol].get("swap") for symbol in plan.symbols):
        without = without or list(plan.symbols[:1])
    if without:
        swaps = [name for name, one in markets.items() if one.get("swap")]
        swap = f"{without[0].partition(':')[0]}:{markets[without[0]].get('quote')}"
        hint = nearest(without[0], swaps) if swaps else f"perpetuals do, e.g. {swap}"
        raise FeedError(f"{plan.name}: {without[0]} pays no funding", hint=hint)


def channels_on(plan: ExchangePlan, market: Mapping[str, Any]) -> frozenset[Channel]:
    """Return what is subscribed to on one of an exchange's markets: all that is wanted, funding of perpetuals only."""
    return plan.channels if market.get("swap") else plan.channels - {Channel.FUNDING}


def watches(exchange: Any, market: FeedMarket, channel: Channel) -> list[Watch]:
    """Return what to await for the next news of a channel; without an own decoder the result is the news."""
    return [_watch(exchange, name, market, channel) for name in methods_of(exchange, channel)]


def _watch(exchange: Any, name: str, market: FeedMarket, channel: Channel) -> Watch:
    method, symbol = getattr(exchange, name), market.symbol
    # ccxt writes into its default `params`, so that every call gets its own
    if channel == Channel.TRADES:
        linear = exchange.id.startswith("binance") and market.raw.get("linear")
        return lambda: method(symbol, None, None, {"name": "aggTrade"} if linear else {})
    if channel == Channel.DEPTH:
        return lambda: method(symbol, DEPTHS.get(exchange.id), {})
    if channel == Channel.OHLCV:
        timeframe = timeframe_name(exchange, market.timeframe_ns)
        return lambda: method(symbol, timeframe, None, None, {})
    if name == "watch_bids_asks":
        return lambda: method([symbol], {})
    return lambda: method(symbol, {})
