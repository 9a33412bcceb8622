"""From a tree to Python: names are looked up, types and units checked, indicators given their place in the state."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from tradectl.errors import nearest, nearest_of
from tradectl.strategy.rules.fault import MAX_NODES, Fault
from tradectl.strategy.rules.lower_calls import lower_call
from tradectl.strategy.rules.lower_compare import compare, lower_between, lower_crosses
from tradectl.strategy.rules.parse import MAX_TREE
from tradectl.strategy.rules.ruleset import RuleParam
from tradectl.strategy.rules.state import Book, Step
from tradectl.strategy.rules.terms import PLAIN, PRICE, Term, Unit, words_of
from tradectl.strategy.rules.tree import (
    NEGATION, POWER, Between, Binary, Call, Crosses, Index, Member, Name, Node, Number, On, Unary,
)  # fmt: skip
from tradectl.strategy.rules.vocabulary import CONSTANTS, FACTS, FUNCTIONS, SERIES, known_indicators

__all__ = ["BASE", "Lowering", "Place"]

BASE = ""  # the frame of the strategy's own bars
LARGEST = 1e300
TYPE_ADVICE = "join comparisons with `and` and `or`"


@dataclass(frozen=True)
class Place:
    """Where an expression stands: its bars, and whether `ctx` shows one of these now or the state has to be asked."""

    frame: str = BASE
    is_live: bool = True


class Lowering:
    """The names that expressions know, and the state that they fill.

    `whole` are the parameters that are known to be the length of something; `broken` are definitions whose
    faults are told elsewhere.
    """

    def __init__(
        self,
        params: Mapping[str, RuleParam],
        defined: Mapping[str, Node],
        frames: Mapping[str, int],
        whole: Iterable[str],
    ) -> None:
        self.params, self.defined, self.frames, self.whole = params, defined, frames, frozenset(whole)
        self.book = Book()
        self._open: list[str] = []  # definitions that are being written out
        self._of: dict[type[Node], Callable[[Any, Place], Term]] = {
            Number: self._number, Name: self._name, Unary: self._unary, Binary: self._binary,
            Between: lambda node, place: lower_between(self, node, place),
            Crosses: lambda node, place: lower_crosses(self, node, place),
            Index: self._index, Member: self._member, On: self._on,
            Call: lambda node, place: lower_call(self, node, place, ""),
        }  # fmt: skip

    def lower(self, node: Node, place: Place) -> Term:
        """Return what a tree is in Python; Fault where it makes no sense."""
        made = self._of[type(node)](node, place)
        if made.size > MAX_NODES or made.depth > MAX_TREE:
            what = f"{MAX_NODES:,} parts" if made.size > MAX_NODES else f"{MAX_TREE} levels"
            raise Fault(f"with its definitions written out this has more than {what}", node.start, node.end)
        return made

    def number(self, node: Node, place: Place, unit: Unit | None = None, what: str = "") -> Term:
        """Return a tree that must be a number, and of a unit where one is given; `what` it is for."""
        made = self.lower(node, place)
        if made.is_bool:
            raise Fault(f"expected a number{what}; this is a truth value", node.start, node.end)
        if unit is not None and made.unit is not None and made.unit != unit:
            raise Fault(f"expected {words_of(unit)}{what}; this is {made.words}", node.start, node.end)
        return made

    def truth(self, node: Node, place: Place, what: str = "") -> Term:
        """Return a tree that must be true or false."""
        made = self.lower(node, place)
        if not made.is_bool:
            hint = ", e.g. close > sma(close, 20)" if not what.startswith(" ") else ""
            raise Fault(f"expected a condition{what}{hint}; this is {made.words}", node.start, node.end)
        return made

    # --- the kinds of nodes

    def _number(self, node: Number, place: Place) -> Term:
        is_percent = node.text.endswith("%")
        value = float(node.text.rstrip("%")) / (100.0 if is_percent else 1.0)
        if value > LARGEST:
            raise Fault(f"{node.text} is too large for a number", node.start, node.end)
        return Term(repr(value), unit=PLAIN if is_percent else None)

    def _name(self, node: Name, place: Place) -> Term:
        name = node.name
        if name in SERIES:
            return self.series(name, place)
        if name in FACTS:
            fact = FACTS[name]
            if name == "bars_held":
                self.book.imports.add("Int64")
                self.book.fields.setdefault(name, "Int64()")
            return Term(fact.code, fact.power, unit=fact.unit)
        if name in CONSTANTS:
            return Term(repr(CONSTANTS[name]), unit=PLAIN)
        if name in self.params:
            return Term(f"float(p.{name})" if name in self.whole else f"p.{name}")
        if name in self.defined:
            return self._definition(node, place)
        if name in FUNCTIONS or name in known_indicators():
            raise Fault(f"{name!r} is a function: {self.usage(name)}", node.start, node.end)
        raise self._unknown(node)

    def _unknown(self, node: Name) -> Fault:
        """Return the fault of a name that nothing has: it was meant for another one, or for a function's."""
        hint = nearest(node.name, self.plain_names(), limit=40)
        function = nearest_of(node.name, [*FUNCTIONS, *known_indicators()])
        if function and not hint.startswith("did you mean"):
            hint = f"did you mean {function!r}? {self.usage(function)}"
        return Fault(f"unknown name {node.name!r}: {hint}", node.start, node.end)

    def refuse_days(self, one: Node, other: Node) -> None:
        """Raise Fault where `weekday` is compared with a name that is no day."""
        if isinstance(one, Name) and one.name == "weekday" and isinstance(other, Name) and self.is_unknown(other.name):
            message = f"unknown day {other.name!r}: {nearest(other.name, CONSTANTS)}"
            raise Fault(message, other.start, other.end)

    def series(self, name: str, place: Place) -> Term:
        """Return open, high, low, close or volume of the bars of a place."""
        unit = SERIES[name][0]
        if place.is_live:
            return Term(f"ctx.{name}", unit=unit, ratio=(f"ctx.{name}_ticks", "1") if unit == PRICE else None)
        kept = f"last_{name}_{place.frame}".rstrip("_")
        self.book.keep(kept, f"ctx.{name}", place.frame)
        return Term(f"s.{kept}", unit=unit, needs=(f"not math.isnan(s.{kept})",), records=(kept,))

    def _definition(self, node: Name, place: Place) -> Term:
        if node.name in self._open:
            chain = " -> ".join([*self._open[self._open.index(node.name) :], node.name])
            raise Fault(f"{node.name!r} is defined by itself ({chain})", node.start, node.end)
        self._open.append(node.name)
        try:
            return self.lower(self.defined[node.name], place)
        except Fault as fault:
            raise Fault(f"in {node.name!r}: {fault.message}", node.start, node.end) from None
        finally:
            self._open.pop()

    def plain_names(self) -> list[str]:
        """Return all names that stand without parentheses."""
        return [*SERIES, *FACTS, *CONSTANTS, *self.params, *self.defined]

    def is_unknown(self, name: str) -> bool:
        """Tell whether a name is that of nothing, with or without parentheses."""
        return name not in self.plain_names() and name not in FUNCTIONS and name not in known_indicators()

    def usage(self, name: str) -> str:
        """Return how a function is called."""
        if name in FUNCTIONS:
            return f"write {name}(a, b)" if FUNCTIONS[name].least == 2 else f"write {name}(x)"
        return f"write {known_indicators()[name].call()}"

    def _unary(self, node: Unary, place: Place) -> Term:
        if node.sign == "not":
            inner = self.truth(node.inner, place, " behind `not`")
            return Term.of(f"not {inner.inside(POWER['not'])}", POWER["not"], inner, is_bool=True)
        inner = self.number(node.inner, place, what=" behind the sign")
        return Term.of(f"-{inner.inside(NEGATION)}", NEGATION, inner, unit=inner.unit)

    def _binary(self, node: Binary, place: Place) -> Term:
        if node.sign in ("and", "or"):
            left, right = (self.truth(one, place, f" beside `{node.sign}`") for one in (node.left, node.right))
            power = POWER[node.sign]
            return Term.of(f"{left.inside(power)} {node.sign} {right.inside(power)}", power, left, right, is_bool=True)
        self.refuse_days(node.left, node.right)
        self.refuse_days(node.right, node.left)
        left, right = (self.number(one, place, what=f" beside `{node.sign}`") for one in (node.left, node.right))
        if node.sign in ("*", "/"):
            return self._product(node, left, right)
        unit = self.common(node, left, right, "add" if node.sign == "+" else "subtract")
        if node.sign in ("+", "-"):
            power = POWER[node.sign]
            code = f"{left.inside(power)} {node.sign} {right.inside(power + 1)}"
            return Term.of(code, power, left, right, unit=unit)
        return compare(self.book, node.sign, left, right)

    def common(self, node: Node, left: Term, right: Term, verb: str = "compare") -> Unit | None:
        """Return the unit of two numbers that are added or compared; Fault where they have two."""
        if left.unit is not None and right.unit is not None and left.unit != right.unit:
            if isinstance(node, Binary) and node.sign not in ("+", "-"):
                verb = "compare"
            joins = "with" if verb == "compare" else "and"
            message = f"cannot {verb} {left.words} {joins} {right.words}"
            part = node.right if verb != "compare" and isinstance(node, Binary) else None
            if isinstance(node, Binary) and isinstance(part, Number) and part.text.endswith("%"):
                message += f"; a percentage of it is a product: x * (1 {node.sign} {part.text})"
            raise Fault(message, node.start, node.end)
        return left.unit if left.unit is not None else right.unit

    def _product(self, node: Binary, left: Term, right: Term) -> Term:
        is_division = node.sign == "/"
        way = -1 if is_division else 1
        unit: Unit | None = None
        if left.unit is not None and right.unit is not None:
            unit = (left.unit[0] + way * right.unit[0], left.unit[1] + way * right.unit[1])
        elif right.unit is None or not is_division:
            unit = left.unit if right.unit is None else right.unit
        power = POWER["*"]
        if is_division and not isinstance(node.right, Number):
            self.book.imports.add("ratio")
            return Term.of(f"ratio({left.code}, {right.code})", 8, left, right, unit=unit)
        if is_division and float(right.code) == 0.0:
            raise Fault("division by zero", node.right.start, node.right.end)
        return Term.of(f"{left.inside(power)} {node.sign} {right.inside(power + 1)}", power, left, right, unit=unit)

    def _index(self, node: Index, place: Place) -> Term:
        bars = self.length(node.bars, "how many bars ago, as close[1]", least=0)
        inner = self.number(node.inner, replace(place, is_live=True), what=" before [n]")
        if bars == "0":
            return self.number(node.inner, place)
        self.book.imports |= {"Lag", "lag"}
        text = bars.removeprefix("p.")
        kind = f'Lag("{text}")' if bars != text else f"Lag({bars})"
        step = Step(place.frame, f"lag(s.{{0}}, {inner.code})", inner.needs)
        name = self.book.record("lag", (inner.code, bars), kind, step, [inner])
        return replace(
            Term.of(f"s.{name}.value", 8, inner, unit=inner.unit),
            needs=(f"ready(s.{name})",), records=(name,),
        )  # fmt: skip

    def length(self, node: Node, what: str, least: int = 1) -> str:
        """Return a whole number, or the parameter that is one (`p.name`); note that it is the length of something."""
        if isinstance(node, Name) and node.name in self.params:
            self.book.lengths.add(node.name)
            return f"p.{node.name}"
        if isinstance(node, Number) and node.text.isdigit() and least <= int(node.text) <= 100_000:
            return str(int(node.text))
        if isinstance(node, Name):
            known = nearest(node.name, self.params) if self.params else "there are none"
            raise Fault(f"expected a parameter: {what}; {known}", node.start, node.end)
        raise Fault(f"expected a whole number from {least} or a parameter: {what}", node.start, node.end)

    def _member(self, node: Member, place: Place) -> Term:
        inner = node.inner
        while isinstance(inner, Name) and inner.name in self.defined and inner.name not in self._open:
            inner = self.defined[inner.name]
        if isinstance(inner, On) and isinstance(inner.inner, Call):
            return self.lower(On(Member(inner.inner, node.name, start=node.start, end=node.end), inner.span,
                                 start=node.start, end=node.end), place)  # fmt: skip
        if not isinstance(inner, Call) or inner.name not in known_indicators():
            message = f".{node.name} stands behind an indicator, as bollinger(close, 20, 2).upper"
            raise Fault(message, node.end - len(node.name), node.end)
        located = inner if inner is node.inner else replace(inner, start=node.start, end=node.end)
        return lower_call(self, located, place, node.name, node.end)

    def _on(self, node: On, place: Place) -> Term:
        if place.frame != BASE:
            raise Fault("`on` stands within another `on`", node.start, node.end)
        if node.span not in self.frames:
            known = f"the run's `bars:` have {', '.join(self.frames)}"
            message = f"there are no bars of {node.span}: {known if self.frames else 'the run has no `bars:` of time'}"
            raise Fault(message, node.end - len(node.span), node.end)
        if node.span == next(iter(self.frames)):
            return self.lower(node.inner, place)
        return self.lower(node.inner, Place(node.span, is_live=False))
