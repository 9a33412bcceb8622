"""The event: 64 bytes, one cache line, everything that can influence a run."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["EVENT", "empty_events"]

# BAR: w0..w4 = open, high, low, close (ticks), volume (lots; -1 = unknown); ts_event = exclusive end;
#      aux = index of its timeframe among the run's source timeframes.
# FUNDING: w0 = rate (1e-12; above 0 longs pay), w1 = mark price in ticks (0: the last mark, else the last price).
# MARK: w0 = mark price in ticks.  GAP: aux = GapScope.
# STATUS: w0 = MarketStatus, w1 = price in ticks (0: the last one).  COMMAND: w0 = Command.
EVENT = np.dtype(
    [
        ("ts_event", "<i8"),  # exchange time, ns UTC
        ("ts_recv", "<i8"),  # local receive time, ns UTC; = ts_event where unknown
        ("kind", "u1"),
        ("side", "i1"),
        ("flags", "<u2"),
        ("instrument", "<u2"),
        ("aux", "<u2"),
        ("w0", "<i8"),
        ("w1", "<i8"),
        ("w2", "<i8"),
        ("w3", "<i8"),
        ("w4", "<i8"),
    ],
    align=True,
)
assert EVENT.itemsize == 64


def empty_events(n: int) -> npt.NDArray[Any]:
    """Return `n` zeroed events on a 64-byte boundary."""
    raw = np.zeros(n * 64 + 64, np.uint8)
    start = -raw.ctypes.data % 64
    return raw[start : start + n * 64].view(EVENT)
