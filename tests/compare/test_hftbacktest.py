"""Queues and latency against hftbacktest: the same events, the same orders, the same fills, or the reason why not.

docs/comparison.md says what differs and why; each row of its table is a test here.
"""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from tests.compare.script import (
    MODELS,
    MS,
    US,
    Done,
    Market,
    Order,
    Rules,
    made_up_market,
    overlapping,
    recorded_latencies,
    working_one_by_one,
)
from tradectl.core.codes import EventKind
from tradectl.core.event import empty_events
from tradectl.core.jit import DISABLE_JIT

pytest.importorskip("hftbacktest", reason="hftbacktest is not installed: pip install '.[compare]'")
if DISABLE_JIT:
    pytest.skip("hftbacktest runs compiled only", allow_module_level=True)

from tests.compare.ours import run_ours  # noqa: E402
from tests.compare.theirs import run_theirs  # noqa: E402

DATA = Path(__file__).parents[3] / "shared" / "data" / "binance_ws" / "usdm"
ENTRY_NS = Rules().entry_ns


@pytest.fixture(scope="module")
def market() -> Market:
    return made_up_market(200_000)


def differing(ours: list[Done], theirs: list[Done]) -> list[int]:
    """Return the orders whose fills at the venue (time, price, lots) are not the same."""
    return [k for k in range(len(ours)) if ours[k].at_venue != theirs[k].at_venue]


def at_arrival(order: Order, done: Done) -> bool:
    """Return whether an order filled when it arrived."""
    return bool(done.fills) and done.fills[0].ts_event == order.sent + ENTRY_NS


def one_at_a_time(orders: list[Order], among: list[int]) -> list[list[int]]:
    """Split orders into groups of which no two ever work at one time."""
    groups: list[list[int]] = []
    for k in among:
        for group in groups:
            if orders[group[-1]].canceled + 100 * MS < orders[k].sent:
                group.append(k)
                break
        else:
            groups.append([k])
    return groups


def differing_alone(market: Market, orders: list[Order], among: list[int], rules: Rules) -> list[int]:
    """Return those of some orders that differ even when no other order works beside them."""
    found = []
    for group in one_at_a_time(orders, among):
        alone = [orders[k] for k in group]
        found += [
            group[k] for k in differing(run_ours(market, alone, rules), run_theirs(market, alone, rules))
        ]
    return found


@pytest.mark.parametrize("model", MODELS)
def test_every_fill_and_every_answer_at_the_same_nanosecond(market: Market, model: str) -> None:
    orders, rules = working_one_by_one(market), Rules(model)
    ours, theirs = run_ours(market, orders, rules), run_theirs(market, orders, rules)
    assert differing(ours, theirs) == []
    assert ours == theirs  # and when they were known
    filled = [k for k, done in enumerate(ours) if done.fills]
    queued = [k for k in filled if not at_arrival(orders[k], ours[k])]
    assert 120 < len(queued) < len(filled) < len(orders)


def test_the_models_lead_to_different_fills(market: Market) -> None:
    orders = working_one_by_one(market)
    fills = [
        tuple(tuple(done.at_venue) for done in run_ours(market, orders, Rules(model))) for model in MODELS
    ]
    assert len(set(fills)) == len(MODELS)


def test_recorded_latencies_are_interpolated_alike(market: Market) -> None:
    orders, rules = working_one_by_one(market), Rules(triples=recorded_latencies(market, rising=True))
    assert run_ours(market, orders, rules) == run_theirs(market, orders, rules)


def test_a_falling_latency_is_rounded_down_here_and_to_zero_there(market: Market) -> None:
    orders, rules = working_one_by_one(market), Rules(triples=recorded_latencies(market, rising=False))
    ours, theirs = run_ours(market, orders, rules), run_theirs(market, orders, rules)
    for mine, other in zip(ours, theirs, strict=True):
        assert 0 <= other.ts_known - mine.ts_known <= 2  # one for the way there, one for the way back
        assert len(mine.fills) == len(other.fills)
        for one, two in zip(mine.fills, other.fills, strict=True):
            assert (one.price_ticks, one.qty_lots) == (two.price_ticks, two.qty_lots)
            assert 0 <= two.ts_event - one.ts_event <= 1  # a taker fills when it arrives


def test_a_trade_is_spent_once_among_own_orders(market: Market) -> None:
    orders, rules = overlapping(market), Rules()
    ours, theirs = run_ours(market, orders, rules), run_theirs(market, orders, rules)
    apart = differing(ours, theirs)
    assert 0 < len(apart) < len(orders) // 50
    for k in apart:  # theirs is never later: it had the trade that another own order had here
        assert ours[k].fills == [] or ours[k].fills[0].ts_event >= theirs[k].fills[0].ts_event
    assert differing_alone(market, orders, apart, rules) == []


