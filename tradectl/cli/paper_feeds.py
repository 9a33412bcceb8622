"""What a session knows of its feeds, kept beside its snapshots, so that one that goes on tells of all its time."""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING, Any

from tradectl.db.session import SessionFolder
from tradectl.engine.journal import Journal
from tradectl.errors import StoreError

if TYPE_CHECKING:
    from tradectl.cli.paper_session import Session

__all__ = ["Kept", "keep", "kept_of", "read_kept", "take_up"]

FEEDS = "feeds.json"
SECOND = 1_000_000_000
Kept = dict[str, Any]


def kept_of(session: Session) -> Kept:
    """Return what is known after the last event that was applied."""
    tally = session.hub.tally.kept()  # first: it counts the lags of what was put aside
    return {
        "events": session.live.events,
        "at_ns": session.live.last_ts,
        "lifted": session.live.lifted,
        "unnoted": list(session.unnoted),
        "latencies": {name: one.kept() for name, one in vars(session.latencies).items()},
        "tally": tally,
    }


def keep(folder: SessionFolder, kept: Kept) -> None:
    """Write it down."""
    folder.write_text(FEEDS, json.dumps(kept, default=vars))


def read_kept(folder: SessionFolder) -> Kept:
    """Return what an earlier process kept last; empty where it kept nothing. StoreError where that is damaged."""
    path = folder.path / FEEDS
    if not path.exists():
        return {}
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        return {name: kept[name] for name in ("events", "at_ns", "lifted", "unnoted", "latencies", "tally")}
    except (OSError, ValueError, KeyError, TypeError) as error:
        hint = "remove it: then the journal is read, which knows everything but notes, connections and latencies"
        raise StoreError(f"{path} is damaged or cannot be read ({error!r})", hint=hint) from error


def take_up(session: Session, kept: Kept) -> None:
    """Take up what an earlier process kept, and read what came after that from the journal.

    The journal has every gap and the times of every message. What it has not, notes, connections and latencies of
    this program, is missing for the time that `unnoted` then tells.
    """
    about, behind = session.folder.about(), 0
    since_ns = int(datetime.fromisoformat(about["started"]).timestamp()) * SECOND
    if kept:
        behind, since_ns = kept["events"], kept["at_ns"]
        for name, one in vars(session.latencies).items():
            one.take_up(kept["latencies"][name])
        session.live.lifted += kept["lifted"]
        session.unnoted += [(begin, end) for begin, end in kept["unnoted"]]
    journal = Journal(session.folder.path / "journal", recover=True)
    session.hub.tally.take_up(kept.get("tally"), journal.tail(behind))
    gone_on = about["resumed"][-1]
    if gone_on["events"] > behind:
        session.unnoted.append((since_ns, gone_on["from_ns"]))
