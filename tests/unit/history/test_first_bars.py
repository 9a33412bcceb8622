"""Derived bars that the data begin inside of are told: of trades and quotes, of journals."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.unit.history.helpers import MINUTE, write
from tradectl.core.codes import Command, EventFlag, EventKind
from tradectl.core.event import empty_events
from tradectl.history.calendars import OwnHours, own_sessions
from tradectl.history.checks import check_data
from tradectl.history.first_bars import partial_of_journal
from tradectl.history.model import DataBlock

HOUR = 60 * MINUTE
TEN = 1_700_042_400_000_000_000  # 2023-11-15T10:00:00Z, a Wednesday
WARM = int(EventFlag.WARMUP)
Row = tuple[EventKind, int, int, int]


def journal(*rows: Row) -> list[np.ndarray]:
    """Return chunks of one event each: kind, instrument, ns after ten o'clock, flags."""
    made = empty_events(len(rows))
    made["kind"], made["instrument"], after, made["flags"] = np.array(rows, np.int64).T
    made["ts_event"] = made["ts_recv"] = TEN + after
    made["w0"][made["kind"] == EventKind.COMMAND] = Command.START
    return np.split(made, len(rows))


def told(*rows: Row, frames: list[int] | None = None, of: int = 0, hours: Any = None) -> list[str]:
    """Return the notes without their beginning."""
    notes = partial_of_journal(
        journal(*rows), ["X:A", "X:B", "X:C"], [of] * 3, [hours] * 3, frames or [MINUTE, HOUR]
    )
    return [note.removeprefix("first bar of ").replace("is partial: data of ", "") for note in notes]


START: Row = (EventKind.COMMAND, 0, 20 * MINUTE + 30_000_000_000, 0)
LATER = START[2] + 300_000_000


def test_a_session_begins_inside_its_first_bars() -> None:
    timer = (EventKind.TIMER, 0, LATER, 0)
    found = told(
        START, timer, (EventKind.DEPTH, 1, LATER, 0), (EventKind.TRADE, 0, LATER, 0), (EventKind.GAP, 2, LATER, 0),
        (EventKind.TRADE, 2, 41 * MINUTE, 0), (EventKind.TRADE, 2, HOUR, 0),
    )  # fmt: skip
    assert found == [
        "1m X:A begin at 2023-11-15T10:20:30.300000000Z (50% of it is missing), and of 1 more",  # C: a whole minute
        "1h X:A begin at 2023-11-15T10:20:30.300000000Z (34% of it is missing), and of 2 more",
    ]


def test_bars_that_begin_while_the_session_listens_are_whole() -> None:
    timer = (EventKind.TIMER, 0, HOUR - 1, 0)
    assert told(timer, (EventKind.TRADE, 0, HOUR + 30 * MINUTE, 0)) == []
    assert told((EventKind.TRADE, 0, 100_000_000, 0)) == []  # less than a hundredth of a minute


def test_warm_up_makes_bars_of_candles_whole_and_not_those_of_ticks() -> None:
    warm = [(EventKind.BAR, 0, k * MINUTE, WARM) for k in range(1, 20)]
    live = (EventKind.TRADE, 0, 20 * MINUTE, 0)
    assert told(*warm, live, of=MINUTE) == []
    assert told(*warm, live) == ["1h X:A begin at 2023-11-15T10:20:00Z (33% of it is missing)"]
    late = told(*warm[4:], (EventKind.BAR, 0, 20 * MINUTE, 0), of=MINUTE)
    assert late == ["1h X:A begin at 2023-11-15T10:04:00Z (7% of it is missing)"]


def test_only_the_beginning_of_a_journal_is_read() -> None:
    read = []

    def chunks() -> Any:
        for part in journal(*((EventKind.TIMER, 0, k * MINUTE, 0) for k in range(600))):
            read.append(part)
            yield part

    assert partial_of_journal(chunks(), ["X:A"], [0], [None], [HOUR]) == []
    assert len(read) == 61
    assert partial_of_journal(chunks(), ["X:A"], [0], [None], []) == []
    assert len(read) == 61


def test_a_day_of_a_session_begins_with_its_open() -> None:
    hours = own_sessions(OwnHours("UTC", 10 * 60, 16 * 60, frozenset(range(7))))
    at_open, later = (EventKind.TRADE, 0, 0, 0), (EventKind.TRADE, 0, HOUR, 0)
    assert told(at_open, frames=[24 * HOUR], hours=hours) == []
    assert told(later, frames=[24 * HOUR], hours=hours) == ["1d X:A begin at 2023-11-15T11:00:00Z"]


@pytest.mark.parametrize(
    ("start", "note"),
    [
        (0, "1h is partial: data of LOCAL:AAA/USD begin at 2023-11-15T10:15:00Z (25% of it is missing)"),
        (30 * MINUTE, "1h is partial: data of LOCAL:AAA/USD begin at 2023-11-15T10:30:00Z (50% of it is missing)"),
        (HOUR, ""),  # there are trades before: the bar is whole
    ],
)
def test_trades_begin_inside_a_bar(tmp_path: Path, start: int, note: str) -> None:
    rows = [f"{(TEN // MINUTE + k) * 60_000},100.5,1,b" for k in range(15, 100)]
    path = write(tmp_path / "AAAUSD.csv", rows, "timestamp,price,amount,side")
    block = DataBlock(str(path), kind="trades", venue="LOCAL", start_ns=TEN + start)
    notes = check_data([block], frames_ns=[HOUR]).notes
    assert [one.removeprefix("first bar of ") for one in notes if "partial" in one] == [note] * bool(note)
