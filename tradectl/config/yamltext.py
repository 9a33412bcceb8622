"""YAML text → plain data with the line of every key; numbers keep their text's exact value.

Narrower than PyYAML's own rules: only `true` and `false` are truth values (ON and NO are stocks), numbers
with a point become exact decimals, dates and clock times stay text, and a repeated key is a mistake.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any, ClassVar, NamedTuple

import yaml

from tradectl.config.paths import Loc, dotted

__all__ = ["Place", "YamlMistake", "YamlText", "parse_value", "read_yaml"]

MAX_NODES = 200_000  # values in a file, aliases expanded: far beyond need, stops an alias bomb
MAX_DEPTH = 40
_TAG = "tag:yaml.org,2002:"
_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_Base):  # type: ignore[misc]
    """The safe loader with our own rules for plain words."""

    yaml_implicit_resolvers: ClassVar[dict[str, Any]] = {}


_PLAIN_TAGS = {_TAG + name for name in ("map", "seq", "str", "null", "bool", "int", "float", "timestamp")}
_EXPONENT = "(?:[eE][-+]?[0-9]+)"
_FLOAT = rf"[-+]?(?:[0-9][0-9_]*\.[0-9_]*|\.[0-9]+){_EXPONENT}?|[-+]?[0-9]+{_EXPONENT}"
_RULES = (
    ("merge", r"<<", "<"),
    ("null", r"~|null|Null|NULL|", "~nN\0"),
    ("bool", r"true|True|false|False", "tTfF"),
    ("int", r"[-+]?(?:0|[1-9][0-9_]*|0x[0-9a-fA-F]+)", "-+0123456789"),
    ("float", _FLOAT, "-+.0123456789"),
)  # fmt: skip
for _name, _pattern, _first in _RULES:
    _Loader.add_implicit_resolver(
        _TAG + _name, re.compile(f"^(?:{_pattern})$"), list(_first.replace("\0", ""))
    )
    if "\0" in _first:
        _Loader.add_implicit_resolver(_TAG + _name, re.compile(f"^(?:{_pattern})$"), [""])


class Place(NamedTuple):
    """Line and column of a key or list item, from 1."""

    line: int
    column: int


NOWHERE = Place(0, 0)


class YamlMistake(Exception):
    """A text that is no usable YAML: line and column (0: the whole text), message and a caret picture."""

    def __init__(self, message: str, place: Place = NOWHERE, picture: str = "") -> None:
        super().__init__(message)
        self.message, self.place, self.picture = message, place, picture


class YamlText:
    """What `read_yaml` found: `data`, the `places` of its keys, `mistakes` that did not stop the reading."""

    def __init__(self) -> None:
        self.data: Any = None
        self.places: dict[Loc, Place] = {}
        self.starts: dict[Loc, Place] = {}  # where the texts begin that stand in one line
        self.mistakes: list[tuple[Loc, Place, str]] = []
        self._nodes = 0

    def build(self, node: yaml.Node, loc: Loc) -> Any:
        """Return the plain value of a node and record the places of its keys."""
        self._nodes += 1
        if self._nodes > MAX_NODES or len(loc) > MAX_DEPTH:
            raise YamlMistake(
                "too many or too deeply nested values (an alias that contains itself?)", _place(node)
            )
        if node.tag not in _PLAIN_TAGS:
            tag = node.tag.replace(_TAG, "!!")
            text = f"tags such as {tag!r} are not read here; write plain values"
            self.mistakes.append((loc, _place(node), text))
        if isinstance(node, yaml.MappingNode):
            made: dict[str, Any] = {}
            self._fill(made, node, loc, merged=False)
            return made
        if isinstance(node, yaml.SequenceNode):
            rows = []
            for index, item in enumerate(node.value):
                self.places[(*loc, index)] = _place(item)
                rows.append(self.build(item, (*loc, index)))
            return rows
        style = getattr(node, "style", None)
        if node.start_mark.line == node.end_mark.line and style not in ("|", ">"):
            self.starts[loc] = Place(node.start_mark.line + 1, node.start_mark.column + 1 + (style in ("'", '"')))
        return self._scalar(node, loc)

    def _fill(self, made: dict[str, Any], node: yaml.MappingNode, loc: Loc, *, merged: bool) -> None:
        """Add the keys of a mapping node; keys of `<<: *anchor` never replace written ones."""
        if merged and len(loc) > MAX_DEPTH:
            raise YamlMistake("an alias contains itself", _place(node))
        merges = []
        own: set[str] = set()
        _refuse_cut_text(node)
        for key_node, value_node in node.value:
            place = _place(key_node)
            if key_node.tag == _TAG + "merge":
                merges.append(value_node)
                continue
            if not isinstance(key_node, yaml.ScalarNode):
                self.mistakes.append(
                    (loc, place, "expected a plain key, e.g. `name:`; got a list or mapping as key")
                )
                continue
            name = str(key_node.value)
            if name in own:
                first = self.places[(*loc, name)].line
                self.mistakes.append(((*loc, name), place, f"the key stands twice; first in line {first}"))
                continue
            own.add(name)
            if merged and name in made:
                continue
            self.places[(*loc, name)] = place
            made[name] = self.build(value_node, (*loc, name))
        for value_node in merges:
            for source in value_node.value if isinstance(value_node, yaml.SequenceNode) else [value_node]:
                if not isinstance(source, yaml.MappingNode):
                    raise YamlMistake("expected `<<: *anchor` of a mapping", _place(source))
                self._nodes += 1
                if self._nodes > MAX_NODES or source is node:
                    raise YamlMistake("an alias contains itself", _place(source))
                self._fill(made, source, loc, merged=True)

    def _scalar(self, node: yaml.Node, loc: Loc) -> Any:
        kind, text = node.tag.removeprefix(_TAG), str(node.value)
        if kind in ("null", "bool"):
            return None if kind == "null" else text in ("true", "True")
        try:
            if kind == "int":
                return int(text.replace("_", ""), 0)
            if kind == "float":
                return Decimal(text.replace("_", ""))
        except (ValueError, ArithmeticError):  # an explicit tag, or thousands of digits
            self.mistakes.append((loc, _place(node), f"expected a number; got {text[:40]!r}"))
        return text


def _refuse_cut_text(node: yaml.MappingNode) -> None:
    """Raise YamlMistake for a text within { } that a comma cut in two: `{entry: sma(close, 10) > 5}`."""
    for index, (key, value) in enumerate(node.value[:-1] if node.flow_style else ()):
        if not _is_open(value) or not _is_nothing(node.value[index + 1][1]):
            continue
        text = str(value.value)
        for later, nothing in node.value[index + 1 :]:
            if not _is_nothing(nothing) or text.count("(") <= text.count(")"):
                break
            text += f", {later.value}"
        mark = value.end_mark
        message = (
            f"not valid YAML: within {{ }} the comma ends the text {str(value.value)!r}; "
            f'put the whole text in quotes: {key.value}: "{text}"'
        )
        raise YamlMistake(message, Place(mark.line + 1, mark.column + 1))


def _is_open(node: yaml.Node) -> bool:
    """Tell whether a node is a plain text with a parenthesis that it does not close."""
    is_plain = isinstance(node, yaml.ScalarNode) and node.style not in ("'", '"', "|", ">")
    return is_plain and str(node.value).count("(") > str(node.value).count(")")


def _is_nothing(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and node.value == "" and node.style not in ("'", '"', "|", ">")


def _place(node: yaml.Node) -> Place:
    return Place(node.start_mark.line + 1, node.start_mark.column + 1)


def picture(text: str, place: Place) -> str:
    """Return the line at `place` with a caret under its column."""
    lines = text.splitlines()
    if not 1 <= place.line <= len(lines):
        return ""
    line = lines[place.line - 1]
    shown = line.replace("\t", "→")
    return f"    {shown[:120]}\n    {' ' * min(place.column - 1, 119)}^"


def _advice(text: str, place: Place, problem: str) -> str:
    """Return what most often leads to this complaint of the YAML parser, for what stands in the line."""
    lines = text.splitlines() or [""]
    near = lines[max(0, place.line - 2) : place.line + 1]
    if any("\t" in line[: len(line) - len(line.lstrip())] for line in near) or "\\t" in problem:
        return "YAML is indented with spaces; replace the tab (shown as →)"
    if any(re.match(r"\s*[A-Za-z_]+:[^\s/]", line) for line in near):
        return "a colon needs a blank after it: `key: value`"
    if "mapping values are not allowed" in problem:
        return "check the indentation, or put a text that contains `: ` in quotes"
    line = lines[min(place.line, len(lines)) - 1]
    if "expected ',' or" in problem and re.search(r"[\w)]\[", line):
        return "within { } put a text that contains [ ] { } or a comma in quotes"
    if "flow" in problem or "expected ',' or" in problem:
        return "check that each { [ has its } ] and that items are separated by commas"
    if "quoted scalar" in problem:
        return "a quote is not closed"
    if "undefined alias" in problem:
        return "an alias `*name` needs an anchor `&name` before it"
    if "block mapping" in problem:
        return "check the indentation: keys of one block start in the same column"
    return ""


def read_yaml(text: str) -> YamlText:
    """Return the data of a YAML text with the places of its keys; YamlMistake if it is no YAML."""
    found = YamlText()
    try:
        loader = _Loader(text)
        try:
            node = loader.get_single_node()
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        begin = error.context_mark
        mark = error.problem_mark or begin
        if begin is not None and mark is not None and mark.line >= len(text.splitlines()):
            mark = begin  # the text ended: where the unclosed thing begins says more
        place = Place(mark.line + 1, mark.column + 1) if mark is not None else Place(0, 0)
        problem = error.problem or error.context or "unreadable"
        if "single document" in (error.context or ""):
            raise YamlMistake("expected one document; got a second one after `---`", place) from None
        advice = _advice(text, place, f"{error.context or ''} {problem}")
        earlier = begin is not None and begin.line + 1 < place.line
        since = f" {error.context} in line {begin.line + 1}" if begin is not None and earlier else ""
        message = f"not valid YAML: {problem}{since}" + (f" ({advice})" if advice else "")
        raise YamlMistake(message, place, picture(text, place)) from None
    except yaml.YAMLError as error:  # the reader: a character that YAML does not allow
        where = getattr(error, "position", 0)
        before = text[:where]
        place = Place(before.count("\n") + 1, where - (before.rfind("\n") + 1) + 1)
        raise YamlMistake(
            "not valid YAML: a control character that no text file should hold", place
        ) from None
    if node is not None:
        try:
            found.data = found.build(node, ())
        except YamlMistake as mistake:
            mistake.picture = picture(text, mistake.place)
            raise
    return found


def parse_value(text: str) -> Any:
    """Return the value of one `--set` or environment text, read as YAML; ValueError if it is none."""
    try:
        found = read_yaml(text)
    except YamlMistake as mistake:
        raise ValueError(f"{mistake.message}; got {text!r}") from None
    if found.mistakes:
        loc, _, message = found.mistakes[0]
        raise ValueError(f"{dotted(loc)}: {message}")
    return found.data
