"""64-bit words as the processor sees them: counting zeros, wide products, a cycle counter.

Every function is plain Python; compiled code gets one machine instruction in its place. Words are int64 in
both: bit 63 is the sign. Python's integers do not wrap, so what may wrap goes through `mul_low`; numpy's
scalars, which wrap with a warning, are made Python integers first.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils as _cgutils
from numba.extending import intrinsic, overload

from tradectl.core.jit import DISABLE_JIT

__all__ = [
    "FNV_OFFSET", "FNV_PRIME", "cycles", "fnv_mix", "leading_zeros", "mul_high",
    "mul_high_unsigned", "mul_low", "signed", "trailing_zeros",
]  # fmt: skip

_WORD = (1 << 64) - 1
FNV_PRIME = 1099511628211
FNV_OFFSET = 14695981039346656037 - (1 << 64)  # the FNV-1a 64-bit offset basis, as int64


def signed(value: int) -> int:
    """Return the int64 that has the low 64 bits of `value`, whatever integer type that is."""
    return ((int(value) + (1 << 63)) & _WORD) - (1 << 63)


def trailing_zeros(word: int) -> int:
    """Count the zero bits below the lowest set bit of the low 64 bits; 64 when all are zero."""
    low = int(word) & _WORD
    return (low & -low).bit_length() - 1 if low else 64


def leading_zeros(word: int) -> int:
    """Count the zero bits above the highest set bit of the low 64 bits; 64 when all are zero."""
    return 64 - (int(word) & _WORD).bit_length()


def mul_low(a: int, b: int) -> int:
    """Return the low word of a × b as int64; compiled code: a multiplication that wraps."""
    return signed(int(a) * int(b))


def mul_high(a: int, b: int) -> int:
    """Return the high word of the signed 128-bit product of two int64."""
    return (int(a) * int(b)) >> 64


def mul_high_unsigned(a: int, b: int) -> int:
    """Return the high word, as int64, of the 128-bit product of two words read as unsigned."""
    return signed(((int(a) & _WORD) * (int(b) & _WORD)) >> 64)


def fnv_mix(state: int, word: int) -> int:
    """Mix one 64-bit word into an FNV-1a style digest; start from `FNV_OFFSET`."""
    return signed((int(state) ^ int(word)) * FNV_PRIME)


def cycles() -> int:
    """Read the processor's cycle counter (plain Python: nanoseconds); only differences mean anything."""
    return time.perf_counter_ns()


if not DISABLE_JIT:
    _module_tools: Any = _cgutils
    _I64, _I128 = ir.IntType(64), ir.IntType(128)

    def _instruction(twin: Callable[..., Any], n_args: int, emit: Callable[..., Any]) -> None:
        """Give compiled code `emit(builder, *args)`, an int64 from `n_args` int64, in place of `twin`."""

        def typing(_context: Any, *_args: Any) -> Any:
            def codegen(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
                return emit(builder, *args)

            return types.int64(*([types.int64] * n_args)), codegen

        made: Any
        inlined = overload(twin, jit_options={"forceinline": True}, strict=False)
        if n_args == 0:
            made = intrinsic(lambda t: typing(t))
            inlined(lambda: lambda: made())
        elif n_args == 1:
            made = intrinsic(lambda t, a: typing(t, a))
            inlined(lambda a: lambda a: made(a))
        else:
            made = intrinsic(lambda t, a, b: typing(t, a, b))
            inlined(lambda a, b: lambda a, b: made(a, b))

    def _wide_high(builder: Any, a: Any, b: Any, extend: str) -> Any:
        product = builder.mul(getattr(builder, extend)(a, _I128), getattr(builder, extend)(b, _I128))
        return builder.trunc(builder.lshr(product, ir.Constant(_I128, 64)), _I64)

    def _zero_is_64(builder: Any) -> Any:
        return ir.Constant(ir.IntType(1), 0)

    def _mix(builder: Any, state: Any, word: Any) -> Any:
        return builder.mul(builder.xor(state, word), ir.Constant(_I64, FNV_PRIME))

    def _read_cycles(builder: Any) -> Any:
        counter = _module_tools.get_or_insert_function(
            builder.module, ir.FunctionType(_I64, []), "llvm.readcyclecounter"
        )
        return builder.call(counter, [])

    _instruction(signed, 1, lambda _builder, a: a)
    _instruction(trailing_zeros, 1, lambda builder, a: builder.cttz(a, _zero_is_64(builder)))
    _instruction(leading_zeros, 1, lambda builder, a: builder.ctlz(a, _zero_is_64(builder)))
    _instruction(mul_low, 2, lambda builder, a, b: builder.mul(a, b))
    _instruction(mul_high, 2, lambda builder, a, b: _wide_high(builder, a, b, "sext"))
    _instruction(mul_high_unsigned, 2, lambda builder, a, b: _wide_high(builder, a, b, "zext"))
    _instruction(fnv_mix, 2, _mix)
    _instruction(cycles, 0, _read_cycles)
