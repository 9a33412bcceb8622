"""The end of a paper session: its tables, and a summary that also says how its feeds were."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tradectl.cli.runner import Progress
from tradectl.cli.runner_summary import refusals, scenario_of, summarise
from tradectl.cli.runner_write import write_results
from tradectl.config.load import Loaded
from tradectl.config.wire import Wired
from tradectl.db.runfolder import json_text
from tradectl.exchanges.model import ChannelHealth, FeedNote

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
    base = scenario_of(folded.state)
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
    interruptions = [note for note in notes if note.what in INTERRUPTIONS]
    latencies = session.latencies
    return {
        "channels": [_channel(one) for one in session.hub.health()],
        "counts": dict(sorted(session.hub.noted.items())),
        "notes": [_note(note) for note in notes[:KEPT_NOTES]],
        "orders_meanwhile": _orders_within(orders, interruptions),
        "resumed": session.folder.about()["resumed"],
        "lifted_stamps": session.live.lifted,
        "latency": {
            "message_to_fold": latencies.messages.to_dict(),
            "message_to_order": latencies.orders.to_dict(),
            "step": latencies.steps.to_dict(),
        },
    }


def _channel(one: ChannelHealth) -> dict[str, Any]:
    """Return one channel's health as plain values."""
    return {
        "instrument": one.market.instrument.id,
        "channel": one.channel.name.lower(),
        "state": one.state,
        "connections": one.epoch,
        "messages": one.messages,
        "gaps": one.gaps,
        "dropped": one.dropped,
        "lag_ms": one.lag_ns / 1e6,
    }


def _note(note: FeedNote) -> dict[str, Any]:
    return {name: value for name, value in vars(note).items() if value not in ("", 0)}


def _orders_within(orders: Path, notes: Sequence[FeedNote]) -> int:
    """Count the orders that were sent while some feed was interrupted."""
    import polars as pl

    inside = pl.lit(False)
    for note in notes:
        at = pl.col("ts_submitted").cast(pl.Int64)
        inside |= (at >= note.ts_ns) & (at <= max(note.until_ns, note.ts_ns))
    return int(pl.scan_parquet(orders).select(inside.sum()).collect().item() or 0) if notes else 0
