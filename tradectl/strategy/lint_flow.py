"""Lint: local names that may have no value. Plain Python raises there; compiled code reads anything."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tradectl.strategy.lint import Function

__all__ = ["Flow"]

ENDS = (ast.Return, ast.Raise, ast.Continue, ast.Break)


class Flow:
    """Follows one function's statements with the names that certainly have a value."""

    def __init__(self, function: Function) -> None:
        self.function = function

    def check(self) -> None:
        """Report every name that is read where it may have no value."""
        arguments = self.function.node.args
        given = {a.arg for a in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)}
        self._block(self.function.node.body, given)

    def _block(self, body: list[ast.stmt], known: set[str]) -> set[str] | None:
        """Return the names known after the statements, None where they never come to their end."""
        for statement in body:
            after = self._statement(statement, known)
            if after is None:
                return None
            known = after
        return known

    def _statement(self, node: ast.stmt, known: set[str]) -> set[str] | None:
        if isinstance(node, ast.If):
            self._reads(node.test, known)
            return _both(self._block(node.body, _named(node.test, known)), self._block(node.orelse, known))
        if isinstance(node, (ast.For, ast.While)):
            self._reads(node.iter if isinstance(node, ast.For) else node.test, known)
            inside = known | (_stored(node.target) if isinstance(node, ast.For) else set())
            self._block(node.body, inside)
            self._block(node.orelse, known)
            return known  # the body may never run
        self._reads(node, known)
        if isinstance(node, ENDS):
            return None
        return known | _stored(node)

    def _reads(self, node: ast.AST, known: set[str]) -> None:
        here = known | {n.target.id for n in ast.walk(node) if isinstance(n, ast.NamedExpr)}
        for inner in ast.walk(node):
            if isinstance(inner, ast.Name) and inner.id in self.function.locals and inner.id not in here:
                if isinstance(inner.ctx, ast.Load) or _is_augmented(inner, node):
                    message = f"{inner.id} may have no value here: give it one before the `if` or the loop"
                    self.function.report(inner, message)


def _both(left: set[str] | None, right: set[str] | None) -> set[str] | None:
    """Return what is known after either of two ways."""
    if left is None or right is None:
        return right if left is None else left
    return left & right


def _named(test: ast.AST, known: set[str]) -> set[str]:
    return known | {n.target.id for n in ast.walk(test) if isinstance(n, ast.NamedExpr)}


def _stored(node: ast.AST) -> set[str]:
    return {n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}


def _is_augmented(name: ast.Name, node: ast.AST) -> bool:
    return isinstance(node, ast.AugAssign) and node.target is name
