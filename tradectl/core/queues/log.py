"""`log`: as `power` with a logarithm, which grows ever slower with the queue."""

from __future__ import annotations

from tradectl.core.functions import log, ratio
from tradectl.core.jit import kernel

__all__ = ["probability"]


@kernel
def probability(front, back, power):
    """Return the probability that a cancellation was behind us.

    p = f(back) / (f(back) + f(front)), f(x) = ln(1 + x), x in units of the base.
    """
    over = log(1.0 + back)
    return ratio(over, over + log(1.0 + front))
