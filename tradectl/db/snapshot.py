"""A state's bytes on disk: one JSON line that says what they are, then the bytes; another layout is refused."""

from __future__ import annotations

import json
from pathlib import Path

from tradectl.engine.state import State, layout_hash
from tradectl.errors import StoreError

__all__ = ["SNAPSHOT", "read_snapshot", "snapshot_bytes"]

SNAPSHOT = "snapshots/final.tcs"  # place in a run folder of the state in which the run ends


def snapshot_bytes(state: State) -> bytes:
    """Return a state as the bytes of a snapshot file."""
    parts = state.snapshot()
    sizes = {name: len(content) for name, content in parts.items()}
    head = {
        "layout": layout_hash(),
        "events": int(state.engine[0]["n_events"]),
        "hash": state.hash(),
        "sizes": sizes,
    }
    return json.dumps(head).encode() + b"\n" + b"".join(parts.values())


def read_snapshot(path: Path) -> tuple[dict[str, bytes], str]:
    """Return (the state's parts for `State.restore`, the state hash) of a snapshot file."""
    try:
        head, _, body = path.read_bytes().partition(b"\n")
        about = json.loads(head)
        sizes: dict[str, int] = about["sizes"]
        layout, digest = str(about["layout"]), str(about["hash"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StoreError(f"{path} is not a readable snapshot ({error})") from error
    if layout != layout_hash():
        raise StoreError(f"{path}: a snapshot of layout {layout}; this version has {layout_hash()}")
    if len(body) != sum(sizes.values()):
        raise StoreError(f"{path}: {len(body):,} bytes of state, its head says {sum(sizes.values()):,}")
    parts, at = {}, 0
    for name, size in sizes.items():
        parts[name] = body[at : at + size]
        at += size
    return parts, digest
