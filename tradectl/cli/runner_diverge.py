"""Where two runs part: the first event whose rows differ from those on disk, and how both stand after it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from tradectl.config.wire import Wired
from tradectl.core.codes import Command, EventKind
from tradectl.core.instrument import ATOMS_PER_UNIT
from tradectl.db.compare import Difference
from tradectl.db.tables import TABLES, Names
from tradectl.engine.host import Host, command_event
from tradectl.engine.host_fault import iso
from tradectl.engine.ports import Events, Rows
from tradectl.engine.state import State

__all__ = ["divergence"]


class Counts:
    """A sink that only counts rows."""

    def __init__(self) -> None:
        self.counts = dict.fromkeys(TABLES, 0)

    def rows(self, kind: str, rows: Rows) -> None:
        """Count rows."""
        self.counts[kind] += len(rows)

    def reached(self, wanted: dict[str, int]) -> bool:
        """Return whether any kind has more rows than are equal."""
        return any(self.counts[kind] > row for kind, row in wanted.items())


def divergence(folder: Path, wired: Wired, found: Sequence[Difference]) -> str:
    """Return in words the first event after which a new fold differs from the tables in `folder`; '' without one."""
    wanted = {one.table: one.row for one in found if one.table in TABLES}
    if not wanted:
        return ""
    state, sink = State(wired.spec), Counts()
    host = Host(state, sink, hooks=wired.hooks, commands=False)
    seen = 0
    for events in _stream(wired):
        before, counts = state.snapshot(), dict(sink.counts)
        host.apply(events)
        if not sink.reached(wanted):
            seen += len(events)
            continue
        state.restore(before)
        sink.counts = counts
        for at in range(len(events)):
            host.apply(events[at : at + 1])
            if sink.reached(wanted):
                return _told(folder, state, sink, events[at : at + 1], seen + at + 1)
    return "no event of the replay gives the rows that are missing now"


def _stream(wired: Wired) -> Iterator[Events]:
    """Yield a run's events with the START and STOP that history lacks."""
    last = 0
    for events in wired.chunks(wired.config.engine.chunk):
        if not wired.data.whole and not last:
            yield command_event(Command.START, int(events["ts_recv"][0]))
        last = int(events["ts_recv"][-1])
        yield events
    if not wired.data.whole:
        yield command_event(Command.STOP, last)


def _told(folder: Path, state: State, sink: Counts, event: Events, number: int) -> str:
    """Return the event and both states after it."""
    names = Names.of(state)
    ts = int(event["ts_recv"][0])
    kind, where = EventKind(int(event["kind"][0])).name, int(event["instrument"][0])
    words = ", ".join(str(int(event[f"w{k}"][0])) for k in range(5))
    now = {
        f"{strategy} {symbol}": int(state.positions[s * len(names.symbols) + i]["lots"])
        for s, strategy in enumerate(names.strategies)
        for i, symbol in enumerate(names.symbols)
    }
    equity = int(state.engine[0]["equity_atoms"]) / ATOMS_PER_UNIT
    return (
        f"first divergent event: number {number:,}, {kind} of {names.symbols[where]} received {iso(ts)} ({words})\n"
        f"  recorded: {_recorded(folder, ts, sink.counts['fills'])}\n"
        f"  now:      {_state(equity, now)}"
    )


def _recorded(folder: Path, ts: int, n_fills: int) -> str:
    """Return equity and positions as the tables on disk have them at a time, ns, after so many fills."""
    until = pl.col("ts").cast(pl.Int64) <= ts
    try:
        equity = pl.scan_parquet(folder / "equity.parquet").filter(until).select(pl.col("equity").last()).collect()
        signed = pl.when(pl.col("side") == "BUY").then(pl.col("qty_lots")).otherwise(-pl.col("qty_lots"))
        keys = ["strategy", "symbol"]
        fills = pl.scan_parquet(folder / "fills.parquet").head(n_fills).group_by(keys).agg(signed.sum().alias("lots"))
        held = {f"{row['strategy']} {row['symbol']}": row["lots"] for row in fills.sort(keys).collect().to_dicts()}
    except (OSError, pl.exceptions.PolarsError) as error:
        return f"cannot be read ({error})"
    return _state(equity["equity"][0] if len(equity) else None, held)


def _state(equity: Any, held: dict[str, int]) -> str:
    told = ", ".join(f"{name} {lots:+,} lots" for name, lots in held.items() if lots) or "no position"
    return f"equity {equity:,.8f}, {told}" if equity is not None else told
