"""The benches: one module and one line here for each; a bench returns a flat dict of figures."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tradectl.errors import ConfigError, nearest

__all__ = ["ALL", "BENCHES", "Bench", "available", "run_bench"]

ALL = "all"


@dataclass(frozen=True)
class Bench:
    """A function `module:name` that returns figures; `takes_flow`: it accepts a flow file as `flow=`."""

    function: str
    what: str
    takes_flow: bool = False


# One line for each bench, in the order in which `all` runs them.
BENCHES: dict[str, Bench] = {
    "validation": Bench("tradectl.bench.pipeline:bench_validation", "checks of one order", takes_flow=True),
    "risk": Bench("tradectl.bench.pipeline:bench_risk", "the risk gate for one order", takes_flow=True),
    "pipeline": Bench(
        "tradectl.bench.pipeline:bench_pipeline", "validation, risk, matching, account for one order", takes_flow=True
    ),
    "matching": Bench("tradectl.bench.matching:bench_matching", "the order-by-order book", takes_flow=True),
    "ladder": Bench("tradectl.bench.ladder:bench_ladder", "the price ladder of depth data"),
    "bars": Bench("tradectl.bench.bars:bench_bars", "the fold over bars with strategies"),
    "indicators": Bench("tradectl.bench.indicators:bench_indicators", "each indicator: ns a value, compilation"),
    "startup": Bench("tradectl.bench.startup:bench_startup", "help, a warm run, the first compilation"),
    "events": Bench("tradectl.bench.events:bench_events", "the fold over tick data, a run from Parquet to summary"),
    "paper": Bench("tradectl.bench.paper:bench_paper", "a paper session against the sandbox exchange"),
}


def available() -> list[str]:
    """Return the names of the benches whose modules are there."""
    found = []
    for name, bench in BENCHES.items():
        module = bench.function.partition(":")[0]
        if importlib.util.find_spec(module) is not None:
            found.append(name)
    return found


def run_bench(name: str, flow: Path | None = None) -> dict[str, Any]:
    """Run one bench and return its figures; ConfigError for an unknown name."""
    if name not in BENCHES:
        raise ConfigError(f"unknown bench {name!r}", hint=nearest(name, (*BENCHES, ALL)))
    bench = BENCHES[name]
    module, _, function = bench.function.partition(":")
    call: Callable[..., Mapping[str, Any]] = getattr(importlib.import_module(module), function)
    return dict(call(flow=flow) if bench.takes_flow else call())
