"""The type of `ctx`: WORLD behind the attributes and methods of `strategy.context`, compiled and plain.

Compiled it is a subclass of numba's record type over WORLD, so a hook gets one bare pointer; plain it is a
`Ctx` object over the same bytes. Both call the same plain functions.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numba
from numba import types
from numba.core.datamodel import models
from numba.extending import overload_attribute, overload_method, register_model

from tradectl.core.jit import DISABLE_JIT
from tradectl.core.layout import WORLD, world_at
from tradectl.errors import nearest
from tradectl.strategy.context import ATTRIBUTES, METHODS

__all__ = ["CTX", "Ctx", "CtxType", "ctx_at", "is_ctx_name"]

LIBRARY = {"error_model": "numpy"}
INLINE = {**LIBRARY, "forceinline": True}
READS = ("order_status", "is_live", "leaves", "round_qty", "select")  # small methods that only look


class CtxType(types.Record):
    """The numba type of `ctx`: WORLD's record with the author's surface on top."""

    def __init__(self) -> None:
        world = numba.from_dtype(WORLD)
        fields = [(name, _field_info(field)) for name, field in world.fields.items()]
        super().__init__(fields, world.size, world.aligned)
        self.name = "Ctx"


def _field_info(field: Any) -> dict[str, Any]:
    return {"type": field.type, "offset": field.offset, "alignment": field.alignment, "title": field.title}


def is_ctx_name(name: str) -> bool:
    """Return whether `ctx.<name>` exists."""
    return name in ATTRIBUTES or name in METHODS


def _same_source(name: str, fn: Callable[..., Any]) -> Callable[..., Any]:
    """Return an overload that implements itself by `fn`, whose signature (defaults, keywords) it shows."""

    def implement(*_args: Any, **_keywords: Any) -> Callable[..., Any]:
        return fn

    implement.__signature__ = inspect.signature(fn)  # type: ignore[attr-defined]
    implement.__doc__ = fn.__doc__
    implement.__qualname__ = f"ctx.{name}"  # as messages show it
    return implement


def _property(fn: Callable[..., Any]) -> property:
    return property(lambda self: fn(self._world), doc=fn.__doc__)


def _method(fn: Callable[..., Any]) -> Callable[..., Any]:
    def call(self: Any, *args: Any, **keywords: Any) -> Any:
        return fn(self._world, *args, **keywords)

    call.__doc__ = fn.__doc__
    return call


class _CtxBase:
    """What a hook sees: bars, market, position, account, orders (plain Python)."""

    __slots__ = ("_world",)

    def __init__(self, world: Any) -> None:
        object.__setattr__(self, "_world", world)

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"ctx has no {name!r}: {nearest(name, [*ATTRIBUTES, *METHODS])}")

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"ctx.{name} cannot be written")


Ctx: Any = type(
    "Ctx",
    (_CtxBase,),
    {
        "__slots__": (),
        "__doc__": _CtxBase.__doc__,
        **{name: _property(fn) for name, fn in ATTRIBUTES.items()},
        **{name: _method(fn) for name, fn in METHODS.items()},
    },
)


def ctx_at(address: int) -> Any:
    """Return the plain `ctx` over the WORLD record at an address."""
    return Ctx(world_at(address, 0))


CTX: Any = None  # the one CtxType; None where nothing is compiled

if not DISABLE_JIT:
    register_model(CtxType)(models.RecordModel)
    CTX = CtxType()
    for _name, _fn in ATTRIBUTES.items():
        if _name not in CTX.fields:  # a field of the same name (n_instruments) is the value itself
            overload_attribute(CtxType, _name, jit_options=INLINE, strict=False)(_same_source(_name, _fn))
    for _name, _fn in METHODS.items():
        _options = INLINE if _name in READS else LIBRARY
        overload_method(CtxType, _name, jit_options=_options, strict=False)(_same_source(_name, _fn))
