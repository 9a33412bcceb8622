"""The order-by-order book against its oracle, its invariants checked after every operation."""

from __future__ import annotations

import collections
import os

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import types

from tests.oracle.book_oracle import OracleBook, fnv
from tradectl.core import book as core_book
from tradectl.core.bits import FNV_OFFSET
from tradectl.core.book_check import validate_book
from tradectl.core.book_layout import (
    BOOK,
    BOOK_TRADE,
    MAX_PRICE_TICKS,
    MAX_QTY_LOTS,
    book_address,
    new_book,
    state_bytes,
)
from tradectl.core.book_replay import FLOW, digest_book, replay_flow, time_flow
from tradectl.core.codes import OrderFlag, Reason, TimeInForce
from tradectl.core.jit import DISABLE_JIT, entry
from tradectl.errors import ConfigError, InvariantViolation

ADD, CANCEL, MARKET, MODIFY = range(4)
TIFS = {"GTC": TimeInForce.GTC, "IOC": TimeInForce.IOC, "FOK": TimeInForce.FOK}
POST_ONLY = int(OrderFlag.POST_ONLY)
i8 = types.int64
SCALE = 8 if DISABLE_JIT else 1
CASES = int(os.environ.get("TRADECTL_CASES", "120")) // SCALE


@entry(lambda: i8(i8, i8, i8, i8, i8, i8, i8, i8))
def run_op(book, op, order_id, side, price, qty, tif, flags):
    if op == 0:
        return core_book.book_submit(book, order_id, side, price, qty, tif, flags)
    if op == 1:
        return core_book.book_cancel(book, order_id)
    if op == 2:
        return core_book.book_market(book, order_id, side, qty)
    return core_book.book_modify(book, order_id, price, qty)


@entry(lambda: types.UniTuple(i8, 3)(i8, i8))
def look(book, order_id):
    resting = core_book.book_resting_lots(book, order_id)
    return core_book.book_best_bid(book), core_book.book_best_ask(book), resting


def reason_name(code):
    return "DUPLICATE_ORDER_ID" if code == core_book.DUPLICATE_ORDER_ID else Reason(code).name


class Pair:
    """A kernel book and its oracle, kept in step."""

    def __init__(self, slots=200, ids=5000, centre=0, window=64):
        self.blob = new_book(slots, ids, centre, window)
        self.book = book_address(self.blob)
        self.header = self.blob[: BOOK.itemsize].view(BOOK)
        self.oracle = OracleBook(slots)
        self.seen = collections.Counter()

    def trades(self):
        start, n = int(self.header["trades"][0]), int(self.header["trade_count"][0])
        rows = self.blob[start : start + n * BOOK_TRADE.itemsize].view(BOOK_TRADE)
        return [tuple(int(v) for v in row) for row in rows]

    def do(self, op, order_id, side=1, price=0, qty=1, tif="GTC", post_only=False):
        code = run_op(self.book, op, order_id, side, price, qty, int(TIFS[tif]), POST_ONLY * post_only)
        name = "buy" if side > 0 else "sell"
        if op == ADD:
            want = self.oracle.submit(order_id, name, price, qty, tif, post_only)
        elif op == CANCEL:
            want = self.oracle.cancel(order_id)
        elif op == MARKET:
            want = self.oracle.submit(order_id, name, None, qty, "IOC")
        else:
            want = self.oracle.modify(order_id, price, qty)
        assert reason_name(code) == want
        assert self.trades() == self.oracle.trades
        assert self.header["leaves_lots"][0] == self.oracle.leaves
        bids, asks = validate_book(self.blob)
        assert bids == self.oracle.rows("buy")
        assert asks == self.oracle.rows("sell")
        best_bid, best_ask, resting = look(self.book, order_id)
        assert best_bid == (bids[0][1] if bids else core_book.NO_PRICE)
        assert best_ask == (asks[0][1] if asks else core_book.NO_PRICE)
        assert resting == next((q for i, _, q in bids + asks if i == order_id), 0)
        self.seen[(("add", "cancel", "market", "modify")[op], tif if op == ADD else "", want)] += 1
        self.seen["trades"] += len(self.oracle.trades)
        return want

    def digest(self):
        totals = np.zeros(6, np.int64)
        digest_book(self.book, totals)
        book_hash, live, live_qty, best_bid, best_ask, levels = (int(v) for v in totals)
        return {
            "book_hash": book_hash % 2**64, "live": live, "live_qty": live_qty, "levels": levels,
            "best_bid": None if best_bid == core_book.NO_PRICE else best_bid,
            "best_ask": None if best_ask == core_book.NO_PRICE else best_ask,
        }  # fmt: skip


