"""Row checks, vectorised: what one row says (`Cleaner`), and what it says after the one before (`Pairs`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from tradectl.history.calendars import Sessions
from tradectl.history.faults import FaultLog
from tradectl.history.model import Gap, iso
from tradectl.history.reader import RawBatch, SourceFile
from tradectl.history.rows import FILE_SHIFT, Rows, concat_rows

__all__ = ["Pairs", "clean", "in_order"]

Mask = npt.NDArray[np.bool_]
JUMP = 0.5  # a close this fraction away from the one before is a jump
GAPS_KEPT = 5  # longest gaps listed per instrument


def clean(raw: RawBatch, ends: npt.NDArray[np.int64], file: SourceFile, symbol: str, log: FaultLog) -> Rows:
    """Return the batch's usable rows with end stamps `ends`; count and treat what is wrong with a row.

    A row counts under the first that applies of unparsable, empty, nan, nonpositive, negative_volume, ohlc.
    """
    origin = raw.row + (file.index << FILE_SHIFT)
    opens, high, low, close, volume = raw.values
    rows = Rows(ends, opens, high, low, close, volume, origin)
    fine = (low > 0) & (high < np.inf) & (high >= opens) & (high >= close) & (low <= opens) & (low <= close)
    if "volume" in file.at:
        fine &= (volume >= 0) & (volume < np.inf)
    if raw.missing is not None:
        fine &= ~raw.missing
    if fine.all():
        return rows
    return _Treatment(rows, raw, fine, symbol, log).run("volume" in file.at)


class _Treatment:
    """Sorts out the rows of one batch that are not fine, each under its first fault."""

    def __init__(self, rows: Rows, raw: RawBatch, fine: Mask, symbol: str, log: FaultLog) -> None:
        self.rows, self.raw, self.symbol, self.log = rows, raw, symbol, log
        unknown = np.int64(log.span[0])  # a row without a readable stamp may lie anywhere
        self.stamps = np.where(raw.ts == 0, unknown, rows.ts)
        self.left = ~fine
        self.keep = fine

    def run(self, has_volume: bool) -> Rows:
        rows, nothing = self.rows, np.zeros(len(self.left), np.bool_)
        prices = np.stack([rows.open, rows.high, rows.low, rows.close])
        unread = nothing.copy()
        unread[list(self.raw.unparsable)] = True
        with np.errstate(invalid="ignore"):
            self.find("unparsable", unread)
            self.find("empty", self.raw.missing if self.raw.missing is not None else nothing)
            odd = np.any(~np.isfinite(prices), axis=0)
            self.find("nan", odd | (has_volume & ~np.isfinite(rows.volume)))
            self.find("nonpositive", np.any(prices <= 0, axis=0))
            body_high, body_low = np.maximum(rows.open, rows.close), np.minimum(rows.open, rows.close)
            inside = (rows.high < body_high) | (rows.low > body_low)
            negative = self.find("negative_volume", rows.volume < 0)
            if self.log.actions["negative_volume"] == "clip" and negative.any():
                rows.volume = np.where(negative, 0.0, rows.volume)
                self.left |= negative & inside  # its prices are still to be judged
                self.keep |= negative & ~inside
            crooked = self.find("ohlc", inside)
        if self.log.actions["ohlc"] == "clip" and crooked.any():
            rows.high = np.where(crooked, prices.max(axis=0), rows.high)
            rows.low = np.where(crooked, prices.min(axis=0), rows.low)
            self.keep |= crooked
        return rows[self.keep]

    def find(self, kind: str, mask: Any) -> Mask:
        """Count the rows left that `mask` names; return which they are."""
        hit: Mask = self.left & mask
        self.left &= ~mask
        at = self.log.inside(np.flatnonzero(hit), self.stamps)
        self.log.add(kind, self.symbol, len(at), lambda: [self.show(int(i)) for i in at[:5]])
        return hit

    def show(self, i: int) -> tuple[int, str]:
        """Return a row's origin and its values, or the text that could not be read."""
        names = ("open", "high", "low", "close", "volume")
        values = zip(names, self.rows.columns()[1:6], strict=True)
        text = ", ".join(f"{name} {column[i]:.10g}" for name, column in values)
        return int(self.rows.origin[i]), self.raw.unparsable.get(i, text)


def in_order(rows: Rows, latest: int, symbol: str, log: FaultLog) -> Rows:
    """Return the rows not earlier than `latest` and than the rows before them; count the others.

    With the action `sort` all rows are returned: the caller sorts the file.
    """
    if not len(rows):
        return rows
    highest = np.maximum.accumulate(np.maximum(rows.ts, latest))
    late = rows.ts < highest
    if not late.any():
        return rows
    at = log.inside(np.flatnonzero(late), rows.ts)
    log.add(
        "disorder", symbol, len(at),
        lambda: [(int(rows.origin[i]), f"ends {iso(rows.ts[i])}, after {iso(highest[i])}") for i in at[:5]],
    )  # fmt: skip
    return rows if log.actions["disorder"] == "sort" else rows[~late]


