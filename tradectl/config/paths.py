"""Dotted keys (`data[0].from`, `instruments[BRK.B].tick_size`) and the walk along them through the models."""

from __future__ import annotations

import re
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from tradectl.config.block import Block, names_of, written_name
from tradectl.config.models import RunConfig
from tradectl.config.scalars import OneOf, Scalar
from tradectl.errors import nearest

__all__ = ["Loc", "Shape", "annotation_of", "dotted", "homes_of", "open_path", "parse_dotted", "shape_of"]

Loc = tuple[str | int, ...]
_PART = re.compile(r"\.?([^.\[\]]+)|\[([^\[\]]+)\]")


def dotted(loc: Loc) -> str:
    """Return a location as text; keys that hold a dot or bracket stand in brackets."""
    text = ""
    for part in loc:
        if isinstance(part, int) or re.search(r"[.\[\]]", part):
            text += f"[{part}]"
        else:
            text += f".{part}" if text else part
    return text


def parse_dotted(text: str) -> Loc:
    """Return the location that a text names; `[7]` is an index, `[BRK.B]` a key."""
    parts: list[str | int] = []
    end = 0
    while end < len(text):
        match = _PART.match(text, end)
        if match is None or (end == 0 and text[0] == "."):
            raise ValueError(
                f"expected keys joined by dots, e.g. execution.fill_at or data[0].from; got {text!r}"
            )
        name, inner = match.groups()
        parts.append(name if name is not None else int(inner) if inner.isdigit() else inner)
        end = match.end()
    if not parts:
        raise ValueError("expected a key, e.g. execution.fill_at")
    return tuple(parts)


class Shape:
    """What an annotation allows: a `block`, a `rows` of items, a `table` of named items, or a `scalar`."""

    def __init__(self, annotation: Any) -> None:
        self.optional = False
        self.scalar: Scalar | None = None
        while True:
            origin = get_origin(annotation)
            if origin is Annotated:
                self.scalar = next((m for m in annotation.__metadata__ if isinstance(m, Scalar)), self.scalar)
                annotation = get_args(annotation)[0]
            elif origin in (Union, UnionType):
                self.optional = True
                annotation = next(part for part in get_args(annotation) if part is not type(None))
            else:
                break
        if isinstance(self.scalar, OneOf):
            self.scalar.choices = get_args(annotation)
        self.block: type[Block] | None = None
        self.item: Any = None
        if isinstance(annotation, type) and issubclass(annotation, Block):
            self.kind, self.block = "block", annotation
        elif origin is tuple:
            self.kind, self.item = "rows", get_args(annotation)[0]
        elif origin is dict:
            self.kind, self.item = "table", get_args(annotation)[1]
        else:
            self.kind = "scalar"


def annotation_of(block: type[Block], name: str) -> Any:
    """Return the whole annotation of a key, as written in YAML; KeyError where there is none."""
    for attribute, field in block.model_fields.items():
        if written_name(attribute, field) == name:
            if not field.metadata:
                return field.annotation
            return Annotated[(field.annotation, *field.metadata)]  # pydantic has taken it apart
    raise KeyError(name)


def shape_of(loc: Loc) -> Shape | None:
    """Return what stands at a location in its long form, or None where nothing can."""
    shape = Shape(RunConfig)
    for part in loc:
        if shape.kind == "block" and shape.block is not None:
            try:
                shape = Shape(annotation_of(shape.block, str(part)))
            except KeyError:
                return None
        elif shape.kind in ("rows", "table"):
            shape = Shape(shape.item)
        else:
            return None
    return shape


def homes_of(name: str) -> list[str]:
    """Return where else in a configuration a key of this name stands, in short form."""
    found: list[str] = []

    def visit(block: type[Block], prefix: str) -> None:
        for key in names_of(block):
            if key == name:
                found.append(f"{prefix}.{key}" if prefix else key)
            shape = Shape(annotation_of(block, key))
            inner = Shape(shape.item) if shape.item is not None else shape
            if inner.block is not None:
                label = (
                    "strategy" if key == "strategies" else f"{key}.<symbol>" if shape.kind == "table" else key
                )
                visit(inner.block, f"{prefix}.{label}" if prefix else label)

    visit(RunConfig, "")
    return found


