"""House rules that the linters cannot check: lengths, kernels, public names, what a file must not say."""

from __future__ import annotations

import ast
import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = sorted(
    path
    for folder in ("tradectl", "tests", "strategies")
    for path in (ROOT / folder).rglob("*.py")
    if "__pycache__" not in path.parts
)
PACKAGE = [path for path in SOURCES if path.is_relative_to(ROOT / "tradectl")]
LONGEST_FUNCTION, LONGEST_FILE, LONGEST_LINE = 70, 500, 120
TEXTS = (".py", ".md", ".toml", ".yaml", ".yml", ".txt", ".cfg", ".json", "")
MOST_TEXT = 1_000_000  # bytes
ALLOWED_IN_KERNEL_UNITS = {"llvmlite", "numba", "numpy", "tradectl"}
BANNED_MODULES = {"time", "random", "datetime", "os", "io", "secrets", "uuid", "logging"}
BANNED_CALLS = {
    "print",
    "open",
    "input",
    "sorted",
    "list",
    "dict",
    "set",
    "str",
    "repr",
    "eval",
    "exec",
    "getattr",
}
LITERALS = (
    ast.Dict, ast.DictComp, ast.GeneratorExp, ast.JoinedStr, ast.Lambda, ast.List, ast.ListComp, ast.Set, ast.SetComp,
)  # fmt: skip
STATEMENTS = (ast.Raise, ast.Try, ast.Assert, ast.With, ast.Yield, ast.Import, ast.ImportFrom)
ALLOCATING = {"zeros", "empty", "array", "full", "ones", "random"}
Function = ast.FunctionDef | ast.AsyncFunctionDef


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def functions(tree: ast.Module) -> list[Function]:
    return [node for node in ast.walk(tree) if isinstance(node, Function)]


def decorators(function: Function) -> set[str]:
    """Return the names of a function's decorators, without module and arguments."""
    found = set()
    for node in function.decorator_list:
        called = node.func if isinstance(node, ast.Call) else node
        found.add(called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", ""))
    return found


def dotted(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def tracked() -> list[Path]:
    """Return the text files that are in the repository, or would be after `git add`."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    names = done.stdout.splitlines() if done.returncode == 0 else [name_of(path) for path in SOURCES]
    paths = [ROOT / name for name in names]
    return [p for p in paths if p.is_file() and p.suffix in TEXTS and p.stat().st_size <= MOST_TEXT]


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_lengths(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    assert len(lines) <= LONGEST_FILE, f"{len(lines)} lines; split it"
    long = [
        f"{path.name}:{function.lineno} {function.name}: {length} lines"
        for function in functions(parsed(path))
        if (length := (function.end_lineno or function.lineno) - function.lineno + 1) > LONGEST_FUNCTION
    ]
    assert not long


@pytest.mark.parametrize("path", PACKAGE, ids=name_of)
def test_every_module_says_what_it_is(path: Path) -> None:
    assert ast.get_docstring(parsed(path))


@pytest.mark.parametrize("path", PACKAGE, ids=name_of)
def test_numba_is_reached_through_one_module(path: Path) -> None:
    """Flags stand in core/compiler.py: `njit` as a decorator stands nowhere."""
    bare = [
        f"{path.name}:{f.lineno} {f.name}"
        for f in functions(parsed(path))
        if decorators(f) & {"njit", "jit", "vectorize"}
    ]
    assert not bare


@pytest.mark.parametrize("unit", ["core", "risk"])
def test_kernel_units_import_nothing_foreign(unit: str) -> None:
    foreign = []
    for path in sorted((ROOT / "tradectl" / unit).rglob("*.py")):
        for node in ast.walk(parsed(path)):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            tops = {name.partition(".")[0] for name in names}
            foreign += [
                f"{path.name}: {top}" for top in tops - ALLOWED_IN_KERNEL_UNITS - sys.stdlib_module_names
            ]
    assert not foreign


def kernel_faults(function: Function) -> list[str]:
    """Return what a kernel must not hold: allocation, I/O, time, chance, raising."""
    faults = []
    for node in ast.walk(ast.Module(function.body, [])):
        what = ""
        if isinstance(node, (*LITERALS, *STATEMENTS)):
            what = type(node).__name__
        elif isinstance(node, ast.Call) and is_banned(dotted(node.func)):
            what = f"{dotted(node.func)}()"
        elif isinstance(node, ast.While) and isinstance(node.test, ast.Constant) and not has_exit(node):
            what = "a loop without end"
        if what:
            faults.append(f"line {node.lineno}: {what}")
    return faults


def is_banned(name: str) -> bool:
    head, _, rest = name.partition(".")
    if head in ("np", "numpy"):
        return rest.partition(".")[0] in ALLOCATING
    return name in BANNED_CALLS or head in BANNED_MODULES


def has_exit(loop: ast.While) -> bool:
    return any(isinstance(node, (ast.Break, ast.Return)) for node in ast.walk(loop))


@pytest.mark.parametrize("path", PACKAGE, ids=name_of)
def test_kernels_do_nothing_but_compute(path: Path) -> None:
    faults = [
        f"{function.name} {fault}"
        for function in functions(parsed(path))
        if decorators(function) & {"kernel", "routine", "entry"}
        for fault in kernel_faults(function)
    ]
    assert not faults


@pytest.mark.parametrize("path", PACKAGE, ids=name_of)
def test_public_names_exist(path: Path) -> None:
    names = [part for part in path.relative_to(ROOT).with_suffix("").parts if part != "__init__"]
    if names[-1] == "__main__":
        return
    module = importlib.import_module(".".join(names))
    public = getattr(module, "__all__", [])
    assert [name for name in public if not hasattr(module, name)] == []
    assert len(set(public)) == len(public)


def test_no_file_names_a_machine_a_registry_or_unfinished_work() -> None:
    """Words are put together here so that this file does not hold them."""
    banned = {
        "a path of one machine": r"(?<![\w.])/(?:work|home/\w+|Users/\w+|root)/\w",
        "a registry": r"(?:pypi\.org|" + r"files\.pythonhosted|" + r"registry\.npmjs|" + r"crates\.io/)",
        "unfinished work": r"\b(?:TO" + r"DO|FIX" + r"ME|X" + r"XX|HA" + r"CK)\b",
        "a stub": "Not" + "ImplementedError",
        "a conflict": r"^(?:<{7}|>{7}) ",
    }
    found = []
    for path in tracked():
        text = path.read_text(encoding="utf-8", errors="replace")
        for what, pattern in banned.items():
            found += [
                f"{name_of(path)}: {what}: {hit[0]}" for hit in re.finditer(pattern, text, re.MULTILINE)
            ]
    assert not found
