"""What the shipped strategies on book data do: quotes, entries and exits, grids, slices."""

from __future__ import annotations

import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.unit.strategy.book_desk import MS, SECOND, Desk, module
from tradectl.core.codes import LiquiditySide, OrderType
from tradectl.core.jit import DISABLE_JIT
from tradectl.errors import StrategyError
from tradectl.strategy.loader import load_strategy

BIDS, ASKS = {1000: 50, 999: 50, 998: 50, 990: 50}, {1002: 50, 1003: 50, 1004: 50, 1010: 50}
FIXED = {"intensity": "fixed", "arrivals": 1.0, "kappa": 0.5, "warmup": 0.0, "interval": 0.1, "qty": 2.0}


# --- market maker


def maker(**changes: Any) -> SimpleNamespace:
    values = {"model": 1, "gamma": 0.05, "intensity": 0, "arrivals": 2.0, "kappa": 0.4, "horizon": 10.0}
    return SimpleNamespace(**(values | {"depth_step": 1} | changes))


def test_the_closed_form_is_that_of_the_paper() -> None:
    distances = module("market_maker").distances
    p, s = maker(), SimpleNamespace(moved=18.0, seen=2.0)  # sigma = 3 ticks a root second
    for q in (-3, 0, 2):
        g, k, a, sigma = 0.05, 0.4, 2.0, 3.0
        root = math.sqrt(sigma**2 * g / (2 * k * a) * (1 + g / k) ** (1 + k / g))
        bid, ask = math.log(1 + g / k) / g + (2 * q + 1) / 2 * root, math.log(1 + g / k) / g - (2 * q - 1) / 2 * root
        assert distances(p, s, float(q)) == pytest.approx((bid, ask), rel=1e-12)


def test_the_reservation_price_leans_against_the_inventory() -> None:
    distances = module("market_maker").distances
    p, s = maker(model=0), SimpleNamespace(moved=18.0, seen=2.0)
    bid, ask = distances(p, s, 0.0)
    spread = 0.05 * 9.0 * 10.0 + 2 / 0.05 * math.log(1 + 0.05 / 0.4)
    assert bid == pytest.approx(ask)
    assert bid + ask == pytest.approx(spread)
    long_bid, long_ask = distances(p, s, 2.0)
    assert long_bid + long_ask == pytest.approx(spread)
    assert (long_ask - long_bid) / 2 == pytest.approx(-2.0 * 0.05 * 9.0 * 10.0 + 0.0)


def test_the_arrivals_are_measured() -> None:
    """Counts that fall by exp(-k d) give back A and k; too few depths give the parameters."""
    fitted = module("market_maker").fitted
    a, k, seen = 3.0, 0.25, 1_000.0
    above = [2 * seen * a * math.exp(-k * 0.5 * (j + 1)) for j in range(65)]
    s = SimpleNamespace(reached=[above[j] - above[j + 1] for j in range(64)], seen=seen)
    s.reached[63] = above[63]
    assert fitted(maker(), s) == pytest.approx((a, k), rel=1e-9)
    s.reached = [5.0, 3.0] + [0.0] * 62
    assert fitted(maker(), s) == (2.0, 0.4)


def quoting(latency_ns: int = 0, **params: Any) -> Desk:
    desk = Desk("market_maker", latency_ns, **(FIXED | params))
    desk.book(BIDS, ASKS)
    desk.wait(300 * MS)
    desk.wait(100 * MS)
    return desk


def test_it_quotes_both_sides_without_taking() -> None:
    desk = quoting()
    (bid,), (ask,) = desk.orders(1), desk.orders(-1)
    assert bid[0] < 1002
    assert ask[0] > 1000
    assert bid[1] == ask[1] == 2
    assert bid[0] + ask[0] == pytest.approx(2002, abs=1)
    assert not desk.fills


def test_what_it_holds_moves_both_quotes_down() -> None:
    desk = quoting(gamma=0.5, memory=5.0)
    for mid in (1003, 1001, 1003, 1001):  # something to measure, back to where it was
        desk.book({mid - 1: 50, mid - 5: 50}, {mid + 1: 50, mid + 5: 50})
        desk.wait(100 * MS)
    before = desk.orders(1)[0][0], desk.orders(-1)[0][0]
    desk.trade(-1, before[0] - 1, 1)  # prints through the bid
    desk.wait(100 * MS)
    assert desk.position == 2
    assert desk.fills[-1]["liquidity_side"] == LiquiditySide.MAKER
    after = desk.orders(1)[0][0], desk.orders(-1)[0][0]
    assert after[0] < before[0]
    assert after[1] < before[1]


