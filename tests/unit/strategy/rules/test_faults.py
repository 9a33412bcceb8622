"""What is wrong with rules is told at its place, in words, and nothing of it reaches Python."""

from __future__ import annotations

import ast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.strategy.rules.faults import FAULTS
from tradectl.strategy.rules import Fault, RuleParam, RuleSet, Side, analyse, parse, source_of
from tradectl.strategy.rules.tree import Call, Member, Name, Number, nodes_of
from tradectl.strategy.rules.vocabulary import CONSTANTS, FACTS, FUNCTIONS, SERIES, known_indicators

FRAMES = (("5m", 300_000_000_000), ("1h", 3_600_000_000_000))
WORDS = [*SERIES, *FACTS, *CONSTANTS, *FUNCTIONS, *known_indicators(), "fast", "loop", "__class__", "import", "lambda"]
SIGNS = "+ - * / < <= > >= == != ( ) [ ] , . ' { = ; 14 0.5 2% 1e9 0".split()
SIGNS += "and or not between crosses above below on 1h 5m".split()


def rules_of(entry: str, **parts: str) -> RuleSet:
    """Return rules with this entry, a parameter and definitions to refer to."""
    define = {"loop": "circle + 1", "circle": "loop * 2"} if "loop" in entry else {}
    return RuleSet({"fast": RuleParam(10)}, define, Side(entry, **parts), None, FRAMES)


@pytest.mark.parametrize(("text", "under", "message"), FAULTS, ids=[text[:30] for text, _, _ in FAULTS])
def test_a_fault_is_told_where_it_is(text: str, under: str, message: str) -> None:
    troubles = analyse(rules_of(text)).troubles
    found = next(one for one in troubles if message in one.message)
    if text.startswith("loop"):
        assert {one.key for one in troubles} == {("define", "loop"), ("define", "circle")}
        return
    assert [one.key for one in troubles] == [("long", "entry")]
    line, carets = found.picture.splitlines()
    assert set(carets.strip()) == {"^"}
    shown = line.ljust(len(carets))[carets.index("^") : len(carets)]
    assert shown.startswith(under) if len(text) > 100 or under == " " else shown == under
    assert found.at <= len(text)


def test_each_part_says_what_it_expects() -> None:
    parts = {"size": "50%", "stop": "rsi(14)", "target": "close > 3", "exit": "close", "trail": "equity"}
    rules = rules_of("close > 3", entry_limit="rsi(14)", entry_stop="close > 3", **parts)
    assert {one.key[1]: one.message for one in analyse(rules).troubles} == {
        "size": "expected a quantity or an amount of money as size; this is a plain number; a part of the equity is"
                " 50% * equity",
        "entry_limit": "expected a price as entry_limit; this is a plain number",
        "entry_stop": "expected a number as entry_stop; this is a truth value",
        "stop": "expected a price as stop; this is a plain number",
        "target": "expected a number as target; this is a truth value",
        "exit": "expected a condition as exit; this is a price",
        "trail": "expected a price as trail; this is an amount of money",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("params", "define", "key", "message"),
    [
        ({"close": RuleParam(3)}, {}, ("params", "close"), "'close' is a series; choose another name"),
        ({"ema": RuleParam(3)}, {}, ("params", "ema"), "'ema' is an indicator"),
        ({"lambda": RuleParam(3)}, {}, ("params", "lambda"), "'lambda' is no name"),
        ({"__class__": RuleParam(3)}, {}, ("params", "__class__"), "'__class__' is no name"),
        ({"a b": RuleParam(3)}, {}, ("params", "a b"), "'a b' is no name"),
        ({"and": RuleParam(3)}, {}, ("params", "and"), "'and' is a word of the language"),
        ({"n": RuleParam(3, 5, 9)}, {}, ("params", "n"), "the default 3 is outside its bounds"),
        ({"n": RuleParam(7, 9, 5)}, {}, ("params", "n"), "`low` (9) is above `high` (5)"),
        ({"n": RuleParam(7)}, {"n": "close"}, ("define", "n"), "'n' is a parameter"),
        ({}, {"x": "close +"}, ("define", "x"), "expected a number, a name or '('; got the end"),
        ({}, {"x": "close > rsi(14)"}, ("define", "x"), "cannot compare a price with a plain number"),
        ({}, {"x": "y", "y": "x"}, ("define", "x"), "'x' is defined by itself (x -> y -> x)"),
    ],
)
def test_names(params: dict[str, RuleParam], define: dict[str, str], key: tuple[str, str], message: str) -> None:
    troubles = analyse(RuleSet(params, define, Side("close > 3"))).troubles
    assert any(one.key == key and message in one.message for one in troubles)


def test_a_fault_of_a_definition_is_told_once() -> None:
    rules = RuleSet({}, {"bad": "close > rsi(14)", "user": "bad and close > 3"}, Side("user", "not user"))
    assert [one.key for one in analyse(rules).troubles] == [("define", "bad")]


def test_definitions_that_grow_without_end_are_refused() -> None:
    define = {"d0": "close + open"} | {f"d{i}": f"d{i - 1} + d{i - 1}" for i in range(1, 60)}
    troubles = analyse(RuleSet({}, define, Side("d59 > 3"))).troubles
    assert troubles
    assert all("has more than 1,000 parts" in one.message for one in troubles)


def names_of(source: str) -> set[str]:
    """Return the names and attributes that a source reads, imports and calls."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        found |= {node.id} if isinstance(node, ast.Name) else set()
        found |= {node.attr} if isinstance(node, ast.Attribute) else set()
    return found


@given(st.lists(st.sampled_from([*WORDS, *SIGNS]), max_size=14))
@settings(max_examples=300, deadline=None)
def test_words_in_any_order_are_an_expression_or_a_fault(words: list[str]) -> None:
    made = analyse(rules_of(" ".join(words)))
    assert all(one.message and one.key for one in made.troubles)
    if not made.troubles:
        names = names_of(source_of(made))
        assert not {name for name in names if name.startswith("_")}
        assert not names & {"eval", "exec", "open_", "getattr", "globals", "import"}


@given(st.text(max_size=60))
@settings(max_examples=300, deadline=None)
def test_any_text_is_an_expression_or_a_fault(text: str) -> None:
    try:
        tree = parse(text)
    except Fault as found:
        fault = found
    else:
        fault = None
    if fault is not None:
        assert len(fault.picture(text).split("\n")) == 2
        return
    assert all(isinstance(node.name, str) for node in nodes_of(tree) if isinstance(node, (Name, Call, Member)))
    assert all(float(node.text.rstrip("%")) >= 0 for node in nodes_of(tree) if isinstance(node, Number))
