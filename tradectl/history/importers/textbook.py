"""A book that keeps the venue's own text of prices and quantities, for checksums and for feeds of fixed depth."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable, Sequence

__all__ = ["TextBook"]

Level = tuple[str, str]


class TextBook:
    """Two sides of levels by price; side +1 are bids, −1 asks, best first."""

    def __init__(self) -> None:
        self.keys: dict[int, list[float]] = {1: [], -1: []}  # −price of bids, price of asks: ascending
        self.levels: dict[int, dict[float, Level]] = {1: {}, -1: {}}

    def clear(self) -> None:
        """Remove every level."""
        for side in (1, -1):
            self.keys[side].clear()
            self.levels[side].clear()

    def update(self, side: int, changes: Iterable[Sequence[str]]) -> None:
        """Set levels to their new quantities; 0 removes one."""
        keys, levels = self.keys[side], self.levels[side]
        for price, qty, *_ in changes:
            key = -side * float(price)
            if float(qty) == 0.0:
                if levels.pop(key, None) is not None:
                    del keys[bisect_left(keys, key)]
            else:
                if key not in levels:
                    insort(keys, key)
                levels[key] = (price, qty)

    def cut(self, side: int, depth: int) -> list[Level]:
        """Drop what lies beyond `depth` levels; return the dropped levels, with quantity 0."""
        keys, levels = self.keys[side], self.levels[side]
        dropped = [(levels.pop(key)[0], "0") for key in keys[depth:]]
        del keys[depth:]
        return dropped

    def top(self, side: int, count: int) -> list[Level]:
        """Return the best `count` levels as (price, quantity), best first."""
        levels = self.levels[side]
        return [levels[key] for key in self.keys[side][:count]]

    def replace(self, side: int, shown: Sequence[Sequence[str]]) -> list[Level]:
        """Make this side what is shown, whole; return the changes (quantity 0: the level is no longer shown)."""
        levels = self.levels[side]
        now = {-side * float(level[0]): (str(level[0]), str(level[1])) for level in shown if float(level[1])}
        gone = [(text[0], "0") for key, text in levels.items() if key not in now]
        changed = [text for key, text in now.items() if levels.get(key) != text]
        self.levels[side] = now
        self.keys[side] = sorted(now)
        return gone + changed
