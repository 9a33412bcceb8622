"""What rules are written out to: the state they share, exact comparisons, warm-up, order of steps."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.unit.strategy.world import bars_like_a_market
from tradectl.core.records import struct_of
from tradectl.strategy import Int, ready
from tradectl.strategy.indicators.registry import INDICATORS
from tradectl.strategy.loader import load_strategy
from tradectl.strategy.memory import Sizes
from tradectl.strategy.rules import RuleParam, RuleSet, Side, analyse, source_of
from tradectl.strategy.rules.lag import Lag, lag
from tradectl.strategy.rules.vocabulary import known_indicators

FRAMES = (("5m", 300_000_000_000), ("1h", 3_600_000_000_000))
PARAMS = {"fast": RuleParam(5), "slow": RuleParam(20, 2, 100, "a 'help' \\ \" é"), "width": RuleParam(2)}


def source(entry: str, frames: Any = (), **parts: str) -> str:
    made = analyse(RuleSet(PARAMS, {"quick": "ema(close, fast)"}, Side(entry, **parts), None, frames))
    assert made.troubles == []
    return source_of(made)


def block(text: str, head: str) -> list[str]:
    """Return the lines of a class or function within a source, without its head."""
    lines = text.splitlines()
    first = next(i for i, line in enumerate(lines) if line.strip().startswith(head))
    indent = len(lines[first]) - len(lines[first].lstrip())
    inside = []
    for line in lines[first + 1 :]:
        if line.strip() and len(line) - len(line.lstrip()) <= indent:
            break
        inside.append(line.strip())
    return [line for line in inside if line]


def test_the_same_call_is_one_indicator() -> None:
    text = source("quick > ema(close, slow) and ema(close, fast) < 9 and quick > ema(open, fast)")
    assert block(text, "class State") == ['ema_1 = Ema("fast")', 'ema_2 = Ema("slow")', 'ema_3 = Ema("fast")']
    assert text.count("ema(s.ema_1, ctx.close)") == 1


@pytest.mark.parametrize("entry", ["close > open", "close > open[1]", "close > 3 and hour == 5", "bars_held > 3"])
def test_rules_with_little_state_load(entry: str, tmp_path: Path) -> None:
    path = tmp_path / "rules.py"
    path.write_text(source_of(analyse(RuleSet(long=Side(entry)))), encoding="utf-8")
    assert load_strategy(path).findings == ()


def test_the_text_is_always_the_same() -> None:
    assert len({source("sma(close, fast) crosses above sma(close, slow)", size="equity / 2") for _ in range(3)}) == 1


@pytest.mark.parametrize(
    ("entry", "code"),
    [
        ("sma(close, 5) > sma(close, 9)", "sma_compare(s.sma_1, s.sma_2) > 0"),
        ("sma(close, 5) <= sma(close, 9)", "sma_compare(s.sma_1, s.sma_2) <= 0"),
        ("close > sma(close, 9)", "ctx.close_ticks * s.sma_1.length > s.sma_1.total"),
        ("sma(low, 9) < high", "s.sma_1.total < ctx.high_ticks * s.sma_1.length"),
        ("close > donchian(20).prior_upper", "ctx.close_ticks > s.donchian_1.prior_upper"),
        ("close > 100", "ctx.close > 100.0"),
        ("close == open", "ctx.close_ticks == ctx.open_ticks"),
        ("close - open > 2 * atr(14)", "ctx.close - ctx.open > 2.0 * s.atr_1.value"),
        ("not (close > 3 or close < 2) and width > 1",
         "not (ctx.close > 3.0 or ctx.close < 2.0) and p.width > 1.0"),
        ("close - (open - low) > fast", "ctx.close - (ctx.open - ctx.low) > p.fast"),
        ("close / open > 1", "ratio(ctx.close, ctx.open) > 1.0"),
        ("weekday == friday", "(ctx.now // 86_400_000_000_000 + 3) % 7 == 4.0"),
        ("rsi(14) between 30 and 70", "s.rsi_1.value >= 30.0 and s.rsi_1.value <= 70.0"),
        ("obv() > 0", "s.obv_1.value * ctx.lot_size > 0.0"),
    ],
)  # fmt: skip
def test_conditions(entry: str, code: str) -> None:
    assert f"long_entry = {code}\n" in source(entry)


def test_crossings_are_followed_at_every_bar() -> None:
    steps = block(source("close > 3 and rsi(14) crosses above 30 or sma(close, 5) crosses below close"), "def on_bar")
    assert "cross_1 = cross(s.cross_1, sign(s.rsi_1.value, 30.0) if ready(s.rsi_1) else 0)" in steps
    exact = "sign(s.sma_1.total, ctx.close_ticks * s.sma_1.length) if ready(s.sma_1) else 0"
    assert f"cross_2 = cross(s.cross_2, {exact})" in steps
    assert steps.index("return") > steps.index(f"cross_2 = cross(s.cross_2, {exact})")


def test_an_indicator_of_an_indicator_waits_for_it() -> None:
    text = source("ema(rsi(14), 9)[2] > 50")
    assert block(text, "class State") == ["rsi_1 = Rsi(14)", "ema_1 = Ema(9).of(rsi_1)", "lag_1 = Lag(2).of(ema_1)"]
    steps = block(text, "def on_bar")
    assert steps[1:5] == [
        "if ready(s.rsi_1):", "ema(s.ema_1, s.rsi_1.value)", "if ready(s.ema_1):", "lag(s.lag_1, s.ema_1.value)",
    ]  # fmt: skip
    assert "if not (ctx.is_tradable and ready(s.lag_1)):" in steps


def test_other_bars_have_steps_of_their_own() -> None:
    text = source("close > ema(close, 50) on 1h and close on 1h > open on 5m and rsi(14) on 5m > 3", FRAMES)
    steps = block(text, "def on_bar")
    assert steps[:6] == [
        "if ctx.timeframe_ns == 3_600_000_000_000:  # 1h", "ema(s.ema_1, ctx.close)", "s.last_close_1h = ctx.close",
        "if ctx.timeframe_ns != 300_000_000_000:  # rules are decided at bars of 5m", "return",
        "rsi(s.rsi_1, ctx.close)",
    ]  # fmt: skip
    assert "and not math.isnan(s.last_close_1h)" in steps


def test_stops_see_the_bar_on_which_was_decided() -> None:
    text = source("close > 3", stop="low - width", target="entry_price + 1", size="equity")
    assert block(text, "def guard_long")[3] == "s.stop_price = s.last_low - p.width"
    assert "s.last_low = ctx.low" in block(text, "def on_bar")
    assert "ctx.buy_value(value)" in text


def test_parameters_are_whole_where_they_are_lengths(tmp_path: Path) -> None:
    text = source("close[fast] > bollinger(close, slow, width).upper and slow * width > 0")
    assert block(text, "class Params") == [
        "fast = Int(5, low=1, high=500)", "slow = Int(20, low=2, high=100, help='a \\'help\\' \\\\ \" \\xe9')",
        "width = Float(2.0)",
    ]  # fmt: skip
    assert "float(p.slow) * p.width > 0.0" in text
    path = tmp_path / "rules.py"
    path.write_text(text, encoding="utf-8")
    assert load_strategy(path, {"slow": 30}).params == {"fast": 5, "slow": 30, "width": 2.0}


CALLS = [(name, output) for name, known in known_indicators().items() for output in known.outputs]


@pytest.mark.parametrize(("name", "output"), CALLS, ids=[".".join(one) for one in CALLS])
def test_every_indicator_is_usable(name: str, output: str, tmp_path: Path) -> None:
    known = known_indicators()[name]
    series = ["close", "open"][: len(known.series)]
    numbers = ["5" if is_length else "2" for _, is_length, default in known.numbers if default is None]
    path = tmp_path / "rules.py"
    made = analyse(RuleSet(long=Side(f"{name}({', '.join([*series, *numbers])}).{output} > 1")))
    assert made.troubles == []
    path.write_text(source_of(made), encoding="utf-8")
    loaded = load_strategy(path)
    assert loaded.findings == ()
    assert re.fullmatch(rf"{known.name}_1|sma_1", next(iter(loaded.spec.state)))


@pytest.mark.parametrize("name", [name for name in INDICATORS if name not in ("cross", "sma", "donchian")])
def test_the_first_output_is_what_the_update_returns(name: str) -> None:
    """Expressions read the record: it must hold what the function returned, once ready."""
    record, update, outputs = INDICATORS[name]
    known = known_indicators()[name]
    declared = record(*[5 if is_length else 2.0 for _, is_length, default in known.numbers if default is None])
    sizes = Sizes({"n": Int(5, high=9)}, {"n": 5})
    made = np.zeros(1, declared.dtype(sizes))
    declared.fill(made, sizes)
    rec = struct_of(made.dtype).from_address(made.ctypes.data)
    seen = 0
    for row in bars_like_a_market(120).tolist():
        bar = dict(zip(("open", "high", "low", "close", "volume"), row, strict=False))
        bar |= {f"{key}_ticks": value for key, value in bar.items()} | {"volume_lots": bar["volume"], "session": 1}
        given = [float(bar[one]) if one in ("high", "low", "close", "volume") else bar.get(one, bar["close"])
                 for one in known.order]  # fmt: skip
        if len(known.series) == 2:
            given[1] = float(bar["open"])
        returned = update(rec, *given)
        if ready(rec) and not math.isnan(returned):
            seen += 1
            assert getattr(rec, outputs[0]) == returned
    assert seen > 20


def test_lag() -> None:
    declared = Lag(3)
    sizes = Sizes({}, {})
    made = np.zeros(1, declared.dtype(sizes))
    declared.fill(made, sizes)
    rec = struct_of(made.dtype).from_address(made.ctypes.data)
    values = [float(i * i) for i in range(12)]
    found = [lag(rec, x) for x in values]
    assert all(math.isnan(x) for x in found[:3])
    assert found[3:] == values[:-3]
    assert math.isnan(lag(rec, math.nan))
    assert lag(rec, 5.0) == values[-3]
    assert ready(rec)
