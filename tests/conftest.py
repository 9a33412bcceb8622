"""What all tests share: how they are spread over workers, and the count of random fills at the end of a run."""

from __future__ import annotations

import json
import os
from collections import Counter

import pytest

__all__ = ["pytest_collection_modifyitems", "pytest_terminal_summary", "pytest_xdist_auto_num_workers"]

WAITING = 2  # workers whose tests wait for feeds most of the time


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Return a worker for each core, and those that wait."""
    return (os.cpu_count() or 1) + WAITING


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let tests of live feeds wait on few workers, so that no more of them run at once than keep their pace."""
    for k, item in enumerate(one for one in items if "/tests/feeds/" in one.path.as_posix()):
        if item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(f"feeds {k % WAITING}"))


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
