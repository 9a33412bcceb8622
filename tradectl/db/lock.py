"""lock.json: what a run was made of, by hash and place, so that it can be made again and compared."""

from __future__ import annotations

import hashlib
import os
import platform
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from tradectl import __version__
from tradectl.core.jit import cpu_name, numba_version
from tradectl.engine.journal import event_layout
from tradectl.engine.state import layout_hash
from tradectl.history.files import fingerprint

__all__ = ["calendar_versions", "common_root", "data_lock", "differing_versions", "place_sources", "versions"]

CALENDARS = "exchange_calendars"
ALWAYS = "24/7"  # a calendar that needs no package
MAGIC = "*?["  # what makes a path a glob


def versions() -> dict[str, str]:
    """Return the versions and layouts that results depend on."""
    made = {"tradectl": __version__, "python": platform.python_version()}
    made |= {"numpy": np.__version__, "numba": numba_version(), "polars": pl.__version__}
    return made | {"layout": layout_hash(), "event_layout": event_layout().hex()}


def calendar_versions(names: Iterable[str | None]) -> dict[str, str]:
    """Return the version of the package that knows exchanges' hours, where any name is that of an exchange."""
    return _installed(CALENDARS) if any(name not in (None, ALWAYS) for name in names) else {}


def machine() -> dict[str, str]:
    """Return what the run ran on; results do not depend on it."""
    return {"system": platform.system(), "machine": platform.machine(), "cpu": cpu_name()}


def differing_versions(lock: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    """Return {name: (then, now)} of versions that differ from a lock's."""
    then, now = lock.get("versions", {}), versions()
    if CALENDARS in then:
        now |= _installed(CALENDARS)
    return {name: (str(then.get(name)), now[name]) for name in now if then.get(name) != now[name]}


def _installed(package: str) -> dict[str, str]:
    """Return the version of a package, `none` where it is not installed."""
    try:
        return {package: version(package)}
    except PackageNotFoundError:
        return {package: "none"}


def common_root(sources: Sequence[str]) -> Path:
    """Return the folder that holds all sources: of a file or glob the folder it stands in."""
    bases = []
    for source in sources:
        path = Path(source)
        while any(mark in str(path) for mark in MAGIC):
            path = path.parent
        bases.append(path if path.is_dir() else path.parent)
    return Path(os.path.commonpath(bases)) if bases else Path()


def data_lock(sources: Sequence[str], paths: Sequence[Path]) -> dict[str, Any]:
    """Return where the data is (`root`), every file's size and hash, and one hash of them all."""
    root = common_root(sources)
    files = fingerprint(paths, root)
    digest = hashlib.blake2b(digest_size=16)
    for name in sorted(files):
        digest.update(f"{name}\0{files[name]['size']}\0{files[name]['blake2b']}\0".encode())
    return {"root": str(root), "sources": list(sources), "files": files, "hash": digest.hexdigest()}


def place_sources(groups: Sequence[Sequence[Path]]) -> dict[Path, str]:
    """Give each strategy source file its place under `sources/`: the first folder's at the top, others in 1/, 2/.

    Files of one folder stay together, since they may import each other.
    """
    folders: list[Path] = []
    made: dict[Path, str] = {}
    for path in (path for group in groups for path in group):
        if path.parent not in folders:
            folders.append(path.parent)
        number = folders.index(path.parent)
        made[path] = f"sources/{number}/{path.name}" if number else f"sources/{path.name}"
    return made
