"""What pydantic found wrong, in words: where, what was expected, what is nearest."""

from __future__ import annotations

import copy
from typing import Any, NamedTuple

from pydantic import ValidationError

from tradectl.config.block import Block, names_of, written_name
from tradectl.config.checks import CONFLICTS, Conflict
from tradectl.config.models import RunConfig
from tradectl.config.paths import Loc, Shape, homes_of, shape_of
from tradectl.config.scalars import said
from tradectl.errors import nearest, nearest_of

__all__ = ["Problem", "validate"]

MAX_ROUNDS = 4  # each round mends what it can, so that the conflicts behind are found too


class Problem(NamedTuple):
    """One thing that is wrong: its location in the long form, the message, other locations it depends on.

    `at` is the character of the value that it is about; -1: all of it.
    """

    loc: Loc
    message: str
    related: tuple[Loc, ...] = ()
    at: int = -1


def validate(data: dict[str, Any]) -> tuple[RunConfig | None, list[Problem]]:
    """Return the models of normalised data, or everything that is wrong with it."""
    found: list[Problem] = []
    mended: list[Loc] = []  # what was told already; what follows from it is not told again
    for _ in range(MAX_ROUNDS):
        try:
            config = RunConfig.model_validate(data)
        except ValidationError as error:
            data = copy.deepcopy(data)
            clean = True
            mended += _misspelt(error, data)
            for item in error.errors(include_url=False):
                clean = clean and item["type"] == CONFLICTS
                fresh = [p for p in _explain(item) if not _touches(p, mended)]
                found += fresh
                if item["type"] != CONFLICTS:
                    mended.append(_mend(data, _loc_of(item), item["type"]))
            if clean:
                return None, found
        else:
            return (None if found else config), found
    return None, found


def _misspelt(error: ValidationError, data: Any) -> list[Loc]:
    """Return the absent keys that unknown keys were most likely meant to be."""
    meant: list[Loc] = []
    for item in error.errors(include_url=False):
        if item["type"] == "extra_forbidden":
            loc = _loc_of(item)
            name = nearest_of(str(loc[-1]), _names_at(loc[:-1]))
            meant += [(*loc[:-1], "strategies" if name == "strategy" else name)] if name else []
    return [loc for loc in meant if loc[-1] not in _value_at(data, loc[:-1])]


def _inner(holder: Any, part: str | int) -> Any:
    if isinstance(holder, list):
        return holder[int(part)]
    return holder.get(part) if isinstance(holder, dict) else None


def _value_at(data: Any, loc: Loc) -> Any:
    """Return the mapping at a location; an empty one where a short form stands."""
    for part in loc:
        data = _inner(data, part)
    return data if isinstance(data, dict) else {}


def _loc_of(item: Any) -> Loc:
    return tuple(part for part in item["loc"] if part != "[key]")


def _touches(problem: Problem, mended: list[Loc]) -> bool:
    """Return whether a problem may only be the echo of one that was already told."""
    return any(
        loc[: len(done)] == done or done[: len(loc)] == loc
        for loc in (problem.loc, *problem.related)
        for done in mended
        if loc
    )


def _explain(item: Any) -> list[Problem]:
    loc, kind = _loc_of(item), item["type"]
    if kind == CONFLICTS:
        conflicts: list[Conflict] = item["ctx"]["conflicts"]
        return [Problem(c.loc, c.message, c.related, c.at) for c in conflicts]
    if kind == "missing":
        return [Problem(loc, _missing(loc))]
    if kind == "extra_forbidden":
        return [Problem(loc, _unknown(loc))]
    if kind == "value_error":
        return [Problem(loc, str(item["ctx"]["error"]))]
    expected = {
        "dict_type": "expected a mapping of names to values",
        "tuple_type": "expected a list",
    }.get(kind, str(item["msg"]))
    return [Problem(loc, f"{expected}{_example(loc)}; got {said(item['input'])}")]


def _field_of(loc: Loc) -> Any:
    parent = shape_of(loc[:-1])
    if parent is None or parent.block is None:
        return None
    named = {written_name(name, field): field for name, field in parent.block.model_fields.items()}
    return named.get(str(loc[-1]))


def _example(loc: Loc) -> str:
    field = _field_of(loc)
    extra = field.json_schema_extra if field is not None else None
    if not isinstance(extra, dict) or "examples" not in extra:
        return ""
    return f", e.g. {loc[-1]}: {_flow(extra['examples'][0])}"


def _flow(value: Any) -> str:
    """Return a value as it is written in one line of YAML."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name}: {_flow(inner)}" for name, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_flow, value)) + "]"
    return str(value)


def _missing(loc: Loc) -> str:
    field = _field_of(loc)
    doc = f" ({field.description})" if field is not None and field.description else ""
    example = (
        ", e.g. strategy: {path: ../strategies/sma_cross.py}" if loc == ("strategies",) else _example(loc)
    )
    return f"this key is required{doc}{example}"


def _unknown(loc: Loc) -> str:
    word = str(loc[-1])
    said_so = nearest(word, _names_at(loc[:-1]), limit=40)
    homes = [] if said_so.startswith("did you mean") else homes_of(word)
    elsewhere = f"did you mean {' or '.join(homes[:3])}? " if homes else ""
    return f"unknown key {word!r}; {elsewhere}{said_so}"


def _names_at(loc: Loc) -> list[str]:
    """Return the keys of the block at a location."""
    shape = shape_of(loc)
    block: type[Block] = shape.block if shape is not None and shape.block is not None else RunConfig
    return names_of(block) + (["strategy"] if block is RunConfig else [])


def _mend(data: Any, loc: Loc, kind: str) -> Loc:
    """Remove a wrong value, or fill in a missing one by its example; return the location touched."""
    holder: Any = data
    for part in loc[:-1]:
        inner = _inner(holder, part)
        if not isinstance(inner, (dict, list)):  # a short form, or an empty block
            if kind == "missing" and inner is None:
                inner = {}
                holder[part] = inner
            else:
                return _mend(data, loc[:-1], kind)
        holder = inner
    if not loc or not isinstance(holder, (dict, list)):
        return loc
    if isinstance(holder, list):
        if Shape(getattr(shape_of(loc[:-1]), "item", None)).kind == "block":
            holder[int(loc[-1])] = {}
            return loc
        return _mend(data, loc[:-1], kind)
    if kind != "missing":
        holder.pop(loc[-1], None)
        return loc
    field = _field_of(loc)
    extra = field.json_schema_extra if field is not None else None
    if isinstance(extra, dict) and extra.get("examples"):
        holder[loc[-1]] = copy.deepcopy(extra["examples"][0])
    return loc
