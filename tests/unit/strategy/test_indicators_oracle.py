"""Every indicator against its slow definition on whole arrays, on walks, still and spiky series; readiness."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.oracle.indicators_numpy import ORACLE
from tests.unit.strategy.indicator_desk import (
    ALL,
    NAMES,
    Bars,
    Outputs,
    Result,
    assert_close,
    flat,
    run,
    spiky,
    walk,
)
from tradectl.core.jit import DISABLE_JIT

BARS = 600
VALUES: list[dict[str, Any]] = [
    {"n": 14, "m": 5, "i": 3, "j": 30, "k": 2.0, "d": 1, "u": 0.02, "v": 0.2},
    {"n": 2, "m": 1, "i": 1, "j": 2, "k": 1.5, "d": 0, "u": 0.1, "v": 0.1},
    {"n": 60, "m": 33, "i": 9, "j": 40, "k": 365.0, "d": 1, "u": 0.03, "v": 0.25},
]
SERIES = {"walk": walk(BARS), "flat": flat(BARS), "spiky": spiky(BARS)}
@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("indicators")


@pytest.fixture(scope="module")
def result(folder: Path) -> Any:
    def made(series: str, k: int) -> Result:
        return run(SERIES[series], folder, VALUES[k])

    return made


def wanted_of(name: str, bars: Bars, values: dict[str, Any]) -> Outputs:
    found = ORACLE[name](bars, *(values[one] for one in NAMES.get(name, "n")))
    return found if isinstance(found, dict) else {"value": found}


@pytest.mark.parametrize("series", ["walk", "flat", pytest.param("spiky", marks=pytest.mark.proof)])
@pytest.mark.parametrize("k", range(len(VALUES)))
def test_every_indicator_is_its_definition(result: Any, series: str, k: int) -> None:
    bars, faults = SERIES[series], []
    got = result(series, k)
    for indicator in ORACLE:
        for name, wanted in wanted_of(indicator, bars, VALUES[k]).items():
            try:
                check(series, got.outputs[indicator][name], wanted, f"{indicator}.{name} of {series}", bars)
            except AssertionError as fault:
                faults.append(f"{fault} (needs {got.needed[indicator]})")
    assert not faults, "\n".join(faults)


def check(series: str, got: Any, wanted: Any, what: str, bars: Bars) -> None:
    """Compare; where big numbers come and go (or all are 0 but for rounding) to the size of these."""
    largest = 1.0 if np.isnan(wanted).all() else np.nanmax(np.abs(wanted))
    spread = 1_000.0 if what.startswith("stoch_rsi") else 1.0  # what is left of a spike, over a range of next to 0
    scale = {"walk": 1e-3 * largest, "spiky": spread * largest, "flat": 0.0}[series]
    assert_close(got, wanted, what, scale=max(scale, 1e-3 * float(bars.close.min())))


@pytest.mark.skipif(DISABLE_JIT, reason="nothing is compiled")
def test_compiled_and_plain_give_the_same_bytes(folder: Path, result: Any) -> None:
    for series in SERIES:
        plain = run(SERIES[series], folder, VALUES[0], jit=False)
        assert plain.state == result(series, 0).state, series


def test_the_oracle_knows_every_indicator() -> None:
    assert set(ORACLE) | {"donchian"} == set(ALL)  # donchian is exact, see test_indicators.py
