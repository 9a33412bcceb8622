"""What a strategy made of rules keeps and does at each bar: records of the state and the steps that update them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from tradectl.strategy.rules.terms import Term

__all__ = ["Book", "Step", "needed"]


@dataclass(frozen=True)
class Step:
    """One line of a hook, run at the bars of a frame ("" is the strategy's own) once what it needs has a value."""

    frame: str
    code: str
    needs: tuple[str, ...] = ()


def needed(parts: Sequence[Term]) -> tuple[str, ...]:
    """Return what parts need to have a value."""
    return tuple(dict.fromkeys(need for part in parts for need in part.needs))


@dataclass
class Book:
    """The state of one strategy while its expressions are read; what is asked for twice is made once."""

    fields: dict[str, str] = field(default_factory=dict)  # name -> declaration
    steps: list[Step] = field(default_factory=list)
    imports: set[str] = field(default_factory=set)
    helpers: set[str] = field(default_factory=set)
    lengths: set[str] = field(default_factory=set)  # parameters that are the length of something
    frame_of: dict[str, str] = field(default_factory=dict)  # record -> the bars that update it
    warming: set[str] = field(default_factory=set)  # records that have no value at first
    _made: dict[tuple[str, ...], str] = field(default_factory=dict)

    def record(self, stem: str, key: tuple[str, ...], kind: str, step: Step, parts: Sequence[Term]) -> str:
        """Return the name of the record with this key; make it, with its step (`{}` is its name), if it is new.

        `parts` are what the step takes in: the warm-up of the first record among them comes before its own.
        """
        frame = step.frame
        known = self._made.get((stem, *key, frame))
        if known is not None:
            return known
        count = 1
        while f"{stem}_{count}" in self.fields:
            count += 1
        name = self._made[(stem, *key, frame)] = f"{stem}_{count}"
        before = [one for part in parts for one in part.records if self.frame_of[one] == frame and one in self.warming]
        self.fields[name] = f"{kind}.of({before[0]})" if before and not kind.startswith("Cross") else kind
        self.warming |= set() if kind.startswith("Cross") else {name}
        self.frame_of[name] = frame
        self.steps.append(replace(step, code=step.code.format(name)))
        return name

    def keep(self, name: str, code: str, frame: str) -> None:
        """Keep a value of the bar in the state."""
        if name not in self.fields:
            self.imports.add("Float64")
            self.fields[name] = "Float64(math.nan)"
            self.frame_of[name] = frame
            self.steps.append(Step(frame, f"s.{name} = {code}"))
