"""Records at an address: one access path for compiled code (bare pointers) and plain Python (ctypes).

`struct_of(dtype)` mirrors an aligned numpy dtype as a `ctypes.Structure` over the same bytes;
`accessor(dtype)` gives `at(base, index)`, which is a numba record in compiled code and such a structure
in Python. Bounds are proven where the addresses are made, not here.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from tradectl.core.jit import when_compiling

__all__ = ["accessor", "call_hook", "call_report_hook", "copy_words", "struct_of"]

_C_TYPES = {
    "i1": ctypes.c_int8, "i2": ctypes.c_int16, "i4": ctypes.c_int32, "i8": ctypes.c_int64,
    "u1": ctypes.c_uint8, "u2": ctypes.c_uint16, "u4": ctypes.c_uint32, "u8": ctypes.c_uint64,
    "f8": ctypes.c_double, "b1": ctypes.c_bool,
}  # fmt: skip


def _c_type(dtype: np.dtype[Any]) -> Any:
    if dtype.subdtype is not None:
        base, shape = dtype.subdtype
        made = _c_type(base)
        for size in reversed(shape):
            made = made * size
        return made
    if dtype.names is not None:
        return struct_of(dtype)
    return _C_TYPES[dtype.str[1:]]


@cache
def struct_of(dtype: np.dtype[Any], base: type = ctypes.Structure) -> Any:
    """Mirror an aligned structured dtype as a ctypes structure (same offsets, checked)."""
    assert dtype.names is not None and dtype.fields is not None
    fields = [(name, _c_type(dtype.fields[name][0])) for name in dtype.names]
    made = type("Struct", (base,), {"_fields_": fields})
    for name in dtype.names:
        if getattr(made, name).offset != dtype.fields[name][1]:
            raise TypeError(f"field {name!r} is not aligned; build the dtype with align=True")
    if ctypes.sizeof(made) != dtype.itemsize:
        raise TypeError("dtype has padding that C has not")
    return made


def accessor(dtype: np.dtype[Any]) -> Callable[[int, int], Any]:
    """Return `at(base, index)`: the record of `dtype` at address `base` + `index` × its size."""
    struct = struct_of(dtype)
    size = dtype.itemsize

    def at(base: int, index: int) -> Any:
        return struct.from_address(base + index * size)

    def lesson() -> None:
        from tradectl.core.records_compiled import teach_accessor

        teach_accessor(at, dtype)

    when_compiling(lesson)
    return at


def copy_words(target: int, source: int, words: int) -> None:
    """Copy `words` 8-byte words between two addresses that do not overlap."""
    ctypes.memmove(target, source, words * 8)


HOOKS: dict[int, Callable[..., Any]] = {}  # address -> plain function, where nothing is compiled


def call_hook(address: int, ctx: int, params: int, state: int) -> int:
    """Call a strategy's hook by address; return 0, or 1 if it raised."""
    return int(HOOKS[address](0, 0, ctx, params, state))


def call_report_hook(address: int, ctx: int, params: int, state: int, report: int) -> int:
    """Call a strategy's report hook by address; return 0, or 1 if it raised."""
    return int(HOOKS[address](0, 0, ctx, params, state, report))


def _lesson() -> None:
    import tradectl.core.records_compiled  # noqa: F401 (the overloads of the functions above)


when_compiling(_lesson)
