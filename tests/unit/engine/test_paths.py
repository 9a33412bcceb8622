"""Which bars count as ambiguous where strategies share an instrument (the rest stands in the golden scripts)."""

from __future__ import annotations

import pytest

from tests.unit.engine.accounts import Desk, instrument, margin
from tradectl.core.codes import EventFlag, EventKind, FoldCode, OrderFlag, OrderType, Side
from tradectl.core.event import empty_events

FLAGS = int(OrderFlag.REDUCE_ONLY)


def fold_bar(desk: Desk, *ohlc: int) -> None:
    """Fold one bar without volume."""
    event = empty_events(1)
    event["kind"], event["flags"], event["w4"] = EventKind.BAR, EventFlag.LAST, -1
    event["ts_event"] = event["ts_recv"] = desk.now
    for name, price in zip(("w0", "w1", "w2", "w3"), ohlc, strict=True):
        event[name] = price
    assert desk.state.fold(event)[0] == FoldCode.DONE
    desk.fills += list(desk.state.drain()["fills"])


@pytest.mark.parametrize(("owner", "ambiguous"), [(0, 1), (1, 0)])
def test_only_exits_of_one_strategy_compete(owner: int, ambiguous: int) -> None:
    desk = Desk([instrument("X/USD")], margin("USD", {"USD": 100_000}))
    desk.bars(100)
    for strategy, entry in ((0, 98), (1, 50)):
        assert desk.submit(strategy, 0, Side.BUY, 1, OrderType.LIMIT, price_ticks=entry) == 0
    assert desk.submit(0, 0, Side.SELL, 1, OrderType.STOP_MARKET, trigger_ticks=95, flags=FLAGS) == 0
    assert desk.submit(owner, 0, Side.SELL, 1, OrderType.LIMIT, price_ticks=105, flags=FLAGS) == 0
    fold_bar(desk, 100, 107, 94, 100)
    assert [int(fill["price_ticks"]) for fill in desk.fills] == [98, 95]
    assert int(desk.state.engine[0]["n_ambiguous"]) == ambiguous
    assert [int(fill["ambiguous"]) for fill in desk.fills] == [ambiguous, ambiguous]
