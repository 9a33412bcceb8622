"""What may look on while a fold runs as plain Python (`tradectl explain`); compiled code leaves it out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tradectl.core.jit import when_compiling

__all__ = ["WATCHERS", "before_checks"]

WATCHERS: list[Callable[..., None]] = []  # each is called with what `before_checks` gets


def before_checks(world: Any, engine: Any, order: Any, reason: int, credit: int) -> None:
    """Show an order that is about to be checked: its record, what was wrong as written, what a rebalance frees."""
    for watcher in WATCHERS:
        watcher(world, engine, order, reason, credit)


def _lesson() -> None:
    from numba.extending import overload

    def implementation(world: Any, engine: Any, order: Any, reason: Any, credit: Any) -> Any:
        return lambda world, engine, order, reason, credit: None

    overload(before_checks, jit_options={"forceinline": True}, strict=False)(implementation)


when_compiling(_lesson)
