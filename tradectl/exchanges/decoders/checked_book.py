"""A book as far as its checksum needs it: each level's price and quantity in the venue's own text, best first."""

from __future__ import annotations

from bisect import bisect_left, insort

__all__ = ["CheckedBook", "Level"]

Level = tuple[str, str]


class CheckedBook:
    """Two sides (+1 bids, -1 asks) of levels by price in ticks: what is converted for the events is not read twice."""

    def __init__(self) -> None:
        self.keys: dict[int, list[int]] = {1: [], -1: []}  # -price of bids, price of asks: ascending
        self.levels: dict[int, dict[int, Level]] = {1: {}, -1: {}}

    def put(self, side: int, ticks: int, lots: int, level: Level) -> None:
        """Set one level; 0 lots remove it."""
        keys, levels, key = self.keys[side], self.levels[side], -side * ticks
        if lots:
            if key not in levels:
                insort(keys, key)
            levels[key] = level
        elif levels.pop(key, None) is not None:
            del keys[bisect_left(keys, key)]

    def cut(self, side: int, depth: int) -> list[int]:
        """Drop what lies beyond `depth` levels; return the prices (ticks) of what was dropped."""
        keys, levels = self.keys[side], self.levels[side]
        beyond = keys[depth:]
        for key in beyond:
            del levels[key]
        del keys[depth:]
        return [-side * key for key in beyond]

    def top(self, side: int, count: int) -> list[Level]:
        """Return the best `count` levels, best first."""
        levels = self.levels[side]
        return [levels[key] for key in self.keys[side][:count]]
