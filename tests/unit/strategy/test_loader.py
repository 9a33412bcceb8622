"""Loading files: what goes wrong is told with its place; files of one name do not meet."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tradectl.core.codes import Hook
from tradectl.errors import StrategyError
from tradectl.strategy.loader import initial_state, load_strategy, split_reference

GOOD = """
from tradectl.strategy import Int, Int64, strategy

@strategy
class Good:
    '''One line.

    More.
    '''

    class Params:
        n = Int(3, low=1, high=9)

    class State:
        count = Int64()

    def on_bar(ctx, p, s):
        s.count += p.n
"""


def write(folder: Path, text: str = GOOD, name: str = "good.py") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_a_strategy_is_loaded(tmp_path: Path) -> None:
    loaded = load_strategy(write(tmp_path), {"n": 5})
    assert (loaded.name, loaded.scope, loaded.params) == ("Good", "instrument", {"n": 5})
    assert loaded.doc.splitlines()[0] == "One line."
    assert loaded.hooks == 1 << Hook.ON_BAR
    assert loaded.sources == (tmp_path.resolve() / "good.py",)
    assert len(loaded.params_bytes()) == loaded.params_dtype.itemsize
    assert len(initial_state(loaded, 3)) == 3 * loaded.state_dtype.itemsize


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("def f(:\n", "good.py:1:7: syntax error"),
        ("x = 1\n  y = 2\n", "good.py:2:"),
        ("import no_such_module_here\n", "good.py:1: ModuleNotFoundError"),
        ("from tradectl.strategy import Smaa\n", "good.py:1: ImportError"),
        ("x = 1\ny = x / 0\n", "good.py:2: ZeroDivisionError: division by zero\n    y = x / 0"),
        ("raise SystemExit(3)\n", "good.py:1: SystemExit"),
        ("x = 1\n", "no strategy in this file: put @strategy above its class"),
        (GOOD.replace("on_bar(", "on_bra("), "good.py:17: unknown hook 'on_bra': did you mean 'on_bar'"),
        (GOOD.replace("on_bar(", "on_dephts("), "unknown hook 'on_dephts': did you mean 'on_depth'"),
        (GOOD.replace("on_bar(", "on_batch("), 'on_batch needs @strategy(scope="portfolio")'),
        (GOOD.replace("on_bar(", "helper("), "'helper' is no hook"),
        (GOOD.replace("(ctx, p, s)", "(self, ctx, p, s)"), "on_bar takes exactly (ctx, p, s), no self"),
        (GOOD.replace("(ctx, p, s)", "(ctx, p)"), "on_bar takes exactly (ctx, p, s)"),
        (GOOD.split("    def")[0], "has no hooks"),
        (GOOD.replace("Int(3, ", "Int(33, "), "good.py:4: Good.Params.n: the default = 33 is outside 1..9"),
        (GOOD.replace("Int64()", "Sma('n')"), "good.py:15: NameError"),
        (GOOD + GOOD.replace("Good", "Other"), "2 strategies; name one: good.py:Good"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_its_place(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(StrategyError) as caught:
        load_strategy(write(tmp_path, text))
    assert words in str(caught.value)


def test_files_and_classes_that_are_not_there(tmp_path: Path) -> None:
    path = write(tmp_path)
    for reference, words in [
        (tmp_path / "goood.py", "did you mean 'good.py'"),
        (tmp_path, "is a folder; name a Python file in it: good.py"),
        (tmp_path / "none" / "x.py", "no folder"),
        (f"{path}:Godo", "did you mean 'Good'"),
        (f"{path}:Int", "class Int is no strategy"),
    ]:
        with pytest.raises(StrategyError) as caught:
            load_strategy(reference)
        assert words in str(caught.value)


def test_a_class_is_picked_by_name(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD + GOOD.replace("Good", "Other"))
    assert load_strategy(f"{path}:Other").name == "Other"
    assert split_reference("a/b.py:Other") == (Path("a/b.py"), "Other")
    assert split_reference("a/b.py") == (Path("a/b.py"), "")


def test_two_files_of_one_name_live_side_by_side(tmp_path: Path) -> None:
    before = set(sys.modules)
    folders = [tmp_path / "a", tmp_path / "b"]
    for i, folder in enumerate(folders):
        folder.mkdir()
        write(folder, f"STEP = {i + 1}\n", "common.py")
        write(folder, GOOD.replace("import Int", "import Int", 1).replace("from", "import common\nfrom", 1))
    loaded = [load_strategy(folder / "good.py") for folder in folders]
    steps = [vars(sys.modules[one.functions[Hook.ON_BAR].__module__])["common"].STEP for one in loaded]
    assert steps == [1, 2]
    assert loaded[0].source_hash != loaded[1].source_hash
    assert not {"good", "common"} & (set(sys.modules) - before)


@pytest.mark.parametrize(
    "line", ["import helper", "from helper import STEP", "from . import helper", "from .helper import STEP"]
)
def test_siblings_are_part_of_the_strategy(tmp_path: Path, line: str) -> None:
    write(tmp_path, "from deeper import STEP\n", "helper.py")
    write(tmp_path, "STEP = 4\n", "deeper.py")
    path = write(tmp_path, line + GOOD)
    first = load_strategy(path)
    assert {p.name for p in first.sources} == {"good.py", "helper.py", "deeper.py"}
    write(tmp_path, "STEP = 5\n", "deeper.py")
    assert load_strategy(path).source_hash != first.source_hash


def test_circles_and_faults_in_siblings_are_told(tmp_path: Path) -> None:
    path = write(tmp_path, "import helper\n" + GOOD)
    for text, words in [
        ("import good\n", "helper.py:1: good.py is imported in a circle"),
        ("x = (\n", "helper.py:1:"),
        ("x = nothing\n", "helper.py:1: NameError"),
        ("import random\n", "helper.py:1:1: import random"),
        ("def f(x):\n    return [x]\n", "helper.py:2:12: lists are not for compiled code"),
    ]:
        write(tmp_path, text, "helper.py")
        with pytest.raises(StrategyError) as caught:
            load_strategy(path)
        assert words in str(caught.value)
