"""`power2(n)`: as `power`, against the whole queue."""

from __future__ import annotations

from tradectl.core.functions import power as power_of, ratio
from tradectl.core.jit import kernel

__all__ = ["probability"]


@kernel
def probability(front, back, power):
    """Return the probability that a cancellation was behind us: p = f(back) / f(back + front), f(x) = x^n."""
    return ratio(power_of(back, power), power_of(back + front, power))
