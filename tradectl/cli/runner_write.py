"""What every kind of run leaves in its folder: rows, positions, the final state, its inputs, and the second audit."""

from __future__ import annotations

from concurrent.futures import Executor, Future, ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import polars as pl

from tradectl.cli.runner_execution import has_ticks, measure_execution
from tradectl.cli.runner_fold import Folded, ledger_rows
from tradectl.config.load import Loaded
from tradectl.config.wire import Wired
from tradectl.config.wire_calendars import calendar_names
from tradectl.db.audit import Market, audit_fills
from tradectl.db.lock import calendar_versions, machine, place_sources, versions
from tradectl.db.parquet import write_frame, write_tables
from tradectl.db.runfolder import json_text
from tradectl.db.snapshot import SNAPSHOT, snapshot_bytes
from tradectl.db.tables import Names, positions_table
from tradectl.engine.state import State
from tradectl.errors import InvariantViolation, StrategyError
from tradectl.metrics.load import SESSIONS

__all__ = ["Folder", "markets_of", "write_inputs", "write_results", "write_rows"]

SCHEMA = 1  # of lock.json and summary.json


class Folder(Protocol):
    """Where a run is written."""

    path: Path

    def write_text(self, name: str, text: str) -> None:
        """Write a text file."""

    def write_bytes(self, name: str, content: bytes) -> None:
        """Write a file of bytes."""


def markets_of(state: State) -> list[Market]:
    """Return what the second audit knows of the instruments."""
    return [
        Market(
            one.id, one.quote, one.base, one.tick_size, one.lot_size,
            limits.maker_nano, limits.taker_nano,
            int(state.markets[k]["twice_mark"]) or 2 * int(state.markets[k]["last"]),
        )
        for k, (one, limits) in enumerate(zip(state.spec.instruments, state.spec.limits, strict=True))
    ]  # fmt: skip


def write_results(folder: Folder, folded: Folded) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """Write all rows and audit the fills on disk; return (audit, execution analysis of runs on tick data)."""
    with ThreadPoolExecutor(1) as writer:  # the long tables are written while the fills are audited
        rest = write_rows(folder, folded, writer)
        audit = _audit(folder, folded)
        rest.result()
    if not has_ticks(folded.state):
        return audit, None
    markets, balanced = markets_of(folded.state), bool(audit["balanced"])
    return audit, measure_execution(folder.path, folded, markets, balanced)


def write_rows(folder: Folder, folded: Folded, writer: Executor) -> Future[None]:
    """Write fills, funding, positions and the final state; return the writing of orders and equity."""
    names = Names.of(folded.state)
    write_tables(folded.spool, names, folder.path, ["fills", "funding"])
    rest = writer.submit(write_tables, folded.spool, names, folder.path, ["orders", "equity", "markouts", "plots"])
    write_frame(positions_table(folded.state), folder.path / "positions.parquet")
    if folded.days.closes is not None:
        closes = pl.Series("close", folded.days.closes).cast(pl.Datetime("ns", "UTC"))
        write_frame(closes.to_frame(), folder.path / SESSIONS)
    folder.write_bytes(SNAPSHOT, snapshot_bytes(folded.state))
    return rest


def _audit(folder: Folder, folded: Folded) -> dict[str, Any]:
    """Audit the fills on disk; only a fold that a full store stopped in mid-event may fail it."""
    final = int(folded.state.engine[0]["equity_atoms"])
    audit = {"balanced": True, "fills": 0, "currencies": len(folded.outcome.balances)}
    try:
        audit["fills"] = audit_fills(folder.path, markets_of(folded.state), ledger_rows(folded), final)
    except InvariantViolation:
        if folded.outcome.error is None or isinstance(folded.outcome.error, StrategyError):
            raise
        audit["balanced"] = False
    return audit


def write_inputs(
    folder: Folder, loaded: Loaded, wired: Wired, sources: list[list[str]], data: dict[str, Any]
) -> dict[str, Any]:
    """Write sources, run.yaml and lock.json; return the lock.

    `sources` are the places of each data block as run.yaml names them, `data` is the lock of their files.
    """
    import yaml

    places = place_sources([one.sources for one in wired.loaded])
    contents = {place: path.read_bytes() for path, place in places.items()}
    for place, content in contents.items():
        folder.write_bytes(place, content)
    resolved = loaded.resolved()
    for block, one in zip(resolved["strategies"], wired.loaded, strict=True):
        block.pop("rules", None)  # the source that they were written out to is what ran
        _, colon, name = str(block.get("path", "")).rpartition(".py:")
        block["path"] = places[one.path] + (f":{name}" if colon else "")
    for block, names in zip(resolved["data"], sources, strict=True):
        block["source"] = names
    resolved.get("output", {}).pop("dir", None)
    resolved["on_strategy_error"] = wired.config.on_strategy_error or "stop"
    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    text = yaml.dump(resolved, Dumper=dumper, sort_keys=False, allow_unicode=True)
    folder.write_text("run.yaml", text)
    lock = {
        "schema": SCHEMA,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": versions() | calendar_versions(calendar_names(wired.config)),
        "machine": machine(),
        "seed": wired.config.seed,
        "config": {
            "path": str(loaded.path.resolve()),
            "hash": loaded.hash(),
            "run_yaml": _digest(text.encode()),
        },
        "sources": {
            place: {"path": str(path), "blake2b": _digest(contents[place])} for path, place in places.items()
        },
        "data": data,
    }
    folder.write_text("lock.json", json_text(lock))
    return lock


def _digest(content: bytes) -> str:
    from hashlib import blake2b

    return blake2b(content, digest_size=16).hexdigest()
