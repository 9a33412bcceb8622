"""Databento's market-by-order records as order rows: executions named once, snapshots and gaps marked."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from tradectl.core.codes import EventFlag, EventKind
from tradectl.history.importers.base import book_frame

__all__ = ["F_LAST", "PRICE", "UNDEFINED", "complete", "order_rows", "price_of", "side_of"]

Array = npt.NDArray[Any]
PRICE = 1e9  # prices are in 1e-9
UNDEFINED = (1 << 63) - 1  # no price
F_LAST, F_SNAPSHOT, F_MAYBE_BAD_BOOK = 128, 32, 4  # bits of a record's flags
ADD, MODIFY, CANCEL, CLEAR, TRADE, FILL, NONE = b"A", b"M", b"C", b"R", b"T", b"F", b"N"
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


def order_rows(records: Array, row: Array) -> pl.DataFrame:
    """Return the order rows of whole messages of one instrument; `row` is each record's number.

    Resting orders that fill (F) become ORDER_EXEC; the trade itself (T) stays only with what no resting order
    accounts for, so that each traded quantity is told once. The cancellation that follows a whole fill says
    nothing new and is left out. An aggressor that rested before, and the two-sided fills of an auction
    (T without side), change the book by the C and M that follow.
    """
    action, flags = records["action"], records["flags"]
    snapshot = (flags & F_SNAPSHOT) != 0
    keep = action != NONE
    qty = records["size"].astype(np.float64)
    message = np.concatenate([[0], np.cumsum((flags & F_LAST) != 0)[:-1]])
    trades = np.unique(message[(action == TRADE) | (action == FILL)])
    starts, stops = np.searchsorted(message, trades), np.searchsorted(message, trades, "right")
    for start, stop in zip(starts.tolist(), stops.tolist(), strict=True):
        _settle(records[start:stop], keep[start:stop], qty[start:stop])
    keep &= ~(snapshot & (action == CLEAR))  # a snapshot empties the book by itself
    kind = np.zeros(len(records), np.uint8)
    for code, meaning in KINDS.items():
        kind[action == code] = int(meaning)
    bits = np.where((flags & F_LAST) != 0, int(EventFlag.MESSAGE_END), 0).astype(np.uint16)
    frame = book_frame(
        {
            "ts_event": records["ts_event"].astype(np.int64), "ts_recv": records["ts_recv"].astype(np.int64),
            "kind": kind, "side": side_of(records["side"]), "flags": bits, "price": price_of(records["price"]),
            "qty": np.where(kind == int(EventKind.CLEAR), 0.0, qty), "id": records["order_id"].view(np.int64),
            "row": row,
        }
    )  # fmt: skip
    doubtful = (flags & F_MAYBE_BAD_BOOK) != 0
    begins = row[doubtful & ~np.concatenate([[False], doubtful[:-1]])]
    marked = frame.with_columns(
        message=pl.Series(message), snapshot=pl.Series(snapshot), keep=pl.Series(keep)
    )
    return _gaps(_ends(marked), begins)


def _settle(records: Array, keep: Array, qty: Array) -> None:
    """Decide what is kept of one message with a trade: writes `keep` and `qty`."""
    action, order = records["action"].tolist(), records["order_id"].tolist()
    size, side = records["size"].tolist(), records["side"].tolist()
    takers = {order[k] for k, a in enumerate(action) if a == TRADE and order[k]}
    auction = any(a == TRADE and side[k] == b"N" for k, a in enumerate(action))
    filled: dict[int, int] = {}
    for k, a in enumerate(action):
        if a == FILL:
            if auction or order[k] in takers or not order[k] or side[k] == b"N":
                keep[k] = False
            else:
                filled[order[k]] = filled.get(order[k], 0) + size[k]
        elif a == CANCEL and filled.get(order[k], 0) >= size[k]:
            keep[k] = False
    told = sum(filled.values())
    for k, a in enumerate(action):
        if a == TRADE:
            spent = min(told, size[k])
            told -= spent
            keep[k], qty[k] = size[k] > spent, size[k] - spent


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
