"""Finding run folders by what a user types."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tradectl.errors import StoreError, nearest

__all__ = ["find_run", "read_summary"]

RUNS = Path("runs")


def find_run(text: str) -> Path:
    """Return the run folder that a path, or the start or a part of a name in ./runs, stands for."""
    path = Path(text)
    if path.is_dir():
        return path
    names = sorted(one.name for one in RUNS.iterdir() if one.is_dir()) if RUNS.is_dir() else []
    found = [name for name in names if name.startswith(text)] or [name for name in names if text in name]
    if len(found) == 1:
        return RUNS / found[0]
    if found:
        raise StoreError(f"{text!r} stands for {len(found)} runs", hint=", ".join(found[:12]))
    raise StoreError(
        f"no run folder {text!r}", hint=nearest(text, names) if names else f"there is none in ./{RUNS}"
    )


def read_summary(run: Path) -> dict[str, Any]:
    """Return summary.json of a run folder."""
    path = run / "summary.json"
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise StoreError(
            f"{run} has no summary.json: it is no run folder, or the run did not finish"
        ) from None
    except (ValueError, OSError) as error:
        raise StoreError(f"{path} cannot be read: {error}") from error