def open_path(parts: Loc, data: dict[str, Any], *, fold: bool = False) -> list[Loc]:
    """Make the containers along `parts` in normalised `data`; return the full locations it stands for.

    A list of blocks may be named without an index where it has one element; `data` means all blocks.
    With `fold` names are matched without regard to case (environment variables). Raises ValueError.
    """
    shape = Shape(RunConfig)
    holders: list[tuple[Loc, Any]] = [((), data)]
    rest = list(parts)
    if rest[0] == "strategy" or (fold and str(rest[0]).lower() == "strategy"):
        rest[0] = "strategies"
    while rest:
        part = rest.pop(0)
        shape, part = _step(shape, part, holders[0], fold)
        if shape.kind == "rows" and rest and not isinstance(rest[0], int):
            if fold and str(rest[0]).isdigit():
                rest[0] = int(rest[0])
            else:
                holders = [_enter(loc, holder, part, list) for loc, holder in holders]
                holders, shape = _all_items(holders, shape), Shape(shape.item)
                part = rest.pop(0)
                shape, part = _step(shape, part, holders[0], fold)
        if not rest:
            return [(*loc, part) for loc, _ in holders]
        holders = [_enter(loc, holder, part, _maker(shape)) for loc, holder in holders]
    return []


def _maker(shape: Shape) -> Any:
    if shape.kind == "block" and shape.block is not None:
        return shape.block
    return {"rows": list, "table": dict, "scalar": str}[shape.kind]


def _step(shape: Shape, part: str | int, holder: tuple[Loc, Any], fold: bool) -> tuple[Shape, str | int]:
    """Return what stands below `shape` at `part`, and `part` as it is written; ValueError if nothing can."""
    loc, value = holder
    if shape.kind == "block" and shape.block is not None:
        names = names_of(shape.block)
        written = str(part).lower() if fold else str(part)
        if written not in names:
            raise ValueError(
                f"unknown key {part!r}{f' in {dotted(loc)}' if loc else ''}; {nearest(written, names, 40)}"
            )
        return Shape(annotation_of(shape.block, written)), written
    if shape.kind == "table":
        known = {str(key).lower(): str(key) for key in value} if fold and isinstance(value, dict) else {}
        written = known.get(str(part).lower(), str(part).lower()) if fold else str(part)
        return Shape(shape.item), written
    if shape.kind == "rows":
        count = len(value) if isinstance(value, list) else 0
        if not isinstance(part, int) or part >= count:
            raise ValueError(f"{dotted(loc)} has {count} item(s), counted from 0; there is none at {part}")
        return Shape(shape.item), part
    raise ValueError(f"{dotted(loc)} is a single value; it has no key {part!r} below it")


def _enter(loc: Loc, holder: Any, part: str | int, maker: Any) -> tuple[Loc, Any]:
    """Return the container at `holder[part]`, made or expanded from its short form where necessary."""
    there = holder[part] if isinstance(holder, list) and isinstance(part, int) else holder.get(part)
    if isinstance(maker, type) and issubclass(maker, Block):
        there = maker.as_mapping(there)
    elif maker is list and not isinstance(there, list):
        there = [] if there is None else [there]
    elif maker is dict and there is None:
        there = {}
    if isinstance(there, (dict, list)):
        holder[part] = there
    return (*loc, part), there


def _all_items(holders: list[tuple[Loc, Any]], shape: Shape) -> list[tuple[Loc, Any]]:
    """Return the blocks of a list that was named without an index."""
    (loc, rows), block = holders[0], Shape(shape.item).block
    if block is None:
        raise ValueError(
            f"{dotted(loc)} is a list; name an item, e.g. {dotted(loc)}[0], or set the whole list"
        )
    if len(rows) > 1 and loc != ("data",):
        places = ", ".join(f"{dotted(loc)}[{index}]" for index in range(len(rows)))
        raise ValueError(f"{dotted(loc)} has {len(rows)} elements; say which one: {places}")
    if not rows:
        rows.append({})
    for index, item in enumerate(rows):
        rows[index] = block.as_mapping(item)
    return [((*loc, index), item) for index, item in enumerate(rows)]
