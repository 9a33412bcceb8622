"""The rules of one strategy as plain data, as a configuration gives them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

__all__ = ["PARTS", "RuleParam", "RuleSet", "Side"]

PARTS = ("entry", "entry_limit", "entry_stop", "exit", "stop", "target", "trail", "size")


@dataclass(frozen=True)
class RuleParam:
    """A named number; it is whole where it is the length of something, else a float."""

    default: float
    low: float | None = None
    high: float | None = None
    help: str = ""


@dataclass(frozen=True)
class Side:
    """The expressions of one side; only the entry must be there."""

    entry: str
    entry_limit: str | None = None
    entry_stop: str | None = None
    exit: str | None = None
    stop: str | None = None
    target: str | None = None
    trail: str | None = None
    size: str | None = None

    def parts(self) -> Iterator[tuple[str, str]]:
        """Yield (name, expression) of what is given."""
        for name in PARTS:
            text = getattr(self, name)
            if text is not None:
                yield name, text


@dataclass(frozen=True)
class RuleSet:
    """Parameters, named expressions and the two sides.

    `frames` are the bars of time of the run as (text, ns), `is_mixed` tells that there are other bars too.
    """

    params: Mapping[str, RuleParam] = field(default_factory=dict)
    define: Mapping[str, str] = field(default_factory=dict)
    long: Side | None = None
    short: Side | None = None
    frames: tuple[tuple[str, int], ...] = ()
    is_mixed: bool = False

    def sides(self) -> Iterator[tuple[str, Side]]:
        """Yield (name, side) of the sides that are given."""
        if self.long is not None:
            yield "long", self.long
        if self.short is not None:
            yield "short", self.short
