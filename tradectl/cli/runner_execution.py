"""The execution analysis of a run on tick data: figures for summary.json, execution.parquet; feed and answers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from tradectl.cli.runner_fold import Folded, ledger_rows
from tradectl.core.codes import BookLevel
from tradectl.core.instrument import ATOMS_PER_UNIT
from tradectl.db.audit import Market
from tradectl.db.parquet import COMPRESSION
from tradectl.db.spool import KINDS
from tradectl.db.tables import OPTIONAL, TABLES, Names
from tradectl.engine.state import State
from tradectl.metrics.execution import measure
from tradectl.metrics.execution_tables import orders_frame, scales
from tradectl.metrics.pnl import check_parts

__all__ = ["acks_of", "books_of", "has_ticks", "measure_execution", "messages_of"]

MS = 1e6  # ns
COUNTED = ("n_messages", "n_late", "n_gaps", "n_crossed", "n_unknown", "n_spent", "n_remainders", "n_strayed")


def has_ticks(state: State) -> bool:
    """Return whether any instrument of a run has tick data."""
    return bool(state.engine[0]["local_view"])


def measure_execution(
    folder: Path, folded: Folded, markets: Sequence[Market], balanced: bool
) -> dict[str, Any]:
    """Return the figures of a run whose tables are in its folder, and write execution.parquet.

    A ledger that is `balanced` is what the parts of the profit add up to, or InvariantViolation is raised.
    """
    tables = {kind: pl.scan_parquet(folder / f"{kind}.parquet") for kind in ("orders", "fills")}
    for kind in sorted(OPTIONAL):
        path = folder / f"{kind}.parquet"
        empty = TABLES[kind](np.zeros(0, KINDS[kind]), Names.of(folded.state))
        tables[kind] = pl.scan_parquet(path) if path.is_file() else empty.lazy()
    gained = int(folded.state.engine[0]["equity_atoms"]) - (folded.days.initial_atoms or 0)
    span = (folded.days.first_ts, folded.days.last_ts)
    ledgers = ledger_rows(folded)
    place = folder / "execution.parquet"
    orders = orders_frame(tables.pop("orders"), tables["fills"], scales(markets, ledgers)[1])
    orders.sink_parquet(place, compression=COMPRESSION, statistics=False)
    tables["execution"] = pl.scan_parquet(place)
    figures = measure(tables, markets, ledgers, span, gained / ATOMS_PER_UNIT)
    if balanced:
        check_parts(figures["pnl"]["currencies"], ledgers)
    unmarked = int(folded.state.engine[0]["n_unmarked"])
    return {**figures, "messages": messages_of(folded.state), "unmarked_fills": unmarked}


def messages_of(state: State) -> dict[str, Any]:
    """Return what was sent to the venues: orders, cancels, modifies, and all of them for each fill."""
    engine = state.engine[0]
    orders = int(engine["n_orders"]) - int(engine["n_denied"])
    total = orders + int(engine["n_cancels"]) + int(engine["n_modifies"])
    fills = int(engine["n_fills"])
    return {
        "orders": orders,
        "cancels": int(engine["n_cancels"]),
        "modifies": int(engine["n_modifies"]),
        "total": total,
        "per_fill": total / fills if fills else None,
    }


def acks_of(state: State) -> dict[str, Any]:
    """Return how often an answer came later than the response latency alone says, and by how much, ms."""
    engine = state.engine[0]
    count, late = int(engine["n_acks"]), int(engine["n_late_acks"])
    return {
        "count": count,
        "late": late,
        "late_share": late / count if count else None,
        "mean_lateness_ms": int(engine["late_acks_ns"]) / late / MS if late else None,
    }


def books_of(state: State) -> list[dict[str, Any]]:
    """Return what was seen of each instrument's feed: messages, late events, gaps and the like."""
    made = []
    for k, (one, limits) in enumerate(zip(state.spec.instruments, state.spec.limits, strict=True)):
        if limits.level != BookLevel.BARS:
            counts = {name[2:]: int(state.venues[k][name]) for name in COUNTED}
            level, broken = BookLevel(limits.level).name.lower(), bool(state.venues[k]["broken"])
            made.append({"instrument": one.id, "level": level, **counts, "broken_at_end": broken})
    return made
