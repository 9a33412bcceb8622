"""Databento's market-by-order records as order rows: executions named once, snapshots and gaps marked."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from tradectl.core.codes import EventFlag, EventKind
from tradectl.history.importers.base import book_frame

__all__ = ["F_LAST", "PRICE", "UNDEFINED", "MboOrders", "complete", "price_of", "side_of"]

Array = npt.NDArray[Any]
PRICE = 1e9  # prices are in 1e-9
UNDEFINED = (1 << 63) - 1  # no price
F_LAST, F_SNAPSHOT, F_MAYBE_BAD_BOOK = 128, 32, 4  # bits of a record's flags
ADD, MODIFY, CANCEL, CLEAR, TRADE, FILL = b"A", b"M", b"C", b"R", b"T", b"F"
KINDS = {
    ADD: EventKind.ORDER_ADD, MODIFY: EventKind.ORDER_MODIFY, CANCEL: EventKind.ORDER_CANCEL,
    CLEAR: EventKind.CLEAR, TRADE: EventKind.TRADE, FILL: EventKind.ORDER_EXEC,
}  # fmt: skip


def side_of(side: Array) -> Array:
    """Return +1 for bids and buyers (B), −1 for asks and sellers (A), 0 for neither (N)."""
    made: Array = (side == b"B").astype(np.int8) - (side == b"A").astype(np.int8)
    return made


def price_of(price: Array) -> Array:
    """Return prices as floats, 0 where there is none."""
    made: Array = np.where(price == UNDEFINED, 0, price) / PRICE
    return made


def complete(records: Array) -> int:
    """Return how many of one instrument's records belong to whole messages (a snapshot is one)."""
    snapshot = (records["flags"] & F_SNAPSHOT) != 0
    if not len(records):
        return 0
    ends = np.flatnonzero(((records["flags"] & F_LAST) != 0) & ~snapshot)
    tail = int(ends[-1]) + 1 if len(ends) else 0
    after = np.flatnonzero(~snapshot[tail:])
    return tail + int(after[0]) if len(after) else tail


class MboOrders:
    """One instrument's open orders, and its records as order rows.

    Resting orders that fill (F) become ORDER_EXEC, as far as they were displayed; the trade itself (T) stays
    with what no displayed quantity accounts for (icebergs, implied orders), so that each traded quantity is
    told once. What was displayed of an order that was never added is not known: all of its fill is told. An iceberg
    that shows its next part is added anew, at the end of the queue. The cancellation after a whole fill says nothing
    new and is left out. An aggressor that rested before, and the two-sided fills of an auction (T without side),
    change the book by the C and M that follow.
    """

    def __init__(self) -> None:
        self.open: dict[int, int] = {}  # order id -> displayed quantity

    def rows(self, records: Array, row: Array) -> pl.DataFrame:
        """Return the rows of whole messages; `row` is each record's number."""
        action, flags = records["action"], records["flags"]
        snapshot = (flags & F_SNAPSHOT) != 0
        message = np.concatenate([[0], np.cumsum((flags & F_LAST) != 0)[:-1]])
        work = _Work(records)
        trades = np.unique(message[(action == TRADE) | (action == FILL)])
        starts, stops = np.searchsorted(message, trades), np.searchsorted(message, trades, "right")
        done = 0
        for start, stop in zip(starts.tolist(), stops.tolist(), strict=True):
            self._plain(work, range(done, start), {})
            self._traded(work, range(start, stop))
            done = stop
        self._plain(work, range(done, len(records)), {})
        kind, keep = np.array(work.kind, np.uint8), np.array(work.keep, np.bool_)
        keep &= ~(snapshot & (action == CLEAR))  # a snapshot empties the book by itself
        happened = np.where(snapshot, records["ts_recv"], records["ts_event"])  # a snapshot is of its receipt
        frame = book_frame(
            {
                "ts_event": happened.astype(np.int64), "ts_recv": records["ts_recv"].astype(np.int64),
                "kind": kind, "side": side_of(records["side"]), "price": price_of(records["price"]),
                "qty": np.array(work.qty, np.float64), "id": records["order_id"].view(np.int64), "row": row,
            }
        )  # fmt: skip
        doubtful = (flags & F_MAYBE_BAD_BOOK) != 0
        begins = row[doubtful & ~np.concatenate([[False], doubtful[:-1]])]
        marked = frame.with_columns(message=message, snapshot=snapshot, keep=keep)
        return _gaps(_ends(marked), begins)

    def _plain(self, work: _Work, rows: Iterable[int], filled: dict[int, int]) -> None:
        """Apply records that change orders; `filled` are quantities of the same message already taken."""
        opened = self.open
        for k in rows:
            action, order, size = work.action[k], work.order[k], work.size[k]
            if action == MODIFY:
                if order not in opened:
                    work.kind[k] = int(EventKind.ORDER_ADD)
                opened[order] = size
            elif action == ADD:
                opened[order] = size
            elif action == CANCEL:
                left = size - filled.get(order, 0)  # a cancellation names what was open before the fills
                work.keep[k], work.qty[k] = order in opened and left > 0, left
                if order in opened:
                    opened[order] -= left
                    if opened[order] <= 0:
                        del opened[order]
            elif action == CLEAR:
                opened.clear()
                work.qty[k] = 0
            else:
                work.keep[k] = action == TRADE

    def _traded(self, work: _Work, rows: range) -> None:
        """Apply one message with a trade."""
        takers = {work.order[k] for k in rows if work.action[k] == TRADE and work.order[k]}
        auction = any(work.action[k] == TRADE and work.side[k] == b"N" for k in rows)
        filled: dict[int, int] = {}
        ended: set[int] = {0}  # no order has this id
        told = 0
        for k in rows:
            if work.action[k] != FILL:
                continue
            order, size = work.order[k], work.size[k]
            shown = self.open.get(order, 0 if order in ended else size)
            taken = 0 if auction or order in takers else min(size, shown)
            work.keep[k], work.qty[k] = taken > 0, taken
            if taken:
                told += taken
                filled[order] = filled.get(order, 0) + size
                if order in self.open:
                    self.open[order] = shown - taken
                    if taken == shown:
                        del self.open[order]
                        ended.add(order)
        self._plain(work, (k for k in rows if work.action[k] != FILL), filled)
        for k in rows:
            if work.action[k] == TRADE:
                spent = min(told, work.size[k])
                told -= spent
                work.keep[k], work.qty[k] = work.size[k] > spent, work.size[k] - spent


