"""Compiled code on disk: never stale, made by two processes at once, at home where the home is read-only.

And the two other modes of the same source: plain Python, and compiled with bounds checks.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.parity.helpers import ROOT, write_bars, write_config
from tradectl.core.jit import DISABLE_JIT, cache_root
from tradectl.errors import InvariantViolation

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(DISABLE_JIT, reason="nothing is compiled"),
    pytest.mark.xdist_group("cache"),  # one after the other: each compiles on all cores
]

TRADER = """\
from sizes import QTY
from tradectl.strategy import strategy


@strategy
class Trader:
    def on_bar(ctx, p, s):
        if ctx.position_lots == 0:
            ctx.buy(double(QTY))
        else:
            ctx.close_position()


def double(qty):
    return qty * 2.0
"""
MONEY = "NANO = 1_000_000_000  # fee rates are in units of 1e-9"
BACKTEST = ("backtest", "run.yaml", "--json")


def _folder(place: Path, qty: str = "1.0") -> Path:
    """Return a folder with two symbols' bars, a strategy that imports a sibling, and its configuration."""
    for k, symbol in enumerate(("AAA", "BBB")):
        write_bars(place / "bars" / f"{symbol}USD.csv", n=200, seed=k + 1)
    (place / "trader.py").write_text(TRADER)
    (place / "sizes.py").write_text(f"QTY = {qty}\n")
    write_config(place, strategy="trader.py")
    return place


