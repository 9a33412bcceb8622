"""The words that an expression can use: series, facts, functions, indicators, each with what it is."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from tradectl.strategy.indicators.registry import ALIASES, INDICATORS
from tradectl.strategy.rules.terms import MONEY, PLAIN, PRICE, QTY, Unit

__all__ = ["BAR_INPUTS", "CONSTANTS", "FACTS", "FUNCTIONS", "SERIES", "Fact", "Function", "Known", "bar_input",
           "known_indicators"]  # fmt: skip

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
    "minutes_to_close": Fact(
        f"(ctx.session_close - ctx.now) // {MINUTE_NS:_}", 6, PLAIN,
        "minutes from the bar's end until its session closes: 0 at the last one (24/7: at 00:00 UTC)"
    ),
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

# The units of what indicators tell: that of what they take in, a price, a plain number; the others fit anything.
_SAME = "sma ema rma wma dema tema hma kama macd momentum rolling std highest lowest linreg bollinger".split()
_PRICES = "atr keltner donchian supertrend psar ichimoku vwap anchored_vwap rolling_vwap".split()
_PLAIN = """rsi roc trix stochastic stoch_rsi williams_r cci adx aroon volatility mfi cmf zscore rank
            correlation""".split()
_PLAIN_OUTPUTS = ("percent_b", "r", "r2", "side", "width")
_ANY_OUTPUTS = ("beta", "intercept", "residual")
_LOTS = ("obv",)  # those that tell a number of lots
BAR_INPUTS = {"session": "ctx.session"}
_NOT_HERE = ("cross",)  # `crosses above` is it


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

    @property
    def is_ticks(self) -> bool:
        """Return whether it works on integer ticks."""
        return any(name.endswith("ticks") for name in self.order)

    def unit(self, output: str, taken: Unit | None) -> Unit | None:
        """Return the unit of an output, where what it takes in has the unit `taken`."""
        if output in _PLAIN_OUTPUTS or (self.name in _PLAIN and output not in _ANY_OUTPUTS):
            return PLAIN
        if self.name in _LOTS:
            return QTY
        return PRICE if self.name in _PRICES else taken if self.name in _SAME and output not in _ANY_OUTPUTS else None

    @property
    def scale(self) -> str:
        """Return what its outputs have to be multiplied with: a name of `ctx`, or nothing."""
        return "lot_size" if self.name in _LOTS else "tick_size" if self.is_ticks else ""

    def call(self) -> str:
        """Return how it is written, as `ema(series, length)`, with the defaults of what may be left out."""
        series = ["series"] if len(self.series) == 1 else [f"series_{name}" for name in self.series]
        numbers = [name if default is None else f"{name}={default}" for name, _, default in self.numbers]
        return f"{self.name}({', '.join([*series, *numbers])})"


def _known(name: str, record: type, update: Callable[..., Any], outputs: tuple[str, ...]) -> Known:
    order = tuple(inspect.signature(getattr(update, "__wrapped__", update)).parameters)[1:]
    series = tuple(one for one in order if bar_input(one) not in SERIES and one not in BAR_INPUTS)
    numbers = tuple(
        (one.name, "float" not in str(one.annotation), None if one.default is one.empty else one.default)
        for one in inspect.signature(record).parameters.values()
    )
    return Known(name, record.__name__, update.__name__, outputs, order, series, numbers)


def bar_input(name: str) -> str:
    """Return the series that an input of an update function is named after (`high_ticks`: high)."""
    return name.removesuffix("_ticks").removesuffix("_lots")


@cache
def known_indicators() -> Mapping[str, Known]:
    """Return the indicators by the names that expressions use, the other names behind the first ones."""
    found = {name: _known(name, *entry) for name, entry in INDICATORS.items() if name not in _NOT_HERE}
    return found | {other: found[name] for other, name in ALIASES.items() if other not in FUNCTIONS and name in found}
