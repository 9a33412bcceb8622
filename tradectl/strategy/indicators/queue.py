"""The highest of the last n values with where it stands, exact on integers and floats alike."""

from __future__ import annotations

from tradectl.core.jit import kernel
from tradectl.strategy.indicators.base import Part
from tradectl.strategy.memory import Array, Int64, Length, StateField

__all__ = ["Queue", "push"]


class Queue(Part):
    """The values of the last n that none after them reaches, falling, and their numbers `at`."""

    def __init__(self, length: Length, of: type[StateField]) -> None:
        super().__init__(front=Int64, size=Int64, value=Array(of, length), at=Array(Int64, length))


@kernel
def push(queue, value, at, n):
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
