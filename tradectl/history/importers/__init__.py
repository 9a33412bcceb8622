"""Importers of book data: one module per format, one line each in the table below.

A module is imported when its format is asked for or looked for, so that a format's own library is needed
only by those who read it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module

from tradectl.errors import ConfigError, nearest
from tradectl.history.importers.base import BATCH, KINDS, Importer, Meta, Options, Piece, bad_row, book_frame

__all__ = [
    "BATCH", "IMPORTERS", "KINDS", "Importer", "Meta", "Options", "Piece", "bad_row", "book_frame", "importer",
]  # fmt: skip

# name -> module of this package with `IMPORTER`, or `IMPORTERS` (a mapping by name) where it holds several
MODULES: dict[str, str] = {
    "generic": "generic",
    "tardis": "tardis",
    "binance_trades": "trades",
    "binance_ws": "binance_ws",
    "bitstamp_orders": "bitstamp",
    "bybit": "bybit",
    "databento": "databento",
    "funding": "funding",
    "hftbacktest": "hftbacktest",
    "hyperliquid_ws": "hyperliquid_ws",
    "kraken_trades": "trades",
    "kraken_ws": "recordings",
    "lean_ticks": "lean",
    "lobster": "lobster",
    "okx_ws": "recordings",
}


class _Registry(Mapping[str, Importer]):
    """The importers by name; a module is imported at its first look-up."""

    def __getitem__(self, name: str) -> Importer:
        module = import_module(f"tradectl.history.importers.{MODULES[name]}")
        found: Importer = module.IMPORTERS[name] if hasattr(module, "IMPORTERS") else module.IMPORTER
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(MODULES)

    def __len__(self) -> int:
        return len(MODULES)


IMPORTERS: Mapping[str, Importer] = _Registry()


def importer(name: str) -> Importer:
    """Return an importer by name; ConfigError with the nearest name if there is none."""
    if name not in MODULES:
        raise ConfigError(f"data.profile: unknown format {name!r} of book data", hint=nearest(name, MODULES))
    return IMPORTERS[name]
