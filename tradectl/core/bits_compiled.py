"""One machine instruction for each function of `core.bits`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, overload

from tradectl.core.bits import (
    FNV_PRIME,
    cycles,
    fnv_mix,
    leading_zeros,
    mul_high,
    mul_high_unsigned,
    mul_low,
    signed,
    split_float,
    trailing_zeros,
    two_to,
)

__all__: list[str] = []

_tools: Any = cgutils
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
    counter = _tools.get_or_insert_function(
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

EXPONENT, HALF = 0x7FF << 52, 1022 << 52  # a float's exponent bits; those of 0.5
SMALLEST_NORMAL = 2.0**-1022


@intrinsic
def _word_of(_typing: Any, x: Any) -> Any:
    return types.int64(types.float64), lambda _c, builder, _s, args: builder.bitcast(args[0], _I64)


@intrinsic
def _float_of(_typing: Any, word: Any) -> Any:
    return types.float64(types.int64), lambda _c, builder, _s, args: builder.bitcast(args[0], ir.DoubleType())


@overload(split_float, jit_options={"forceinline": True}, strict=False)
def _split_float(x: Any) -> Any:
    """Split by the bits: numba's own frexp is a C function that only a process with numba in it has."""

    def split(x: float) -> tuple[float, int]:
        shift = 0
        if abs(x) < SMALLEST_NORMAL:
            x *= 2.0**54
            shift = 54
        word = _word_of(x)
        return _float_of((word & ~EXPONENT) | HALF), ((word & EXPONENT) >> 52) - 1022 - shift

    return split


@overload(two_to, jit_options={"forceinline": True}, strict=False)
def _two_to(k: Any) -> Any:
    return lambda k: _float_of((k + 1023) << 52)
