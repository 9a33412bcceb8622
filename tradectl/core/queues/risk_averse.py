"""`risk_averse`: only trades advance; whoever cancels stood behind us."""

from __future__ import annotations

from tradectl.core.jit import kernel

__all__ = ["probability"]


@kernel
def probability(front, back, power):
    """Return the probability that a cancellation was behind us: 1."""
    return 1.0
