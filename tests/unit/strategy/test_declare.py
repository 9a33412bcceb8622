"""Declarations: parameters with bounds, state with sizes, the bytes they become."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tradectl.errors import StrategyError
from tradectl.strategy import (
    Array,
    Bool,
    Choice,
    Donchian,
    Float,
    Float64,
    Int,
    Int64,
    PerInstrument,
    Record,
    Sma,
    strategy,
)  # fmt: skip
from tradectl.strategy.declare import Spec, check_params, fill_initial, param_codes, spec_of


@strategy
class Demo:
    """A demo."""

    class Params:
        n = Int(10, low=2, high=50, help="bars")
        x = Float(0.5, low=0.0, high=1.0)
        on = Bool(True)
        mode = Choice("both", {"long": 1, "short": -1, "both": 0})
        side = Choice("b", ["a", "b"])

    class State:
        fast = Sma("n")
        fixed = Sma(7)
        sum = Int64(3)
        level = Float64(-1.5)
        flag = Bool(True)
        plain = Bool
        grid = Array(Float64(2.0), 3, "n")
        each = PerInstrument(Sma("n"))
        part = Record(a=Int64(1), b=Array(Int64, 2))

    def on_bar(ctx, p, s):
        pass


def spec(cls: type = Demo) -> Spec:
    found = spec_of(cls)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"n": 1}, "parameter 'n' = 1 is outside 2..50 (bars)"),
        ({"n": 51}, "outside 2..50"),
        ({"n": 3.5}, "must be a whole number, not 3.5"),
        ({"n": True}, "must be a whole number"),
        ({"n": "3"}, "must be a whole number"),
        ({"x": 1.5}, "outside 0..1"),
        ({"x": float("nan")}, "must be a finite number"),
        ({"x": "a"}, "must be a number"),
        ({"on": 1}, "must be true or false"),
        ({"mode": "lnog"}, "did you mean 'long'"),
        ({"mode": 1}, "is no choice"),
        ({"nn": 3}, "parameter 'nn' is unknown: did you mean 'n'"),
    ],
)
def test_bad_values_are_refused(given: dict[str, Any], words: str) -> None:
    with pytest.raises(StrategyError) as caught:
        check_params(spec(), given)
    assert words in str(caught.value)


def test_all_bad_values_are_listed_at_once() -> None:
    with pytest.raises(StrategyError) as caught:
        check_params(spec(), {"n": 1, "x": 2, "y": 3})
    assert all(f"{name!r}" in str(caught.value) for name in "nxy")


def test_values_become_bytes() -> None:
    values = check_params(spec(), {"n": np.int64(20), "x": 1, "mode": "short"})
    row = param_codes(spec(), values)[0]
    assert (row["n"], row["x"], row["on"], row["mode"], row["side"]) == (20, 1.0, True, -1, 1)
    assert row.dtype.itemsize % 8 == 0


def test_a_value_of_a_parameter_changes_no_shape() -> None:
    shapes = {spec().state_dtype(spec().sizes(check_params(spec(), {"n": n}))) for n in (2, 10, 50)}
    assert len(shapes) == 1


def test_initial_state() -> None:
    sizes = spec().sizes(check_params(spec(), {"n": 20}), n_instruments=3)
    row = fill_initial(spec(), sizes)[0]
    assert row["fast"]["length"] == row["fast"]["needed"] == 20
    assert row["fast"]["window"].shape == (50,)
    assert row["fixed"]["length"] == 7
    assert (row["sum"], row["level"], row["flag"], row["plain"]) == (3, -1.5, True, False)
    assert row["grid"].shape == (3, 50)
    assert set(row["grid"].ravel()) == {2.0}
    assert row["each"].shape == (16,)
    assert set(row["each"]["length"]) == {20}
    assert row["part"]["a"] == 1


@pytest.mark.parametrize(("n", "cells"), [(1, 16), (16, 16), (17, 32), (253, 256), (256, 256), (257, 512)])
def test_arrays_per_instrument_come_in_powers_of_two(n: int, cells: int) -> None:
    assert PerInstrument(Int64).dtype(spec().sizes({}, n)).shape == (cells,)


def _state(**fields: Any) -> None:
    inner = type("State", (), fields)
    params = type("Params", (), {"n": Int(3, low=1, high=9), "free": Int(3), "zero": Int(0, low=0, high=9)})
    made = strategy(type("Made", (), {"State": inner, "Params": params}))
    found = spec(made)
    found.state_dtype(found.sizes(check_params(found, {})))


@pytest.mark.parametrize(
    ("declare", "words"),
    [
        (lambda: _state(a=Sma("m")), "parameter 'm' that is not declared"),
        (lambda: _state(a=Sma("free")), "declare it as Int(..., high="),
        (lambda: _state(a=Sma("zero")), "its low must be 1 or more"),
        (lambda: _state(a=Sma(0)), "give a length of 1 or more"),
        (lambda: _state(a=Sma(2.5)), "give a length of 1 or more"),  # type: ignore[arg-type]
        (lambda: _state(a=Array(Float64, 0)), "lengths of 1 or more"),
        (lambda: _state(a=3), "is no kind of state"),
        (lambda: _state(a=np.float32), "is no kind of state"),
        (lambda: _state(a=Int(3)), "is no kind of state"),
        (lambda: _state(_a=Int64()), "is reserved"),
        (lambda: _state(pad_=Int64()), "is reserved"),
        (lambda: strategy(type("X", (), {"Params": type("Params", (), {"n": 3})})), "must be declared as Int"),
        (lambda: strategy(type("X", (), {"Params": type("P", (), {"n": Int(3, high=2)})})), "the default = 3"),
        (lambda: strategy(scope="portfolo"), "did you mean 'portfolio'"),
    ],
)  # fmt: skip
def test_bad_declarations_are_refused(declare: Any, words: str) -> None:
    with pytest.raises(StrategyError) as caught:
        declare()
    assert words in str(caught.value)


def test_limits_are_told() -> None:
    params = spec().params
    assert [p.limits() for p in params.values()] == [
        "2..50",
        "0..1",
        "true, false",
        "long, short, both",
        "a, b",
    ]
    assert Int(3).limits() == "any"
    assert Int(3, low=1).limits() == "1.."


def test_an_indicator_of_a_fixed_length_needs_no_parameter() -> None:
    dtype = Donchian(5).dtype(spec().sizes({}))
    assert dtype["highs"]["value"].shape == (5,)
