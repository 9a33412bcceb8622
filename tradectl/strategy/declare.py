"""What an author declares with `@strategy`: parameters, state, hooks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, overload

import numpy as np

from tradectl.errors import StrategyError, nearest
from tradectl.strategy.memory import Sizes, StateField, dtype_of, state_field
from tradectl.strategy.params import Bool, Param, Value
from tradectl.strategy.plots import Series, plot_series

__all__ = ["Spec", "check_params", "fill_initial", "param_codes", "spec_of", "strategy"]

SCOPES = ("instrument", "portfolio")


@dataclass(frozen=True)
class Spec:
    """What a class decorated with `@strategy` declares."""

    name: str
    scope: str
    doc: str
    params: dict[str, Param]
    state: dict[str, StateField]
    hooks: dict[str, Callable[..., Any]]
    plots: dict[str, Series] = field(default_factory=dict)

    def sizes(self, values: Mapping[str, Value], n_instruments: int = 1) -> Sizes:
        """Return what the sizes of the state depend on."""
        return Sizes(self.params, values, n_instruments)

    def params_dtype(self) -> np.dtype[Any]:
        """Return the dtype of the params record."""
        return dtype_of({name: np.dtype(param.field) for name, param in self.params.items()})

    def state_dtype(self, sizes: Sizes) -> np.dtype[Any]:
        """Return the dtype of one state record."""
        return dtype_of({name: one.dtype(sizes) for name, one in self.state.items()})


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
    state = {name: state_field(value) for name, value in _declared(cls, "State").items()}
    plots = plot_series(cls.__name__, _declared(cls, "Plots"))
    for name in (*params, *state, *plots):
        if name.startswith("_") or name == "pad_":
            raise StrategyError(
                f"{cls.__name__}: the name {name!r} is reserved; names do not start with an underscore"
            )
    hooks = {
        name: value for name, value in vars(cls).items() if callable(value) and not isinstance(value, type)
    }
    return Spec(cls.__name__, scope, (cls.__doc__ or "").strip(), params, state, hooks, plots)


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
    known = (lambda name: nearest(name, spec.params)) if spec.params else (lambda _name: "the strategy has none")
    faults = [f"parameter {name!r} is unknown: {known(name)}" for name in unknown]
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
    for name, one in spec.state.items():
        one.fill(made[name], sizes)
    return made
