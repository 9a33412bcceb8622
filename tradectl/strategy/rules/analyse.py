"""All expressions of a set of rules, read and checked: what each is in Python, or what is wrong with it."""

from __future__ import annotations

import keyword
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from tradectl.strategy.rules.fault import Fault
from tradectl.strategy.rules.lower import BASE, Lowering, Place
from tradectl.strategy.rules.parse import RESERVED, parse
from tradectl.strategy.rules.ruleset import RuleSet
from tradectl.strategy.rules.state import Book
from tradectl.strategy.rules.terms import MONEY, PLAIN, PRICE, QTY, Term, words_of
from tradectl.strategy.rules.tree import Name, Node, Number, nodes_of
from tradectl.strategy.rules.vocabulary import CONSTANTS, FACTS, FUNCTIONS, SERIES, known_indicators

__all__ = ["Analysis", "Trouble", "analyse"]

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,39}")
MAX_NAMES = 100  # parameters and definitions of one strategy
NOW, LATER = Place(), Place(BASE, is_live=False)  # at a bar; when an order fills, after it


class Trouble(NamedTuple):
    """A fault of rules: the key below `rules`, the message, the expression's picture.

    `at` is the character of the expression that it is at; -1: none.
    """

    key: tuple[str, ...]
    message: str
    picture: str = ""
    at: int = -1


@dataclass
class Analysis:
    """What rules are: terms by (side, part), trees, the state; or `troubles`."""

    rules: RuleSet
    trees: dict[tuple[str, str], Node] = field(default_factory=dict)
    terms: dict[tuple[str, str], Term] = field(default_factory=dict)
    book: Book = field(default_factory=Book)
    lengths: frozenset[str] = frozenset()
    troubles: list[Trouble] = field(default_factory=list)

    def term(self, side: str, part: str) -> Term | None:
        """Return the term of a part of a side, if it is given."""
        return self.terms.get((side, part))

    def resting(self, side: str) -> list[str]:
        """Return the prices at which a side's entry rests, of `limit` and `stop`; none: it is at the market."""
        return [kind for kind in ("limit", "stop") if (side, f"entry_{kind}") in self.terms]

    @property
    def turning(self) -> list[str]:
        """Return the sides whose entry closes the other one's position and follows it: of two those at the market."""
        sides = [side for side, _ in self.rules.sides()]
        return [side for side in sides if len(sides) == 2 and not self.resting(side)]

    @property
    def leaves(self) -> bool:
        """Return whether positions are closed at the market."""
        return bool(self.turning) or any(self.term(side, "exit") for side, _ in self.rules.sides())


def analyse(rules: RuleSet) -> Analysis:
    """Read and check all expressions."""
    made = Analysis(rules)
    made.troubles += _names(rules)
    if rules.long is None and rules.short is None:
        made.troubles.append(Trouble((), "expected `long:` or `short:`, with an `entry:` at least"))
    defined = _parsed(made)
    frames = dict(rules.frames)
    whole: frozenset[str] = frozenset()
    for _ in range(2):  # which parameters are whole is known after the first round
        low = Lowering(rules.params, defined, frames, whole)
        troubles = _definitions(low, rules, defined)
        broken = {one.key[1] for one in troubles}
        _sides(made, Lowering(rules.params, defined, frames, whole) if troubles else low, broken, troubles)
        whole = frozenset(made.lengths | low.book.lengths)
    made.lengths = whole
    made.troubles += troubles
    return made


def _names(rules: RuleSet) -> list[Trouble]:
    """Return the names that cannot be names."""
    found: list[Trouble] = []
    taken = {**dict.fromkeys(RESERVED, "a word of the language"), **dict.fromkeys(SERIES, "a series"),
             **dict.fromkeys(FACTS, "a fact"), **dict.fromkeys(CONSTANTS, "a day"),
             **dict.fromkeys(FUNCTIONS, "a function"), **dict.fromkeys(known_indicators(), "an indicator")}  # fmt: skip
    for key, names in (("params", rules.params), ("define", rules.define)):
        for name in names:
            if name in taken:
                found.append(Trouble((key, name), f"{name!r} is {taken[name]}; choose another name"))
            elif not _NAME.fullmatch(name) or keyword.iskeyword(name) or name == "pad_":
                text = f"{name!r} is no name; expected a letter, then letters, digits and _ (40 at most), as fast_bars"
                found.append(Trouble((key, name), text))
            elif key == "define" and name in rules.params:
                found.append(Trouble((key, name), f"{name!r} is a parameter; choose another name"))
    if len(rules.params) + len(rules.define) > MAX_NAMES:
        found.append(Trouble((), f"expected at most {MAX_NAMES} parameters and definitions"))
    for name, param in rules.params.items():
        low, high = param.low, param.high
        if low is not None and high is not None and low > high:
            found.append(Trouble(("params", name), f"`low` ({low:g}) is above `high` ({high:g})"))
        elif (low is not None and param.default < low) or (high is not None and param.default > high):
            found.append(Trouble(("params", name), f"the default {param.default:g} is outside its bounds"))
    return found


