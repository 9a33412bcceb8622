"""What an author declares: the `@strategy` decorator, typed bounded parameters, typed state."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, overload

import numpy as np

from tradectl.core.layout import record
from tradectl.errors import StrategyError, nearest

__all__ = [
    "Array", "Bool", "Choice", "Float", "Float64", "Int", "Int64", "Param", "PerInstrument", "Record", "Sizes",
    "Spec", "StateField", "check_params", "dtype_of", "fill_initial", "param_codes", "spec_of", "strategy",
]  # fmt: skip

SCOPES = ("instrument", "portfolio")
INT_LIMIT = (
    2**53
)  # larger integers are not exact as floats, and compiled and plain code would divide them apart
MIN_INSTRUMENTS = 16  # per-instrument arrays are sized in powers of two from here: fewer shapes to compile
Value = int | float | bool | str


# --- parameters


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
        return (
            "" if value in self.options else f"= {value!r} is no choice; {nearest(str(value), self.options)}"
        )

    def code(self, value: Any) -> int:
        """Return the code of a valid name."""
        return self.options[value]

    def limits(self) -> str:
        """Return the names."""
        return ", ".join(self.options)


# --- state


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

    def capacity(self, length: int | str) -> int:
        """Return how many slots a window of this length needs whatever value its parameter has."""
        return self._int_param(length).high if isinstance(length, str) else length

    def length(self, length: int | str) -> int:
        """Return the length itself."""
        if isinstance(length, str):
            self._int_param(length)
            return int(self.values[length])
        return length


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

    def __init__(self, of: StateField | type[StateField] | type[Bool], *shape: int | str) -> None:
        self.of = _field(of)
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
        self.of = _field(of)

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
        self.fields = {name: _field(field) for name, field in fields.items()}

    def dtype(self, sizes: Sizes) -> Any:
        """Return the numpy dtype."""
        return dtype_of({name: field.dtype(sizes) for name, field in self.fields.items()})

    def fill(self, target: Any, sizes: Sizes) -> None:
        """Write the initial values."""
        for name, field in self.fields.items():
            field.fill(target[name], sizes)


def _field(declared: Any) -> StateField:
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


# --- the strategy


@dataclass(frozen=True)
class Spec:
    """What a class decorated with `@strategy` declares."""

    name: str
    scope: str
    doc: str
    params: dict[str, Param]
    state: dict[str, StateField]
    hooks: dict[str, Callable[..., Any]]

    def sizes(self, values: Mapping[str, Value], n_instruments: int = 1) -> Sizes:
        """Return what the sizes of the state depend on."""
        return Sizes(self.params, values, n_instruments)

    def params_dtype(self) -> np.dtype[Any]:
        """Return the dtype of the params record."""
        return dtype_of({name: np.dtype(param.field) for name, param in self.params.items()})

    def state_dtype(self, sizes: Sizes) -> np.dtype[Any]:
        """Return the dtype of one state record."""
        return dtype_of({name: field.dtype(sizes) for name, field in self.state.items()})


def _declared(cls: type, block: str) -> dict[str, Any]:
    inner = vars(cls).get(block)
    if inner is None:
        return {}
    return {
        name: value
        for name, value in vars(inner).items()
        if not (name.startswith("__") and name.endswith("__"))
    }


def _param(cls: type, name: str, declared: Any) -> Param:
    made = declared() if isinstance(declared, type) and issubclass(declared, Bool) else declared
    if not isinstance(made, Param):
        raise StrategyError(
            f"{cls.__name__}.Params.{name} must be declared as Int(10, low=2, high=500), Float(0.5), Bool() or "
            f"Choice('a', ['a', 'b']), not {declared!r}"
        )
    problem = made.problem(made.default)
    if problem:
        raise StrategyError(f"{cls.__name__}.Params.{name}: the default {problem}")
    return made


def _make_spec(cls: type, scope: str) -> Spec:
    params = {name: _param(cls, name, value) for name, value in _declared(cls, "Params").items()}
    state = {name: _field(value) for name, value in _declared(cls, "State").items()}
    for name in (*params, *state):
        if name.startswith("_") or name == "pad_":
            raise StrategyError(
                f"{cls.__name__}: the name {name!r} is reserved; names do not start with an underscore"
            )
    hooks = {
        name: value for name, value in vars(cls).items() if callable(value) and not isinstance(value, type)
    }
    return Spec(cls.__name__, scope, (cls.__doc__ or "").strip(), params, state, hooks)


@overload
def strategy(cls: type) -> type: ...
@overload
def strategy(*, scope: str = ...) -> Callable[[type], type]: ...
def strategy(cls: type | None = None, *, scope: str = "instrument") -> Any:
    """Declare a class as a strategy: one state per symbol, or one for all (`scope="portfolio"`)."""
    if scope not in SCOPES:
        raise StrategyError(f"unknown scope {scope!r}: {nearest(scope, SCOPES)}")

    def declare(target: type) -> type:
        target.__tradectl_spec__ = _make_spec(target, scope)  # type: ignore[attr-defined]
        return target

    return declare if cls is None else declare(cls)


def spec_of(cls: type) -> Spec | None:
    """Return what a class declares, or None where it is no strategy."""
    found = vars(cls).get("__tradectl_spec__")
    return found if isinstance(found, Spec) else None


def check_params(spec: Spec, given: Mapping[str, Any]) -> dict[str, Value]:
    """Return the value of every parameter (defaults filled in), or raise one error that lists all faults."""
    unknown = [name for name in given if name not in spec.params]
    faults = [f"parameter {name!r} is unknown: {nearest(name, spec.params)}" for name in unknown]
    values: dict[str, Value] = {}
    for name, param in spec.params.items():
        value = given.get(name, param.default)
        problem = param.problem(value)
        if problem:
            faults.append(f"parameter {name!r} {problem}" + (f" ({param.help})" if param.help else ""))
        else:
            values[name] = value if isinstance(value, str) else np.asarray(value).item()
    if faults:
        raise StrategyError(f"{spec.name}: " + "\n  ".join(faults))
    return values


def param_codes(spec: Spec, values: Mapping[str, Value]) -> Any:
    """Return the (1,) params record of checked values."""
    made = np.zeros(1, spec.params_dtype())
    for name, param in spec.params.items():
        made[name] = param.code(values[name])
    return made


def fill_initial(spec: Spec, sizes: Sizes) -> Any:
    """Return the (1,) state record before the first event."""
    made = np.zeros(1, spec.state_dtype(sizes))
    for name, field in spec.state.items():
        field.fill(made[name], sizes)
    return made
