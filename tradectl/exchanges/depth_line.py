"""One market's book on its way to the fold: snapshots and changes as DEPTH rows, or a GAP and then silence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tradectl.core.codes import EventFlag, EventKind
from tradectl.exchanges.codec import EventBuffer
from tradectl.exchanges.event_rows import BOOK, END, Steps, put_gap
from tradectl.exchanges.model import GapReason, Malformed

__all__ = ["DepthLine", "Row"]

DEPTH = int(EventKind.DEPTH)
BEGIN_SNAPSHOT, END_SNAPSHOT = int(EventFlag.SNAPSHOT_BEGIN), int(EventFlag.SNAPSHOT_END)
Row = tuple[int, int, int]  # side (+1 bid, -1 ask), price in ticks, quantity in lots (0: no such level)


class DepthLine:
    """The rows of one book; `whole` is true from the end of a snapshot to the next break."""

    __slots__ = ("index", "last_ns", "last_recv", "prices", "qtys", "whole")

    def __init__(self, index: int, prices: Steps, qtys: Steps) -> None:
        self.index, self.prices, self.qtys = index, prices, qtys
        self.whole = False
        self.last_ns = self.last_recv = 0  # exchange time and receipt of the newest message applied

    def rows(self, bids: Sequence[Sequence[Any]], asks: Sequence[Sequence[Any]]) -> list[Row]:
        """Return levels, each (price, quantity, …) as the venue writes them, as rows; Malformed if one is no level."""
        levels = [*bids, *asks]
        if not levels:
            return []
        ticks = self.prices.many([level[0] for level in levels])
        lots = self.qtys.many([level[1] for level in levels])
        if min(ticks) <= 0 or min(lots) < 0:
            raise Malformed(f"a level of {min(lots)} lots or at {min(ticks)} ticks")
        sides = [1] * len(bids) + [-1] * len(asks)
        return list(zip(sides, ticks, lots, strict=True))

    def apply(self, rows: Sequence[Row], stamps: tuple[int, int], update_id: int, out: EventBuffer) -> None:
        """Append the changes of one message (`stamps`: exchange time and receipt, ns)."""
        ts_event, recv_ns = self.last_ns, self.last_recv = stamps
        if not rows:
            return
        add, index = out.add, self.index
        side, ticks, lots = rows[-1]
        for a_side, some_ticks, some_lots in rows[:-1]:
            add(ts_event, recv_ns, DEPTH, a_side, 0, index, 0, some_ticks, some_lots, update_id)
        add(ts_event, recv_ns, DEPTH, side, END, index, 0, ticks, lots, update_id)

    def replace(self, rows: Sequence[Row], stamps: tuple[int, int], update_id: int, out: EventBuffer) -> None:
        """Append a snapshot, which makes the book whole; Malformed if it is empty or crossed."""
        rows = [row for row in rows if row[2]]
        if not rows:
            raise Malformed("a snapshot without levels")
        bid = max((ticks for side, ticks, _ in rows if side > 0), default=0)
        ask = min((ticks for side, ticks, _ in rows if side < 0), default=bid + 1)
        if bid >= ask:
            raise Malformed(f"a crossed snapshot: bid {bid}, ask {ask} ticks")
        ts_event, recv_ns = self.last_ns, self.last_recv = stamps
        final = len(rows) - 1
        for k, (side, ticks, lots) in enumerate(rows):
            flags = (0 if k else BEGIN_SNAPSHOT) | (0 if k < final else END_SNAPSHOT | END)
            out.add(ts_event, recv_ns, DEPTH, side, flags, self.index, 0, ticks, lots, update_id)
        self.whole = True

    def give_up(self, reason: GapReason, recv_ns: int, out: EventBuffer) -> None:
        """Append the GAP of a book that was whole; nothing of it follows before a snapshot."""
        if self.whole:
            put_gap(out, self.index, (self.last_ns, recv_ns), BOOK, self.last_recv, reason)
        self.whole = False
