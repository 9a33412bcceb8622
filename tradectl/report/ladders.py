"""The depth of the book just before chosen fills, rebuilt from the events that the run read.

Levels are those that the feed showed: own orders are not among them, and what own orders took is still there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from tradectl.core.codes import EventFlag, EventKind

__all__ = ["CHOSEN", "DEEP", "Ladder", "Ladders", "choose"]

CHOSEN = 8  # fills whose book is shown
DEEP = 10  # levels of each side
Levels = list[tuple[int, int]]  # price in ticks, quantity in lots; the best first


@dataclass(frozen=True)
class Ladder:
    """The book just before a fill."""

    bids: Levels
    asks: Levels


def choose(folder: Path, fills: pl.DataFrame) -> pl.DataFrame:
    """Return the fills with the worst mark-outs in money after a second, the worst first; none without mark-outs."""
    place = folder / "markouts.parquet"
    if not place.is_file() or fills.is_empty():
        return fills.clear()
    later = pl.read_parquet(place, columns=["fill_id", "mid_1s"])
    sign = pl.when(pl.col("side") == "BUY").then(1.0).otherwise(-1.0)
    lost = sign * (pl.col("mid_1s") - pl.col("mid")) / pl.col("mid") * pl.col("notional")
    known = fills.join(later, on="fill_id", how="left", maintain_order="left").with_columns(lost=lost)
    return known.filter(pl.col("lost").is_not_null()).sort("lost", "fill_id").head(CHOSEN)


@dataclass
class Ladders:
    """Hears all events of a run and keeps the book of each chosen fill."""

    wanted: dict[int, list[tuple[int, int]]]  # instrument → (ts_event of the fill, fill_id), in time order
    found: dict[int, Ladder] = field(default_factory=dict)
    _books: dict[int, pl.DataFrame] = field(default_factory=dict)

    @staticmethod
    def of(fills: pl.DataFrame, symbols: Sequence[str]) -> Ladders:
        """Return what hears for the fills of a run; `symbols` are its instruments as events number them."""
        wanted: dict[int, list[tuple[int, int]]] = {}
        rows = fills.select(pl.col("symbol").cast(pl.String), pl.col("ts").cast(pl.Int64), "fill_id").rows()
        for symbol, ts, fill_id in sorted(rows, key=lambda row: row[1]):
            wanted.setdefault(symbols.index(symbol), []).append((ts, fill_id))
        return Ladders(wanted)

    def feed(self, events: npt.NDArray[Any]) -> None:
        """Take the next events of the run."""
        for instrument, due in self.wanted.items():
            if not due:
                continue
            mine = events[events["instrument"] == instrument]
            stamps = np.maximum.accumulate(mine["ts_event"]) if len(mine) else mine["ts_event"]
            at = 0
            while due and len(mine) and due[0][0] <= stamps[-1]:
                ts, fill_id = due.pop(0)
                end = max(at, int(np.searchsorted(stamps, ts, side="left")))
                self._apply(instrument, mine[at:end])
                at = end
                self._keep(instrument, fill_id)
            if due:
                self._apply(instrument, mine[at:])

    def _apply(self, instrument: int, events: npt.NDArray[Any]) -> None:
        """Let depth changes count: the last quantity of each price; a snapshot begins with an empty book."""
        depth = events["kind"] == EventKind.DEPTH
        starts = depth & (events["flags"] & int(EventFlag.SNAPSHOT_BEGIN) != 0)
        fresh = np.flatnonzero(starts | (events["kind"] == EventKind.CLEAR))
        if len(fresh):
            self._books.pop(instrument, None)
            events, depth = events[fresh[-1] :], depth[fresh[-1] :]
        rows = events[depth]
        if not len(rows):
            return
        changed = pl.DataFrame({"side": rows["side"].astype(np.int64), "price": rows["w0"], "qty": rows["w1"]})
        before = self._books.get(instrument)
        whole = changed if before is None else pl.concat([before, changed])
        last = whole.group_by("side", "price", maintain_order=True).agg(pl.col("qty").last())
        self._books[instrument] = last.filter(pl.col("qty") > 0)

    def _keep(self, instrument: int, fill_id: int) -> None:
        book = self._books.get(instrument)
        if book is not None:
            sides = [
                book.filter(pl.col("side") == side).sort("price", descending=side > 0).head(DEEP).select("price", "qty")
                for side in (1, -1)
            ]
            self.found[fill_id] = Ladder(*(side.rows() for side in sides))