NEAR = st.integers(-40, 40)
PRICES = st.one_of(
    NEAR, NEAR, st.integers(-200, 200), st.sampled_from([-31, -32, -33, 31, 32, 33, 10**6, -(10**6)]),
    st.sampled_from([MAX_PRICE_TICKS, -MAX_PRICE_TICKS]),
)  # fmt: skip
OPS = st.tuples(
    st.sampled_from([ADD] * 5 + [CANCEL, CANCEL, MARKET, MODIFY, MODIFY]), st.integers(0, 25),
    st.sampled_from([1, -1]), PRICES, st.one_of(st.integers(1, 9), st.integers(0, 60)),
    st.sampled_from(["GTC", "GTC", "GTC", "IOC", "FOK"]), st.sampled_from([False, False, False, True]),
)  # fmt: skip


@settings(max_examples=CASES, deadline=None)
@given(st.lists(OPS, max_size=60), st.sampled_from([3, 12, 100]), st.sampled_from([64, 128]))
def test_any_operations(ops, slots, window):
    pair = Pair(slots, 26, 0, window)
    for op in ops:
        pair.do(*op)
    assert pair.digest() == pair.oracle.digest()


def drive(pair, seed, steps, drift, spread):
    """Send seeded operations around a market that drifts; stub quotes and far prices among them."""
    rng = np.random.default_rng(seed)
    middle, next_id = 0.0, 0
    for _ in range(steps):
        middle += rng.normal() * drift
        side = 1 if rng.random() < 0.5 else -1
        kind = rng.random()
        live = list(pair.oracle.by_id)
        if kind < 0.55 or not live:
            away = int(rng.exponential(spread)) - spread // 4
            price = int(middle) - side * away
            if rng.random() < 0.05:
                price += -side * int(rng.integers(1, 5)) * 10 ** int(rng.integers(2, 7))
            tif = ("GTC", "IOC", "FOK")[min(2, int(rng.exponential(0.6)))]
            price += side * spread * int(tif != "GTC")
            pair.do(ADD, next_id, side, price, int(rng.integers(1, 50)), tif, rng.random() < 0.1)
            next_id += 1
        elif kind < 0.75:
            pair.do(CANCEL, int(rng.choice(live)))
        elif kind < 0.83:
            pair.do(MARKET, next_id, side, 0, int(rng.exponential(150)) + 1)
            next_id += 1
        else:
            order = pair.oracle.by_id[int(rng.choice(live))]
            move = 0 if rng.random() < 0.6 else int(rng.integers(-spread, spread + 1))
            qty = max(1, order.qty + int(rng.integers(-20, 8)))
            pair.do(MODIFY, order.order_id, order.price + move, qty)
    return pair


