"""A state's bytes on disk: one JSON line that says what they are, then the bytes; another layout is refused."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tradectl.engine.state import State, hash_of, layout_hash
from tradectl.errors import StoreError

__all__ = ["SNAPSHOT", "Snapshot", "packed", "read_snapshot", "snapshot_bytes"]

SNAPSHOT = "snapshots/final.tcs"  # place in a run folder of the state in which the run ends


@dataclass(frozen=True)
class Snapshot:
    """A state on disk: its parts for `State.restore`, its hash, the events folded and the rows written by then."""

    parts: dict[str, bytes]
    hash: str
    events: int
    rows: dict[str, int]


def snapshot_bytes(state: State) -> bytes:
    """Return a state as the bytes of a snapshot file."""
    return packed(state.snapshot(), int(state.engine[0]["n_events"]))


def packed(parts: Mapping[str, bytes], events: int, rows: Mapping[str, int] | None = None) -> bytes:
    """Return the bytes of a snapshot file of parts taken after `events`; `rows` are those written by then."""
    head = {
        "layout": layout_hash(),
        "events": events,
        "hash": hash_of(parts),
        "sizes": {name: len(content) for name, content in parts.items()},
        **({"rows": dict(rows)} if rows is not None else {}),
    }
    return json.dumps(head).encode() + b"\n" + b"".join(parts.values())


def read_snapshot(path: Path) -> Snapshot:
    """Read a snapshot file; StoreError where it is damaged, of another layout, or not what its hash says."""
    try:
        head, _, body = path.read_bytes().partition(b"\n")
        about = json.loads(head)
        sizes: dict[str, int] = about["sizes"]
        layout, digest = str(about["layout"]), str(about["hash"])
        events, rows = int(about["events"]), dict(about.get("rows", {}))
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
    if hash_of(parts) != digest:
        raise StoreError(f"{path}: its state is not the one whose hash it carries")
    return Snapshot(parts, digest, events, rows)
