"""What all tests share: the count of random fills, summed over the workers, at the end of a run."""

from __future__ import annotations

import json
from collections import Counter

import pytest

__all__ = ["pytest_terminal_summary"]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print how many fills of each order type × time in force the kernels and the oracle agreed on."""
    fills: Counter[str] = Counter()
    runs = 0
    for report in terminalreporter.stats.get("passed", []):
        for name, value in getattr(report, "user_properties", []):
            if name == "random_fills":
                runs += value["runs"]
                fills.update(json.loads(value["fills"]))
    if fills:
        terminalreporter.section(f"kernels = oracle on {runs:,} random runs; fills compared")
        terminalreporter.write_line("  ".join(f"{kind} {fills[kind]:,}" for kind in sorted(fills)))
