"""Order-by-order data in the fold, rule by rule, on books made by hand (run also with NUMBA_DISABLE_JIT=1)."""

from __future__ import annotations

import numpy as np
import pytest

from tests.unit.engine.l3_world import (
    ADD,
    BEGIN_SNAPSHOT,
    BUY,
    CANCEL,
    END,
    END_SNAPSHOT,
    EXEC,
    MODIFY,
    SELL,
    L3World,
)  # fmt: skip
from tradectl.core.codes import EventFlag, EventKind, FoldCode, Reason, TriggerSource
from tradectl.core.l3_layout import init_l3, new_l3, size_of_l3
from tradectl.engine.spec import StrategySpec
from tradectl.errors import ConfigError
from tradectl.strategy.compile import compile_hooks
from tradectl.strategy.loader import load_strategy

GAP, CLEAR, TRADE = EventKind.GAP, EventKind.CLEAR, EventKind.TRADE
MAKER, TAKER = 1, 2
BOOK, QUEUE, THROUGH = 5, 6, 7


@pytest.fixture
def world():
    """bid 100 x (5, 7), 99 x 4; ask 102 x (3, 6), 103 x 8."""
    made = L3World()
    made.run(
        (ADD, BUY, 10000, 5, 1), (ADD, BUY, 10000, 7, 2), (ADD, BUY, 9999, 4, 3),
        (ADD, SELL, 10002, 3, 11), (ADD, SELL, 10002, 6, 12), (ADD, SELL, 10003, 8, 13),
    )  # fmt: skip
    return made


def nothing(world):
    """Let time pass: what was sent arrives."""
    world.run((EventKind.MARK, 0, 0, 0, 0))


def test_touch_and_depth_show_recorded_orders_alone(world):
    world.submit(BUY, 5, 10001)
    nothing(world)
    world.run((ADD, BUY, 9999, 1, 4))
    venue = world.venue
    assert (venue["bid"], venue["bid_lots"], venue["ask"], venue["ask_lots"]) == (10000, 12, 10002, 9)
    assert world.book()[0][0] == ("own 1", 10001, 5)
    assert world.state.markets[0]["twice_mark"] == 20002


def test_queue_place_is_exact(world):
    order = world.submit(BUY, 4, 10000)
    nothing(world)
    assert world.order(order)["front_post"] == 12
    world.run((ADD, BUY, 10000, 9, 4), (CANCEL, BUY, 10000, 0, 1), (EXEC, BUY, 10000, 7, 2))
    assert world.fills == []
    world.run((EXEC, BUY, 10000, 3, 4))  # the own order stands ahead of order 4
    assert world.fills == [(order, 10000, 3, MAKER, QUEUE, 0)]
    assert world.book()[0] == [("own 1", 10000, 1), (4, 10000, 9), (3, 9999, 4)]


def test_what_an_execution_leaves_unfilled_stays_and_is_met_first(world):
    world.submit(BUY, 4, 10000)
    nothing(world)
    world.run((ADD, BUY, 10000, 9, 4), (CANCEL, BUY, 10000, 0, 1), (CANCEL, BUY, 10000, 0, 2))
    world.run((EXEC, BUY, 10000, 9, 4))  # 4 of the 9 lots fill the own order
    assert world.book()[0] == [(4, 10000, 4), (3, 9999, 4)]
    assert (world.venue["bid"], world.venue["n_remainders"]) == (9999, 1)  # kept, not displayed
    later = world.submit(BUY, 1, 10000)
    nothing(world)
    assert world.order(later)["front_post"] == 4
    world.run((ADD, BUY, 10000, 6, 5), (EXEC, BUY, 10000, 6, 5))  # these 4 lots are met first, 5 keeps 5
    assert world.fills[1:] == [(later, 10000, 1, MAKER, QUEUE, 0)]
    assert world.book()[0] == [(5, 10000, 5), (3, 9999, 4)]
    assert (world.venue["n_remainders"], world.venue["n_spent"], world.venue["n_strayed"]) == (2, 0, 0)


