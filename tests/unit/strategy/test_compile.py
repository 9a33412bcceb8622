"""Compiling: shipped strategies compiled and plain, faults numba finds, faults at run time, the cache."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.unit.strategy.world import World, bars_like_a_market
from tradectl.core.codes import Hook
from tradectl.core.jit import DISABLE_JIT
from tradectl.errors import StrategyError
from tradectl.strategy.compile import CompiledHooks, compile_hooks
from tradectl.strategy.context import ATTRIBUTES
from tradectl.strategy.loader import load_strategy

ROOT = Path(__file__).parents[3]
compiled_only = pytest.mark.skipif(DISABLE_JIT, reason="nothing is compiled")
N_BARS = 3_000 if DISABLE_JIT else 100_000

HEAD = """
import math
from tradectl.strategy import *

@strategy
class Demo:
    class Params:
        n = Int(4, low=1, high=4)

    class State:
        count = Int64()
        level = Float64()
        k = Array(Int64, 4)
        w = Array(Float64, "n")
        guard = Int64(77)
        fast = Sma("n")

    def on_bar(ctx, p, s):
        {body}

{helper}
"""
FAULTS = [  # what the lint cannot know: numba's types do
    ("s.count = half(s.count)", "return x / 2", "the value is a float"),
    ("s.k[0] = half(s.count)", "return x / 2", "the array holds integers"),
    ("x = s.w\n        s.level = total(x)", "return x.sum()", "arrays have no .sum"),
    ("x = s.w\n        y = x + x", "return x", "arithmetic on a whole array"),
    ("sma(s.fast, half(s.count))", "return x / 2", "takes integers (ticks or lots)"),
    ("s.level = half(s.level, 3)", "return x", "too many"),
    ("s.level = half(ctx)", "return x.engine", "ctx has no 'engine'"),
    ("s.level = half(2.0)", "return x ** 2", "** differs"),
    ("x = s.fast\n        x.total = 3.5", "return x", "the value is a float"),
    ("s.level = ctx.buy(limit=half(p))", "return x", "ctx.buy cannot take"),
    ("s.level = min(p, 3)", "return x", "min cannot take"),
    ("sma(s.fast)", "return x", "the argument 'ticks' is missing"),
    ("s.w[s.level] = 1.0", "return x", "no such [index] or cell"),
    ("for i in s.count:\n            s.count = i", "return x", "nothing to loop over"),
]


def write(folder: Path, body: str, helper: str = "return x") -> Path:
    path = folder / "demo.py"
    helpers = f"def half(x):\n    {helper}\n\ndef total(x):\n    {helper}\n"
    path.write_text(HEAD.format(body=body, helper=helpers))
    return path


def fold(path: Path, jit: bool, **params: Any) -> tuple[int, Any, CompiledHooks]:
    """Run ten bars; return (digest, state, hooks)."""
    loaded = load_strategy(path, params)
    hooks = compile_hooks(loaded, jit)
    digest, data = World(1).fold(loaded, hooks, bars_like_a_market(10))
    return digest, np.frombuffer(data, loaded.state_dtype, count=1)[0], hooks


@compiled_only
@pytest.mark.parametrize(
    ("name", "params", "n", "account"),
    [
        ("sma_cross", {}, 1, 1),
        ("sma_cross", {"fast": 5, "slow": 20, "short": True}, 1, 2),
        ("rsi_reversion", {"low": 40.0}, 1, 1),
        ("rsi_reversion", {"limit": True, "low": 45.0}, 1, 1),
        ("donchian_breakout", {"length": 10}, 1, 1),
        ("momentum_rotation", {"lookback": 20, "top": 2, "every": 5}, 5, 1),
    ],
)
def test_shipped_strategies_are_the_same_compiled_and_plain(
    name: str, params: dict[str, Any], n: int, account: int
) -> None:
    loaded = load_strategy(ROOT / "strategies" / f"{name}.py", params, n_instruments=n)
    assert not loaded.findings
    bars = bars_like_a_market(N_BARS // n * n)
    worlds = [World(n, account) for _ in range(2)]
    results = [
        w.fold(loaded, compile_hooks(loaded, jit), bars) for w, jit in zip(worlds, (True, False), strict=True)
    ]
    assert results[0] == results[1]
    assert worlds[0].parts["engine"]["next_order_id"][0] > 3  # it trades


@compiled_only
@pytest.mark.parametrize(("body", "helper", "words"), FAULTS)
def test_what_numba_finds_is_told_in_a_line(tmp_path: Path, body: str, helper: str, words: str) -> None:
    loaded = load_strategy(write(tmp_path, body, helper))
    with pytest.raises(StrategyError) as caught:
        compile_hooks(loaded)
    message = str(caught.value)
    assert words in message
    assert f"{tmp_path.resolve()}/demo.py:" in message
    assert len(message.splitlines()) <= 2
    assert caught.value.__cause__ is not None


@pytest.mark.parametrize("jit", [True, False])
@pytest.mark.parametrize(
    "body",
    [
        "s.count += 1\n        if s.count == 3:\n            raise ValueError('three')",
        "s.w[s.count] = 1.0\n        s.count += 1",  # beyond its four cells at the fifth bar
        "s.level = 1 / (3 - s.count)\n        s.count += 1",
    ],
)
def test_a_hook_that_raises_ends_the_call(tmp_path: Path, jit: bool, body: str) -> None:
    digest, state, hooks = fold(write(tmp_path, body), jit)
    assert digest == -1
    assert state["count"] in (3, 4)
    assert state["guard"] == 77
    if not jit or DISABLE_JIT:
        assert hooks.last_error is not None
        assert hooks.last_error.__traceback__ is not None
        frames = []
        trace = hooks.last_error.__traceback__
        while trace is not None:
            frames.append(trace.tb_frame.f_code.co_filename)
            trace = trace.tb_next
        assert str(tmp_path.resolve() / "demo.py") in frames


def test_ctrl_c_in_a_plain_hook_is_kept(tmp_path: Path) -> None:
    path = write(tmp_path, "raise KeyboardInterrupt")
    _digest, _state, hooks = fold(path, jit=False)
    assert isinstance(hooks.last_error, KeyboardInterrupt)


def test_plain_hooks_refuse_what_the_lint_cannot_see(tmp_path: Path) -> None:
    for body in (
        "q = p\n        q.n = 3",
        "c = ctx\n        c.now = 3",
        "c = ctx\n        s.count = c.engine",
    ):
        digest, _state, hooks = fold(write(tmp_path, body), jit=False)
        assert digest == -1
        assert isinstance(hooks.last_error, AttributeError)


SAME = [
    ("s.count = OrderType.LIMIT", "return x"),
    (
        "s.count = ctx.submit(Side.BUY, OrderType.LIMIT, 5, price_ticks=ctx.close_ticks, flags=POST_ONLY)",
        "return x",
    ),
    ("s.level += half(x=2)", "return x * 1.5"),
    (
        "ctx.sell(1.0, tif=IOC, limit=ctx.close - 1, post_only=s.count > 3, tag=7)\n        s.count += 1",
        "return x",
    ),
    ("limit = ctx.close if p.n > 2 else ctx.open\n        s.count = ctx.buy(1.0, limit=limit)", "return x"),
    ("s.count += round(2.5) + int(True) + len(s.w)", "return x"),
    ("for v in s.w:\n            s.level += v + 1.0", "return x"),
    ("s.level = -ctx.close % 7.0 + (-7 // 2) + -7 % 3", "return x"),
    ("a = half(s)\n        a.count += 1", "return x"),
    ("s.count += p.n * (ctx.close_ticks >> 3) & 0xFF ^ 5", "return x"),
    ("ctx.target_percent(0.3)\n        ctx.target_value(250.5)\n        ctx.buy_value(99.0)", "return x"),
]


@compiled_only
@pytest.mark.parametrize(("body", "helper"), SAME)
def test_the_same_source_gives_the_same_bytes(tmp_path: Path, body: str, helper: str) -> None:
    path = write(tmp_path, body, helper)
    results = [fold(path, jit) for jit in (True, False)]
    assert results[0][0] == results[1][0] != -1
    assert results[0][1].tobytes() == results[1][1].tobytes()


@compiled_only
def test_another_value_of_a_parameter_compiles_nothing(tmp_path: Path) -> None:
    path = write(tmp_path, "s.count += p.n")
    assert fold(path, True, n=1)[1]["count"] == 10
    _digest, state, hooks = fold(path, True, n=3)
    assert state["count"] == 30
    assert hooks.was_cached


RUN = """
import sys
from pathlib import Path
from tests.unit.strategy.test_compile import fold
_digest, state, hooks = fold(Path(sys.argv[1]), True)
print(int(state["count"]), hooks.was_cached)
"""


def run_process(path: Path, cache: Path, **env: str) -> str:
    """Run ten bars in a new process; return what it prints."""
    variables = {**os.environ, "TRADECTL_CACHE_DIR": str(cache), "PYTHONPATH": str(ROOT), **env}
    command = [sys.executable, "-c", RUN, str(path)]
    done = subprocess.run(command, env=variables, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.proof  # CI looks at a strategy's own siblings: tests/cache
@compiled_only
def test_the_cache_sees_edits_in_imported_files(tmp_path: Path) -> None:
    path = write(tmp_path, "s.count += stride()")
    path.write_text("from helper import stride\n" + path.read_text())
    helper = tmp_path / "helper.py"
    constants = tmp_path / "constants.py"
    helper.write_text("from constants import STEP\n\ndef stride():\n    return STEP\n")
    constants.write_text("STEP = 2\n")
    cache = tmp_path / "cache"
    assert run_process(path, cache) == "20 False"
    assert run_process(path, cache) == "20 True"
    constants.write_text("STEP = 5\n")
    assert run_process(path, cache) == "50 False"


def test_nothing_is_compiled_where_numba_is_disabled(tmp_path: Path) -> None:
    path = write(tmp_path, "s.count += half(p.n)\n        sma(s.fast, ctx.close_ticks)\n        ctx.buy(1.0)")
    assert run_process(path, tmp_path / "cache", NUMBA_DISABLE_JIT="1") == "40 True"


def test_hooks_have_addresses(tmp_path: Path) -> None:
    loaded = load_strategy(write(tmp_path, "pass"))
    hooks = compile_hooks(loaded)
    assert list(hooks.addresses) == [Hook.ON_BAR]
    assert hooks.addresses[Hook.ON_BAR] != 0
    assert hooks.keep


@compiled_only
def test_no_field_of_the_engine_stands_before_an_attribute() -> None:
    from tradectl.strategy.ctx_compiled import CTX

    assert set(ATTRIBUTES) & set(CTX.fields) == {"n_instruments"}
