"""Import a strategy's file and its siblings apart from all other modules.

Each file becomes a module under a name made of its place and contents, so two files of one name, or two
versions of one file, live side by side, and compiled code finds its module again in the next process.
"""

from __future__ import annotations

import ast
import hashlib
import linecache
import sys
import traceback
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType

from tradectl.errors import StrategyError

__all__ = ["Sources", "import_sources", "read_sources", "source_line"]


@dataclass
class Sources:
    """A strategy's file, first, and the files of its folder that it imports, in the order to import them."""

    main: Path
    trees: dict[Path, ast.Module] = field(default_factory=dict)  # dependencies before dependents
    texts: dict[Path, str] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """Return a hash of the files' names and contents."""
        made = hashlib.blake2b(digest_size=10)
        for path in sorted(self.texts):
            made.update(path.name.encode() + b"\0" + self.texts[path].encode() + b"\0")
        return made.hexdigest()

    def module_name(self, path: Path) -> str:
        """Return the name under which a file is imported."""
        place = hashlib.blake2b(f"{path.parent}|{self.digest}".encode(), digest_size=6).hexdigest()
        return f"strategy_{place}_{path.stem}"


def source_line(path: Path | str, line: int) -> str:
    """Return one line of a source file, indented for a message (empty where there is none)."""
    linecache.checkcache(str(path))
    text = linecache.getline(str(path), line).strip()
    return f"\n    {text}" if text else ""


def _parse(path: Path, wanted_by: str) -> tuple[str, ast.Module]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise StrategyError(f"{wanted_by}cannot read {path}: {error}") from error
    try:
        return text, ast.parse(text, filename=str(path))
    except SyntaxError as error:
        place = f"{path}:{error.lineno or 1}:{error.offset or 1}"
        shown = f"\n    {error.text.strip()}" if error.text else ""
        raise StrategyError(f"{place}: syntax error: {error.msg}{shown}") from error
    except ValueError as error:
        raise StrategyError(f"{path}: not a Python file: {error}") from error


def _sibling(folder: Path, name: str) -> Path | None:
    path = folder / f"{name}.py"
    return path if name.isidentifier() and path.is_file() else None


def imported_siblings(tree: ast.Module, folder: Path) -> list[tuple[Path, int]]:
    """Return (file, line) of the imports that are files of this folder."""
    found: list[tuple[Path, int]] = []
    for node in ast.walk(tree):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level <= 1:
            names = [node.module] if node.module else [alias.name for alias in node.names]
        found += [(path, node.lineno) for name in names if (path := _sibling(folder, name))]  # type: ignore[attr-defined]
    return found


def read_sources(main: Path) -> Sources:
    """Read a strategy's file and, transitively, the files of its folder that it imports."""
    main = main.resolve()
    made = Sources(main)

    def visit(path: Path, chain: tuple[Path, ...], wanted_by: str) -> None:
        if path in made.trees:
            return
        text, tree = _parse(path, wanted_by)
        for other, line in imported_siblings(tree, path.parent):
            if other in (*chain, path):
                raise StrategyError(
                    f"{path}:{line}: {other.name} is imported in a circle{source_line(path, line)}"
                )
            visit(other, (*chain, path), f"{path}:{line}: ")
        made.texts[path] = text
        made.trees[path] = tree

    visit(main, (), "")
    return made


class _Rename(ast.NodeTransformer):
    """Turn imports of sibling files into imports of the names under which these live."""

    def __init__(self, sources: Sources, folder: Path) -> None:
        self.sources = sources
        self.folder = folder

    def _name(self, name: str) -> str | None:
        path = _sibling(self.folder, name)
        return self.sources.module_name(path) if path else None

    def visit_Import(self, node: ast.Import) -> ast.AST:
        for alias in node.names:
            made = self._name(alias.name)
            if made:
                alias.asname, alias.name = alias.asname or alias.name, made
        return node

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.AST | list[ast.AST]:
        if node.level > 1:
            return node
        if node.module:
            made = self._name(node.module)
            if made:
                node.module, node.level = made, 0
            return node
        made_all: list[ast.AST] = []
        for alias in node.names:  # `from . import helper`
            target = ast.alias(name=self._name(alias.name) or alias.name, asname=alias.asname or alias.name)
            made_all.append(ast.copy_location(ast.Import(names=[target]), node))
        return [ast.fix_missing_locations(each) for each in made_all]


def _fault_line(error: BaseException, sources: Sources) -> tuple[Path, int]:
    """Return the innermost place in the author's files that an exception came through."""
    place = (sources.main, 1)
    for frame in traceback.extract_tb(error.__traceback__):
        if Path(frame.filename) in sources.texts:
            place = (Path(frame.filename), frame.lineno or 1)
    return place


def import_sources(sources: Sources) -> dict[Path, ModuleType]:
    """Run all files, dependencies first; return their modules."""
    made: dict[Path, ModuleType] = {}
    for path in sources.trees:
        name = sources.module_name(path)
        if name not in sys.modules:
            _run(path, name, sources)
        made[path] = sys.modules[name]
    return made


def _run(path: Path, name: str, sources: Sources) -> None:
    module = ModuleType(name)
    module.__file__ = str(path)
    tree = _Rename(sources, path.parent).visit(ast.parse(sources.texts[path], filename=str(path)))
    sys.modules[name] = module
    try:
        exec(compile(tree, str(path), "exec"), module.__dict__)
    except StrategyError as error:
        del sys.modules[name]
        where, line = _fault_line(error, sources)
        raise StrategyError(f"{where}:{line}: {error.message}{source_line(where, line)}") from error
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        where, line = _fault_line(error, sources)
        what = f"{type(error).__name__}: {error}"
        raise StrategyError(f"{where}:{line}: {what}{source_line(where, line)}") from error
