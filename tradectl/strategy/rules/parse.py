"""Tokens to a tree by operator precedence (V. Pratt, Top Down Operator Precedence, 1973)."""

from __future__ import annotations

import difflib
from dataclasses import replace

from tradectl.strategy.rules.fault import MAX_DEPTH, Fault
from tradectl.strategy.rules.tokens import Token, tokens_of
from tradectl.strategy.rules.tree import (
    NEGATION, POWER, Between, Binary, Call, Crosses, Index, Member, Name, Node, Number, On, Unary, parts_of,
)  # fmt: skip

__all__ = ["MAX_TREE", "RESERVED", "parse"]

MAX_TREE = 100  # levels of a tree: far beyond need, far below what recursion bears

RESERVED = ("above", "and", "below", "between", "crosses", "not", "on", "or")
COMPARING = POWER["<"]
NEARLY = {
    "cross": "crosses", "crossing": "crosses", "crossover": "crosses above", "crossunder": "crosses below",
    "over": "above", "under": "below", "AND": "and", "OR": "or", "NOT": "not", "is": "==", "if": "and", "then": "and",
}  # fmt: skip


def parse(text: str) -> Node:
    """Return the tree of an expression, or raise Fault."""
    reader = _Reader(tokens_of(text))
    if reader.token.kind == "end":
        raise Fault("the expression is empty; expected one such as close > sma(close, 20)", 0, 1)
    made = reader.expression(0, 0)
    if reader.token.kind != "end":
        raise reader.trailing()
    _check_depth(made)
    return made


def _check_depth(root: Node) -> None:
    """Refuse a tree of too many levels; a row of operators grows to the left without nesting in the text."""
    waiting = [(root, 1)]
    while waiting:
        node, depth = waiting.pop()
        if depth > MAX_TREE:
            raise Fault(f"more than {MAX_TREE} operators in a row; use `define`", root.start, root.end)
        waiting += [(one, depth + 1) for one in parts_of(node)]


