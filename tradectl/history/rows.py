"""Bars as columns: what readers yield, checks clean and events are made of."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import IO, Any

import numpy as np
import numpy.typing as npt

__all__ = ["FILE_SHIFT", "Rows", "Tape", "concat_rows"]

FILE_SHIFT = 40  # origin = file index << 40 | data row (from 1)

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(slots=True)
class Rows:
    """Bars in file units; `ts` end stamps ns UTC, prices and volume float64 (NaN volume: unknown)."""

    ts: Ints
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats
    origin: Ints

    def __len__(self) -> int:
        return len(self.ts)

    def __getitem__(self, key: Any) -> Rows:
        return Rows(*(column[key] for column in self.columns()))

    def columns(self) -> tuple[npt.NDArray[Any], ...]:
        """Return the seven columns in order."""
        return (self.ts, self.open, self.high, self.low, self.close, self.volume, self.origin)


def concat_rows(parts: Sequence[Rows]) -> Rows:
    """Join batches."""
    if len(parts) == 1:
        return parts[0]
    return Rows(*(np.concatenate(columns) for columns in zip(*(p.columns() for p in parts), strict=True)))


@dataclass
class Budget:
    """How many rows tapes may still hold in memory (56 bytes each); beyond it they go to disk."""

    rows: int = 1_500_000


@dataclass
class Tape:
    """Batches in the order they came: in memory within the budget, else in an unnamed temporary file."""

    budget: Budget
    kept: list[Rows] = field(default_factory=list)
    spilled: list[int] = field(default_factory=list)  # lengths of the batches on disk, which follow `kept`
    disk: IO[bytes] | None = None

    def append(self, rows: Rows) -> None:
        """Add one batch."""
        if self.disk is None and self.budget.rows >= len(rows):
            self.budget.rows -= len(rows)
            self.kept.append(rows)
            return
        if self.disk is None:
            self.disk = tempfile.TemporaryFile(prefix="tradectl-")  # noqa: SIM115
        self.disk.seek(0, 2)
        for column in rows.columns():
            self.disk.write(np.ascontiguousarray(column).data)
        self.spilled.append(len(rows))

    def __iter__(self) -> Iterator[Rows]:
        yield from self.kept
        at = 0
        for n in self.spilled:
            assert self.disk is not None
            self.disk.seek(at)
            block = self.disk.read(n * 56)
            at += n * 56
            ints = np.frombuffer(block, np.int64).reshape(7, n)
            floats = np.frombuffer(block, np.float64).reshape(7, n)
            yield Rows(ints[0], floats[1], floats[2], floats[3], floats[4], floats[5], ints[6])
