"""The folder of a live session: a run folder from its first second, held by one process, resumable after any end."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tradectl.db.catalogue import SESSION, SUMMARY
from tradectl.db.runfolder import RunFolder, hold, json_text, sync_path
from tradectl.db.snapshot import Snapshot, read_snapshot
from tradectl.errors import StoreError

__all__ = ["SESSION", "SessionFolder"]

KEPT = 2  # snapshots
SCHEMA = 1


class SessionFolder:
    """A run folder that is written while its session runs; the lock on it ends with the process."""

    def __init__(self, path: Path) -> None:
        """Take hold of an existing session; StoreError where another process holds it."""
        if not (path / SESSION).is_file():
            raise StoreError(f"{path} is no session: it has no {SESSION}")
        self.path = self.final = path
        try:
            self._held = hold(path)
        except OSError as error:
            raise StoreError(f"cannot write {path}: {error.strerror or error}") from error
        if self._held is None:
            raise StoreError(f"{path} is running in another process", hint="`tradectl control RUN stop` ends it")

    @classmethod
    def create(cls, runs: Path, name: str, digest: str, fill: Callable[[RunFolder], None]) -> SessionFolder:
        """Make a session's folder; it appears when `fill` has written what it begins with."""
        folder = RunFolder(runs, name, digest)
        try:
            fill(folder)
            started = datetime.now(UTC).isoformat(timespec="seconds")
            about = {"schema": SCHEMA, "mode": "paper", "name": name, "started": started, "resumed": []}
            folder.write_text(SESSION, json_text(about))
            return cls(folder.finish())
        except BaseException:
            folder.discard()
            raise

    def about(self) -> dict[str, Any]:
        """Return what session.json says."""
        try:
            return dict(json.loads((self.path / SESSION).read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError) as error:
            raise StoreError(f"{self.path / SESSION} is damaged or cannot be read ({error})") from error

    def note(self, changes: Mapping[str, Any]) -> None:
        """Change what session.json says."""
        self.write_text(SESSION, json_text({**self.about(), **changes}))

    def write_text(self, name: str, text: str) -> None:
        """Write a text file, whole or not at all."""
        self.write_bytes(name, text.encode())

    def write_bytes(self, name: str, content: bytes) -> None:
        """Write a file of bytes, whole or not at all."""
        place = self.path / name
        temporary = place.with_name(f".{place.name}.tmp")
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            with temporary.open("wb") as stream:
                stream.write(content)
                stream.flush()
                os.fsync(stream.fileno())
            temporary.replace(place)
        except OSError as error:
            raise StoreError(f"cannot write {place}: {error.strerror or error}") from error

    def keep(self, events: int, content: bytes) -> None:
        """Keep the snapshot taken after `events`, and of the older ones the newest."""
        self.write_bytes(f"snapshots/{events:015d}.tcs", content)
        for path in self._snapshots()[:-KEPT]:
            path.unlink(missing_ok=True)

    def _snapshots(self) -> list[Path]:
        return sorted((self.path / "snapshots").glob("[0-9]*.tcs"))

    def newest(self) -> Snapshot | None:
        """Return the newest snapshot that is whole and of this layout; None: none is."""
        for path in reversed(self._snapshots()):
            try:
                return read_snapshot(path)
            except StoreError:
                continue
        return None

    def forget(self) -> None:
        """Remove the snapshots of a session that has come to its end: its journal and its final state say it all."""
        for path in self._snapshots():
            path.unlink(missing_ok=True)

    def reopen(self) -> None:
        """Take back the end of a session that goes on."""
        (self.path / SUMMARY).unlink(missing_ok=True)

    def sync(self) -> None:
        """Bring every file to the disk."""
        for path in sorted(self.path.rglob("*")):
            if not path.is_socket():
                sync_path(path)
        sync_path(self.path)

    def release(self) -> None:
        """Let go of the folder."""
        if self._held is not None:
            os.close(self._held)
            self._held = None
