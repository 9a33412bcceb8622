"""What a process that runs for weeks asks of the C library: memory that is free goes back to the system."""

from __future__ import annotations

import ctypes

__all__ = ["give_back"]

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8  # parameters of glibc's mallopt
LARGE = 256 * 1024  # bytes
ARENAS = 2


def give_back() -> None:
    """Let blocks of LARGE and more be mapped one by one, so that they leave no holes; without glibc do nothing.

    By itself glibc raises that bound with each such block that is freed: snapshots and bursts of messages would then
    come from the heap, small objects would settle between them, and the process would grow for hours.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError, TypeError):
        return
    for parameter, value in ((M_MMAP_THRESHOLD, LARGE), (M_TRIM_THRESHOLD, LARGE), (M_ARENA_MAX, ARENAS)):
        mallopt(parameter, value)
