"""The fold does not know how its events are cut: state, rows and bytes are the same for any slicing and any mode."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.parity.helpers import ROOT, write_bars, write_config
from tradectl.config.load import load_config
from tradectl.config.wire import Wired, wire
from tradectl.core.codes import FoldCode
from tradectl.core.jit import DISABLE_JIT
from tradectl.engine.state import State

MODES = ["NUMBA_DISABLE_JIT", "NUMBA_BOUNDSCHECK"]
BARS = 120 if DISABLE_JIT else 700
SMALL = 120
HOURS = (  # of the two instruments: one with a pause, one that opened on the day before
    {"open": "00:20", "close": "01:40", "break": "00:50-01:00", "days": "mon-sun"},
    {"timezone": "America/New_York", "open": "18:30", "close": "20:15", "days": "mon-sun", "align": "clock"},
)
DAYS: dict[str, Any] = {
    "strategy": {"path": str(ROOT / "tests" / "property" / "day_trader.py")},
    "account": {"type": "margin", "currency": "USD", "balance": 100000, "leverage": 5},
    "instruments": {
        f"{name}/USD": {"tick_size": 0.01, "lot_size": 0.001, "calendar": hours}
        for name, hours in zip(("AAA", "BBB"), HOURS, strict=True)
    },
}
CASES: dict[str, dict[str, Any]] = {
    "rsi": {},
    "latency": {"execution": {"slippage": {"ticks": 1}, "latency": {"entry": "61s", "response": "30s"}}},
    "adverse": {"execution": {"path": "adverse", "participation": 0.3}},
    "sma on derived bars": {
        "strategy": {"path": str(ROOT / "strategies" / "sma_cross.py"), "params": {"fast": 2, "slow": 5}},
        "bars": ["5m", "15m"],
    },
    "sessions": DAYS | {"bars": ["1m", "20m", "1d"]},
    "sessions kept": DAYS | {"bars": ["15m", "1d", "1w"], "execution": {"outside_session": "keep"}},
}


def wired_run(folder: Path, case: str, bars: int = BARS, jit: bool = True) -> Wired:
    """Return a run of two instruments over made-up bars, with its strategy compiled or plain."""
    for k, name in enumerate(("AAAUSD", "BBBUSD")):
        write_bars(folder / "bars" / f"{name}.csv", n=bars - 7 * k, seed=k + 1)
    path = write_config(folder, **CASES[case])
    return wire(load_config(path, sets=[f"strategy.jit={str(jit).lower()}"], env={}))


def fold(wired: Wired, cuts: list[int], events: Any) -> tuple[str, str, int]:
    """Fold events in slices; return the hash of the state, of all rows, and the number of fills."""
    state, rows, fills = State(wired.spec), hashlib.blake2b(digest_size=16), 0
    parts: dict[str, list[Any]] = defaultdict(list)
    edges = [0, *cuts, len(events)]
    for low, high in pairwise(edges):
        while low < high:
            code, done = state.fold(events[low:high])
            assert code in (FoldCode.DONE, FoldCode.DRAIN)
            low += done
            out = state.drain()
            fills += len(out["fills"])
            for name, table in out.items():
                parts[name].append(table)
    for name in sorted(parts):
        table = np.concatenate(parts[name])
        for column in table.dtype.names:  # a copy of records need not copy what is between their fields
            rows.update(np.ascontiguousarray(table[column]).tobytes())
    return state.hash(), rows.hexdigest(), fills


def events_of(wired: Wired) -> Any:
    chunks = [np.array(chunk, copy=True) for chunk in wired.chunks(65_536)]
    return np.ascontiguousarray(np.concatenate(chunks))


@pytest.mark.parametrize("case", CASES)
def test_any_slicing_gives_the_same_state_and_rows(case: str, tmp_path: Path) -> None:
    wired = wired_run(tmp_path, case)
    events = events_of(wired)
    whole = fold(wired, [], events)
    assert whole[2] > (0 if DISABLE_JIT else 10)
    assert fold(wired, list(range(1, len(events))), events) == whole  # one event at a time
    rng = np.random.default_rng(5)
    for n in (1, 2, 9, 100):
        cuts = sorted({int(at) for at in rng.integers(1, len(events), n)})
        assert fold(wired, cuts, events) == whole
    inside = [k + 1 for k in range(len(events) - 1) if events["ts_recv"][k] == events["ts_recv"][k + 1]]
    assert inside  # the two bars of a timestamp
    assert fold(wired, inside[::3], events) == whole


@pytest.mark.parametrize("case", CASES)
def test_plain_strategies_write_the_same_bytes(case: str, tmp_path: Path) -> None:
    compiled, plain = (wired_run(tmp_path / str(jit), case, SMALL, jit) for jit in (True, False))
    assert fold(compiled, [], events_of(compiled)) == fold(plain, [31, 33], events_of(plain))


@pytest.mark.parametrize("case", CASES)
def test_two_threads_write_the_same_bytes(case: str, tmp_path: Path) -> None:
    wired = wired_run(tmp_path, case)
    events = events_of(wired)
    whole = fold(wired, [], events)
    with ThreadPoolExecutor(2) as pool:
        for made in pool.map(lambda cuts: fold(wired, cuts, events), [[], [3, 500], [], [7]]):
            assert made == whole


SCRIPT = """
import sys
from pathlib import Path
from tests.property.test_slices import CASES, SMALL, events_of, fold, wired_run
for case in CASES:
    wired = wired_run(Path(sys.argv[1]) / case, case, SMALL)
    print(fold(wired, [], events_of(wired)))
"""


def assert_same_output(script: str, mode: str, folder: Path, lines: int) -> None:
    """Run a script in two processes, one with the environment's `mode` set: they print the same lines."""
    texts = []
    for name, extra in (("compiled", {}), (mode, {mode: "1"})):
        command = [sys.executable, "-c", script, str(folder / name)]
        done = subprocess.run(
            command, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)} | extra, capture_output=True, text=True,
            check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        texts.append(done.stdout)
    assert texts[0].count("\n") == lines
    assert texts[0] == texts[1]


@pytest.mark.parametrize("mode", [MODES[0], pytest.param(MODES[1], marks=pytest.mark.proof)])
@pytest.mark.skipif(DISABLE_JIT, reason="compares with compiled kernels, of which there are none here")
def test_plain_and_bounds_checked_kernels_write_the_same_bytes(mode: str, tmp_path: Path) -> None:
    assert_same_output(SCRIPT, mode, tmp_path, lines=len(CASES))
