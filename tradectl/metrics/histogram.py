"""A histogram of durations that costs one addition each and knows its quantiles to 3 %."""

from __future__ import annotations

from typing import Any

__all__ = ["Durations"]

SUB = 5  # bits: 32 steps for each doubling, so at most 1/32 wide
QUANTILES = (0.5, 0.9, 0.99, 0.999)


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