@pytest.mark.parametrize(("window", "drift", "spread"), [(64, 0.5, 20), (64, 8.0, 60), (4096, 30.0, 400)])
@pytest.mark.parametrize("seed", range(4))
def test_drifting_market(seed, window, drift, spread):
    pair = drive(Pair(300, 4000, 5, window), seed, 1600 // SCALE, drift, spread)
    assert pair.digest() == pair.oracle.digest()
    assert pair.seen["trades"] > 100 // SCALE
    if not DISABLE_JIT:
        for tif in ("GTC", "IOC", "FOK"):
            assert pair.seen[("add", tif, "NONE")] > 0
        assert pair.seen[("add", "FOK", "FOK_UNFILLED")] > 0
        assert pair.seen[("modify", "", "NONE")] > 50
    assert int(pair.header["recentres"][0]) > 1


def test_full_window_of_three_bitmap_levels():
    pair = drive(Pair(300, 4000, 0, 1 << 18), 9, 120 // SCALE, 9000.0, 60000)
    assert pair.digest() == pair.oracle.digest()


def test_levels_at_both_ends_and_across_words():
    pair = Pair(100, 200, 0, 1 << 18)
    half = 1 << 17
    for n, price in enumerate([-half, -half + 63, -half + 64, -half + 4095, -half + 4096, -2, -1]):
        pair.do(ADD, n, 1, price, 2)
    for n, price in enumerate([0, 1, 4095, 4096, 70000, half - 1]):
        pair.do(ADD, 50 + n, -1, price, 3)
    assert int(pair.header["recentres"][0]) == 0
    for n in range(8):
        pair.do(MARKET, 100 + n, -1, 0, 2)
        pair.do(MARKET, 120 + n, 1, 0, 3)
    assert pair.header["live"][0] == 0


def test_far_orders_are_kept_and_matched_in_time_order():
    pair = Pair(50, 100, 0, 64)
    pair.do(ADD, 1, 1, -5, 10)
    pair.do(ADD, 2, -1, 5, 10)
    pair.do(ADD, 3, -1, 1_000_000, 4)
    pair.do(ADD, 4, -1, 1_000_000, 6)
    pair.do(ADD, 5, -1, 900_000, 1)
    pair.do(ADD, 6, 1, -1_000_000, 7)
    assert int(pair.header["recentres"][0]) == 0
    assert pair.do(ADD, 7, 1, 2_000_000, 100, "FOK") == "FOK_UNFILLED"
    assert pair.do(ADD, 8, 1, 2_000_000, 18, "FOK") == "NONE"
    assert pair.do(ADD, 9, -1, -2_000_000, 50) == "NONE"
    assert pair.digest()["best_ask"] == -2_000_000


@pytest.mark.parametrize("price", [5, 5000])
def test_fok_takes_all_or_nothing(price):
    pair = Pair()
    pair.do(ADD, 1, 1, -5, 1)
    pair.do(ADD, 2, -1, price, 4)
    pair.do(ADD, 3, -1, price + 1, 6)
    assert pair.do(ADD, 4, 1, price + 1, 11, "FOK") == "FOK_UNFILLED"
    assert pair.do(ADD, 5, 1, price, 5, "FOK") == "FOK_UNFILLED"
    assert pair.do(ADD, 6, 1, price, 4, "FOK") == "NONE"
    assert pair.do(ADD, 7, 1, price + 1, 6, "FOK") == "NONE"
    assert pair.do(ADD, 8, -1, -5, 1, "FOK") == "NONE"


def test_priority_of_modify():
    pair = Pair()
    for order_id in (1, 2, 3):
        pair.do(ADD, order_id, 1, 10, 5)
    pair.do(MODIFY, 1, price=10, qty=3)  # down: keeps its place
    pair.do(MODIFY, 2, price=10, qty=6)  # up: goes last
    pair.do(MARKET, 9, -1, 0, 14)
    assert [t[1] for t in pair.trades()] == [1, 3, 2]
    pair.do(ADD, 4, -1, 12, 5)
    pair.do(MODIFY, 4, price=11, qty=5)
    pair.do(ADD, 5, 1, 9, 5)
    pair.do(MODIFY, 5, price=11, qty=7)  # a modify may trade
    assert pair.trades() == [(5, 4, 11, 5)]


@pytest.mark.parametrize("side", [1, -1])
@pytest.mark.parametrize("away", [-1, 0, 1])
def test_post_only_at_the_best_price_would_take(side, away):
    pair = Pair(10, 100)
    pair.do(ADD, 1, -side, 10, 5)
    want = pair.do(ADD, 2, side, 10 - side * away, 5, post_only=True)
    assert want == ("NONE" if away > 0 else "POST_ONLY_WOULD_TAKE")


def test_refusals_change_nothing():
    pair = Pair(3, 10)
    pair.do(ADD, 1, 1, 10, 5)
    before = validate_book(pair.blob)
    for args, code in [
        ((ADD, 10, 1, 1, 1, 1, 0), core_book.ORDER_ID_OUT_OF_RANGE),
        ((ADD, -1, 1, 1, 1, 1, 0), core_book.ORDER_ID_OUT_OF_RANGE),
        ((ADD, 1, 1, 1, 1, 1, 0), core_book.DUPLICATE_ORDER_ID),
        ((ADD, 2, 0, 1, 1, 1, 0), Reason.UNKNOWN_SIDE),
        ((ADD, 2, 1, 1, 1, 0, 0), Reason.UNKNOWN_TIME_IN_FORCE),
        ((ADD, 2, 1, 1, 1, 4, 0), Reason.UNKNOWN_TIME_IN_FORCE),
        ((ADD, 2, 1, 1, 0, 1, 0), Reason.QTY_NOT_POSITIVE),
        ((ADD, 2, 1, 1, MAX_QTY_LOTS + 1, 1, 0), Reason.QTY_ABOVE_MAXIMUM),
        ((ADD, 2, 1, MAX_PRICE_TICKS + 1, 1, 1, 0), Reason.PRICE_ABOVE_MAXIMUM),
        ((ADD, 2, -1, -MAX_PRICE_TICKS - 1, 1, 1, 0), Reason.PRICE_ABOVE_MAXIMUM),
        ((CANCEL, 2, 1, 1, 1, 1, 0), Reason.UNKNOWN_ORDER),
        ((CANCEL, 11, 1, 1, 1, 1, 0), Reason.UNKNOWN_ORDER),
        ((CANCEL, -1, 1, 1, 1, 1, 0), Reason.UNKNOWN_ORDER),
        ((MARKET, 2, 2, 1, 1, 1, 0), Reason.UNKNOWN_SIDE),
        ((MARKET, 2, 1, 1, 0, 1, 0), Reason.QTY_NOT_POSITIVE),
        ((MARKET, 2, 1, 1, MAX_QTY_LOTS + 1, 1, 0), Reason.QTY_ABOVE_MAXIMUM),
        ((MODIFY, 1, 1, 10, -1, 1, 0), Reason.QTY_NOT_POSITIVE),
        ((MODIFY, 1, 1, 10, MAX_QTY_LOTS + 1, 1, 0), Reason.QTY_ABOVE_MAXIMUM),
        ((MODIFY, 1, 1, MAX_PRICE_TICKS + 1, 1, 1, 0), Reason.PRICE_ABOVE_MAXIMUM),
        ((MODIFY, 2, 1, 10, 1, 1, 0), Reason.UNKNOWN_ORDER),
        ((MODIFY, 99, 1, 10, 1, 1, 0), Reason.UNKNOWN_ORDER),
    ]:
        assert run_op(pair.book, *args) == code, args
        assert validate_book(pair.blob) == before


def test_a_copy_of_the_state_goes_on_alike():
    pair = drive(Pair(300, 4000, 5, 64), 3, 400 // SCALE, 3.0, 40)
    other = new_book(300, 4000, 5, 64)
    state_bytes(other)[:] = state_bytes(pair.blob)
    for op in [(ADD, 3900, 1, 7, 90, 1, 0), (MARKET, 3901, -1, 0, 200, 1, 0), (ADD, 3902, -1, 500, 4, 1, 0)]:
        assert run_op(pair.book, *op) == run_op(book_address(other), *op)
    assert (state_bytes(other) == state_bytes(pair.blob)).all()


def test_replay_equals_the_oracle():
    rng = np.random.default_rng(5)
    n = 3000 // SCALE
    flow = np.zeros(n, FLOW)
    oracle, trades, codes = OracleBook(), [], 0
    for i in range(n):
        op = int(rng.choice([ADD, ADD, ADD, CANCEL, MARKET, MODIFY]))
        order_id = i if op in (ADD, MARKET) else int(rng.integers(0, i + 1))
        row = (order_id, int(rng.integers(80, 121)), int(rng.integers(1, 20)), op, int(rng.integers(0, 2)), 0)
        flow[i] = row
        side = ("buy", "sell")[row[4]]
        if op == ADD:
            outcome = oracle.submit(order_id, side, row[1], row[2])
        elif op == CANCEL:
            outcome = oracle.cancel(order_id)
        elif op == MARKET:
            outcome = oracle.submit(order_id, side, None, row[2], "IOC")
        else:
            outcome = oracle.modify(order_id, row[1], row[2])
        codes += outcome != "NONE"
        trades.extend(oracle.trades)
    flow.flags.writeable = False
    pair = Pair(5000, n, 100, 64)
    totals = np.array([0, 0, FNV_OFFSET, 0])
    replay_flow(pair.book, flow, totals)
    assert totals.tolist()[:2] == [len(trades), sum(t[3] for t in trades)]
    assert int(totals[2]) % 2**64 == fnv(word for trade in trades for word in trade)
    assert totals[3] == codes
    validate_book(pair.blob)
    assert pair.digest() == oracle.digest()
    timed, ticks = Pair(5000, n, 100, 64), np.zeros(n, np.int64)
    time_flow(timed.book, flow, ticks)
    assert (state_bytes(timed.blob) == state_bytes(pair.blob)).all()
    assert (ticks > 0).mean() > 0.9


@pytest.mark.parametrize(
    "fault",
    [("live", 7), ("top", 0), ("best", (-1, 40)), ("best", (36, 36)), ("far_head", (1, 0)), ("fresh", 9)],
)
def test_validate_names_a_damaged_book(fault):
    pair = Pair()
    pair.do(ADD, 1, 1, 3, 5)
    pair.do(ADD, 2, -1, 5, 5)
    pair.header[fault[0]] = fault[1]
    with pytest.raises(InvariantViolation, match="book: "):
        validate_book(pair.blob)


@pytest.mark.parametrize(
    "args", [(0, 1), (1, 0), (1 << 23, 1), (1, 1, 0, 100), (1, 1, 0, 32), (1, 1, 0, 1 << 19), (1, 1, 1 << 61)]
)
def test_sizes_are_checked(args):
    with pytest.raises(ConfigError):
        new_book(*args)


