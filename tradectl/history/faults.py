"""Counting faults, and stopping at the first one whose action is `fail`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tradectl.errors import DataError
from tradectl.history.model import ACTIONS, FIRST, LAST, Example, FaultCount
from tradectl.history.rows import FILE_SHIFT

__all__ = ["FaultLog", "failing"]

Ints = npt.NDArray[np.int64]
EXAMPLES = 5  # kept per kind and instrument
TEXT = {
    "unparsable": "a field cannot be read",
    "empty": "a field is empty",
    "nan": "a value is NaN or infinite",
    "nonpositive": "a price is not positive",
    "negative_volume": "the volume is negative",
    "ohlc": "high or low is inside the bar's body",
    "overflow": "the value has more than 2**53 ticks or lots",
    "disorder": "the stamp is earlier than the row before it",
    "duplicate": "the row repeats the one before it",
    "conflict": "two rows have the same stamp and different values",
    "off_tick": "a price is not a whole number of ticks",
    "off_lot": "the volume is not a whole number of lots",
    "truncated": "the file ends early",
    "jump": "the close is more than 50 % away from the one before it",
    "gap": "something is missing",
    "clock": "the row was received before it happened",
}
WORTH = {"fail": "", "drop": "leave such rows out", "clip": "repair the value", "sort": "sort the file",
         "round": "round to the nearest", "report": "only count"}  # fmt: skip


class FaultLog:
    """Counts per kind and instrument; in strict mode the first failing fault raises DataError.

    `files` are what origins count into: each has a `place`, and `line(row)`, the line of a row (0: none). Faults
    of rows outside `span` (low <= stamp < high) concern no run: whoever finds them leaves them out with `inside`.
    """

    def __init__(
        self, actions: dict[str, str], files: Sequence[Any], strict: bool, span: tuple[int, int] = (FIRST, LAST)
    ) -> None:
        self.actions = actions
        self.span = span
        self.files = files
        self.strict = strict
        self.counts: dict[tuple[str, str], FaultCount] = {}

    def add(
        self,
        kind: str,
        instrument: str,
        count: int,
        examples: Sequence[tuple[int, str]] | Callable[[], Sequence[tuple[int, str]]],
    ) -> None:
        """Record `count` faults with (origin, value) examples, given or made when needed."""
        if not count:
            return
        action = self.actions[kind]
        entry = self.counts.setdefault((kind, instrument), FaultCount(kind, instrument, action))
        entry.count += count
        if len(entry.examples) < EXAMPLES:
            given = examples() if callable(examples) else examples
            entry.examples += [self._example(*e) for e in given[: EXAMPLES - len(entry.examples)]]
        if self.strict and action == "fail":
            raise failing(entry)

    def inside(self, at: Ints, stamps: Ints) -> Ints:
        """Return those row numbers `at` whose stamps lie in the span; of all rows `stamps` are given."""
        low, high = self.span
        return at[(stamps[at] >= low) & (stamps[at] < high)]

    def merge(self, other: FaultLog) -> None:
        """Add another log's counts."""
        for key, found in other.counts.items():
            entry = self.counts.setdefault(key, FaultCount(*key, found.action))
            entry.count += found.count
            entry.examples = (entry.examples + found.examples)[:EXAMPLES]

    def _example(self, origin: int, value: str) -> Example:
        file = self.files[origin >> FILE_SHIFT]
        row = origin & ((1 << FILE_SHIFT) - 1)
        line = file.line(row) if row else 0
        return Example(str(file.place), 0 if row == line else row, line, value)


def failing(entry: FaultCount) -> DataError:
    """Return the error for a failing fault: file, row, line, value, and the `on_error` key to set."""
    first = entry.examples[0]
    where = f"row {first.row} (line {first.line})" if first.row and first.line else ""
    where = where or (f"line {first.line}" if first.line else f"row {first.row}" if first.row else "")
    ways = [a for a in ACTIONS[entry.kind] if a != "fail"]
    hint = "; ".join(f"on_error: {{{entry.kind}: {way}}} to {WORTH[way]}" for way in ways)
    place = f"{first.file}, {where}" if where else first.file
    message = f"{place}: {TEXT[entry.kind]}: {first.value} [{entry.instrument}]"
    return DataError(message, hint=f"set {hint}" if ways else "give a coarser tick_size or lot_size")
