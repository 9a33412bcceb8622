"""Output rows on their way to Parquet: raw records appended to files, so that memory stays flat."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from tradectl.core.layout import EQUITY, FILL, FUNDED, MARKOUT, ORDER, PLOT
from tradectl.errors import StoreError

__all__ = ["KINDS", "Spool"]

KINDS: dict[str, np.dtype[Any]] = {
    "orders": ORDER, "fills": FILL, "equity": EQUITY, "markouts": MARKOUT, "funding": FUNDED, "plots": PLOT,
}  # fmt: skip
Rows = npt.NDArray[Any]


class Spool:
    """A sink that keeps rows of each kind in `<folder>/<kind>.bin`.

    With `counts` it goes on behind so many rows of each kind that an earlier process left there; rows behind them go.
    """

    def __init__(self, folder: Path, counts: Mapping[str, int] | None = None) -> None:
        self.folder = folder
        self.counts = dict.fromkeys(KINDS, 0) | dict(counts or {})
        self._files: dict[str, IO[bytes]] = {}
        for kind, count in self.counts.items():
            if count:
                self._reopen(kind, count * KINDS[kind].itemsize)

    def _reopen(self, kind: str, size: int) -> None:
        path = self.folder / f"{kind}.bin"
        there = path.stat().st_size if path.is_file() else 0
        if there < size:
            raise StoreError(f"{path}: {there:,} bytes, expected at least {size:,}")
        os.truncate(path, size)
        self._files[kind] = path.open("ab", buffering=1 << 20)

    def rows(self, kind: str, rows: Rows) -> None:
        """Append rows."""
        if kind not in self._files:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._files[kind] = (self.folder / f"{kind}.bin").open("wb", buffering=1 << 20)
        self._files[kind].write(np.ascontiguousarray(rows).view(np.uint8).data)
        self.counts[kind] += len(rows)

    def flush(self) -> None:
        """Make all rows readable."""
        for stream in self._files.values():
            stream.flush()

    def force(self) -> None:
        """Force what was flushed to the disk; may be called from another thread."""
        for stream in list(self._files.values()):
            os.fsync(stream.fileno())

    def read(self, kind: str, max_rows: int) -> Iterator[Rows]:
        """Yield the rows of a kind in order, at most `max_rows` at a time."""
        self.flush()
        dtype = KINDS[kind]
        if not self.counts[kind]:
            return
        with (self.folder / f"{kind}.bin").open("rb") as stream:
            while block := stream.read(max_rows * dtype.itemsize):
                yield np.frombuffer(block, dtype)

    def close(self) -> None:
        """Close and remove the files."""
        for kind, stream in self._files.items():
            stream.close()
            (self.folder / f"{kind}.bin").unlink()
        if self._files:
            self.folder.rmdir()
        self._files = {}
