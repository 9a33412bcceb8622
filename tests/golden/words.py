"""Words of a golden script to integers: ticks, lots and atoms, `config` and `instrument` lines."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from math import ceil, floor
from typing import Any

from tests.golden.protocol import ATOMS, E9, Config, InstrumentSpec
from tradectl.core.codes import AccountType, Breach, FillAt, PathRule, Reason
from tradectl.errors import nearest

__all__ = ["ScriptError", "atoms", "configure", "grid", "instrument"]


class ScriptError(Exception):
    """A line of a golden script that cannot be read, or that did not come true."""


def scaled(text: str, unit: Fraction) -> int:
    """Return `text` as a whole number of units, or complain."""
    exact = Fraction(Decimal(text)) / unit
    if exact.denominator != 1:
        raise ScriptError(f"{text} is not a whole number of {unit}")
    return int(exact)


def atoms(text: str) -> int:
    """Return money in atoms."""
    return scaled(text, Fraction(1, ATOMS))


def e9(text: str) -> int:
    """Return a ratio in units of 1e-9."""
    return scaled(text, Fraction(1, E9))


def grid(text: str, step: Decimal, off: Reason) -> tuple[int, Reason]:
    """Return (integer, fault) of a decimal on a grid; off the grid it is rounded away from zero."""
    value = Decimal(text)
    if not value.is_finite():
        return 0, Reason.NOT_A_NUMBER
    exact = Fraction(value) / Fraction(step)
    if exact.denominator == 1:
        return int(exact), Reason.NONE
    return (ceil(exact) if exact > 0 else floor(exact)), off


def seconds(text: str) -> int:
    """Return seconds in ns."""
    return scaled(text, Fraction(1, E9))


def yes(text: str) -> bool:
    """Return true or false."""
    return {"true": True, "false": False}[text]


def sessions(text: str) -> tuple[tuple[int, int], ...]:
    """Return `open-close,…` in seconds as ns, and one more session that lies beyond all data."""
    made = [tuple(map(seconds, one.split("-"))) for one in text.split(",")]
    return (*((opened, closed) for opened, closed in made), (3 * 10**18, 4 * 10**18))


CONFIG: dict[str, tuple[str, Callable[[str], Any]]] = {
    "account": ("account", lambda t: AccountType[t.upper()]),
    "leverage": ("leverage_e9", e9),
    "balance": ("balance_atoms", atoms),
    "maker": ("maker_e9", e9),
    "taker": ("taker_e9", e9),
    "fill_at": ("fill_at", lambda t: FillAt[t.upper()]),
    "path": ("path", lambda t: PathRule[t.upper()]),
    "limit_gap": ("limit_gap_open", lambda t: {"limit": False, "open": True}[t]),
    "limit_touch": ("limit_touch", lambda t: {"through": False, "touch": True}[t]),
    "entry_bar": ("entry_bar", yes),
    "participation": ("participation_e9", e9),
    "slippage.ticks": ("slippage_ticks", int),
    "slippage.bps": ("slippage_rate_e9", lambda t: scaled(t, Fraction(10_000, E9))),
    "slippage.volume_share": ("slippage_share_e9", e9),
    "delisting": ("write_off", lambda t: {"close_at_last": False, "write_off": True}[t]),
    "latency.entry": ("latency_entry_ns", seconds),
    "timeframe": ("timeframe_ns", seconds),
    "detail": ("detail_ns", seconds),
    "sessions": ("sessions", sessions),
    "outside_session": ("keeps_outside", lambda t: {"drop": False, "keep": True}[t]),
    "max_order_notional": ("max_order_notional_atoms", atoms),
    "price_collar": ("price_collar_e9", e9),
    "max_exposure": ("max_exposure_atoms", atoms),
    "max_open_orders": ("max_open_orders", int),
    "max_order_rate": ("max_order_rate", int),
    "rate_window": ("rate_window_ns", seconds),
    "max_drawdown": ("max_drawdown_e9", e9),
    "on_breach": ("on_breach", lambda t: Breach[t.upper()]),
}  # fmt: skip

LOTS = {"min_qty": "min_qty_lots", "max_qty": "max_qty_lots", "max_order_qty": "max_order_qty_lots",
        "max_position": "max_position_lots"}  # fmt: skip
MONEY = {"min_notional": "min_notional_atoms", "max_notional": "max_notional_atoms"}


def pairs(words: list[str]) -> list[tuple[str, str]]:
    """Return key value key value … as pairs."""
    if len(words) % 2:
        raise ScriptError("expected pairs of key and value")
    return list(zip(words[::2], words[1::2], strict=True))


def configure(config: Config, words: list[str]) -> Config:
    """Apply a `config` line; keys of the first instrument may stand in it too."""
    for key, value in pairs(words):
        if key in CONFIG:
            name, read = CONFIG[key]
            config = replace(config, **{name: read(value)})
        elif key in ("tick", "lot", "max_price", *LOTS, *MONEY):
            first = instrument(config.instruments[0], [key, value])
            config = replace(config, instruments=(first, *config.instruments[1:]))
        else:
            raise ScriptError(f"unknown key {key!r}; {nearest(key, CONFIG)}")
    return config


def instrument(spec: InstrumentSpec, words: list[str]) -> InstrumentSpec:
    """Apply the keys of an `instrument` line (tick and lot first)."""
    changes: dict[str, Any]
    for key, value in pairs(words):
        if key in LOTS:
            changes = {LOTS[key]: scaled(value, Fraction(spec.lot_size))}
        elif key in MONEY:
            changes = {MONEY[key]: atoms(value)}
        elif key == "max_price":
            changes = {"max_price_ticks": scaled(value, Fraction(spec.tick_size))}
        elif key in ("tick", "lot"):
            changes = {f"{key}_size": Decimal(value)}
        else:
            known = [*LOTS, *MONEY, "max_price", "tick", "lot"]
            raise ScriptError(f"unknown key {key!r}; {nearest(key, known)}")
        spec = replace(spec, **changes)
    return spec