@pytest.mark.parametrize("price", [10000, 9999])
def test_a_remainder_ends_when_the_market_has_passed_it(world, price):
    world.submit(BUY, 4, 10000)
    nothing(world)
    world.run((CANCEL, BUY, 10000, 0, 1), (ADD, BUY, 10000, 9, 4), (EXEC, BUY, 10000, 9, 4))
    assert world.book()[0] == [(2, 10000, 7), (4, 10000, 4), (3, 9999, 4)]
    world.run((CANCEL, BUY, 10000, 0, 2), (ADD, SELL, 10001, 5, 14))
    assert world.book()[0] == [(4, 10000, 4), (3, 9999, 4)]
    world.run((ADD, SELL, price, 5, 15))
    assert world.book()[0] == [(3, 9999, 4)]
    assert world.book()[1][0] == (15, price, 5)


def test_a_partly_executed_order_displays_what_the_recording_shows(world):
    world.submit(BUY, 4, 10001)
    nothing(world)
    world.run((EXEC, BUY, 10000, 3, 1))  # own orders take it: 5 lots are left, of which 2 are shown
    assert world.book()[0][:2] == [("own 1", 10001, 1), (1, 10000, 5)]
    assert world.venue["bid_lots"] == 9
    world.run((MODIFY, BUY, 10000, 1, 1))
    assert world.book()[0][1] == (1, 10000, 4)
    world.run((MODIFY, BUY, 10000, 3, 1))  # it stands anew, with what the recording shows
    assert world.book()[0][1:3] == [(2, 10000, 7), (1, 10000, 3)]


def test_the_touch_strays_while_the_recording_shows_what_own_orders_used_up(world):
    world.submit(BUY, 5, 10001)
    nothing(world)
    world.run((ADD, SELL, 10001, 5, 14), (ADD, BUY, 9990, 1, 5))
    assert (world.venue["ask"], world.venue["strayed"]) == (10002, 1)
    world.run((ADD, BUY, 9990, 1, 6), (CANCEL, SELL, 10001, 0, 14), (ADD, BUY, 9990, 1, 7))
    assert (world.venue["ask"], world.venue["strayed"], world.venue["n_strayed"]) == (10002, 0, 3)


def test_a_better_own_price_is_met_first(world):
    order = world.submit(BUY, 4, 10001)
    nothing(world)
    world.run((EXEC, BUY, 10000, 5, 1))
    assert world.fills == [(order, 10001, 4, MAKER, THROUGH, 0)]
    assert world.book()[0][0] == (1, 10000, 4)


def test_own_orders_at_a_price_fill_in_time_order_and_share_an_execution(world):
    first = world.submit(SELL, 2, 10002)
    nothing(world)
    second = world.submit(SELL, 5, 10002)
    nothing(world)
    assert world.order(second)["front_post"] == 11
    world.run((ADD, SELL, 10002, 9, 14), (CANCEL, SELL, 10002, 0, 11), (CANCEL, SELL, 10002, 0, 12))
    world.run((EXEC, SELL, 10002, 4, 14))
    assert world.fills == [(first, 10002, 2, MAKER, QUEUE, 0), (second, 10002, 2, MAKER, QUEUE, 0)]


def test_taking_consumes_recorded_orders_in_their_order(world):
    order = world.submit(BUY, 11, 10003)
    nothing(world)
    assert world.fills == [(order, 10002, 9, TAKER, BOOK, 0), (order, 10003, 2, TAKER, BOOK, 0)]
    assert world.book()[1] == [(13, 10003, 6)]
    world.run((EXEC, SELL, 10002, 3, 11), (CANCEL, SELL, 10002, 0, 12))
    assert world.venue["n_spent"] == 2
    world.run((CANCEL, SELL, 10003, 5, 13))  # the recording leaves 3 of 8; own orders took 2 of them
    assert world.book()[1] == [(13, 10003, 1)]
    world.run((EXEC, SELL, 10003, 3, 13))
    assert world.book()[1] == []
    assert world.venue["n_spent"] == 2
    assert world.venue["n_unknown"] == 0


def test_the_touch_follows_what_own_orders_took(world):
    world.submit(BUY, 9)
    nothing(world)
    assert world.venue["ask"] == 10003


