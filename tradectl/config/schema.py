"""The JSON Schema of a configuration (for editors) and its reference (for readers), both from the models."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from pydantic.fields import FieldInfo

from tradectl.config.block import Block, written_name
from tradectl.config.models import RunConfig
from tradectl.config.paths import Shape, annotation_of
from tradectl.config.scalars import OneOf, Scalar, plain_number

__all__ = ["json_schema", "reference_markdown"]

DRAFT = "https://json-schema.org/draft/2020-12/schema"
SCHEMA_ID = "tradectl-config.schema.json"
_INTRODUCTION = (
    "# Configuration",
    "",
    "Generated from the models; do not edit.",
    "",
    "A run is one YAML file. Paths in it are relative to the file. Unknown and repeated keys are errors.",
    "Numbers are exact: `0.0001` is one ten-thousandth. Only `true` and `false` are truth values, so `ON`",
    "and `NO` can be symbols. Durations are a number with `ns us ms s m h d w`; bar lengths divide a day or",
    "are whole days; times are UTC unless they name a zone. A list of one may be written without brackets.",
    "",
    "A value is taken from `--set KEY=VALUE` (`strategy.params.fast=20`, `data[1].from=2018-01-01`), else",
    "the environment (`TRADECTL__EXECUTION__FILL_AT=close`), else the file, else its default;",
    "`tradectl config show` tells which it was.",
)


def _fields(block: type[Block]) -> list[tuple[str, FieldInfo, Shape]]:
    """Return the keys of a block as written, with what they hold."""
    named = ((written_name(name, field), field) for name, field in block.model_fields.items())
    return [(name, field, Shape(annotation_of(block, name))) for name, field in named]


def _doc_of(block: type[Block]) -> str:
    return (block.__doc__ or "").strip().splitlines()[0]


def _default_of(field: FieldInfo) -> Any:
    """Return the default as a plain YAML value; None where there is none."""
    if field.is_required() or field.default_factory is not None:
        return None
    value = field.default
    if isinstance(value, Decimal):
        return plain_number(value)
    if isinstance(value, tuple):
        return list(value)
    return str(value) if isinstance(value, str) else value


def _extra_of(field: FieldInfo) -> dict[str, Any]:
    return field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema (Draft 2020-12) of a configuration file, short forms included."""
    blocks: dict[str, Any] = {}
    root = _block_schema(RunConfig, blocks)
    properties = root["properties"]
    properties["strategy"] = {
        "description": "short for a `strategies` list of one",
        **_reference(Shape(annotation_of(RunConfig, "strategies")).item, blocks),
    }
    rows = properties["data"]
    rows["anyOf"] = [
        _reference(Shape(annotation_of(RunConfig, "data")).item, blocks),
        {"type": "array", **rows.pop("rows")},
    ]
    many = properties["strategies"]
    many |= {"type": "array", **many.pop("rows")}
    root["required"] = ["data"]
    root["oneOf"] = [{"required": ["strategy"]}, {"required": ["strategies"]}]
    return {"$schema": DRAFT, "$id": SCHEMA_ID, "title": "tradectl configuration", **root, "$defs": blocks}


def _block_schema(block: type[Block], blocks: dict[str, Any]) -> dict[str, Any]:
    properties: dict[str, Any] = {}
    required = []
    for name, field, shape in _fields(block):
        made: dict[str, Any] = {"description": _sentence(field)}
        made |= _value_schema(shape, blocks)
        default = _default_of(field)
        if default is not None:
            made["default"] = default
        if "examples" in _extra_of(field):
            made["examples"] = _extra_of(field)["examples"]
        if field.is_required():
            required.append(name)
        properties[name] = made
    schema: dict[str, Any] = {"description": _doc_of(block), "type": "object", "properties": properties}
    if required:
        schema["required"] = required
    return schema | {"additionalProperties": False}


