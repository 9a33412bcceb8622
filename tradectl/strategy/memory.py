"""The typed fields that a strategy declares in its class `State`: what it remembers between hooks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from tradectl.core.layout import record
from tradectl.errors import StrategyError, nearest
from tradectl.strategy.params import INT_LIMIT, Bool, Float, Int, Param, Value

__all__ = [
    "Array",
    "Derived",
    "Float64",
    "Int64",
    "Length",
    "PerInstrument",
    "Record",
    "Sizes",
    "StateField",
    "dtype_of",
    "state_field",
]

MIN_INSTRUMENTS = 16  # per-instrument arrays are sized in powers of two from here: fewer shapes to compile


@dataclass(frozen=True)
class Derived:
    """A length that follows from others; `of` never falls where one of its arguments rises."""

    bases: tuple[int | str | Derived, ...]
    of: Callable[..., int]


Length = int | str | Derived  # a number, the name of an Int parameter, or what follows from one of them


@dataclass(frozen=True)
class Sizes:
    """What sizes depend on: the declared parameters, their values, the number of instruments."""

    params: Mapping[str, Param]
    values: Mapping[str, Value]
    n_instruments: int = 1

    def _int_param(self, name: str) -> Int:
        found = self.params.get(name)
        if found is None:
            hint = nearest(name, self.params)
            raise StrategyError(f"the state names a parameter {name!r} that is not declared; {hint}")
        if not isinstance(found, Int) or found.high == INT_LIMIT:
            raise StrategyError(f"parameter {name!r} sizes a window: declare it as Int(..., high=<its most>)")
        if found.low < 1:
            raise StrategyError(f"parameter {name!r} sizes a window: its low must be 1 or more")
        return found

    def capacity(self, length: Length) -> int:
        """Return how many slots a window of this length needs whatever value its parameter has."""
        if isinstance(length, Derived):
            return length.of(*map(self.capacity, length.bases))
        return self._int_param(length).high if isinstance(length, str) else length

    def length(self, length: Length) -> int:
        """Return the length itself."""
        if isinstance(length, Derived):
            return length.of(*map(self.length, length.bases))
        if isinstance(length, str):
            self._int_param(length)
            return int(self.values[length])
        return length

    def number(self, number: float | str) -> float:
        """Return a factor: a number, or the value of the Float or Int parameter that it names."""
        if not isinstance(number, str):
            return float(number)
        if not isinstance(self.params.get(number), (Float, Int)):
            hint = nearest(number, [n for n, p in self.params.items() if isinstance(p, (Float, Int))])
            raise StrategyError(f"the state names a Float or Int parameter {number!r} that is not declared; {hint}")
        return float(self.values[number])


class StateField:
    """One field of the state: its dtype, and what stands in it before the first event."""

    def dtype(self, sizes: Sizes) -> Any:
        """Return the numpy dtype."""
        raise TypeError("declare Int64, Float64, Bool, Array, PerInstrument, Record or an indicator")

    def fill(self, target: Any, sizes: Sizes) -> None:
        """Write the initial value into an array view (any number of cells) of this field."""


class _Scalar(StateField):
    kind = "<i8"

    def __init__(self, default: float = 0) -> None:
        self.default = default

    def dtype(self, sizes: Sizes) -> Any:
        """Return the numpy dtype."""
        return np.dtype(self.kind)

    def fill(self, target: Any, sizes: Sizes) -> None:
        """Write the initial value."""
        target[...] = self.default


class Int64(_Scalar):
    """A 64-bit integer."""

    def __init__(self, default: int = 0) -> None:
        super().__init__(default)


class Float64(_Scalar):
    """A 64-bit float."""

    kind = "<f8"

    def __init__(self, default: float = 0.0) -> None:
        super().__init__(default)


class _Flag(_Scalar):
    kind = "?"


class Array(StateField):
    """A fixed array of one kind of field; a length is a number or the name of the parameter that is its most."""

    def __init__(self, of: StateField | type[StateField] | type[Bool], *shape: Length) -> None:
        self.of = state_field(of)
        self.shape = shape

    def dtype(self, sizes: Sizes) -> Any:
        """Return the numpy dtype."""
        shape = tuple(sizes.capacity(n) for n in self.shape)
        if not shape or min(shape) < 1:
            raise StrategyError(f"an array needs lengths of 1 or more, not {self.shape}")
        return np.dtype((self.of.dtype(sizes), shape))

    def fill(self, target: Any, sizes: Sizes) -> None:
        """Write the initial value of each cell."""
        self.of.fill(target, sizes)


class PerInstrument(StateField):
    """An array with one cell per instrument of the run (portfolio scope); cells `0 .. ctx.n_instruments - 1` count."""

    def __init__(self, of: StateField | type[StateField] | type[Bool]) -> None:
        self.of = state_field(of)

    def dtype(self, sizes: Sizes) -> Any:
        """Return the numpy dtype; the length is a power of two, so runs of like size share compiled code."""
        length = max(MIN_INSTRUMENTS, 1 << (sizes.n_instruments - 1).bit_length())
        return np.dtype((self.of.dtype(sizes), (length,)))

    def fill(self, target: Any, sizes: Sizes) -> None:
        """Write the initial value of each cell."""
        self.of.fill(target, sizes)


class Record(StateField):
    """A nested record of named fields; indicators are made of it."""

    is_protected = False  # whether only library functions may write its fields

    def __init__(self, **fields: StateField | type[StateField] | Bool | type[Bool]) -> None:
        self.fields = {name: state_field(field) for name, field in fields.items()}

    def dtype(self, sizes: Sizes) -> Any:
        """Return the numpy dtype."""
        return dtype_of({name: field.dtype(sizes) for name, field in self.fields.items()})

    def fill(self, target: Any, sizes: Sizes) -> None:
        """Write the initial values."""
        for name, field in self.fields.items():
            field.fill(target[name], sizes)


def state_field(declared: Any) -> StateField:
    """Return the field that `Int64()`, `Int64` or `Bool()` declares."""
    made = declared() if isinstance(declared, type) and issubclass(declared, (StateField, Bool)) else declared
    if isinstance(made, Bool):
        return _Flag(bool(made.default))
    if not isinstance(made, StateField):
        raise StrategyError(
            f"{declared!r} is no kind of state; declare Int64(), Float64(), Bool(), Array(Float64, 32), "
            "PerInstrument(Float64), Record(...) or an indicator such as Sma('fast')"
        )
    return made


def dtype_of(fields: Mapping[str, Any]) -> np.dtype[Any]:
    """Return the aligned record dtype of named fields (an empty one has eight zero bytes)."""
    if not fields:
        return record(("pad_", "u1", (8,)))
    return record(*fields.items())
