"""Named column layouts: what a vendor calls its columns, what its stamps mean, how its files are named."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from tradectl.errors import DataError, nearest

__all__ = ["FIELDS", "PROFILES", "Profile", "choose", "from_mapping", "locate", "split_pair"]

FIELDS = ("timestamp", "open", "high", "low", "close", "volume", "symbol")
REQUIRED = FIELDS[:5]
OPTIONS = ("stamp", "tz", "unit", "timestamp_format", "header", "scale", "venue")  # keys of a mapping

# Names that a column of each field goes by, lower case; the first one present is taken.
SYNONYMS: dict[str, tuple[str, ...]] = {
    "timestamp": (
        "timestamp", "timestamp_ms", "ts_event", "open_time", "opentime", "open time", "datetime",
        "date_time", "date", "time", "ts", "unix", "t", "", "unnamed: 0", "index", "gmt time", "local time",
    ),
    "open": ("open", "o", "open_price", "<open>"),
    "high": ("high", "h", "high_price", "max", "<high>"),
    "low": ("low", "l", "low_price", "min", "<low>"),
    "close": ("close", "c", "close_price", "last", "<close>"),
    "volume": ("volume", "v", "vol", "base_volume", "qty", "<vol>", "<volume>", "tick_volume"),
    "symbol": ("symbol", "ticker", "name", "pair", "instrument", "tic", "<ticker>"),
}  # fmt: skip

QUOTES = (
    "USDT", "USDC", "BUSD", "FDUSD", "TUSD", "USD", "EUR", "GBP", "JPY", "CHF", "AUD", "CAD", "NZD", "TRY",
    "BRL", "KRW", "BTC", "ETH", "BNB", "DAI",
)  # fmt: skip
NAMED = (
    rf"(?P<symbol>[A-Za-z0-9.]+?(?:-(?i:perp)|[_-](?i:{'|'.join(QUOTES)}))?)"
    r"(?:[_-](?P<timeframe>\d+(?:s|m|h|d|w|min)))?(?:[_-].*)?"
)


@dataclass(frozen=True)
class Profile:
    """One layout; `file` is the pattern of file names (groups symbol, timeframe, day, side)."""

    name: str
    columns: Mapping[str, str] = field(default_factory=dict)  # field -> its name; others by synonym
    header: tuple[str, ...] = ()  # the columns of files without a header line
    stamp: str = "open"  # whether a stamp is the bar's open or its close
    tz: str = "UTC"  # of stamps without a zone
    unit: str | None = None  # of integer stamps; None: by size
    timestamp_format: str | None = None
    venue: str = "LOCAL"
    file: str = NAMED
    pairs: bool | None = None  # symbols are pairs (True), plain (False) or pairs where they look so
    timeframe: str | None = None
    scale: Decimal = Decimal(1)  # a price in the file times scale is the price
    tick_size: Decimal | None = None
    lot_size: Decimal | None = None
    signature: tuple[str, ...] = ()  # a header that names this profile when none is given


def _bars(first: str) -> tuple[str, ...]:
    return (first, "open", "high", "low", "close", "volume")


CENT, ONE = Decimal("0.01"), Decimal(1)
LEAN: dict[str, Any] = {
    "venue": "USA",
    "tz": "America/New_York",
    "pairs": False,
    "scale": Decimal("0.0001"),
    "tick_size": CENT,
}
KLINES = (*_bars("open_time"), "close_time", "quote_volume", "trades", "taker_base", "taker_quote", "ignore")
BITFINEX = ("timestamp_ms", "open", "close", "high", "low", "volume")

PROFILES: dict[str, Profile] = {
    p.name: p
    for p in (
        Profile("ohlcv"),  # any names known as synonyms
        Profile("bitfinex", unit="ms", venue="BITFINEX", pairs=True, signature=BITFINEX),
        Profile("binance_csv", venue="BINANCE", pairs=True, signature=(*_bars("date"), "ticker")),
        Profile("binance_klines", header=KLINES, venue="BINANCE", pairs=True),
        Profile("bybit_csv", venue="BYBIT", pairs=True),
        Profile("kraken_csv", header=(*_bars("timestamp"), "trades"), unit="s", venue="KRAKEN", pairs=True),
        Profile("perp_csv", venue="FTX", pairs=False,
                file=r"(?P<symbol>[A-Za-z0-9]+-(?i:perp)).*?_(?P<timeframe>\d+[mhd]).*"),
        Profile("fx_m1", venue="FX", pairs=True, timeframe="1m",
                file=r"(?P<symbol>[A-Za-z]{6})-(?i:m1)-(?P<side>bid|ask).*"),
        Profile("sp500", venue="US", pairs=False, timeframe="1d", tick_size=CENT, lot_size=ONE,
                file=r"(?P<symbol>[A-Za-z.]+)_data", signature=(*_bars("date"), "Name")),
        Profile("lean_equity_daily", header=_bars("timestamp"), timeframe="1d", lot_size=ONE,
                **{**LEAN, "tz": "UTC"}),
        Profile("lean_equity_hour", header=_bars("timestamp"), timeframe="1h", lot_size=ONE, **LEAN),
        Profile("lean_equity_minute", header=_bars("timestamp"), timeframe="1m", lot_size=ONE, unit="ms",
                file=r".*/(?P<symbol>[a-z.]+)/(?P<day>\d{8})_trade", **LEAN),
        Profile("lean_crypto_minute", header=_bars("timestamp"), timeframe="1m", unit="ms", venue="COINBASE",
                pairs=True, file=r".*/(?P<symbol>[a-z]+)/(?P<day>\d{8})_trade"),
    )
}  # fmt: skip


def choose(name: str | None, header: Sequence[str]) -> Profile:
    """Return the named profile, or the one whose signature is this header, or the generic one."""
    if name is not None:
        if name not in PROFILES:
            raise DataError(f"unknown profile {name!r}", hint=nearest(name, PROFILES))
        return PROFILES[name]
    for profile in PROFILES.values():
        if profile.signature and tuple(header) == profile.signature:
            return profile
    return PROFILES["ohlcv"]


def from_mapping(mapping: Mapping[str, Any], base: Profile) -> Profile:
    """Return `base` with columns and options replaced by a config's `mapping`."""
    unknown = [key for key in mapping if key not in FIELDS and key not in OPTIONS]
    if unknown:
        raise DataError(f"mapping: unknown key {unknown[0]!r}", hint=nearest(unknown[0], FIELDS + OPTIONS))
    columns = {key: str(value) for key, value in mapping.items() if key in FIELDS}
    options = {key: mapping[key] for key in OPTIONS if key in mapping}
    if "scale" in options:
        options["scale"] = Decimal(str(options["scale"]))
    if "header" in options:
        options["header"] = tuple(options["header"])
    return replace(base, name="mapping", columns={**base.columns, **columns}, signature=(), **options)