@dataclass
class Pairs:
    """Judges each row against the one before it, across batches: duplicate, conflict, gap, jump."""

    symbol: str
    timeframe_ns: int
    gap_ns: int  # a distance beyond this is a gap
    log: FaultLog | None  # None: only clean, count nothing
    sessions: Sessions | None = None  # where they are known, what lies between them is no gap
    last: Rows | None = None
    gaps: list[Gap] = field(default_factory=list)
    gap_count: int = 0
    missing: int = 0

    def feed(self, rows: Rows) -> Rows:
        """Return the batch without rows that repeat a stamp; of a stamp the first row stays."""
        if not len(rows):
            return rows
        before, self.last = self.last, rows[-1:]
        steps = np.diff(rows.ts, prepend=before.ts if before is not None else rows.ts[0] - self.timeframe_ns)
        if steps.min() > 0:
            if self.log is not None:
                self._look(rows, steps, before)
            return rows
        keep = steps > 0
        kept = rows[keep]
        if self.log is not None:
            self._repeats(rows, keep, before)
            if len(kept):
                self._look(kept, np.diff(kept.ts, prepend=kept.ts[0] - steps[keep][0]), before)
        first = before if before is not None and not keep.any() else kept[-1:]
        self.last = first
        return kept

    def _repeats(self, rows: Rows, keep: Mask, before: Rows | None) -> None:
        """Compare each repeated row with the first row of its stamp."""
        assert self.log is not None
        whole = rows if before is None else concat_rows([before, rows])
        shift = len(whole) - len(rows)
        starts = np.concatenate([np.ones(shift, np.bool_), keep])
        first = np.maximum.accumulate(np.where(starts, np.arange(len(whole)), 0))[shift:]
        at = np.flatnonzero(~keep)
        same = np.ones(len(at), np.bool_)
        for column in whole.columns()[1:6]:
            a, b = column[first[at]], column[at + shift]
            same &= (a == b) | (np.isnan(a) & np.isnan(b))
        for kind, hit in (("duplicate", at[same]), ("conflict", at[~same])):
            hit = self.log.inside(hit, rows.ts)
            self.log.add(
                kind, self.symbol, len(hit), [(int(rows.origin[i]), _bar(rows, int(i))) for i in hit[:5]]
            )

    def _look(self, rows: Rows, steps: npt.NDArray[np.int64], before: Rows | None) -> None:
        assert self.log is not None
        earlier = rows.ts - steps  # both rows of a pair have to be in the run
        wide = self.log.inside(self.log.inside(np.flatnonzero(steps > self.gap_ns), rows.ts), earlier)
        if self.sessions is None:
            absent = np.rint(steps[wide] / self.timeframe_ns).astype(np.int64) - 1
        else:
            ends = rows.ts[wide]
            absent = self.sessions.bars_missing(ends - steps[wide], ends, self.timeframe_ns)
            wide, absent = wide[absent > 0], absent[absent > 0]
        if len(wide):
            self.gap_count += len(wide)
            self.missing += int(absent.sum())
            found = [
                Gap(self.symbol, int(rows.ts[i] - steps[i]), int(rows.ts[i]), int(n))
                for i, n in _longest(wide, absent)
            ]
            self.gaps = sorted(self.gaps + found, key=lambda g: (-g.missing, g.from_ns))[:GAPS_KEPT]
            first = [
                (int(rows.origin[i]), f"{n} before {iso(rows.ts[i])}")
                for i, n in zip(wide[:5], absent, strict=False)
            ]
            self.log.add("gap", self.symbol, len(wide), first)
        previous = np.concatenate([before.close if before is not None else rows.close[:1], rows.close[:-1]])
        far = np.flatnonzero(np.abs(rows.close - previous) > JUMP * previous)
        far = self.log.inside(self.log.inside(far, rows.ts), earlier)
        self.log.add(
            "jump", self.symbol, len(far),
            lambda: [(int(rows.origin[i]), f"{previous[i]:.10g} -> {rows.close[i]:.10g}") for i in far[:5]],
        )  # fmt: skip


def _longest(wide: npt.NDArray[np.int64], absent: npt.NDArray[np.int64]) -> Sequence[tuple[int, int]]:
    order = np.lexsort((wide, -absent))[:GAPS_KEPT]
    return [(int(wide[k]), int(absent[k])) for k in order]


def _bar(rows: Rows, i: int) -> str:
    values = ", ".join(f"{column[i]:.10g}" for column in rows.columns()[1:6])
    return f"{iso(rows.ts[i])}: {values}"
