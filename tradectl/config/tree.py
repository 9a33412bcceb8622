"""The values of one configuration while it is put together from file, environment and options."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from tradectl.config.models import RunConfig, normalised
from tradectl.config.paths import Loc, dotted, open_path, parse_dotted
from tradectl.config.problems import Problem
from tradectl.config.yamltext import Place, YamlText, parse_value
from tradectl.errors import ConfigError

__all__ = ["Provenance", "Tree"]

ENV_PREFIX = "TRADECTL__"
DEFAULT = "default"


class Provenance(str):
    """Where a value came from: `configs/x.yaml:12`, `--set KEY`, `env NAME` or `default`."""

    __slots__ = ("line",)
    line: int  # in the file; 0 for the other origins

    def __new__(cls, text: str, line: int = 0) -> Provenance:
        """Make the text and remember its line."""
        made = super().__new__(cls, text)
        made.line = line
        return made


class Tree:
    """The values of one configuration in their long form, and where each was written."""

    def __init__(self, name: str, found: YamlText) -> None:
        self.name = name
        self.told: list[tuple[int, str]] = []  # line (or a number beyond all lines) and message
        self.origins: dict[Loc, Provenance] = {}
        self.starts: dict[Loc, Place] = {}  # where the texts of the file begin
        raw = found.data
        self.short = self._short_forms(raw)
        for loc, place, message in found.mistakes:
            self._add(place.line, f"{name}:{place.line}", dotted(loc), message)
        if not isinstance(raw, dict):
            self.data: dict[str, Any] = {}
            self._not_a_mapping(raw, found.places)
        if "strategy" in raw and "strategies" in raw:
            line = found.places[("strategy",)].line
            text = "give either `strategy` (short for a list of one) or `strategies`, not both"
            self._add(line, f"{name}:{line}", "strategy", text)
            raw.pop("strategy")
        for loc, place in found.places.items():
            origin = Provenance(f"{name}:{place.line}", place.line)
            self.origins[self._long(loc)] = origin
            if len(loc) == 1 and loc in self.short.values():
                self.origins[self._long(loc)[:1]] = origin  # the list itself
        self.starts = {self._long(loc): place for loc, place in found.starts.items() if loc}
        self.data = normalised(raw)

    def _not_a_mapping(self, raw: Any, places: dict[Loc, Place]) -> None:
        keys = "expected keys such as `strategy:` and `data:`"
        if raw is None:
            raise ConfigError(f"{self.name}:1: the file is empty; {keys}")
        line = min((place.line for place in places.values()), default=1)
        what = "a list" if isinstance(raw, list) else f"the text {str(raw)[:40]!r}"
        hint = (
            " (a colon needs a blank after it: `key: value`)"
            if ":" in str(raw) and isinstance(raw, str)
            else ""
        )
        raise ConfigError(f"{self.name}:{line}: {keys}; got {what}{hint}")

    @staticmethod
    def _short_forms(raw: Any) -> dict[str, tuple[str, ...]]:
        """Return how the lists of blocks are written: `strategies` → (`strategy`,) where it has no index."""
        short: dict[str, tuple[str, ...]] = {}
        if isinstance(raw, dict):
            if "strategies" not in raw and "strategy" in raw:
                short["strategies"] = ("strategy",)
            elif "strategies" in raw and not isinstance(raw["strategies"], list):
                short["strategies"] = ("strategies",)
            if not isinstance(raw.get("data", []), list):
                short["data"] = ("data",)
        return short

    def _long(self, loc: Loc) -> Loc:
        """Return the location in the long form: `strategy.path` is `strategies[0].path`."""
        for name, (written,) in self.short.items():
            if loc[0] == written:
                return (name, 0, *loc[1:])
        return loc

    def written(self, loc: Loc) -> str:
        """Return the location as the user wrote it, or would write it in this file."""
        if loc and loc[0] in self.short and (len(loc) == 1 or loc[1] == 0):
            return dotted((*self.short[str(loc[0])], *loc[2:]))
        return dotted(loc)

    def _put(self, loc: Loc, value: Any, origin: Provenance) -> None:
        holder: Any = self.data
        for part in loc[:-1]:
            holder = holder[part]
        holder[loc[-1]] = value
        for known in [known for known in self.origins if known[: len(loc)] == loc]:
            del self.origins[known]
        self.origins[loc] = origin
        self._normalise_again(loc)

    def _normalise_again(self, loc: Loc) -> None:
        if loc in (("strategies",), ("data",)):
            self.data = normalised(self.data)
            self.short.pop(str(loc[0]), None)

    def _apply(self, parts: Loc, value: Any, origin: Provenance, *, fold: bool = False) -> None:
        try:
            if len(parts) == 1 and parts[0] == "strategy":
                self._put(("strategies",), [value], origin)
                return
            for loc in open_path(parts, self.data, fold=fold):
                self._put(loc, value, origin)
        except ValueError as error:
            self._add(0, str(origin), "", str(error))

    def apply_env(self, env: Mapping[str, str]) -> None:
        """Apply `TRADECTL__EXECUTION__PARTICIPATION=0.5` and its like, in the order of their names."""
        for name in sorted(env):
            if not name.upper().startswith(ENV_PREFIX):
                continue
            origin = Provenance(f"env {name}")
            try:
                parts = tuple(name[len(ENV_PREFIX) :].split("__"))
                if not all(parts):
                    raise ValueError(
                        "expected keys joined by two underscores, e.g. TRADECTL__EXECUTION__FILL_AT"
                    )
                self._apply(parts, parse_value(env[name]), origin, fold=True)
            except ValueError as error:
                self._add(0, str(origin), "", str(error))

    def apply_sets(self, sets: Iterable[str]) -> None:
        """Apply `KEY=YAML` texts; a later one wins."""
        for text in sets:
            name, equals, value = text.partition("=")
            origin = Provenance(f"--set {name.strip()}")
            try:
                if not equals:
                    raise ValueError(f"expected KEY=VALUE, e.g. --set execution.fill_at=close; got {text!r}")
                self._apply(parse_dotted(name.strip()), parse_value(value), origin)
            except ValueError as error:
                self._add(0, str(origin), "", str(error))

    def apply_overrides(self, overrides: Mapping[str, Any]) -> None:
        """Apply values of a command's own options by dotted key; None means not given."""
        for name, value in overrides.items():
            if value is not None:
                self._apply(parse_dotted(name), value, Provenance(f"option {name}"))

    def _origin(self, loc: Loc) -> Provenance:
        """Return where a value, or the nearest mapping around it, was written."""
        for length in range(len(loc), 0, -1):
            if loc[:length] in self.origins:
                return self.origins[loc[:length]]
        return Provenance(f"{self.name}:1", 1)

    def tell(self, problems: Iterable[Problem]) -> None:
        """Take note of what validation found, at the line that the user has to change."""
        for problem in problems:
            places = [loc for loc in (problem.loc, *problem.related) if loc in self.origins]
            origin = self._origin(places[0] if places else problem.loc)
            where = str(origin)
            start = self.starts.get(problem.loc)
            if problem.at >= 0 and origin.line and start is not None and problem.loc in places:
                where = f"{self.name}:{start.line}:{start.column + problem.at}"
            self._add(origin.line, where, self.written(problem.loc), problem.message)

    def _add(self, line: int, where: str, key: str, message: str) -> None:
        self.told.append((line or 10**9, f"{where}: {key}: {message}" if key else f"{where}: {message}"))

    def message(self) -> str:
        """Return every problem on a line of its own, in the order of the file."""
        lines = [text for _, text in sorted(self.told, key=lambda one: one[0])]
        return "\n".join(dict.fromkeys(lines))

    def sources(self, config: RunConfig) -> dict[str, Provenance]:
        """Return dotted key → origin for every value of a resolved configuration."""
        found: dict[str, Provenance] = {}

        def visit(value: Any, raw: Any, loc: Loc, origin: Provenance) -> None:
            origin = self.origins.get(loc, origin)
            if isinstance(value, dict) and (value or not loc):
                for name, inner in value.items():
                    if inner is not None:
                        there = raw.get(name) if isinstance(raw, dict) else raw
                        visit(
                            inner, there, (*loc, name), origin if there is not None else Provenance(DEFAULT)
                        )
            elif isinstance(value, tuple) and value and isinstance(value[0], dict):
                for index, inner in enumerate(value):
                    there = raw[index] if isinstance(raw, list) and index < len(raw) else raw
                    visit(inner, there, (*loc, index), origin)
            else:
                found[dotted(loc)] = origin

        visit(config.model_dump(by_alias=True), self.data, (), Provenance(DEFAULT))
        return found
