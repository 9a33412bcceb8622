"""`power(n)`: the larger the part of the queue behind us, the likelier it shrank there."""

from __future__ import annotations

from tradectl.core.functions import power as power_of, ratio
from tradectl.core.jit import kernel

__all__ = ["probability"]


@kernel
def probability(front, back, power):
    """Return the probability that a cancellation was behind us: p = f(back) / (f(back) + f(front)), f(x) = x^n."""
    over = power_of(back, power)
    return ratio(over, over + power_of(front, power))
