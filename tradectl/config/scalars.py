"""Kinds of single values: each parses, names what it expects and describes itself for the JSON Schema."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any, get_args

from pydantic_core import core_schema

from tradectl.errors import nearest_of

__all__ = ["Flag", "Number", "OneOf", "Param", "Rows", "Scalar", "Text", "Whole", "plain_number", "said"]

_WORDS_FOR_BOOL = {"yes": "true", "on": "true", "y": "true", "1": "true", "t": "true", "no": "false",
                   "off": "false", "n": "false", "0": "false", "f": "false"}  # fmt: skip
MAX_EXPONENT = 300  # of a parameter: what a float can hold
MAX_DIGITS = 30  # of a number's text: far beyond int64, near enough to keep arithmetic on it cheap


def said(value: object) -> str:
    """Return what the user wrote, short enough for a message."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return f"a mapping with {', '.join(map(str, list(value)[:4]))}" if value else "an empty mapping"
    if isinstance(value, (list, tuple)):
        return f"a list of {len(value)}"
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= 60 else text[:57] + "…"


def _decimals_of(value: Decimal) -> int:
    """Return how many digits after the point a value needs, exactly (the decimal context would round)."""
    _, digits, exponent = value.as_tuple()
    text = "".join(map(str, digits))
    zeros = len(text) - len(text.rstrip("0"))
    return -(int(exponent) + zeros) if value else 0


def plain_number(value: Decimal) -> int | float | str:
    """Return a Decimal as the int or float whose text is the same number, else as text."""
    if value == value.to_integral_value() and abs(value) < 10**15:
        return int(value)
    return float(value) if Decimal(repr(float(value))) == value else str(value)


class Scalar:
    """One kind of value; as `Annotated` metadata it is both validator and JSON Schema."""

    words = "a value"
    example = ""

    def convert(self, value: Any) -> Any:
        """Return the value in its Python type, or raise ValueError (its text, if any, is the message)."""
        raise ValueError

    def parse(self, value: Any) -> Any:
        """Return `convert(value)`; on failure say what was expected and what was found."""
        try:
            return self.convert(value)
        except (ValueError, ArithmeticError) as error:
            said_so = str(error) if type(error) is ValueError else ""
            raise ValueError(f"{said_so or self.expected()}; got {said(value)}{self.hint(value)}") from None

    def expected(self) -> str:
        """Return what was expected, in words, with an example."""
        return f"expected {self.words}" + (f", e.g. {self.example}" if self.example else "")

    def hint(self, value: Any) -> str:
        """Return a guess at what the user meant, ready to append, or nothing."""
        return ""

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema of what `parse` accepts."""
        return {"type": "string"}

    def __get_pydantic_core_schema__(self, source: Any, handler: Callable[[Any], Any]) -> Any:
        """Make pydantic use `parse`."""
        return core_schema.no_info_plain_validator_function(self.parse)


class Number(Scalar):
    """An exact decimal within bounds; numbers, or text of numbers. `decimals` is what the engine can hold."""

    def __init__(
        self,
        *,
        gt: str | None = None,
        ge: str | None = None,
        le: str | None = None,
        example: str = "0.5",
        percent: bool = False,
        decimals: int = MAX_DIGITS,
    ) -> None:
        self.gt, self.ge, self.le = (Decimal(bound) if bound is not None else None for bound in (gt, ge, le))
        self.example, self.percent, self.decimals = example, percent, decimals

    @property
    def words(self) -> str:  # type: ignore[override]
        """Return `a number > 0 and <= 1`."""
        return " ".join(["a fraction" if self.percent else "a number", self.bounds()]).strip()

    def bounds(self) -> str:
        """Return `> 0 and <= 1`, or nothing without bounds."""
        named = (("> ", self.gt), (">= ", self.ge), ("<= ", self.le))
        return " and ".join(f"{sign}{bound:f}" for sign, bound in named if bound is not None)

    def convert(self, value: Any) -> Decimal:
        """Return `value` as a finite Decimal within the bounds."""
        if isinstance(value, bool) or not isinstance(value, (int, float, str, Decimal)):
            raise ValueError
        text = str(value).strip()
        number = Decimal(text)
        if not number.is_finite():
            raise ValueError
        low = (self.gt is not None and number <= self.gt) or (self.ge is not None and number < self.ge)
        if low or (self.le is not None and number > self.le):
            raise ValueError
        if len(number.as_tuple().digits) > MAX_DIGITS or abs(number.adjusted()) > MAX_DIGITS:
            raise ValueError(f"expected a number of at most {MAX_DIGITS} digits")
        if _decimals_of(number) > self.decimals:
            raise ValueError(f"expected at most {self.decimals} decimals, e.g. {self.example}")
        return number

    def hint(self, value: Any) -> str:
        """Guess at percent signs, thousands commas and percentages given for fractions."""
        text = str(value).strip()
        try:
            if text.endswith("%"):
                return f" (did you mean {self.convert(Decimal(text[:-1]) / 100):f}?)"
            if "," in text:
                is_grouped = re.fullmatch(r"[1-9]\d{0,2}(,\d{3})+(\.\d*)?", text)
                return f" (did you mean {self.convert(text.replace(',', '' if is_grouped else '.')):f}?)"
            if self.percent and not isinstance(value, bool):
                number = Decimal(text)
                return f" (did you mean {self.convert(number / 100):f}, i.e. {number:f} %?)"
        except (ValueError, ArithmeticError):
            pass
        return ""

    def schema(self) -> dict[str, Any]:
        """Return a number within bounds, or a text of one."""
        names = (("exclusiveMinimum", self.gt), ("minimum", self.ge), ("maximum", self.le))
        bounds = {name: plain_number(bound) for name, bound in names if bound is not None}
        return {
            "anyOf": [{"type": "number", **bounds}, {"type": "string", "pattern": r"^[-+]?[0-9._eE+-]+$"}]
        }


class Whole(Scalar):
    """An integer within bounds; with `power_of_two` one that a ring's mask can use."""

    def __init__(self, *, ge: int, le: int, example: str, power_of_two: bool = False) -> None:
        self.ge, self.le, self.example, self.power_of_two = ge, le, example, power_of_two
        kind = "a power of two" if power_of_two else "a whole number"
        self.words = f"{kind} from {ge} to {le}"

    def convert(self, value: Any) -> int:
        """Return `value` as an int within the bounds."""
        if isinstance(value, (bool, float)) or not isinstance(value, (int, str, Decimal)):
            raise ValueError
        number = Decimal(str(value))
        if not self.ge <= number <= self.le or number != number.to_integral_value():
            raise ValueError
        if self.power_of_two and int(number) & (int(number) - 1):
            raise ValueError
        return int(number)

    def hint(self, value: Any) -> str:
        """Name the neighbouring powers of two."""
        if not self.power_of_two or not isinstance(value, int) or not self.ge < value < self.le:
            return ""
        below = 1 << (value.bit_length() - 1)
        return f" (nearest: {below} and {below * 2})"

    def schema(self) -> dict[str, Any]:
        """Return an integer within bounds."""
        return {"type": "integer", "minimum": self.ge, "maximum": self.le}


