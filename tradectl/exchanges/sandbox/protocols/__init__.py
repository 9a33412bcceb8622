"""The venues that the sandbox can be, one module each."""

from __future__ import annotations

from importlib import import_module

from tradectl.errors import ConfigError, nearest
from tradectl.exchanges.sandbox.outlet import Outlet
from tradectl.exchanges.sandbox.protocols.base import Protocol

__all__ = ["PROTOCOLS", "new_protocol"]

# ccxt's id -> class, in the module of that name
PROTOCOLS = {"binance": "Binance", "kraken": "Kraken", "bybit": "Bybit", "okx": "Okx", "coinbase": "Coinbase"}


def new_protocol(name: str, outlet: Outlet) -> Protocol:
    """Return a venue's protocol; ConfigError for a venue that the sandbox cannot be."""
    if name not in PROTOCOLS:
        raise ConfigError(f"the sandbox cannot be {name!r}", hint=nearest(name, PROTOCOLS))
    made: Protocol = getattr(import_module(f"tradectl.exchanges.sandbox.protocols.{name}"), PROTOCOLS[name])(
        outlet
    )
    return made
