"""What all indicators share: a record with its length, and functions that stream one value at a time.

An indicator is declared in `State` and updated once per bar by its function. It is deterministic to the last
bit, compiled and plain: only + - * / and comparisons (and the correctly rounded square root).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tradectl.core.jit import kernel
from tradectl.errors import StrategyError
from tradectl.strategy.memory import Int64, Record, Sizes, StateField
from tradectl.strategy.params import Bool

__all__ = ["INTEGER_INPUTS", "Indicator", "indicator", "ready"]

INTEGER_INPUTS: dict[Any, str] = {}  # indicator function -> what its integers are; `strategy.typed` checks it


class Indicator(Record):
    """A record over the last `length` values; the length is a number or the name of an Int parameter.

    `count` is how many values came in, `needed` how many it takes until the result means something. A window
    has the parameter's `high` as its capacity, so another value of the parameter compiles nothing.
    """

    is_protected = True
    extra = 0  # values needed beyond the length

    def __init__(
        self, length: int | str, **fields: StateField | type[StateField] | Bool | type[Bool]
    ) -> None:
        if (
            not isinstance(length, (int, str))
            or isinstance(length, bool)
            or (isinstance(length, int) and length < 1)
        ):
            name = type(self).__name__
            raise StrategyError(
                f"{name}({length!r}): give a length of 1 or more, or the name of an Int parameter"
            )
        self.length = length
        super().__init__(count=Int64(), needed=Int64(), length=Int64(), **fields)

    def fill(self, target: Any, sizes: Sizes) -> None:
        """Write the length."""
        super().fill(target, sizes)
        target["length"] = sizes.length(self.length)
        target["needed"] = sizes.length(self.length) + self.extra
        if "alpha" in self.fields:
            target["alpha"] = self.alpha(sizes.length(self.length))

    def alpha(self, length: int) -> float:
        """Return the weight of the newest value, where the indicator is an exponential average."""
        return 1.0 / length

    def dtype(self, sizes: Sizes) -> Any:
        """Return the record's dtype; a length that no window uses is checked all the same."""
        sizes.capacity(self.length)
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
