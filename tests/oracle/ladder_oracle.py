"""A book of price levels in dictionaries: slow, obvious, nothing shared with the kernels."""

from __future__ import annotations


class OracleLadder:
    """Two dictionaries price -> lots, and the notes of every price in the order of adding."""

    def __init__(self, notes=10**9):
        self.levels = ({}, {})
        self.notes = {}  # note -> (index, price, order)
        self.chains = {}  # (index, price) -> notes
        self.capacity = notes

    def set_level(self, index, price, qty):
        before = self.levels[index].pop(price, 0)
        if qty:
            self.levels[index][price] = qty
        return before

    def clear(self):
        self.levels = ({}, {})

    def rows(self, index):
        """List (price, lots), best first."""
        return sorted(self.levels[index].items(), reverse=index == 0)

    def worse(self, index, price):
        """Return the best price that is worse than `price`, or None."""
        if index == 0:
            return max((p for p in self.levels[0] if p < price), default=None)
        return min((p for p in self.levels[1] if p > price), default=None)

    def can_add(self):
        return len(self.notes) < self.capacity

    def add_note(self, note, index, price, order):
        assert note not in self.notes
        self.notes[note] = (index, price, order)
        self.chains.setdefault((index, price), []).append(note)

    def remove_note(self, note):
        index, price, _ = self.notes.pop(note)
        chain = self.chains[index, price]
        chain.remove(note)
        if not chain:
            del self.chains[index, price]
