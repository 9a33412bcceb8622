"""Lint: the parts of Python that compiled code lacks, that differ in it, or that let chance into a run."""

from __future__ import annotations

import ast
import builtins
import enum
import math
from collections.abc import Callable, Iterator
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from tradectl.errors import nearest

if TYPE_CHECKING:
    from tradectl.strategy.lint import Function

__all__ = ["Language", "module_problems"]

CLOCK = "a run must not see the clock: ctx.now is the time, in ns UTC"
CHANCE = "a run must not depend on chance: derive numbers from ctx.now and the state"
OUTSIDE = "a run must not depend on its surroundings: use parameters"
PARALLEL = "a hook runs alone, in the order of events"
NETWORK = "a run reads nothing but its events: add the data as a source"
BANNED_MODULES = {
    **dict.fromkeys(("time", "datetime", "calendar", "zoneinfo"), CLOCK),
    **dict.fromkeys(("random", "secrets", "uuid"), CHANCE),
    **dict.fromkeys(("os", "platform", "getpass", "locale", "sys", "tempfile", "gc", "ctypes"), OUTSIDE),
    **dict.fromkeys(
        ("threading", "multiprocessing", "asyncio", "concurrent", "signal", "subprocess"), PARALLEL
    ),
    **dict.fromkeys(("socket", "requests", "urllib", "http", "ssl", "httpx", "aiohttp", "ccxt"), NETWORK),
}
BANNED_NAMES = {
    "hash": "hash() differs between runs", "id": "id() differs between runs", "input": OUTSIDE,
    "eval": "write the code itself", "exec": "write the code itself", "__import__": "import at the top of the file",
    "set": "sets have no fixed order: use a list or a dict", "frozenset": "sets have no fixed order: use a tuple",
}  # fmt: skip
ALLOWED_BUILTINS = {"abs", "bool", "float", "int", "len", "max", "min", "range", "round"}
UNSAFE_MATH = {"log", "sqrt", "exp", "pow", "log2", "log10", "log1p", "expm1", "sin", "cos", "tan", "asin", "acos",
               "atan", "atan2", "sinh", "cosh", "tanh", "gamma", "lgamma", "erf", "erfc", "hypot", "fmod",
               "cbrt", "exp2", "dist", "fsum", "gcd", "lcm", "comb", "perm", "factorial", "prod"}  # fmt: skip
OWN_MATH = ("log", "sqrt", "exp", "power")
MUTATORS = {"append", "extend", "insert", "pop", "popitem", "remove", "clear", "update", "setdefault", "add", "sort",
            "reverse", "fill", "put", "discard"}  # fmt: skip
INT64 = 2**63
LATER = "; `jit: false` allows it"

NO_NODES: dict[type[ast.AST], str] = {
    ast.Try: "try/except is not for compiled code: check before, a hook that raises stops the strategy",
    ast.With: "with is not for compiled code",
    ast.ListComp: "comprehensions are not for compiled code: write a loop over an array of the state",
    ast.SetComp: "comprehensions are not for compiled code: write a loop over an array of the state",
    ast.DictComp: "comprehensions are not for compiled code: write a loop over an array of the state",
    ast.GeneratorExp: "generator expressions are not for compiled code: write a loop",
    ast.List: "lists are not for compiled code: declare Array(Float64, n) in State",
    ast.Dict: "dicts are not for compiled code: declare fields in State",
    ast.Set: "sets are not for compiled code: declare fields in State",
    ast.JoinedStr: "text is not for compiled code: use numbers, such as tag=1",
    ast.Lambda: "lambda is not for compiled code: write a function at the top of the file",
    ast.FunctionDef: "functions inside functions are not for compiled code: write it at the top of the file",
    ast.ClassDef: "classes inside functions are not for compiled code",
    ast.Yield: "yield is not for compiled code",
    ast.YieldFrom: "yield is not for compiled code",
    ast.Global: "global names are frozen in compiled code: keep what changes in State",
    ast.Nonlocal: "nonlocal is not for compiled code: keep what changes in State",
    ast.Delete: "del is not for compiled code",
    ast.Import: "import at the top of the file",
    ast.ImportFrom: "import at the top of the file",
    ast.Match: "match is not for compiled code: use if and elif",
    ast.Starred: "* is not for compiled code: name the values one by one",
}
NEVER_NODES: dict[type[ast.AST], str] = {
    ast.AsyncFunctionDef: PARALLEL,
    ast.Await: PARALLEL,
    ast.AsyncFor: PARALLEL,
    ast.AsyncWith: PARALLEL,
}


