"""Indicators against the oracle, compiled against plain, and the strategies' own mathematics."""

from __future__ import annotations

import ctypes
import math
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.oracle import indicators_oracle as oracle
from tests.unit.strategy.world import World, bars_like_a_market
from tradectl.core.jit import DISABLE_JIT
from tradectl.core.records import struct_of
from tradectl.strategy import (
    Atr,
    Cross,
    Donchian,
    Ema,
    Rma,
    Roc,
    Rolling,
    Rsi,
    Sma,
    atr,
    cross,
    donchian,
    ema,
    exp,
    log,
    momentum,
    power,
    ready,
    rma,
    roc,
    rolling,
    rolling_std,
    rsi,
    sma,
    sma_compare,
    sqrt,
)  # fmt: skip
from tradectl.strategy.compile import compile_hooks
from tradectl.strategy.loader import load_strategy
from tradectl.strategy.memory import Record, Sizes

BARS = bars_like_a_market(300)
OPEN, HIGH, LOW, CLOSE = (BARS[:, i].tolist() for i in range(4))
FLAT = [500] * 40
LENGTHS = (1, 2, 3, 14, 50)


def record_of(kind: Record) -> Any:
    """Return a fresh record as a plain hook sees it."""
    sizes = Sizes({}, {})
    made = np.zeros(1, kind.dtype(sizes))
    kind.fill(made, sizes)
    struct = struct_of(made.dtype)
    buffer = (ctypes.c_uint8 * made.dtype.itemsize).from_buffer_copy(made.tobytes())
    return struct.from_buffer(buffer)


def decimals(x: Sequence[int]) -> list[Decimal]:
    return [Decimal(v) for v in x]


def assert_close(got: list[float], wanted: Sequence[Any], tolerance: float = 1e-12) -> None:
    assert len(got) == len(wanted)
    for t, (a, b) in enumerate(zip(got, wanted, strict=True)):
        if b is None:
            assert math.isnan(a), t
        else:
            assert a == pytest.approx(float(b), rel=tolerance, abs=tolerance), t


@pytest.mark.parametrize("n", LENGTHS)
@pytest.mark.parametrize("x", [CLOSE, FLAT], ids=["walk", "flat"])
class TestOracle:
    def test_sma_is_exact(self, x: list[int], n: int) -> None:
        record = record_of(Sma(n))
        for value, wanted in zip(x, oracle.sma(x, n), strict=True):
            got = sma(record, value)
            assert math.isnan(got) if wanted is None else got == float(wanted)
            assert ready(record) == (wanted is not None)
        assert record.total == sum(x[-n:])

    def test_ema(self, x: list[int], n: int) -> None:
        record = record_of(Ema(n))
        assert_close([ema(record, float(v)) for v in x], oracle.ema(decimals(x), n))

    def test_rma(self, x: list[int], n: int) -> None:
        record = record_of(Rma(n))
        assert_close([rma(record, float(v)) for v in x], oracle.rma(decimals(x), n))

    def test_rsi(self, x: list[int], n: int) -> None:
        record = record_of(Rsi(n))
        assert_close([rsi(record, float(v)) for v in x], oracle.rsi(decimals(x), n), 1e-11)

    def test_roc_and_momentum(self, x: list[int], n: int) -> None:
        a, b = record_of(Roc(n)), record_of(Roc(n))
        assert_close([roc(a, float(v)) for v in x], oracle.roc(decimals(x), n))
        assert_close([momentum(b, float(v)) for v in x], oracle.momentum(decimals(x), n))

    def test_rolling_mean_and_deviation(self, x: list[int], n: int) -> None:
        record = record_of(Rolling(n))
        means, deviations = [], []
        for value in x:
            means.append(rolling(record, float(value)))
            deviations.append(rolling_std(record))
        assert_close(means, oracle.rolling(decimals(x), n))
        assert_close(deviations, oracle.std(decimals(x), n), 1e-9)


@pytest.mark.parametrize("n", LENGTHS)
def test_atr(n: int) -> None:
    record = record_of(Atr(n))
    got = [atr(record, float(h), float(low), float(c)) for h, low, c in zip(HIGH, LOW, CLOSE, strict=True)]
    assert_close(got, oracle.atr(decimals(HIGH), decimals(LOW), decimals(CLOSE), n))


@pytest.mark.parametrize("n", [*LENGTHS, 300])
@pytest.mark.parametrize("rising", [False, True])
def test_donchian_is_exact(n: int, rising: bool) -> None:
    high, low = (list(range(300)), list(range(300))) if rising else (HIGH, LOW)
    record = record_of(Donchian(n))
    wanted = oracle.donchian(high, low, n)
    for t in range(len(high)):
        complete = donchian(record, high[t], low[t])
        assert (record.upper, record.lower) == wanted[t]
        assert complete == (t >= n)
        if complete:
            assert (record.prior_upper, record.prior_lower) == wanted[t - 1]