def _reference(annotation: Any, blocks: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of one item: a reference to its block (or the block's short text), or a scalar."""
    shape = Shape(annotation)
    if shape.block is None:
        return shape.scalar.schema() if shape.scalar is not None else {}
    name = shape.block.__name__
    if name not in blocks:
        blocks[name] = {}  # holds the place while its own blocks are written
        blocks[name] = _block_schema(shape.block, blocks)
    reference = {"$ref": f"#/$defs/{name}"}
    kind = {"text": "string"}.get(shape.block.short_kind, shape.block.short_kind)
    return {"anyOf": [reference, {"type": kind}]} if shape.block.short_key else reference


def _value_schema(shape: Shape, blocks: dict[str, Any]) -> dict[str, Any]:
    if shape.kind == "block":
        inner = _reference(shape.block, blocks)
        choices = inner.get("anyOf", [inner])
        return {"anyOf": [*choices, {"type": "null"}]}
    if shape.kind == "rows":
        item = _reference(shape.item, blocks)
        if Shape(shape.item).block is not None:
            return {"rows": {"items": item, "minItems": 1}}  # the root writes its short forms around it
        nothing = [{"type": "null"}] if shape.optional else []
        return {"anyOf": [{"type": "array", "items": item}, item, *nothing]}
    if shape.kind == "table":
        made = {"type": "object", "additionalProperties": _reference(shape.item, blocks)}
        return {"anyOf": [made, {"type": "null"}]} if shape.optional else made
    scalar = shape.scalar.schema() if shape.scalar is not None else {}
    return {"anyOf": [*scalar.get("anyOf", [scalar]), {"type": "null"}]} if shape.optional else scalar


def _sentence(field: FieldInfo) -> str:
    unit = _extra_of(field).get("unit", "")
    return f"{field.description}{f' ({unit})' if unit else ''}"


def reference_markdown() -> str:
    """Return `docs/configuration.md`: a table of keys per block."""
    lines = list(_INTRODUCTION)
    _add_block(lines, RunConfig, "", set())
    return "\n".join(lines) + "\n"


def _add_block(lines: list[str], block: type[Block], prefix: str, done: set[type[Block]]) -> None:
    """Append the table of a block, then those of the blocks in it that have not had theirs."""
    done.add(block)
    title = f"`{prefix}`" if prefix else "The file"
    lines += [
        "",
        f"## {title}",
        "",
        _doc_of(block),
        "",
        "| key | value | default | meaning |",
        "|---|---|---|---|",
    ]
    inner: list[tuple[type[Block], str]] = []
    for name, field, shape in _fields(block):
        lines.append(
            f"| `{name}` | {_value_words(shape)} | {_default_words(field, shape)} | {_sentence(field)} |"
        )
        item = Shape(shape.item) if shape.item is not None else shape
        if item.block is not None and item.block not in done:
            tail = "[]" if shape.kind == "rows" else ".<name>" if shape.kind == "table" else ""
            inner.append((item.block, f"{prefix}.{name}{tail}" if prefix else f"{name}{tail}"))
    for child, place in inner:
        if child not in done:
            _add_block(lines, child, place, done)


def _value_words(shape: Shape) -> str:
    if shape.kind == "block":
        short = shape.block is not None and shape.block.short_key
        return f"mapping, or short {shape.block.short_kind}" if short and shape.block else "mapping"
    if shape.kind == "rows":
        return f"{_value_words(Shape(shape.item))}, or a list"
    if shape.kind == "table":
        return f"name → {_value_words(Shape(shape.item))}"
    return _scalar_words(shape.scalar) if shape.scalar is not None else "value"


def _scalar_words(scalar: Scalar) -> str:
    if isinstance(scalar, OneOf):
        return " · ".join(f"`{choice}`" for choice in scalar.choices)
    return scalar.words.replace(">=", "≥").replace("<=", "≤").replace("|", "\\|")


def _default_words(field: FieldInfo, shape: Shape) -> str:
    if field.is_required():
        return "**required**"
    default = _default_of(field)
    if default is None or default == []:
        return "each key's own" if field.default_factory is not None and shape.kind == "block" else "—"
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"
