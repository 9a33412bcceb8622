"""What an exchange can send, asked of ccxt before anything is subscribed to."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from tradectl.errors import FeedError, nearest
from tradectl.exchanges.model import Channel, ExchangePlan, FeedMarket

__all__ = ["check_plan", "timeframe_name", "watch"]

Watch = Callable[[], Awaitable[Any]]

# The methods of ccxt that can serve a channel, the best one first: their names in `has` and on the exchange.
METHODS: dict[Channel, tuple[tuple[str, str], ...]] = {
    Channel.TRADES: (("watchTrades", "watch_trades"),),
    Channel.DEPTH: (("watchOrderBook", "watch_order_book"),),
    Channel.QUOTES: (("watchBidsAsks", "watch_bids_asks"), ("watchTicker", "watch_ticker")),
    Channel.OHLCV: (("watchOHLCV", "watch_ohlcv"),),
    Channel.FUNDING: (
        ("watchMarkPrice", "watch_mark_price"), ("watchFundingRate", "watch_funding_rate"),
        ("watchTicker", "watch_ticker"),
    ),
}  # fmt: skip


def method_of(exchange: Any, channel: Channel) -> str | None:
    """Return the name of the exchange's method for a channel, None where it has none."""
    for capability, method in METHODS[channel]:
        if exchange.has.get(capability):
            return method
    return None


def channels_of(exchange: Any) -> list[str]:
    """Return the names of the channels that an exchange can send."""
    return [channel.name.lower() for channel in Channel if method_of(exchange, channel)]


def timeframe_name(exchange: Any, timeframe_ns: int) -> str:
    """Return the exchange's name of a bar length; FeedError lists those it has."""
    names = {name: exchange.parse_timeframe(name) * 1_000_000_000 for name in exchange.timeframes or {}}
    for name, length_ns in names.items():
        if length_ns == timeframe_ns:
            return str(name)
    listed = ", ".join(sorted(names, key=names.__getitem__)) or "none"
    raise FeedError(f"{exchange.id}: no bars of {timeframe_ns / 1e9:g} s", hint=f"valid: {listed}")


def check_plan(exchange: Any, plan: ExchangePlan, markets: Mapping[str, Any]) -> None:
    """Refuse what an exchange cannot send: FeedError with exchange, symbol, channel, and what it can."""
    if not plan.symbols or not plan.channels:
        raise FeedError(f"{plan.name}: nothing is wanted of it", hint="name symbols and channels")
    for channel in sorted(plan.channels):
        if method_of(exchange, channel) is None:
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
        if Channel.FUNDING in plan.channels and not market.get("swap"):
            swaps = [name for name, one in markets.items() if one.get("swap")]
            raise FeedError(f"{plan.name}: {symbol} pays no funding", hint=nearest(symbol, swaps))


def watch(exchange: Any, market: FeedMarket, channel: Channel) -> Watch:
    """Return what awaits the next news of a channel; without an own decoder its result is the news."""
    name = str(method_of(exchange, channel))
    method, symbol = getattr(exchange, name), market.symbol
    # ccxt writes into its default `params`, so that every call gets its own
    if channel == Channel.TRADES:
        linear = exchange.id.startswith("binance") and market.raw.get("linear")
        return lambda: method(symbol, None, None, {"name": "aggTrade"} if linear else {})
    if channel == Channel.DEPTH:
        return lambda: method(symbol, None, {})  # with a limit ccxt leaves holes behind
    if channel == Channel.OHLCV:
        timeframe = timeframe_name(exchange, market.timeframe_ns)
        return lambda: method(symbol, timeframe, None, None, {})
    if name == "watch_bids_asks":
        return lambda: method([symbol], {})
    return lambda: method(symbol, {})
