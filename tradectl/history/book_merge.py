"""Merging streams of book rows or events by receive time; equal stamps by rank, stream, row."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tradectl.core.codes import EventKind
from tradectl.history.book_events import Ticks, concat_ticks

__all__ = ["BESIDE_BARS", "RANK", "WITHIN", "merge_stable", "merge_ticks"]

# At one receive stamp: COMMAND, GAP, STATUS, CORPORATE, FUNDING, MARK, then market data, bars first, TIMER last.
# A kind + BESIDE_BARS is that of an instrument with tick data, beside others with bars. It would close these others'
# derived bars that end then, so it comes after their last bars.
BESIDE_BARS = 128
RANK: npt.NDArray[np.int64] = np.full(256, 10)
for _rank, _kind in enumerate(
    (
        EventKind.COMMAND,
        EventKind.GAP,
        EventKind.STATUS,
        EventKind.CORPORATE,
        EventKind.FUNDING,
        EventKind.MARK,
    )
):
    RANK[_kind] = _rank
RANK[EventKind.BAR] = 6
RANK[[BESIDE_BARS + EventKind.GAP, BESIDE_BARS + EventKind.FUNDING, BESIDE_BARS + EventKind.MARK]] = 7, 8, 9
RANK[EventKind.TIMER] = 15

# The same within one instrument, whose kinds may come from several files: trades, quotes, depth, orders.
WITHIN = RANK.copy()
WITHIN[[EventKind.QUOTE]] = 11
WITHIN[[EventKind.DEPTH, EventKind.CLEAR]] = 12
WITHIN[[EventKind.ORDER_ADD, EventKind.ORDER_MODIFY, EventKind.ORDER_CANCEL, EventKind.ORDER_EXEC]] = 13
WIDE = 1 << 58  # ns: a longer slice's stamps leave no room for the rank beside them


def merge_stable(
    streams: Sequence[Iterator[Any]],
    key: Callable[[Any], tuple[Any, Any]],
    join: Callable[[list[Any]], Any],
    pick: Callable[[Any, Any], Any],
    ranks: npt.NDArray[np.int64] = RANK,
) -> Iterator[Any]:
    """Yield the batches of all streams, each sorted by receive stamp, in the settled order.

    `key(batch)` gives (receive stamps, kinds); `join` makes one batch of several, `pick(batch, order)` puts
    one in order. A slice ends before the earliest last stamp at hand of a stream that goes on, so that all
    rows of a stamp are in one slice whatever the batches are.
    """
    heads: list[Any] = [None] * len(streams)
    ended = [False] * len(streams)
    full = [0] * len(streams)
    if len(streams) == 1:
        yield from (batch for batch in streams[0] if len(batch))
        return
    while True:
        for k, stream in enumerate(streams):
            while not ended[k] and (
                heads[k] is None or len(heads[k]) * 2 < full[k] or _one_stamp(heads[k], key)
            ):
                more = next(stream, None)
                if more is None:
                    ended[k] = True
                elif len(more):
                    full[k] = max(full[k], len(more))
                    heads[k] = more if heads[k] is None else join([heads[k], more])
        going = [int(key(heads[k])[0][-1]) for k in range(len(streams)) if not ended[k]]
        limit = min(going, default=1 << 62)
        parts = []
        for k, head in enumerate(heads):
            if head is None:
                continue
            cut = int(np.searchsorted(key(head)[0], limit, "left"))
            if cut:
                parts.append(head[:cut])
                heads[k] = head[cut:] if cut < len(head) else None
        if parts:
            yield _sorted(parts, key, join, pick, ranks)
        elif not going:
            return


def _one_stamp(head: Any, key: Callable[[Any], tuple[Any, Any]]) -> bool:
    stamps = key(head)[0]
    return bool(stamps[0] == stamps[-1])


def _sorted(parts: list[Any], key: Any, join: Any, pick: Any, ranks: npt.NDArray[np.int64]) -> Any:
    """Join parts in the order of stamp, rank, stream, row; a single one too, lest the cuts decide."""
    whole = join(parts)
    stamps, kinds = key(whole)
    rank = ranks[kinds]
    base, span = int(stamps.min()), int(stamps.max()) - int(stamps.min())
    if span >= WIDE:
        return pick(whole, np.lexsort((rank, stamps)))
    order = (stamps - base) * 16 + rank
    if (order[1:] >= order[:-1]).all():
        return whole
    return pick(whole, np.argsort(order, kind="stable"))  # runs in order: a merge


def merge_ticks(streams: Sequence[Iterator[Ticks]]) -> Iterator[Ticks]:
    """Merge streams of one instrument's rows."""
    yield from merge_stable(
        streams,
        lambda t: (t.ts_recv, t.full("kind")),
        concat_ticks,
        lambda t, order: t[order],
        WITHIN,
    )
