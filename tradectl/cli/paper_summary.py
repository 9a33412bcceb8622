"""The end of a paper session: its tables, and a summary that also says how its feeds were."""

from __future__ import annotations

import json
from collections.abc import Sequence
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tradectl.cli.paper_feeds import keep, kept_of
from tradectl.cli.paper_reading import feed_of
from tradectl.cli.paper_tail import note_of, stamp_of
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
KEPT_INTERRUPTIONS = 1_000


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
    keep(folder, kept_of(session))
    folder.write_text("summary.json", text)
    folder.sync()
    folded.spool.close()
    folder.forget()
    return dict(json.loads(text))


def feeds_of(session: Session, orders: Path) -> dict[str, Any]:
    """Return how the feeds were: channels, what happened to them, orders sent meanwhile, latencies in µs."""
    latencies, log = session.latencies, session.hub.log
    channels = [feed_of(one, session.clock.now_ns()) for one in session.hub.health()]
    interruptions = sorted(log.interruptions, key=attrgetter("ts_ns"))
    sent = _orders_within(orders, interruptions)
    return {
        "channels": [{key: value for key, value in one.items() if key != "silent_s"} for one in channels],
        "counts": dict(sorted(log.noted.items())),
        "interruptions": [
            note_of(note, stamp_of) | {"orders": n}
            for note, n in list(zip(interruptions, sent, strict=True))[-KEPT_INTERRUPTIONS:]
        ],
        "interrupted": len(interruptions),
        "notes": [note_of(note) for note in list(log.notes)[-KEPT_NOTES:]],
        "orders_meanwhile": sum(sent),
        "resumed": session.folder.about()["resumed"],
        "unnoted": [{"at": stamp_of(since), "until": stamp_of(until)} for since, until in session.unnoted],
        "lifted_stamps": session.live.lifted,
        "lag": latencies.lag.to_dict(),
        "latency": {
            "message_to_fold": latencies.messages.to_dict(),
            "message_to_order": latencies.orders.to_dict(),
            "step": latencies.steps.to_dict(),
        },
    }


def _orders_within(orders: Path, notes: Sequence[FeedNote]) -> list[int]:
    """Return how many orders were sent during each interruption, those in the order of their beginnings.

    Each order counts once, with the first. One sent at the very beginning was decided on the last message that was
    heard, one at the very end on what came then: neither counts. What has no end lasts to the end.
    """
    import polars as pl

    sent = pl.read_parquet(orders, columns=["ts_submitted"])["ts_submitted"].cast(pl.Int64).sort().to_numpy()
    counts, counted = [], 0
    for note in notes:
        low = max(int(sent.searchsorted(note.ts_ns, "right")), counted)
        high = int(sent.searchsorted(note.until_ns, "left")) if note.until_ns else len(sent)
        counts.append(max(high - low, 0))
        counted = max(counted, high)
    return counts
