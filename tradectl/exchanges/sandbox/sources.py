"""Where the sandbox's markets come from: made up, a recorded session's journal, or a venue's raw recording."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation

from tradectl.errors import ConfigError, nearest
from tradectl.exchanges.sandbox.flow import flow
from tradectl.exchanges.sandbox.market import Change, Listing

__all__ = ["Source", "Stream", "chosen", "listing_of", "synthetic"]

Stream = Iterator[tuple[int, Change]]  # index of the listing, what happens

# base currency -> first price, tick, lot of a synthetic market; any other begins at 100
KNOWN = {
    "BTC": ("60000", "1", "0.00001"),
    "ETH": ("3000", "0.1", "0.0001"),
    "SOL": ("150", "0.01", "0.001"),
}
OTHER = ("100", "0.01", "0.01")


@dataclass(frozen=True)
class Source:
    """Markets and what happens in them; `streams()` begins anew, with one or several streams."""

    name: str
    listings: tuple[Listing, ...]
    streams: Callable[[], list[Stream]]
    is_synthetic: bool = False


def listing_of(text: str) -> Listing:
    """Read `BASE/QUOTE[:SETTLE][=PRICE[/TICK[/LOT]]]`; what is not told is a default."""
    name, _, numbers = text.partition("=")
    pair, _, settle = name.partition(":")
    base, _, quote = pair.partition("/")
    if not (base and quote):
        raise ConfigError(
            f"symbol {text!r}: expected BASE/QUOTE, as BTC/USDT, or BASE/QUOTE:SETTLE for a perpetual"
        )
    given = [part for part in numbers.split("/") if part]
    try:
        price, tick, lot = (Decimal(own) for own in (*given, *KNOWN.get(base, OTHER)[len(given) :]))
    except (InvalidOperation, ValueError):
        raise ConfigError(
            f"symbol {text!r}: expected PRICE/TICK/LOT after the =, as 60000/0.1/0.001"
        ) from None
    if not (tick > 0 and lot > 0 and price > 1_000 * tick and price < 10**9 * tick):
        raise ConfigError(f"symbol {text!r}: the price must be above 1000 ticks and tick and lot above 0")
    return Listing(base, quote, settle, price, tick, lot)


def synthetic(symbols: Sequence[str], rate: float, seed: str) -> Source:
    """Return made-up markets that together tell `rate` messages a second."""
    listings = tuple(listing_of(symbol) for symbol in symbols)
    if rate <= 0:
        raise ConfigError(f"rate: expected messages a second above 0, got {rate}")

    def stream(index: int, listing: Listing) -> Stream:
        return ((index, change) for change in flow(listing, rate / len(listings), f"{seed}:{listing.symbol}"))

    def streams() -> list[Stream]:
        return [stream(index, listing) for index, listing in enumerate(listings)]

    return Source("synthetic", listings, streams, is_synthetic=True)


def chosen(source: Source, symbols: Sequence[str]) -> Source:
    """Return a source's markets of these pairs (none: all); `BTC/USDT:USDT` makes a perpetual of its pair."""
    pairs: dict[str, list[int]] = {}
    for index, one in enumerate(source.listings):
        pairs.setdefault(f"{one.base}/{one.quote}", []).append(index)
    settled = {symbol.partition(":")[0]: symbol.partition(":")[2] for symbol in symbols}
    for pair in settled:
        if pair not in pairs:
            raise ConfigError(f"{source.name} has no {pair}", hint=nearest(pair, pairs))
    if not settled:
        return source
    kept = [(index, settle) for pair, settle in settled.items() for index in pairs[pair]]
    places = {index: place for place, (index, _) in enumerate(kept)}
    listings = tuple(
        replace(source.listings[index], settle=settle or source.listings[index].settle)
        for index, settle in kept
    )

    def streams() -> list[Stream]:
        return [
            ((places[index], change) for index, change in stream if index in places)
            for stream in source.streams()
        ]

    return Source(source.name, listings, streams)