class _Reader:
    """The tokens and the place in them; `depth` is how many expressions are open around the one being read."""

    def __init__(self, tokens: list[Token]) -> None:
        self.tokens, self.at = tokens, 0

    @property
    def token(self) -> Token:
        """Return the token to be read next."""
        return self.tokens[self.at]

    def take(self) -> Token:
        """Return the next token and step behind it."""
        self.at += 1
        return self.tokens[self.at - 1]

    def says(self, *texts: str) -> bool:
        """Tell whether the next token is one of these signs or words."""
        return self.token.text in texts and self.token.kind in ("sign", "name")

    def expect(self, text: str, where: str) -> Token:
        """Take a sign or word, or raise Fault."""
        if not self.says(text):
            raise self.unexpected(f"expected {text!r} {where}")
        return self.take()

    def unexpected(self, wanted: str) -> Fault:
        """Return a fault at the next token."""
        token = self.token
        got = "the end" if token.kind == "end" else repr(token.text)
        return Fault(f"{wanted}; got {got}", token.start, token.end)

    def trailing(self) -> Fault:
        """Return the fault of a token behind a whole expression."""
        token = self.token
        if token.text in NEARLY and token.kind == "name":
            return Fault(f"unexpected {token.text!r}; did you mean {NEARLY[token.text]!r}?", token.start, token.end)
        if token.text in (")", "]"):
            opening = "(" if token.text == ")" else "["
            return Fault(f"{token.text!r} without {opening!r} before it", token.start, token.end)
        if token.text == ",":
            return Fault("a comma stands only between the arguments of a call", token.start, token.end)
        near = difflib.get_close_matches(token.text, RESERVED, n=1, cutoff=0.75) if token.kind == "name" else []
        hint = f"; did you mean {near[0]!r}?" if near else ""
        wanted = "expected an operator (+ - * / < > and or ...) or the end"
        return Fault(f"{wanted}; got {token.text!r}{hint}", token.start, token.end)

    def expression(self, power: int, depth: int) -> Node:
        """Read an expression whose operators hold tighter than `power`."""
        if depth > MAX_DEPTH:
            raise Fault(f"nested more than {MAX_DEPTH} deep; use `define`", self.token.start, self.token.end)
        left = self.postfixes(self.prefix(depth), depth)
        while self.token.kind in ("sign", "name") and POWER.get(self.token.text, 0) > power:
            sign = self.token
            if sign.text == "not":
                break
            left = self.infix(left, depth)
            if POWER[sign.text] == COMPARING and POWER.get(self.token.text) == COMPARING:
                message = "comparisons do not chain; write `x between a and b`, or join two with `and`"
                raise Fault(message, self.token.start, self.token.end)
        return left

    def prefix(self, depth: int) -> Node:
        """Read what an expression begins with."""
        token = self.token
        if token.kind in ("number", "percent"):
            self.take()
            return Number(token.text, start=token.start, end=token.end)
        if self.says("-", "not"):
            self.take()
            inner = self.expression((POWER["not"] if token.text == "not" else NEGATION) - 1, depth + 1)
            return Unary(token.text, inner, start=token.start, end=inner.end)
        if self.says("("):
            self.take()
            inner = self.expression(0, depth + 1)
            return replace(inner, start=token.start, end=self.closing(")", token).end)
        if token.kind == "name" and token.text not in RESERVED:
            self.take()
            return self.call(token, depth) if self.says("(") else Name(token.text, start=token.start, end=token.end)
        if token.kind == "span":
            raise Fault(f"{token.text!r} is a bar length; it stands behind `on`", token.start, token.end)
        if self.says("*") and self.at and self.tokens[self.at - 1].text == "*":
            raise Fault("there are no powers: multiply, or use sqrt", token.start - 1, token.end)
        raise self.unexpected("expected a number, a name or '('")

    def closing(self, text: str, opening: Token) -> Token:
        """Take the bracket that closes `opening`, or raise Fault."""
        if self.token.kind == "end":
            raise Fault(f"{opening.text!r} is never closed", opening.start, opening.end)
        if not self.says(text):
            raise self.trailing() if self.token.text not in (")", "]") else self.unexpected(f"expected {text!r}")
        return self.take()

    def call(self, name: Token, depth: int) -> Node:
        """Read the arguments of a call."""
        opening = self.take()
        arguments: list[Node] = []
        while not self.says(")"):
            if arguments:
                if not self.says(","):
                    self.closing(")", opening)
                self.take()
            arguments.append(self.expression(0, depth + 1))
        end = self.closing(")", opening).end
        return Call(name.text, tuple(arguments), start=name.start, end=end)

    def postfixes(self, inner: Node, depth: int) -> Node:
        """Read what stands behind an operand: [n], .name, on 1d."""
        for _ in range(MAX_DEPTH):
            if self.says("["):
                opening = self.take()
                bars = self.expression(0, depth + 1)
                end = self.closing("]", opening).end
                inner = Index(inner, bars, start=inner.start, end=end)
            elif self.says("."):
                self.take()
                if self.token.kind != "name":
                    raise self.unexpected("expected the name of an output behind '.'")
                name = self.take()
                inner = Member(inner, name.text, start=inner.start, end=name.end)
            elif self.says("on"):
                self.take()
                if self.token.kind != "span":
                    raise self.unexpected("expected a bar length such as 1h or 1d behind `on`")
                span = self.take()
                inner = On(inner, span.text, start=inner.start, end=span.end)
            else:
                return inner
        raise Fault(f"nested more than {MAX_DEPTH} deep; use `define`", self.token.start, self.token.end)

    def infix(self, left: Node, depth: int) -> Node:
        """Read an operator and what stands to its right."""
        sign = self.take()
        power = POWER[sign.text]
        if sign.text == "between":
            low = self.expression(power, depth + 1)
            self.expect("and", "behind `between` and its first bound")
            high = self.expression(power, depth + 1)
            return Between(left, low, high, start=left.start, end=high.end)
        if sign.text == "crosses":
            if not self.says("above", "below"):
                raise self.unexpected("expected `above` or `below` behind `crosses`")
            way = self.take()
            right = self.expression(power, depth + 1)
            return Crosses(left, right, way.text == "above", start=left.start, end=right.end)
        right = self.expression(power, depth + 1)
        return Binary(sign.text, left, right, start=left.start, end=right.end)