class Flag(Scalar):
    """`true` or `false`."""

    words = "true or false"

    def convert(self, value: Any) -> bool:
        """Return a bool; the words yes, no, on, off are left to mean themselves (ON is a stock)."""
        if isinstance(value, bool):
            return value
        raise ValueError

    def hint(self, value: Any) -> str:
        """Translate yes, no, on, off."""
        near = str(value).strip().lower()
        near = _WORDS_FOR_BOOL.get(near, near)
        return f" (did you mean {near}?)" if near in {"true", "false"} else ""

    def schema(self) -> dict[str, Any]:
        """Return a boolean."""
        return {"type": "boolean"}


class Text(Scalar):
    """A non-empty text; numbers are taken as their text (a stock may be called 005930)."""

    def __init__(self, words: str = "a text", example: str = "") -> None:
        self.words, self.example = words, example

    def convert(self, value: Any) -> str:
        """Return the text without surrounding blanks."""
        if isinstance(value, bool):
            raise ValueError(f"{self.expected()} (put it in quotes)")
        if not isinstance(value, (str, int, Decimal)) or not str(value).strip():
            raise ValueError
        return str(value).strip()

    def schema(self) -> dict[str, Any]:
        """Return a text."""
        return {"type": ["string", "integer"]}


class OneOf(Scalar):
    """One of the words of the `Literal` that it annotates; `later` words are known but not built yet."""

    def __init__(self, later: tuple[str, ...] = ()) -> None:
        self.choices: tuple[str, ...] = ()
        self.later = later

    @property
    def words(self) -> str:  # type: ignore[override]
        """Return `one of a, b`."""
        return f"one of {', '.join(self.choices)}"

    def convert(self, value: Any) -> str:
        """Return the word as it is."""
        if value in self.later:
            raise ValueError(f"{self.expected()} ({value!r} is planned, this version cannot read it)")
        if not isinstance(value, str) or value not in self.choices:
            raise ValueError
        return value

    def hint(self, value: Any) -> str:
        """Name the nearest choice."""
        folded = str(value).strip().replace("-", "_").replace(" ", "_")
        close = nearest_of(folded, self.choices)
        return f" (did you mean {close!r}?)" if close else ""

    def schema(self) -> dict[str, Any]:
        """Return the enumeration."""
        return {"type": "string", "enum": list(self.choices)}

    def __get_pydantic_core_schema__(self, source: Any, handler: Callable[[Any], Any]) -> Any:
        """Learn the choices from the annotated `Literal`."""
        self.choices = get_args(source)
        return core_schema.no_info_plain_validator_function(self.parse)


class Param(Scalar):
    """A strategy's parameter: number, text, true/false, or a list of these; decimals become floats."""

    words, example = "a number, text, true/false or a list of these", "20"

    def convert(self, value: Any) -> Any:
        """Return int, float, bool, str or a tuple of them; the strategy knows its own types and bounds."""
        if isinstance(value, (list, tuple)):
            return tuple(self.convert(item) for item in value)
        if isinstance(value, Decimal):
            if abs(value.adjusted()) > MAX_EXPONENT:
                raise ValueError(f"expected a number within 1e{MAX_EXPONENT}")
            return float(value)
        if isinstance(value, (bool, int, float, str)):
            return value
        raise ValueError

    def schema(self) -> dict[str, Any]:
        """Return any scalar or list."""
        return {"type": ["number", "string", "boolean", "array"]}


class Rows:
    """Marks a tuple for which one bare item may stand: `bars: 1h` is `bars: [1h]`."""

    def __get_pydantic_core_schema__(self, source: Any, handler: Callable[[Any], Any]) -> Any:
        """Wrap a bare item before the tuple is validated."""

        def wrap(value: Any) -> Any:
            if value is None:
                return ()
            return value if isinstance(value, (list, tuple)) else (value,)

        return core_schema.no_info_before_validator_function(wrap, handler(source))
