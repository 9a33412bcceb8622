"""Ticks and lots: finding the grid that values stand on, putting them on it, and reading them off it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from functools import reduce
from typing import Any

import numpy as np
import numpy.typing as npt

from tradectl.history.rows import Rows

__all__ = [
    "ATOM", "LIMIT", "Steps", "choose_lot", "choose_tick", "nearest_floats", "on_grid", "plain", "why_coarse",
]  # fmt: skip

ATOM = Decimal("1e-8")  # the engine's unit of money
LIMIT = 2.0**53  # more ticks or lots than this are not exact in float64
MOST = 12  # decimals looked at
BLOCK = 8_192  # rows at a time, so that the work stays in the cache
NEAR, FAR = 1e-6, 1e-15  # on the grid: within 1e-6 of a step, plus the rounding of float64

Floats = npt.NDArray[np.float64]


def scale_of(step: Decimal) -> tuple[float, bool]:
    """Return (factor, multiply): how values become steps with the least error."""
    inverse = 1 / step
    if inverse == inverse.to_integral_value():
        return float(inverse), True
    return float(step), False


def in_steps(values: Floats, step: Decimal) -> Floats:
    """Return values in units of `step`, not yet rounded."""
    factor, multiply = scale_of(step)
    return values * factor if multiply else values / factor


def on_grid(quotient: Floats) -> npt.NDArray[np.bool_]:
    """Tell which values in steps, none negative, are whole."""
    distance = np.rint(quotient)
    np.subtract(quotient, distance, out=distance)
    np.abs(distance, out=distance)
    limit = quotient * FAR
    limit += NEAR
    return np.less_equal(distance, limit)


@dataclass
class Steps:
    """Counts, per candidate step, the rows off its grid.

    Candidates are 1, 0.1, … 10**-12; a row on one grid is on all finer ones, so few are looked at twice.
    """

    fixed: Decimal | None = None  # only this step
    rows: int = 0
    highest: float = 0.0
    lowest: float = math.inf
    off: list[int] = field(default_factory=lambda: [0] * (MOST + 1))
    first: list[list[tuple[int, str]]] = field(default_factory=lambda: [[] for _ in range(MOST + 1)])

    def candidate(self, k: int) -> Decimal:
        """Return the k-th step."""
        return self.fixed if self.fixed is not None else Decimal(1).scaleb(-k)

    def feed(self, columns: tuple[Floats, ...], origin: npt.NDArray[np.int64]) -> None:
        """Look at the values (columns of equal length, of which any may put its row off the grid)."""
        self.rows += len(origin)
        for start in range(0, len(origin), BLOCK):
            block = np.stack([column[start : start + BLOCK] for column in columns])
            self.highest = max(self.highest, float(block.max()))
            self.lowest = min(self.lowest, float(block.min()))
            self._block(block, origin[start : start + BLOCK])

    def _block(self, block: Floats, origin: npt.NDArray[np.int64]) -> None:
        left = np.ones(len(origin), np.bool_)  # rows off all grids so far
        for k in range(1 if self.fixed is not None else MOST + 1):
            left &= ~np.all(on_grid(in_steps(block, self.candidate(k))), axis=0)
            count = int(np.count_nonzero(left))
            if not count:
                return
            if count * 2 < len(left):  # looking only at what is left is cheaper now
                block, origin, left = block[:, left], origin[left], np.ones(count, np.bool_)
            self.off[k] += count
            if len(self.first[k]) < 5:
                at = np.flatnonzero(left)[:5]
                bars = zip(origin[at], block[:, at].T, strict=True)
                shown = [(int(place), ", ".join(f"{v:.12g}" for v in bar)) for place, bar in bars]
                self.first[k] = (self.first[k] + shown)[:5]

    def error(self, k: int) -> float:
        """Return a bound of the relative change of any value that is put on the k-th grid."""
        return 0.5 * float(self.candidate(k)) / self.lowest if self.off[k] and self.lowest > 0 else 0.0

    def merge(self, other: Steps) -> None:
        """Add another's counts."""
        self.rows += other.rows
        self.highest, self.lowest = max(self.highest, other.highest), min(self.lowest, other.lowest)
        for k in range(MOST + 1):
            self.off[k] += other.off[k]
            self.first[k] = (self.first[k] + other.first[k])[:5]