def test_an_order_keeps_its_place_until_the_target_has_moved() -> None:
    desk = quoting(requote_ticks=3, front_ticks=0)
    (bid,) = desk.orders(1)
    desk.book({1001: 50, 990: 50}, {1003: 50, 1010: 50})  # one tick up
    desk.wait(200 * MS)
    assert desk.orders(1) == [bid]
    desk.book({1006: 50, 990: 50}, {1008: 50, 1020: 50})
    desk.wait(200 * MS)
    (moved,) = desk.orders(1)
    assert moved[2] == bid[2]  # modified, not sent anew
    assert moved[0] >= bid[0] + 4


def test_a_place_in_front_is_worth_some_ticks() -> None:
    """The same move of the touch is followed from far back in the queue, not from the front of it."""
    kept = []
    for front in (0.0, 100.0):
        desk = quoting(requote_ticks=2, front_ticks=5, front=front, kappa=100.0, gamma=1e-6, min_spread=2)
        (bid,) = desk.orders(1)
        assert bid[0] == 1000  # behind fifty lots
        desk.book({1003: 50, 1000: 50}, {1005: 50, 1010: 50})
        desk.wait(200 * MS)
        kept.append(desk.orders(1)[0] == bid)
    assert kept == [False, True]


def test_the_inventory_is_limited() -> None:
    desk = quoting(max_inventory=1)
    desk.trade(-1, desk.orders(1)[0][0] - 1, 1)
    desk.wait(300 * MS)
    assert desk.position == 2
    assert desk.orders(1) == []
    assert desk.orders(-1)


def test_one_change_at_a_time_is_in_flight() -> None:
    desk = quoting(latency_ns=250 * MS)
    desk.wait(SECOND)
    for k in range(20):
        desk.book({1000 + 5 * k: 50, 900: 50}, {1002 + 5 * k: 50, 1200: 50})
        desk.wait(100 * MS)
    assert len(desk.orders(1)) <= 1
    assert len(desk.orders(-1)) <= 1
    assert not [o for o in desk.ended if 0 < o["reason"] < 300]  # nothing denied: no REQUEST_PENDING either


def test_a_broken_or_empty_book_ends_the_quotes() -> None:
    desk = quoting()
    desk.book({1000: 50}, {1002: 50})
    desk.level(-1, 1002, 0)
    desk.wait(200 * MS)
    assert desk.orders(1) == desk.orders(-1) == []


# --- imbalance taker

TAKER = {"levels": 2, "smooth": 1.0, "pause": 0.0, "qty": 5.0}


def test_the_imbalance_weighs_levels() -> None:
    imbalance = module("imbalance_taker").imbalance
    sizes = {1: 30.0 + 0.5 * 20.0, -1: 10.0 + 0.5 * 10.0}
    ctx = SimpleNamespace(depth_qty=lambda side, _levels, _decay: sizes[side])
    assert imbalance(ctx, SimpleNamespace(levels=2, decay=0.5)) == pytest.approx(25 / 55)


def test_it_takes_where_the_book_leans_and_leaves_where_it_leans_back() -> None:
    desk = Desk("imbalance_taker", **TAKER)
    desk.book({1000: 90, 999: 90}, {1001: 5, 1002: 5})
    desk.wait(0)  # what was sent arrives before the next event
    assert desk.position == 5
    assert desk.fills[0]["price_ticks"] == 1001
    desk.book({1000: 90, 999: 90}, {1001: 8, 1002: 5})
    desk.wait(0)
    assert desk.position == 5
    desk.book({1000: 10, 999: 10}, {1001: 90, 1002: 90})
    desk.wait(0)
    assert desk.position == 0
    assert desk.fills[1]["price_ticks"] == 1000
    assert [f["tag"] for f in desk.fills] == [1, 2]


@pytest.mark.parametrize(("bid", "params"), [(1010, {"take_profit": 8}), (990, {"stop_loss": 6})])
def test_it_leaves_at_a_gain_and_at_a_loss(bid: int, params: dict[str, int]) -> None:
    desk = Desk("imbalance_taker", **(TAKER | params))
    desk.book({1000: 90, 999: 90}, {1001: 5, 1002: 5})
    desk.wait(0)
    desk.book({bid: 90, bid - 1: 90}, {bid + 1: 5, bid + 2: 5})  # it leans on as before
    desk.wait(0)
    assert desk.fills[1]["tag"] == 2
    assert desk.fills[1]["price_ticks"] == bid


