"""The lint of a strategy's source before it is compiled: what, where, and what to do instead.

`lint_access` looks at what hooks do with ctx, parameters, state and reports; `lint_language` at the parts of
Python that compiled code has not, that differ in it, or that would let a clock or chance into the run;
`lint_flow` at names that may have no value.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from tradectl.strategy.declare import Spec
from tradectl.strategy.lint_access import Access
from tradectl.strategy.lint_flow import Flow
from tradectl.strategy.lint_language import Language, module_problems
from tradectl.strategy.memory import Array, PerInstrument, Record, StateField
from tradectl.strategy.modules import Sources, source_line

__all__ = ["Finding", "Function", "lint"]

HOOK_ARGUMENTS = {"on_order": ("ctx", "p", "s", "order"), "on_fill": ("ctx", "p", "s", "fill")}
COMMON_ARGUMENTS = ("ctx", "p", "s")


@dataclass(frozen=True, order=True)
class Finding:
    """One finding of the lint; only errors stop the load."""

    path: Path
    line: int
    col: int
    message: str
    is_error: bool = True

    def __str__(self) -> str:
        return f"{self.path}:{self.line}:{self.col}: {self.message}{source_line(self.path, self.line)}"


@dataclass
class Function:
    """One function under the lint: a hook, or a helper outside the class.

    `roles` maps its argument names to `ctx`, `p`, `s` or `report`; `module` is its module's namespace.
    """

    node: ast.FunctionDef
    path: Path
    roles: dict[str, str]
    module: dict[str, Any]
    spec: Spec
    jit: bool
    is_hook: bool
    findings: list[Finding] = field(default_factory=list)

    def __post_init__(self) -> None:
        nodes = [node for statement in self.node.body for node in ast.walk(statement)]
        self.nodes = nodes
        arguments = self.node.args
        self.locals = {a.arg for a in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)}
        declared = {name for node in nodes if isinstance(node, ast.Global) for name in node.names}
        self.locals |= {
            n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)
        } - declared
        self.parents = {child: parent for parent in nodes for child in ast.iter_child_nodes(parent)}

    @property
    def may_build(self) -> bool:
        """Return whether Python objects may be made here: in on_start of a plain strategy."""
        return not self.jit and self.node.name == "on_start"

    def report(self, node: ast.AST, message: str, *, is_error: bool = True) -> None:
        """Add a finding at a node, once per line and message."""
        line, col = getattr(node, "lineno", 1), getattr(node, "col_offset", 0) + 1
        if not any(f.line == line and f.message == message for f in self.findings):
            self.findings.append(Finding(self.path, line, col, message, is_error))

    def resolve(self, node: ast.AST) -> Any:
        """Return the object that a global name or a dotted name below one stands for, None if unknown."""
        if isinstance(node, ast.Name):
            if node.id in self.locals:
                return None
            return self.module.get(node.id, getattr(builtins, node.id, None))
        if isinstance(node, ast.Attribute):
            owner = self.resolve(node.value)
            if isinstance(owner, ModuleType):
                return getattr(owner, node.attr, None)
        return None


def _hook_roles(node: ast.FunctionDef) -> tuple[dict[str, str], str]:
    """Return the roles of a hook's arguments, and what is wrong with them."""
    wanted = HOOK_ARGUMENTS.get(node.name, COMMON_ARGUMENTS)
    arguments = node.args
    names = [a.arg for a in (*arguments.posonlyargs, *arguments.args)]
    plain = not (arguments.vararg or arguments.kwarg or arguments.kwonlyargs or arguments.defaults)
    if len(names) != len(wanted) or not plain:
        return {}, f"{node.name} takes exactly ({', '.join(wanted)})" + (
            ", no self" if "self" in names else ""
        )
    roles = dict(zip(names, ("ctx", "p", "s", "report"), strict=False))
    return roles, ""


def _functions(
    spec: Spec, sources: Sources, modules: Mapping[Path, ModuleType], jit: bool, findings: list[Finding]
) -> Iterator[Function]:
    for path, tree in sources.trees.items():
        namespace = vars(modules[path])
        for node in tree.body:
            if isinstance(node, ast.FunctionDef):
                roles = {a.arg: "ctx" for a in node.args.args if a.arg == "ctx"}
                yield Function(node, path, roles, namespace, spec, jit, is_hook=False)
            elif isinstance(node, ast.ClassDef) and node.name == spec.name and path == sources.main:
                for inner in node.body:
                    if not isinstance(inner, ast.FunctionDef):
                        continue
                    roles, problem = _hook_roles(inner)
                    made = Function(inner, path, roles, namespace, spec, jit, is_hook=True)
                    if problem:
                        findings.append(Finding(path, inner.lineno, inner.col_offset + 1, problem))
                    else:
                        yield made


def _lengths(declared: StateField) -> Iterator[str]:
    """Yield the parameters that a field of the state takes its size from."""
    if isinstance(declared, Array):
        yield from (n for n in declared.shape if isinstance(n, str))
        yield from _lengths(declared.of)
    elif isinstance(declared, PerInstrument):
        yield from _lengths(declared.of)
    elif isinstance(declared, Record):
        length = getattr(declared, "length", None)
        if isinstance(length, str):
            yield length
        for inner in declared.fields.values():
            yield from _lengths(inner)


def _unused(spec: Spec, sources: Sources) -> Iterator[Finding]:
    """Yield a warning for each parameter that nothing reads."""
    tree = sources.trees[sources.main]
    read = {
        node.attr for t in sources.trees.values() for node in ast.walk(t) if isinstance(node, ast.Attribute)
    }
    read |= {name for declared in spec.state.values() for name in _lengths(declared)}
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef) and node.name == "Params":
            for statement in node.body:
                for target in getattr(statement, "targets", []):
                    if isinstance(target, ast.Name) and target.id in spec.params and target.id not in read:
                        message = f"parameter {target.id!r} is declared but never used"
                        yield Finding(
                            sources.main, statement.lineno, statement.col_offset + 1, message, False
                        )


def lint(spec: Spec, sources: Sources, modules: Mapping[Path, ModuleType], *, jit: bool) -> list[Finding]:
    """Return all findings on a strategy's files, in the order of their places."""
    findings: list[Finding] = []
    for path, tree in sources.trees.items():
        findings += [
            Finding(path, line, col, message) for line, col, message in module_problems(tree, jit=jit)
        ]
    for function in _functions(spec, sources, modules, jit, findings):
        Access(function).check()
        Language(function).check()
        if jit:
            Flow(function).check()
        findings += function.findings
    findings += _unused(spec, sources)
    return sorted(findings)
