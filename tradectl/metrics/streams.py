"""What metrics need of long outputs, gathered while they pass: daily equity, round trips, time in the market."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["DAY_NS", "EquityDays", "Trips"]

DAY_NS = 86_400 * 10**9
Rows = npt.NDArray[Any]


@dataclass
class EquityDays:
    """The last equity of every day: of UTC days, or of sessions where their closes are given (ns UTC, ascending).

    What ends with a day belongs to it.
    """

    initial_atoms: int | None  # None: a balance has no rate yet, the first sample is what the run starts with
    first_ts: int = 0
    last_ts: int = 0
    samples: int = 0
    total: float = 0.0  # sum of all samples, atoms
    days: dict[int, int] = field(default_factory=dict)  # number since 1970, or of a session → atoms
    sessions: npt.NDArray[np.int64] | None = None

    def feed(self, rows: Rows) -> None:
        """Take EQUITY records in time order."""
        if not len(rows):
            return
        ts, equity = rows["ts_event"], rows["equity_atoms"]
        first, last = int(ts[0]), int(ts[-1])
        if self.initial_atoms is None:
            self.initial_atoms = int(equity[0])
        self.first_ts = first if self.samples == 0 else self.first_ts
        self.last_ts = last
        self.samples += len(rows)
        self.total += float(equity.sum(dtype=np.float64))
        low, high = (int(number) for number in self._numbers(np.array([first, last])))
        if high - low > len(rows):  # sparse: look at the samples, not at the days
            numbers = self._numbers(ts)
            ends = np.append(np.flatnonzero(np.diff(numbers)), len(rows) - 1)
            self.days.update(zip(numbers[ends].tolist(), equity[ends].tolist(), strict=True))
            return
        numbers = np.arange(low, high + 1)
        ends = np.searchsorted(ts, self._ends(numbers), side="right")
        filled = np.diff(ends, prepend=0) > 0
        self.days.update(zip(numbers[filled].tolist(), equity[ends[filled] - 1].tolist(), strict=True))

    def _numbers(self, ts: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Return the numbers of the days that stamps belong to."""
        return (ts - 1) // DAY_NS if self.sessions is None else np.searchsorted(self.sessions, ts, side="left")

    def _ends(self, numbers: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Return when days end, ns UTC; what no session closes any more ends with the data."""
        if self.sessions is None:
            return (numbers + 1) * DAY_NS
        return np.append(self.sessions, np.iinfo(np.int64).max)[numbers]

    def returns(self) -> npt.NDArray[np.float64]:
        """Return one return a day, the first against the initial equity; days without samples are 0."""
        if not self.days:
            return np.zeros(0)
        numbers = np.fromiter(self.days.keys(), np.int64, len(self.days))
        equity = np.fromiter(self.days.values(), np.float64, len(self.days))
        whole = np.arange(numbers[0], numbers[-1] + 1)
        levels = equity[np.searchsorted(numbers, whole, side="right") - 1]
        before = np.concatenate(([float(self.initial_atoms or 0)], levels[:-1]))
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(levels / before - 1.0)

    @property
    def closes(self) -> npt.NDArray[np.int64] | None:
        """Return the closes of all sessions of its calendar, ns UTC; None where its days are UTC days."""
        return self.sessions if self.samples else None

    @property
    def mean_equity(self) -> float:
        """Return the mean of all samples, atoms."""
        return self.total / self.samples if self.samples else float(self.initial_atoms or 0)


@dataclass
class Trips:
    """Round trips of every strategy and instrument, and the time with any position.

    A round trip goes from flat to flat, or to the fill that flips the position; its result is the realised
    profit less the fees of its fills. The fee of a flip is shared by the lots that close and open. All sums are of
    each instrument's quote currency until they are asked for, so that rates may be given as late as with the end.
    """

    n_instruments: int
    n_strategies: int
    rates: npt.NDArray[np.float64]  # of each instrument's quote currency in the account's
    results: list[npt.NDArray[np.float64]] = field(default_factory=list)  # of finished trips, quote atoms
    traded: list[npt.NDArray[np.int64]] = field(default_factory=list)  # their instruments
    held_ns: int = 0
    ambiguous_fills: int = 0
    _sums: Any = None  # by instrument: notional, |realised|, |realised| of ambiguous fills; quote atoms
    _open: int = 0  # positions that are open
    _since: int = 0
    _lots: Any = None
    _result: Any = None

    def __post_init__(self) -> None:
        size = self.n_instruments * self.n_strategies
        self._lots = np.zeros(size, np.int64)
        self._result = np.zeros(size)
        self._sums = np.zeros((3, self.n_instruments))

    def feed(self, rows: Rows) -> None:
        """Take FILL records in the order in which they happened."""
        if not len(rows):
            return
        key = rows["strategy"].astype(np.int64) * self.n_instruments + rows["instrument"]
        order = np.argsort(key, kind="stable")
        sorted_key, after = key[order], rows["position_lots"][order]
        starts = np.flatnonzero(np.diff(sorted_key, prepend=-1))
        before = np.concatenate(([0], after[:-1]))
        before[starts] = self._lots[sorted_key[starts]]
        self._add(rows)
        self._time(rows, order, before, after)
        self._trips(rows[order], sorted_key, starts, before, after)

    def _add(self, rows: Rows) -> None:
        size, ambiguous = np.abs(rows["realised_atoms"]), rows["ambiguous"] != 0
        for sums, atoms in zip(self._sums, (rows["notional_atoms"], size, size * ambiguous), strict=True):
            sums += np.bincount(rows["instrument"], atoms, self.n_instruments)
        self.ambiguous_fills += int(ambiguous.sum())

    def _time(self, rows: Rows, order: Rows, before: Rows, after: Rows) -> None:
        """Add the time from fill to fill in which anything was held."""
        change = np.empty(len(rows), np.int64)
        change[order] = (after != 0).astype(np.int64) - (before != 0)
        ts = np.maximum.accumulate(rows["ts_event"])
        count = self._open + np.cumsum(change)
        holding = np.concatenate(([self._open], count[:-1])) > 0
        steps = np.diff(ts, prepend=self._since or ts[0])
        self.held_ns += int(steps[holding].sum())
        self._open, self._since = int(count[-1]), int(ts[-1])

    def _trips(self, rows: Rows, key: Rows, starts: Rows, before: Rows, after: Rows) -> None:
        """Split each position's fills where it becomes flat or changes sides; carry what is unfinished."""
        closes = (before != 0) & ((after == 0) | (np.sign(before) != np.sign(after)))
        fee = rows["fee_atoms"].astype(np.float64)
        next_fee = np.where(
            closes, fee * np.abs(after) / rows["qty_lots"], 0.0
        )  # a flip's, for what it opens
        cost = rows["realised_atoms"] - fee
        sums = np.cumsum(cost)  # over all positions, one after the other
        group = np.repeat(np.arange(len(starts)), np.diff(np.append(starts, len(rows))))
        base = (np.concatenate(([0.0], sums))[starts] - self._result[key[starts]])[group]
        level = sums - base + next_fee  # at a close: all trips of this position so far, without the next one
        marks = np.flatnonzero(closes)
        ends = np.append(starts[1:], len(rows)) - 1
        rest = (sums - base)[ends]
        if len(marks):
            first = np.diff(group[marks], prepend=-1) != 0
            earlier = np.concatenate(([0.0], level[marks][:-1]))
            self.results.append(level[marks] - np.where(first, 0.0, earlier))
            self.traded.append(rows["instrument"][marks].astype(np.int64))
            closed = np.zeros(len(starts))
            closed[group[marks]] = level[marks]  # the last close of each position
            rest = rest - closed
        self._result[key[ends]] = rest
        self._lots[key[ends]] = after[ends]

    def finish(self, last_ts: int) -> None:
        """Count the time that positions stay open until the end."""
        if self._open > 0:
            self.held_ns += max(last_ts - self._since, 0)
            self._since = last_ts

    @property
    def trips(self) -> npt.NDArray[np.float64]:
        """Return the results of all finished round trips, atoms of the account's currency."""
        if not self.results:
            return np.zeros(0)
        return np.asarray(np.concatenate(self.results) * self.rates[np.concatenate(self.traded)])

    @property
    def notional(self) -> float:
        """Return what was bought and sold, atoms of the account's currency."""
        return float(self._sums[0] @ self.rates)

    @property
    def ambiguous_share(self) -> float:
        """Return the part of the realised profits and losses, each without its sign, that ambiguous fills made."""
        _, realised, ambiguous = self._sums @ self.rates
        return float(ambiguous / realised) if realised else 0.0
