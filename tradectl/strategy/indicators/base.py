"""What all indicators share: a record with its length, and functions that stream one value at a time.

An indicator is declared in `State` and updated once per bar by its function, whose first parameter is the
record `rec` and whose others name what it takes in: `x`, `y`, `price`, `high`, `low`, `close`, `volume`,
`*_ticks`, `*_lots`, `session`. It returns its main output, NaN until ready; its other outputs are fields of the
record, to be read once `ready`. A NaN that comes in is no value: it is left out, and NaN comes back. It is
deterministic to the last bit, compiled and plain: only + - * / and comparisons, the correctly rounded square
root, the project's own `log`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from tradectl.core.jit import kernel
from tradectl.errors import StrategyError
from tradectl.strategy.memory import Derived, Float64, Int64, Length, Record, Sizes, StateField
from tradectl.strategy.params import Bool

__all__ = ["INTEGER_INPUTS", "Indicator", "Part", "indicator", "ready"]

INTEGER_INPUTS: dict[Any, str] = {}  # indicator function -> what its integers are; `strategy.typed` checks it


class Part(Record):
    """A record within an indicator: only library functions write its fields."""

    is_protected = True


class Indicator(Part):
    """A record over the last `length` values; the length is a number or the name of an Int parameter.

    `count` is how many values came in, `needed` how many it takes until the result means something. A window
    has the parameter's `high` as its capacity, so another value of the parameter compiles nothing. Further
    `lengths` and `numbers` (or the names of Float or Int parameters) are fields of these names; `outputs` are
    float fields, the main one first, that are NaN until ready.
    """

    extra = 0  # values needed beyond the length
    outputs: tuple[str, ...] = ("value",)

    def __init__(
        self,
        length: Length = 1,
        *,
        lengths: Mapping[str, Length] | None = None,
        numbers: Mapping[str, float | str] | None = None,
        **fields: StateField | type[StateField] | Bool | type[Bool],
    ) -> None:
        self.lengths = {"length": length, **(lengths or {})}
        self.numbers = dict(numbers or {})
        self.length = length
        self.source: Indicator | None = None
        self._check()
        super().__init__(
            count=Int64(), needed=Int64(), **dict.fromkeys(self.lengths, Int64), **dict.fromkeys(self.numbers, Float64),
            **{name: Float64(math.nan) for name in self.outputs if name not in fields}, **fields,
        )  # fmt: skip

    def _check(self) -> None:
        """Refuse what is no length and no factor."""
        made = f"{type(self).__name__}: "
        for name, length in self.lengths.items():
            whole = isinstance(length, int) and not isinstance(length, bool) and length >= 1
            if not (whole or isinstance(length, (str, Derived))):
                raise StrategyError(
                    f"{made}{name} = {length!r}: give a length of 1 or more, or the name of an Int parameter"
                )
        for name, number in self.numbers.items():
            if not isinstance(number, (int, float, str)) or isinstance(number, bool):
                raise StrategyError(f"{made}{name} = {number!r}: give a number, or the name of a Float parameter")

    def of(self, source: Indicator) -> Indicator:
        """Say that the values come from another indicator of the state, so that the warm-ups add up; return self."""
        self.source = source
        return self

    def values_needed(self, sizes: Sizes) -> int:
        """Return how many values must come in until the result means something."""
        return sizes.length(self.length) + self.extra

    def bars_needed(self, sizes: Sizes) -> int:
        """Return how many bars that takes, where the values come from another indicator (`of`)."""
        before = self.source.bars_needed(sizes) - 1 if self.source is not None else 0
        return self.values_needed(sizes) + before

    def fill(self, target: Any, sizes: Sizes) -> None:
        """Write lengths and factors."""
        super().fill(target, sizes)
        for name, length in self.lengths.items():
            target[name] = sizes.length(length)
        for name, number in self.numbers.items():
            target[name] = sizes.number(number)
        target["needed"] = self.values_needed(sizes)
        if "alpha" in self.fields:
            target["alpha"] = self.alpha(sizes.length(self.length))

    def alpha(self, length: int) -> float:
        """Return the weight of the newest value, where the indicator is an exponential average."""
        return 1.0 / length

    def dtype(self, sizes: Sizes) -> Any:
        """Return the record's dtype; a length that no window uses is checked all the same, as are the numbers."""
        for length in self.lengths.values():
            sizes.capacity(length)
        for number in self.numbers.values():
            sizes.number(number)
        return super().dtype(sizes)


def indicator(
    kind: type[Record], *, integers: str = ""
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Declare a function that works on a record of `kind`; `integers` says what its whole-number inputs are."""

    def declare(fn: Callable[..., Any]) -> Callable[..., Any]:
        fn.__indicator__ = kind  # type: ignore[attr-defined]
        if integers:
            INTEGER_INPUTS[fn] = integers
        return kernel(fn)

    return declare


@kernel
def ready(rec):  # type: ignore[no-untyped-def]
    """Return whether an indicator has seen as many values as it needs."""
    return rec.count >= rec.needed