def test_partly_taken_orders_keep_their_place(world):
    world.submit(SELL, 2, 10000)
    nothing(world)
    assert world.book()[0] == [(1, 10000, 3), (2, 10000, 7), (3, 9999, 4)]
    world.run((EXEC, BUY, 10000, 5, 1))
    assert world.book()[0] == [(2, 10000, 7), (3, 9999, 4)]


def test_a_recorded_order_that_crosses_fills_own_ones_at_their_price(world):
    order = world.submit(BUY, 3, 10001)
    nothing(world)
    world.run((ADD, SELL, 10001, 5, 14))
    assert world.fills == [(order, 10001, 3, MAKER, THROUGH, 0)]
    assert world.book()[1][0] == (14, 10001, 2)
    world.run((CANCEL, SELL, 10001, 4, 14))  # in the recording one lot is left, here none
    assert world.book()[1][0] == (11, 10002, 3)
    world.run((CANCEL, SELL, 10001, 0, 14))
    assert world.venue["n_spent"] == 1


def test_an_order_that_own_ones_used_up_comes_back_with_what_a_change_adds(world):
    world.submit(BUY, 8, 10001)
    nothing(world)
    world.run((ADD, SELL, 10001, 5, 14))
    assert world.book()[1][0] == (11, 10002, 3)
    world.run((MODIFY, SELL, 10003, 7, 14))
    assert world.book()[1][-1] == (14, 10003, 2)


@pytest.mark.parametrize(
    ("price", "lots", "queue"),
    [
        (10000, 3, [(1, 10000, 3), (2, 10000, 7), (3, 9999, 4)]),
        (10000, 5, [(1, 10000, 5), (2, 10000, 7), (3, 9999, 4)]),
        (10000, 6, [(2, 10000, 7), (1, 10000, 6), (3, 9999, 4)]),
        (9999, 3, [(2, 10000, 7), (3, 9999, 4), (1, 9999, 3)]),
        (10000, 0, [(2, 10000, 7), (3, 9999, 4)]),
    ],
)
def test_a_change_to_less_at_the_same_price_keeps_its_place(world, price, lots, queue):
    world.run((MODIFY, BUY, price, lots, 1))
    assert world.book()[0] == queue


def test_a_change_that_crosses_fills_own_orders(world):
    order = world.submit(BUY, 3, 10001)
    nothing(world)
    world.run((MODIFY, SELL, 10001, 6, 12))
    assert world.fills == [(order, 10001, 3, MAKER, THROUGH, 0)]
    assert world.book()[1][0] == (12, 10001, 3)


def test_recorded_orders_that_cross_each_other_both_stand(world):
    world.run((ADD, BUY, 10002, 4, 4))
    assert (world.venue["bid"], world.venue["ask"], world.venue["n_crossed"]) == (10002, 10002, 1)
    world.run((CANCEL, BUY, 10002, 0, 4))
    assert (world.venue["bid"], world.venue["ask"], world.venue["n_crossed"]) == (10000, 10002, 1)


def test_unknown_orders_are_counted_and_ignored(world):
    before = world.book()
    world.run((CANCEL, BUY, 10000, 0, 77), (MODIFY, BUY, 10000, 5, 77), (EXEC, BUY, 9999, 5, 77))
    assert world.book() == before
    assert world.venue["n_unknown"] == 3
    world.run((ADD, BUY, 9998, 4, 2))  # an id that rests begins anew
    assert world.book()[0] == [(1, 10000, 5), (3, 9999, 4), (2, 9998, 4)]
    assert world.venue["n_unknown"] == 4


def test_an_unknown_execution_at_the_touch_is_a_trade_at_its_price(world):
    better, worse = world.submit(BUY, 2, 10001), world.submit(BUY, 2, 10000)
    nothing(world)
    world.run((EXEC, BUY, 10000, 9, 77))  # recorded orders stand ahead of the second one
    assert world.fills == [(better, 10001, 2, MAKER, THROUGH, 0)]
    world.run((CANCEL, BUY, 10000, 0, 1), (CANCEL, BUY, 10000, 0, 2), (EXEC, BUY, 10000, 1, 77))
    assert world.fills[1:] == [(worse, 10000, 1, MAKER, QUEUE, 0)]


