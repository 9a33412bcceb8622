"""Which runs there are, and which one a user means."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tradectl.errors import StoreError, nearest

__all__ = ["SESSION", "SUMMARY", "Run", "find_folder", "find_run", "list_runs", "open_run"]

SUMMARY = "summary.json"
SESSION = "session.json"  # of live sessions
LATEST = "latest"
TOLD = ("name", "status", "state_hash", "final_equity", "audit")  # without these summary.json tells nothing
LOCKED = ("versions", "config", "sources", "data")  # the blocks of lock.json that are read again


@dataclass(frozen=True)
class Run:
    """One run folder and its summary."""

    path: Path
    summary: dict[str, Any]

    @property
    def name(self) -> str:
        """Return the folder's name."""
        return self.path.name

    def lock(self) -> dict[str, Any]:
        """Return lock.json, with all blocks that a reader needs."""
        path = self.path / "lock.json"
        found = _json(path)
        _need(path, [name for name in LOCKED if not isinstance(found.get(name), dict)])
        return found


def _json(path: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise StoreError(f"{path.parent} is no run folder: it has no {path.name}") from None
    except (OSError, ValueError, TypeError) as error:
        raise StoreError(f"{path} is damaged or cannot be read ({error})") from error


def _need(path: Path, missing: Sequence[str]) -> None:
    if missing:
        raise StoreError(f"{path} is damaged: it has no {', '.join(missing)}")


def open_run(path: Path) -> Run:
    """Open a run folder; StoreError where its summary is damaged."""
    summary = _json(path / SUMMARY)
    _need(path / SUMMARY, [name for name in TOLD if name not in summary])
    return Run(path, summary)


def folders(runs: Path, marker: str = SUMMARY) -> list[Path]:
    """Return the folders in `runs` that hold the file `marker`, oldest first; hidden ones are not whole yet."""
    if not runs.is_dir():
        return []
    return sorted(p for p in runs.iterdir() if not p.name.startswith(".") and (p / marker).is_file())


def list_runs(runs: Path) -> list[Run]:
    """Return all runs of a folder, oldest first; folders that cannot be read are left out."""
    made = []
    for path in folders(runs):
        try:
            made.append(open_run(path))
        except StoreError:
            continue
    return made


def find_run(argument: str, runs: Path) -> Run:
    """Return the run that is meant: a path, a folder's name, a unique part of one, or `latest`."""
    return open_run(find_folder(argument, runs, SUMMARY, "run"))


def _unfinished(path: Path) -> StoreError:
    return StoreError(
        f"{path.name} is a session without an end: it is running, or was killed",
        hint=f"`tradectl control {path} status` asks it; `tradectl paper --resume {path}` goes on with it",
    )


def find_folder(argument: str, runs: Path, marker: str, noun: str) -> Path:
    """Return the folder with the file `marker` that is meant, as `find_run` does; `noun` is what it is called."""
    if not argument:
        raise StoreError(f"no {noun} is named", hint=nearest("", [p.name for p in folders(runs, marker)][-3:]))
    path = Path(argument)
    if (path / marker).is_file():
        return path
    if (path / SESSION).is_file():
        raise _unfinished(path)
    known = folders(runs, marker)
    unfinished = [p for p in folders(runs, SESSION) if p not in known] if marker == SUMMARY else []
    if argument == LATEST:
        if not known and not unfinished:
            raise StoreError(f"there is no {noun} in {runs}")
        # names begin with the time to the second; what happened within one is told by the folder's own time
        newest = max([*known, *unfinished], key=lambda p: (p.name[:16], p.stat().st_mtime_ns))
        if newest in unfinished:
            raise _unfinished(newest)
        return newest
    for found in (
        [p for p in known if p.name == argument],
        [p for p in known if p.name.startswith(argument)],
        [p for p in known if argument in p.name],
    ):
        if len(found) == 1:
            return found[0]
        if found:
            listed = ", ".join(p.name for p in found[:6]) + (", …" if len(found) > 6 else "")
            raise StoreError(f"{argument!r} is the name of {len(found)} {noun}s: {listed}")
    for one in unfinished:
        if argument in one.name:
            raise _unfinished(one)
    if path.is_dir():
        raise StoreError(f"{path} is no {noun} folder: it has no {marker}")
    hint = nearest(argument, [p.name for p in known]) if known else f"{runs} holds no {noun}"
    raise StoreError(f"no {noun} {argument!r} in {runs}", hint=hint)
