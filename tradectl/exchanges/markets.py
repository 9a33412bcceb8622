"""The markets of an exchange as instrument specifications, and their copy for when the network is down."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tradectl.core.instrument import Instrument
from tradectl.errors import FeedError, nearest
from tradectl.exchanges.rest_call import QUICK, call, host_of
from tradectl.history.writer import write_atomically

__all__ = ["Spec", "find_market", "instrument_of", "load_markets", "market_cache", "market_table"]

TICK_SIZE = 4  # ccxt's precision mode in which a precision is a step
DAY_S = 86_400
# What the exchanges that load by kind call the kinds: ours -> theirs. What is left out cannot be traded here.
KINDS: dict[str, dict[str, str]] = {
    "binance": {"spot": "spot", "linear": "linear", "future": "linear", "inverse": "inverse"},
    "bybit": {"spot": "spot", "linear": "linear", "future": "linear", "inverse": "inverse"},
    "okx": {"spot": "spot", "linear": "swap", "future": "future", "inverse": "swap"},
}


@dataclass(frozen=True)
class Spec:
    """What a venue says of one market; fees are fractions of the default tier, `qty_step` is in the venue's unit."""

    instrument: Instrument
    raw_id: str  # its name in the venue's messages
    qty_step: Decimal  # of contracts: lot size / contract size
    maker: Decimal
    taker: Decimal
    contract_size: Decimal  # units of base in one contract; 1 of spot
    kind: str  # spot, swap, future
    linear: bool  # settled in the quote currency; of spot true


def market_cache() -> Path:
    """Return the folder that keeps markets for offline use."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "tradectl" / "markets"


async def load_markets(
    exchange: Any,
    cache: Path | None,
    symbols: Iterable[str] = (),
    told: Callable[[str], None] | None = None,
    *,
    offline: bool = True,
) -> dict[str, Any]:
    """Return ccxt's markets by symbol, fetched, or where that fails (and `offline`) as the folder `cache` has them.

    Only the kinds of market that `symbols` need are asked for (none: all that can be traded here), so that no
    other host is called. `told` hears of repeated calls, and of a copy used and its age.
    """
    if exchange.precisionMode != TICK_SIZE:
        raise FeedError(f"{exchange.id}: its price steps are not stated as steps; it cannot be used")
    _restrict(exchange, list(symbols))
    path = None if cache is None else cache / _name_of(exchange)
    try:
        markets = dict(await call(exchange, exchange.load_markets, QUICK, told) or {})
        if not markets:
            exchange.markets = None  # or ccxt would answer from it from now on
            raise FeedError(f"{exchange.id}: {host_of(exchange)} sent no markets")
    except FeedError as error:
        kept = _read(path) if path is not None and offline else None
        if kept is None:
            raise
        saved_s, markets = kept
        exchange.set_markets(list(markets.values()))
        if told is not None:
            age = (time.time() - saved_s) / DAY_S
            told(f"{error.message}; its markets are those of {age:.1f} days ago")
        return markets
    if path is not None:
        _write(path, markets)
    return markets


def _restrict(exchange: Any, symbols: Sequence[str]) -> None:
    """Let ccxt load only the kinds of market that are needed."""
    kinds = KINDS.get(exchange.id)
    if kinds is None:
        return
    wanted = {_kind_of(symbol) for symbol in symbols} or {"spot", "linear", "future"}
    exchange.options["fetchMarkets"] = {"types": list(dict.fromkeys(kinds[kind] for kind in sorted(wanted)))}


def _kind_of(symbol: str) -> str:
    """Return the kind of market that a unified symbol names: BASE/QUOTE[:SETTLE[-YYMMDD]]."""
    pair, _, settle = symbol.partition(":")
    if not settle:
        return "spot"
    settle, _, expiry = settle.partition("-")
    if settle != pair.partition("/")[2]:
        return "inverse"
    return "future" if expiry else "linear"


# --- the copy


def _name_of(exchange: Any) -> str:
    """Return the file of an exchange's markets: those of a local server are not mistaken for the venue's."""
    api = exchange.urls["api"]
    while isinstance(api, dict):
        api = next(iter(api.values()))
    place = urlsplit(str(api))
    redirected = "." in place.path.lstrip("/").partition("/")[0]  # <endpoint>/<original host>/<path>
    local = "@" + re.sub(r"[^A-Za-z0-9.]", "-", place.netloc) if redirected else ""
    return f"{exchange.id}{local}.json"


def _read(path: Path) -> tuple[float, dict[str, Any]] | None:
    """Return when (s since 1970) a copy was made, and its markets; None where there is none that can be read."""
    try:
        kept = json.loads(path.read_text())
        return float(kept["saved"]), dict(kept["markets"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _write(path: Path, markets: Mapping[str, Any]) -> None:
    """Keep a copy; those of kinds that were not asked for this time stay. A cache that cannot be written is none."""
    kept = _read(path)
    fresh = {(one.get("type"), one.get("linear")) for one in markets.values()}
    old = {} if kept is None else kept[1]
    left = {name: one for name, one in old.items() if (one.get("type"), one.get("linear")) not in fresh}
    text = json.dumps({"saved": time.time(), "markets": {**left, **markets}}, default=str)
    try:
        write_atomically(path, lambda temporary: temporary.write_text(text))
    except OSError:
        return


# --- one market


def find_market(exchange_id: str, symbol: str, markets: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the market of a unified symbol; FeedError names the nearest one."""
    if symbol in markets:
        return dict(markets[symbol])
    raise FeedError(f"{exchange_id}: no market {symbol!r}", hint=nearest(symbol, markets))


