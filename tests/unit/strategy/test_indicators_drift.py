"""Long, still and wild series: sums of a window are those of its values, however long and whatever came before."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.strategy.test_indicators import record_of
from tests.unit.strategy.world import bars_like_a_market
from tradectl.bench.indicators import bar_rows, drive_bars
from tradectl.core.jit import DISABLE_JIT
from tradectl.strategy import (
    Extremum,
    PairStats,
    Rolling,
    Wma,
    anchored_vwap,
    beta,
    highest,
    lowest,
    restart,
    rolling,
    rolling_variance,
    vwap,
    wma,
)
from tradectl.strategy.compile import compile_hooks
from tradectl.strategy.indicators import Vwap
from tradectl.strategy.indicators.window import Sum, add
from tradectl.strategy.loader import load_strategy

LONG = 1_000_000
VALUES = st.lists(
    st.one_of(st.integers(-1_000, 1_000).map(float), st.sampled_from([0.0, -0.0, 1e12, -1e12, 1e-9, 77.25])),
    min_size=1, max_size=60,
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(VALUES, st.integers(1, 12))
def test_windows_are_their_values(x: list[float], n: int) -> None:
    total, moments, weighted = record_of(Sum(n)), record_of(Rolling(n, 0)), record_of(Wma(n))
    top, low = record_of(Extremum(n)), record_of(Extremum(n))
    for t, value in enumerate(x):
        window = x[max(t - n + 1, 0) : t + 1]
        size = max(map(abs, window)) or 1.0
        assert add(total, n, value) == pytest.approx(math.fsum(window), rel=1e-12, abs=1e-12 * size * n)
        got = rolling(moments, value), highest(top, value), lowest(low, value), wma(weighted, value)
        if t < n - 1:
            assert all(math.isnan(one) for one in got)
            continue
        mean = math.fsum(window) / n
        # What stands in the window decides, and at most what stood in it one window ago.
        near = max(map(abs, x[max(t - 2 * n, 0) : t + 1])) or 1.0
        assert got[0] == pytest.approx(mean, rel=1e-12, abs=1e-12 * near)
        assert got[1:3] == (max(window), min(window))
        spread = math.fsum((v - mean) ** 2 for v in window) / n
        noise = 1e-11 * near * math.sqrt(spread) + 1e-22 * near**2
        assert rolling_variance(moments) == pytest.approx(spread, rel=1e-9, abs=noise)
        weights = math.fsum((k + 1) * v for k, v in enumerate(window)) / (n * (n + 1) / 2)
        assert got[3] == pytest.approx(weights, rel=1e-12, abs=1e-12 * size)


@given(st.floats(1e-9, 1e9), st.integers(2, 20))
def test_what_stands_still_has_no_spread_at_all(value: float, n: int) -> None:
    moments, paired = record_of(Rolling(n)), record_of(PairStats(n))
    for t in range(5 * n):
        rolling(moments, value)
        assert math.isnan(beta(paired, value, float(t)))
        assert t < n - 1 or (moments.mean, rolling_variance(moments)) == (value, 0.0)


def test_a_session_begins_anew_and_an_anchor_is_put() -> None:
    by_day, anchored = record_of(Vwap()), record_of(Vwap())
    bars = [(10.0, 8.0, 9.0, 2.0, 1), (12.0, 9.0, 12.0, 6.0, 1), (20.0, 14.0, 17.0, 0.0, 2), (21.0, 15.0, 18.0, 5.0, 2)]
    got = [vwap(by_day, *bar) for bar in bars]
    assert got[:2] == [9.0, (9.0 * 2 + 11.0 * 6) / 8]
    assert math.isnan(got[2])
    assert got[3] == 18.0
    anchored_vwap(anchored, *bars[0][:4])
    restart(anchored)
    assert [anchored_vwap(anchored, *bar[:4]) for bar in bars[1:2]] == [11.0]


def test_a_value_that_is_missing_is_left_out() -> None:
    with_gaps, without = record_of(Rolling(3)), record_of(Rolling(3))
    for value in (1.0, 5.0, 2.0, 8.0, 9.0):
        assert math.isnan(rolling(with_gaps, math.nan))
        a, b = rolling(with_gaps, value), rolling(without, value)
        assert a == b or (math.isnan(a) and math.isnan(b))


TAIL = """
from tradectl.strategy import *

@strategy
class Tail:
    class State:
        mean = Rolling(50)
        line = LinReg(50)
        weighted = Wma(50)
        hull = Hma(20)
        flow = Mfi(14)
        money = Cmf(20)
        price = RollingVwap(30)
        pair = PairStats(40)
        noise = Volatility(30)
        anchored = Vwap()

    def on_bar(ctx, p, s):
        std(s.mean, ctx.close)
        linreg(s.line, ctx.close)
        wma(s.weighted, ctx.close)
        hma(s.hull, ctx.close)
        mfi(s.flow, ctx.high, ctx.low, ctx.close, ctx.volume)
        cmf(s.money, ctx.high, ctx.low, ctx.close, ctx.volume)
        rolling_vwap(s.price, ctx.high, ctx.low, ctx.close, ctx.volume)
        beta(s.pair, ctx.open, ctx.close)
        volatility(s.noise, ctx.close)
        anchored_vwap(s.anchored, ctx.high, ctx.low, ctx.close, ctx.volume)
"""


@pytest.mark.skipif(DISABLE_JIT, reason="a million values in plain Python take minutes")
def test_nothing_drifts_over_a_million_values(tmp_path: Path) -> None:
    """After a million bars each is what a fresh one makes of the last few (the anchored price: exact sums)."""
    path = tmp_path / "tail.py"
    path.write_text(TAIL)
    loaded = load_strategy(path)
    hooks = compile_hooks(loaded)
    rows = bars_like_a_market(LONG, seed=5).T
    stamps = np.arange(LONG, dtype=np.int64)
    bars = bar_rows(*rows, stamps)
    old, _seconds = drive_bars(loaded, hooks, bars)
    new, _seconds = drive_bars(loaded, hooks, bars[-500:])
    for name in ("mean", "line", "weighted", "hull", "flow", "money", "price", "pair", "noise"):
        for field in set(loaded.spec.state[name].outputs):  # type: ignore[attr-defined]
            a, b = float(old[0][name][field]), float(new[0][name][field])
            assert a == pytest.approx(b, rel=1e-9), f"{name}.{field}"
    traded = sum(int(h + lo + c) * int(v) for _o, h, lo, c, v in rows.T.tolist())
    wanted = traded / (300 * sum(rows[4].tolist()))
    assert float(old[0]["anchored"]["value"]) == pytest.approx(wanted, rel=1e-14)
