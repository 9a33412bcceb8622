"""The price ladder against its oracle: every operation compiled and plain, its invariants checked throughout."""

from __future__ import annotations

import os

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from numba import types

from tests.oracle.ladder_oracle import OracleLadder
from tradectl.core import ladder as core_ladder
from tradectl.core import ladder_notes
from tradectl.core.jit import DISABLE_JIT, entry
from tradectl.core.ladder_check import validate_ladder
from tradectl.core.ladder_layout import (
    FAR_BATCH,
    FAR_LEVELS,
    LADDER,
    MAX_LADDER_TICKS,
    MAX_LEVEL_LOTS,
    MIN_WINDOW,
    NO_ASK,
    NO_BID,
    init_ladder,
    ladder_address,
    new_ladder,
    size_of,
)
from tradectl.errors import ConfigError, InvariantViolation

SET, CLEAR, ADD, REMOVE = range(4)
NONE = (NO_BID, NO_ASK)
i8 = types.int64
ROWS = types.Array(i8, 2, "C")
SCALE = 8 if DISABLE_JIT else 1
CASES = int(os.environ.get("TRADECTL_CASES", "40")) // SCALE


@entry(lambda: types.void(i8, ROWS, types.Array(i8, 1, "C")))
def run_ops(ladder, ops, results):
    """Apply ops (n, 4) i8: code, index or note, price, lots or order; write what each returns."""
    for i in range(ops.shape[0]):
        code, index, price, last = ops[i, 0], ops[i, 1], ops[i, 2], ops[i, 3]
        results[i] = 0
        if code == SET:
            results[i] = core_ladder.set_level(ladder, index, price, last)
        elif code == CLEAR:
            core_ladder.clear(ladder)
        elif code == ADD:
            results[i] = ladder_notes.add_note(ladder, index, price, last)
        else:
            ladder_notes.remove_note(ladder, index)


@entry(lambda: types.void(i8, i8, i8, types.Array(i8, 1, "C")))
def look(ladder, index, price, out):
    out[0] = core_ladder.best(ladder, index)
    out[1] = core_ladder.best_qty(ladder, index)
    out[2] = core_ladder.level_count(ladder, index)
    out[3] = core_ladder.next_price(ladder, index, price)
    out[4] = core_ladder.qty_at(ladder, index, price)
    note = ladder_notes.first_note(ladder, index, price)
    out[5] = ladder_notes.is_marked(ladder, index, price)
    count = 6
    while note >= 0:
        out[count] = ladder_notes.note_at(ladder, note).order
        note = ladder_notes.note_at(ladder, note).next
        count += 1
    out[count] = -9


@entry(lambda: i8(i8, i8, i8, i8))
def top_levels(ladder, index, n, out):
    return core_ladder.top(ladder, index, n, out)


def top_rows(address, index, n, plain=False):
    out = np.full((n + 1, 2), -7, np.int64)
    written = (top_levels.py_func if plain else top_levels)(address, index, n, out.ctypes.data)
    assert (out[written:] == -7).all()
    return [tuple(row) for row in out[:written].tolist()]


class Rows:
    """Rows whose items are Python integers, which do not wrap, as in plain kernels."""

    def __init__(self, rows):
        self.rows, self.shape = rows.tolist(), rows.shape

    def __getitem__(self, at):
        return self.rows[at[0]][at[1]]


def apply(address, ops, plain=DISABLE_JIT):
    """Run ops compiled or plain; return what each returned."""
    rows = np.array(ops, np.int64)
    results = np.zeros(len(rows), np.int64)
    if plain:
        run_ops.py_func(address, Rows(rows), results)
    else:
        run_ops(address, rows, results)
    return results.tolist()