def instrument_of(exchange_id: str, market: Mapping[str, Any]) -> Spec:
    """Return a market's specification, exact to the venue's digits; FeedError for one that cannot be traded here."""
    name, kind = f"{exchange_id}: {market['symbol']}", str(market.get("type"))
    if kind not in ("spot", "swap", "future"):
        raise FeedError(f"{name} is of kind {kind}", hint="valid: spot, swap, future")
    contract = kind != "spot"
    if contract and not market.get("linear"):
        raise FeedError(
            f"{name} is an inverse contract: it is settled in {market.get('settle')}, not in its quote currency",
            hint="only linear contracts can be traded",
        )
    size = _number(market.get("contractSize"), "1") if contract else Decimal(1)
    precision, limits = market.get("precision") or {}, market.get("limits") or {}
    tick, step = _number(precision.get("price")), _number(precision.get("amount"))
    if tick <= 0 or step <= 0 or size <= 0:
        raise FeedError(f"{name}: the venue states no price step or no quantity step")
    settle = market.get("settle") if contract else None
    instrument = Instrument(
        venue=exchange_id.upper(),
        symbol=str(market["symbol"]),
        base=str(market["base"]),
        quote=str(settle or market["quote"]),
        tick_size=tick.normalize(),
        lot_size=(step * size).normalize(),
        min_qty=(_least(limits, "amount") * size).normalize(),
        min_notional=_least(limits, "cost"),
    )
    raw_id = str(market["symbol"] if exchange_id == "kraken" else market["id"])  # Kraken's v2 says BTC/USD
    fees = _number(market.get("maker")), _number(market.get("taker"))
    return Spec(instrument, raw_id, step.normalize(), *fees, size.normalize(), kind, True)


def _number(value: Any, missing: str = "0") -> Decimal:
    """Return a venue's number exactly; `missing` where it states none."""
    try:
        return Decimal(missing if value in (None, "") else str(value))
    except InvalidOperation:
        return Decimal(missing)


def _least(limits: Mapping[str, Any], name: str) -> Decimal:
    return _number((limits.get(name) or {}).get("min")).normalize()


def market_table(exchange_id: str, markets: Mapping[str, Any], symbols: Iterable[str] = ()) -> list[dict[str, Any]]:
    """Return one row for each market that can be traded (those of `symbols`, none: all), numbers as plain text."""
    asked = list(symbols)
    rows = []
    for market in [find_market(exchange_id, symbol, markets) for symbol in asked] or markets.values():
        try:
            spec = instrument_of(exchange_id, market)
        except FeedError:
            if asked:
                raise
            continue
        one = spec.instrument
        rows.append(
            {
                "symbol": one.symbol, "kind": spec.kind, "id": spec.raw_id, "active": market.get("active") is not False,
                "tick_size": f"{one.tick_size:f}", "lot_size": f"{one.lot_size:f}", "min_qty": f"{one.min_qty:f}",
                "min_notional": f"{one.min_notional:f}", "contract_size": f"{spec.contract_size:f}",
                "maker": f"{spec.maker:f}", "taker": f"{spec.taker:f}",
            }
        )  # fmt: skip
    return sorted(rows, key=lambda row: (row["kind"] != "spot", row["symbol"]))
