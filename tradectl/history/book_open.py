"""What opening book data adds to opening bars: the grid that its prices stand on, and what is told of it."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import numpy as np

from tradectl.core.codes import EventKind
from tradectl.errors import DataError
from tradectl.history import grid
from tradectl.history.book_events import groups_of
from tradectl.history.book_source import DISTINCT, BookSource
from tradectl.history.importers.base import Breaks
from tradectl.history.model import InstrumentReport, iso
from tradectl.history.rows import FILE_SHIFT

__all__ = ["book_notes", "book_report", "dominant_step", "finest", "refuse_overlap"]


def finest(sources: Sequence[Any]) -> Any:
    """Return the source whose known tick is the finest, else the first."""
    known = [source for source in sources if source.tick_size is not None]
    return min(known, key=lambda source: source.tick_size) if known else sources[0]


def dominant_step(sources: Sequence[Any], prices: grid.Steps) -> Decimal:
    """Return the dominant step of prices: a power of ten; of book data also its multiples (0.5, 0.25)."""
    power = prices.candidate(grid.choose_tick(prices))
    if not all(isinstance(source, BookSource) for source in sources):
        return power
    agreed, seen = None, set[int]()
    for source in sources:
        multiples, prices_seen = source.multiples(power)
        agreed = multiples if agreed is None else agreed & multiples
        seen |= prices_seen
    return power * (max(agreed or {1}) if len(seen) >= DISTINCT else 1)


def refuse_overlap(name: str, one: BookSource, other: BookSource) -> None:
    """Raise DataError if two blocks have rows of the same kind and time for one instrument."""
    both = (one.kinds & other.kinds) - {"funding", "mark"}
    if both and not (one.last_ns < other.first_ns or other.last_ns < one.first_ns):
        raise DataError(
            f"{name}: two blocks have {sorted(both)[0]} of the same time",
            hint="name both places in one block's source list, or set `kind` in each",
        )


def book_notes(source: BookSource) -> list[str]:
    """Return what is to be told of a source: that a block's kind is not in it, and where its sequence breaks."""
    notes = []
    if source.is_empty:
        there = " and ".join(sorted(groups_of(source.kinds_there))) or "nothing of use"
        notes.append(f"{source.id}: no {source.block.kind} in {source.files[0].place}, but {there}")
    if source.gap_count:
        breaks = (None if source.block.has_window else source.breaks) or Breaks()
        first = breaks.first_ns + source.shift_ns if breaks.count else source.gaps[0].to_ns
        text = f"{source.gap_count:,} break{'s' * (source.gap_count > 1)} of its sequence, the first at {iso(first)}"
        if breaks.count and "depth" in source.kinds:
            until = "until the next snapshot" if breaks.whole else "until the end, for no snapshot follows"
            text += f"; {breaks.dropped:,} messages of depth dropped {until}"
        notes.append(f"{source.id}: {text}")
    return notes


def book_report(target: Any, source: BookSource, one: Any) -> InstrumentReport:
    """Return what was found about a source; off-grid values and what is out of range are counted here."""
    tick, lot = target.instrument.tick_size, target.instrument.lot_size
    worst = _count_off(one, source, tick, "off_tick")
    if source.volumes.rows or source.lot_size is not None:
        _count_off(one, source, lot, "off_lot")
    counts = {
        EventKind(k).name.lower(): int(source.used_counts[k]) for k in np.flatnonzero(source.used_counts).tolist()
    }
    return InstrumentReport(
        instrument=target.id,
        timeframe=source.block.kind,
        rows=source.used,
        first_ns=source.first_ns,
        last_ns=source.last_ns,
        tick_size=f"{tick:f}",
        lot_size=f"{lot:f}",
        tick_from=_from(target.spec.tick_size, source.tick_size, source),
        lot_from=_from(target.spec.lot_size, source.lot_size, source),
        worst_rounding=worst,
        gap_count=source.gap_count,
        kinds=counts,
        has_receive_clock=source.has_receive_clock,
        lag_min_ns=source.lag_min,
        lag_max_ns=source.lag_max,
        shift_ns=source.shift_ns,
    )


def _from(configured: Decimal | None, known: Decimal | None, source: BookSource) -> str:
    return "config" if configured is not None else source.given_by if known is not None else "inferred"


def _count_off(one: Any, source: BookSource, step: Decimal, fault: str) -> float:
    """Count a source's values off the grid of `step`; return the largest relative rounding error."""
    steps, stored = source.prices, source.tick_size
    if fault == "off_lot":
        steps, stored = source.volumes, source.lot_size
    power, k = -step.adjusted(), 0
    if source.given_by == "catalogue" and stored is not None and stored % step == 0:
        return 0.0  # it was put on a grid that this one contains
    is_candidate = step == Decimal(1).scaleb(-power) and 0 <= power <= grid.MOST and steps.rows > 0
    if is_candidate and not (source.block.has_window and steps.off[power]):
        k = power
    else:
        steps = source.look(fault, step)
    one.log.add(fault, source.id, steps.off[k], steps.first[k])
    if steps.rows and steps.highest / float(step) >= grid.LIMIT:
        shown = [(source.files[0].index << FILE_SHIFT, f"{steps.highest:.10g} in steps of {step:f}")]
        one.log.add("overflow", source.id, 1, shown)
    return steps.error(k)
