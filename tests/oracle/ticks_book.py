"""The oracle's book of one instrument: plain dictionaries, own consumption, and the queue models' formulas."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from tradectl.core.codes import QueueModel

__all__ = ["Book", "front_after"]


@dataclass
class Book:
    """Displayed lots by price for BUY (+1) and SELL (-1), and what own orders have taken of them."""

    levels: dict[int, dict[int, int]] = field(default_factory=lambda: {1: {}, -1: {}})
    taken: dict[tuple[int, int], int] = field(default_factory=dict)  # (side, price) -> lots
    shown: dict[tuple[int, int], int] = field(default_factory=dict)  # what such a level showed when last seen

    def best(self, side: int) -> int | None:
        """Return the best price of a side."""
        prices = self.levels[side]
        if not prices:
            return None
        return max(prices) if side > 0 else min(prices)

    def qty(self, side: int, price: int) -> int:
        """Return the displayed lots of a level."""
        return self.levels[side].get(price, 0)

    def put(self, side: int, price: int, lots: int) -> tuple[int, bool]:
        """Set a level; return what it showed before and whether it gave back what own orders took."""
        before = self.qty(side, price)
        if lots:
            self.levels[side][price] = lots
        else:
            self.levels[side].pop(price, None)
        key = (side, price)
        if key not in self.taken:
            return before, False
        grown = max(lots - self.shown[key], 0)
        self.keep(key, min(self.taken[key] - grown, lots), lots)
        return before, True

    def keep(self, key: tuple[int, int], lots: int, shown: int) -> None:
        """Remember that own orders have taken `lots` of a level that shows `shown`."""
        self.taken.pop(key, None)
        self.shown.pop(key, None)
        if lots > 0:
            self.taken[key], self.shown[key] = lots, shown

    def take(self, side: int, price: int, lots: int) -> None:
        """Note that an own order took `lots` of a level."""
        key = (side, price)
        shown = self.shown.get(key, self.qty(side, price))
        self.keep(key, self.taken.get(key, 0) + lots, shown)
        assert self.taken[key] <= self.qty(side, price)

    def free(self, side: int, price: int) -> int:
        """Return what is displayed and not taken."""
        return max(0, self.qty(side, price) - self.taken.get((side, price), 0))

    def offers(self, side: int) -> list[tuple[int, int]]:
        """Return (price, free lots) of a side, best first, without levels that are taken whole."""
        prices = sorted(self.levels[side], reverse=side > 0)
        return [(price, self.free(side, price)) for price in prices if self.free(side, price)]

    def clear(self) -> None:
        """Remove all levels; what was taken of them stays known until `forget_gone`."""
        self.levels = {1: {}, -1: {}}

    def forget_gone(self) -> None:
        """Forget what was taken of levels that are not there any more."""
        for key in [key for key in self.taken if not self.qty(*key)]:
            self.keep(key, 0, 0)

    @property
    def crossed(self) -> bool:
        """Say whether the best bid is at or above the best ask."""
        bid, ask = self.best(1), self.best(-1)
        return bid is not None and ask is not None and bid >= ask


def ratio(a: float, b: float) -> float:
    """Return a / b, NaN for 0 / 0."""
    return a / b if b else math.nan


def ln(x: float) -> float:
    """Return the natural logarithm, NaN where there is none."""
    return math.log(x) if x > 0 else math.nan


def power(x: float, n: float) -> float:
    """Return x to the n, NaN where that is no real number."""
    return math.nan if x < 0 and n != int(n) else x**n


def chance_behind(model: QueueModel, n: float, lot: float, front: float, back: float) -> float:
    """Return the probability that a cancellation was behind us (docs/fills.md, 8.3)."""
    if model in (QueueModel.LOG, QueueModel.LOG2):
        front, back = front * lot, back * lot
        whole = ln(1 + back) + ln(1 + front)
        if model == QueueModel.LOG2:
            whole = ln(1 + back + front)
        return ratio(ln(1 + back), whole)
    if model == QueueModel.POWER:
        return ratio(power(back, n), power(back, n) + power(front, n))
    if model == QueueModel.POWER2:
        return ratio(power(back, n), power(back + front, n))
    return 1 - power(ratio(front, front + back), n)


def front_after(model: QueueModel, n: float, lot: float, front: float, change: tuple[int, int, int]) -> float:
    """Return the quantity ahead after a level went from lots to lots, some of them by trades (8.3)."""
    before, after, traded = change
    gone = before - after - traded
    if gone < 0 or model == QueueModel.RISK_AVERSE:
        return min(front, after)
    back = before - front
    p = chance_behind(model, n, lot, front, back)
    if math.isnan(p):
        return float(after)
    return min(front - (1 - p) * gone + min(back - p * gone, 0), after)
