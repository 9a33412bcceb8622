"""The end of a paper session: its tables, and a summary that also says how its feeds were."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tradectl.cli.paper_reading import feed_of
from tradectl.cli.paper_tail import note_of
from tradectl.cli.runner import Progress
from tradectl.cli.runner_summary import refusals, scenario_of, summarise
from tradectl.cli.runner_write import write_results
from tradectl.config.load import Loaded
from tradectl.config.wire import Wired
from tradectl.db.runfolder import json_text
from tradectl.exchanges.model import FeedNote

if TYPE_CHECKING:
    from tradectl.cli.paper_session import Session

__all__ = ["feeds_of", "write_end"]

KEPT_NOTES = 200
INTERRUPTIONS = ("lost", "gap", "stale", "overload")  # notes with a beginning and an end


def write_end(
    session: Session, loaded: Loaded, wired: Wired, run_s: float, progress: Progress
) -> dict[str, Any]:
    """Write all tables and summary.json; return the summary."""
    progress("write", 0, None)
    folded, folder = session.folded, session.folder
    session.live.host.close(folded.outcome)
    folded.finish()
    audit, execution = write_results(folder, folded)
    base = scenario_of(folded.state, folded.days.initial_atoms)
    extra = {
        "mode": "paper",
        "ended": session.reason or ("failed" if session.failure is not None else ""),
        "feeds": feeds_of(session, folder.path / "orders.parquet"),
        "refusals": refusals(folder.path / "orders.parquet"),
        "config_hash": loaded.hash(),
        "data_hash": None,
        "scenarios": {"adverse": base, "base": base, "favourable": base},
        "audit": audit,
        "execution": execution,
        "timing": {"load_s": wired.timings.load_s, "compile_s": wired.timings.compile_s, "run_s": round(run_s, 6)},
        "compile_cached": wired.timings.was_cached,
    }
    summary = {**summarise(folded, extra), "run_dir": str(folder.path)}
    text = json_text(summary)
    folder.write_text("summary.json", text)
    folder.sync()
    folded.spool.close()
    folder.forget()
    return dict(json.loads(text))


def feeds_of(session: Session, orders: Path) -> dict[str, Any]:
    """Return how the feeds were: channels, what happened to them, orders sent meanwhile, latencies in µs."""
    notes = list(session.hub.notes)
    interruptions = _interruptions(notes)
    latencies = session.latencies
    channels = [feed_of(one, session.clock.now_ns()) for one in session.hub.health()]
    sent = _orders_within(orders, interruptions)
    return {
        "channels": [{key: value for key, value in one.items() if key != "silent_s"} for one in channels],
        "counts": dict(sorted(session.hub.noted.items())),
        "interruptions": [
            note_of(note) | {"orders": n} for note, n in list(zip(interruptions, sent, strict=True))[:KEPT_NOTES]
        ],
        "notes": [note_of(note) for note in notes[-KEPT_NOTES:]],
        "orders_meanwhile": sum(sent),
        "resumed": session.folder.about()["resumed"],
        "lifted_stamps": session.live.lifted,
        "lag": latencies.lag.to_dict(),
        "latency": {
            "message_to_fold": latencies.messages.to_dict(),
            "message_to_order": latencies.orders.to_dict(),
            "step": latencies.steps.to_dict(),
        },
    }


def _interruptions(notes: Sequence[FeedNote]) -> list[FeedNote]:
    """Return the notes of what was not there for a time, each with its end: a lost channel's is its next connection."""
    ends: dict[tuple[str, str, str], int] = {}
    found = []
    for note in reversed(notes):
        channel = (note.exchange, note.symbol, note.channel)
        if note.what == "connected":
            ends[channel] = note.ts_ns
        elif note.what in INTERRUPTIONS:
            found.append(replace(note, until_ns=note.until_ns or ends.get(channel, 0)))
    return found[::-1]


def _orders_within(orders: Path, notes: Sequence[FeedNote]) -> list[int]:
    """Return how many orders were sent during each interruption; one that overlaps an earlier one counts the rest."""
    import polars as pl

    sent = pl.read_parquet(orders, columns=["ts_submitted"])["ts_submitted"].cast(pl.Int64).sort().to_numpy()
    counts, behind = [], 0
    for note in notes:
        since, until = max(note.ts_ns, behind), max(note.until_ns, note.ts_ns)
        low, high = sent.searchsorted(since, "left"), sent.searchsorted(until, "right")
        counts.append(max(int(high - low), 0))
        behind = max(behind, until + 1)
    return counts
