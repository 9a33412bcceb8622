"""The trial registry: one line a backtest, so that later statistics know how many trials were made."""

from __future__ import annotations

import fcntl
import json
import os
from pathlib import Path
from typing import Any

from tradectl.db.runfolder import json_text
from tradectl.errors import StoreError

__all__ = ["TRIALS", "append_trial", "read_trials"]

TRIALS = "trials.ndjson"


def append_trial(runs: Path, trial: dict[str, Any]) -> None:
    """Append one line under a lock; a half line that a crash left behind is closed first."""
    try:
        with (runs / TRIALS).open("ab+") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX)
            end = stream.seek(0, os.SEEK_END)
            torn = False
            if end:
                stream.seek(end - 1)
                torn = stream.read(1) != b"\n"
            stream.write((b"\n" if torn else b"") + json_text(trial, indent=None).encode() + b"\n")
            stream.flush()
            os.fsync(stream.fileno())
    except OSError as error:
        raise StoreError(f"cannot write {runs / TRIALS}: {error.strerror or error}") from error


def read_trials(runs: Path) -> list[dict[str, Any]]:
    """Return all whole lines."""
    path = runs / TRIALS
    if not path.is_file():
        return []
    made = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            made.append(json.loads(line))
        except ValueError:
            continue
    return made
