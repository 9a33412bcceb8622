"""The book as the fold sees it: rows of best levels after each message, or at a pace."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from tradectl.core.codes import EventFlag, EventKind, FoldCode, Reason
from tradectl.core.depth_view import shown_best, shown_next, shown_qty
from tradectl.core.instrument import Instrument
from tradectl.core.jit import entry
from tradectl.core.ladder_layout import NO_ASK, NO_BID
from tradectl.core.layout import market_at, venue_at, word_at, world_at
from tradectl.engine.advance import advance
from tradectl.engine.host_fault import bad_event, capacity_error
from tradectl.engine.spec import AccountSpec, InstrumentLimits, RunSpec, StrategySpec
from tradectl.engine.state import State

__all__ = ["BOOK_KINDS", "BookView", "book_columns"]

BATCH = 16_384  # rows in memory
BOOK_KINDS = [
    EventKind.QUOTE, EventKind.DEPTH, EventKind.ORDER_ADD, EventKind.ORDER_MODIFY, EventKind.ORDER_CANCEL,
    EventKind.ORDER_EXEC, EventKind.CLEAR,
]  # fmt: skip


def _signature() -> Any:
    from numba import types

    return types.int64(types.int64, types.int64, types.int64)


@entry(_signature)
def view_top(world_address, levels, out):
    """Write the best `levels` of instrument 0 to address `out` as i8: bid ticks, bid lots, ask ticks, ask lots of each.

    Where a side has no more levels its ticks are NO_BID or NO_ASK and its lots 0. Return 0.
    """
    world = world_at(world_address, 0)
    market, venue = market_at(world.markets, 0), venue_at(world.venues, 0)
    for index in range(2):
        price = shown_best(world.books, market, venue, index)
        for k in range(levels):
            there = price != NO_BID and price != NO_ASK
            word_at(out, 4 * k + 2 * index).value = price
            word_at(out, 4 * k + 2 * index + 1).value = (
                shown_qty(world.books, market, venue, index, price) if there else 0
            )
            if there:
                price = shown_next(world.books, market, venue, index, price)
    return 0


def book_columns(levels: int) -> list[str]:
    """Return the names of the level columns in the order of `view_top`: bid_px_1, bid_qty_1, ask_px_1, ask_qty_1, …."""
    sides = ("bid_px", "bid_qty", "ask_px", "ask_qty")
    return [f"{name}_{k}" for k in range(1, levels + 1) for name in sides]


class BookView:
    """Folds the events of one instrument without a strategy and looks at its book."""

    def __init__(self, instrument: Instrument, limits: InstrumentLimits, levels: int) -> None:
        nobody = StrategySpec("none", b"", b"", {})
        account = AccountSpec(currency=instrument.quote, balances={instrument.quote: 1})
        self.state = State(RunSpec([instrument], [limits], [nobody], account))
        self.levels = levels
        self.rows = np.zeros((BATCH, 2 + 4 * levels), np.int64)

    def tables(self, chunks: Iterator[Any], every_ns: int) -> Iterator[npt.NDArray[np.int64]]:
        """Yield rows (n, 2 + 4 levels) i8: ts_event, ts_recv, then `view_top`; `every_ns` 0: after every message.

        With a pace a row tells the book at the end of each period in which a message came, with that message's stamps.
        """
        used = 0
        end = 0  # of the period that waits for its row, 0: none does
        for events in chunks:
            start = 0
            stamps = events["ts_recv"]
            for at in self._ends(events):
                stamp = int(stamps[at])
                if end and stamp >= end:
                    start = self._fold(events, start, int(np.searchsorted(stamps, end)))
                    used = yield from self._put(used)
                self.now = (int(events["ts_event"][at]), stamp)
                if every_ns:
                    end = (stamp // every_ns + 1) * every_ns
                    continue
                start = self._fold(events, start, at + 1)
                used = yield from self._put(used)
            if end and len(events) and stamps[-1] >= end:  # a message of the next period goes on in the next chunk
                start = self._fold(events, start, int(np.searchsorted(stamps, end)))
                used = yield from self._put(used)
                end = 0
            self._fold(events, start, len(events))
        if end:
            used = yield from self._put(used)
        if used:
            yield self.rows[:used]

    def _ends(self, events: Any) -> list[int]:
        """Return the places of the events that end a message which may have changed the book."""
        last = (events["flags"] & int(EventFlag.MESSAGE_END)) != 0
        found: list[int] = np.flatnonzero(last & np.isin(events["kind"], BOOK_KINDS)).tolist()
        return found

    def _put(self, used: int) -> Any:
        """Write a row of the book as it is; hand out the rows when they fill the batch."""
        row = self.rows[used]
        row[:2] = self.now
        view_top(self.state.address, self.levels, row.ctypes.data + 16)
        if used + 1 < BATCH:
            return used + 1
        yield self.rows
        return 0

    def _fold(self, events: Any, low: int, high: int) -> int:
        """Fold events[low:high]; return where the next ones begin."""
        address = events.ctypes.data
        while low < high:
            code, low = advance(self.state.address, address, low, high)
            if code == FoldCode.DRAIN:
                self.state.drain()
            elif code == FoldCode.CAPACITY:
                raise capacity_error(Reason(int(self.state.engine[0]["fault_reason"])), events[low])
            elif code != FoldCode.DONE:
                raise bad_event(self.state, events[low])
        return high
