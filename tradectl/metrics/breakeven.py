"""Where a result turns from profit to loss: along a parameter by bisection, in fees by their linearity.

Profit means above zero; a run that trades nothing gains nothing. Undefined figures are NaN.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

__all__ = ["crossings", "fee_factor", "flat_rate", "narrow"]


def crossings(profits: Sequence[float]) -> list[int]:
    """Return each k where just one of the neighbours k and k + 1 is a profit."""
    return [k for k, (a, b) in enumerate(pairwise(profits)) if (a > 0) != (b > 0)]


def narrow(
    low: int, high: int, gains_at_low: bool, profit: Callable[[int], float | None]
) -> tuple[int, int]:
    """Return two neighbours within [low, high] of which just one is a profit, found by bisection.

    `gains_at_low`: `low` is the one with the profit. Where there are several crossings one of them is found. A
    result that is not known (None) ends the search, so that they are further apart.
    """
    while high - low > 1:
        middle = (low + high) // 2
        found = profit(middle)
        if found is None:
            break
        if (found > 0) == gains_at_low:
            low = middle
        else:
            high = middle
    return low, high


def flat_rate(pnl: float, fees: float, notional: float) -> float:
    """Return the one fee rate on all fills, a fraction of notional, that leaves nothing: (P&L + fees) ÷ notional.

    It is exact where the fills do not hang on fees. Below zero it is the rebate that the run would need.
    """
    return (pnl + fees) / notional if notional > 0.0 else math.nan


def fee_factor(pnl: float, fees: float) -> float:
    """Return the multiple of the fees paid that leaves nothing: (P&L + fees) ÷ fees; only for fees above zero."""
    return (pnl + fees) / fees if fees > 0.0 else math.nan
