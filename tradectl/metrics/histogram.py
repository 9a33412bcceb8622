"""A histogram of durations that costs one addition each and knows its quantiles to 3 %."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["Durations"]

SUB = 5  # bits: 32 steps for each doubling, so at most 1/32 wide
QUANTILES = (0.5, 0.9, 0.99, 0.999)
EXACT = (1 << 53) - 1  # ns, 104 days: below it a float64 has the number of bits


class Durations:
    """Counts of durations in ns; below zero counts as zero."""

    def __init__(self) -> None:
        self.counts = [0] * (64 << SUB)
        self.n = 0
        self.largest = 0

    def add(self, ns: int) -> None:
        """Count one duration."""
        ns = max(ns, 0)
        shift = max(ns.bit_length() - SUB - 1, 0)
        self.counts[(shift << SUB) + (ns >> shift)] += 1
        self.n += 1
        self.largest = max(self.largest, ns)

    def add_many(self, ns: npt.NDArray[np.int64]) -> None:
        """Count durations; those of more than 104 days as that long, but the largest as it is."""
        if not len(ns):
            return
        self.n += len(ns)
        self.largest = max(self.largest, int(ns.max()))
        bounded = np.clip(ns, 0, EXACT)
        shift = np.maximum(np.frexp(bounded)[1].astype(np.int64) - (SUB + 1), 0)
        counts = np.bincount((shift << SUB) + (bounded >> shift))
        for place in np.flatnonzero(counts).tolist():
            self.counts[place] += int(counts[place])

    def kept(self) -> dict[str, Any]:
        """Return everything as plain values, from which `take_up` goes on."""
        return {"largest": self.largest, "counts": {k: count for k, count in enumerate(self.counts) if count}}

    def take_up(self, kept: Mapping[str, Any]) -> None:
        """Add what was kept, also where it went through JSON."""
        for place, count in kept["counts"].items():
            self.counts[int(place)] += int(count)
            self.n += int(count)
        self.largest = max(self.largest, int(kept["largest"]))

    def quantile(self, share: float) -> float:
        """Return the duration, ns, that a share of all does not exceed; NaN without any."""
        left = share * self.n
        for index, count in enumerate(self.counts if self.n else ()):
            left -= count
            if count and left <= 0:
                return min(self._upper(index), self.largest)
        return float("nan")

    def _upper(self, index: int) -> int:
        """Return the largest duration of a bucket: below 2**(SUB+1) each has its own, then 2**SUB a doubling."""
        if index < 2 << SUB:
            return index
        shift = (index >> SUB) - 1
        return ((index - (shift << SUB) + 1) << shift) - 1

    def to_dict(self) -> dict[str, Any]:
        """Return count, quantiles and maximum in µs."""
        names = {f"p{share * 100:g}".replace(".", "_") + "_us": self.quantile(share) / 1e3 for share in QUANTILES}
        return {"count": self.n, **names, "max_us": self.largest / 1e3}
