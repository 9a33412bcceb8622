"""What only a replay shows: crossed books at a message's end, trades outside the book, repeated trade ids.

A plain book of dictionaries is kept, exact and slow (some 2 µs a row): `data check` is the only one to use it.

| finding | what is counted |
|---|---|
| `crossed` | messages after which the best bid is above the best ask |
| `locked` | messages after which they are equal |
| `outside` | buys below the best bid, sells above the best ask, trades of no side outside both |
| `repeated_id` | trades whose id an earlier trade had |
| `unknown_order` | cancels, changes and executions of orders that were never added |

From a gap on nothing is judged, until the source gives a snapshot or clears the book.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from tradectl.core.codes import EventFlag, EventKind
from tradectl.history.book_events import Ticks
from tradectl.history.book_merge import merge_ticks
from tradectl.history.book_source import BookSource
from tradectl.history.model import Example, FaultCount, iso
from tradectl.history.stream import History, Target, window

__all__ = ["Replay", "check_books"]

EXAMPLES = 5
FINDINGS = ("crossed", "locked", "outside", "repeated_id", "unknown_order")
ROW = ("ts_recv", "kind", "side", "flags", "price", "qty", "price2", "qty2", "id")
END, BEGIN = int(EventFlag.MESSAGE_END), int(EventFlag.SNAPSHOT_BEGIN)
TRADE, QUOTE, DEPTH = int(EventKind.TRADE), int(EventKind.QUOTE), int(EventKind.DEPTH)
ADD, EXEC = int(EventKind.ORDER_ADD), int(EventKind.ORDER_EXEC)
MODIFY = int(EventKind.ORDER_MODIFY)
GAP, CLEAR = int(EventKind.GAP), int(EventKind.CLEAR)


class _Side:
    """One side of a book: quantities by price, and the best of them; `sign` +1 for bids, -1 for asks."""

    def __init__(self, sign: int) -> None:
        self.sign = sign
        self.qty: dict[int, int] = {}
        self.heap: list[int] = []  # -sign * price of every level that was ever there: gone ones leave late

    def set(self, price: int, qty: int) -> None:
        if qty > 0:
            if price not in self.qty:
                heapq.heappush(self.heap, -self.sign * price)
            self.qty[price] = qty
        else:
            self.qty.pop(price, None)

    def best(self) -> int | None:
        heap, levels = self.heap, self.qty
        while heap and -self.sign * heap[0] not in levels:
            heapq.heappop(heap)
        return -self.sign * heap[0] if heap else None

    def clear(self) -> None:
        self.qty.clear()
        self.heap.clear()


@dataclass
class Replay:
    """The book of one instrument as it is replayed, and what was found."""

    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(FINDINGS, 0))
    examples: dict[str, list[tuple[int, tuple[int, ...]]]] = field(default_factory=dict)
    bids: _Side = field(default_factory=lambda: _Side(1))
    asks: _Side = field(default_factory=lambda: _Side(-1))
    orders: dict[int, tuple[int, int, int]] = field(default_factory=dict)  # id -> side, price, quantity
    broken: bool = False
    ids: list[npt.NDArray[np.int64]] = field(default_factory=list)

    def feed(self, ticks: Ticks) -> None:
        """Apply rows."""
        is_trade = ticks.full("kind") == TRADE
        self.ids.append(ticks.full("id")[is_trade])
        for row in zip(*(ticks.full(name).tolist() for name in ROW), strict=True):
            ts, kind, side, flags, price, qty = row[:6]
            if flags & BEGIN or kind == CLEAR:
                self.clear()
            if kind == DEPTH:
                (self.bids if side > 0 else self.asks).set(price, qty)
            elif kind == TRADE:
                self._trade(ts, side, price)
                continue
            elif kind == QUOTE:
                self.clear()
                self.bids.set(price, qty)
                self.asks.set(row[6], row[7])
            elif ADD <= kind <= EXEC:
                self._order(ts, kind, side, price, qty, row[8])
            elif kind == GAP:
                self.broken = True
                continue
            else:
                continue
            if flags & END and not self.broken:
                self._judge(ts)

    def clear(self) -> None:
        """Empty the book; it is whole again."""
        self.bids.clear()
        self.asks.clear()
        self.orders.clear()
        self.broken = False

    def end(self) -> None:
        """Count the ids that stand twice."""
        ids = np.concatenate(self.ids) if self.ids else np.zeros(0, np.int64)
        ids = np.sort(ids[ids != 0])
        again = np.flatnonzero(ids[1:] == ids[:-1])
        self.counts["repeated_id"] = len(again)
        self.examples["repeated_id"] = [(0, (int(ids[i]),)) for i in again[:EXAMPLES]]
        self.ids = []

    def _judge(self, ts: int) -> None:
        bid, ask = self.bids.best(), self.asks.best()
        if bid is not None and ask is not None and bid >= ask:
            self._found("crossed" if bid > ask else "locked", ts, bid, ask)

    def _trade(self, ts: int, side: int, price: int) -> None:
        if self.broken:
            return
        bid, ask = self.bids.best(), self.asks.best()
        below, above = bid is not None and price < bid, ask is not None and price > ask
        if (below and side >= 0) or (above and side <= 0):
            self._found("outside", ts, price, bid or 0, ask or 0)

    def _order(self, ts: int, kind: int, side: int, price: int, qty: int, number: int) -> None:
        before = self.orders.pop(number, None)
        if before is None and kind != ADD:
            if not self.broken:
                self._found("unknown_order", ts, number)
            if kind != MODIFY:
                return
        if before is not None:
            self._level(before[0], before[1], -before[2])
        left = qty
        if kind not in (ADD, MODIFY) and before is not None:
            side, price = before[0], before[1]
            left = before[2] - qty if qty else 0
        if left > 0:
            self.orders[number] = (side, price, left)
            self._level(side, price, left)

    def _level(self, side: int, price: int, change: int) -> None:
        levels = self.bids if side > 0 else self.asks
        levels.set(price, levels.qty.get(price, 0) + change)

    def _found(self, finding: str, ts: int, *values: int) -> None:
        self.counts[finding] += 1
        kept = self.examples.setdefault(finding, [])
        if len(kept) < EXAMPLES:
            kept.append((ts, values))


def check_books(history: History, progress: Any = None) -> list[FaultCount]:
    """Replay every instrument that has book data; return what was found, with the action `report`."""
    found: list[FaultCount] = []
    for target in history.targets:
        sources = [source for source, _ in target.sources if isinstance(source, BookSource)]
        if not sources:
            continue
        replay = Replay()
        for ticks in _stream(target, sources):
            replay.feed(ticks)
            if progress is not None:
                progress(len(ticks))
        replay.end()
        found += [
            FaultCount(name, target.id, "report", count, _examples(target, sources[0], name, replay))
            for name, count in replay.counts.items()
            if count
        ]
    return found


def _stream(target: Target, sources: list[BookSource]) -> Iterator[Ticks]:
    assert target.instrument is not None
    grid = target.instrument.tick_size, target.instrument.lot_size
    sources = sorted(sources, key=lambda source: min(part.lowest_kind for part in source.parts))
    yield from merge_ticks(
        [source.stream(grid, len(sources), *window(target.spec, source.block)) for source in sources]
    )


def _examples(target: Target, source: BookSource, name: str, replay: Replay) -> list[Example]:
    """Write what was found in prices."""
    assert target.instrument is not None
    tick = target.instrument.tick_size
    texts = []
    for ts, values in replay.examples[name]:
        if name in ("crossed", "locked"):
            text = f"{iso(ts)}: bid {values[0] * tick:f}, ask {values[1] * tick:f}"
        elif name == "outside":
            text = f"{iso(ts)}: trade at {values[0] * tick:f}, bid {values[1] * tick:f}, ask {values[2] * tick:f}"
        elif name == "unknown_order":
            text = f"{iso(ts)}: order {values[0]}"
        else:
            text = f"trade id {values[0]}"
        texts.append(Example(str(source.files[0].place), 0, 0, text))
    return texts