def test_rolling_deviation_survives_a_huge_offset() -> None:
    record = record_of(Rolling(20))
    x = [10**9 + v % 7 for v in CLOSE]
    got = []
    for value in x:
        rolling(record, float(value))
        got.append(rolling_std(record))
    assert_close(got, oracle.std(decimals(x), 20), 1e-9)


def test_compare_is_decided_on_integers() -> None:
    a, b = record_of(Sma(3)), record_of(Sma(2))
    for value in (10**15, 10**15 + 1, 10**15 + 2):
        assert sma_compare(a, b) == 0
        sma(a, value)
        sma(b, value)
    assert (sma_compare(a, b), sma_compare(b, a)) == (-1, 1)
    for record in (a, b):
        for _ in range(3):
            sma(record, 7)
    assert sma_compare(a, b) == 0


def test_cross_ignores_ties_and_the_first_sign() -> None:
    record = record_of(Cross())
    assert [cross(record, sign) for sign in (0, 1, 1, 0, 1, -1, 0, 0, 1, -1, -1)] == [
        0, 0, 0, 0, 0, -1, 0, 0, 1, -1, 0,
    ]  # fmt: skip


@pytest.mark.parametrize("x", [1e-300, 1e-9, 0.3, 0.99999, 1.0, 1.00001, 2.0, 10.0, 12345.678, 1e300, 5e-324])
def test_log(x: float) -> None:
    assert log(x) == pytest.approx(math.log(x), rel=1e-15, abs=1e-16)


@pytest.mark.parametrize("x", [-745.0, -700.5, -20.25, -1.0, -1e-9, 0.0, 1e-9, 0.5, 1.0, 10.0, 700.5, 709.7])
def test_exp(x: float) -> None:
    assert exp(x) == pytest.approx(math.exp(x), rel=4e-15)


def test_mathematics_outside_its_domain() -> None:
    assert math.isnan(sqrt(-1.0))
    assert math.isnan(log(-1.0))
    assert math.isnan(log(math.nan))
    assert math.isnan(power(-2.0, 0.5))
    assert log(0.0) == -math.inf
    assert log(math.inf) == math.inf
    assert exp(1000.0) == math.inf
    assert exp(-1000.0) == 0.0
    assert power(2.0, 10) == 1024.0
    assert power(2.0, -2) == 0.25
    assert power(0.0, 0.5) == 0.0
    assert power(2.0, 0.5) == pytest.approx(math.sqrt(2.0), rel=1e-14)
    assert sqrt(2.0) == math.sqrt(2.0)


EVERYTHING = """
from tradectl.strategy import *

@strategy
class Everything:
    class Params:
        n = Int(14, low=2, high=100)
        m = Int(40, low=2, high=100)
        mode = Choice("b", {"a": 3, "b": -4})

    class State:
        sma = Sma("n")
        long = Sma("m")
        cross = Cross()
        crosses = Int64()
        ema = Ema("n")
        rma = Rma("m")
        rsi = Rsi("n")
        atr = Atr("n")
        donchian = Donchian("m")
        roc = Roc("n")
        momentum = Roc(7)
        rolling = Rolling("m")
        out = Array(Float64, 8)
        bits = Array(Int64, 4)
        flag = Bool()

    def on_bar(ctx, p, s):
        sma(s.sma, ctx.close_ticks)
        sma(s.long, ctx.close_ticks)
        s.crosses += cross(s.cross, sma_compare(s.sma, s.long)) * p.mode
        ema(s.ema, ctx.close)
        rma(s.rma, ctx.volume)
        index = rsi(s.rsi, ctx.close)
        atr(s.atr, ctx.high, ctx.low, ctx.close)
        s.flag = donchian(s.donchian, ctx.high_ticks, ctx.low_ticks)
        roc(s.roc, ctx.close)
        momentum(s.momentum, ctx.open)
        rolling(s.rolling, ctx.close)
        if ready(s.rsi) and ready(s.rolling):
            s.out[0] += log(index + 1.0)
            s.out[1] += exp(-index / 10.0)
            s.out[2] += rolling_std(s.rolling)
            s.out[3] = power(ctx.close / ctx.open, 1.7) + power(index, 3)
            s.out[4] += sqrt(s.atr.value)
            s.bits[s.crosses % 4] += round(index)
"""


@pytest.mark.skipif(DISABLE_JIT, reason="nothing is compiled")
def test_compiled_and_plain_give_the_same_bytes(tmp_path: Path) -> None:
    path = tmp_path / "everything.py"
    path.write_text(EVERYTHING)
    bars = bars_like_a_market(100_000, seed=3)
    loaded = load_strategy(path)
    results = [World(1).fold(loaded, compile_hooks(loaded, jit), bars) for jit in (True, False)]
    assert results[0] == results[1]
    state = np.frombuffer(results[0][1], loaded.state_dtype, count=1)[0]
    assert state["out"][0] > 0
    assert state["crosses"] != 0
    assert state["flag"]