def test_it_leaves_after_its_time_though_the_book_stands_still() -> None:
    desk = Desk("imbalance_taker", **(TAKER | {"hold": 2.0, "pause": 100.0}))
    desk.book({1000: 90, 999: 90}, {1001: 5, 1002: 5})
    desk.wait(0)
    desk.now += 3 * SECOND
    desk.trade(1, 1001, 1)  # no depth
    assert desk.position == 0
    assert desk.fills[1]["ts_event"] < desk.now


@pytest.mark.parametrize(
    ("params", "asks"), [({"max_spread": 1}, {1002: 5}), ({"sides": "short"}, {1001: 5}), ({"enter": 0.99}, {1001: 5})]
)
def test_what_keeps_it_out(params: dict[str, Any], asks: dict[int, int]) -> None:
    desk = Desk("imbalance_taker", **(TAKER | params))
    desk.book({1000: 90, 999: 90}, asks)
    desk.wait(0)
    assert desk.position == 0
    assert not desk.ended


# --- grid


def grid(**params: Any) -> Desk:
    desk = Desk("book_grid", **({"lines": 3, "step": 5, "qty": 4.0, "look": 0.5, "pause": 2.0} | params))
    desk.book({1000: 50, 900: 50}, {1002: 50, 1100: 50})
    desk.wait(600 * MS)
    return desk


def test_bids_below_and_asks_above() -> None:
    desk = grid()
    assert [o[:2] for o in desk.orders(1)] == [(996, 4), (991, 4), (986, 4)]
    assert [o[:2] for o in desk.orders(-1)] == [(1016, 4), (1011, 4), (1006, 4)]


def test_a_fill_is_answered_one_line_on() -> None:
    desk = grid()
    desk.trade(-1, 995, 1)
    assert desk.position == 4
    assert [o[0] for o in desk.orders(1)] == [991, 986]
    assert [o[0] for o in desk.orders(-1)] == [1016, 1011, 1006, 1001]
    desk.trade(1, 1002, 1)  # through 1001
    assert desk.position == 0
    assert [o[0] for o in desk.orders(1)] == [996, 991, 986]
    gain = sum(-f["side"] * f["price_ticks"] * f["qty_lots"] for f in desk.fills)
    assert gain == 5 * 4  # a step for each lot


def test_a_market_that_leaves_ends_the_grid_and_gets_a_new_one() -> None:
    desk = grid()
    desk.trade(-1, 990, 1)
    desk.book({970: 50, 900: 50}, {972: 50, 1100: 50})
    desk.wait(600 * MS)
    assert desk.position == 0
    assert desk.orders(1) == desk.orders(-1) == []
    desk.wait(3 * SECOND)
    assert [o[0] for o in desk.orders(1)] == [966, 961, 956]


# --- TWAP and VWAP

PARENT = {"side": "buy", "qty": 103.0, "delay": 1.0, "duration": 10.0, "slices": 10}


def executed(name: str, steps: int = 140, lots: int = 40, latency_ns: int = 0, **params: Any) -> Desk:
    """Run a parent order over 14 seconds of a book that trades at both sides, 100 ms a step."""
    desk = Desk(name, latency_ns, **(PARENT | params))
    desk.begin = desk.now + SECOND  # type: ignore[attr-defined]
    for k in range(steps):
        drift = k // 20
        desk.book({1000 + drift: 500, 999 + drift: 500}, {1002 + drift: 500, 1003 + drift: 500})
        if lots:
            desk.trade(1 if k % 2 else -1, 1002 + drift if k % 2 else 1000 + drift, lots)
        desk.now += 98 * MS
    return desk


def done_by(desk: Desk, seconds: float) -> int:
    return sum(int(f["qty_lots"]) for f in desk.fills if f["ts_event"] <= desk.begin + seconds * SECOND)  # type: ignore[attr-defined]


@pytest.mark.parametrize("side", ["buy", "sell"])
@pytest.mark.parametrize("latency_ns", [0, 30 * MS])
def test_the_slices_add_up_to_the_parent(side: str, latency_ns: int) -> None:
    desk = executed("twap", side=side, latency_ns=latency_ns)
    assert desk.position == (103 if side == "buy" else -103)
    assert sum(f["qty_lots"] for f in desk.fills) == 103
    for k in range(10):
        assert done_by(desk, k + 1) <= 103 * (k + 1) // 10  # never ahead of the schedule
        assert done_by(desk, k + 1 + 0.1) >= 103 * (k + 1) // 10 - 11  # and no slice late
    assert desk.orders(1) == desk.orders(-1) == []


