"""The compiled `ctx`: numba's record type over WORLD with the author's surface on top.

A hook gets one bare pointer; attributes and methods are the plain functions of `strategy.context`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numba
from numba import types
from numba.core.datamodel import models
from numba.extending import overload_attribute, overload_method, register_model

from tradectl.core.layout import WORLD
from tradectl.strategy.context import ATTRIBUTES, METHODS
from tradectl.strategy.warmup import Table, ready_reader

__all__ = ["CTX", "CtxType"]

LIBRARY = {"error_model": "numpy"}
INLINE = {**LIBRARY, "forceinline": True}
READS = ("order_status", "is_live", "leaves", "round_qty", "select")  # small methods that only look


class CtxType(types.Record):
    """The numba type of `ctx`: WORLD's record with the author's surface on top.

    A strategy that asks whether its indicators are ready has a type of its own, which knows where they are.
    """

    def __init__(self, table: Table = ()) -> None:
        world = numba.from_dtype(WORLD)
        fields = [(name, _field_info(field)) for name, field in world.fields.items()]
        super().__init__(fields, world.size, world.aligned)
        self.name = f"Ctx{list(table) if table else ''}"
        self.table = table


def _field_info(field: Any) -> dict[str, Any]:
    return {"type": field.type, "offset": field.offset, "alignment": field.alignment, "title": field.title}


def _same_source(name: str, fn: Callable[..., Any]) -> Callable[..., Any]:
    """Return an overload that implements itself by `fn`, whose signature (defaults, keywords) it shows."""

    def implement(*_args: Any, **_keywords: Any) -> Callable[..., Any]:
        return fn

    implement.__signature__ = inspect.signature(fn)  # type: ignore[attr-defined]
    implement.__doc__ = fn.__doc__
    implement.__qualname__ = f"ctx.{name}"  # as messages show it
    return implement


register_model(CtxType)(models.RecordModel)
CTX = CtxType()  # that of all strategies that do not ask
for _name, _fn in ATTRIBUTES.items():
    if _name not in (*CTX.fields, "is_ready"):  # a field of the same name (n_instruments) is the value itself
        overload_attribute(CtxType, _name, jit_options=INLINE, strict=False)(_same_source(_name, _fn))


@overload_attribute(CtxType, "is_ready", jit_options=INLINE, strict=False)
def _is_ready(ctx: Any) -> Callable[[Any], bool]:
    return ready_reader(ctx.table)


for _name, _fn in METHODS.items():
    _options = INLINE if _name in READS else LIBRARY
    overload_method(CtxType, _name, jit_options=_options, strict=False)(_same_source(_name, _fn))
