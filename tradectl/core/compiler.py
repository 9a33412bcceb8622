"""The only place that knows numba's flags: declared kernels taught to it, functions compiled with it.

Imported only when something has to be compiled or comes from numba's own cache (see `core.jit`).
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numba
import numpy as np
from numba import types
from numba.core.codegen import CPUCodeLibrary, JITCPUCodegen
from numba.core.typing.templates import _OverloadFunctionTemplate
from numba.extending import overload

__all__ = ["Compiled", "compile_to_address", "dispatcher", "optimised_once", "readonly", "teach", "words"]

# A kernel that reads the head of a record serves all records that begin so, which is meant.
warnings.filterwarnings("ignore", category=numba.NumbaExperimentalFeatureWarning)
_lock = threading.Lock()


def teach(fn: Callable[..., Any], inline: bool) -> None:
    """Let compiled code call `fn`, inlined or as a function of its own."""

    def _same_source(*_args: Any) -> Callable[..., Any]:
        return fn

    options = {"forceinline": inline, "error_model": "numpy", "no_cfunc_wrapper": True}
    overload(fn, jit_options=options, strict=False)(_same_source)


@contextmanager
def optimised_once(name: str) -> Iterator[None]:
    """Within it numba optimises and emits only the library called `name`, with all that is linked into it.

    By default it optimises each helper on its own and then again within every caller, which took
    four fifths of the time of a first run; the final code of the entry point is the same. It also compiles
    a helper anew for callers of other flags (inlined or not); within it one does for all.
    """
    made: dict[Any, Any] = {}

    def compile_shared(self: Any) -> Any:
        jitter = compile_each(self)

        def with_options(**options: Any) -> Any:
            decorate = jitter(**options)

            def once(fn: Callable[..., Any]) -> Any:
                key = (fn, tuple(sorted(options.items())))
                if key not in made:
                    made[key] = decorate(fn)
                return made[key]

            return once if "forceinline" in options else decorate

        return with_options

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
        set_env, compile_each = JITCPUCodegen.set_env, _OverloadFunctionTemplate._get_jit_decorator
        _OverloadFunctionTemplate._get_jit_decorator = compile_shared
        CPUCodeLibrary._optimize_final_module = optimise_entry
        CPUCodeLibrary._finalize_final_module = finalise_entry
        JITCPUCodegen.set_env = set_known_env
        try:
            yield
        finally:
            CPUCodeLibrary._optimize_final_module = optimise
            CPUCodeLibrary._finalize_final_module = finalise
            JITCPUCodegen.set_env = set_env
            _OverloadFunctionTemplate._get_jit_decorator = compile_each


def dispatcher(fn: Callable[..., Any], signature: Any, cache: Path, **options: Any) -> Any:
    """Compile `fn` for one explicit signature, or load it from the folder `cache`; see `optimised_once`."""
    with optimised_once(fn.__qualname__):
        before = numba.config.CACHE_DIR
        numba.config.CACHE_DIR = str(cache)
        try:
            return numba.njit([signature], cache=True, nogil=True, fastmath=False, **options)(fn)
        finally:
            numba.config.CACHE_DIR = before


@dataclass(frozen=True)
class Compiled:
    """A compiled function by address (valid while `keep` lives).

    `symbol` is its name in the object file `code`, which is None where numba had it in its cache or where it
    needs more of this process than the C library.
    """

    address: int
    symbol: str
    code: bytes | None
    was_cached: bool
    keep: Any


def compile_to_address(fn: Callable[..., Any], signature: Any, cache: Path, **options: Any) -> Compiled:
    """Compile `fn`, or load it from numba's cache in the folder `cache`; its convention is numba's own."""
    from tradectl.core.native import in_c_library

    made = dispatcher(fn, signature, cache, no_cpython_wrapper=True, no_cfunc_wrapper=True, **options)
    result = next(iter(made.overloads.values()))
    library, symbol = result.library, str(result.fndesc.llvm_func_name)
    was_cached = bool(made.stats.cache_hits)
    code = None
    if not was_cached:
        module = library._final_module
        outside = [one.name for one in (*module.functions, *module.global_variables) if one.is_declaration]
        if all(name.startswith("llvm.") or in_c_library(name) for name in outside):
            code = bytes(library._get_compiled_object())
    return Compiled(int(library.get_pointer_to_function(symbol)), symbol, code, was_cached, made)


def words(arguments: int, results: int) -> Any:
    """Return the signature of a function of `arguments` int64 that returns one int64, or a tuple of `results`."""
    returned = types.int64 if results == 1 else types.UniTuple(types.int64, results)
    return returned(*[types.int64] * arguments)


def readonly(dtype: Any) -> types.Array:
    """Return the numba type of a one-dimensional read-only array of `dtype`."""
    return types.Array(numba.from_dtype(np.dtype(dtype)), 1, "C", readonly=True)
