"""The run folder: built hidden, visible under its name only when it is whole."""

from __future__ import annotations

import json
import math
import os
import re
import shutil
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tradectl.errors import StoreError

__all__ = ["RunFolder", "json_text", "slug"]

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
        self.name = f"{moment}-{slug(name)}-{digest[:8]}"
        try:
            runs.mkdir(parents=True, exist_ok=True)
            self.path = Path(tempfile.mkdtemp(prefix=f".{self.name}-", dir=runs))
        except OSError as error:
            raise StoreError(f"cannot write runs to {runs}: {error.strerror or error}") from error
        self.path.chmod(0o755 & ~_umask())
        self.finished = False

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
        """Sync every file, then give the folder its name; a name that is taken gets a number."""
        try:
            self.sync()
            final = self._rename()
            _sync(self.runs)
        except OSError as error:
            self.discard()
            raise StoreError(f"cannot finish the run folder {self.name}: {error.strerror or error}") from error
        self.path, self.finished = final, True
        return final

    def _rename(self) -> Path:
        for number in range(1, 10_000):
            final = self.runs / (self.name if number == 1 else f"{self.name}-{number}")
            if final.exists():
                continue
            try:
                self.path.rename(final)
                return final
            except OSError:
                if not final.exists():
                    raise
        raise StoreError(f"{self.runs / self.name}: too many runs of this name")

    def discard(self) -> None:
        """Remove what was written, unless it is finished."""
        if not self.finished:
            shutil.rmtree(self.path, ignore_errors=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
