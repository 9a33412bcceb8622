"""Where an order-by-order book lies in memory: one blob of bytes that a copy moves, restores or hashes.

    BOOK header | bitmap words | levels | orders | ids | trades

The handle of a book is the blob's address. Everything before `trades` is state (`state_bytes`) and holds
offsets, never addresses; `trades` is scratch: what the last operation executed. Slot 0 of `orders` stands
for "none" and is written freely, so that linking needs no branches.

The dense table `ids` (client id → slot) suits ids counted from 0. Sparse 64-bit ids would take an
open-addressing table in its place: a power of two of (id, slot) pairs at most half full, linear probing,
deletion by shifting back: the four places of `core.book` that call `slot_at` would look up instead.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tradectl.core.records import accessor
from tradectl.errors import ConfigError

__all__ = [
    "BOOK", "BOOK_LEVEL", "BOOK_ORDER", "BOOK_TRADE", "MAX_PRICE_TICKS", "MAX_QTY_LOTS",
    "MAX_WINDOW", "book_address", "book_at", "level_at", "new_book", "order_at", "slot_at",
    "state_bytes", "trade_at", "word_at",
]  # fmt: skip

MAX_WINDOW = 1 << 18  # ticks: three levels of 64-bit occupancy words
MAX_PRICE_TICKS = 1 << 60  # either sign; differences of prices stay within int64
MAX_QTY_LOTS = 1 << 40  # with at most 2^22 orders no sum of quantities leaves int64
MAX_ORDERS = 1 << 22

BOOK = np.dtype(
    [
        ("low", "<i8"),  # price in ticks of level 0 of the window
        ("window", "<i8"),  # levels in the window, a power of two
        ("best", "<i8", (2,)),  # level of the best bid (-1: none) and of the best ask (window: none)
        ("free", "<i8"),  # first slot of the chain of freed ones, 0: none
        ("fresh", "<i8"),  # next slot that was never used
        ("live", "<i8"),  # resting orders, far ones included
        ("slots", "<i8"),  # orders that may rest at once
        ("id_capacity", "<i8"),  # client ids are 0 .. id_capacity - 1
        ("levels", "<i8"),  # offsets of the parts, in bytes from the header
        ("orders", "<i8"),
        ("ids", "<i8"),
        ("trades", "<i8"),
        ("trade_count", "<i8"),  # trades of the last operation
        ("leaves_lots", "<i8"),  # what the last operation's order has left (resting or expired)
        ("recentres", "<i8"),  # moves of the window so far
        ("far_head", "<i8", (2,)),  # slots of bids below and asks above the window, in order of arrival
        ("far_tail", "<i8", (2,)),
        ("far_best", "<i8", (2,)),  # no far bid is above, no far ask below this price in ticks
        ("top", "<i8"),  # which of `middle` are not zero
        ("middle", "<i8", (64,)),  # which bitmap words are not zero
    ],
    align=True,
)
BOOK_ORDER = np.dtype(
    [("id", "<i8"), ("price_ticks", "<i8"), ("qty_lots", "<i8"), ("next", "<i4"), ("prev", "<i4")], align=True
)
BOOK_LEVEL = np.dtype([("head", "<i4"), ("tail", "<i4"), ("qty_lots", "<i8")], align=True)
BOOK_TRADE = np.dtype(
    [("aggressor_id", "<i8"), ("resting_id", "<i8"), ("price_ticks", "<i8"), ("qty_lots", "<i8")], align=True
)
_WORD = np.dtype([("bits", "<i8")], align=True)
_SLOT = np.dtype([("slot", "<i4")], align=True)
WORDS_OFFSET = BOOK.itemsize  # the bitmap follows the header
WORDS_SIZE = MAX_WINDOW // 8

book_at = accessor(BOOK)
order_at = accessor(BOOK_ORDER)
level_at = accessor(BOOK_LEVEL)
trade_at = accessor(BOOK_TRADE)
slot_at = accessor(_SLOT)
word_at = accessor(_WORD)


def _round_up(size: int) -> int:
    return (size + 63) & ~63


def new_book(
    slots: int, id_capacity: int, centre_ticks: int = 0, window: int = MAX_WINDOW
) -> npt.NDArray[np.uint8]:
    """Return the bytes of an empty book on a 64-byte boundary; keep them alive while its address is in use.

    `slots` orders may rest at once, in all; no operation makes more trades, so their buffer never overflows.
    """
    if window < 64 or window > MAX_WINDOW or window & (window - 1):
        raise ConfigError(f"a book's window is a power of two from 64 to {MAX_WINDOW} ticks, not {window}")
    if not 1 <= slots <= MAX_ORDERS:
        raise ConfigError(f"a book holds 1 to {MAX_ORDERS} orders, not {slots}")
    if abs(centre_ticks) > MAX_PRICE_TICKS or id_capacity < 1:
        raise ConfigError(f"a book cannot begin at {centre_ticks} ticks with {id_capacity} ids")
    levels = _round_up(WORDS_OFFSET + WORDS_SIZE)
    orders = levels + _round_up(window * BOOK_LEVEL.itemsize)
    ids = orders + _round_up((slots + 1) * BOOK_ORDER.itemsize)
    trades = ids + _round_up(id_capacity * _SLOT.itemsize)
    total = trades + slots * BOOK_TRADE.itemsize
    raw = np.zeros(total + 64, np.uint8)
    start = -raw.ctypes.data % 64
    blob = raw[start : start + total]
    header = blob[: BOOK.itemsize].view(BOOK)
    header["low"], header["window"] = centre_ticks - window // 2, window
    header["best"] = (-1, window)
    header["far_best"] = (-4 * MAX_PRICE_TICKS, 4 * MAX_PRICE_TICKS)
    header["fresh"], header["slots"], header["id_capacity"] = 1, slots, id_capacity
    header["levels"], header["orders"], header["ids"], header["trades"] = levels, orders, ids, trades
    return blob


def book_address(blob: npt.NDArray[np.uint8]) -> int:
    """Return the handle that kernels take for the book in `blob`."""
    return int(blob.ctypes.data)


def state_bytes(blob: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Return the part of a book's bytes that is state: what a snapshot copies and a checksum hashes."""
    return blob[: int(blob[: BOOK.itemsize].view(BOOK)["trades"][0])]
