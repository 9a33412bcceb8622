"""Every shipped strategy has a configuration, trades on the sample, and is the same compiled and plain."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tradectl.config.load import load_config
from tradectl.config.wire import wire
from tradectl.core.jit import DISABLE_JIT
from tradectl.engine.host import Host
from tradectl.engine.state import State

ROOT = Path(__file__).parents[3]
CONFIGS = [path for path in sorted((ROOT / "configs").glob("*.yaml")) if "\ndata:" in path.read_text()]
LEAST = {"buy_and_hold": 0}  # fills; others have more than 20
LAST = "2024-01-02" if DISABLE_JIT else "2024-01-15"  # the whole sample, but for plain kernels


class Counts:
    """A sink that counts rows."""

    def __init__(self) -> None:
        self.rows_of: Counter[str] = Counter()

    def rows(self, kind: str, rows: Any) -> None:
        self.rows_of[kind] += len(rows)


def run(path: Path, jit: bool) -> tuple[str, Counter[str]]:
    loaded = load_config(path, sets=[f"strategy.jit={str(jit).lower()}", f"data.to={LAST}"], env={})
    wired = wire(loaded)
    state, counts = State(wired.spec), Counts()
    outcome = Host(state, counts, wired.loaded, wired.hooks).run(wired.chunks(65_536))
    assert outcome.status == "complete"
    return state.hash(), counts.rows_of


def test_every_strategy_has_a_configuration() -> None:
    texts = [path.read_text() for path in CONFIGS]
    for path in (ROOT / "strategies").glob("*.py"):
        assert any(f"../strategies/{path.name}" in text for text in texts), path.name


@pytest.mark.parametrize("path", CONFIGS, ids=[path.stem for path in CONFIGS])
def test_it_trades_and_is_the_same_compiled_and_plain(path: Path) -> None:
    plain_only = "jit: false" in path.read_text()
    runs = [run(path, jit) for jit in (not plain_only, False)]
    assert runs[0] == runs[1]
    assert runs[0][1]["fills"] > (0 if DISABLE_JIT else LEAST.get(path.stem, 20))