@pytest.mark.parametrize("latency_ns", [150 * MS, 400 * MS, 900 * MS])
@pytest.mark.parametrize("patience", [0.5, 0.95, 1.0])
@pytest.mark.parametrize("name", ["twap", "vwap"])
def test_slow_reports_leave_nothing_undone(name: str, patience: float, latency_ns: int) -> None:
    """An order on its way when its slice ends, or the parent, is neither forgotten nor doubled."""
    desk = executed(name, steps=180, latency_ns=latency_ns, patience=patience, lots=3)
    assert desk.position == 103
    assert desk.orders(1) == []


def test_what_is_not_finished_is_withdrawn() -> None:
    desk = executed("twap", lots=0, patience=1.0, finish=False, offset=1)
    assert desk.position < 103
    assert desk.orders(1) == []


def test_patience_decides_between_waiting_and_taking() -> None:
    still = {"lots": 0, "offset": 1}
    takers = executed("twap", patience=0.5, **still)
    assert {int(f["tag"]) for f in takers.fills} == {2}
    assert takers.position == 103
    waits = executed("twap", patience=1.0, **still)
    assert {int(f["tag"]) for f in waits.fills if f["tag"] != 1} == {3}  # all at the end, at the market
    assert waits.position == 103
    assert executed("twap", patience=1.0, finish=False, **still).position < 103


def test_an_offset_beyond_the_spread_takes_at_once() -> None:
    desk = executed("twap", offset=-5)
    assert all(f["liquidity_side"] == LiquiditySide.TAKER for f in desk.fills)
    assert all(f["price_ticks"] == f["ask"] for f in desk.fills)  # no worse than what was seen
    assert done_by(desk, 0.2) == 10


def test_the_share_of_the_volume_is_capped() -> None:
    desk = executed("twap", max_share=0.02, finish=False, lots=50)
    traded = 0
    for k in range(1, 10):
        traded = 50 * 10 * k
        assert done_by(desk, k) <= 0.02 * traded
    assert 0 < desk.position <= 0.02 * 50 * 101
    assert executed("twap", max_share=0.02, lots=50).position == 103  # finished all the same
    kinds = {int(o["order_type"]) for o in executed("twap", max_share=0.02, lots=50).ended}
    assert OrderType.MARKET in kinds


def test_the_volume_seen_leads_the_schedule() -> None:
    part_seen = module("vwap").part_seen
    p = SimpleNamespace(duration=100.0, slices=10)
    s = SimpleNamespace(first=0, begin=50 * SECOND, total=500, traded=0, slice=0)
    ctx = SimpleNamespace(now=50 * SECOND)
    assert part_seen(ctx, p, s) == pytest.approx(0.1)  # nothing has traded yet: the rate is constant
    ctx.now, s.slice, s.traded, s.total = 100 * SECOND, 5, 800, 1_300
    busy = part_seen(ctx, p, s)
    assert busy == pytest.approx((800 + 130) / (800 + 650))
    s.traded, s.total = 200, 700
    assert part_seen(ctx, p, s) < busy
    ctx.now, s.slice = 140 * SECOND, 9
    assert part_seen(ctx, p, s) == pytest.approx(1.0)


def test_a_given_profile_is_followed() -> None:
    part_given = module("vwap").part_given
    p = SimpleNamespace(w1=4.0, w2=0.0, w3=0.0, w4=0.0, w5=2.0, w6=2.0, w7=0.0, w8=0.0)
    assert [part_given(p, t) for t in (0.0, 1 / 16, 1 / 8, 0.5, 5 / 8, 1.0)] == [0.0, 0.25, 0.5, 0.5, 0.75, 1.0]
    for k in range(1, 9):
        setattr(p, f"w{k}", 0.0)
    assert part_given(p, 0.3) == 0.3


@pytest.mark.parametrize("volume", ["seen", "given"])
def test_the_parts_add_up_to_the_parent(volume: str) -> None:
    front = {"w1": 5.0, "w2": 5.0} if volume == "given" else {}
    desk = executed("vwap", volume=volume, **front)
    assert desk.position == 103
    if volume == "given":
        assert done_by(desk, 3.2) >= 103 * 10 // 16 - 11
    else:
        assert abs(done_by(desk, 5.1) - 51) <= 11


