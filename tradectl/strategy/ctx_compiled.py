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
from tradectl.strategy.ctx_plot import compiled_plot, ctx_plot
from tradectl.strategy.warmup import Table, ready_reader

__all__ = ["CTX", "CtxType"]

LIBRARY = {"error_model": "numpy"}
INLINE = {**LIBRARY, "forceinline": True}
VALUES = ("n_instruments",)  # fields of WORLD that are an attribute themselves; others of the same name are hidden
READS = ("order_status", "is_live", "leaves", "round_qty", "select")  # small methods that only look


class CtxType(types.Record):
    """The numba type of `ctx`: WORLD's record with the author's surface on top.

    A strategy that asks whether its indicators are ready has a type of its own, which knows where they are.
    """

    def __init__(self, table: Table = ()) -> None:
        world = numba.from_dtype(WORLD)
        shown = [name for name in world.fields if name in VALUES or name not in ATTRIBUTES]
        fields = [(name, _field_info(world.fields[name])) for name in shown]
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


def _plot(ctx: Any, name: Any, value: Any) -> Callable[..., Any] | None:
    """Return an overload of `ctx.plot` for the name that stands in the source; None where it is no literal."""
    return compiled_plot(name.literal_value) if isinstance(name, types.StringLiteral) else None


_plot.__qualname__ = "ctx.plot"  # as messages show it
register_model(CtxType)(models.RecordModel)
CTX = CtxType()  # that of all strategies that do not ask
for _name, _fn in ATTRIBUTES.items():
    if _name not in (*VALUES, "is_ready"):
        overload_attribute(CtxType, _name, jit_options=INLINE, strict=False)(_same_source(_name, _fn))


@overload_attribute(CtxType, "is_ready", jit_options=INLINE, strict=False)
def _is_ready(ctx: Any) -> Callable[[Any], bool]:
    return ready_reader(ctx.table)


overload_method(CtxType, "plot", jit_options=LIBRARY, strict=False, prefer_literal=True)(_plot)
for _name, _fn in METHODS.items():
    if _fn is ctx_plot:
        continue
    _options = INLINE if _name in READS else LIBRARY
    overload_method(CtxType, _name, jit_options=_options, strict=False)(_same_source(_name, _fn))
