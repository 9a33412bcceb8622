"""What holds of every order-by-order book of a run after every event, in plain Python: for tests and `verify`."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from tradectl.core.book_layout import BOOK, BOOK_LEVEL, BOOK_ORDER, WORDS_OFFSET, WORDS_SIZE
from tradectl.core.l3_layout import L3, L3_ID, L3_RECORD
from tradectl.errors import InvariantViolation

__all__ = ["L3Row", "validate_l3"]


class L3Row(NamedTuple):
    """An order in a queue: `lots` are left of it here; own ones have the place in the order table and no lots here."""

    order_id: int
    price_ticks: int
    lots: int
    shown_lots: int
    own: int  # -1: recorded


def _require(holds: bool, what: str) -> None:
    if not holds:
        raise InvariantViolation(f"order-by-order book: {what}")


class _Views:
    """A book's bytes as numpy arrays."""

    def __init__(self, blob: npt.NDArray[np.uint8]) -> None:
        self.blob = blob
        self.header = blob[: L3.itemsize].view(L3)[0]
        slots, own = int(self.header["slots"]), int(self.header["own_capacity"])
        self.orders = self.part("orders", BOOK_ORDER, slots + own + 1)
        self.records = self.part("records", L3_RECORD, slots + 1)
        self.ids = self.part("ids", L3_ID, int(self.header["id_mask"]) + 1)
        self.slots = slots
        self.seen: set[int] = set()

    def part(self, name: str, dtype: np.dtype[Any], n: int) -> npt.NDArray[Any]:
        at = int(self.header[name])
        return self.blob[at : at + n * dtype.itemsize].view(dtype)

    def walk(self, head: int, tail: int, index: int) -> list[L3Row]:
        """Follow a queue or a far list; return its orders."""
        rows, before, slot = [], 0, head
        while slot != 0:
            _require(slot not in self.seen, f"slot {slot} stands twice")
            self.seen.add(slot)
            order = self.orders[slot]
            _require(int(order["prev"]) == before, f"slot {slot} has a wrong prev")
            own, shown = slot - self.slots - 1, 0
            displayed = lots = int(order["qty_lots"])
            if own < 0:
                record = self.records[slot]
                lots, shown = int(record["left_lots"]), int(record["shown_lots"])
                _require(int(record["index"]) == index, f"slot {slot} rests on the wrong side")
                _require(lots + shown > 0 and min(lots, shown) >= 0, f"slot {slot} rests without lots")
                _require(displayed == min(lots, shown), f"slot {slot} displays {displayed} of {lots} and {shown}")
            else:
                _require(lots == 0, f"own order {own} has lots of its own")
            rows.append(L3Row(int(order["id"]), int(order["price_ticks"]), lots, shown, max(own, -1)))
            before, slot = slot, int(order["next"])
        _require(tail == before, "a list has a wrong tail")
        return rows


def _side(views: _Views, index: int) -> list[L3Row]:
    """Check one side; return its orders by price, then time."""
    at = int(views.header["books"][index])
    book = views.blob[at : at + BOOK.itemsize].view(BOOK)[0]
    window, low = int(book["window"]), int(book["low"])
    first = at + int(book["levels"])
    levels = views.blob[first : first + window * BOOK_LEVEL.itemsize].view(BOOK_LEVEL)
    words = views.blob[at + WORDS_OFFSET : at + WORDS_OFFSET + WORDS_SIZE]
    occupied = np.flatnonzero(np.unpackbits(words, bitorder="little")).tolist()
    _require(occupied == np.flatnonzero(levels["head"]).tolist(), "the bitmap differs from the levels")
    best = int(book["best"][index])
    none = (-1, window)[index]
    _require(best == (min(occupied, default=none) if index else max(occupied, default=none)), "the best is wrong")
    rows: list[L3Row] = []
    for level in occupied if index else reversed(occupied):
        record = levels[level]
        queue = views.walk(int(record["head"]), int(record["tail"]), index)
        _require(all(row.price_ticks == low + level for row in queue), f"level {level} holds another price")
        displayed = sum(min(row.lots, row.shown_lots) for row in queue)
        _require(displayed == int(record["qty_lots"]), f"level {level} has a wrong sum")
        rows += queue
    far = views.walk(int(book["far_head"][index]), int(book["far_tail"][index]), index)
    _require(not far or bool(occupied), "there are far orders alone")
    beyond = all(row.price_ticks >= low + window if index else row.price_ticks < low for row in far)
    _require(beyond, "a far order is not beyond the window")
    other = 1 - index
    _require(int(book["far_head"][other]) == 0 and int(book["best"][other]) == (-1, window)[other], "two sides in one")
    return rows + sorted(far, key=lambda row: row.price_ticks * (2 * index - 1))


def validate_l3(blob: npt.NDArray[np.uint8]) -> tuple[list[L3Row], list[L3Row]]:
    """Check every link, sum, id and count of a book; return its bids and asks by price, then time.

    Raises InvariantViolation with what is wrong.
    """
    views = _Views(blob)
    header = views.header
    sides = (_side(views, 0), _side(views, 1))
    free, slot = set(), int(header["free"])
    while slot != 0:
        _require(slot not in free and slot not in views.seen, f"free slot {slot} is in use")
        free.add(slot)
        slot = int(views.orders[slot]["next"])
    known = {s for s in range(1, int(header["fresh"])) if s not in free}
    _require(int(header["live"]) == len(known), "the count of known orders is wrong")
    found = {int(e["slot"]): int(e["id"]) for e in views.ids if e["slot"] != 0}
    _require(found == {s: int(views.orders[s]["id"]) for s in known}, "the ids do not lead to the known orders")
    _require(known <= views.seen, "an order is known and in no queue")
    for index, rows in enumerate(sides):
        surplus = sum(row.own < 0 and row.lots > row.shown_lots for row in rows)
        deficit = sum(row.own < 0 and row.lots < row.shown_lots for row in rows)
        _require(int(header["n_surplus"][index]) == surplus, "the count of surplus orders is wrong")
        _require(int(header["n_deficit"][index]) == deficit, "the count of orders with a deficit is wrong")
        _require(int(header["n_own"][index]) == sum(row.own >= 0 for row in rows), "the count of own orders is wrong")
    return sides