def _parsed(made: Analysis) -> dict[str, Node]:
    """Parse everything; return the definitions that have a tree."""
    defined = {}
    for name, text in made.rules.define.items():
        try:
            defined[name] = parse(text)
        except Fault as fault:
            made.troubles.append(_trouble(("define", name), fault, text))
    for side, one in made.rules.sides():
        for part, text in one.parts():
            try:
                made.trees[side, part] = parse(text)
            except Fault as fault:
                made.troubles.append(_trouble((side, part), fault, text))
    return defined


def _trouble(key: tuple[str, ...], fault: Fault, text: str) -> Trouble:
    return Trouble(key, fault.message, fault.picture(text), fault.start)


def _definitions(low: Lowering, rules: RuleSet, defined: dict[str, Node]) -> list[Trouble]:
    """Check each definition on its own, with a state of its own."""
    found = []
    for name, tree in defined.items():
        if (chain := _circle(name, defined)) is not None:
            fault = Fault(f"{name!r} is defined by itself ({' -> '.join(chain)})", tree.start, tree.end)
            found.append(_trouble(("define", name), fault, rules.define[name]))
            continue
        apart = Lowering(low.params, defined, low.frames, low.whole)
        try:
            apart.lower(Name(name, start=tree.start, end=tree.end), NOW)
        except Fault as fault:
            message = fault.message.removeprefix(f"in {name!r}: ")
            if message.startswith("in '") and not message.startswith(f"in {name!r}"):
                continue  # told at the definition in which it is
            own = _own_fault(apart, tree) or fault
            found.append(_trouble(("define", name), Fault(message, own.start, own.end), rules.define[name]))
    return found


def _own_fault(low: Lowering, tree: Node) -> Fault | None:
    """Return the fault of a definition's tree at its own place."""
    try:
        low.lower(tree, NOW)
    except Fault as fault:
        return fault
    return None


def _sides(made: Analysis, low: Lowering, broken: set[str], troubles: list[Trouble]) -> None:
    """Lower all parts of both sides into one state."""
    missing = {one.key[1] for one in made.troubles if len(one.key) == 2 and one.key[0] == "define"}
    made.book, made.terms = low.book, {}
    for side, one in made.rules.sides():
        texts = dict(one.parts())
        for part in _PARTS:
            tree = made.trees.get((side, part))
            if tree is None or _mentions(tree, broken | missing, low):
                continue
            try:
                made.terms[side, part] = _PARTS[part](low, tree)
                if part == "trail":
                    made.terms[side, "trail_later"] = low.lower(tree, LATER)
            except Fault as fault:
                troubles.append(_trouble((side, part), fault, texts[part]))
    made.lengths = frozenset(low.book.lengths)


def _mentions(tree: Node, broken: set[str], low: Lowering) -> bool:
    """Return whether an expression uses a definition that has a fault of its own."""
    waiting, seen = list(_names_in(tree)), set()
    while waiting:
        name = waiting.pop()
        if name in broken:
            return True
        if name in low.defined and name not in seen:
            seen.add(name)
            waiting += _names_in(low.defined[name])
    return False


def _names_in(tree: Node) -> set[str]:
    """Return the names that stand in a tree."""
    return {node.name for node in nodes_of(tree) if isinstance(node, Name)}


def _circle(start: str, defined: dict[str, Node]) -> list[str] | None:
    """Return the way on which a definition comes back to itself, if there is one."""
    ways, seen = [[start]], set()
    while ways:
        way = ways.pop()
        for name in sorted(_names_in(defined[way[-1]])):
            if name == start:
                return [*way, start]
            if name in defined and name not in seen:
                seen.add(name)
                ways.append([*way, name])
    return None


def _condition(what: str) -> Callable[[Lowering, Node], Term]:
    return lambda low, tree: low.truth(tree, NOW, what)


def _price(place: Place, what: str) -> Callable[[Lowering, Node], Term]:
    return lambda low, tree: low.number(tree, place, PRICE, f" as {what}")


def _size(low: Lowering, tree: Node) -> Term:
    made = low.number(tree, LATER, what=" as size")
    if made.unit in (None, QTY, MONEY):
        return made
    hint = ""
    if made.unit == PLAIN:
        of = tree.text if isinstance(tree, Number) else "x"
        hint = f"; a part of the equity is {of} * equity"
    message = f"expected a quantity or an amount of money as size; this is {words_of(made.unit)}{hint}"
    raise Fault(message, tree.start, tree.end)


_PARTS: dict[str, Callable[[Lowering, Node], Term]] = {
    "entry": _condition(" as entry"), "entry_limit": _price(NOW, "entry_limit"),
    "entry_stop": _price(NOW, "entry_stop"), "exit": _condition(" as exit"), "trail": _price(NOW, "trail"),
    "size": _size, "stop": _price(LATER, "stop"), "target": _price(LATER, "target"),
}  # fmt: skip
