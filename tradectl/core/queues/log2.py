"""`log2`: as `log`, against the whole queue."""

from __future__ import annotations

from tradectl.core.functions import log, ratio
from tradectl.core.jit import kernel

__all__ = ["probability"]


@kernel
def probability(front, back, power):
    """Return the probability that a cancellation was behind us.

    p = f(back) / f(back + front), f(x) = ln(1 + x), x in units of the base.
    """
    return ratio(log(1.0 + back), log(1.0 + back + front))
