"""From a loaded strategy to addresses that the kernel can call, compiled or plain Python."""

from __future__ import annotations

import ctypes
import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tradectl.core import native, records
from tradectl.core.codes import Hook
from tradectl.core.jit import DISABLE_JIT, cache_directory, prepare
from tradectl.core.layout import REPORT, report_at
from tradectl.core.records import struct_of
from tradectl.errors import StrategyError
from tradectl.strategy.ctx_type import ctx_at
from tradectl.strategy.loader import LoadedStrategy
from tradectl.strategy.warmup import Table, ready_table

if TYPE_CHECKING:
    from tradectl.core.compiler import Compiled

__all__ = ["CompiledHooks", "compile_hooks"]

REPORT_HOOKS = (Hook.ON_ORDER, Hook.ON_FILL)  # they get a REPORT as fourth argument
RAISED = 1  # a hook's status, in numba's convention, when it raised
AUTHOR = {"error_model": "python", "boundscheck": True}

_helpers_known: set[int] = set()


@dataclass
class CompiledHooks:
    """A strategy's hooks by address; keep this object alive while an address is in use.

    `compile_s` is the time spent, `was_cached` whether nothing had to be compiled. With plain hooks
    `last_error` is what a hook raised last, with its traceback: KeyboardInterrupt is the user's Ctrl-C.
    """

    addresses: dict[Hook, int] = field(default_factory=dict)
    keep: list[Any] = field(default_factory=list)
    compile_s: float = 0.0
    was_cached: bool = True
    last_error: BaseException | None = None


def compile_hooks(loaded: LoadedStrategy, jit: bool = True) -> CompiledHooks:
    """Compile a strategy's hooks or load them from the cache; `jit=False`: wrap them as they are."""
    start = time.perf_counter()
    made = CompiledHooks()
    if jit and not DISABLE_JIT:
        _compile(loaded, made)
    else:
        _wrap(loaded, made)
    made.compile_s = time.perf_counter() - start
    return made


# --- compiled


def _compile(loaded: LoadedStrategy, made: CompiledHooks) -> None:
    """Link the machine code that an earlier run left of each hook, or compile it and leave it."""
    cache = cache_directory(extra=f"strategy {loaded.source_hash}")
    for hook, fn in loaded.functions.items():
        path = cache / f"{_identity(loaded, fn)}.{hook.name.lower()}.code"
        address = native.load(path)
        if address is None:
            code = _compile_hook(loaded, hook, fn, cache)
            if code.code is not None:
                native.save(path, code.symbol, code.code)
            address = code.address
            made.keep.append(code)
            made.was_cached = made.was_cached and code.was_cached
        made.addresses[hook] = address


def _identity(loaded: LoadedStrategy, fn: Callable[..., Any]) -> str:
    """Name a hook of these sources by what else its code depends on: its class and its records' layouts."""
    layouts = [repr((one, one.itemsize)) for one in (loaded.params_dtype, loaded.state_dtype)]
    text = "\0".join((Path(fn.__code__.co_filename).name, fn.__qualname__, *layouts))
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def _compile_hook(loaded: LoadedStrategy, hook: Hook, fn: Callable[..., Any], cache: Path) -> Compiled:
    prepare()
    import numba

    from tradectl.core.compiler import compile_to_address
    from tradectl.strategy.ctx_compiled import CTX, CtxType
    from tradectl.strategy.explain import explain
    from tradectl.strategy.typed import AuthorCompiler, collect_faults

    _know_helpers(loaded.helpers)
    records_of = [loaded.params_dtype, loaded.state_dtype] + ([REPORT] if hook in REPORT_HOOKS else [])
    table = _ready_table(loaded)
    signature = numba.types.void(CtxType(table) if table else CTX, *(numba.from_dtype(one) for one in records_of))
    collect_faults()
    try:
        # With all that it calls it is optimised once: cached helpers took four times as long.
        return compile_to_address(fn, signature, cache, pipeline_class=AuthorCompiler, **AUTHOR)
    except Exception as error:  # numba's own errors, and what its typing lets through
        raise StrategyError(explain(error, loaded.sources, fn, collect_faults())) from error


def _ready_table(loaded: LoadedStrategy) -> Table:
    """Return where the strategy's indicators are, if it asks `ctx.is_ready`."""
    functions = (*loaded.functions.values(), *loaded.helpers)
    asks = any("is_ready" in fn.__code__.co_names for fn in functions)
    return ready_table(loaded.spec, loaded.sizes) if asks else ()


def _know_helpers(helpers: tuple[Callable[..., Any], ...]) -> None:
    """Let compiled hooks call the other functions of the author's files."""
    from numba.extending import overload

    from tradectl.strategy.typed import AuthorCompiler

    for helper in helpers:
        if id(helper) not in _helpers_known:
            _helpers_known.add(id(helper))  # modules are never dropped, so neither is the id reused
            options = {"pipeline_class": AuthorCompiler, **AUTHOR}
            overload(helper, jit_options=options, strict=False)(lambda *_a, _fn=helper, **_k: _fn)


# --- plain Python


class _Frozen(ctypes.Structure):
    """Parameters as a hook sees them: read-only."""

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"parameters cannot be written (p.{name})")


def _views(loaded: LoadedStrategy) -> Callable[[int, int, int], tuple[Any, Any, Any]]:
    """Return what makes (ctx, p, s) of addresses; equal addresses give equal objects, which saves their making."""
    params = struct_of(loaded.params_dtype, _Frozen)
    state = struct_of(loaded.state_dtype)
    table = _ready_table(loaded)
    known: dict[tuple[int, int, int], tuple[Any, Any, Any]] = {}

    def view(ctx: int, p: int, s: int) -> tuple[Any, Any, Any]:
        key = (ctx, p, s)
        found = known.get(key)
        if found is None:
            found = known[key] = (ctx_at(ctx, table), params.from_address(p), state.from_address(s))
        return found

    return view


def _wrap(loaded: LoadedStrategy, made: CompiledHooks) -> None:
    view = _views(loaded)
    for hook, fn in loaded.functions.items():
        call = _reporting(fn, view, made) if hook in REPORT_HOOKS else _plain(fn, view, made)
        if DISABLE_JIT:
            made.addresses[hook] = id(call)
            records.HOOKS[id(call)] = call
            made.keep.append(call)
            continue
        pointers = 4 if hook in REPORT_HOOKS else 3
        callback = ctypes.CFUNCTYPE(ctypes.c_int32, *([ctypes.c_void_p] * (2 + pointers)))(call)
        made.addresses[hook] = int(ctypes.cast(callback, ctypes.c_void_p).value or 0)
        made.keep.append(callback)


def _plain(fn: Callable[..., Any], view: Any, made: CompiledHooks) -> Callable[..., int]:
    def call(_result: int, _error: int, ctx: int, p: int, s: int) -> int:
        try:
            fn(*view(ctx, p, s))
        except BaseException as error:  # nothing may leave a callback: the host looks at last_error
            made.last_error = error
            return RAISED
        return 0

    return call


def _reporting(fn: Callable[..., Any], view: Any, made: CompiledHooks) -> Callable[..., int]:
    def call(_result: int, _error: int, ctx: int, p: int, s: int, report: int) -> int:
        try:
            fn(*view(ctx, p, s), report_at(report, 0))
        except BaseException as error:  # nothing may leave a callback: the host looks at last_error
            made.last_error = error
            return RAISED
        return 0

    return call
