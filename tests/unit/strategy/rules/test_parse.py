"""Trees of expressions: what binds how tightly, and the way back to text."""

from __future__ import annotations

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tradectl.strategy.rules import parse, written
from tradectl.strategy.rules.fault import MAX_CHARACTERS
from tradectl.strategy.rules.tree import (
    Between,
    Binary,
    Call,
    Crosses,
    Index,
    Member,
    Name,
    Node,
    Number,
    On,
    Unary,
)

SAME = [  # two texts of one tree, the second as it is written
    ("a+b*c", "a + b * c"),
    ("(a + b) * c", "(a + b) * c"),
    ("a - (b - c)", "a - (b - c)"),
    ("(a - b) - c", "a - b - c"),
    ("a / (b * c)", "a / (b * c)"),
    ("-a * b", "-a * b"),
    ("-(a * b)", "-(a * b)"),
    ("- - 2", "--2"),
    ("-a[1]", "-a[1]"),
    ("(-a)[1]", "(-a)[1]"),
    ("a or b and c", "a or b and c"),
    ("(a or b) and c", "(a or b) and c"),
    ("not a and b", "not a and b"),
    ("not (a and b)", "not (a and b)"),
    ("not a > b", "not a > b"),
    ("a and (not b)", "a and not b"),
    ("a + 1 > b and c", "a + 1 > b and c"),
    ("a between b + 1 and c and d", "a between b + 1 and c and d"),
    ("(a between b and c) and d", "a between b and c and d"),
    ("a crosses  above\n b + 1 or c", "a crosses above b + 1 or c"),
    ("((a)) crosses below (b)", "a crosses below b"),
    ("f(a, b).c on 1d > 2%", "f(a, b).c on 1d > 2%"),
    ("(a + b) on 4h", "(a + b) on 4h"),
    ("f()", "f()"),
    (".5 + 1e-3 + 1.", ".5 + 1e-3 + 1."),
]


@pytest.mark.parametrize(("text", "as_written"), SAME)
def test_written(text: str, as_written: str) -> None:
    assert written(parse(text)) == as_written
    assert parse(as_written) == parse(text)


def test_nodes_know_their_place() -> None:
    text = "close > sma(close, 20)[2] * 1.5"
    tree = parse(text)
    assert isinstance(tree, Binary)
    assert isinstance(tree.right, Binary)
    assert (tree.start, tree.end) == (0, len(text))
    assert text[tree.right.left.start : tree.right.left.end] == "sma(close, 20)[2]"


LEAVES = (*map(Number, ["1", "14", "0.5", "2%", "1e9", ".25"]), *map(Name, ["close", "fast", "x_1", "aboveish"]))
SIGNS = "+ - * / < <= > >= == != and or".split()


@st.composite
def trees(draw: st.DrawFn, depth: int = 4) -> Node:
    """Return any tree of at most so many levels, sensible or not."""
    kind = draw(st.integers(0, 9)) if depth else 9
    inner = trees(depth=depth - 1)
    if kind == 0:
        return Unary(draw(st.sampled_from(["-", "not"])), draw(inner))
    if kind == 1:
        return Between(draw(inner), draw(inner), draw(inner))
    if kind == 2:
        return Crosses(draw(inner), draw(inner), draw(st.booleans()))
    if kind == 3:
        return Index(draw(inner), draw(inner))
    if kind == 4:
        return Member(draw(inner), draw(st.sampled_from(["ema", "upper"])))
    if kind == 5:
        return On(draw(inner), draw(st.sampled_from(["5m", "1d"])))
    if kind == 6:
        return Call(draw(st.sampled_from(["ema", "f"])), tuple(draw(inner) for _ in range(draw(st.integers(0, 3)))))
    if kind < 9:
        return Binary(draw(st.sampled_from(SIGNS)), draw(inner), draw(inner))
    return draw(st.sampled_from(LEAVES))


@given(trees())
@settings(max_examples=300, deadline=None)
def test_any_tree_comes_back_from_its_text(tree: Node) -> None:
    text = written(tree)
    assume(len(text) <= MAX_CHARACTERS)
    assert parse(text) == tree