def module_problems(tree: ast.Module, *, jit: bool) -> Iterator[tuple[int, int, str]]:
    """Yield (line, column, fault) of imports and of async functions anywhere in a file."""
    for node in ast.walk(tree):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names = [node.module or ""]
        elif type(node) in NEVER_NODES:
            yield node.lineno, node.col_offset + 1, NEVER_NODES[type(node)]  # type: ignore[attr-defined]
        for name in names:
            why = BANNED_MODULES.get(name.split(".")[0]) or (CHANCE if name == "numpy.random" else "")
            if jit and name.split(".")[0] == "numba":
                why = "helper functions need no decorator: they are compiled with the hooks"
            if why:
                yield node.lineno, node.col_offset + 1, f"import {name}: {why}"  # type: ignore[attr-defined]


class Language:
    """Checks one function's use of the language."""

    def __init__(self, function: Function) -> None:
        self.function = function
        self.report: Callable[..., None] = function.report

    def check(self) -> None:
        """Report every fault."""
        for node in self.function.nodes:
            self._always(node)
            if self.function.jit:
                self._compiled(node)
            elif not self.function.may_build:
                self._frozen(node)

    # --- both ways of running

    def _always(self, node: ast.AST) -> None:
        function = self.function
        if isinstance(node, ast.Return) and node.value is not None and function.is_hook:
            self.report(node, "a hook returns nothing: write a bare `return`")
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            self._banned_name(node)
        elif isinstance(node, (ast.Set, ast.SetComp)) and not function.jit:
            self.report(node, BANNED_NAMES["set"])
        elif isinstance(node, ast.Attribute):
            self._module_member(node, function.resolve(node.value))

    def _module_member(self, node: ast.Attribute, module: Any) -> None:
        if not isinstance(module, ModuleType):
            return
        if module.__name__ == "numpy" and node.attr == "random":
            self.report(node, f"numpy.random: {CHANCE}")
        elif not hasattr(module, node.attr):
            choices = [name for name in vars(module) if not name.startswith("_")]
            self.report(node, f"{module.__name__} has no {node.attr!r}: {nearest(node.attr, choices)}")

    def _banned_name(self, node: ast.Name) -> None:
        found = self.function.resolve(node)
        if found is getattr(builtins, node.id, self):
            if node.id in BANNED_NAMES:
                self.report(node, f"{node.id}: {BANNED_NAMES[node.id]}")
            elif node.id == "open" and not self.function.may_build:
                self.report(node, "files are read in on_start only, with `jit: false`")
        elif isinstance(found, ModuleType) and found.__name__.split(".")[0] in BANNED_MODULES:
            self.report(node, f"{found.__name__}: {BANNED_MODULES[found.__name__.split('.')[0]]}")

    # --- plain Python: objects are built in on_start and only read later

    def _frozen(self, node: ast.AST) -> None:
        why = "is shared by the whole run: build it in on_start, keep what changes in State"
        if isinstance(node, ast.Global):
            self.report(node, f"global {', '.join(node.names)}: it {why}")
        targets: list[ast.AST] = []
        if isinstance(node, ast.Assign):
            targets = [t for t in node.targets if not isinstance(t, ast.Name)]
        elif isinstance(node, ast.AugAssign) and not isinstance(node.target, ast.Name):
            targets = [node.target]
        elif isinstance(node, ast.Delete):
            targets = list(node.targets)
        elif (
            isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in MUTATORS
        ):
            targets = [node.func]
        for target in targets:
            name = self._global_root(target)
            if name:
                self.report(node, f"{name} {why}")

    def _global_root(self, node: ast.AST) -> str:
        while isinstance(node, (ast.Attribute, ast.Subscript)):
            node = node.value
        if (
            isinstance(node, ast.Name)
            and node.id not in self.function.locals
            and node.id in self.function.module
        ):
            return node.id
        return ""

    # --- compiled

    def _compiled(self, node: ast.AST) -> None:
        message = NO_NODES.get(type(node))
        if message and not (isinstance(node, ast.List) and isinstance(node.ctx, ast.Store)):
            self.report(node, message + ("" if isinstance(node, (ast.Import, ast.ImportFrom)) else LATER))
        elif isinstance(node, ast.Constant):
            self._constant(node)
        elif isinstance(node, ast.Call):
            self._call(node)
        elif isinstance(node, ast.Slice):
            self.report(node, "slices are not for compiled code: write a loop over the cells" + LATER)
        elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow):
            self._power(node)
        elif isinstance(node, ast.Compare):
            self._compare(node)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            self._global(node)

    def _constant(self, node: ast.Constant) -> None:
        value = node.value
        if isinstance(value, (str, bytes)):
            if not self._is_said(node):
                special = value in ("nan", "inf", "-inf")
                hint = "math.nan and math.inf are numbers" if special else "use numbers, such as tag=1"
                self.report(node, f"text is not for compiled code: {hint}{LATER}")
        elif isinstance(value, complex):
            self.report(node, "complex numbers are not for strategies")
        elif isinstance(value, int) and not isinstance(value, bool) and not -INT64 <= value < INT64:
            self.report(node, f"{value} does not fit a 64-bit integer")

    def _is_said(self, node: ast.AST) -> bool:
        """Return whether text is a docstring, the words of an exception or a plotted series' name."""
        parent = self.function.parents.get(node)
        while parent is not None:
            if isinstance(parent, (ast.Raise, ast.Assert)) or _names_series(parent, node):
                return True
            if isinstance(parent, ast.Expr):
                return parent.value is node
            parent = self.function.parents.get(parent)
        return any(isinstance(s, ast.Expr) and s.value is node for s in self.function.node.body)

    def _call(self, node: ast.Call) -> None:
        found = self.function.resolve(node.func)
        name = ast.unparse(node.func)
        if found is print:
            self.report(node, "print is not for compiled code" + LATER)
        elif found is round and len(node.args) + len(node.keywords) > 1:
            self.report(
                node, "round(x, digits) differs between compiled and plain code: use round(x), or ticks"
            )
        elif isinstance(node.func, ast.Name) and found is getattr(builtins, node.func.id, self):
            raises = isinstance(found, type) and issubclass(found, BaseException)
            if node.func.id not in ALLOWED_BUILTINS and not raises and node.func.id not in BANNED_NAMES:
                allowed = ", ".join(sorted(ALLOWED_BUILTINS))
                self.report(node, f"{name}() is not for compiled code (of Python's own: {allowed}){LATER}")
        elif (
            isinstance(found, BuiltinFunctionType)
            and found.__module__ == "math"
            and found.__name__ in UNSAFE_MATH
        ):
            own = f"import {', '.join(OWN_MATH)} from tradectl.strategy, which give the same everywhere"
            self.report(
                node, f"math.{found.__name__} differs between machines, compiled and plain code: {own}"
            )
        elif (
            getattr(found, "__module__", "")
            and str(getattr(found, "__module__", "")).split(".")[0] == "numpy"
        ):
            self._numpy(node, name)
        elif isinstance(found, np.ufunc):
            self._numpy(node, name)

    def _numpy(self, node: ast.Call, name: str) -> None:
        self.report(
            node, f"{name}: numpy is not for compiled hooks: use math, loops and arrays of the state{LATER}"
        )

    def _power(self, node: ast.BinOp) -> None:
        exponent = node.right
        whole = isinstance(exponent, ast.Constant) and isinstance(exponent.value, int) and exponent.value >= 0
        if not whole:
            hint = "write x * x, or use power(x, y) of tradectl.strategy"
            self.report(node, f"** differs between compiled and plain code: {hint}")

    def _compare(self, node: ast.Compare) -> None:
        for op, right in zip(node.ops, node.comparators, strict=True):
            none = isinstance(right, ast.Constant) and right.value is None
            if isinstance(op, (ast.Is, ast.IsNot)) and not none:
                self.report(node, "`is` compares objects: use ==")

    def _global(self, node: ast.Name) -> None:
        if node.id in self.function.locals or node.id not in self.function.module:
            if node.id not in self.function.locals and not hasattr(builtins, node.id):
                self.report(node, f"the name {node.id!r} is not defined")
            return
        value = self.function.module[node.id]
        if not _is_constant(value):
            kind = type(value).__name__
            message = f"{node.id} is a {kind}: compiled code would freeze it; use Params, State or a tuple of numbers"
            self.report(node, message)


def _is_constant(value: Any) -> bool:
    """Return whether a global may be used in compiled code: it cannot change."""
    if isinstance(value, tuple):
        return all(_is_constant(each) for each in value)
    if isinstance(value, int) and not isinstance(value, bool):
        return -INT64 <= value < INT64
    if isinstance(value, type):
        return issubclass(value, (enum.IntEnum, BaseException)) or value in (int, float, bool)
    known = (bool, float, np.integer, np.floating, ModuleType, FunctionType, BuiltinFunctionType, np.ufunc)
    return value is None or value is math.nan or isinstance(value, known)


def _names_series(call: ast.AST | None, text: ast.AST) -> bool:
    """Return whether text is the series' name in a call of `ctx.plot`."""
    if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr == "plot"):
        return False
    return text in call.args[:1] or any(k.arg == "name" and k.value is text for k in call.keywords)
