"""The compiled fold against the oracle on random order sequences: every row, outcome and atom is the same.

`TRADECTL_FLOW_BLOCKS` says how many blocks of random runs are compared (by default 10,000 runs).
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable

import pytest

from tests.golden.kernel_backend import KernelBackend
from tests.golden.oracle_backend import OracleBackend
from tests.oracle.random_flow import census, compare, make_flow, run_flow

RUNS = 250  # runs of a block
BLOCKS = int(os.environ.get("TRADECTL_FLOW_BLOCKS", "40"))
STEPS = 20  # timestamps of a run; every fifth run is twice as long
KINDS = [(t, f) for t in ("MARKET", "LIMIT", "STOP_MARKET", "STOP_LIMIT") for f in ("GTC", "IOC", "FOK")]
KINDS += [("LIMIT", "DAY"), ("LIMIT", "GTD"), ("MARKET", "DAY"), ("MARKET", "GTD"), ("STOP_MARKET", "DAY")]


@pytest.mark.parametrize("block", range(BLOCKS))
def test_kernels_equal_the_oracle(block: int, record_property: Callable[[str, object], None]) -> None:
    fills: Counter[tuple[str, str]] = Counter()
    kernels = KernelBackend()
    for seed in range(block * RUNS, (block + 1) * RUNS):
        flow = make_flow(seed, 2 * STEPS if seed % 5 == 0 else STEPS)
        wanted, wanted_outcomes = run_flow(flow, OracleBackend())
        got, outcomes = run_flow(flow, kernels)
        difference = compare(wanted, got, wanted_outcomes, outcomes)
        assert not difference, f"seed {seed}: {difference}\n{flow.config}"
        fills += census([wanted], [flow])
    assert all(fills[kind] for kind in KINDS), fills
    counted = {f"{kind} {tif}": n for (kind, tif), n in fills.items()}
    record_property("random_fills", {"runs": RUNS, "fills": json.dumps(counted)})
