"""Rows of the book at a pace know nothing of the next period, wherever the stream is cut."""

from __future__ import annotations

import numpy as np
import pytest

from tradectl.core.codes import BookLevel, EventFlag, EventKind
from tradectl.core.event import empty_events
from tradectl.core.instrument import Instrument
from tradectl.engine.book_view import BookView
from tradectl.engine.spec import InstrumentLimits

SECOND = 1_000_000_000
MESSAGES = 40


def stream() -> np.ndarray:
    """Return messages 0.4 s apart, each of three levels of both sides that tell its number in their quantities."""
    events = empty_events(3 * MESSAGES)
    events["kind"] = EventKind.DEPTH
    events["side"] = np.tile([1, -1, 1], MESSAGES)
    events["ts_event"] = events["ts_recv"] = np.repeat(np.arange(1, MESSAGES + 1) * 400_000_000, 3)
    events["flags"] = np.tile([0, 0, int(EventFlag.MESSAGE_END)], MESSAGES)
    events["w0"] = np.tile([100, 101, 99], MESSAGES)
    events["w1"] = np.repeat(np.arange(1, MESSAGES + 1), 3)
    events["flags"][0] |= int(EventFlag.SNAPSHOT_BEGIN)
    events["flags"][2] |= int(EventFlag.SNAPSHOT_END)
    return events


def rows(chunk: int, every_ns: int) -> list[tuple[int, ...]]:
    instrument = Instrument("T", "X/USD", "X", "USD", 1, 1)
    view = BookView(instrument, InstrumentLimits(level=BookLevel.DEPTH), 2)
    events = stream()
    chunks = (events[k : k + chunk].copy() for k in range(0, len(events), chunk))
    return [tuple(row) for table in view.tables(chunks, every_ns) for row in table.tolist()]


@pytest.mark.parametrize("chunk", [1, 2, 3, 5, 7, 1_000])
def test_a_row_is_the_last_of_its_period(chunk: int) -> None:
    each = rows(chunk, 0)
    assert [row[3] for row in each] == list(range(1, MESSAGES + 1))
    assert all(row[3] == row[5] == row[7] for row in each)
    last = {row[1] // SECOND: row for row in each}
    assert rows(chunk, SECOND) == list(last.values())
