"""From `path[:Class]` and parameter values to a checked strategy with its typed memory."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import FunctionType
from typing import Any

import numpy as np

from tradectl.core.codes import Hook
from tradectl.errors import StrategyError, nearest
from tradectl.strategy.declare import Spec, check_params, fill_initial, param_codes, spec_of
from tradectl.strategy.lint import Finding, lint
from tradectl.strategy.memory import Sizes
from tradectl.strategy.modules import import_sources, read_sources
from tradectl.strategy.params import Value

__all__ = ["LoadedStrategy", "initial_state", "load_strategy", "split_reference"]

HOOK_NAMES = {hook.name.lower(): hook for hook in Hook}
PORTFOLIO_HOOKS = ("on_batch",)


@dataclass(frozen=True)
class LoadedStrategy:
    """A strategy that was found, checked against its parameters and linted; nothing is compiled yet.

    `hooks` has bit `1 << Hook` for each hook; `functions` are the hooks, `helpers` the other functions of
    the author's files. `params_dtype` and `state_dtype` are whole 8-byte words; a state record belongs to
    each instrument (scope `instrument`) or to the run (scope `portfolio`).
    """

    name: str
    scope: str
    doc: str
    path: Path
    spec: Spec
    params: dict[str, Value]
    sizes: Sizes
    params_dtype: np.dtype[Any]
    state_dtype: np.dtype[Any]
    hooks: int
    functions: dict[Hook, Callable[..., Any]]
    helpers: tuple[Callable[..., Any], ...]
    sources: tuple[Path, ...]
    source_hash: str
    findings: tuple[Finding, ...] = field(default=())

    @property
    def is_portfolio(self) -> bool:
        """Return whether one state serves the whole run."""
        return self.scope == "portfolio"

    def params_bytes(self) -> bytes:
        """Return the params record as bytes."""
        return bytes(param_codes(self.spec, self.params).tobytes())

    def state_bytes(self) -> bytes:
        """Return one state record, as before the first event, as bytes."""
        return bytes(fill_initial(self.spec, self.sizes).tobytes())


def initial_state(loaded: LoadedStrategy, n_instruments: int) -> bytes:
    """Return all state records of a run: one per instrument, or one for scope `portfolio`."""
    return loaded.state_bytes() * (1 if loaded.is_portfolio else n_instruments)


def split_reference(reference: str | Path) -> tuple[Path, str]:
    """Split `path[:Class]` into the file and the class name (empty where none is named)."""
    text = str(reference)
    head, colon, tail = text.rpartition(":")
    if colon and tail.isidentifier() and head.endswith(".py"):
        return Path(head), tail
    return Path(text), ""


def _find_file(path: Path) -> Path:
    if path.is_file():
        return path
    if path.is_dir():
        raise StrategyError(f"{path} is a folder; name a Python file in it: {_python_files(path)}")
    folder = path.parent
    near = (
        nearest(path.name, [p.name for p in folder.glob("*.py")])
        if folder.is_dir()
        else f"no folder {folder}"
    )
    raise StrategyError(f"no strategy file {path}: {near}")


def _python_files(folder: Path) -> str:
    return ", ".join(sorted(p.name for p in folder.glob("*.py"))) or "there is none"


def _pick(module: Any, path: Path, wanted: str) -> tuple[type, Spec]:
    """Return the strategy class of a module, the one named where it has several."""
    found: dict[str, tuple[type, Spec]] = {}
    for name, value in vars(module).items():
        if isinstance(value, type) and value.__module__ == module.__name__:
            spec = spec_of(value)
            if spec is not None:
                found[name] = (value, spec)
    if wanted and wanted not in found:
        if isinstance(vars(module).get(wanted), type):
            raise StrategyError(f"{path}: class {wanted} is no strategy: put @strategy above it")
        raise StrategyError(f"{path}: no strategy class {wanted!r}; {nearest(wanted, found)}")
    if not found:
        raise StrategyError(f"{path}: no strategy in this file: put @strategy above its class")
    if not wanted and len(found) > 1:
        raise StrategyError(f"{path}: {len(found)} strategies; name one: {path.name}:{next(iter(found))}"
                            f" (or {', '.join(list(found)[1:])})")  # fmt: skip
    return found[wanted] if wanted else next(iter(found.values()))


def _hooks(spec: Spec, path: Path, tree: ast.Module) -> dict[Hook, Callable[..., Any]]:
    """Return the hooks of a class; refuse unknown ones and none at all."""
    lines = {node.name: node.lineno for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    made: dict[Hook, Callable[..., Any]] = {}
    for name, fn in spec.hooks.items():
        where = f"{path}:{lines.get(name, 1)}: "
        if name not in HOOK_NAMES:
            if name.startswith("on"):
                raise StrategyError(f"{where}unknown hook {name!r}: {nearest(name, HOOK_NAMES)}")
            raise StrategyError(f"{where}{name!r} is no hook; write helper functions outside the class")
        if name in PORTFOLIO_HOOKS and spec.scope != "portfolio":
            raise StrategyError(
                f'{where}{name} needs @strategy(scope="portfolio"); with scope instrument use on_bar'
            )
        made[HOOK_NAMES[name]] = fn
    if not made:
        raise StrategyError(f"{path}: {spec.name} has no hooks; write at least one, as on_bar(ctx, p, s)")
    return dict(sorted(made.items()))


def _helpers(modules: Mapping[Path, Any]) -> tuple[Callable[..., Any], ...]:
    """Return the functions that the author's files define outside classes."""
    found = [
        value
        for module in modules.values()
        for value in vars(module).values()
        if isinstance(value, FunctionType) and value.__module__ == module.__name__
    ]
    return tuple(dict.fromkeys(found))


def load_strategy(
    reference: str | Path,
    params: Mapping[str, Any] | None = None,
    *,
    n_instruments: int = 1,
    jit: bool = True,
) -> LoadedStrategy:
    """Load `path[:Class]`, check parameter values, lint its source for compiled (`jit`) or plain running.

    `n_instruments` sizes per-instrument arrays. Every fault is a StrategyError with file and line.
    """
    path, wanted = split_reference(reference)
    path = _find_file(path).resolve()
    sources = read_sources(path)
    modules = import_sources(sources)
    _cls, spec = _pick(modules[path], path, wanted)
    functions = _hooks(spec, path, sources.trees[path])
    values = check_params(spec, params or {})
    sizes = spec.sizes(values, n_instruments)
    findings = lint(spec, sources, modules, jit=jit)
    errors = [f for f in findings if f.is_error]
    if errors:
        raise StrategyError(
            f"{spec.name}: {len(errors)} fault(s) in its source\n" + "\n".join(map(str, errors))
        )
    return LoadedStrategy(
        name=spec.name,
        scope=spec.scope,
        doc=spec.doc,
        path=path,
        spec=spec,
        params=values,
        sizes=sizes,
        params_dtype=spec.params_dtype(),
        state_dtype=_state_dtype(spec, sizes, path),
        hooks=sum(1 << hook for hook in functions),
        functions=functions,
        helpers=_helpers(modules),
        sources=tuple(sources.texts),
        source_hash=sources.digest,
        findings=tuple(findings),
    )


def _state_dtype(spec: Spec, sizes: Sizes, path: Path) -> np.dtype[Any]:
    try:
        return spec.state_dtype(sizes)
    except StrategyError as error:
        raise StrategyError(f"{path}: {spec.name}.State: {error.message}") from error
