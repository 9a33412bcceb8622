"""The run folder: built hidden, visible under its name only when it is whole."""

from __future__ import annotations

import json
import math
import os
import re
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tradectl.errors import StoreError

__all__ = ["RunFolder", "json_text", "slug"]

MAX_SAME = 10_000  # runs of one name that began in one second
MAX_NAME = 48  # characters of the run's name in the folder's name


def slug(name: str) -> str:
    """Return a name as part of a file name."""
    return re.sub(r"[^A-Za-z0-9._]+", "-", name).strip("-.")[:MAX_NAME] or "run"


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(inner) for inner in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def json_text(value: Any, indent: int | None = 1) -> str:
    """Return a value as JSON; NaN and infinities are null."""
    return json.dumps(_plain(value), indent=indent, ensure_ascii=False, allow_nan=False)


class RunFolder:
    """A folder under `runs` that gets its final name with `finish`, or goes away with `discard`."""

    def __init__(self, runs: Path, name: str, digest: str, now: datetime | None = None) -> None:
        moment = (now or datetime.now(UTC)).strftime("%Y%m%dT%H%M%SZ")
        self.runs = runs
        self.finished = False
        try:
            runs.mkdir(parents=True, exist_ok=True)
            self.path, self.final = _reserve(runs, f"{moment}-{slug(name)}-{digest[:8]}")
        except OSError as error:
            raise StoreError(f"cannot write runs to {runs}: {error.strerror or error}") from error

    def write_text(self, name: str, text: str) -> None:
        """Write a text file."""
        self._place(name).write_text(text, encoding="utf-8")

    def write_bytes(self, name: str, content: bytes) -> None:
        """Write a file of bytes."""
        self._place(name).write_bytes(content)

    def _place(self, name: str) -> Path:
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def sync(self) -> None:
        """Bring every file to the disk."""
        for path in sorted(self.path.rglob("*")):
            _sync(path)
        _sync(self.path)

    def finish(self) -> Path:
        """Sync every file, then give the folder its name."""
        try:
            self.sync()
            self.path.rename(self.final)
            _sync(self.runs)
        except OSError as error:
            self.discard()
            raise StoreError(
                f"cannot finish the run folder {self.final}: {error.strerror or error}"
            ) from error
        self.path, self.finished = self.final, True
        return self.final

    def discard(self) -> None:
        """Remove what was written, unless it is finished."""
        if not self.finished:
            shutil.rmtree(self.path, ignore_errors=True)


def _reserve(runs: Path, name: str) -> tuple[Path, Path]:
    """Make the hidden folder, whose name reserves the final one; a name that is taken gets a number."""
    for number in range(1, MAX_SAME + 1):
        final = runs / (name if number == 1 else f"{name}-{number}")
        hidden = runs / f".{final.name}"
        if final.exists():
            continue
        try:
            hidden.mkdir()
        except FileExistsError:
            continue
        if not final.exists():  # another run may have finished in between
            return hidden, final
        hidden.rmdir()
    raise StoreError(f"{runs / name}: {MAX_SAME:,} runs of this name")


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
