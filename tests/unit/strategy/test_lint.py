"""The lint: one bad snippet a row, and the words its message must have."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tradectl.errors import StrategyError
from tradectl.strategy.loader import load_strategy

HEAD = """
import math
import numpy as np
from tradectl.strategy import *

LEVELS = [1, 2]
NAMES = ("a", "b")

@strategy(scope="portfolio")
class Demo:
    class Params:
        n = Int(10, low=1, high=20)
        x = Float(0.5)

    class State:
        count = Int64()
        level = Float64()
        on = Bool()
        w = Array(Float64, "n")
        k = Array(Int64, 4)
        fast = Sma("n")
        slow = Ema("n")
        each = PerInstrument(Float64)
        part = Record(a=Int64(), b=Float64())

    class Plots:
        mean = Line()
        rsi = Line(panel="rsi")

    def on_bar(ctx, p, s):
        {body}

    def on_fill(ctx, p, s, fill):
        {fill}
"""
BAD = [
    # ctx
    ("s.level = ctx.clos", "ctx has no 'clos': did you mean 'close'"),
    ("s.level = ctx.engine", "ctx has no 'engine'"),
    ("s.level = ctx.close()", "is a value: leave out the parentheses"),
    ("ctx.buy", "ctx.buy is a method: call it"),
    ("ctx.buy(amount=3)", "has no argument 'amount'"),
    ("ctx.sell(limt=3.0)", "did you mean 'limit'"),
    ("ctx.cancel()", "missing a required argument"),
    ("ctx.close_position(1, 2)", "too many positional arguments"),
    ("ctx.now = 3", "cannot be written"),
    ("ctx = 3", "cannot be assigned"),
    # plots
    ("ctx.plot('meen', 1.0)", "no series 'meen' in Plots: did you mean 'mean'"),
    ("ctx.plot(value=1.0, name='rsu')", "no series 'rsu' in Plots: did you mean 'rsi'"),
    ("ctx.plot(s.level, 1.0)", "takes a series' name written out"),
    ("ctx.plot('mean')", "missing a required argument: 'value'"),
    ("ctx.plot('mean', 'rsi')", "text is not for compiled code"),
    # parameters
    ("s.level = p.y", "no parameter 'y'"),
    ("p.n = 3", "parameters cannot be written"),
    ("p.n += 1", "parameters cannot be written"),
    # state
    ("s.cuont = 1", "no field 'cuont' in the state: did you mean 'count'"),
    ("s.level = s.part.c", "has no field 'c'"),
    ("s.count = 1.5", "holds integers and the value is a float"),
    ("s.count = ctx.close", "holds integers and the value is a float"),
    ("s.count = s.count / 2", "holds integers and the value is a float"),
    ("s.count /= 2", "holds integers and the value is a float"),
    ("x = ctx.close * 2\n        s.count = x", "holds integers and the value is a float"),
    ("s.k[0] = p.x", "holds integers and the value is a float"),
    ("s.w = 0", "is an array: write its cells"),
    ("s.w[:] = 0.0", "slices are not for compiled code"),
    ("s.level = s.w.sum()", "plain array without .sum"),
    ("s.count = s.w.shape[0]", "plain array without .shape"),
    ("s.level = s.w * 2", "arithmetic on the whole array"),
    ("s.part = s.part", "is a record: write its fields"),
    ("s.fast.total = 0", "belongs to Sma"),
    ("s.level = s[0]", "has named fields"),
    ("sma(s.slow, ctx.close_ticks)", "needs a Sma"),
    ("ema(s.w, ctx.close)", "is an array: pick one cell"),
    ("s = 3", "cannot be assigned"),
    # language
    ("print(ctx.close)", "print is not for compiled code"),
    ("try:\n            pass\n        except ValueError:\n            pass", "try/except"),
    ("x = [1, 2]", "lists are not for compiled code"),
    ("x = {1: 2}", "dicts are not for compiled code"),
    ("x = {1, 2}", "sets are not for compiled code"),
    ("x = 'long'", "text is not for compiled code"),
    ("x = f'{ctx.close}'", "text is not for compiled code"),
    ("x = [i for i in range(3)]", "comprehensions"),
    ("x = lambda y: y", "lambda"),
    ("import json", "import at the top"),
    ("global LEVELS", "global names are frozen"),
    ("s.count = LEVELS[0]", "LEVELS is a list"),
    ("x = NAMES", "NAMES is a tuple"),
    ("s.level = round(ctx.close, 2)", "round(x, digits)"),
    ("s.level = math.log(ctx.close)", "math.log differs"),
    ("s.level = math.sqrt(ctx.close)", "math.sqrt differs"),
    ("s.level = ctx.close ** 0.5", "** differs"),
    ("s.count = 2 ** -1", "** differs"),
    ("s.level = np.mean(s.w)", "numpy is not for compiled hooks"),
    ("s.level = np.random.rand()", "must not depend on chance"),
    ("s.count = sum(s.k)", "sum() is not for compiled code"),
    ("s.count = hash(3)", "differs between runs"),
    ("s.count = 99999999999999999999", "does not fit a 64-bit integer"),
    ("s.level = nothing", "'nothing' is not defined"),
    ("return 1", "a hook returns nothing"),
    ("if ctx.close is p.x:\n            pass", "`is` compares objects"),
    ("x = open('f')", "files are read in on_start only"),
    ("match s.count:\n            case 1:\n                pass", "match is not for compiled code"),
    ("with ctx:\n            pass", "with is not"),
    ("del s.count", "del is not"),
    ("s.level = math.flor(2.5)", "math has no 'flor': did you mean 'floor'"),
    # names without a value
    ("if s.on:\n            x = 1\n        s.count = x", "x may have no value here"),
    ("for i in range(3):\n            x = i\n        s.count = x", "x may have no value here"),
    ("x += 1", "x may have no value here"),
    (
        "if s.on:\n            x = 1\n        else:\n            y = 2\n        s.count = x",
        "x may have no value",
    ),
]
BAD_FILL = [
    ("s.level = fill.prise", "a report has no 'prise': did you mean 'price'"),
    ("fill.price = 1.0", "cannot be written"),
    ("s.count = fill.fee", "holds integers and the value is a float"),
]
GOOD = [
    "if s.on:\n            x = 1\n        else:\n            x = 2\n        s.count = x",
    "if s.on:\n            x = 1\n        else:\n            return\n        s.count = x",
    "x = 0\n        while x < 3:\n            x += 1\n        s.count = x",
    "if (x := s.count) > 3:\n            s.count = x",
    "s.count = int(math.floor(ctx.close))",
    "s.level = log(ctx.close) + sqrt(2.0)",
    "for i in range(len(s.w)):\n            s.w[i] = ctx.close",
    "s.count = s.count ** 2",
    "s.on = ctx.close > 3.0",
    "if s.count > 5:\n            raise ValueError('too many')",
    "a, b = s.count, s.level\n        s.count = a",
    "x = max(1, min(3, s.count))\n        s.count = round(2.5) + x",
    "s.count = OrderType.LIMIT",
    "s.each[ctx.instrument] = ctx.position",
    "limit = ctx.close if p.x > 0.4 else ctx.open\n        ctx.buy(1.0, limit=limit, tif=IOC, reduce_only=True, tag=3)",
]


def _write(folder: Path, body: str = "pass", fill: str = "pass") -> Path:
    path = folder / "demo.py"
    path.write_text(HEAD.format(body=body, fill=fill))
    return path


@pytest.mark.parametrize(("body", "words"), BAD, ids=[row[0].split("\n")[0] for row in BAD])
def test_bad_hooks_are_refused_with_place_and_advice(tmp_path: Path, body: str, words: str) -> None:
    path = _write(tmp_path, body)
    with pytest.raises(StrategyError) as caught:
        load_strategy(path)
    assert words in str(caught.value)
    first = HEAD[: HEAD.index("{body}")].count("\n") + 1
    place = re.search(rf"{re.escape(str(path))}:(\d+):\d+: ", str(caught.value))
    assert place is not None
    assert first <= int(place[1]) <= first + body.count("\n")


@pytest.mark.parametrize(("fill", "words"), BAD_FILL)
def test_bad_report_hooks_are_refused(tmp_path: Path, fill: str, words: str) -> None:
    with pytest.raises(StrategyError) as caught:
        load_strategy(_write(tmp_path, fill=fill))
    assert words in str(caught.value)


@pytest.mark.parametrize("body", GOOD)
def test_good_hooks_pass(tmp_path: Path, body: str) -> None:
    loaded = load_strategy(_write(tmp_path, body))
    assert not [f for f in loaded.findings if f.is_error]


@pytest.mark.parametrize("name", ["random", "time", "datetime", "os", "socket", "threading", "numba"])
def test_imports_that_let_chance_in_are_refused(tmp_path: Path, name: str) -> None:
    path = _write(tmp_path)
    path.write_text(f"import {name}\n" + path.read_text())
    with pytest.raises(StrategyError, match=f"import {name}"):
        load_strategy(path)


def test_all_faults_are_listed_at_once(tmp_path: Path) -> None:
    path = _write(tmp_path, "p.n = 3\n        s.cuont = 1", "fill.price = 1.0")
    with pytest.raises(StrategyError, match="3 fault"):
        load_strategy(path)


def test_a_parameter_nobody_uses_is_a_warning(tmp_path: Path) -> None:
    findings = load_strategy(_write(tmp_path)).findings
    assert [f.message for f in findings] == ["parameter 'x' is declared but never used"]


PLAIN_GOOD = [
    "if s.on:\n            x = 1\n        else:\n            x = 2\n        s.count = x",
    "if s.on:\n            x = 1\n        else:\n            return\n        s.count = x",
    "x = 0\n        while x < 3:\n            x += 1\n        s.count = x",
    "if (x := s.count) > 3:\n            s.count = x",
    "x = [1, 2]\n        print(x)",
    "x = {1: 2}",
    "try:\n            pass\n        except ValueError:\n            pass",
    "s.level = float(np.mean([1.0, 2.0]))",
    "x = f'{ctx.close}'",
]
PLAIN_BAD = [
    ("LEVELS.append(3)", "build it in on_start"),
    ("LEVELS[0] = 3", "build it in on_start"),
    ("global LEVELS\n        LEVELS = 3", "build it in on_start"),
    ("x = {1, 2}", "sets have no fixed order"),
    ("x = np.random.rand()", "must not depend on chance"),
    ("x = hash('a')", "differs between runs"),
    ("x = open('f')", "files are read in on_start only"),
    ("s.cuont = 1", "did you mean 'count'"),
    ("p.n = 1", "parameters cannot be written"),
]


@pytest.mark.parametrize("body", PLAIN_GOOD)
def test_plain_python_may_use_objects(tmp_path: Path, body: str) -> None:
    load_strategy(_write(tmp_path, body), jit=False)


@pytest.mark.parametrize(("body", "words"), PLAIN_BAD)
def test_plain_python_stays_deterministic(tmp_path: Path, body: str, words: str) -> None:
    with pytest.raises(StrategyError) as caught:
        load_strategy(_write(tmp_path, body), jit=False)
    assert words in str(caught.value)


def test_plain_python_builds_objects_in_on_start(tmp_path: Path) -> None:
    path = _write(tmp_path)
    path.write_text(path.read_text() + "\n    def on_start(ctx, p, s):\n        LEVELS.append(int(p.n))\n")
    load_strategy(path, jit=False)
