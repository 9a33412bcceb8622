"""Channels: the highest high and lowest low of the last bars, exact on integers."""

from __future__ import annotations

from tradectl.core.jit import kernel
from tradectl.strategy.indicators.base import Indicator, indicator
from tradectl.strategy.memory import Array, Int64, Record

__all__ = ["Donchian", "donchian"]


class Donchian(Indicator):
    """Highest high and lowest low of `length` bars, in ticks.

    `upper` and `lower` include the bar taken in last; `prior_upper` and `prior_lower` are those of the
    `length` bars before it, which a breakout is measured against (valid once ready).
    """

    extra = 1

    def __init__(self, length: int | str) -> None:
        def queue() -> Record:
            return Record(front=Int64, size=Int64, value=Array(Int64, length), at=Array(Int64, length))

        super().__init__(
            length,
            upper=Int64,
            lower=Int64,
            prior_upper=Int64,
            prior_lower=Int64,
            highs=queue(),
            lows=queue(),
        )


@kernel
def _push(queue, value, at, n):
    """Take value number `at` into a queue that keeps its values falling; return the highest of the last n.

    A value that a newer one reaches can never be the highest again and is dropped: O(1) a value on average.
    """
    if queue.size > 0 and queue.at[queue.front] <= at - n:
        queue.front = 0 if queue.front + 1 == n else queue.front + 1
        queue.size -= 1
    back = queue.front + queue.size - 1
    while queue.size > 0:  # at most n steps
        slot = back if back < n else back - n
        if queue.value[slot] > value:
            break
        queue.size -= 1
        back -= 1
    back += 1
    slot = back if back < n else back - n
    queue.value[slot] = value
    queue.at[slot] = at
    queue.size += 1
    return queue.value[queue.front]


@indicator(Donchian, integers="high and low in ticks")
def donchian(rec, high_ticks, low_ticks):
    """Take in a bar; return whether the channel of the `length` bars before it is complete.

    Source: R. Donchian's four-week rule (1960); the queue is the usual sliding-window maximum.
    """
    rec.prior_upper = rec.upper
    rec.prior_lower = rec.lower
    rec.count += 1
    rec.upper = _push(rec.highs, high_ticks, rec.count, rec.length)
    rec.lower = -_push(rec.lows, -low_ticks, rec.count, rec.length)
    return rec.count > rec.length