class _Work:
    """Columns of records as lists (the fastest to walk through), and what becomes of each."""

    def __init__(self, records: Array) -> None:
        self.action: list[bytes] = records["action"].tolist()
        self.order: list[int] = records["order_id"].tolist()
        self.size: list[int] = records["size"].tolist()
        self.side: list[bytes] = records["side"].tolist()
        self.kind = [int(KINDS.get(action, 0)) for action in self.action]
        self.keep = [True] * len(records)
        self.qty = list(self.size)


def _ends(frame: pl.DataFrame) -> pl.DataFrame:
    """Drop what is not kept, and mark the last kept row of each message and both ends of each snapshot."""
    begin, end = int(EventFlag.SNAPSHOT_BEGIN), int(EventFlag.SNAPSHOT_END)
    last = int(EventFlag.MESSAGE_END)
    kept = frame.filter("keep")
    after, before = pl.col("snapshot").shift(-1), pl.col("snapshot").shift(1)
    closes = pl.col("snapshot") & ~after.fill_null(value=False)
    opens = pl.col("snapshot") & ~before.fill_null(value=False)
    ends = (
        pl.when("snapshot")
        .then(closes)
        .otherwise(
            (pl.col("message") != pl.col("message").shift(-1)).fill_null(value=True)
            | after.fill_null(value=False)
        )
    )
    bits = (
        pl.when(opens).then(begin).otherwise(0)
        + pl.when(closes).then(end).otherwise(0)
        + pl.when(ends).then(last).otherwise(0)
    )
    return kept.with_columns(flags=bits.cast(pl.UInt16)).drop("message", "snapshot", "keep")


def _gaps(frame: pl.DataFrame, begins: Array) -> pl.DataFrame:
    """Put a GAP before each row at which records begin that the venue's own flag calls doubtful."""
    if not len(begins):
        return frame
    first = frame.filter(pl.col("row").is_in(begins.tolist()))
    gaps = book_frame(
        {"ts_event": first["ts_event"], "ts_recv": first["ts_recv"], "row": first["row"]},
        kind=int(EventKind.GAP), flags=int(EventFlag.MESSAGE_END),
    )  # fmt: skip
    return pl.concat([gaps, frame]).sort("row", maintain_order=True)
