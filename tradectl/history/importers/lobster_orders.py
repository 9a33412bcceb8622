"""LOBSTER's messages as orders of a book: seeded from what the order-book file shows, and corrected by it."""

from __future__ import annotations

from collections.abc import Sequence

from tradectl.core.codes import EventFlag, EventKind, MarketStatus
from tradectl.history.importers.rows import Rows

__all__ = ["OrderStream"]

ADD, MODIFY = int(EventKind.ORDER_ADD), int(EventKind.ORDER_MODIFY)
CANCEL, EXEC = int(EventKind.ORDER_CANCEL), int(EventKind.ORDER_EXEC)
TRADE, STATUS = int(EventKind.TRADE), int(EventKind.STATUS)
BEGIN, END = int(EventFlag.SNAPSHOT_BEGIN), int(EventFlag.SNAPSHOT_END)
SUBMISSION, PARTIAL, DELETION, VISIBLE, HIDDEN, CROSS, HALT = range(1, 8)
Levels = Sequence[tuple[int, int]]  # (price in 1/10,000, quantity), best first


class OrderStream:
    """Turns messages into order rows; prices are LOBSTER's integers (dollars × 10,000).

    The messages leave out what happens beyond the levels shown. What a level shows beyond the known orders is
    held as one nameless order with an id below zero; messages of orders never seen act on it. A level that
    comes back into sight is made what is shown: nameless quantity first, then the newest orders.

    So a level may hold other orders than the venue's: what was canceled and placed out of sight is not told. An
    execution is told with its own quantity all the same, also where less is left of its order here, or nothing
    (then it has the message's id): what the level shows after it ends as much of the others.
    """

    def __init__(self, rows: Rows) -> None:
        self.rows = rows
        self.stamps = (0, 0)
        self.number = 0
        self.orders: dict[int, list[int]] = {}  # id -> [side, price, open quantity]
        self.levels: dict[int, dict[int, dict[int, int]]] = {1: {}, -1: {}}  # side -> price -> {id: quantity}
        self.nameless: dict[tuple[int, int], int] = {}  # (side, price) -> id
        self.unseen: dict[int, set[int]] = {1: set(), -1: set()}  # known prices beyond what is shown
        self.near: dict[int, int | None] = {1: None, -1: None}  # the best of the unseen, or better
        self.shown: dict[int, Levels] = {1: (), -1: ()}
        self.lowest = 0  # the newest nameless id

    def seed(self, bids: Levels, asks: Levels) -> None:
        """Write a snapshot: one nameless order a level."""
        start = len(self.rows)
        self._resync(1, bids)
        self._resync(-1, asks)
        if len(self.rows) > start:
            self.rows.mark(start, BEGIN)
            self.rows.mark(len(self.rows) - 1, END)
            self.rows.end()

    def message(
        self, kind: int, order: int, size: int, price: int, side: int, shown: tuple[Levels, Levels] | None
    ) -> None:
        """Write one message, and what `shown` (bids, asks after it) corrects; ValueError if it is none."""
        start = len(self.rows)
        if kind == SUBMISSION:
            self._add(ADD, order, side, price, size)
        elif kind in (PARTIAL, DELETION):
            self._reduce(CANCEL, order, size, price, side)
        elif kind == VISIBLE:
            self._reduce(EXEC, order, size, price, side)
        elif kind in (HIDDEN, CROSS):
            self._write(TRADE, 0, -side if kind == HIDDEN else 0, price, size)
        elif kind == HALT:
            status = MarketStatus.LISTED if price == 1 else MarketStatus.HALTED
            self._write(STATUS, int(status), 0, 0, 0)
        else:
            raise ValueError(f"type {kind} is none of 1 to 7")
        if shown is not None:  # a side can differ only if the message or the file touched it
            if side == 1 or shown[0] is not self.shown[1]:
                self._resync(1, shown[0])
            if side == -1 or shown[1] is not self.shown[-1]:
                self._resync(-1, shown[1])
        if len(self.rows) > start:
            self.rows.end()

    def _write(self, kind: int, order: int, side: int, price: int, qty: int) -> None:
        self.rows.one(kind, side, self.stamps, price / 10_000, float(qty), (order, self.number), more=True)

    def _add(self, kind: int, order: int, side: int, price: int, qty: int) -> None:
        self.orders[order] = [side, price, qty]
        self.levels[side].setdefault(price, {})[order] = qty
        self._write(kind, order, side, price, qty)

    def _reduce(self, kind: int, order: int, size: int, price: int, side: int) -> None:
        """Take `size` from a known order, or from the nameless one at its price."""
        there = order if order in self.orders else self.nameless.get((side, price), 0)
        if there:
            self._take(kind, there, size)
        elif kind == EXEC:
            self._write(EXEC, order, side, price, size)

    def _take(self, kind: int, order: int, size: int) -> None:
        side, price, left = self.orders[order]
        whole = size >= left
        self._write(kind, order, side, price, 0 if whole and kind == CANCEL else size)
        if not whole:
            self.orders[order][2] = self.levels[side][price][order] = left - size
            return
        del self.orders[order]
        del self.levels[side][price][order]
        if not self.levels[side][price]:
            del self.levels[side][price]
            self.unseen[side].discard(price)
        if order < 0:
            del self.nameless[(side, price)]

    def _resync(self, side: int, shown: Levels) -> None:
        """Make every level that is in sight what is shown."""
        levels, before = self.levels[side], self.shown[side]
        for price, qty in shown:
            known = sum(levels[price].values()) if price in levels else 0
            if known != qty:
                self._correct(side, price, qty - known)
        self.shown[side] = shown
        now = [price for price, _ in shown]
        if now == [price for price, _ in before]:
            return
        unseen, near = self.unseen[side], self.near[side]
        for price, _ in before:
            if price not in now and price in levels:
                unseen.add(price)
                near = price if near is None or (price - near) * side > 0 else near
        unseen.difference_update(now)
        if shown and near is not None and (near - shown[-1][0]) * side >= 0:
            for price in [p for p in unseen if (p - shown[-1][0]) * side > 0]:
                self._correct(side, price, -sum(levels[price].values()))
            near = (max if side > 0 else min)(unseen, default=None)
        self.near[side] = near

    def _correct(self, side: int, price: int, missing: int) -> None:
        """Add what is missing at a level to its nameless order, or take away what is too much (below zero)."""
        order = self.nameless.get((side, price), 0)
        if missing > 0:
            if order:
                self._add(MODIFY, order, side, price, self.orders[order][2] + missing)
                return
            self.lowest -= 1
            self.nameless[(side, price)] = self.lowest
            self._add(ADD, self.lowest, side, price, missing)
            return
        while missing < 0:
            order = self.nameless.get((side, price)) or next(reversed(self.levels[side][price]))
            had = self.orders[order][2]
            self._take(CANCEL, order, -missing)
            missing += min(had, -missing)