def test_a_queue_fills_piece_by_piece(market: Market) -> None:
    """Its exchange with partial fills stops soon after the last of several pieces, hence one order a run."""
    part = Market(market.events[:60_000], market.tick_size, market.lot_size)
    rules, in_pieces = Rules(partial=True, response_ns=1 * US), 0
    for order in working_one_by_one(part, most_lots=60):
        (mine,) = run_ours(part, [order], rules)
        if at_arrival(order, mine):
            continue
        (other,) = run_theirs(part, [order], rules, may_stop=True)
        assert mine.at_venue[: len(other.fills)] == other.at_venue
        assert len(mine.fills) - len(other.fills) <= 1  # the piece whose answer did not come before the stop
        in_pieces += len(other.fills) > 1
    assert in_pieces > 5


def test_nothing_fills_against_nothing(market: Market) -> None:
    """A taker larger than what is shown: whole at the touch there, level by level here, the rest waits."""
    orders, rules = working_one_by_one(market, most_lots=800), Rules()
    ours, theirs = run_ours(market, orders, rules), run_theirs(market, orders, rules)
    takers = [k for k in range(len(orders)) if at_arrival(orders[k], ours[k])]
    short = [k for k in takers if ours[k].fills[0].qty_lots < orders[k].qty_lots]
    assert len(takers) > len(short) > 5
    for k in takers:
        assert theirs[k].at_venue == [(*ours[k].at_venue[0][:2], orders[k].qty_lots)]
        assert ours[k].at_venue == theirs[k].at_venue or k in short


def test_no_answer_before_the_event_that_causes_it_was_received(market: Market) -> None:
    orders, rules = working_one_by_one(market), Rules(response_ns=500 * US)
    ours, theirs = run_ours(market, orders, rules), run_theirs(market, orders, rules)
    assert differing(ours, theirs) == []
    feed_ns = int(market.events["ts_recv"][0] - market.events["ts_event"][0])
    for mine, other in zip(ours, theirs, strict=True):
        for one, two in zip(mine.fills, other.fills, strict=True):
            assert two.ts_known == two.ts_event + rules.response_ns
            assert one.ts_known >= one.ts_event + feed_ns > two.ts_known


@pytest.fixture(scope="module")
def recorded() -> Market:
    if not DATA.is_dir():
        pytest.skip("../shared/data/binance_ws is not there")
    from tests.real.ladder_fold import read_rows
    from tradectl.history.book_events import book_events, to_ticks

    files = [DATA / f"btcusdt_{day}.dat.gz" for day in ("20230404", "20230405")]
    frame = read_rows("binance_ws", files)["BTCUSDT"]
    tick, lot = Decimal("0.1"), Decimal("0.001")
    columns = {name: frame[name].to_numpy().copy() for name in frame.columns}
    rows = book_events(to_ticks(columns, tick, lot, int(columns["ts_recv"][0])), 0)
    rows = rows[np.isin(rows["kind"], (EventKind.TRADE, EventKind.DEPTH))]
    events = empty_events(len(rows))
    events[:] = rows
    behind = int((events["ts_event"] - events["ts_recv"]).max())  # no event is received before it happens
    events["ts_recv"] += max(behind, 0)
    return Market(events, tick, lot)


def overtaken(market: Market, order: Order, *results: Done) -> bool:
    """Return whether an event up to an order's end was received after one that happened later, and after the order."""
    events = market.events
    late = events["ts_event"] < np.maximum.accumulate(events["ts_event"])
    end = max([fill.ts_event for done in results for fill in done.fills] or [order.canceled])
    return bool((late & (events["ts_recv"] >= order.sent) & (events["ts_event"] <= end)).any())


@pytest.mark.parametrize("model", ["risk_averse", "log", "power3_3"])
def test_recorded_channels_that_overtake_each_other(recorded: Market, model: str) -> None:
    """BTCUSDT perpetual: exchange order there, receive order here; what differs was overtaken."""
    rules = Rules(model, entry_ns=5 * MS, response_ns=20 * MS)
    orders = working_one_by_one(recorded, life_ns=1_000 * MS)
    ours, theirs = run_ours(recorded, orders, rules), run_theirs(recorded, orders, rules)
    assert sum(bool(done.fills) for done in ours) > 100
    apart = differing(ours, theirs)
    assert len(apart) <= len(orders) * 0.008
    assert all(overtaken(recorded, orders[k], ours[k], theirs[k]) for k in apart)


def test_recorded_market_with_many_orders_at_once(recorded: Market) -> None:
    rules = Rules("power3_3", entry_ns=5 * MS, response_ns=20 * MS)
    orders = overlapping(recorded, life_ns=1_000 * MS)
    ours, theirs = run_ours(recorded, orders, rules), run_theirs(recorded, orders, rules)
    apart = differing(ours, theirs)
    assert 0 < len(apart) <= len(orders) * 0.008
    alone = differing_alone(recorded, orders, apart, rules)
    assert len(alone) < len(apart)  # the others shared a trade
    assert all(overtaken(recorded, orders[k], ours[k], theirs[k]) for k in alone)
