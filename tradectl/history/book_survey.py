"""Row checks of book data, vectorised: what a row says, and what it says after the one before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from tradectl.core.codes import EventKind
from tradectl.history.book_events import drop_rows
from tradectl.history.book_spool import Columns
from tradectl.history.faults import FaultLog
from tradectl.history.model import Gap, iso

__all__ = ["BookSurvey"]

FIRST = -(1 << 62)  # before all stamps
GAPS_KEPT = 5  # gaps listed per part
Mask = npt.NDArray[np.bool_]


def _lut(*kinds: EventKind) -> Mask:
    table = np.zeros(256, np.bool_)
    table[list(kinds)] = True
    return table


KNOWN = _lut(*(k for k in EventKind if EventKind.TRADE <= k <= EventKind.MARK or k in (EventKind.GAP,
             EventKind.CLEAR, EventKind.STATUS)))  # fmt: skip
PRICED = _lut(EventKind.TRADE, EventKind.DEPTH, EventKind.ORDER_ADD, EventKind.ORDER_MODIFY, EventKind.MARK)
NAMES = {int(kind): kind.name for kind in EventKind}


@dataclass
class BookSurvey:
    """Judges the batches of one part (one file's rows of one symbol) and keeps its counts."""

    symbol: str
    log: FaultLog
    latest: int = FIRST  # highest receive stamp so far
    counts: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(256, np.int64))
    used: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(256, np.int64))  # in the block's window
    lag_min: int = 1 << 62  # smallest ts_recv - ts_event
    lag_max: int = FIRST
    behind: int = 0  # rows received before they happened
    behind_first: list[tuple[int, str]] = field(default_factory=list)
    in_order: bool = True
    gaps: list[Gap] = field(default_factory=list)
    last_trade: Columns | None = None

    def feed(self, columns: Columns) -> Columns:
        """Return the usable rows of a batch; count and treat what is wrong with the others."""
        columns = self._values(columns)
        columns = self._order(columns)
        if len(columns["kind"]):
            columns = self._repeats(columns)
        if not len(columns["kind"]):
            return columns
        kind, recv = columns["kind"], columns["ts_recv"]
        inside = self.log.inside(np.arange(len(kind)), recv)
        self.counts += np.bincount(kind, minlength=256)
        self.used += np.bincount(kind[inside], minlength=256)
        lag = recv - columns["ts_event"]
        self.lag_min, self.lag_max = min(self.lag_min, int(lag.min())), max(self.lag_max, int(lag.max()))
        if lag.min() < 0:
            at = self.log.inside(np.flatnonzero(lag < 0), recv)
            self.behind += len(at)
            self.behind_first += [
                (int(columns["origin"][i]), f"received {-int(lag[i]):,} ns before it happened")
                for i in at[: 5 - len(self.behind_first)]
            ]
        self._gaps(columns)
        self.latest = max(self.latest, int(recv.max()))
        return columns

    def _values(self, columns: Columns) -> Columns:
        """Treat rows that are no rows: unknown kinds, NaN, prices and quantities below zero."""
        kind = columns["kind"]
        numbers = np.stack([columns[name] for name in ("price", "qty", "price2", "qty2")])
        priced = PRICED[kind]
        with np.errstate(invalid="ignore"):
            fine = KNOWN[kind] & np.isfinite(numbers).all(axis=0) & (numbers[1] >= 0) & (numbers[3] >= 0)
            fine &= ~priced | (numbers[0] > 0)
            quote = kind == EventKind.QUOTE
            if quote.any():  # a side without a quantity needs no price
                empty = ((numbers[0] <= 0) & (numbers[1] > 0)) | ((numbers[2] <= 0) & (numbers[3] > 0))
                fine &= ~(quote & empty)
            if fine.all():
                return columns
            left = ~fine
            clipped = np.zeros(len(kind), np.bool_)
            for fault, mask in (
                ("unparsable", ~KNOWN[kind]),
                ("nan", ~np.isfinite(numbers).all(axis=0)),
                (
                    "nonpositive",
                    (priced & (numbers[0] <= 0)) | (quote & ((numbers[0] < 0) | (numbers[2] < 0))),
                ),
                ("negative_volume", (numbers[1] < 0) | (numbers[3] < 0)),
                ("nonpositive", left),  # a quote's price of zero beside a quantity
            ):
                hit = left & mask
                left &= ~hit
                self._count(fault, columns, hit)
                if fault == "negative_volume" and self.log.actions[fault] == "clip":
                    clipped = hit
        if clipped.any():
            for name in ("qty", "qty2"):
                columns[name] = np.where(clipped, np.maximum(columns[name], 0.0), columns[name])
        return drop_rows(columns, fine | clipped)

    def _order(self, columns: Columns) -> Columns:
        """Treat rows received before the row before them."""
        recv = columns["ts_recv"]
        if not len(recv) or (recv[0] >= self.latest and not (np.diff(recv) < 0).any()):
            return columns
        highest = np.maximum.accumulate(np.maximum(recv, self.latest))
        late = recv < highest
        at = self.log.inside(np.flatnonzero(late), recv)
        self.log.add(
            "disorder", self.symbol, len(at),
            lambda: [
                (int(columns["origin"][i]), f"received {iso(recv[i])}, after {iso(highest[i])}") for i in at[:5]
            ],
        )  # fmt: skip
        if self.log.actions["disorder"] == "drop":
            return drop_rows(columns, ~late)
        self.in_order = False
        return columns

    def _repeats(self, columns: Columns) -> Columns:
        """Treat trades that repeat the trade before them, id and all."""
        trades = np.flatnonzero((columns["kind"] == EventKind.TRADE) & (columns["id"] != 0))
        if not len(trades):
            return columns
        ids = columns["id"][trades]
        last, n = self.last_trade, len(trades)
        self.last_trade = {name: columns[name][trades[-1:]] for name in columns}
        before = np.concatenate([last["id"] if last is not None else ids[:1] - 1, ids[:-1]])
        again = ids == before
        if not again.any():
            return columns
        same = np.ones(n, np.bool_)
        for name in ("ts_event", "side", "price", "qty"):
            values = columns[name][trades]
            earlier = last[name] if last is not None else values[:1]
            same &= values == np.concatenate([earlier, values[:-1]])
        hit = np.zeros(len(columns["kind"]), np.bool_)
        hit[trades[again & same]] = True
        self._count("duplicate", columns, hit)
        return drop_rows(columns, ~hit) if hit.any() else columns

    def _gaps(self, columns: Columns) -> None:
        recv = columns["ts_recv"]
        at = self.log.inside(np.flatnonzero(columns["kind"] == EventKind.GAP), recv)
        if not len(at):
            return
        shown: list[tuple[int, str]] = []
        for i in at:
            before = int(recv[i - 1]) if i else self.latest
            start = before if before > FIRST else int(recv[i])
            if len(self.gaps) < GAPS_KEPT:
                self.gaps.append(Gap(self.symbol, start, int(recv[i]), 0))
            if len(shown) < 5:
                shown.append((int(columns["origin"][i]), f"the sequence breaks at {iso(recv[i])}"))
        self.log.add("gap", self.symbol, len(at), shown)

    def _count(self, fault: str, columns: Columns, hit: Mask) -> None:
        at = self.log.inside(np.flatnonzero(hit), columns["ts_recv"])
        self.log.add(fault, self.symbol, len(at), lambda: _shown(columns, at[:5]))


def _shown(columns: Columns, at: Sequence[Any] | npt.NDArray[np.int64]) -> list[tuple[int, str]]:
    """Return (origin, what a row says) of a few rows."""
    found = []
    for i in at:
        kind = int(columns["kind"][i])
        text = f"{NAMES.get(kind, f'kind {kind}')} price {columns['price'][i]:.12g}, qty {columns['qty'][i]:.12g}"
        if kind == EventKind.QUOTE:
            text += f", ask {columns['price2'][i]:.12g}, qty {columns['qty2'][i]:.12g}"
        found.append((int(columns["origin"][i]), text))
    return found
