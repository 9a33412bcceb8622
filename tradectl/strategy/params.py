"""The typed, bounded parameters that a strategy declares in its class `Params`."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tradectl.errors import nearest

__all__ = ["INT_LIMIT", "Bool", "Choice", "Float", "Int", "Param", "Value"]

INT_LIMIT = 2**53  # larger integers are not exact as floats: compiled and plain code would divide them apart
Value = int | float | bool | str


class Param:
    """One typed parameter: a default, a check, and its number in the params record."""

    kind = ""
    field = "<i8"

    def __init__(self, default: Value, help: str = "") -> None:
        self.default = default
        self.help = help

    def problem(self, value: Any) -> str:
        """Return what is wrong with a value, or nothing."""
        raise TypeError("declare Int, Float, Bool or Choice")

    def code(self, value: Any) -> int | float:
        """Return what stands in the params record for a valid value."""
        return int(value)

    def limits(self) -> str:
        """Return the valid values as text for tables and errors."""
        return ""


class Int(Param):
    """An integer parameter in low..high; `high` also sizes the windows that it is the length of."""

    kind = "int"

    def __init__(self, default: int, low: int = -INT_LIMIT, high: int = INT_LIMIT, help: str = "") -> None:
        super().__init__(default, help)
        self.low, self.high = low, high

    def problem(self, value: Any) -> str:
        """Return what is wrong with a value, or nothing."""
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
            return f"must be a whole number, not {value!r}"
        return "" if self.low <= value <= self.high else f"= {value} is outside {self.limits()}"

    def limits(self) -> str:
        """Return the bounds as text."""
        low = "" if self.low == -INT_LIMIT else str(self.low)
        high = "" if self.high == INT_LIMIT else str(self.high)
        return f"{low}..{high}" if low or high else "any"


class Float(Param):
    """A float parameter in low..high (both included)."""

    kind = "float"
    field = "<f8"

    def __init__(
        self, default: float, low: float = -math.inf, high: float = math.inf, help: str = ""
    ) -> None:
        super().__init__(default, help)
        self.low, self.high = low, high

    def problem(self, value: Any) -> str:
        """Return what is wrong with a value, or nothing."""
        if isinstance(value, bool) or not isinstance(value, (int, float, np.integer, np.floating)):
            return f"must be a number, not {value!r}"
        if not math.isfinite(value):
            return f"must be a finite number, not {value}"
        return "" if self.low <= value <= self.high else f"= {value} is outside {self.limits()}"

    def code(self, value: Any) -> float:
        """Return the float of a valid value (never -0.0)."""
        return float(value) + 0.0

    def limits(self) -> str:
        """Return the bounds as text."""
        return f"{self.low:g}..{self.high:g}"


class Bool(Param):
    """A true-or-false parameter, or such a field of the state."""

    kind = "bool"
    field = "?"

    def __init__(self, default: bool = False, help: str = "") -> None:
        super().__init__(default, help)

    def problem(self, value: Any) -> str:
        """Return what is wrong with a value, or nothing."""
        return "" if isinstance(value, (bool, np.bool_)) else f"must be true or false, not {value!r}"

    def limits(self) -> str:
        """Return the two values."""
        return "true, false"


class Choice(Param):
    """One of several names; the hook sees its code (its place in a list, or the number a mapping gives)."""

    kind = "choice"

    def __init__(self, default: str, options: Mapping[str, int] | Sequence[str], help: str = "") -> None:
        super().__init__(default, help)
        named = isinstance(options, Mapping)
        self.options = dict(options) if named else {name: i for i, name in enumerate(options)}  # type: ignore[arg-type]

    def problem(self, value: Any) -> str:
        """Return what is wrong with a value, or nothing."""
        if isinstance(value, str) and value in self.options:
            return ""
        return f"= {value!r} is no choice; {nearest(str(value), self.options)}"

    def code(self, value: Any) -> int:
        """Return the code of a valid name."""
        return self.options[value]

    def limits(self) -> str:
        """Return the names."""
        return ", ".join(self.options)
