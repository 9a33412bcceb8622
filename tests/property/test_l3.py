"""Random order-by-order messages with own orders in between: the fold does what the oracle does."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.oracle.l3_oracle import L3Oracle, Own
from tests.unit.engine.l3_world import ADD, BEGIN_SNAPSHOT, CANCEL, END, END_SNAPSHOT, EXEC, MODIFY, L3World
from tradectl.core.codes import EventFlag, EventKind, FoldCode
from tradectl.core.jit import DISABLE_JIT
from tradectl.core.ladder_layout import NO_ASK, NO_BID

KINDS = {"ADD": ADD, "MODIFY": MODIFY, "CANCEL": CANCEL, "EXEC": EXEC, "GAP": EventKind.GAP, "CLEAR": EventKind.CLEAR}
SEEN: Counter[str] = Counter()


class Pair:
    """The fold and the oracle, given the same."""

    def __init__(self, seed, spread):
        self.world, self.oracle = L3World(window=1 << 6, l3_orders=512), L3Oracle()
        self.random = random.Random(seed)
        self.spread, self.middle = spread, 10_000
        self.next_key = 1
        self.sent: list[int] = []
        self.strayed = 0

    def price(self, side):
        self.middle += self.random.choice((-1, 0, 0, 0, 1))
        return self.middle - side * int(self.random.triangular(-2, self.spread, 0))

    def key(self):
        known = [e.key for e in self.oracle.entries if not e.own]
        if not known or self.random.random() < 0.05:
            return self.random.choice((-5, 2**62, self.next_key + 10**6))
        return self.random.choice(known)

    def market(self, *, snapshot=None):
        """Make and apply one message row."""
        kind = self.random.choices(list(KINDS), (40, 8, 20, 25, 1, 0.5))[0] if snapshot is None else "ADD"
        side, lots = self.random.choice((1, -1)), self.random.randint(1, 9)
        price, key = self.price(side), self.key()
        entry = self.oracle.find(key)
        if kind == "ADD" and (entry is None or self.random.random() < 0.95):
            self.next_key += 1
            key = self.next_key * (-1 if self.next_key % 3 == 0 else 2**40)
        elif kind == "EXEC":
            front = [e for e in self.oracle.queue(side) if not e.own]
            if front and self.random.random() < 0.8:
                entry = front[0]
                key = entry.key
            price, side = (price, side) if entry is None else (entry.price, entry.side)
            lots = self.random.choice((lots, lots if entry is None else max(entry.shown, 1)))
        elif kind == "CANCEL":
            lots = self.random.choice((0, lots))
        elif kind == "MODIFY" and entry is not None:
            price = self.random.choice((entry.price, price))
        flags, ends = END if self.random.random() < 0.7 else EventFlag(0), {}
        if snapshot is not None:
            flags = EventFlag(0)
            if "first" in snapshot:
                flags, ends = flags | BEGIN_SNAPSHOT, {"begins": True}
            if "last" in snapshot:
                flags, ends = flags | END_SNAPSHOT | END, {**ends, "ends": True}
        if kind in ("GAP", "CLEAR"):
            flags, side, price, lots, key = END, 0, 0, 0, 0
        assert self.world.event(KINDS[kind], side, price, lots, key, flags) == FoldCode.DONE
        self.oracle.message(kind, side, price, lots, key, last=bool(flags & END), **ends)
        SEEN[kind] += 1
        self.strayed += self.oracle.stray

    def snapshot(self):
        n = self.random.randint(1, 8)
        for k in range(n):
            self.market(snapshot=("first" if k == 0 else "", "last" if k == n - 1 else ""))

    def own(self):
        """Send one request: an order, a change, or a cancel."""
        live = [o for o in self.oracle.own.values() if o.status == "LIVE"]
        choice = self.random.random()
        if live and choice < 0.2:
            order = self.random.choice(live)
            self.world.cancel(order.key)
            self.oracle.pending.append(("cancel", order.key))
            SEEN["cancel"] += 1
        elif live and choice < 0.4:
            self.change(self.random.choice(live))
        elif len(live) < 30:
            self.enter()

    def change(self, order):
        if order.price is None:
            return
        price = self.random.choice((order.price, self.price(order.side)))
        lots = self.random.randint(order.filled + 1, order.filled + 12)
        self.world.modify(order.key, price, lots)
        self.oracle.pending.append(("modify", order.key, price, lots))
        SEEN["modify"] += 1

    def enter(self):
        side, lots = self.random.choice((1, -1)), self.random.randint(1, 20)
        tif = self.random.choices(("GTC", "IOC", "FOK"), (6, 1, 1))[0]
        price = None if self.random.random() < 0.1 else self.price(side)
        if not self.world.state.markets[0]["has_price"]:
            return
        post_only = price is not None and tif == "GTC" and self.random.random() < 0.2
        key = self.world.submit(side, lots, price, tif, post_only=post_only)
        self.oracle.pending.append(("submit", Own(key, side, lots, price, tif, post_only)))
        self.sent.append(key)
        SEEN[f"{'MARKET' if price is None else 'LIMIT'} {tif}"] += 1

    def compare(self):
        world, oracle = self.world, self.oracle
        assert world.fills == oracle.fills
        for side, rows in zip((1, -1), world.book(), strict=True):
            expected = [
                (f"own {e.key}", e.price, oracle.own[e.key].left) if e.own else (e.key, e.price, e.lots)
                for e in oracle.queue(side)
            ]
            assert rows == expected, side
        counted = [int(world.venue[name]) for name in ("n_unknown", "n_spent", "n_remainders", "strayed")]
        assert counted == [oracle.unknown, oracle.spent, oracle.remainders, oracle.stray]
        for (price, lots), name, none in zip(oracle.told, ("bid", "ask"), (NO_BID, NO_ASK), strict=True):
            told = (none if price is None else price, lots)
            assert (world.venue[name], world.venue[f"{name}_lots"]) == told, name

    def compare_orders(self):
        for key, order in self.oracle.own.items():
            status = self.world.status(key)
            if order.status == "LIVE":
                assert status in ("ACCEPTED", "PARTIALLY_FILLED", "PENDING_CANCEL", "PENDING_UPDATE"), (key, status)
            else:
                assert status == order.status, key
            if key in self.oracle.ahead_at_post:
                assert self.world.order(key)["front_post"] == self.oracle.ahead_at_post[key]


def play(seed, steps, spread):
    pair = Pair(seed, spread)
    for _ in range(steps):
        if pair.random.random() < 0.01:
            pair.snapshot()
        else:
            pair.market()
        pair.compare()
        if pair.random.random() < 0.3:
            pair.own()
    pair.market()
    pair.compare()
    pair.compare_orders()
    SEEN.update(f"fill {how}" for _, _, _, _, how, _ in pair.world.fills)
    SEEN["spent"] += pair.oracle.spent
    SEEN["unknown"] += pair.oracle.unknown
    SEEN["remainders"] += pair.oracle.remainders
    SEEN["strayed"] += pair.strayed


@settings(max_examples=10 if DISABLE_JIT else 15, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from((4, 12, 90)))
def test_random_messages_and_own_orders(seed, spread):
    play(seed, 60 if DISABLE_JIT else 150, spread)


@pytest.mark.proof
def test_many_random_messages_and_own_orders():
    for seed in range(400):
        play(seed, 400, (4, 12, 90)[seed % 3])
    wanted = {"LIMIT GTC", "LIMIT IOC", "LIMIT FOK", "MARKET GTC", "fill 5", "fill 6", "fill 7", "spent", "unknown"}
    wanted |= {"remainders", "strayed"}
    assert wanted <= {name for name, n in SEEN.items() if n > 0}