# --- what ctx tells, and the lint


def test_the_price_of_an_order_is_the_last_one_asked_for() -> None:
    """A modify in flight already counts; after a refusal the order's own price is back."""
    desk = quoting(latency_ns=100 * MS)
    desk.wait(SECOND)
    (bid,) = desk.orders(1)
    desk.book({1020: 50, 900: 50}, {1022: 50, 1200: 50})
    desk.wait(150 * MS)  # the modify is on its way
    desk.wait(5 * SECOND)
    (moved,) = desk.orders(1)
    assert moved[2] == bid[2]
    assert moved[0] >= bid[0] + 15


SEES = """
import math
from tradectl.strategy import *

@strategy
class Sees:
    class State:
        order = Int64()
        digest = Float64()

    def on_depth(ctx, p, s):
        if ctx.order_side(s.order) != 0 or not math.isnan(ctx.order_price(s.order)) or ctx.order_ticks(s.order) != 0:
            s.digest = s.digest * 0.5 + ctx.order_side(s.order) * ctx.order_price(s.order)
            s.digest += 0.001 * ctx.order_ticks(s.order) + 1e-6 * ctx.queue_ahead(s.order)
        elif s.order == 0:
            s.order = ctx.submit(-1, OrderType.LIMIT, 2, ctx.ask_ticks + 1, flags=POST_ONLY)
        s.digest += ctx.depth_qty(1, 2) + ctx.depth_qty(-1, 3, 0.5) + ctx.level_qty(1, 1) + ctx.level_price(-1, 1)

    def on_quote(ctx, p, s):
        if ctx.is_live(s.order) and not ctx.is_in_flight(s.order):
            ctx.modify(s.order, limit=ctx.order_price(s.order) + ctx.tick_size)

    def on_trade(ctx, p, s):
        s.digest += ctx.trade_side * ctx.trade_price * ctx.trade_qty
        ctx.set_timer(ctx.now + 5)

    def on_timer(ctx, p, s):
        s.digest = s.digest * 0.75
"""


@pytest.mark.skipif(DISABLE_JIT, reason="nothing is compiled")
def test_what_ctx_tells_of_books_is_the_same_compiled_and_plain(tmp_path: Path) -> None:
    path = tmp_path / "sees.py"
    path.write_text(SEES)
    hashes = []
    for jit in (True, False):
        desk = Desk(path, latency_ns=3 * MS, jit=jit)
        for k in range(30):
            desk.book({1000 + k: 50, 999: 7, 990: 8}, {1002 + k: 50 + k, 1050: 5, 1060: 9})
            desk.trade(1 if k % 3 else -1, 1002 + k if k % 3 else 1000 + k, 60)
        assert len(desk.fills) > 0 or desk.orders(-1)
        hashes.append(desk.state.hash())
    assert hashes[0] == hashes[1]


def test_depth_weighs_levels(tmp_path: Path) -> None:
    path = tmp_path / "depth.py"
    head, digest = SEES.split("    def on_depth")[0], "    def on_depth(ctx, p, s):\n        s.digest = {}\n"
    for expression, expected in (("ctx.depth_qty(1, 2)", 57.0), ("ctx.depth_qty(1, 9, 0.5)", 50 + 3.5 + 2.0)):
        path.write_text(head + digest.format(expression))
        desk = Desk(path)
        desk.book({1000: 50, 999: 7, 990: 8}, {1002: 50})
        assert desk.memory["digest"] == expected


@pytest.mark.parametrize("name", ["bid", "ask", "bid_qty", "ask_qty", "mid", "trade_price", "trade_qty"])
def test_the_lint_knows_which_values_of_a_book_are_floats(name: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(SEES.replace("s.digest = s.digest * 0.75", f"s.order = ctx.{name}"))
    with pytest.raises(StrategyError, match="the value is a float"):
        load_strategy(str(path))


def test_the_strategy_of_the_guide_loads(tmp_path: Path) -> None:
    page = (Path(__file__).parents[3] / "docs" / "strategies.md").read_text(encoding="utf-8")
    source = next(part.partition("```")[0] for part in page.split("```python\n") if "class JoinTheBid" in part)
    path = tmp_path / "join.py"
    path.write_text(source)
    desk = Desk(path, qty=3.0)
    desk.book(BIDS, ASKS)
    desk.wait(300 * MS)
    desk.wait(0)
    assert [order[:2] for order in desk.orders(1)] == [(1000, 3)]
