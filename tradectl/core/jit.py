"""The only place that knows numba's flags and where compiled code is cached.

`kernel` makes a plain function callable from compiled code (always inlined) and from Python alike: the
same source is the compiled kernel, the plain-Python twin and what coverage sees. `entry` makes an
entry point: one explicit signature, compiled or loaded on first use, cached on disk.
"""

from __future__ import annotations

import hashlib
import os
import platform
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import llvmlite.binding as llvm
import numba
import numpy as np
from numba import types
from numba.core.codegen import CPUCodeLibrary, JITCPUCodegen
from numba.extending import overload

__all__ = [
    "DISABLE_JIT",
    "ENTRIES",
    "Entry",
    "cache_directory",
    "cpu_name",
    "dispatcher",
    "entry",
    "kernel",
    "readonly",
    "routine",
    "source_hash",
]

DISABLE_JIT = bool(numba.config.DISABLE_JIT)
KERNEL_UNITS = ("core", "risk", "strategy", "engine", "bench")  # the units that hold kernels

ENTRIES: list[Entry] = []
_lock = threading.Lock()


def _callable_from_both(fn: Callable[..., Any], inline: bool) -> Callable[..., Any]:
    if not DISABLE_JIT:

        def _same_source(*_args: Any) -> Callable[..., Any]:
            return fn

        options = {"forceinline": inline, "error_model": "numpy", "no_cfunc_wrapper": True}
        overload(fn, jit_options=options, strict=False)(_same_source)
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
    return str(llvm.get_host_cpu_name())


def versions() -> str:
    """Name what compiled code depends on besides its source."""
    debug = f"{numba.config.BOUNDSCHECK}-{numba.config.OPT}"
    python = platform.python_version()
    return f"{numba.__version__}-{np.__version__}-{python}-{sys.platform}-{cpu_name()}-{debug}"


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


def cache_directory(extra: str = "") -> Path:
    """Return the folder for compiled code made from exactly these sources, versions and CPU.

    Numba's own cache sees neither edits in other files nor changed constants, so the folder's name does.
    """
    package = Path(__file__).parent.parent
    paths = [p for unit in KERNEL_UNITS for p in (package / unit).rglob("*.py")]
    key = hashlib.blake2b(f"{source_hash(paths)}|{versions()}|{extra}".encode(), digest_size=10).hexdigest()
    return cache_root() / key


@contextmanager
def optimised_once(name: str) -> Iterator[None]:
    """Within it numba optimises and emits only the library called `name`, with all that is linked into it.

    By default it optimises each helper on its own and then again within every caller, which took
    four fifths of the time of a first run; the final code of the entry point is the same.
    """

    def optimise_entry(self: Any) -> None:
        if self.name == name:
            optimise(self)

    def finalise_entry(self: Any) -> None:
        if self.name == name:
            finalise(self)
        else:
            self._finalize_dynamic_globals()
            self._finalized = True

    def set_known_env(self: Any, env_name: str, env: Any) -> None:
        if self._engine.is_symbol_defined(env_name):
            set_env(self, env_name, env)

    with _lock:  # what stands there is read within it: another thread may just be here
        optimise, finalise = CPUCodeLibrary._optimize_final_module, CPUCodeLibrary._finalize_final_module
        set_env = JITCPUCodegen.set_env
        CPUCodeLibrary._optimize_final_module = optimise_entry
        CPUCodeLibrary._finalize_final_module = finalise_entry
        JITCPUCodegen.set_env = set_known_env
        try:
            yield
        finally:
            CPUCodeLibrary._optimize_final_module = optimise
            CPUCodeLibrary._finalize_final_module = finalise
            JITCPUCodegen.set_env = set_env


_package_cache: Path | None = None


def dispatcher(
    fn: Callable[..., Any], signature: Any, cache: Path, *, once: bool = False, **options: Any
) -> Any:
    """Compile `fn` for one explicit signature, or load it from the folder `cache`.

    `once`: see `optimised_once`.
    """
    with optimised_once(fn.__qualname__) if once else _lock:
        before = numba.config.CACHE_DIR
        numba.config.CACHE_DIR = str(cache)
        try:
            return numba.njit([signature], cache=True, nogil=True, fastmath=False, **options)(fn)
        finally:
            numba.config.CACHE_DIR = before


class Entry:
    """An entry point that is compiled, or loaded from the cache, when it is first called."""

    def __init__(self, fn: Callable[..., Any], signature: Callable[[], Any]) -> None:
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
        if self.compiled is None:
            if DISABLE_JIT:
                self.compiled = self.py_func
            else:
                _package_cache = _package_cache or cache_directory()
                made = dispatcher(self.py_func, self.signature(), _package_cache, once=True, error_model="numpy")
                self.was_cached = bool(made.stats.cache_hits)
                self.compiled = made
        return self.compiled

    def __call__(self, *args: Any) -> Any:
        """Call it; the first call compiles or loads it."""
        return (self.compiled or self.load())(*args)


def entry(signature: Callable[[], Any]) -> Callable[[Callable[..., Any]], Entry]:
    """Declare an entry point; `signature` is called late so that importing compiles nothing."""
    return lambda fn: Entry(fn, signature)


def readonly(dtype: Any) -> types.Array:
    """Return the numba type of a one-dimensional read-only array of `dtype`."""
    return types.Array(numba.from_dtype(np.dtype(dtype)), 1, "C", readonly=True)
