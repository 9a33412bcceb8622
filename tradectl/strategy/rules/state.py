"""What a strategy made of rules keeps and does at each bar: records of the state and the steps that update them."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["Book", "Step"]


@dataclass(frozen=True)
class Step:
    """One line of a hook, run at the bars of a frame ("" is the strategy's own)."""

    frame: str
    code: str


@dataclass
class Book:
    """The state of one strategy while its expressions are read; what is asked for twice is made once."""

    fields: dict[str, str] = field(default_factory=dict)  # name -> declaration
    steps: list[Step] = field(default_factory=list)
    sources: dict[str, tuple[str, ...]] = field(default_factory=dict)  # record -> the records that it reads
    imports: set[str] = field(default_factory=set)
    helpers: set[str] = field(default_factory=set)
    lengths: set[str] = field(default_factory=set)  # parameters that are the length of something
    frame_of: dict[str, str] = field(default_factory=dict)  # record -> the bars that update it
    _made: dict[tuple[str, ...], str] = field(default_factory=dict)

    def record(self, stem: str, key: tuple[str, ...], kind: str, update: str, frame: str) -> str:
        """Return the name of the record with this key; make it, with its `update` (`{}` is its name), if it is new."""
        known = self._made.get((stem, *key, frame))
        if known is not None:
            return known
        count = 1
        while f"{stem}_{count}" in self.fields:
            count += 1
        name = self._made[(stem, *key, frame)] = f"{stem}_{count}"
        self.fields[name] = kind
        self.frame_of[name] = frame
        self.steps.append(Step(frame, update.format(name)))
        return name

    def keep(self, name: str, code: str, frame: str) -> None:
        """Keep a value of the bar in the state."""
        if name not in self.fields:
            self.imports.add("Float64")
            self.fields[name] = "Float64(math.nan)"
            self.frame_of[name] = frame
            self.steps.append(Step(frame, f"s.{name} = {code}"))
