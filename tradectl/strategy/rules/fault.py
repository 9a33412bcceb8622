"""What is wrong with an expression, where in it, and how that is shown."""

from __future__ import annotations

__all__ = ["MAX_CHARACTERS", "MAX_DEPTH", "MAX_NODES", "Fault"]

MAX_CHARACTERS = 2_000  # of one expression
MAX_DEPTH = 40  # of what is nested in each other, definitions included
MAX_NODES = 1_000  # of one expression with its definitions written out
SHOWN = 100  # characters of an expression in a message


class Fault(Exception):
    """One fault of an expression: its message and the characters start..end (exclusive) that it is about."""

    def __init__(self, message: str, start: int, end: int) -> None:
        super().__init__(message)
        self.message, self.start, self.end = message, start, max(end, start + 1)

    def picture(self, text: str) -> str:
        """Return the expression, or the part of it around the fault, with carets under the fault."""
        line = "".join(c if c.isprintable() else " " for c in text)
        first = max(0, min(self.start - SHOWN // 2, len(line) - SHOWN)) if len(line) > SHOWN else 0
        shown = line[first : first + SHOWN]
        width = min(self.end, first + len(shown)) - self.start
        return f"    {shown}\n    {' ' * (self.start - first)}{'^' * max(width, 1)}"
