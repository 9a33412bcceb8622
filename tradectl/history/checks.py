"""`data check`: everything that is wrong with the data, and what a run does about it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from tradectl.history.book_check import check_books
from tradectl.history.first_bars import partial_firsts
from tradectl.history.model import DataBlock, DataReport, InstrumentSpec
from tradectl.history.open import open_history

__all__ = ["check_data"]


def check_data(
    blocks: Sequence[DataBlock],
    specs: Mapping[str, InstrumentSpec] | None = None,
    progress: Callable[[int], None] | None = None,
    frames_ns: Sequence[int] = (),
) -> DataReport:
    """Survey the blocks without stopping at faults; `DataReport.failing()` names what stops a run.

    `frames_ns` are the timeframes that a run derives from them.
    Files that cannot be read at all (no such place, no header, unknown columns) still raise DataError.
    """
    history = open_history(blocks, specs or {}, strict=False, progress=progress)
    history.report.notes += partial_firsts(history, frames_ns)
    history.report.faults += check_books(history, progress)
    return history.report
