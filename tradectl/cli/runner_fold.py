"""One fold with everything around it: outputs to a spool, figures gathered on the way, orders and audit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tradectl.config.wire import Wired
from tradectl.config.wire_calendars import common_closes
from tradectl.db.spool import Spool
from tradectl.engine.host import Host, Outcome
from tradectl.engine.host_fault import disabled_strategies
from tradectl.engine.host_watchdog import Hang
from tradectl.engine.ports import Events, Recorder, Rows
from tradectl.engine.state import State
from tradectl.metrics.streams import EquityDays, Trips

__all__ = ["PICO", "Folded", "start_fold"]

PICO = 10**12


@dataclass(repr=False)
class Folded:
    """A fold under way or done: a sink that spools rows and feeds the metrics."""

    wired: Wired
    state: State
    spool: Spool
    days: EquityDays
    trips: Trips
    outcome: Outcome
    disabled: list[dict[str, Any]] = field(default_factory=list)  # strategies, and where each raised

    def rows(self, kind: str, rows: Rows) -> None:
        """Take rows from the host."""
        self.spool.rows(kind, rows)
        self.feed(kind, rows)

    def feed(self, kind: str, rows: Rows) -> None:
        """Let rows count in the figures."""
        if kind == "equity":
            self.days.feed(rows)
        elif kind == "fills":
            self.trips.feed(rows)

    def run(
        self,
        progress: Callable[[str, int, int | None], None],
        recorder: Recorder | None = None,
        on_hang: Callable[[Hang], None] | None = None,
    ) -> None:
        """Fold the whole stream."""
        total = self.wired.data.total_rows
        host = Host(
            self.state,
            self,
            self.wired.loaded,
            self.wired.hooks,
            recorder=recorder,
            progress=lambda done, _ts: progress("run", done, total),
            watchdog_s=self.wired.config.engine.watchdog.ns / 1e9,
            on_hang=on_hang,
            commands=not self.wired.data.whole,
        )
        self.outcome = host.run(self.chunks())
        self.finish()

    def finish(self) -> None:
        """Take what is known only at the end."""
        self.disabled = disabled_strategies(self.state, self.wired.hooks)
        self.trips.finish(self.days.last_ts)
        self.trips.rates = rates_of(self.state)

    def chunks(self) -> Iterator[Events]:
        """Yield the run's events in the chunks that the config asks for."""
        return self.wired.chunks(self.wired.config.engine.chunk)


def rates_of(state: State) -> npt.NDArray[np.float64]:
    """Return what each instrument's quote currency is worth in the account's just now; 0 where it is not known."""
    currency = state.markets[: len(state.spec.instruments)]["currency"]
    return np.asarray(state.currencies["rate_pico"][currency] / PICO)


def start_fold(wired: Wired, folder: Path) -> Folded:
    """Build the state and the spool (in `folder`) of a run."""
    state = State(wired.spec)
    trips = Trips(len(wired.spec.instruments), len(wired.spec.strategies), rates_of(state))
    days = EquityDays(state.initial_atoms, sessions=common_closes(wired.spec))
    return Folded(wired, state, Spool(folder), days, trips, Outcome())


def ledger_rows(folded: Folded) -> list[dict[str, Any]]:
    """Return the ledger of every currency as plain values, the account's own first."""
    return [vars(balance) for balance in folded.outcome.balances]
