"""The JSON Schema and the reference: from the models, complete, true to what loading accepts."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import Any

import pytest

from tests.unit.config.test_config_bad import CASES, GOOD
from tests.unit.config.test_config_load import EXAMPLE, SHORT, WIDE
from tradectl.config import json_schema, load_text, reference_markdown
from tradectl.config.block import Block, names_of
from tradectl.config.data import FaultActions
from tradectl.config.models import RunConfig
from tradectl.config.paths import Shape, annotation_of, dotted, parse_dotted
from tradectl.config.yamltext import read_yaml
from tradectl.core import codes


def plain(text: str) -> Any:
    """What an editor sees: JSON values of the YAML text."""
    return json.loads(json.dumps(read_yaml(text).data, default=float))


def mistakes(value: Any, schema: dict[str, Any], root: dict[str, Any], at: str = "") -> list[str]:
    """A validator of the few keywords that the schema uses, by hand; returns where the value breaks it."""
    if "$ref" in schema:
        return mistakes(value, root["$defs"][schema["$ref"].rpartition("/")[2]], root, at)
    found: list[str] = []
    for word, enough in (("anyOf", any), ("oneOf", lambda hits: sum(hits) == 1)):
        if word in schema and not enough([not mistakes(value, one, root, at) for one in schema[word]]):
            found.append(f"{at}: {word}")
    kinds = schema.get("type", [])
    kinds = [kinds] if isinstance(kinds, str) else kinds
    tests = {
        "object": isinstance(value, dict),
        "array": isinstance(value, list),
        "string": isinstance(value, str),
        "boolean": isinstance(value, bool),
        "null": value is None,
        "integer": isinstance(value, int) and not isinstance(value, bool),
        "number": isinstance(value, (int, float)) and not isinstance(value, bool),
    }
    if kinds and not any(tests[kind] for kind in kinds):
        return [*found, f"{at}: type"]
    if isinstance(value, dict):
        found += [f"{at}.{name}: required" for name in schema.get("required", []) if name not in value]
        for name, inner in value.items():
            rest = schema.get("additionalProperties", {})
            part = schema.get("properties", {}).get(name, rest)
            found += (
                [f"{at}.{name}: unknown"] if part is False else mistakes(inner, part, root, f"{at}.{name}")
            )
    if isinstance(value, list):
        for index, inner in enumerate(value):
            found += mistakes(inner, schema.get("items", {}), root, f"{at}[{index}]")
        found += [f"{at}: minItems"] if len(value) < schema.get("minItems", 0) else []
    if isinstance(value, str) and "pattern" in schema and not re.search(schema["pattern"], value):
        found.append(f"{at}: pattern")
    if tests["number"]:
        found += [f"{at}: minimum"] if value < schema.get("minimum", value) else []
        found += [f"{at}: maximum"] if value > schema.get("maximum", value) else []
        found += [f"{at}: exclusiveMinimum"] if value <= schema.get("exclusiveMinimum", value - 1) else []
    found += [f"{at}: enum"] if value not in schema.get("enum", [value]) else []
    return found + ([f"{at}: const"] if value != schema.get("const", value) else [])


@pytest.mark.parametrize("text", [EXAMPLE, SHORT, WIDE])
def test_schema_accepts_good_files(text: str) -> None:
    schema = json_schema()
    assert mistakes(plain(text), schema, schema) == []
    assert mistakes(load_text(text).resolved(), schema, schema) == []


@pytest.mark.parametrize(
    "name",
    [
        "unknown root key", "unknown nested key", "wrong choice", "participation of zero", "fee in percent",
        "fees of a number", "drawdown above one", "sizing half given", "tick of zero", "seed negative",
        "yes for true", "both strategy forms", "mapping as a value", "on_strategy_error",
        "duration without unit", "another library's unit",
    ],
)  # fmt: skip
def test_schema_refuses_bad_files(name: str) -> None:
    schema = json_schema()
    assert mistakes(plain(GOOD + CASES[name][0] + "\n"), schema, schema) != []


def test_schema_with_an_independent_validator() -> None:
    jsonschema = pytest.importorskip("jsonschema", reason="the package jsonschema is not installed")
    schema = json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    for text in (EXAMPLE, SHORT, WIDE):
        assert list(validator.iter_errors(plain(text))) == []


def blocks_of(block: type[Block], seen: set[type[Block]]) -> set[type[Block]]:
    seen.add(block)
    for name in names_of(block):
        shape = Shape(annotation_of(block, name))
        inner = Shape(shape.item) if shape.item is not None else shape
        if inner.block is not None and inner.block not in seen:
            blocks_of(inner.block, seen)
    return seen


def test_every_key_is_described() -> None:
    text = reference_markdown()
    schema = json_schema()
    for block in blocks_of(RunConfig, set()):
        assert block.__doc__
        for name, field in block.model_fields.items():
            assert field.description, (block, name)
            if field.is_required():
                assert isinstance(field.json_schema_extra, dict)
                assert field.json_schema_extra["examples"], (block, name)
        for name in names_of(block):
            assert f"| `{name}` |" in text
        if block is not RunConfig:
            assert set(schema["$defs"][block.__name__]["properties"]) == set(names_of(block))
    assert json.loads(json.dumps(schema)) == schema
    assert all(line.count("|") in (0, 5) for line in text.splitlines())


def test_examples_of_the_schema_are_valid() -> None:
    schema = json_schema()
    for name, block in {"": schema, **schema["$defs"]}.items():
        for key, part in block["properties"].items():
            for example in part.get("examples", []):
                assert mistakes(example, part, schema) == [], (name, key)


def test_schema_needs_no_earlier_load() -> None:
    code = (
        "from tradectl.config import json_schema as j; print(j()['$defs']['Execution']['properties']['path'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert "adaptive" in done.stdout


@pytest.mark.parametrize(
    "loc",
    [
        ("a",),
        ("data", 0, "from"),
        ("instruments", "BRK.B", "tick_size"),
        ("instruments", "X:BTC/USD", "alias"),
    ],
)
def test_dotted_keys_are_read_back(loc: tuple[str | int, ...]) -> None:
    assert parse_dotted(dotted(loc)) == loc


def test_faults_are_those_of_history() -> None:
    history = pytest.importorskip("tradectl.history.model", reason="the history unit is not there")
    for fault, actions in history.ACTIONS.items():
        shape = Shape(annotation_of(FaultActions, fault))
        assert shape.scalar is not None
        assert set(shape.scalar.choices) == set(actions), fault  # type: ignore[attr-defined]
        assert FaultActions.model_fields[fault].default == actions[0], fault
    assert set(names_of(FaultActions)) == set(history.ACTIONS)


def test_choices_are_those_of_the_engine() -> None:
    pairs = (
        ("execution", "fill_at", codes.FillAt),
        ("execution", "path", codes.PathRule),
        ("account", "type", codes.AccountType),
        ("risk", "on_breach", codes.Breach),
        ("sizing", "method", codes.SizingMethod),
    )
    for block, key, enum in pairs:
        inner = Shape(annotation_of(RunConfig, block)).block
        assert inner is not None
        scalar = Shape(annotation_of(inner, key)).scalar
        assert scalar is not None
        assert scalar.choices == tuple(member.name.lower() for member in enum)  # type: ignore[attr-defined]
