"""What holds of every ladder after every operation, checked in plain Python: for tests and `verify`."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from tradectl.core.ladder_far import home_of
from tradectl.core.ladder_layout import (
    FAR,
    FAR_LEVELS,
    FAR_OFFSET,
    FAR_SLOTS,
    LADDER,
    LADDER_NOTE,
    LADDER_SIDE,
    MARK,
    MAX_WINDOW,
    NO_ASK,
    NO_BID,
    NO_NOTE,
    QTY_OFFSET,
    WORDS_OFFSET,
)
from tradectl.errors import InvariantViolation

__all__ = ["validate_ladder"]

_MASK = (1 << 64) - 1


def _require(holds: bool, what: str) -> None:
    if not holds:
        raise InvariantViolation(f"ladder: {what}")


class _Side:
    """One side's bytes as numpy arrays, and its levels."""

    def __init__(self, blob: npt.NDArray[np.uint8], header: Any, index: int) -> None:
        self.name = ("bids", "asks")[index]
        base, self.window, self.low = int(header["sides"][index]), int(header["window"]), int(header["low"])
        self.head = blob[base : base + LADDER_SIDE.itemsize].view(LADDER_SIDE)[0]
        self.words = blob[base + WORDS_OFFSET :][: MAX_WINDOW // 8].view("<i8")
        self.far = blob[base + FAR_OFFSET :][: FAR_SLOTS * FAR.itemsize].view(FAR)
        raw = blob[base + QTY_OFFSET :][: self.window * 8].view("<i8")
        self.heads = blob[base + QTY_OFFSET + self.window * 8 :][: self.window * 4].view("<i4")
        self.marked = (raw & MARK) != 0
        self.qty = raw & ~np.int64(MARK)

    def price_of(self, place: int) -> int:
        """Return the price of the window whose level lies at `place`."""
        return self.low + ((place - self.low) & (self.window - 1))

    def check_bitmap(self) -> None:
        """Compare the three levels of bits with the quantities."""
        _require(bool((self.qty >= 0).all()), f"a quantity of the {self.name} is negative")
        bits = np.unpackbits(self.words.view(np.uint8), bitorder="little")
        _require(
            np.flatnonzero(bits).tolist() == np.flatnonzero(self.qty).tolist(),
            f"the bitmap of the {self.name} differs from their quantities",
        )
        middle = [0] * 32
        for word in np.flatnonzero(self.words).tolist():
            middle[word >> 6] |= 1 << (word & 63)
        found = [int(m) & _MASK for m in self.head["middle"]]
        _require(found == middle, f"the middle words of the {self.name} are wrong")
        top = sum(1 << group for group, word in enumerate(middle) if word)
        _require(int(self.head["top"]) == top, f"the top word of the {self.name} is wrong")

    def check_far(self) -> dict[int, int]:
        """Check the table of far levels; return {price: lots}."""
        slots = np.flatnonzero(self.far["qty"]).tolist()
        levels = {int(self.far["price"][slot]): int(self.far["qty"][slot]) for slot in slots}
        _require(len(levels) == len(slots), f"a far price of the {self.name} stands twice")
        _require(
            len(slots) == int(self.head["far_count"]) <= FAR_LEVELS, f"far_count of the {self.name} is wrong"
        )
        _require(
            not self.far["price"][self.far["qty"] == 0].any(),
            f"an empty far place of the {self.name} is dirty",
        )
        for slot in slots:
            price = int(self.far["price"][slot])
            _require(not 0 <= price - self.low < self.window, f"far price {price} is in the window")
            passed = home_of(price)
            while passed != slot:
                _require(int(self.far["qty"][passed]) != 0, f"far price {price} cannot be found")
                passed = (passed + 1) % FAR_SLOTS
        return levels


def _chain(notes: npt.NDArray[Any], first: int, seen: set[int]) -> list[int]:
    """Follow the notes of one price; return them."""
    chain, before, note = [], NO_NOTE, first
    while note != NO_NOTE:
        _require(note not in seen, f"note {note} stands twice")
        seen.add(note)
        _require(int(notes[note]["prev"]) == before, f"note {note} has a wrong prev")
        chain.append(note)
        before, note = note, int(notes[note]["next"])
    _require(int(notes[first]["tail"]) == chain[-1], f"note {first} has a wrong tail")
    same = {(int(notes[n]["index"]), int(notes[n]["price"])) for n in chain}
    _require(len(same) == 1, f"the notes after {first} are of several prices")
    return chain


def _check_notes(
    header: Any, notes: npt.NDArray[Any], sides: tuple[_Side, _Side]
) -> dict[tuple[int, int], list[int]]:
    """Check every chain and the free notes; return {(index, price): notes in time order}."""
    seen: set[int] = set()
    chains: dict[tuple[int, int], list[int]] = {}
    for index, side in enumerate(sides):
        for place in np.flatnonzero(side.marked).tolist():
            first = int(side.heads[place])
            price = int(notes[first]["price"])
            _require(side.price_of(place) == price, f"place {place} of the {side.name} has a note of {price}")
            chains[index, price] = _chain(notes, first, seen)
        first = int(header["far_notes"][index])
        while first != NO_NOTE:
            price = int(notes[first]["price"])
            _require(not 0 <= price - side.low < side.window, f"far note {first} is in the window")
            _require((index, price) not in chains, f"the notes of far price {price} stand apart")
            chains[index, price] = _chain(notes, first, seen)
            first = int(notes[first]["far"])
    for (index, _), chain in chains.items():
        _require(all(int(notes[n]["index"]) == index for n in chain), "a note is on the wrong side")
    _require(len(seen) == int(header["note_count"]), "note_count is wrong")
    free = int(header["free_note"])
    while free != NO_NOTE:
        _require(free not in seen and int(notes[free]["index"]) == NO_NOTE, f"free note {free} is in use")
        seen.add(free)
        free = int(notes[free]["next"])
    _require(len(seen) == int(header["fresh_note"]), "a note is neither free nor in use")
    return chains


def validate_ladder(
    blob: npt.NDArray[np.uint8],
) -> tuple[list[tuple[int, int]], list[tuple[int, int]], dict[tuple[int, int], list[int]]]:
    """Check every bit, count, far place, best price and note of a ladder; return what it holds.

    That is bids and asks as (price in ticks, lots), best first, and {(index, price): notes in time order};
    raises InvariantViolation with what is wrong.
    """
    header = blob[: LADDER.itemsize].view(LADDER)[0]
    sides = (_Side(blob, header, 0), _Side(blob, header, 1))
    start, capacity = int(header["notes"]), int(header["note_capacity"])
    notes = blob[start : start + capacity * LADDER_NOTE.itemsize].view(LADDER_NOTE)
    found: list[list[tuple[int, int]]] = []
    _require(int(header["low"]) % 64 == 0, "the window does not begin at a multiple of 64")
    for index, (side, none) in enumerate(zip(sides, (NO_BID, NO_ASK), strict=True)):
        side.check_bitmap()
        levels = side.check_far()
        toward = 1 - 2 * index
        bound = int(side.head["far_best"])
        _require(all((p - bound) * toward <= 0 for p in levels), f"a far level of the {side.name} is better")
        for place in np.flatnonzero(side.qty).tolist():
            levels[side.price_of(place)] = int(side.qty[place])
        rows = sorted(levels.items(), key=lambda row: -row[0] * toward)
        _require(len(rows) == int(header["levels"][index]), f"the count of the {side.name} is wrong")
        best = rows[0][0] if rows else none
        _require(int(header["best"][index]) == best, f"the best of the {side.name} is not {best}")
        found.append(rows)
    return found[0], found[1], _check_notes(header, notes, sides)