class Twins:
    """A compiled ladder, a plain one and their oracle, kept in step."""

    def __init__(self, window=MIN_WINDOW, notes=12, plain=True):
        self.blobs = [new_ladder(window, notes) for _ in range(1 + plain)]
        self.at = [ladder_address(blob) for blob in self.blobs]
        self.header = self.blobs[0][: LADDER.itemsize].view(LADDER)
        self.oracle = OracleLadder(notes)
        self.window = window

    def do(self, *ops):
        """Apply rows (code, index or note, price, lots or order) to all; return what the last one returned."""
        results = apply(self.at[0], ops)
        if len(self.at) > 1:
            assert apply(self.at[1], ops, plain=True) == results
            assert (self.blobs[0] == self.blobs[1]).all()
        for (code, index, price, last), result in zip(ops, results, strict=True):
            if code == SET:
                assert result == self.oracle.set_level(index, price, last), (index, price, last)
            elif code == CLEAR:
                self.oracle.clear()
            elif code == REMOVE:
                self.oracle.remove_note(index)
            else:
                assert (result >= 0) == self.oracle.can_add()
                if result >= 0:
                    self.oracle.add_note(result, index, price, last)
        return results[-1]

    def check(self):
        bids, asks, chains = validate_ladder(self.blobs[0])
        assert bids == self.oracle.rows(0)
        assert asks == self.oracle.rows(1)
        assert chains == self.oracle.chains
        return bids, asks

    def check_looks(self, price, n=5):
        for index in (0, 1):
            rows, out = self.oracle.rows(index), np.zeros(80, np.int64)
            look(self.at[0], index, price, out)
            worse = self.oracle.worse(index, price)
            want = [*(rows[0] if rows else (NONE[index], 0)), len(rows)]
            chain = self.oracle.chains.get((index, price), [])
            want += [NONE[index] if worse is None else worse, self.oracle.levels[index].get(price, 0)]
            want += [bool(chain), *(self.oracle.notes[note][2] for note in chain), -9]
            assert out[: len(want)].tolist() == want
            for count in (0, 1, n, len(rows), len(rows) + 1):
                assert top_rows(self.at[0], index, count) == rows[:count]
            if len(self.at) > 1:
                plain = np.zeros(80, np.int64)
                look.py_func(self.at[1], index, price, plain)
                assert plain.tolist() == out.tolist()
                assert top_rows(self.at[1], index, n, True) == rows[:n]


PRICES = st.one_of(
    st.integers(-70, 70), st.integers(-200, 200), st.integers(-MIN_WINDOW, MIN_WINDOW),
    st.integers(-4, 4).map(lambda k: k * MIN_WINDOW + 1), st.integers(-(10**7), 10**7),
    st.sampled_from([-2048, -2049, 2047, 2048, 10**12, MAX_LADDER_TICKS, -MAX_LADDER_TICKS]),
)  # fmt: skip
LOTS = st.one_of(st.sampled_from([0, 0, 1, MAX_LEVEL_LOTS]), st.integers(0, 9))
SIDES = st.integers(0, 1)


class LadderMachine(RuleBasedStateMachine):
    """Any operations, at prices near, far and extreme, with notes at levels and where there is none."""

    @initialize(window=st.sampled_from([MIN_WINDOW, 2 * MIN_WINDOW]), notes=st.sampled_from([0, 3, 12]))
    def begin(self, window, notes):
        self.twins, self.last = Twins(window, notes), 0

    @rule(index=SIDES, price=PRICES, qty=LOTS)
    def set_level(self, index, price, qty):
        self.last = price
        self.twins.do((SET, index, price, qty))

    @precondition(lambda self: any(self.twins.oracle.levels))
    @rule(data=st.data(), qty=LOTS)
    def set_again(self, data, qty):
        index = data.draw(st.sampled_from([k for k in (0, 1) if self.twins.oracle.levels[k]]))
        self.last = data.draw(st.sampled_from(sorted(self.twins.oracle.levels[index])))
        self.twins.do((SET, index, self.last, qty))

    @rule()
    def clear(self):
        self.twins.do((CLEAR, 0, 0, 0))

    @rule(index=SIDES, price=PRICES, order=st.integers(-1, 9), here=st.booleans())
    def add_note(self, index, price, order, here):
        self.last = self.last if here else price
        self.twins.do((ADD, index, self.last, order))

    @precondition(lambda self: self.twins.oracle.notes)
    @rule(data=st.data())
    def remove_note(self, data):
        note = data.draw(st.sampled_from(sorted(self.twins.oracle.notes)))
        self.last = self.twins.oracle.notes[note][1]
        self.twins.do((REMOVE, note, 0, 0))

    @rule(price=PRICES)
    def look(self, price):
        self.twins.check_looks(price)

    @invariant()
    def holds(self):
        if hasattr(self, "twins"):
            self.twins.check()


TestAnyOperations = LadderMachine.TestCase
TestAnyOperations.settings = settings(max_examples=CASES, stateful_step_count=40, deadline=None)


