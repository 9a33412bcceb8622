"""What files a strategy opens while it is checked, and the cut copies that it is given in their place."""

from __future__ import annotations

import builtins
import functools
import io
import os
import sys
import sysconfig
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

__all__ = ["Watch"]

READERS = {  # functions of libraries that open a path outside Python, which no audit event tells
    "polars": ("read_csv", "scan_csv", "read_parquet", "scan_parquet", "read_ipc", "scan_ipc", "read_ndjson",
               "scan_ndjson", "read_json", "read_csv_batched"),
    "pyarrow.parquet": ("read_table", "ParquetFile"),
    "pyarrow.csv": ("read_csv", "open_csv"),
    "pyarrow.feather": ("read_table", "read_feather"),
}  # fmt: skip
CODE = {".py", ".pyc", ".so", ".pyi", ".pyd", ".dll"}
SYSTEM = tuple(
    {os.path.realpath(p) + os.sep for p in (sys.prefix, sys.base_prefix, *sysconfig.get_paths().values())}
    | {"/proc/", "/sys/", "/dev/", "/etc/"}
)
WRITING = "wax+"
Redirect = Callable[[Path], Path | None]
_open_watches: list[Watch] = []
_hooked = False


def _audit(event: str, args: tuple[Any, ...]) -> None:
    if _open_watches and event in ("open", "sqlite3.connect"):
        # of a database nobody can say here whether it is written, and none can be cut
        _open_watches[-1].seen(args[0], str(args[1] or "") if event == "open" and len(args) > 1 else "r")


@dataclass
class Watch:
    """While entered, opens by code of the `sources` are noted, and reads go where `redirect` says (None: unchanged).

    `read` are files that were read as they are, `cut` those read as copies, `written` those opened to be written:
    they are made in `scratch`, and each watch begins without them.
    """

    sources: set[str]
    redirect: Redirect
    scratch: Path
    read: set[Path] = field(default_factory=set)
    cut: set[Path] = field(default_factory=set)
    written: set[Path] = field(default_factory=set)
    _copies: set[str] = field(default_factory=set)
    _moved: dict[Path, str] = field(default_factory=dict)
    _busy: bool = False

    @contextmanager
    def entered(self) -> Iterator[Watch]:
        """Watch and redirect; what was patched is put back."""
        global _hooked
        if not _hooked:  # an audit hook cannot be taken away: it looks at the list of watches
            sys.addaudithook(_audit)
            _hooked = True
        import polars  # noqa: F401 (so that its readers can be patched)

        plain_open, patched = builtins.open, list(_readers())
        _open_watches.append(self)
        builtins.open = io.open = self._opening(plain_open)  # type: ignore[assignment]
        for module, name, reader in patched:
            setattr(module, name, self._reading(reader))
        try:
            yield self
        finally:
            builtins.open = io.open = plain_open
            for module, name, reader in patched:
                setattr(module, name, reader)
            _open_watches.remove(self)

    def _mine(self) -> bool:
        """Return whether the strategy's own code is being run."""
        frame = sys._getframe(2)
        while frame is not None:
            name = frame.f_code.co_filename
            if name.startswith("<frozen importlib"):
                return False  # files of a library that is being imported
            if name in self.sources:
                return True
            frame = frame.f_back  # type: ignore[assignment]
        return False

    def seen(self, file: Any, mode: str) -> None:
        """Note a file that is opened."""
        if self._busy or not isinstance(file, (str, bytes, os.PathLike)) or not self._mine():
            return
        path = Path(os.path.realpath(os.fsdecode(file)))
        text = str(path)
        if path.suffix in CODE or text.startswith(SYSTEM) or text in self._copies or path.is_dir():
            return
        (self.written if any(letter in mode for letter in WRITING) else self.read).add(path)

    def _to(self, file: Any, mode: str = "r") -> Any:
        """Return the copy that a file of the strategy's is read from or written to, else the file."""
        if not isinstance(file, (str, os.PathLike)):
            return file
        path = Path(os.path.realpath(file))
        if path.suffix in CODE or str(path).startswith(SYSTEM):
            return file
        if any(letter in mode for letter in WRITING):
            self._written(path)
        if path in self._moved:
            return self._moved[path]
        copy = self._copied(path) if path.is_file() else None
        if copy is None:
            return file
        self._copies.add(os.path.realpath(copy))
        self.cut.add(path)
        return str(copy)

    def _copied(self, path: Path) -> Path | None:
        self._busy = True
        try:
            return self.redirect(path)
        finally:
            self._busy = False

    def _written(self, path: Path) -> None:
        self.written.add(path)
        if path not in self._moved:
            self.scratch.mkdir(parents=True, exist_ok=True)
            place = self.scratch / f"{len(self._moved)}-{path.name}"
            self._moved[path] = str(place)
            self._copies.add(os.path.realpath(place))

    def _opening(self, plain: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(plain)
        def opened(file: Any, mode: str = "r", *args: Any, **options: Any) -> Any:
            if self._mine_or_not():
                file = self._to(file, mode)
            return plain(file, mode, *args, **options)

        return opened

    def _reading(self, plain: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(plain)
        def read(source: Any, *args: Any, **options: Any) -> Any:
            if self._mine_or_not():
                each = self._expanded(source)
                for one in each:
                    self.seen(one, "r")
                moved = [self._to(one) for one in each]
                source = moved if isinstance(source, Sequence) and not isinstance(source, (str, bytes)) else moved[0]
            return plain(source, *args, **options)

        return read

    def _mine_or_not(self) -> bool:
        return not self._busy and self._mine()

    @staticmethod
    def _expanded(source: Any) -> list[Any]:
        return list(source) if isinstance(source, Sequence) and not isinstance(source, (str, bytes)) else [source]


def _readers() -> Iterator[tuple[Any, str, Callable[..., Any]]]:
    """Yield (module, name, function) of the readers that are loaded."""
    for module_name, names in READERS.items():
        module = sys.modules.get(module_name)
        for name in names if module is not None else ():
            if hasattr(module, name):
                yield module, name, getattr(module, name)
