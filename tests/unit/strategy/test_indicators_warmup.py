"""Warm-up that is derived from the indicators of a state, and `ctx.is_ready`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.unit.strategy.indicator_desk import run, walk
from tests.unit.strategy.world import World, bars_like_a_market
from tradectl.core.jit import DISABLE_JIT
from tradectl.errors import StrategyError
from tradectl.strategy import Bollinger, Ema, Rsi, Sma
from tradectl.strategy.compile import compile_hooks
from tradectl.strategy.indicators.registry import ALIASES, INDICATORS, find
from tradectl.strategy.loader import load_strategy
from tradectl.strategy.memory import Sizes
from tradectl.strategy.warmup import indicator_warmups, strategy_warmup

NEEDED = {  # by hand, for n = 14, m = 5, i = 3, j = 30
    "sma": 14, "ema": 14, "rma": 14, "wma": 14, "dema": 27, "tema": 40, "hma": 16, "kama": 15, "rsi": 15, "roc": 15,
    "momentum": 15, "macd": 16, "trix": 41, "stochastic": 20, "stoch_rsi": 50, "williams_r": 14, "cci": 14, "adx": 28,
    "aroon": 15, "supertrend": 14, "psar": 2, "ichimoku": 44, "atr": 14, "volatility": 15, "bollinger": 14,
    "keltner": 14, "donchian": 15, "obv": 1, "vwap": 1, "anchored_vwap": 1, "rolling_vwap": 14, "mfi": 15, "cmf": 14,
    "rolling": 14, "variance": 14, "std": 14, "zscore": 14, "highest": 14, "lowest": 14, "rank": 15, "correlation": 14,
    "beta": 14, "linreg": 14,
}  # fmt: skip
READY = """
from tradectl.strategy import *

@strategy{scope}
class Asks:
    class Params:
        n = Int(5, low=1, high=40)

    class State:
        first = Int64(-1)
        seen = Int64()
        pad = Bool()
        {state}

    def {hook}(ctx, p, s):
        {update}
        s.seen += 1
        if ctx.is_ready and s.first < 0:
            s.first = s.seen
        if s.first >= 0 and not ctx.is_ready:
            s.first = -2
"""
SCALAR = READY.format(
    scope="", hook="on_bar", state='a = Macd(3, "n", 2)\n        b = Record(c=Array(Ema("n"), 2), d=Float64)',
    update="macd(s.a, ctx.close)\n        for k in range(2):\n            ema(s.b.c[k], ctx.close)",
)  # fmt: skip
EACH = READY.format(
    scope='(scope="portfolio")', hook="on_batch", state="a = PerInstrument(Rsi(9))\n        b = Sma(4)",
    update="for i in range(ctx.n_instruments):\n            ctx.select(i)\n"
    "            if i == 0 or s.seen >= 3:\n                rsi(s.a[i], ctx.close)\n"
    "        sma(s.b, ctx.close_ticks)\n        ctx.select(1)",
)  # fmt: skip
WAYS = [False] if DISABLE_JIT else [True, False]


def test_every_indicator_needs_what_it_says(tmp_path: Path) -> None:
    got = run(walk(150), tmp_path)
    assert got.needed == NEEDED
    for indicator, outputs in got.outputs.items():
        for name, values in outputs.items():
            first = int(np.argmax(~np.isnan(values))) + 1
            assert first == NEEDED[indicator], f"{indicator}.{name}"
            assert not np.isnan(values[first:]).any(), f"{indicator}.{name}"


def test_the_registry_names_all_that_authors_can_import() -> None:
    from tradectl import strategy
    from tradectl.strategy.indicators.base import Indicator

    kinds = {one.record for one in INDICATORS.values()}
    assert kinds >= {v for v in vars(strategy).values() if isinstance(v, type) and issubclass(v, Indicator)}
    for name, entry in INDICATORS.items():
        assert getattr(strategy, name) is entry.update
        assert entry.update.__code__.co_varnames[0] == "rec"
        assert entry.update.__doc__
    assert all(find(alias) is INDICATORS[name] for alias, name in ALIASES.items())
    assert find("smaa") is None


@pytest.mark.parametrize("text", [SCALAR, EACH], ids=["instrument", "portfolio"])
@pytest.mark.parametrize("jit", WAYS)
def test_ctx_says_when_all_are_ready(tmp_path: Path, text: str, jit: bool) -> None:
    path = tmp_path / "asks.py"
    path.write_text(text)
    n = 2 if "portfolio" in text else 1
    loaded = load_strategy(path, n_instruments=n, jit=jit)
    _digest, state = World(n).fold(loaded, compile_hooks(loaded, jit), bars_like_a_market(60 * n))
    first = np.frombuffer(state, loaded.state_dtype, count=1)[0]["first"]
    assert first == (13 if n == 2 else 6)  # the second instrument's index starts three bars late
    assert strategy_warmup(loaded) == (10 if n == 2 else 6)


def test_warmups_follow_the_parameters(tmp_path: Path) -> None:
    path = tmp_path / "asks.py"
    path.write_text(SCALAR)
    loaded = load_strategy(path, {"n": 30})
    assert indicator_warmups(loaded) == {"a": 31, "b.c": 30}
    assert strategy_warmup(loaded) == 31


def test_one_that_is_fed_by_another_adds_up() -> None:
    assert Ema(9).of(Rsi(14)).bars_needed(Sizes({}, {})) == 9 + 15 - 1


def test_a_state_without_indicators_is_always_ready(tmp_path: Path) -> None:
    path = tmp_path / "asks.py"
    path.write_text(READY.format(scope="", hook="on_bar", state="x = Int64()", update="s.x += 1"))
    loaded = load_strategy(path)
    assert strategy_warmup(loaded) == 0


@pytest.mark.parametrize(("made", "what"), [
    (lambda: Sma(0), "length = 0: give a length of 1 or more"),
    (lambda: Bollinger(20, True), "factor = True: give a number"),
    (lambda: Bollinger(True), "length = True"),
    (lambda: Bollinger(20, "factr").dtype(Sizes({}, {})), "parameter 'factr' that is not declared"),
])  # fmt: skip
def test_what_is_no_length_and_no_factor_is_refused(made: object, what: str) -> None:
    with pytest.raises(StrategyError, match=what):
        made()  # type: ignore[operator]
