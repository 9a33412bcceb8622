"""`data info`: what is in a source, in a few numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tradectl.core.instrument import Instrument
from tradectl.history.model import DataBlock, DataReport, InstrumentSpec, iso
from tradectl.history.open import open_history

__all__ = ["describe", "described"]


def describe(block: DataBlock, specs: Mapping[str, InstrumentSpec] | None = None) -> dict[str, Any]:
    """Return rows, range, size in bytes, files, timeframes and each instrument's range, tick and lot."""
    history = open_history([block], specs or {}, strict=False)
    return described(block.source, history.report, history.instruments, history.paths)


def described(
    source: str | Sequence[str], report: DataReport, instruments: Sequence[Instrument], paths: Sequence[Path]
) -> dict[str, Any]:
    """Return what `describe` tells, of a report on history or on a journal."""
    entries = report.instruments
    quotes = {i.id: (i.base, i.quote) for i in instruments}
    return {
        "source": source,
        "rows": sum(entry.rows for entry in entries),
        "from": iso(min((entry.first_ns for entry in entries), default=0)),
        "to": iso(max((entry.last_ns for entry in entries), default=0)),
        "files": len(paths),
        "bytes": sum(path.stat().st_size for path in paths),
        "timeframes": sorted({entry.timeframe for entry in entries}),
        "instruments": [
            {
                "id": entry.instrument,
                "base": quotes[entry.instrument][0],
                "quote": quotes[entry.instrument][1],
                "timeframe": entry.timeframe,
                "rows": entry.rows,
                "from": iso(entry.first_ns),
                "to": iso(entry.last_ns),
                "tick_size": entry.tick_size,
                "lot_size": entry.lot_size,
                "gaps": entry.gap_count,
                "missing_bars": entry.missing_bars,
                "kinds": entry.kinds,
                "has_receive_clock": entry.has_receive_clock,
                "lag_min_ns": entry.lag_min_ns,
                "lag_max_ns": entry.lag_max_ns,
                "shift_ns": entry.shift_ns,
            }
            for entry in entries
        ],
        "notes": report.notes,
    }