def _start(folder: Path, *words: str, package: Path = ROOT, **env: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tradectl", *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(package), **env},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _json(process: subprocess.Popen[str]) -> dict[str, Any]:
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    return dict(json.loads(out))


@pytest.fixture(scope="module")
def usual(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """Return a folder and the summary of its run with the cache that all tests share."""
    folder = _folder(tmp_path_factory.mktemp("usual"))
    return folder, _json(_start(folder, *BACKTEST))


def test_an_edited_constant_leads_to_another_cache(tmp_path: Path) -> None:
    """What is compiled from the edited source, and that it is, `make proof` looks at."""
    package = copied(tmp_path / "package")
    env = {"TRADECTL_CACHE_DIR": str(tmp_path / "cache")}

    def found() -> str:
        return str(_json(_start(tmp_path, "doctor", "--json", package=package, **env))["checks"]["cache"]["found"])

    before = found()
    assert before == found()
    edit_money(package)
    assert found() != before


def copied(package: Path) -> Path:
    shutil.copytree(ROOT / "tradectl", package / "tradectl", ignore=shutil.ignore_patterns("__pycache__"))
    return package


def edit_money(package: Path) -> None:
    """Double all fees: `money` is imported by helpers of helpers of the one entry point."""
    money = package / "tradectl" / "core" / "money.py"
    text = money.read_text()
    assert text.count(MONEY) == 1
    money.write_text(text.replace(MONEY, "NANO = 500_000_000"))


@pytest.mark.proof
def test_two_processes_compile_at_once_and_an_edited_constant_is_seen(
    tmp_path: Path, usual: tuple[Path, dict[str, Any]]
) -> None:
    package, folder = copied(tmp_path / "package"), _folder(tmp_path / "work")
    cache = {"TRADECTL_CACHE_DIR": str(tmp_path / "cache")}
    both = [_start(folder, *BACKTEST, package=package, **cache) for _ in range(2)]
    first, second = [_json(process) for process in both]
    assert first["compile_cached"] is second["compile_cached"] is False
    assert first["state_hash"] == second["state_hash"] == usual[1]["state_hash"]
    assert first["run_dir"] != second["run_dir"]

    warm = _json(_start(folder, *BACKTEST, package=package, **cache))
    assert warm["compile_cached"] is True
    assert warm["state_hash"] == first["state_hash"]

    edit_money(package)  # numba's own cache sees no such edit
    edited = _start(folder, *BACKTEST, package=package, **cache)
    _out, err = edited.communicate(timeout=300)
    # Fees are twice what they were: the audit, which has its own arithmetic, refuses the new code's fills.
    assert edited.returncode == InvariantViolation.exit_code
    assert "should be (20000000000, 10000000, 0, 2000), the row says (20000000000, 20000000, 0, 2000)" in err
    assert len(list((folder / "runs").glob("*parity*"))) == 3


def test_an_edited_sibling_of_a_strategy_is_seen(tmp_path: Path, usual: tuple[Path, dict[str, Any]]) -> None:
    folder = _folder(tmp_path)
    assert _json(_start(folder, *BACKTEST))["fees"] == usual[1]["fees"]
    (folder / "sizes.py").write_text("QTY = 2.0\n")
    changed = _json(_start(folder, *BACKTEST))
    assert changed["fees"] == pytest.approx(2 * usual[1]["fees"], rel=0.05)
    (folder / "trader.py").write_text(TRADER.replace("qty * 2.0", "qty * 1.0"))
    assert _json(_start(folder, *BACKTEST))["fees"] == usual[1]["fees"]


@pytest.mark.parametrize("place", ["file/home", "/proc/none"])
def test_a_read_only_home_falls_back_to_the_temporary_folder(
    tmp_path: Path, usual: tuple[Path, dict[str, Any]], place: str
) -> None:
    (tmp_path / "file").write_text("a home cannot be below this")
    temporary = tmp_path / "tmp" / f"tradectl-{os.getuid()}"
    temporary.parent.mkdir()
    temporary.symlink_to(cache_root(), target_is_directory=True)  # what was compiled before saves the time here
    home = str(tmp_path / place)
    env = {"HOME": home, "XDG_CACHE_HOME": home, "TRADECTL_CACHE_DIR": "", "TMPDIR": str(temporary.parent)}
    found = _json(_start(tmp_path, "doctor", "--json", **env))["checks"]["cache"]
    assert found["ok"] is True
    assert str(temporary) in found["found"]
    assert "temporary, for nothing better is writable: set TRADECTL_CACHE_DIR" in found["found"]
    summary = _json(_start(usual[0], *BACKTEST, **env))
    assert summary["state_hash"] == usual[1]["state_hash"]
    assert summary["compile_cached"] is True


def test_a_named_cache_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    named = str(tmp_path / "file" / "cache")
    env = {"TRADECTL_CACHE_DIR": named, "XDG_CACHE_HOME": str(tmp_path / "home")}
    found = _json(_start(tmp_path, "doctor", "--json", **env))["checks"]["cache"]
    assert str(tmp_path / "home" / "tradectl") in found["found"]
    assert f"TRADECTL_CACHE_DIR={named} cannot be written" in found["found"]


BOUNDS_CHECKED = pytest.param("NUMBA_BOUNDSCHECK", marks=pytest.mark.proof)  # as tests/property/test_slices.py checks


@pytest.mark.parametrize("switch", ["NUMBA_DISABLE_JIT", BOUNDS_CHECKED])
def test_plain_and_bounds_checked_kernels_give_the_same_bytes(
    usual: tuple[Path, dict[str, Any]], switch: str
) -> None:
    summary = _json(_start(usual[0], *BACKTEST, **{switch: "1"}))
    assert summary["fills"] == usual[1]["fills"] > 100
    assert summary["state_hash"] == usual[1]["state_hash"]


def test_unit_tests_pass_in_plain_python() -> None:
    """Kernels and the plain functions are one source: a debugger and coverage see what is compiled."""
    tests = ("tests/unit/engine", "tests/unit/strategy/test_compile.py", "tests/property/test_money.py")
    long = "not (flipped or watchdog or replayed or muldiv or notional)"  # and little compiled, or itself by twins
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "-x", "-k", long, *tests],
        cwd=ROOT,
        env={**os.environ, "NUMBA_DISABLE_JIT": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3_000:]
