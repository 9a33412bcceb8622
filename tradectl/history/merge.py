"""Merging sorted streams by time slices, so that only a batch of each is in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

__all__ = ["merge"]


def merge(
    streams: Sequence[Iterator[Any]],
    stamps: Callable[[Any], Any],
    join: Callable[[list[Any]], Any],
    pick: Callable[[Any, Any], Any],
) -> Iterator[Any]:
    """Yield the batches of all streams in the order of their stamps; equal stamps in stream order.

    `join` makes one batch of several, `pick(batch, order)` puts one in order.

    Every stream's batches are sorted by `stamps(batch)`. A slice ends at the earliest last stamp of the
    batches at hand, so a stream that never repeats a stamp has all rows of a stamp in one slice.
    """
    if len(streams) == 1:
        yield from (batch for batch in streams[0] if len(batch))
        return
    heads: list[Any] = [None] * len(streams)
    alive = list(range(len(streams)))
    full = [0] * len(streams)
    while alive:
        for k in list(alive):  # top up what runs low, so that a slice is long in every stream
            while heads[k] is None or len(heads[k]) * 2 < full[k]:
                more = next(streams[k], None)
                if more is None:
                    full[k] = 0
                    if heads[k] is None:
                        alive.remove(k)
                    break
                if len(more):
                    full[k] = max(full[k], len(more))
                    heads[k] = more if heads[k] is None else join([heads[k], more])
        if not alive:
            return
        limit = min(stamps(heads[k])[-1] for k in alive)
        parts = []
        for k in alive:
            column = stamps(heads[k])
            cut = len(column) if column[-1] <= limit else int(np.searchsorted(column, limit, "right"))
            if cut:
                parts.append(heads[k][:cut])
                heads[k] = heads[k][cut:] if cut < len(column) else None
        if len(parts) == 1:
            yield parts[0]
        else:
            whole = join(parts)
            yield pick(whole, np.argsort(stamps(whole), kind="stable"))
