"""Every planted fault of the kernels is noticed by the suite (plain Python: no compile time).

A copy of the package with one mutant runs the golden scripts, the unit tests of the units around it and some hundred
random flows against the oracle; `make proof` tries all of them, the other runs every `STRIDE`th.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.mutants.table import EVERYTHING, MUTANTS, Mutant

ROOT = Path(__file__).parents[2]
LONGEST = 240  # seconds; a mutant that hangs is noticed as well
STRIDE = 256
TESTS_FAILED = 1  # exit code of pytest


def run_suite(mutant: Mutant | None, folder: Path) -> tuple[int, str]:
    """Return the exit code of the suite on a copy of the package with this mutant, and what it said."""
    for name in ("tradectl", "tests", "strategies"):
        ignore = shutil.ignore_patterns("__pycache__", "mutants")
        shutil.copytree(ROOT / name, folder / name, ignore=ignore)
    shutil.copy(ROOT / "pyproject.toml", folder)
    suites = EVERYTHING if mutant is None else mutant.suites
    if mutant is not None:
        path = folder / "tradectl" / mutant.path
        path.write_text(path.read_text(encoding="utf-8").replace(mutant.old, mutant.new), encoding="utf-8")
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST")} | {
        "NUMBA_DISABLE_JIT": "1", "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1",
        "TRADECTL_FLOW_BLOCKS": "4", "TRADECTL_TICK_BLOCKS": "2",
    }  # fmt: skip
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", *suites]
    try:
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, timeout=LONGEST, check=False
        )
    except subprocess.TimeoutExpired:
        return TESTS_FAILED, f"no end after {LONGEST} s"
    return done.returncode, done.stdout[-2_000:] + done.stderr[-2_000:]


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_old_text_is_there_once(mutant: Mutant) -> None:
    text = (ROOT / "tradectl" / mutant.path).read_text(encoding="utf-8")
    assert text.count(mutant.old) == 1
    assert mutant.old != mutant.new


@pytest.mark.proof
def test_the_suite_passes_without_a_mutant(tmp_path: Path) -> None:
    code, text = run_suite(None, tmp_path)
    assert code == 0, text


def killed(mutant: Mutant, folder: Path) -> None:
    """Demand that a test fails (or the process dies); a copy that cannot be imported proves nothing."""
    code, text = run_suite(mutant, folder)
    assert code == TESTS_FAILED or code < 0, f"survived with exit code {code}: {text}"
    sys.stdout.write(f"killed: {mutant.name}\n")


@pytest.mark.parametrize("mutant", MUTANTS[::STRIDE], ids=lambda mutant: mutant.name)
def test_some_mutants_are_killed(mutant: Mutant, tmp_path: Path) -> None:
    killed(mutant, tmp_path)


@pytest.mark.proof
@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_mutants_are_killed(mutant: Mutant, tmp_path: Path) -> None:
    killed(mutant, tmp_path)