def locate(profile: Profile, header: Sequence[str], place: str) -> dict[str, int]:
    """Return the index of each field's column; raise DataError naming what is missing."""
    names = [name.strip().lower().lstrip("\ufeff") for name in header]
    found: dict[str, int] = {}
    for key in FIELDS:
        wanted = profile.columns.get(key)
        choices = (wanted.strip().lower(),) if wanted is not None else SYNONYMS[key]
        at = next((names.index(choice) for choice in choices if choice in names), None)
        if at is not None:
            found[key] = at
        elif wanted is not None or key in REQUIRED:
            asked = f"column {wanted!r} for {key}" if wanted is not None else f"no column for {key}"
            hint = nearest(wanted or key, [n for n in header if n] or ["(no names)"])
            detail = "" if wanted is None else " is not in the header"
            message = f"{place}: {asked}{detail} (profile {profile.name})"
            raise DataError(
                message, hint=f"{hint}; or give data.mapping: {{{key}: <column>}} or data.profile"
            )
    return found


def split_pair(symbol: str, pairs: bool | None) -> tuple[str, str, str]:
    """Return (symbol, base, quote) of a vendor's name; the quote is empty where there is none.

    `BTCUSDT`, `btc-usdt`, `BTC_USDT`, `BTC/USDT` become `BTC/USDT`; plain names (stocks) stay. The side of a
    quoted series (`GBP/USD.BID`) stays in the symbol and is no part of the currency.
    """
    name = symbol.strip().upper()
    pair, dot, side = name.rpartition(".")
    unsettled, settled, settle = name.partition(":")
    if settled and "/" in unsettled:  # BTC/USDT:USDT, BTC/USDT:USDT-250627
        return name, split_pair(unsettled, pairs)[1], settle.partition("-")[0]
    if side in ("BID", "ASK"):
        shown, base, quote = split_pair(pair, pairs)
        return f"{shown}{dot}{side}", base, quote
    if pairs is not False:
        for mark in ("/", "-", "_"):
            base, _, quote = name.partition(mark)
            if base and quote in QUOTES:
                return f"{base}/{quote}", base, quote
        for quote in QUOTES:
            base = name.removesuffix(quote)
            if base != name and len(base) >= (1 if pairs else 3) and re.fullmatch(r"[A-Z0-9]+", base):
                return f"{base}/{quote}", base, quote
    return name, name, ""
