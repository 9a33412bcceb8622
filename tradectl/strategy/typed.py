"""Checks on the types numba has inferred: what would compile, yet do something else than plain Python."""

from __future__ import annotations

import math
import operator
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from numba import types
from numba.core import errors, ir
from numba.core.compiler import CompilerBase, DefaultPassBuilder
from numba.core.compiler_machinery import AnalysisPass, register_pass
from numba.core.typed_passes import NopythonTypeInference

from tradectl.errors import nearest
from tradectl.strategy.context import ATTRIBUTES, METHODS
from tradectl.strategy.ctx_compiled import CtxType
from tradectl.strategy.indicators.base import INTEGER_INPUTS

__all__ = ["AuthorCompiler", "Fault", "collect_faults"]

BINARY = ("binop", "inplace_binop")


@dataclass(frozen=True)
class Fault:
    """One fault: where in the author's file, and what to do instead."""

    filename: str
    line: int
    message: str


_found = threading.local()


def collect_faults() -> list[Fault]:
    """Return the faults met since the last call, in this thread."""
    made = getattr(_found, "faults", [])
    _found.faults = []
    return list(made)


def _is_float(kind: Any) -> bool:
    return isinstance(kind, types.Float)


def _float_to_int(target: Any, value: Any) -> bool:
    return isinstance(target, (types.Integer, types.Boolean)) and _is_float(value)


class _Checker:
    """Walks one function's typed intermediate form."""

    def __init__(self, typemap: dict[str, Any], func_ir: Any) -> None:
        self.typemap = typemap
        self.ir = func_ir

    def statements(self) -> Iterator[tuple[Any, str]]:
        """Yield (statement, fault) for every fault."""
        for block in self.ir.blocks.values():
            for statement in block.body:
                fault = self._statement(statement)
                if fault:
                    yield statement, fault

    def _type(self, var: Any) -> Any:
        return self.typemap.get(var.name)

    def _statement(self, statement: Any) -> str:
        if isinstance(statement, ir.SetAttr):
            return self._field_store(statement)
        if isinstance(statement, (ir.SetItem, ir.StaticSetItem)):
            return self._cell_store(statement)
        if isinstance(statement, ir.Assign) and isinstance(statement.value, ir.Expr):
            return self._expression(statement.value)
        return ""

    def _field_store(self, statement: Any) -> str:
        target, value = self._type(statement.target), self._type(statement.value)
        if isinstance(target, CtxType):
            return f"ctx.{statement.attr} cannot be written"
        if not isinstance(target, types.Record) or statement.attr not in target.fields:
            return ""
        field = target.fields[statement.attr].type
        if _float_to_int(field, value):
            return (f"{statement.attr} holds integers and the value is a float: use int(math.floor(x)), or declare"
                    " the field as Float64()")  # fmt: skip
        if isinstance(field, (types.Array, types.Record)):
            return f"{statement.attr} cannot be assigned as a whole: write its cells or fields one by one"
        return ""

    def _cell_store(self, statement: Any) -> str:
        target, value = self._type(statement.target), self._type(statement.value)
        if not isinstance(target, types.Array):
            return ""
        if not isinstance(value, (types.Number, types.Boolean)):
            return "a cell takes one number: write a loop"
        index = statement.index
        kind = self._type(index) if isinstance(index, ir.Var) else None
        if isinstance(index, slice) or isinstance(kind, types.SliceType):
            return "slices are not for strategies: write a loop over the cells"
        if _float_to_int(target.dtype, value):
            return "the array holds integers and the value is a float: declare it as Array(Float64, …)"
        return ""

    def _expression(self, expr: Any) -> str:
        if expr.op == "getattr":
            return self._getattr(expr)
        if expr.op in BINARY:
            return self._binary(expr)
        if expr.op == "unary" and isinstance(self._type(expr.value), types.Array):
            return "arithmetic on a whole array: write a loop over the cells"
        if expr.op == "call":
            return self._call(expr)
        return ""

    def _getattr(self, expr: Any) -> str:
        kind = self._type(expr.value)
        if isinstance(kind, CtxType) and expr.attr not in ATTRIBUTES and expr.attr not in METHODS:
            return f"ctx has no {expr.attr!r}: {nearest(expr.attr, [*ATTRIBUTES, *METHODS])}"
        if isinstance(kind, types.Array):
            return f"arrays have no .{expr.attr} here: use len() and a loop over the cells"
        return ""

    def _binary(self, expr: Any) -> str:
        left, right = self._type(expr.lhs), self._type(expr.rhs)
        if isinstance(left, types.Array) or isinstance(right, types.Array):
            return "arithmetic on a whole array: write a loop over the cells"
        fn = expr.fn if expr.op == "binop" else expr.immutable_fn
        if fn is operator.pow:
            whole = isinstance(left, types.Integer) and isinstance(right, types.IntegerLiteral)
            if not whole or right.literal_value < 0:
                return "** differs between compiled and plain code: write x * x, or use strategy.power(x, y)"
        return ""

    def _call(self, expr: Any) -> str:
        callee = self._type(expr.func)
        key = getattr(callee, "typing_key", None)
        arguments = [self._type(arg) for arg in expr.args]
        if key is round and len(arguments) + len(expr.kws) > 1:
            return "round(x, digits) differs between compiled and plain code: use round(x), or ticks"
        if key in INTEGER_INPUTS and any(_is_float(kind) for kind in arguments[1:]):
            return f"takes integers ({INTEGER_INPUTS[key]}), not floats"
        if key in (math.log, math.sqrt, math.exp, math.pow):
            return f"math.{key.__name__} differs between compiled and plain code: import it from tradectl.strategy"
        return ""


@register_pass(mutates_CFG=False, analysis_only=True)
class _CheckTypes(AnalysisPass):
    """The compiler pass: stop at the first fault."""

    _name = "tradectl_check_types"

    def __init__(self) -> None:
        AnalysisPass.__init__(self)

    def run_pass(self, state: Any) -> bool:
        """Raise at the first fault."""
        for statement, message in _Checker(state.typemap, state.func_ir).statements():
            fault = Fault(statement.loc.filename, statement.loc.line, message)
            _found.faults = [*getattr(_found, "faults", []), fault]
            raise errors.TypingError(message, loc=statement.loc)
        return False


class AuthorCompiler(CompilerBase):  # type: ignore[misc]
    """Numba's pipeline with our check behind type inference."""

    def define_pipelines(self) -> list[Any]:
        """Return the one pipeline."""
        passes = DefaultPassBuilder.define_nopython_pipeline(self.state)
        passes.add_pass_after(_CheckTypes, NopythonTypeInference)
        passes.finalize()
        return [passes]
