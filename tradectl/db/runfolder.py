"""The run folder: built hidden, visible under its name only when it is whole."""

from __future__ import annotations

import fcntl
import json
import math
import os
import re
import shutil
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tradectl.errors import StoreError

__all__ = ["RunFolder", "hold", "json_text", "remove_stale", "slug", "sync_path"]

MAX_SAME = 10_000  # runs of one name that began in one second
HIDDEN = re.compile(r"\.\d{8}T\d{6}Z-")  # how the name of a run in the making begins
STALE_S = 2  # seconds; between making a folder and locking it pass microseconds
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
    """A folder under `runs` that gets its final name with `finish`, or goes away with `discard`.

    Until then it holds a lock on the folder, which ends with the process however that ends.
    """

    def __init__(self, runs: Path, name: str, digest: str, now: datetime | None = None) -> None:
        moment = (now or datetime.now(UTC)).strftime("%Y%m%dT%H%M%SZ")
        self.runs = runs
        self.finished = False
        try:
            runs.mkdir(parents=True, exist_ok=True)
            self.path, self.final = _reserve(runs, f"{moment}-{slug(name)}-{digest[:8]}")
            self._held = hold(self.path)
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
            sync_path(path)
        sync_path(self.path)

    def finish(self) -> Path:
        """Sync every file, then give the folder its name."""
        try:
            self.sync()
            self.path.rename(self.final)
            sync_path(self.runs)
        except OSError as error:
            self.discard()
            raise StoreError(
                f"cannot finish the run folder {self.final}: {error.strerror or error}"
            ) from error
        self.path, self.finished = self.final, True
        self._release()
        return self.final

    def discard(self) -> None:
        """Remove what was written, unless it is finished."""
        if not self.finished:
            shutil.rmtree(self.path, ignore_errors=True)
            self._release()

    def _release(self) -> None:
        if self._held is not None:
            os.close(self._held)
            self._held = None


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


def hold(path: Path) -> int | None:
    """Lock a folder; return the handle that holds the lock, None where another one does or there are no locks."""
    handle = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:  # taken; or a file system that cannot lock a folder
        os.close(handle)
        return None
    return handle


def remove_stale(runs: Path) -> list[str]:
    """Remove the folders of runs whose process is gone (killed, or the machine went down); return their names."""
    removed = []
    for path in sorted(runs.glob(".*")) if runs.is_dir() else []:
        try:
            if not HIDDEN.match(path.name) or time.time() - path.stat().st_mtime < STALE_S:
                continue
            handle = hold(path)
        except OSError:  # gone in the meantime
            continue
        if handle is not None:
            shutil.rmtree(path, ignore_errors=True)
            os.close(handle)
            removed.append(path.name[1:])
    return removed


def sync_path(path: Path) -> None:
    """Force a file, or the list of a folder, to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
