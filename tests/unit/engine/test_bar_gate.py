"""Bars of one time leave the gate together: when the last one is there, or when they have waited long enough."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from tradectl.cli.paper_session import Session
from tradectl.core.codes import EventFlag, EventKind
from tradectl.core.event import empty_events
from tradectl.engine.bar_gate import BarGate

LAST = int(EventFlag.LAST)


def bar(end: int, instrument: int, recv: int) -> np.ndarray:
    made = empty_events(1)
    made["kind"], made["ts_event"], made["instrument"], made["ts_recv"] = EventKind.BAR, end, instrument, recv
    made["flags"] = LAST
    return made


def told(events: np.ndarray) -> list[tuple[int, int, int, int]]:
    return [
        tuple(int(one[name]) for name in ("ts_event", "instrument", "ts_recv", "flags"))  # type: ignore[misc]
        for one in events
    ]


def test_a_complete_batch_leaves_with_the_last_of_its_bars() -> None:
    gate = BarGate(dict.fromkeys(range(3), 10), 100)
    assert told(gate.put(bar(10, 2, 11))) == []
    assert told(gate.put(bar(10, 0, 13))) == []
    assert told(gate.put(bar(10, 1, 12))) == [(10, 0, 12, 0), (10, 1, 12, 0), (10, 2, 12, LAST)]
    assert gate.due(1 << 40) == []


def test_what_is_no_bar_passes_at_once() -> None:
    gate = BarGate(dict.fromkeys(range(2), 10), 100)
    trade = empty_events(1)
    trade["kind"] = EventKind.TRADE
    assert [one["kind"] for one in gate.put(np.concatenate([bar(10, 0, 11), trade]))] == [EventKind.TRADE]
    assert gate.put(trade) is trade


def test_bars_wait_no_longer_than_the_grace() -> None:
    gate = BarGate(dict.fromkeys(range(2), 10), 100)
    gate.put(bar(20, 1, 25))
    gate.put(bar(10, 0, 20))
    assert gate.due(119) == []
    assert [told(batch) for batch in gate.due(120)] == [[(10, 0, 120, LAST)]]
    assert [told(batch) for batch in gate.due(121, everything=True)] == [[(20, 1, 121, LAST)]]
    assert told(gate.put(bar(10, 1, 130))) == [(10, 1, 130, LAST)]  # the late one waits for none


def test_only_bars_that_end_then_are_waited_for() -> None:
    gate = BarGate({0: 10, 1: 10, 2: 60}, 100)
    assert told(gate.put(bar(50, 0, 51))) == []
    assert told(gate.put(bar(50, 1, 52))) == [(50, 0, 52, 0), (50, 1, 52, LAST)]
    gate.put(bar(60, 1, 61))
    assert told(gate.put(bar(60, 0, 62))) == []  # the one of 60 ends here too
    assert told(gate.put(bar(60, 2, 63))) == [(60, 0, 63, 0), (60, 1, 63, 0), (60, 2, 63, LAST)]


def test_weeks_end_on_monday_and_unusual_ends_are_those_of_the_length_that_has_them() -> None:
    day, week = 86_400 * 10**9, 7 * 86_400 * 10**9
    gate = BarGate({0: day, 1: week}, 100)
    assert len(gate.put(bar(3 * day, 0, 1))) == 1
    assert len(gate.put(bar(4 * day, 0, 2))) == 0  # Monday, the fifth of January 1970
    assert len(gate.put(bar(4 * day, 1, 3))) == 2
    gate = BarGate({0: 10, 1: 10}, 100)
    assert len(gate.put(bar(13, 0, 4))) == 0
    assert len(gate.put(bar(13, 1, 5))) == 2


def test_ends_leave_in_their_order() -> None:
    gate = BarGate({0: 10, 1: 60}, 100)
    gate.put(bar(60, 0, 61))
    assert told(gate.put(bar(70, 0, 71))) == []  # complete, but a bar of 60 is missing
    assert told(gate.put(bar(60, 1, 75))) == [(60, 0, 75, 0), (60, 1, 75, LAST), (70, 0, 75, LAST)]
    gate.put(bar(120, 0, 121))
    gate.put(bar(130, 0, 131))
    assert [told(batch) for batch in gate.due(221)] == [[(120, 0, 221, LAST)], [(130, 0, 221, LAST)]]


def test_a_bar_is_received_once_however_it_leaves() -> None:
    gate = BarGate({0: 10, 1: 10}, 100)
    assert gate.receipts([3]) == [3]
    gate.put(bar(10, 0, 11))
    assert gate.receipts([10, 11]) == [10]  # the bar waits, the message before it was no bar
    gate.put(bar(10, 1, 14))
    assert gate.receipts([13, 14]) == [11, 13, 14]
    gate.put(bar(20, 1, 25))
    gate.put(bar(30, 0, 31))
    gate.due(200)
    assert gate.freed == [[25], [31]]
    assert gate.receipts([]) == [25, 31]


def test_bars_that_waited_are_counted_with_the_others() -> None:
    gate, folded = BarGate({0: 10, 1: 10}, 100), []
    gate.put(bar(10, 0, 11))
    session = SimpleNamespace(
        _gate=gate, _guarded=lambda act: act(), _fold=lambda batch, received: folded.append((told(batch), received))
    )
    Session._release(session, 111)  # type: ignore[arg-type]
    assert folded == [([(10, 0, 111, LAST)], [11])]
