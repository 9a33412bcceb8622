"""How many bars a strategy needs before its indicators mean something, and whether they have seen them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from tradectl.core.layout import strategy_at, word_at
from tradectl.strategy.ctx_read import state_of
from tradectl.strategy.indicators.base import Indicator
from tradectl.strategy.memory import Array, PerInstrument, Record, Sizes, StateField

if TYPE_CHECKING:
    from tradectl.strategy.declare import Spec
    from tradectl.strategy.loader import LoadedStrategy

__all__ = ["Table", "indicator_warmups", "ready_reader", "ready_table", "strategy_warmup"]

Table = tuple[tuple[int, int], ...]  # of each indicator: bytes from the state's start, bytes to the next instrument's


def strategy_warmup(loaded: LoadedStrategy) -> int:
    """Return how many bars all indicators of a strategy need with its parameters (0: it has none).

    It counts bars of whatever the indicators are fed with; those fed by another one add up where they say so (`of`).
    """
    return max(indicator_warmups(loaded).values(), default=0)


def indicator_warmups(loaded: LoadedStrategy) -> dict[str, int]:
    """Return the bars that each indicator of the state needs, by its name there."""
    found: dict[str, int] = {}
    for name, field in loaded.spec.state.items():
        for path, one in _indicators(field, name):
            found[path] = one.bars_needed(loaded.sizes)
    return found


def _indicators(field: StateField, path: str) -> Iterator[tuple[str, Indicator]]:
    """Yield the indicators of a field, but not those that another one is made of."""
    if isinstance(field, Indicator):
        yield path, field
    elif isinstance(field, Record):
        for name, inner in field.fields.items():
            yield from _indicators(inner, f"{path}.{name}")
    elif isinstance(field, (Array, PerInstrument)):
        yield from _indicators(field.of, path)


def ready_table(spec: Spec, sizes: Sizes) -> Table:
    """Return where the `count` of each indicator stands in a state record; `needed` is the word after it."""
    dtype = spec.state_dtype(sizes)
    fields: Any = dtype.fields
    found: list[tuple[int, int]] = []
    for name, field in spec.state.items():
        found += _places(field, fields[name][0], fields[name][1], 0)
    return tuple(found)


def _places(field: StateField, dtype: np.dtype[Any], at: int, stride: int) -> Iterator[tuple[int, int]]:
    fields: Any = dtype.fields
    if isinstance(field, Indicator):
        yield at + fields["count"][1], stride
    elif isinstance(field, Record):
        for name, inner in field.fields.items():
            yield from _places(inner, fields[name][0], at + fields[name][1], stride)
    elif isinstance(field, PerInstrument) and dtype.subdtype is not None:
        yield from _places(field.of, dtype.subdtype[0], at, dtype.subdtype[0].itemsize)
    elif isinstance(field, Array) and dtype.subdtype is not None:
        cell, shape = dtype.subdtype
        for k in range(int(np.prod(shape)) if _has_indicator(field) else 0):
            yield from _places(field.of, cell, at + k * cell.itemsize, stride)


def _has_indicator(field: StateField) -> bool:
    return next(_indicators(field, ""), None) is not None


def ready_reader(table: Table) -> Callable[[Any], bool]:
    """Return what tells whether all indicators of a table are ready for the current instrument; compiled and plain."""
    if not table:
        return lambda _ctx: True

    def is_ready(ctx):  # type: ignore[no-untyped-def]
        state = state_of(ctx, strategy_at(ctx.strategies, ctx.cursor_strategy), ctx.cursor_instrument)
        for offset, stride in table:
            at = state + offset + ctx.cursor_instrument * stride
            if word_at(at, 0).value < word_at(at, 1).value:
                return False
        return True

    return is_ready