def choose_tick(steps: Steps) -> int:
    """Return which candidate is the dominant step of prices.

    The coarsest whose grid holds every row; or 99 % of them, where rounding moves no price by more than
    1e-4; or 75 %, by no more than 1e-5. Where nothing dominates (adjusted prices), the coarsest that moves
    none by more than 1e-6.
    """
    for k, off in enumerate(steps.off):
        share = 1 - off / max(steps.rows, 1)
        bound = steps.error(k)
        if off == 0 or (share >= 0.99 and bound <= 1e-4) or (share >= 0.75 and bound <= 1e-5):
            return k
    return next((k for k in range(MOST + 1) if steps.error(k) <= 1e-6), MOST)


def choose_lot(steps: Steps, tick: Decimal) -> Decimal:
    """Return the lot size: the step of 99 % of the volumes, with at most 8 decimals.

    It is never finer than an atom per tick and lot, so that money stays whole; volumes are rounded to it.
    """
    if steps.fixed is not None:
        return steps.fixed
    if not steps.rows:
        return min(max(plain(ATOM / tick), ATOM), Decimal(1))
    lot = max(_step_of(steps), plain(ATOM / tick))
    while steps.highest / float(lot) >= LIMIT:
        lot *= 10
    return lot


def why_coarse(steps: Steps, tick: Decimal, lot: Decimal) -> str:
    """Say why a lot that `choose_lot` gave is coarser than the step of the volumes; empty where it is not."""
    if steps.fixed is not None or not steps.rows or lot <= _step_of(steps):
        return ""
    if lot > plain(ATOM / tick):
        cause, rule = f"volumes up to {steps.highest:.10g} allow", "they have at most 2**53 lots"
    else:
        cause, rule = f"the tick {tick.normalize():f} allows", f"tick × lot is at least {ATOM:f}"
    return f"{cause} no finer lot than {lot.normalize():f} ({rule})"


def _step_of(steps: Steps) -> Decimal:
    """Return the coarsest step of at most 8 decimals that holds 99 % of the volumes, else 1e-8."""
    return Decimal(1).scaleb(-next((k for k in range(8) if steps.off[k] <= 0.01 * steps.rows), 8))


def plain(value: Decimal) -> Decimal:
    """Return the power of ten at or above a positive value."""
    power = Decimal(1).scaleb(value.adjusted())
    return power if power >= value else power * 10


def prices_of(rows: Rows) -> tuple[Floats, ...]:
    """Return the four price columns."""
    return rows.open, rows.high, rows.low, rows.close


def nearest_floats(over: Sequence[Any], under: Sequence[Any]) -> Floats:
    """Return (product of `over`) ÷ (product of `under`), arrays or numbers, whole as a rule, rounded once.

    What is read off a grid so is the nearest float64 of its decimal: 3 × 1 ÷ 10 is 0.3, not 3 × 0.1.
    """
    top, bottom = (reduce(np.multiply, [np.asarray(one, np.float64) for one in part]) for part in (over, under))
    made = np.asarray(top / bottom)
    wide = np.flatnonzero((np.abs(top) >= LIMIT) | (bottom >= LIMIT))
    if len(wide):  # products that float64 does not hold
        columns = [_exactly(one[wide]) for one in np.broadcast_arrays(made, *over, *under)[1:]]
        top, bottom = (math.prod(part) for part in (columns[: len(over)], columns[len(over) :]))
        made[wide] = (top / bottom).astype(np.float64)
    return made


def _exactly(column: npt.NDArray[Any]) -> Any:
    """Return numbers as Python's own, whose products and quotients are exact."""
    if np.array_equal(column, np.rint(column)):
        return column.astype(np.int64).astype(object)
    return np.array([Fraction(one) for one in column.tolist()], object)
