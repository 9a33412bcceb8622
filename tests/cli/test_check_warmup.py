"""`check warmup`: later starts against the whole run, on strategies whose memory is known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.cli.leaks import bars, folder_of, write
from tests.cli.tools import QUICKSTART, ROOT, Program
from tradectl.cli.runner_check_warmup import check_warmup
from tradectl.cli.runner_check_world import Asked

HEAD = "from tradectl.strategy import Ema, Int64, Sma, ema, ready, sma, strategy\n\n\n@strategy\n"
HEAD += "class Made:\n    class State:\n"
WINDOW = """        mean = Sma(20)

    def on_bar(ctx, p, s):
        sma(s.mean, ctx.close_ticks)
        if not ready(s.mean):
            return
        if ctx.close_ticks * 20 > s.mean.total:
            ctx.buy(1.0)
        else:
            ctx.sell(1.0)
"""
COUNTER = """        n = Int64()

    def on_bar(ctx, p, s):
        s.n += 1
        if s.n % 7 == 3:
            ctx.buy(1.0)
"""
STATELESS = """        n = Int64()

    def on_bar(ctx, p, s):
        if ctx.close_ticks > ctx.open_ticks:
            ctx.buy(1.0)
"""


def made(folder: Path, body: str) -> Path:
    config = folder_of(folder, "honest")
    (folder / "made.py").write_text(HEAD + body)
    config.write_text(config.read_text().replace("honest.py", "made.py"))
    return config


def check(config: Path, starts: int = 3, most: int | None = None) -> dict[str, Any]:
    return check_warmup(Asked(config), starts, most, lambda *_: None)


def test_a_window_needs_its_length(tmp_path: Path) -> None:
    result = check(made(tmp_path, WINDOW))
    assert (result["ready_bar"], result["agrees"], result["recommended"]) == (20, True, 19)
    assert {one["agree_from_bar"] for one in result["starts"]} == {20}
    assert {one["differing"] for one in result["starts"]} == {19}
    assert [one["offset"] for one in result["starts"]] == [67, 133, 200]
    assert [one["bars"] for one in result["starts"]] == [333, 267, 200]


def test_a_count_of_bars_never_agrees(tmp_path: Path) -> None:
    result = check(made(tmp_path, COUNTER), 2, most=1_000)
    assert (result["agrees"], result["recommended"], result["passed"]) == (False, None, False)
    assert result["starts"][0]["last_difference"]["whole_run"] != result["starts"][0]["last_difference"]["later_start"]


def test_no_memory_needs_no_warmup(tmp_path: Path) -> None:
    result = check(made(tmp_path, STATELESS), most=0)
    assert (result["recommended"], result["longest"], result["ready_bar"], result["passed"]) == (0, 1, None, True)


@pytest.mark.parametrize(("most", "code"), [(29, 1), (30, 0)])
def test_the_command_keeps_a_limit(program: Program, most: int, code: int) -> None:
    args = ("check", "warmup", QUICKSTART, "--starts", 2, "--max", most, "--to", "2024-01-08")
    assert program(*args).code == code
    told = program(*args, "--json")
    assert (told.code, told.objects[0]["ready_bar"]) == (code, 30)


def test_the_command_advises(tmp_path: Path, program: Program) -> None:
    done = program("check", "warmup", made(tmp_path, WINDOW), "--starts", 2)
    assert (done.code, "19 bars of warm-up are enough here" in done.out) == (0, True)
    done = program("check", "warmup", made(tmp_path, COUNTER), "--starts", 2)
    assert (done.code, "Decisions never agree" in done.out) == (0, True)


def test_a_chain_that_is_not_declared_is_told(tmp_path: Path, program: Program) -> None:
    chain = WINDOW.replace("Sma(20)\n", "Sma(20)\n        smooth = Ema(10)\n")
    chain = chain.replace("    sma(s.mean, ctx.close_ticks)\n", "    ema(s.smooth, sma(s.mean, ctx.close_ticks))\n")
    config = made(tmp_path, chain)
    done = program("check", "warmup", config, "--starts", 1)
    assert "Indicators are ready with bar 29.\nThey say 20: one that is fed with another's values" in done.out
    (tmp_path / "told").mkdir()
    made(tmp_path / "told", chain.replace("Ema(10)", "Ema(10).of(mean)"))
    result = check(tmp_path / "told" / config.name, 1)
    assert (result["ready_bar"], result["declared_bars"]) == (29, 29)


def test_book_strategies_are_counted_in_calls(program: Program) -> None:
    path = ROOT / "configs" / "imbalance_taker.yaml"
    done = program("check", "warmup", path, "--starts", 1, "--to", "2024-01-01T23:47:00Z", "--json")
    assert (done.code, done.objects[0]["unit"]) == (0, "calls")


def test_errors_are_told(tmp_path: Path, program: Program) -> None:
    config = made(tmp_path, WINDOW)
    write(tmp_path / "prices.csv", bars(1, n=3))
    short = program("check", "warmup", config)
    assert (short.code, "3 bars" in short.err) == (3, True)
    (tmp_path / "made.py").write_text(HEAD + STATELESS.replace("ctx.buy(1.0)", "s.n = 1 // s.n"))
    raised = program("check", "warmup", config)
    assert (raised.code, "made raised" in raised.err) == (4, True)
