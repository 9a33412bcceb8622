"""Bars that are read as stamped at their close, and are not: each would be seen before it has happened."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from tradectl.cli.runner_check_tables import Table
from tradectl.cli.runner_check_world import Worlds
from tradectl.config.wire_data import block_of
from tradectl.engine.host_fault import iso
from tradectl.history.files import Place
from tradectl.history.plan import key_of
from tradectl.history.profiles import REQUIRED
from tradectl.history.reader import inspect

__all__ = ["stamp_findings"]

OPENING = {"open_time", "opentime", "open time", "openat", "open_at", "start_time", "start"}
GENERIC = "ohlcv"  # the profile of layouts that nobody named: its stamp is only a default
SAMPLE = 1_000  # bars compared with finer ones
SHARE = 0.9  # of them that must be those of the interval after
Told = dict[str, Any]


def stamp_findings(worlds: Worlds) -> list[Told]:
    """Return a finding for each file whose stamps are opens and are read as closes."""
    found: list[Told] = []
    for k, (block, tables) in enumerate(zip(worlds.loaded.config.data, worlds.tables, strict=False)):
        asked = block_of(block, worlds.folder)
        for table in tables:
            file = inspect(Place(table.path), asked)
            if (asked.stamp or file.profile.stamp) != "close":
                continue
            name = file.header[file.at["timestamp"]].strip().lower()
            why = ""
            if name in OPENING:
                why = f"its column {name!r} is the time at which a bar opens"
            elif file.profile.name != GENERIC and file.profile.stamp == "open":
                why = f"the profile {file.profile.name} stamps bars at their open"
            else:
                why = _finer(table, file.at, worlds, k)
            if why:
                step = block.timeframe.ns if block.timeframe else file.timeframe_ns
                found.append(_finding(table, why, int(table.known.min()), step))
    return found


def _finding(table: Table, why: str, ts: int, step_ns: int) -> Told:
    text = f"data.stamp: close, but {why}: every bar is seen {step_ns // 10**9:,} s before it has ended"
    return {
        "kind": "stamp", "variant": "stamps", "cut": None, "derived": {}, "ts": iso(ts), "ts_ns": ts,
        "with_future": None, "without": None, "file": str(table.path), "text": f"{table.path.name}: {text}",
    }  # fmt: skip


def _finer(table: Table, at: dict[str, int], worlds: Worlds, skip: int) -> str:
    """Return why a file's bars are those of the interval after, by another block's finer bars of the symbol; or ''."""
    symbol = key_of(Place(table.path).stem.partition("_")[0])
    coarse = _columns(table, at)
    step = _step(coarse)
    for k, tables in enumerate(worlds.tables):
        for other in tables:
            if k == skip or key_of(Place(other.path).stem.partition("_")[0]) != symbol:
                continue
            file = inspect(Place(other.path), block_of(worlds.loaded.config.data[k], worlds.folder))
            fine = _columns(other, file.at)
            if _step(fine) >= step:
                continue
            before, after = (_equal(coarse, fine, shift, step) for shift in (0, step))
            if len(after) >= 3 and after.mean() >= SHARE > before.mean():
                share = f"{after.sum():,} of {len(after):,}"
                return f"{share} bars are made of the bars of {other.path.name} after their stamp"
    return ""


def _columns(table: Table, at: dict[str, int]) -> npt.NDArray[np.float64]:
    """Return (n, 5): end stamps and prices, in order of time."""
    prices = [table.frame.to_series(at[name]).cast(float, strict=False).to_numpy() for name in REQUIRED[1:]]
    made = np.column_stack([table.known.astype(np.float64), *prices])
    return made[np.argsort(made[:, 0], kind="stable")]


def _step(rows: npt.NDArray[np.float64]) -> float:
    return float(np.median(np.diff(rows[:, 0]))) if len(rows) > 1 else 0.0


def _equal(
    coarse: npt.NDArray[np.float64], fine: npt.NDArray[np.float64], shift: float, step: float
) -> npt.NDArray[np.bool_]:
    """Tell which bars equal the finer ones in (end + shift - step, end + shift]: their open, high, low and close."""
    return np.array(list(_matches(coarse[:SAMPLE], fine, shift, step)), np.bool_)


def _matches(
    coarse: npt.NDArray[np.float64], fine: npt.NDArray[np.float64], shift: float, step: float
) -> Iterator[bool]:
    for end, *prices in coarse:
        low, high = np.searchsorted(fine[:, 0], [end + shift - step, end + shift], "right")
        inside = fine[low:high, 1:]
        if len(inside):
            made = [inside[0, 0], inside[:, 1].max(), inside[:, 2].min(), inside[-1, 3]]
            yield bool(np.allclose(made, prices, rtol=1e-9, atol=0.0))