def test_trades_tell_the_last_price_and_fill_nothing(world):
    world.submit(BUY, 2, 10000)
    nothing(world)
    world.run((TRADE, SELL, 9990, 50, 1), (TRADE, SELL, 9990, 50, 1, END | EventFlag.HIDDEN))
    assert world.fills == []
    assert (world.venue["trade_ticks"], world.venue["trade_lots"], world.venue["trade_side"]) == (9990, 50, SELL)
    world.run((EXEC, BUY, 10000, 2, 1))
    assert (world.venue["trade_ticks"], world.venue["trade_lots"], world.venue["trade_side"]) == (10000, 2, SELL)


@pytest.mark.parametrize("trigger", [TriggerSource.LAST, TriggerSource.BID_ASK])
def test_stops_fire_on_executions_or_the_touch(trigger):
    world = L3World(trigger=trigger)
    world.run((ADD, BUY, 10000, 5, 1), (ADD, SELL, 10002, 3, 11), (ADD, SELL, 10003, 8, 13))
    order = world.submit(BUY, 2, stop=10003)
    nothing(world)
    world.run((EXEC, SELL, 10002, 3, 11))
    assert world.fills == ([] if trigger == TriggerSource.LAST else [(order, 10003, 2, TAKER, BOOK, 0)])
    if trigger == TriggerSource.LAST:
        world.run((EXEC, SELL, 10003, 1, 13))
        assert world.fills == [(order, 10003, 2, TAKER, BOOK, 0)]
    assert world.book()[1][0][2] == (6 if trigger == TriggerSource.BID_ASK else 5)


@pytest.mark.parametrize(
    ("lots", "price", "tif", "status", "reason", "filled"),
    [
        (9, 10002, "FOK", "FILLED", 0, 9),
        (10, 10002, "FOK", "EXPIRED", Reason.FOK_UNFILLED, 0),
        (10, 10002, "IOC", "EXPIRED", Reason.IOC_REMAINDER, 9),
        (10, 10002, "GTC", "PARTIALLY_FILLED", 0, 9),
        (20, None, "GTC", "CANCELED", Reason.NO_LIQUIDITY, 17),
        (20, None, "IOC", "EXPIRED", Reason.IOC_REMAINDER, 17),
    ],
)
def test_what_an_order_cannot_take(world, lots, price, tif, status, reason, filled):
    order = world.submit(BUY, lots, price, tif)
    nothing(world)
    row = world.order(order)
    assert (world.status(order), row["reason"], row["filled_lots"]) == (status, reason, filled)


def test_post_only_is_rejected_where_a_recorded_order_would_trade(world):
    taker, maker = world.submit(BUY, 1, 10002, post_only=True), world.submit(BUY, 1, 10001, post_only=True)
    nothing(world)
    assert (world.status(taker), world.status(maker)) == ("REJECTED", "ACCEPTED")


def test_own_orders_do_not_trade_with_each_other(world):
    ask = world.submit(SELL, 2, 10001)
    nothing(world)
    bid = world.submit(BUY, 3, 10001)
    nothing(world)
    assert (world.status(ask), world.status(bid), world.fills) == ("ACCEPTED", "ACCEPTED", [])
    world.run((ADD, SELL, 10001, 1, 14), (ADD, BUY, 10001, 1, 4))
    assert [fill[:3] for fill in world.fills] == [(bid, 10001, 1), (ask, 10001, 1)]


def test_own_changes_and_cancels(world):
    order = world.submit(BUY, 4, 10000)
    nothing(world)
    world.run((ADD, BUY, 10000, 1, 4))
    world.modify(order, 10000, 2)
    nothing(world)
    assert world.book()[0][2:4] == [("own 1", 10000, 2), (4, 10000, 1)]
    world.modify(order, 10000, 3)
    nothing(world)
    assert world.book()[0][2:4] == [(4, 10000, 1), ("own 1", 10000, 3)]
    assert world.order(order)["front"] == 13
    world.cancel(order)
    nothing(world)
    assert world.book()[0][2:] == [(4, 10000, 1), (3, 9999, 4)]
    assert world.status(order) == "CANCELED"


