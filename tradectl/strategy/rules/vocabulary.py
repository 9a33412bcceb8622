"""The words that an expression can use: series, facts, functions, indicators, each with what it is."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from tradectl.strategy import indicators
from tradectl.strategy.rules.terms import MONEY, PLAIN, PRICE, QTY, Unit

__all__ = ["CONSTANTS", "FACTS", "FUNCTIONS", "SERIES", "Fact", "Function", "Known", "known_indicators"]

_OLD: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "sma": ("Sma", "sma", ("value",)), "ema": ("Ema", "ema", ("value",)), "rma": ("Rma", "rma", ("value",)),
    "rsi": ("Rsi", "rsi", ("value",)), "roc": ("Roc", "roc", ("value",)), "momentum": ("Roc", "momentum", ("value",)),
    "atr": ("Atr", "atr", ("value",)), "rolling": ("Rolling", "rolling", ("mean",)),
    "donchian": ("Donchian", "donchian", ("upper", "lower", "prior_upper", "prior_lower")),
}  # fmt: skip
SERIES: dict[str, tuple[Unit, str]] = {
    "open": (PRICE, "open of the bar"),
    "high": (PRICE, "high of the bar"),
    "low": (PRICE, "low of the bar"),
    "close": (PRICE, "close of the bar"),
    "volume": (QTY, "volume of the bar in units of the base; undefined where it is unknown"),
}
DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
CONSTANTS = {name: float(day) for day, name in enumerate(DAYS)}
DAY_NS, HOUR_NS, MINUTE_NS = 86_400_000_000_000, 3_600_000_000_000, 60_000_000_000


@dataclass(frozen=True)
class Fact:
    """Something that is known at a bar: its Python text, how tightly that holds, its unit, what it is."""

    code: str
    power: int
    unit: Unit
    doc: str


FACTS = {
    "position": Fact("ctx.position", 8, QTY, "the position in units of the base; negative: short"),
    "entry_price": Fact("ctx.entry_price", 8, PRICE, "average price of the position; undefined when flat"),
    "bars_held": Fact("s.bars_held", 8, PLAIN, "bars that ended since the position was opened; 0 when flat"),
    "unrealised": Fact("ctx.unrealised", 8, MONEY, "unrealised profit of the position, in the quote currency"),
    "equity": Fact("ctx.equity", 8, MONEY, "equity of the account"),
    "balance": Fact("ctx.balance", 8, MONEY, "balance of the quote currency"),
    "drawdown": Fact("ctx.drawdown", 8, PLAIN, "drawdown of the account: 1 - equity / peak equity"),
    "hour": Fact(f"ctx.now // {HOUR_NS:_} % 24", 6, PLAIN, "hour of the bar's end, 0..23 UTC"),
    "minute": Fact(f"ctx.now // {MINUTE_NS:_} % 60", 6, PLAIN, "minute of the bar's end, 0..59"),
    "weekday": Fact(
        f"(ctx.now // {DAY_NS:_} + 3) % 7", 6, PLAIN, "day of the bar's end, UTC: monday (0) .. sunday (6) by name"
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Function:
    """A function of numbers: how many it takes, what it imports, and what it is."""

    most: int
    least: int
    imported: bool
    doc: str


FUNCTIONS = {
    "min": Function(8, 2, False, "the smallest of its arguments"),
    "max": Function(8, 2, False, "the largest of its arguments"),
    "abs": Function(1, 1, False, "the absolute value"),
    "sqrt": Function(1, 1, True, "the square root; undefined below 0"),
    "log": Function(1, 1, True, "the natural logarithm; undefined below 0"),
    "exp": Function(1, 1, True, "e to the power of its argument"),
}

# The units of what indicators tell: that of what they take in, a price, or none. The others fit anything.
_SAME = """sma ema wma rma dema tema hma kama rolling std variance minimum maximum median linreg momentum"""
_PRICES = """atr donchian keltner supertrend psar parabolic_sar ichimoku vwap anchored_vwap session_vwap"""
_PLAIN = """rsi roc stochastic stochastic_rsi adx cci williams_r mfi cmf zscore rank correlation aroon trix"""


@dataclass(frozen=True)
class Known:
    """An indicator as expressions call it: `name(series..., numbers...)`.

    `series` are the inputs that a call names, `bar` those that are taken from the bar, in the order of the
    update function's parameters (`order`); `numbers` are (name, is a length, default or None). `is_ticks`: it
    works on integer ticks, and so do its outputs.
    """

    name: str
    record: str
    update: str
    outputs: tuple[str, ...]
    order: tuple[str, ...]
    series: tuple[str, ...]
    numbers: tuple[tuple[str, bool, Any], ...]
    unit: Unit | str | None
    doc: str

    @property
    def is_ticks(self) -> bool:
        """Return whether it works on integer ticks."""
        return any(name.endswith("ticks") for name in self.order)

    def call(self) -> str:
        """Return how it is written, as `ema(x, length)`."""
        numbers = [name if default is None else f"{name}={default}" for name, _, default in self.numbers]
        return f"{self.name}({', '.join([*self.series, *numbers])})"


def _unit_of(name: str) -> Unit | str | None:
    if name in _SAME.split():
        return "same"
    return PRICE if name in _PRICES.split() else PLAIN if name in _PLAIN.split() else None


def _known(name: str, record: type, update: Callable[..., Any], outputs: tuple[str, ...]) -> Known:
    order = tuple(inspect.signature(getattr(update, "__wrapped__", update)).parameters)[1:]
    series = tuple(one for one in order if one.removesuffix("_ticks").removesuffix("_lots") not in SERIES)
    numbers = tuple(
        (one.name, "float" not in str(one.annotation), None if one.default is one.empty else one.default)
        for one in inspect.signature(record).parameters.values()
    )
    doc = " ".join((record.__doc__ or "").split("\n\n")[0].split())
    return Known(name, record.__name__, update.__name__, outputs, order, series, numbers, _unit_of(name), doc)


@cache
def known_indicators() -> Mapping[str, Known]:
    """Return the indicators by the names that expressions use."""
    return {
        name: _known(name, getattr(indicators, record), getattr(indicators, update), outputs)
        for name, (record, update, outputs) in _OLD.items()
    }