def drive(twins, seed, steps, drift, spread, far):
    """Send seeded operations around a market that drifts and jumps; levels and notes on both sides."""
    rng = np.random.default_rng(seed)
    middle, ops = 0.0, []
    for step in range(steps):
        middle += rng.normal() * drift
        if rng.random() < 0.002:
            middle += rng.normal() * 50 * twins.window
        index = int(rng.integers(0, 2))
        away = int(rng.exponential(spread)) - spread // 6  # below 0: across the middle
        if rng.random() < far:
            away += int(rng.exponential(4 * twins.window))
        price, kind = int(middle) + (2 * index - 1) * away, rng.random()
        known = twins.oracle.levels[index]
        if kind < 0.35 and known and not ops:
            price = list(known)[int(rng.integers(0, len(known)))]
        if kind < 0.9:
            ops.append((SET, index, price, int(rng.integers(0, 4))))
        elif kind < 0.96 or not twins.oracle.notes or ops:
            ops.append((ADD, index, price, step))
        else:
            ops.append((REMOVE, int(rng.choice(list(twins.oracle.notes))), 0, 0))
        if rng.random() < 0.0003:
            ops.append((CLEAR, 0, 0, 0))
        if len(ops) >= rng.integers(1, 4):
            twins.do(*ops)
            ops = []
        if step % 50 == 0:
            twins.check()
            twins.check_looks(price, 20)
    return twins