def test_nothing_fills_in_a_gap_and_a_snapshot_ends_it(world):
    resting = world.submit(SELL, 2, 10002)
    nothing(world)
    world.run((GAP,), (EXEC, SELL, 10002, 3, 11))
    waiting, ioc = world.submit(BUY, 3, 10004), world.submit(BUY, 3, 10004, "IOC")
    nothing(world)
    assert world.fills == []
    assert (world.status(waiting), world.status(ioc)) == ("ACCEPTED", "CANCELED")
    world.run(
        (ADD, BUY, 10001, 5, 1, BEGIN_SNAPSHOT), (ADD, SELL, 10002, 1, 21, EventFlag(0)),
        (ADD, SELL, 10004, 9, 22, END | END_SNAPSHOT),
    )  # fmt: skip
    assert world.fills == [(waiting, 10002, 1, TAKER, BOOK, 0), (waiting, 10004, 2, TAKER, BOOK, 0)]
    assert world.book() == [[(1, 10001, 5)], [(f"own {resting}", 10002, 2), (22, 10004, 7)]]
    assert world.venue["broken"] == 0


def test_after_a_snapshot_own_orders_stand_behind_what_it_shows(world):
    world.submit(SELL, 2, 10002)
    nothing(world)
    world.run((ADD, SELL, 10002, 1, 21, BEGIN_SNAPSHOT), (ADD, BUY, 10000, 1, 22, END | END_SNAPSHOT))
    assert world.book()[1] == [(21, 10002, 1), ("own 1", 10002, 2)]


def test_a_snapshot_that_crosses_own_orders_fills_them(world):
    order = world.submit(SELL, 2, 10002)
    nothing(world)
    world.run((GAP,), (ADD, BUY, 10003, 5, 21, BEGIN_SNAPSHOT), (ADD, SELL, 10005, 1, 22, END | END_SNAPSHOT))
    assert world.fills == [(order, 10002, 2, MAKER, THROUGH, 0)]
    assert world.book()[0] == [(21, 10003, 3)]


def test_clear_empties_the_book_but_for_own_orders(world):
    world.submit(SELL, 2, 10002)
    nothing(world)
    world.run((GAP,), (CLEAR,))
    assert world.book() == [[], [("own 1", 10002, 2)]]
    assert world.venue["broken"] == 0
    world.run((ADD, SELL, 10002, 1, 11), (EXEC, SELL, 10002, 1, 11))
    assert len(world.fills) == 1


def test_a_reduce_only_order_waits_for_its_position(world):
    entry = world.submit(BUY, 3, 10000)
    nothing(world)
    world.submit(SELL, 5, 10001, reduce_only=True)
    nothing(world)
    world.run((ADD, BUY, 10001, 1, 4))  # nothing to reduce yet
    assert world.fills == []
    world.run((CANCEL, BUY, 10001, 0, 4), (EXEC, BUY, 10000, 5, 1), (EXEC, BUY, 10000, 7, 2), (ADD, BUY, 10000, 1, 5))
    assert world.fills == []
    world.run((CANCEL, BUY, 10000, 0, 5), (ADD, BUY, 10000, 3, 6), (EXEC, BUY, 10000, 3, 6))
    assert [fill[0] for fill in world.fills] == [entry]
    world.run((ADD, BUY, 10001, 9, 7))
    assert world.fills[-1][2] == 3
    assert world.state.positions[0]["lots"] == 0
    assert world.book()[1][0] == (11, 10002, 3)


def test_prices_far_from_the_window_keep_their_orders():
    world = L3World(window=1 << 6)
    world.run((ADD, SELL, 900_000, 1, 1), (ADD, SELL, 10002, 2, 2), (ADD, BUY, 5, 3, 3), (ADD, BUY, 10000, 4, 4))
    order = world.submit(BUY, 2, 10)
    nothing(world)
    world.run((CANCEL, SELL, 10002, 0, 2), (CANCEL, BUY, 10000, 0, 4))
    assert world.book() == [[(f"own {order}", 10, 2), (3, 5, 3)], [(1, 900_000, 1)]]
    assert (world.venue["bid"], world.venue["ask"]) == (5, 900_000)
    world.run((EXEC, BUY, 5, 3, 3))
    assert world.fills == [(order, 10, 2, MAKER, THROUGH, 0)]


