"""Where the data that a run read lies now: under its own names, or known by its content."""

from __future__ import annotations

import glob
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tradectl.errors import DataError
from tradectl.history.files import file_hash

__all__ = ["find_data"]


def find_data(lock: Mapping[str, Any], given: Sequence[str], scratch: Path) -> tuple[Path, str]:
    """Return (folder that stands for the lock's root, what is missing or changed; empty: nothing).

    `given` are files, folders and globs; none: where the lock says. A folder may hold the files under the names
    that the run read, or else all files are known by size and hash, whatever they are called now: they are
    linked in `scratch` under their old names, which may say the symbol and the timeframe.
    """
    files = lock["files"]
    root = Path(lock["root"])
    if given:
        root = Path(given[0]).expanduser().resolve()
    fault = _fault(root, files)
    if not fault or not given:
        return root, fault
    candidates = _candidates(given)
    found = {name: _same(about, candidates) for name, about in files.items()}
    for name, path in found.items():
        if path is None:
            alike = [one for one in candidates if one.name == Path(name).name]
            if len(files) == len(candidates) == 1:
                alike = candidates
            if alike:
                return root, f"the data of the run has changed: {alike[0]} is not the file that it read"
            return root, f"the data of the run is missing: {name} is not in {', '.join(given)}"
        _link(scratch / name, path)
    return scratch, ""


def _fault(root: Path, files: Mapping[str, Any]) -> str:
    """Say what is missing or changed of the files under their own names."""
    for name, about in files.items():
        path = root / name
        if not path.is_file():
            return f"the data of the run is missing: {path}"
        if path.stat().st_size != about["size"] or file_hash(path) != about["blake2b"]:
            return f"the data of the run has changed: {path} is not the file that it read"
    return ""


def _candidates(given: Sequence[str]) -> list[Path]:
    """Return all files that places name."""
    found: set[Path] = set()
    for place in given:
        path = Path(place).expanduser()
        matches = [path] if path.exists() else [Path(one) for one in glob.glob(str(path), recursive=True)]
        if not matches:
            raise DataError(f"--data: no file matches {place}")
        for one in matches:
            found |= {p for p in one.rglob("*") if p.is_file()} if one.is_dir() else {one}
    return sorted(found)


def _same(about: Mapping[str, Any], candidates: Sequence[Path]) -> Path | None:
    """Return the first file of this size and hash."""
    alike = (one for one in candidates if one.stat().st_size == about["size"])
    return next((one for one in alike if file_hash(one) == about["blake2b"]), None)


def _link(place: Path, path: Path) -> None:
    """Let a file stand under another name; where links are not allowed, as a copy."""
    place.parent.mkdir(parents=True, exist_ok=True)
    try:
        place.symlink_to(path.resolve())
    except OSError:
        shutil.copyfile(path, place)
