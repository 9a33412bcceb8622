"""What is a kernel, what is an entry point, and where compiled code is cached.

`kernel` makes a plain function callable from compiled code (always inlined) and from Python alike: the
same source is the compiled kernel, the plain-Python twin and what coverage sees. `entry` makes an
entry point: one explicit signature, compiled or loaded on first use, cached on disk.

Nothing here imports numba: `core.compiler` does, once something must be compiled. A run that finds all its
code in the cache needs none of it, which is a third of its time.
"""

from __future__ import annotations

import hashlib
import os
import platform
import sys
import tempfile
import threading
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

__all__ = [
    "DISABLE_JIT",
    "ENTRIES",
    "Entry",
    "Words",
    "cache_directory",
    "cpu_name",
    "entry",
    "kernel",
    "numba_version",
    "prepare",
    "readonly",
    "routine",
    "source_hash",
    "when_compiling",
]

DISABLE_JIT = os.environ.get("NUMBA_DISABLE_JIT", "") not in ("", "0")
KERNEL_UNITS = ("core", "risk", "strategy", "engine", "bench")  # the units that hold kernels

ENTRIES: list[Entry] = []
_lessons: list[Callable[[], None]] = []
_lock = threading.RLock()


def when_compiling(lesson: Callable[[], None]) -> None:
    """Call `lesson`, which tells numba of something declared, before anything is compiled; maybe never."""
    if not DISABLE_JIT:
        _lessons.append(lesson)


def prepare() -> None:
    """Import the compiler and tell it of all that was declared so far, in that order."""
    with _lock:
        while _lessons:
            _lessons.pop(0)()


def _callable_from_both(fn: Callable[..., Any], inline: bool) -> Callable[..., Any]:
    def lesson() -> None:
        from tradectl.core.compiler import teach

        teach(fn, inline)

    when_compiling(lesson)
    return fn


def kernel(fn: Callable[..., Any]) -> Callable[..., Any]:
    """Let compiled code call `fn`, inlined; from Python it stays the plain function."""
    return _callable_from_both(fn, True)


def routine(fn: Callable[..., Any]) -> Callable[..., Any]:
    """Let compiled code call `fn` as a function of its own (rare paths); in Python it stays plain."""
    return _callable_from_both(fn, False)


def source_hash(paths: list[Path]) -> str:
    """Hash names and contents of source files."""
    digest = hashlib.blake2b(digest_size=8)
    for path in sorted(paths):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def cpu_name() -> str:
    """Name the CPU as LLVM sees it."""
    import llvmlite.binding as llvm

    return str(llvm.get_host_cpu_name())


@cache
def numba_version() -> str:
    """Return numba's version without importing it."""
    from importlib.metadata import version

    return version("numba")


def versions() -> str:
    """Name what compiled code depends on besides its source."""
    switches = "-".join(os.environ.get(f"NUMBA_{name}", "") for name in ("BOUNDSCHECK", "OPT", "CPU_NAME"))
    python = platform.python_version()
    return f"{numba_version()}-{np.__version__}-{python}-{sys.platform}-{cpu_name()}-{switches}"


def _writable(path: Path) -> bool:
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path):
            return True
    except OSError:
        return False


def cache_root() -> Path:
    """Return the first writable of $TRADECTL_CACHE_DIR, the user's cache folder, the temporary folder."""
    named = os.environ.get("TRADECTL_CACHE_DIR")
    home = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    user = f"tradectl-{os.getuid()}" if hasattr(os, "getuid") else "tradectl"
    choices = ([Path(named)] if named else []) + [Path(home) / "tradectl", Path(tempfile.gettempdir()) / user]
    for choice in choices:
        if _writable(choice):
            return choice
    return Path(tempfile.mkdtemp(prefix="tradectl-"))


@cache
def _kernel_sources() -> str:
    package = Path(__file__).parent.parent
    return source_hash([p for unit in KERNEL_UNITS for p in (package / unit).rglob("*.py")])


def cache_directory(extra: str = "") -> Path:
    """Return the folder for compiled code made from exactly these sources, versions and CPU.

    Numba's own cache sees neither edits in other files nor changed constants, so the folder's name does.
    """
    key = hashlib.blake2b(f"{_kernel_sources()}|{versions()}|{extra}".encode(), digest_size=10).hexdigest()
    return cache_root() / key


_package_cache: Path | None = None


class Words(NamedTuple):
    """The signature of an entry point that takes `arguments` int64 and returns one, or a tuple of `results`."""

    arguments: int
    results: int = 1


class Entry:
    """An entry point that is compiled, or loaded from the cache, when it is first called."""

    def __init__(self, fn: Callable[..., Any], signature: Callable[[], Any] | Words) -> None:
        self.py_func = fn
        self.signature = signature
        self.compiled: Any = None
        self.was_cached = False
        self.__name__ = fn.__name__
        self.__doc__ = fn.__doc__
        ENTRIES.append(self)

    def load(self) -> Any:
        """Compile or load now; return what to call."""
        global _package_cache
        with _lock:
            if self.compiled is None and DISABLE_JIT:
                self.compiled = self.py_func
            elif self.compiled is None:
                _package_cache = _package_cache or cache_directory()
                words = isinstance(self.signature, Words)
                self.compiled = (self._load_words if words else self._load_any)(_package_cache)
        return self.compiled

    def _load_words(self, folder: Path) -> Callable[..., Any]:
        """Link the machine code that an earlier run left, or compile and leave it."""
        from tradectl.core import native

        path = folder / f"{self.py_func.__module__}.{self.__name__}.code"
        address = native.load(path)
        self.was_cached = address is not None
        if address is None:
            prepare()
            from tradectl.core import compiler

            signature = compiler.words(*self.signature)  # type: ignore[misc]
            made = compiler.compile_to_address(self.py_func, signature, folder, error_model="numpy")
            if made.code is not None:
                native.save(path, made.symbol, made.code)
            address, self.was_cached, self.keep = made.address, made.was_cached, made
        return native.caller(address, *self.signature)  # type: ignore[misc]

    def _load_any(self, folder: Path) -> Any:
        prepare()
        from tradectl.core.compiler import dispatcher

        made = dispatcher(self.py_func, self.signature(), folder, error_model="numpy")  # type: ignore[operator]
        self.was_cached = bool(made.stats.cache_hits)
        return made

    def __call__(self, *args: Any) -> Any:
        """Call it; the first call compiles or loads it."""
        return (self.compiled or self.load())(*args)


def entry(signature: Callable[[], Any] | Words) -> Callable[[Callable[..., Any]], Entry]:
    """Declare an entry point; a numba signature is called for late, so that importing compiles nothing."""
    return lambda fn: Entry(fn, signature)


def readonly(dtype: Any) -> Any:
    """Return the numba type of a one-dimensional read-only array of `dtype`."""
    from tradectl.core.compiler import readonly as made

    return made(dtype)
