"""Compare the oracle with another backend: `python -m tests.oracle.bars_compare FIRST LAST` (the kernels)."""

from __future__ import annotations

import sys
from collections import Counter
from importlib import import_module

from tests.golden.oracle_backend import OracleBackend
from tests.golden.protocol import Backend
from tests.oracle.random_flow import census, compare, make_flow, run_flow

__all__ = ["compare_seeds", "shrink"]


def difference(seed: int, n_steps: int, backend: Backend) -> str:
    """Return the first difference between the oracle and `backend` in one run, or an empty text."""
    flow = make_flow(seed, n_steps)
    wanted, wanted_outcomes = run_flow(flow, OracleBackend())
    got, got_outcomes = run_flow(flow, backend)
    return compare(wanted, got, wanted_outcomes, got_outcomes)


def shrink(seed: int, backend: Backend, n_steps: int = 40) -> int:
    """Return the least number of steps after which the run of `seed` differs."""
    return next((n for n in range(1, n_steps) if difference(seed, n, backend)), n_steps)


def compare_seeds(seeds: range, backend: Backend) -> tuple[str, Counter[tuple[str, str]]]:
    """Compare run after run; return the first difference (with seed and step) and the count of fills."""
    counts: Counter[tuple[str, str]] = Counter()
    for seed in seeds:
        flow = make_flow(seed)
        wanted, wanted_outcomes = run_flow(flow, OracleBackend())
        counts += census([wanted], [flow])
        got, got_outcomes = run_flow(flow, backend)
        text = compare(wanted, got, wanted_outcomes, got_outcomes)
        if text:
            steps = shrink(seed, backend)
            step = flow.steps[steps - 1]
            return f"seed {seed}, step {steps}: {text}\n  {flow.config}\n  {step}", counts
    return "", counts


if __name__ == "__main__":
    kernel: Backend = import_module("tests.golden.kernel_backend").KernelBackend()
    found, fills = compare_seeds(range(int(sys.argv[1]), int(sys.argv[2])), kernel)
    sys.stdout.write(f"{found or 'no difference'}\n{dict(fills)}\n")
