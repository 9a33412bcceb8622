"""Where the order-by-order book of a run (L3) lies in memory: one blob of bytes that a copy moves or hashes.

    L3 header | book of bids | book of asks | orders | records | ids

A side is a BOOK (`core.book_layout`) that only ever holds that side, so that a book may be crossed; both
share `orders`. Slots 1 .. slots hold recorded orders, slot `slots` + 1 + k the own order k of the order
table. The BOOK_ORDER of an own order has quantity 0: what is left of it stands in ORDER, and a level's
quantity is what it displays of recorded ones. The handle is the blob's address; all of it is state.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tradectl.core.book_layout import BOOK, BOOK_LEVEL, BOOK_ORDER, MAX_PRICE_TICKS, MAX_WINDOW, WORDS_SIZE
from tradectl.core.records import accessor
from tradectl.errors import ConfigError

__all__ = [
    "L3", "L3_ID", "L3_RECORD", "MAX_L3_ORDERS", "id_at", "init_l3", "l3_at", "new_l3", "record_at", "size_of_l3",
]  # fmt: skip

MAX_L3_ORDERS = 1 << 22
MIN_WINDOW = 1 << 6  # ticks, a power of two as every window

L3 = np.dtype(
    [
        ("books", "<i8", (2,)),  # offsets of the parts, in bytes from the header
        ("orders", "<i8"),
        ("records", "<i8"),
        ("ids", "<i8"),
        ("id_mask", "<i8"),  # places in the id table - 1
        ("slots", "<i8"),  # recorded orders that may be known at once
        ("own_capacity", "<i8"),
        ("free", "<i8"),  # first slot of the chain of freed ones, 0: none
        ("fresh", "<i8"),  # next slot that was never used
        ("live", "<i8"),  # recorded orders that are known
        ("n_own", "<i8", (2,)),  # own orders that rest, per side
        ("n_surplus", "<i8", (2,)),  # recorded orders of which more is left here than the recording shows
        ("n_deficit", "<i8", (2,)),  # and of which less is left
    ],
    align=True,
)
L3_RECORD = np.dtype(
    [
        ("left_lots", "<i8"),  # what is left of an order here
        ("shown_lots", "<i8"),  # what the recording shows of it; its BOOK_ORDER has the lesser: what is displayed
        ("index", "<i8"),  # its side: 0 bids, 1 asks
    ],
    align=True,
)
L3_ID = np.dtype([("id", "<i8"), ("slot", "<i8")], align=True)  # slot 0: an empty place

l3_at = accessor(L3)
record_at = accessor(L3_RECORD)
id_at = accessor(L3_ID)


def _round_up(size: int) -> int:
    return (size + 63) & ~63


def _offsets(window: int, orders: int, own: int) -> list[int]:
    """Return the offsets of bids, asks, orders, records and ids, and the size of all."""
    side = _round_up(BOOK.itemsize + WORDS_SIZE) + window * BOOK_LEVEL.itemsize
    sizes = (
        L3.itemsize, side, side, (orders + own + 1) * BOOK_ORDER.itemsize,
        (orders + 1) * L3_RECORD.itemsize, _id_places(orders) * L3_ID.itemsize,
    )  # fmt: skip
    at, offsets = 0, []
    for size in sizes:
        at += _round_up(size)
        offsets.append(at)
    return offsets


def _id_places(orders: int) -> int:
    """Return the places of the id table: a power of two, at most half of them taken."""
    return int(1 << (2 * orders - 1).bit_length())


def size_of_l3(window: int, orders: int, own: int) -> int:
    """Return the bytes of a book of `orders` recorded and `own` own orders; ConfigError for what it cannot have."""
    if window < MIN_WINDOW or window > MAX_WINDOW or window & (window - 1):
        raise ConfigError(f"a book's window is a power of two from {MIN_WINDOW} to {MAX_WINDOW} ticks, not {window}")
    if not 1 <= orders <= MAX_L3_ORDERS or not 0 <= own <= MAX_L3_ORDERS:
        raise ConfigError(f"a book holds 1 to {MAX_L3_ORDERS} recorded orders, not {orders} and {own} own ones")
    return _offsets(window, orders, own)[-1]


def init_l3(blob: npt.NDArray[np.uint8], window: int, orders: int, own: int) -> None:
    """Make `blob` (size_of_l3(window, orders, own),) u1 an empty book; it may be part of a larger array of bytes."""
    size = size_of_l3(window, orders, own)
    if blob.shape != (size,) or not blob.flags.c_contiguous or blob.ctypes.data % 8:
        raise ConfigError(f"a book needs {size} bytes in one piece on an 8-byte boundary, not {blob.shape}")
    blob[:] = 0
    bids, asks, order_part, records, ids, _ = _offsets(window, orders, own)
    header = blob[: L3.itemsize].view(L3)
    header["books"] = (bids, asks)
    header["orders"], header["records"], header["ids"] = order_part, records, ids
    header["id_mask"] = _id_places(orders) - 1
    header["slots"], header["own_capacity"], header["fresh"] = orders, own, 1
    for at in (bids, asks):
        book = blob[at : at + BOOK.itemsize].view(BOOK)
        book["low"], book["window"], book["best"] = -(window // 2), window, (-1, window)
        book["far_best"] = (-4 * MAX_PRICE_TICKS, 4 * MAX_PRICE_TICKS)
        book["levels"], book["orders"] = _round_up(BOOK.itemsize + WORDS_SIZE), order_part - at


def new_l3(window: int, orders: int, own: int) -> npt.NDArray[np.uint8]:
    """Return the bytes of an empty book on a 64-byte boundary; keep them alive while its address is in use."""
    size = size_of_l3(window, orders, own)
    raw = np.zeros(size + 64, np.uint8)
    start = -raw.ctypes.data % 64
    blob = raw[start : start + size]
    init_l3(blob, window, orders, own)
    return blob
