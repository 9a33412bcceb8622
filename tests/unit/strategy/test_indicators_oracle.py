"""Every indicator against its slow definition on whole arrays, on walks, still and spiky series; readiness."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.oracle.indicators_numpy import ORACLE
from tests.unit.strategy.indicator_desk import (
    ALL,
    Bars,
    Outputs,
    Result,
    assert_close,
    flat,
    run,
    spiky,
    walk,
)
from tradectl.bench.indicators import Line
from tradectl.core.jit import DISABLE_JIT

ROWS = 600
PARAMS = ("n = Int(14, low=1, high=60)", "m = Int(5, low=1, high=60)", "k = Float(2.0, low=0.1, high=9.0)",
          "d = Int(1, low=0, high=1)")  # fmt: skip
ARGUMENTS = {  # how each is declared; the names are parameters
    "obv": "", "vwap": "", "anchored_vwap": "", "psar": "0.03, 0.25", "macd": '"m", "n", 9', "kama": '"n", "m", 30',
    "stochastic": '"n", "m", 3', "stoch_rsi": '"n", "m", 3, 4', "ichimoku": '"m", "n", 40', "supertrend": '"n", "k"',
    "bollinger": '"n", "k"', "keltner": '"n", "k", "m"', "volatility": '"n", 365.0', "std": '"n", "d"',
    "variance": '"n", "d"', "zscore": '"n", "d"',
}  # fmt: skip
LINES = [Line(name, ARGUMENTS.get(name, '"n"')) for name in ALL]
VALUES: list[dict[str, Any]] = [
    {"n": 14, "m": 5, "k": 2.0, "d": 1},
    {"n": 2, "m": 1, "k": 1.5, "d": 0},
    {"n": 60, "m": 33, "k": 3.0, "d": 1},
]
SERIES = {"walk": walk(ROWS), "flat": flat(ROWS), "spiky": spiky(ROWS)}
NOT_THERE = {"linreg": 2, "variance": 2, "std": 2, "zscore": 2}  # below this length there is no result


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("indicators")


@pytest.fixture(scope="module")
def result(folder: Path) -> Any:
    def made(series: str, k: int) -> Result:
        return run(LINES, SERIES[series], folder, params=PARAMS, values=VALUES[k])

    return made


def wanted_of(line: Line, bars: Bars, values: dict[str, Any]) -> Outputs:
    arguments = eval(f"[{line.arguments}]")
    found = ORACLE[line.name](bars, *(values[one] if isinstance(one, str) else one for one in arguments))
    return found if isinstance(found, dict) else {"value": found}


@pytest.mark.parametrize("series", SERIES)
@pytest.mark.parametrize("k", range(len(VALUES)))
def test_every_indicator_is_its_definition(result: Any, series: str, k: int) -> None:
    bars, faults = SERIES[series], []
    got = result(series, k)
    for line, outputs, needed in zip(LINES, got.outputs, got.needed, strict=True):
        if line.name == "donchian":
            continue
        for name, wanted in wanted_of(line, bars, VALUES[k]).items():
            try:
                check(series, outputs[name], wanted, f"{line.name}.{name} of {series}", bars)
            except AssertionError as fault:
                faults.append(f"{fault} (needs {needed})")
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
        plain = run(LINES, SERIES[series], folder, params=PARAMS, values=VALUES[0], jit=False)
        assert plain.state == result(series, 0).state, series
