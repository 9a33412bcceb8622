"""`power3(n)`: the share of the queue ahead of us, to a power."""

from __future__ import annotations

from tradectl.core.functions import power as power_of, ratio
from tradectl.core.jit import kernel

__all__ = ["probability"]


@kernel
def probability(front, back, power):
    """Return the probability that a cancellation was behind us: p = 1 - (front / (front + back))^n."""
    return 1.0 - power_of(ratio(front, front + back), power)
