"""A spool: canonical rows kept between the survey of a file and its use, in memory or in a temporary file."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from tradectl.history.book_rows import BOOK_ROWS
from tradectl.history.rows import Budget

__all__ = ["TYPES", "Columns", "Spool"]

Columns = dict[str, npt.NDArray[Any]]
SIZES = {"Int64": "i8", "UInt8": "u1", "Int8": "i1", "UInt16": "u2", "Float64": "f8"}
# Column -> numpy type: those of BOOK_ROWS, and `origin` (file << 40 | row).
TYPES: dict[str, np.dtype[Any]] = {
    name: np.dtype(SIZES[str(kind)]) for name, kind in BOOK_ROWS.items()
} | {"origin": np.dtype("i8")}  # fmt: skip


@dataclass
class Spool:
    """Batches of columns in the order they came; beyond the budget they go to an unnamed temporary file."""

    budget: Budget
    kept: list[Columns] = field(default_factory=list)
    spilled: list[int] = field(default_factory=list)  # rows of the batches on disk, which follow `kept`
    disk: IO[bytes] | None = None

    def append(self, columns: Columns) -> None:
        """Add one batch."""
        n = len(columns["ts_recv"])
        if self.disk is None and self.budget.rows >= n:
            self.budget.rows -= n
            self.kept.append(columns)
            return
        if self.disk is None:
            self.disk = tempfile.TemporaryFile(prefix="tradectl-")  # noqa: SIM115
        self.disk.seek(0, 2)
        for name, kind in TYPES.items():
            self.disk.write(np.ascontiguousarray(columns[name], kind).data)
        self.spilled.append(n)

    def __iter__(self) -> Iterator[Columns]:
        yield from self.kept
        at = 0
        for n in self.spilled:
            assert self.disk is not None
            self.disk.seek(at)
            made: Columns = {}
            for name, kind in TYPES.items():
                made[name] = np.frombuffer(self.disk.read(n * kind.itemsize), kind)
                at += n * kind.itemsize
            yield made
