"""What the price ladder costs per DEPTH event, and per snapshot and per look at its best levels."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import types

from tradectl.core.codes import EventKind
from tradectl.core.event import empty_events
from tradectl.core.jit import entry
from tradectl.core.ladder import best, clear, set_level, top
from tradectl.core.ladder_layout import DEFAULT_WINDOW, LADDER, ladder_address, new_ladder
from tradectl.core.layout import event_at

__all__ = ["apply_depth", "bench_ladder", "depth_events"]

NEAR_TICKS = 50  # the distance from the middle within which most changes are
NEAR_SHARE = 0.87  # of the changes within the window
FAR_SHARES = {"": 0.08, "far_28_": 0.28}  # real books have 7 to 28 % of their changes beyond it
FAR_TICKS = 200_000
FIRST_MID = 1_000_000  # ticks
SNAPSHOT_LEVELS = 1000  # per side
LOOKS = 100_000
_DEPTH = int(EventKind.DEPTH)
i8 = types.int64


@entry(lambda: i8(i8, i8, i8))
def apply_depth(ladder, events, n):
    """Apply `n` EVENTs at address `events` to a ladder; return a sum of the best prices in ticks."""
    total = 0
    for i in range(n):
        event = event_at(events, i)
        if event.kind == _DEPTH:
            set_level(ladder, (1 - event.side) >> 1, event.w0, event.w1)
            total += best(ladder, 0) + best(ladder, 1)
    return total


@entry(lambda: types.void(i8, i8, i8, i8))
def apply_snapshots(ladder, events, n, times):
    """Apply the same snapshot of `n` levels `times` times, the ladder cleared before each."""
    for _ in range(times):
        clear(ladder)
        for i in range(n):
            event = event_at(events, i)
            set_level(ladder, (1 - event.side) >> 1, event.w0, event.w1)


@entry(lambda: i8(i8, i8, i8, i8))
def look_at_top(ladder, n, out, times):
    """Read the `n` best levels of both sides `times` times; return how many levels were read."""
    total = 0
    for _ in range(times):
        total += top(ladder, 0, n, out) + top(ladder, 1, n, out)
    return total


def depth_events(n: int, far_share: float = 0.08, seed: int = 1) -> npt.NDArray[Any]:
    """Make up `n` DEPTH events: a walking middle, bids below and asks above it, a third of them removals.

    `far_share` of them lie beyond the default window, 87 % of the others within 50 ticks of the middle.
    """
    rng = np.random.Generator(np.random.PCG64(seed))
    mid = FIRST_MID + np.cumsum(rng.integers(-1, 2, n) * (rng.random(n) < 0.02))
    side = rng.integers(0, 2, n) * 2 - 1
    near = np.minimum(1 + rng.exponential(12, n).astype(np.int64), NEAR_TICKS)
    wide = rng.integers(NEAR_TICKS, DEFAULT_WINDOW // 4, n)
    distant = rng.integers(DEFAULT_WINDOW, FAR_TICKS, n) // 128 * 128  # levels come back at the same prices
    price = mid - side * np.where(rng.random(n) < NEAR_SHARE, near, wide)
    price = np.where(rng.random(n) < far_share, FIRST_MID - side * distant, price)
    events = empty_events(n)
    events["kind"], events["side"] = _DEPTH, side
    events["w0"], events["w1"] = price, np.where(rng.random(n) < 0.33, 0, rng.integers(1, 1000, n))
    return events


def _seconds(call: Any, repeats: int) -> float:
    """Return the median seconds of `repeats` calls."""
    found = []
    for _ in range(max(1, repeats)):
        begun = time.perf_counter()
        call()
        found.append(time.perf_counter() - begun)
    return float(np.median(found))


def _snapshot(levels: int) -> npt.NDArray[Any]:
    """Make up a snapshot of `levels` levels per side, each a few ticks from the one before."""
    rng = np.random.Generator(np.random.PCG64(2))
    events = empty_events(2 * levels)
    for k, side in enumerate((1, -1)):
        part = events[k * levels : (k + 1) * levels]
        part["side"] = side
        part["w0"] = FIRST_MID - side * np.cumsum(rng.integers(1, 5, levels))
        part["w1"] = rng.integers(1, 1000, levels)
    events["kind"] = _DEPTH
    return events


def bench_ladder(n: int = 5_000_000, repeats: int = 5) -> dict[str, Any]:
    """Measure the ladder over `n` made-up events; medians of `repeats` runs, each on an empty ladder."""
    result: dict[str, Any] = {"events": n, "window": DEFAULT_WINDOW}
    for name, share in FAR_SHARES.items():
        events = depth_events(n, share)
        blob = new_ladder()
        ladder = ladder_address(blob)
        empty = blob.copy()
        apply_depth.load()

        def run(ladder: int = ladder, events: Any = events, blob: Any = blob, empty: Any = empty) -> None:
            blob[:] = empty
            apply_depth(ladder, events.ctypes.data, len(events))

        seconds = _seconds(run, repeats)
        header = blob[: LADDER.itemsize].view(LADDER)[0]
        result[f"{name}ns_per_event"] = round(seconds / n * 1e9, 2)
        result[f"{name}events_per_s"] = round(n / seconds)
        result[f"{name}levels"] = int(header["levels"].sum())
        result[f"{name}recentres"] = int(header["recentres"])
    shot = _snapshot(SNAPSHOT_LEVELS)
    blob, out = new_ladder(), np.zeros((20, 2), np.int64)
    ladder, times = ladder_address(blob), LOOKS // 100
    apply_snapshots(ladder, shot.ctypes.data, len(shot), 2)
    seconds = _seconds(lambda: apply_snapshots(ladder, shot.ctypes.data, len(shot), times), repeats)
    result["snapshot_1000_us"] = round(seconds / times * 1e6, 2)
    look_at_top(ladder, 20, out.ctypes.data, 1)
    seconds = _seconds(lambda: look_at_top(ladder, 20, out.ctypes.data, LOOKS), repeats)
    result["top_20_us"] = round(seconds / LOOKS * 1e6, 3)
    return result