@pytest.mark.parametrize(
    ("window", "drift", "spread", "far"),
    [
        (MIN_WINDOW, 2.0, 50, 0.1),
        (MIN_WINDOW, 100.0, 1500, 0.3),
        (1 << 14, 30.0, 50, 0.28),
        (1 << 17, 3e3, 9000, 0.1),
    ],
)
@pytest.mark.parametrize("seed", range(2))
def test_drifting_market(seed, window, drift, spread, far):
    twins = drive(Twins(window, 40), seed, 3000 // SCALE, drift, spread, far)
    twins.check()
    assert DISABLE_JIT or int(twins.header["recentres"][0]) > 0
    assert int(twins.header["dropped"][0]) == 0
    assert DISABLE_JIT or int(twins.header["levels"].sum()) > 100


def test_a_long_run():
    twins = drive(Twins(MIN_WINDOW, 60, plain=False), 7, 12_000 // SCALE**2, 20.0, 200, 0.1)
    twins.check()
    assert DISABLE_JIT or int(twins.header["recentres"][0]) > 0


def test_the_farthest_make_room_and_are_counted():
    twins = Twins(plain=not DISABLE_JIT)
    twins.do((SET, 0, 0, 1), (SET, 1, 1, 1))
    prices = [-10_000 - 7 * k for k in np.random.default_rng(1).permutation(FAR_LEVELS + 1).tolist()]
    twins.do(*((SET, 0, price, 2) for price in prices[:-1]))
    twins.check()
    apply(twins.at[0], [(SET, 0, prices[-1], 2)])
    kept = sorted(prices, reverse=True)[:-FAR_BATCH]
    bids, _, _ = validate_ladder(twins.blobs[0])
    assert bids == [(0, 1), *((price, 2) for price in kept)]
    assert int(twins.header["dropped"][0]) == FAR_BATCH
    assert int(twins.header["recentres"][0]) == 0


def test_levels_beyond_a_full_table_are_lost_and_no_others():
    twins = Twins(plain=False)
    rng = np.random.default_rng(3)
    prices = rng.integers(-(10**6), 10**6, 9000)
    rows = np.array([(SET, int(p > 0), p, 1 + k % 5) for k, p in enumerate(prices.tolist())])
    apply(twins.at[0], rows)
    bids, asks, _ = validate_ladder(twins.blobs[0])
    for _, index, price, qty in rows.tolist():
        twins.oracle.set_level(index, price, qty)
    want = twins.oracle.rows(0), twins.oracle.rows(1)
    for found, whole in zip((bids, asks), want, strict=True):
        assert FAR_LEVELS - FAR_BATCH <= len(found) < len(whole)
        assert set(found) <= set(whole)
        assert found[:500] == whole[:500]
    assert int(twins.header["dropped"][0]) >= len(want[0]) + len(want[1]) - len(bids) - len(asks)


def test_a_distant_level_does_not_carry_the_window_away():
    twins = Twins()
    twins.do(*((SET, 0, -k, 1) for k in range(1, 30)))
    for price in range(10**6, 0, -9973):  # a snapshot that lists its asks from the worst on
        twins.do((SET, 1, price, 1))
    twins.check()
    assert int(twins.header["recentres"][0]) <= 1


def test_bests_far_apart_and_out_of_the_window_take_it_along():
    twins = Twins()
    twins.do((SET, 0, 10**6, 1), (SET, 1, 10**6 + 5, 1))
    assert abs(int(twins.header["low"][0]) + MIN_WINDOW // 2 - 10**6) < 128
    twins.do((SET, 1, 10**9, 1), (SET, 1, 10**6 + 5, 0), (SET, 0, 10**8, 1))
    assert abs(int(twins.header["low"][0]) + MIN_WINDOW // 2 - 10**8) < 128
    twins.check()


def test_a_crossed_book_inside_a_message():
    twins = Twins()
    twins.do((SET, 0, 10, 5), (SET, 1, 11, 5), (SET, 0, 12, 3), (SET, 0, 11, 2))
    twins.check_looks(11)
    twins.do((SET, 1, 11, 0), (SET, 1, 13, 4))
    assert twins.check() == ([(12, 3), (11, 2), (10, 5)], [(13, 4)])


def test_notes_outlive_their_level_the_window_and_a_clear():
    twins = Twins()
    twins.do(
        (SET, 0, 5, 7), (SET, 1, 6, 7), (ADD, 0, 5, 1), (ADD, 0, 5, 2), (ADD, 1, 90_000, 3), (SET, 0, 5, 0)
    )
    assert twins.check()[0] == []
    twins.do((SET, 1, 6, 0), (SET, 0, 90_000, 1), (SET, 1, 90_000, 4))
    assert int(twins.header["recentres"][0]) == 1
    twins.check_looks(5)
    twins.check_looks(90_000)
    twins.do((ADD, 1, 90_000, 4), (ADD, 0, 5, 5), (CLEAR, 0, 0, 0), (SET, 0, 0, 1))
    twins.check_looks(5)
    twins.check_looks(90_000)
    twins.check()
    first = twins.oracle.chains[1, 90_000][0]
    twins.do((REMOVE, first, 0, 0), (REMOVE, twins.oracle.chains[0, 5][1], 0, 0))
    twins.check()


def test_a_copy_of_the_bytes_goes_on_alike():
    twins = drive(Twins(MIN_WINDOW, 20, plain=False), 5, 600 // SCALE, 60.0, 300, 0.2)
    other = new_ladder(MIN_WINDOW, 20)
    other[:] = twins.blobs[0]
    ops = [(SET, 0, 5, 1), (SET, 1, -(10**6), 3), (ADD, 0, 77, 4), (CLEAR, 0, 0, 0), (SET, 0, 10**6, 2)]
    assert apply(twins.at[0], ops) == apply(ladder_address(other), ops)
    assert (other == twins.blobs[0]).all()


def test_ladders_in_one_array_keep_to_their_bytes():
    size = size_of(MIN_WINDOW, 8)
    assert size % 64 == 0
    whole = np.full(2 * size + 128, 0xA5, np.uint8)
    start = -whole.ctypes.data % 64
    for k in (0, 1):
        init_ladder(whole[start + k * size : start + (k + 1) * size], MIN_WINDOW, 8)
    rows = np.array([(SET, k % 2, (k * 7919) % 30_000 - 15_000, k % 3) for k in range(4000)])
    apply(ladder_address(whole[start:]), rows)
    assert len(validate_ladder(whole[start : start + size])[0]) > 500
    empty = whole[start + size : start + 2 * size]
    assert (empty == new_ladder(MIN_WINDOW, 8)).all()
    assert (whole[:start] == 0xA5).all()
    assert (whole[start + 2 * size :] == 0xA5).all()


@pytest.mark.parametrize(
    "fault", [("low", -2047), ("best", (5, 9)), ("levels", (1, 2)), ("note_count", 0), ("fresh_note", 3)]
)
def test_validate_names_a_damaged_ladder(fault):
    twins = Twins(plain=False)
    twins.do((SET, 0, 4, 5), (SET, 1, 9, 5), (ADD, 0, 4, 1))
    twins.header[fault[0]] = fault[1]
    with pytest.raises(InvariantViolation, match="ladder: "):
        validate_ladder(twins.blobs[0])


@pytest.mark.parametrize("args", [(1 << 11, 1), (1 << 18, 1), (5000, 1), (1 << 12, -1), (1 << 12, 1 << 21)])
def test_sizes_are_checked(args):
    with pytest.raises(ConfigError, match="a ladder"):
        new_ladder(*args)


def test_a_ladder_wants_its_exact_bytes():
    with pytest.raises(ConfigError, match="bytes"):
        init_ladder(np.zeros(100, np.uint8))