def test_a_full_book_stops_the_run():
    world = L3World(l3_orders=2)
    world.run((ADD, BUY, 10000, 1, 1), (ADD, BUY, 10000, 1, 2))
    assert world.event(ADD, BUY, 10000, 1, 3) == FoldCode.CAPACITY
    assert world.state.engine[0]["fault_reason"] == Reason.BOOK_ORDERS_FULL


def test_order_messages_need_an_order_by_order_book(world):
    world.state.markets[0]["level"] = 3
    assert world.event(ADD, BUY, 10000, 1, 9) == FoldCode.BAD_EVENT


def test_sizes_are_checked():
    for window, orders, own in ((100, 10, 10), (1 << 19, 10, 10), (1 << 12, 0, 10), (1 << 12, 10, -1)):
        with pytest.raises(ConfigError):
            size_of_l3(window, orders, own)
    with pytest.raises(ConfigError, match="one piece"):
        init_l3(np.zeros(8, np.uint8), 1 << 12, 10, 10)
    assert len(new_l3(1 << 12, 10, 10)) == size_of_l3(1 << 12, 10, 10)


READER = """
from tradectl.strategy import Int64, strategy


@strategy
class Reader:
    class State:
        n = Int64()
        order = Int64()

    def on_depth(ctx, p, s):
        s.n += 1
        if s.n == 6:
            s.order = ctx.buy(qty=0.004, limit=ctx.bid)
        elif s.n == 8:
            ctx.sell(qty=ctx.queue_ahead(s.order), limit=ctx.level_price(-1, 1))
            ctx.sell(qty=ctx.level_qty(-1, 1), limit=ctx.level_price(-1, 0))
            ctx.sell(qty=ctx.depth_qty(1, 2), limit=ctx.level_price(-1, 0))
"""


@pytest.mark.parametrize("jit", [False, True])
def test_a_strategy_reads_depth_and_its_place(tmp_path, jit):
    path = tmp_path / "reader.py"
    path.write_text(READER, encoding="utf-8")
    loaded = load_strategy(path, {}, n_instruments=1, jit=jit)
    hooks = compile_hooks(loaded, jit)
    spec = StrategySpec(
        "reader", loaded.params_bytes(), loaded.state_bytes(), {int(k): a for k, a in hooks.addresses.items()}
    )
    world = L3World(strategy=spec)
    world.run(
        (ADD, BUY, 10000, 5, 1), (ADD, BUY, 10000, 7, 2), (ADD, BUY, 9999, 4, 3), (ADD, SELL, 10002, 3, 11),
        (ADD, SELL, 10002, 6, 12), (ADD, SELL, 10003, 8, 13), (CANCEL, BUY, 10000, 2, 2), (ADD, SELL, 10005, 1, 14),
    )  # fmt: skip
    nothing(world)
    assert [(o[0], o[1], o[2]) for o in world.book()[1]] == [
        (11, 10002, 3), (12, 10002, 6), ("own 3", 10002, 8), ("own 4", 10002, 14), (13, 10003, 8), ("own 2", 10003, 10),
        (14, 10005, 1),
    ]  # fmt: skip


def test_the_fold_is_the_same_in_one_slice_and_restored():
    rows = [
        (ADD, BUY, 10000, 5, 1), (ADD, SELL, 10002, 3, 2), (MODIFY, BUY, 9999, 9, 1), (EXEC, SELL, 10002, 1, 2),
        (GAP, 0, 0, 0, 0), (ADD, BUY, 9990, 5, 7, BEGIN_SNAPSHOT), (ADD, SELL, 9995, 5, 8, END | END_SNAPSHOT),
    ]  # fmt: skip
    whole, steps = L3World(), L3World()
    events = np.concatenate([steps.make(*row) for row in rows])
    whole.state.fold(events)
    for k in range(len(events)):
        kept = steps.state.snapshot()
        steps.state.fold(events[k : k + 1])
        steps.state.restore(kept)
        steps.state.fold(events[k : k + 1])
    assert whole.state.hash() == steps.state.hash()
