"""How compiled code reaches records at an address, copies words and calls hooks: `core.records` for numba."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.datamodel import models
from numba.extending import intrinsic, overload, register_model

from tradectl.core.records import call_hook, call_report_hook, copy_words

__all__ = ["NamedRecord", "teach_accessor"]


class NamedRecord(types.Record):
    """A record type with a short name: numba writes a type's name into every symbol that mentions it."""

    def __init__(self, dtype: np.dtype[Any]) -> None:
        whole = numba.from_dtype(dtype)
        fields = [
            (name, {"type": field.type, "offset": field.offset, "alignment": field.alignment, "title": field.title})
            for name, field in whole.fields.items()
        ]
        super().__init__(fields, whole.size, whole.aligned)
        self.name = f"R{zlib.crc32(whole.name.encode()):08x}"


register_model(NamedRecord)(models.RecordModel)


def teach_accessor(at: Callable[[int, int], Any], dtype: np.dtype[Any]) -> None:
    """Let compiled code call the accessor `at` of records of `dtype`."""
    size = dtype.itemsize
    record = NamedRecord(dtype)

    @intrinsic
    def pointer(_typing: Any, base: Any, index: Any) -> Any:
        def codegen(context: Any, builder: Any, _sig: Any, args: Any) -> Any:
            offset = builder.mul(args[1], ir.Constant(ir.IntType(64), size))
            return builder.inttoptr(builder.add(args[0], offset), context.get_value_type(record))

        return record(types.int64, types.int64), codegen

    def implementation(base: Any, index: Any) -> Any:
        return lambda base, index: pointer(base, index)

    overload(at, jit_options={"forceinline": True}, strict=False)(implementation)


@intrinsic
def _copy(_typing: Any, target: Any, source: Any, words: Any) -> Any:
    def codegen(_context: Any, builder: Any, _sig: Any, args: Any) -> Any:
        byte_pointer = ir.IntType(8).as_pointer()
        dst = builder.inttoptr(args[0], byte_pointer)
        src = builder.inttoptr(args[1], byte_pointer)
        cgutils.raw_memcpy(builder, dst, src, args[2], 8)

    return types.void(types.int64, types.int64, types.int64), codegen


@overload(copy_words, jit_options={"forceinline": True}, strict=False)
def _copy_words(target: Any, source: Any, words: Any) -> Any:
    return lambda target, source, words: _copy(target, source, words)


def _caller(n_pointers: int) -> Any:
    """Make an intrinsic that calls a compiled `void(pointer × n)` by address and returns its status.

    The callee was compiled with numba's own calling convention for record arguments; a raised
    exception becomes status 1 and is not propagated, so the kernel can finish its event.
    """

    def call(_typing: Any, address: Any, *pointers: Any) -> Any:
        def codegen(context: Any, builder: Any, _sig: Any, args: Any) -> Any:
            arg_types = [types.voidptr] * n_pointers
            fn_type = context.call_conv.get_function_type(types.none, arg_types)
            fn = builder.inttoptr(args[0], fn_type.as_pointer())
            byte_pointer = ir.IntType(8).as_pointer()
            values = [builder.inttoptr(a, byte_pointer) for a in args[1:]]
            status, _ = context.call_conv.call_function(builder, fn, types.none, arg_types, values)
            return builder.zext(status.is_error, ir.IntType(64))

        return types.int64(*([types.int64] * (1 + n_pointers))), codegen

    return call


_call3, _call4 = _caller(3), _caller(4)
_call_hook = intrinsic(lambda t, address, a, b, c: _call3(t, address, a, b, c))
_call_report = intrinsic(lambda t, address, a, b, c, d: _call4(t, address, a, b, c, d))


@overload(call_hook, jit_options={"forceinline": True}, strict=False)
def _call_hook_overload(address: Any, ctx: Any, params: Any, state: Any) -> Any:
    return lambda address, ctx, params, state: _call_hook(address, ctx, params, state)


@overload(call_report_hook, jit_options={"forceinline": True}, strict=False)
def _call_report_overload(address: Any, ctx: Any, params: Any, state: Any, report: Any) -> Any:
    return lambda address, ctx, params, state, report: _call_report(address, ctx, params, state, report)
