"""The syntax tree of an expression, and its way back to text."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

__all__ = [
    "POWER", "Between", "Binary", "Call", "Crosses", "Index", "Member", "Name", "Node", "Number", "On", "Unary",
    "nodes_of", "parts_of", "written",
]  # fmt: skip

POWER = {
    "or": 1, "and": 2, "not": 3, "<": 4, "<=": 4, ">": 4, ">=": 4, "==": 4, "!=": 4, "between": 4, "crosses": 4,
    "+": 5, "-": 5, "*": 6, "/": 6,
}  # fmt: skip
NEGATION, POSTFIX = 7, 8  # how tightly a sign before, and [n] .name `on` behind, hold their operand


@dataclass(frozen=True)
class Node:
    """A node; `start`..`end` are the characters it was read from and do not count in comparisons."""

    start: int = field(default=0, compare=False, kw_only=True)
    end: int = field(default=0, compare=False, kw_only=True)


@dataclass(frozen=True)
class Number(Node):
    """A number as it is written; `14`, `0.5`, `2%`."""

    text: str


@dataclass(frozen=True)
class Name(Node):
    """A series, fact, parameter or definition."""

    name: str


@dataclass(frozen=True)
class Unary(Node):
    """`-a` or `not a`."""

    sign: str
    inner: Node


@dataclass(frozen=True)
class Binary(Node):
    """Arithmetic, a comparison, `and`, `or`."""

    sign: str
    left: Node
    right: Node


@dataclass(frozen=True)
class Between(Node):
    """`inner between low and high`."""

    inner: Node
    low: Node
    high: Node


@dataclass(frozen=True)
class Crosses(Node):
    """`left crosses above right`, or below."""

    left: Node
    right: Node
    is_above: bool


@dataclass(frozen=True)
class Index(Node):
    """`inner[n]`: the value n bars ago."""

    inner: Node
    bars: Node


@dataclass(frozen=True)
class Member(Node):
    """`inner.name`: one of the outputs of an indicator."""

    inner: Node
    name: str


@dataclass(frozen=True)
class Call(Node):
    """`name(arguments)`."""

    name: str
    arguments: tuple[Node, ...]


@dataclass(frozen=True)
class On(Node):
    """`inner on 1d`."""

    inner: Node
    span: str


def parts_of(node: Node) -> list[Node]:
    """Return the nodes right below a node."""
    values = [one for value in vars(node).values() for one in (value if isinstance(value, tuple) else (value,))]
    return [one for one in values if isinstance(one, Node)]


def nodes_of(root: Node) -> Iterator[Node]:
    """Yield all nodes of a tree, however deep it is."""
    waiting = [root]
    while waiting:
        node = waiting.pop()
        yield node
        waiting += parts_of(node)


def written(node: Node) -> str:
    """Return the text of a tree, with no more parentheses than it needs; it parses to the same tree."""
    return _text(node)[0]


def _inside(node: Node, power: int) -> str:
    text, own = _text(node)
    return text if own >= power else f"({text})"


def _text(node: Node) -> tuple[str, int]:
    """Return the text of a node and how tightly it holds together."""
    if isinstance(node, Binary):
        power = POWER[node.sign]
        left = power + 1 if power == POWER["<"] else power  # comparisons do not chain
        return f"{_inside(node.left, left)} {node.sign} {_inside(node.right, power + 1)}", power
    if isinstance(node, Unary):
        power = POWER["not"] if node.sign == "not" else NEGATION
        return f"{node.sign}{' ' if node.sign == 'not' else ''}{_inside(node.inner, power)}", power
    if isinstance(node, (Between, Crosses)):
        power = POWER["between"]
        if isinstance(node, Between):
            low, high = _inside(node.low, power + 1), _inside(node.high, power + 1)
            return f"{_inside(node.inner, power + 1)} between {low} and {high}", power
        way = "above" if node.is_above else "below"
        return f"{_inside(node.left, power + 1)} crosses {way} {_inside(node.right, power + 1)}", power
    return _primary(node), POSTFIX


def _primary(node: Node) -> str:
    if isinstance(node, Number):
        return node.text
    if isinstance(node, Call):
        return f"{node.name}({', '.join(map(written, node.arguments))})"
    if isinstance(node, Index):
        return f"{_inside(node.inner, POSTFIX)}[{written(node.bars)}]"
    if isinstance(node, Member):
        inner = _inside(node.inner, POSTFIX)
        return f"({inner}).{node.name}" if isinstance(node.inner, Number) else f"{inner}.{node.name}"
    if isinstance(node, On):
        return f"{_inside(node.inner, POSTFIX)} on {node.span}"
    assert isinstance(node, Name)
    return node.name
