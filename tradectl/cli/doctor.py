"""`tradectl doctor`: is this machine ready, and what is it."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import typer

from tradectl import __version__
from tradectl.cli.app import command
from tradectl.cli.options import Json

__all__ = ["LIBRARIES", "cpu_model", "examine", "memory_mb", "register"]

LIBRARIES = ("numpy", "numba", "llvmlite", "polars", "pydantic", "PyYAML", "typer", "rich", "ccxt")
LEAST_DISK = 1 << 30
Check = tuple[bool, str]


def register(app: typer.Typer) -> None:
    """Add the command."""

    @command(
        app,
        "doctor",
        "Check this machine and name its versions.",
        "tradectl doctor",
        "tradectl doctor --json",
    )
    def doctor(as_json: Json = False) -> None:
        """Check versions, CPU, compiler, cache, folders, terminal and disk; exit code 1 if something is wrong."""
        from tradectl.cli.output import out, print_json, table

        found = examine()
        wrong = [name for name, (good, _text) in found.items() if not good]
        if as_json:
            print_json({"ok": not wrong, "checks": {n: {"ok": g, "found": t} for n, (g, t) in found.items()}})
        else:
            rows = [("✓" if good else "✗", name, text) for name, (good, text) in found.items()]
            out().print(table(f"tradectl {__version__}", ("", "what", "found"), rows))
            out().print("[green]all is well[/]" if not wrong else f"[red]look at: {', '.join(wrong)}[/]")
        if wrong:
            raise typer.Exit(1)


def examine() -> dict[str, Check]:
    """Return name → (good, what was found) of every check, none of which raises."""
    checks: dict[str, Callable[[], Check]] = {
        "python": lambda: (
            sys.version_info >= (3, 11),
            f"{platform.python_version()} on {platform.platform()}",
        ),
        "libraries": _libraries,
        "cpu": lambda: (True, f"{cpu_model()}, {os.cpu_count()} cores"),
        "memory": lambda: (memory_mb() != 0, f"{memory_mb():,} MB" if memory_mb() else "not known"),
        "compiler": _compiler,
        "cache": _cache,
        "runs": lambda: _writable(Path("runs")),
        "data": _data,
        "disk": _disk,
        "terminal": _terminal,
    }
    found: dict[str, Check] = {}
    for name, check in checks.items():
        try:
            found[name] = check()
        except Exception as error:  # a check that cannot be made is a finding
            found[name] = (False, f"{type(error).__name__}: {error}")
    return found


def cpu_model() -> str:
    """Return the processor's name as the system tells it."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as stream:
            for line in stream:
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def memory_mb() -> int:
    """Return the machine's memory in MB; 0 where the system does not tell."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 10**6
    except (ValueError, OSError, AttributeError):
        return 0


def _libraries() -> Check:
    from importlib import metadata  # its import costs every command 15 ms

    versions, missing = [], []
    for name in LIBRARIES:
        try:
            versions.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            missing.append(name)
    return not missing, ", ".join(versions) + (f"; missing: {', '.join(missing)}" if missing else "")


def _compiler() -> Check:
    import numba

    from tradectl.core.jit import DISABLE_JIT, cpu_name

    if DISABLE_JIT:
        return True, "off (NUMBA_DISABLE_JIT): everything runs as plain Python, slowly"
    doubled = numba.njit(lambda x: x + x)(21)
    return doubled == 42, f"numba compiles for {cpu_name()}"


def _cache() -> Check:
    from tradectl.core.jit import cache_directory

    path = cache_directory()
    temporary = Path(path).parent.name.startswith("tradectl-")
    state = "warm" if path.is_dir() and any(path.rglob("*.nbc")) else "cold: the first run compiles"
    text = f"{path} ({state})"
    named = os.environ.get("TRADECTL_CACHE_DIR")
    if named and path.parent != Path(named):
        text += f"; TRADECTL_CACHE_DIR={named} cannot be written"
    return True, text + (
        "; temporary, for nothing better is writable: set TRADECTL_CACHE_DIR" if temporary else ""
    )


def _writable(path: Path) -> Check:
    there = path if path.exists() else path.absolute().parent
    good = os.access(there, os.W_OK)
    return good, f"{path.absolute()} {'can' if good else 'cannot'} be written"


def _data() -> Check:
    path = Path("data")
    if not path.is_dir():
        return True, "no folder ./data here; configs may name data anywhere"
    files = sum(1 for one in path.rglob("*") if one.is_file())
    return True, f"{path.absolute()}: {files} files"


def _disk() -> Check:
    free = shutil.disk_usage(Path.cwd()).free
    return free >= LEAST_DISK, f"{free / 1e9:.1f} GB free"


def _terminal() -> Check:
    columns, lines = shutil.get_terminal_size()
    kind = "terminal" if sys.stdout.isatty() else "no terminal (pipe or file)"
    encoding: Any = sys.stdout.encoding
    return True, f"{kind}, {columns} × {lines}, {encoding}"
