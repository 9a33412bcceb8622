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
    gate = BarGate(3, 100)
    assert told(gate.put(bar(10, 2, 11))) == []
    assert told(gate.put(bar(10, 0, 13))) == []
    assert told(gate.put(bar(10, 1, 12))) == [(10, 0, 12, 0), (10, 1, 12, 0), (10, 2, 12, LAST)]
    assert gate.due(1 << 40) == []


def test_what_is_no_bar_passes_at_once() -> None:
    gate = BarGate(2, 100)
    trade = empty_events(1)
    trade["kind"] = EventKind.TRADE
    assert [one["kind"] for one in gate.put(np.concatenate([bar(10, 0, 11), trade]))] == [EventKind.TRADE]
    assert gate.put(trade) is trade


def test_bars_wait_no_longer_than_the_grace() -> None:
    gate = BarGate(2, 100)
    gate.put(bar(20, 1, 25))
    gate.put(bar(10, 0, 20))
    assert gate.due(119) == []
    assert [told(batch) for batch in gate.due(120)] == [[(10, 0, 120, LAST)]]
    assert [told(batch) for batch in gate.due(121, everything=True)] == [[(20, 1, 121, LAST)]]
    assert told(gate.put(bar(10, 1, 130))) == []  # the late one is a batch of its own
    assert [told(batch) for batch in gate.due(230)] == [[(10, 1, 230, LAST)]]


def test_a_bar_is_received_once_however_it_leaves() -> None:
    gate = BarGate(2, 100)
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
    gate, folded = BarGate(2, 100), []
    gate.put(bar(10, 0, 11))
    session = SimpleNamespace(
        _gate=gate, _guarded=lambda act: act(), _fold=lambda batch, received: folded.append((told(batch), received))
    )
    Session._release(session, 111)  # type: ignore[arg-type]
    assert folded == [([(10, 0, 111, LAST)], [11])]
