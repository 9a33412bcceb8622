"""What holds of every book after every operation, checked in plain Python: for tests and `verify`."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from tradectl.core.book_layout import BOOK, BOOK_LEVEL, BOOK_ORDER, WORDS_OFFSET, WORDS_SIZE
from tradectl.errors import InvariantViolation

__all__ = ["validate_book"]


def _require(holds: bool, what: str) -> None:
    if not holds:
        raise InvariantViolation(f"book: {what}")


class _Views:
    """A book's bytes as numpy arrays."""

    def __init__(self, blob: npt.NDArray[np.uint8]) -> None:
        header = blob[: BOOK.itemsize].view(BOOK)[0]
        self.header: dict[str, Any] = {
            name: [int(v) for v in header[name]] if header[name].shape else int(header[name])
            for name in BOOK.names or ()
        }
        at, window, slots = self.header, self.header["window"], self.header["slots"]
        self.window, self.low = window, at["low"]
        self.levels = self._part(blob, at["levels"], BOOK_LEVEL, window)
        self.orders = self._part(blob, at["orders"], BOOK_ORDER, slots + 1)
        self.ids = self._part(blob, at["ids"], np.dtype("<i4"), at["id_capacity"])
        bits = np.unpackbits(blob[WORDS_OFFSET : WORDS_OFFSET + WORDS_SIZE], bitorder="little")
        self.occupied = [int(level) for level in np.flatnonzero(bits)]
        self.words = blob[WORDS_OFFSET : WORDS_OFFSET + WORDS_SIZE].view("<i8")

    @staticmethod
    def _part(blob: npt.NDArray[np.uint8], offset: int, dtype: np.dtype[Any], n: int) -> npt.NDArray[Any]:
        return blob[offset : offset + n * dtype.itemsize].view(dtype)

    def walk(self, head: int, tail: int, seen: set[int], name: str) -> list[tuple[int, int, int]]:
        """Follow a list; return (id, price, quantity) of its orders in order."""
        rows = []
        before, slot = 0, head
        while slot != 0:
            _require(slot not in seen, f"slot {slot} stands twice, last in {name}")
            seen.add(slot)
            order = self.orders[slot]
            _require(int(order["prev"]) == before, f"slot {slot} of {name} has a wrong prev")
            _require(int(order["qty_lots"]) > 0, f"slot {slot} of {name} has no quantity")
            found = int(self.ids[int(order["id"])])
            _require(found == slot, f"id {order['id']} leads to slot {found}, not {slot}")
            rows.append((int(order["id"]), int(order["price_ticks"]), int(order["qty_lots"])))
            before, slot = slot, int(order["next"])
        _require(tail == before, f"{name} has a wrong tail")
        return rows


def _check_bitmap(views: _Views) -> None:
    expected = [int(level) for level in np.flatnonzero(views.levels["head"])]
    _require(views.occupied == expected, "the bitmap differs from the levels")
    middle = [0] * 64
    for word in np.flatnonzero(views.words):
        middle[int(word) >> 6] |= 1 << (int(word) & 63)
    top = sum(1 << group for group, bits in enumerate(middle) if bits)
    mask = (1 << 64) - 1
    _require([m & mask for m in views.header["middle"]] == middle, "the bitmap's middle words are wrong")
    _require(views.header["top"] & mask == top, "the bitmap's top word is wrong")


def _check_slots(views: _Views, seen: set[int]) -> None:
    header = views.header
    _require(header["live"] == len(seen), f"{header['live']} live orders, {len(seen)} in lists")
    _require(int(np.count_nonzero(views.ids)) == len(seen), "ids lead to slots that are free")
    free: set[int] = set()
    slot = header["free"]
    while slot != 0:
        _require(slot not in free and slot not in seen, f"free slot {slot} is in use")
        free.add(slot)
        slot = int(views.orders[slot]["next"])
    _require(len(free) + len(seen) == header["fresh"] - 1, "a slot is neither free nor in use")


def validate_book(blob: npt.NDArray[np.uint8]) -> tuple[list[Any], list[Any]]:
    """Check every link, sum, bit and best price of a book; return its bids and asks, best first.

    Each is a list of (id, price in ticks, lots) in priority; raises InvariantViolation with what is wrong.
    """
    views = _Views(blob)
    header, low, window = views.header, views.low, views.window
    _check_bitmap(views)
    best_bid, best_ask = header["best"]
    bid_levels = [level for level in views.occupied if level <= best_bid]
    ask_levels = [level for level in views.occupied if level >= best_ask]
    _require(best_bid < best_ask, "the book is crossed")
    _require(len(bid_levels) + len(ask_levels) == len(views.occupied), "a level lies between the best ones")
    _require(best_bid == max(bid_levels, default=-1), "best bid is not a level")
    _require(best_ask == min(ask_levels, default=window), "best ask is not a level")
    seen: set[int] = set()
    sides: tuple[list[Any], list[Any]] = ([], [])
    for index, levels in enumerate((bid_levels[::-1], ask_levels)):
        for level in levels:
            record = views.levels[level]
            rows = views.walk(int(record["head"]), int(record["tail"]), seen, f"level {level}")
            _require(all(price == low + level for _, price, _ in rows), f"level {level} holds another price")
            _require(sum(q for _, _, q in rows) == int(record["qty_lots"]), f"level {level} has a wrong sum")
            sides[index].extend(rows)
        far = views.walk(header["far_head"][index], header["far_tail"][index], seen, "a far list")
        best = header["far_best"][index]
        inside = [p for _, p, _ in far if (p >= low if index == 0 else p < low + window)]
        _require(not inside, f"far orders at {inside} are not beyond the window")
        toward = 2 * index - 1  # a price times this is smaller for the better one
        _require(all((p - best) * toward >= 0 for _, p, _ in far), "a far order is better than far_best")
        sides[index].extend(sorted(far, key=lambda row: row[1] * toward))
    empty = views.levels["head"] == 0
    _require(not views.levels["qty_lots"][empty].any(), "an empty level has a quantity")
    _require(not views.levels["tail"][empty].any(), "an empty level has a tail")
    _check_slots(views, seen)
    return sides
