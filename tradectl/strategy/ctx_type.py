"""The plain `ctx`: an object over WORLD's bytes with the attributes and methods of `strategy.context`.

In compiled hooks it is a type of its own (`strategy.ctx_compiled`); both call the same plain functions.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tradectl.core.layout import world_at
from tradectl.errors import nearest
from tradectl.strategy.context import ATTRIBUTES, METHODS
from tradectl.strategy.warmup import Table, ready_reader

__all__ = ["Ctx", "ctx_at", "is_ctx_name"]

def is_ctx_name(name: str) -> bool:
    """Return whether `ctx.<name>` exists."""
    return name in ATTRIBUTES or name in METHODS


def _property(fn: Callable[..., Any]) -> property:
    return property(lambda self: fn(self._world), doc=fn.__doc__)


def _method(fn: Callable[..., Any]) -> Callable[..., Any]:
    def call(self: Any, *args: Any, **keywords: Any) -> Any:
        return fn(self._world, *args, **keywords)

    call.__doc__ = fn.__doc__
    return call


class _CtxBase:
    """What a hook sees: bars, market, position, account, orders (plain Python)."""

    __slots__ = ("_ready", "_world")

    def __init__(self, world: Any, ready: Callable[[Any], bool]) -> None:
        object.__setattr__(self, "_world", world)
        object.__setattr__(self, "_ready", ready)

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
        "is_ready": property(lambda self: self._ready(self._world), doc=ATTRIBUTES["is_ready"].__doc__),
    },
)


def ctx_at(address: int, table: Table = ()) -> Any:
    """Return the plain `ctx` over the WORLD record at an address, for a strategy with these indicators."""
    return Ctx(world_at(address, 0), ready_reader(table))
