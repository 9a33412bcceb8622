"""Lint: what a strategy does with ctx, its parameters, its state and its reports."""

from __future__ import annotations

import ast
import inspect
from typing import TYPE_CHECKING, Any

from tradectl.core.layout import REPORT
from tradectl.errors import nearest
from tradectl.strategy.context import ATTRIBUTES, METHODS
from tradectl.strategy.memory import Array, Float64, Int64, PerInstrument, Record
from tradectl.strategy.params import Float
from tradectl.strategy.plots import plot_problem

if TYPE_CHECKING:
    from tradectl.strategy.lint import Function

__all__ = ["FLOAT_ATTRIBUTES", "REPORT_FIELDS", "Access"]

assert REPORT.names is not None
REPORT_FIELDS = tuple(name for name in REPORT.names if not name.startswith("pad"))
FLOAT_REPORT = tuple(name for name in REPORT_FIELDS if REPORT[name].kind == "f")
FLOAT_ATTRIBUTES = frozenset(
    "open high low close volume last tick_size lot_size position entry_price unrealised realised equity balance "
    "buying_power drawdown bid ask bid_qty ask_qty mid trade_price trade_qty".split()
)
LEAF = "leaf"


class Access:
    """Checks one function's use of what the engine hands it."""

    def __init__(self, function: Function) -> None:
        self.function = function
        self.floats: set[str] = set()

    def check(self) -> None:
        """Report every fault."""
        self.floats = self._float_locals()
        for node in self.function.nodes:
            if isinstance(node, ast.Attribute):
                self._attribute(node)
            elif isinstance(node, ast.Call):
                self._call(node)
            elif isinstance(node, (ast.Assign, ast.AnnAssign, ast.AugAssign)):
                self._assignment(node)
            elif isinstance(node, (ast.BinOp, ast.UnaryOp)):
                self._arithmetic(node)
            elif isinstance(node, ast.Subscript):
                self._subscript(node)

    # --- what an expression is

    def shape(self, node: ast.AST) -> Any:
        """Return what an expression is made of: a role, a declared field, LEAF, or None where unknown."""
        if isinstance(node, ast.Name):
            return self.function.roles.get(node.id)
        if isinstance(node, ast.Attribute):
            return self._member(self.shape(node.value), node.attr)
        if isinstance(node, ast.Subscript):
            owner = self.shape(node.value)
            if isinstance(owner, PerInstrument):
                return owner.of
            if isinstance(owner, Array):
                indices = len(node.slice.elts) if isinstance(node.slice, ast.Tuple) else 1
                left = owner.shape[indices:]
                return Array(owner.of, *left) if left else owner.of
        return None

    def _member(self, owner: Any, name: str) -> Any:
        spec = self.function.spec
        if owner == "p":
            return spec.params.get(name)
        if owner == "s":
            return spec.state.get(name)
        if owner in ("ctx", "report"):
            return LEAF
        if isinstance(owner, Record):
            return owner.fields.get(name)
        return None

    def _is_float(self, node: ast.AST) -> bool:
        """Return whether an expression is certainly a float."""
        if isinstance(node, ast.Constant):
            return isinstance(node.value, float)
        if isinstance(node, ast.Name):
            return node.id in self.floats
        if isinstance(node, ast.UnaryOp):
            return not isinstance(node.op, ast.Not) and self._is_float(node.operand)
        if isinstance(node, ast.BinOp):
            if isinstance(node.op, ast.Div):
                return True
            return self._is_float(node.left) or self._is_float(node.right)
        if isinstance(node, ast.IfExp):
            return self._is_float(node.body) or self._is_float(node.orelse)
        if isinstance(node, ast.Call):
            return self.function.resolve(node.func) is float
        if isinstance(node, ast.Attribute):
            root = self.shape(node.value)
            if root == "ctx":
                return node.attr in FLOAT_ATTRIBUTES
            if root == "report":
                return node.attr in FLOAT_REPORT
        return isinstance(self.shape(node), (Float, Float64))

    def _float_locals(self) -> set[str]:
        """Return the local names whose every assignment is certainly a float."""
        seen: dict[str, bool] = {}
        for node in self.function.nodes:
            if isinstance(node, ast.Assign):
                for target in node.targets:
                    if isinstance(target, ast.Name):
                        seen[target.id] = seen.get(target.id, True) and self._is_float(node.value)
            elif isinstance(node, (ast.For, ast.NamedExpr)) and isinstance(node.target, ast.Name):
                seen[node.target.id] = False
        return {name for name, always in seen.items() if always}

    # --- checks

    def _attribute(self, node: ast.Attribute) -> None:
        owner, name = self.shape(node.value), node.attr
        spec, report = self.function.spec, self.function.report
        shown = ast.unparse(node.value)
        if owner == "ctx":
            self._ctx_member(node)
        elif owner == "p" and name not in spec.params:
            report(node, f"no parameter {name!r}: {nearest(name, spec.params)}")
        elif owner == "s" and name not in spec.state:
            report(node, f"no field {name!r} in the state: {nearest(name, spec.state)}")
        elif owner == "report" and name not in REPORT_FIELDS:
            report(node, f"a report has no {name!r}: {nearest(name, REPORT_FIELDS, limit=30)}")
        elif isinstance(owner, Record) and name not in owner.fields:
            report(node, f"{shown} has no field {name!r}: {nearest(name, owner.fields)}")
        elif isinstance(owner, (Array, PerInstrument)):
            hint = "len(…) gives its capacity" if name in ("shape", "size") else "write a loop over the cells"
            report(node, f"{shown} is a plain array without .{name}: {hint}")

    def _ctx_member(self, node: ast.Attribute) -> None:
        parent = self.function.parents.get(node)
        called = isinstance(parent, ast.Call) and parent.func is node
        if node.attr in METHODS:
            if not called:
                self.function.report(node, f"ctx.{node.attr} is a method: call it, ctx.{node.attr}(…)")
        elif node.attr not in ATTRIBUTES:
            message = f"ctx has no {node.attr!r}: {nearest(node.attr, [*ATTRIBUTES, *METHODS], limit=60)}"
            self.function.report(node, message)
        elif called:
            self.function.report(node, f"ctx.{node.attr} is a value: leave out the parentheses")

    def _call(self, node: ast.Call) -> None:
        func = node.func
        if isinstance(func, ast.Attribute) and self.shape(func.value) == "ctx" and func.attr in METHODS:
            self._ctx_call(node, func.attr)
        expected = getattr(self.function.resolve(func), "__indicator__", None)
        if expected is not None:
            self._indicator_call(node, expected)

    def _ctx_call(self, node: ast.Call, name: str) -> None:
        signature = inspect.signature(METHODS[name])
        if any(isinstance(arg, ast.Starred) for arg in node.args) or any(
            k.arg is None for k in node.keywords
        ):
            self.function.report(node, "name the arguments one by one, without * and **")
            return
        known = [name for name in signature.parameters if name != "ctx"]
        for keyword in node.keywords:
            if keyword.arg not in known:
                hint = nearest(keyword.arg or "", known)
                self.function.report(node, f"ctx.{name} has no argument {keyword.arg!r}: {hint}")
                return
        try:
            signature.bind(None, *node.args, **{str(k.arg): k.value for k in node.keywords})
        except TypeError as error:
            self.function.report(node, f"ctx.{name}({', '.join(known)}): {error}")
            return
        if name == "plot":
            self._plot(node)

    def _plot(self, node: ast.Call) -> None:
        """Check that a plotted series is one that the strategy declares."""
        given = node.args[0] if node.args else next(k.value for k in node.keywords if k.arg == "name")
        problem = plot_problem(getattr(given, "value", None), self.function.spec.plots)
        if problem:
            self.function.report(given, problem)

    def _indicator_call(self, node: ast.Call, kind: type) -> None:
        """Check that an indicator's function gets the record that belongs to it."""
        if not node.args:
            return
        given = self.shape(node.args[0])
        shown = ast.unparse(node.args[0])
        if isinstance(given, (Array, PerInstrument)):
            self.function.report(node, f"{shown} is an array: pick one cell, {shown}[i]")
        elif given is not None and not isinstance(given, kind):
            what = "no record of the state" if isinstance(given, str) else type(given).__name__
            called = ast.unparse(node.func)
            self.function.report(node, f"{called} needs a {kind.__name__}(…) of the state; {shown} is {what}")

    def _assignment(self, node: ast.Assign | ast.AnnAssign | ast.AugAssign) -> None:
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        for target in targets:
            for each in target.elts if isinstance(target, (ast.Tuple, ast.List)) else [target]:
                self._target(each)
                if node.value is not None and not isinstance(target, (ast.Tuple, ast.List)):
                    self._store(each, node)

    def _target(self, target: ast.AST) -> None:
        report = self.function.report
        if isinstance(target, ast.Name):
            if target.id in self.function.roles:
                report(target, f"{target.id} cannot be assigned: choose another name")
            return
        if not isinstance(target, (ast.Attribute, ast.Subscript)):
            return
        root, owner = _root(target), self.shape(target.value)
        role = self.function.roles.get(root or "")
        shown = ast.unparse(target)
        if role == "p":
            report(target, f"parameters cannot be written ({shown}); keep what changes in the state")
        elif role in ("ctx", "report"):
            report(target, f"{shown} cannot be written; keep what changes in the state")
        elif isinstance(target, ast.Attribute) and isinstance(owner, Record) and owner.is_protected:
            message = (
                f"{shown} belongs to {type(owner).__name__}: only its functions write it; declare the length"
            )
            report(target, message)
        elif isinstance(self.shape(target), (Array, PerInstrument)) and not _has_slice(target):
            report(target, f"{shown} is an array: write its cells in a loop")
        elif isinstance(self.shape(target), Record):
            report(target, f"{shown} is a record: write its fields one by one")

    def _store(self, target: ast.AST, node: ast.Assign | ast.AnnAssign | ast.AugAssign) -> None:
        if not isinstance(self.shape(target), Int64) or node.value is None:
            return
        divides = isinstance(node, ast.AugAssign) and isinstance(node.op, ast.Div)
        if divides or self._is_float(node.value):
            shown = ast.unparse(target)
            message = f"{shown} holds integers and the value is a float: use int(math.floor(x)), or declare Float64()"
            self.function.report(node, message)

    def _arithmetic(self, node: ast.BinOp | ast.UnaryOp) -> None:
        operands = [node.left, node.right] if isinstance(node, ast.BinOp) else [node.operand]
        for operand in operands:
            if isinstance(self.shape(operand), (Array, PerInstrument)):
                self.function.report(
                    node, f"arithmetic on the whole array {ast.unparse(operand)}: write a loop"
                )

    def _subscript(self, node: ast.Subscript) -> None:
        owner = self.shape(node.value)
        if owner is None or isinstance(owner, (Array, PerInstrument)):
            return
        if owner in ("p", "s", "ctx", "report") or isinstance(owner, Record):
            self.function.report(node, f"{ast.unparse(node.value)} has named fields, no [index]")


def _root(node: ast.AST) -> str | None:
    while isinstance(node, (ast.Attribute, ast.Subscript)):
        node = node.value
    return node.id if isinstance(node, ast.Name) else None


def _has_slice(node: ast.AST) -> bool:
    return isinstance(node, ast.Subscript) and any(isinstance(n, ast.Slice) for n in ast.walk(node.slice))
