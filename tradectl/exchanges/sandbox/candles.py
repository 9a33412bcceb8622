"""Candles of one market: all seconds and minutes, coarser ones made of these; before the start, made up."""

from __future__ import annotations

import random
from collections import deque
from typing import NamedTuple

__all__ = ["MINUTE_NS", "SECOND_NS", "Candle", "Candles"]

SECOND_NS, MINUTE_NS = 1_000_000_000, 60_000_000_000
SECONDS_BEFORE, MINUTES_BEFORE = 3_600, 10_080  # candles there are before the session
KEPT = 20_160  # of seconds, and of minutes


class Candle(NamedTuple):
    """Prices in ticks; volume, the takers' bought part (lots), turnover (ticks × lots); `start` ns UTC."""

    start: int
    open: int
    high: int
    low: int
    close: int
    lots: int
    trades: int
    turnover: int
    bought: int


Row = list[int]  # the fields of a Candle, growing


class Candles:
    """Candles of seconds and minutes; a second without trades has a flat one."""

    def __init__(self, price: int, start_ns: int, seed: str, unit: int) -> None:
        self.last_price = price
        self._rows = {SECOND_NS: deque[Row](maxlen=KEPT), MINUTE_NS: deque[Row](maxlen=KEPT)}
        self._history(price, start_ns, random.Random(seed), unit)

    def _history(self, price: int, start_ns: int, chance: random.Random, unit: int) -> None:
        """Make up what was before, backwards from the first price; the last hour also in seconds."""
        minute = start_ns - start_ns % MINUTE_NS
        seconds, minutes = self._rows[SECOND_NS], self._rows[MINUTE_NS]
        close = price
        for start in range(
            start_ns - start_ns % SECOND_NS - SECOND_NS, minute - SECONDS_BEFORE * SECOND_NS - 1, -SECOND_NS
        ):
            row = _made(start, close, max(price // 20_000, 1), chance, unit)
            seconds.appendleft(row)
            close = row[1]
        for row in list(seconds):
            self._merge(minutes, row[0] - row[0] % MINUTE_NS, row)
        for start in range(minutes[0][0] - MINUTE_NS, minute - MINUTES_BEFORE * MINUTE_NS, -MINUTE_NS):
            row = _made(start, close, max(price // 2_000, 2), chance, 60 * unit)
            minutes.appendleft(row)
            close = row[1]

    @staticmethod
    def _merge(rows: deque[Row], start: int, part: Row) -> None:
        if not rows or rows[-1][0] != start:
            rows.append([start, *part[1:]])
            return
        row = rows[-1]
        row[2], row[3], row[4] = max(row[2], part[2]), min(row[3], part[3]), part[4]
        for k in (5, 6, 7, 8):
            row[k] += part[k]

    def roll(self, now: int) -> None:
        """Begin the candles that `now` lies in; those skipped are flat."""
        price = self.last_price
        for step, rows in self._rows.items():
            start = now - now % step
            first = max(rows[-1][0] + step, start - (KEPT - 1) * step)
            for missing in range(first, start + 1, step):
                rows.append([missing, price, price, price, price, 0, 0, 0, 0])

    def trade(self, stamp: int, price: int, lots: int, side: int) -> None:
        """Add a trade, not older than the one before it."""
        self.roll(stamp)
        for rows in self._rows.values():
            row = rows[-1]
            if row[6] == 0:
                row[1] = row[2] = row[3] = price
            elif price > row[2]:
                row[2] = price
            elif price < row[3]:
                row[3] = price
            row[4] = price
            row[5] += lots
            row[6] += 1
            row[7] += price * lots
            row[8] += lots if side > 0 else 0
        self.last_price = price

    def between(self, step: int, first: int, last: int) -> list[Candle]:
        """Return the candles of `step` ns that begin in [first, last]; weeks begin on Monday."""
        base = SECOND_NS if step % MINUTE_NS else MINUTE_NS
        rows = self._rows[base]
        offset = 345_600_000_000_000 if step == 604_800_000_000_000 else 0  # 1970 began on a Thursday
        found: deque[Row] = deque()
        begin = max((first - rows[0][0]) // base, 0)
        for k in range(begin, min((last + step - rows[0][0]) // base + 1, len(rows))):
            row = rows[k]
            start = row[0] - (row[0] - offset) % step
            if max(first, rows[0][0]) <= start <= last:  # not one whose beginning is no longer kept
                self._merge(found, start, row)
        return [Candle(*row) for row in found]

    def latest(self, step: int, now: int) -> Candle:
        """Return the candle that `now` lies in."""
        self.roll(now)
        return self.between(step, now - step + 1, now)[-1]


def _made(start: int, close: int, wide: int, chance: random.Random, unit: int) -> Row:
    """Return a candle that ends at `close`."""
    opened = max(close + chance.randint(-wide, wide), 1)
    high, low = max(opened, close) + chance.randint(0, wide), min(opened, close) - chance.randint(0, wide)
    lots = chance.randint(unit // 10 + 1, 5 * unit)
    low = max(low, 1)
    middle = (high + low) // 2
    return [
        start,
        opened,
        high,
        low,
        close,
        lots,
        chance.randint(1, 50),
        middle * lots,
        chance.randint(0, lots),
    ]
