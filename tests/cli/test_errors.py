"""Exit codes and short messages: one place turns exceptions into them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.tools import QUICKSTART, Program
from tradectl import errors

KINDS = [
    errors.TradectlError, errors.ConfigError, errors.DataError, errors.StrategyError, errors.FeedError,
    errors.StoreError, errors.VersionError, errors.InvariantViolation,
]  # fmt: skip


@pytest.fixture
def raising(monkeypatch: pytest.MonkeyPatch) -> object:
    """Return a function that makes `tradectl report` raise something."""

    def prepare(error: BaseException) -> None:
        def find_run(*_args: object) -> None:
            raise error

        monkeypatch.setattr("tradectl.db.catalogue.find_run", find_run)

    return prepare


@pytest.mark.parametrize("kind", KINDS)
def test_each_error_has_its_exit_code(
    program: Program, raising: object, kind: type[errors.TradectlError]
) -> None:
    raising(kind("what is wrong", hint="what to do"))  # type: ignore[operator]
    done = program("report", "x")
    assert done.code == kind.exit_code
    assert done.err == "error: what is wrong\nwhat to do\n".replace("\nwhat", "\n  what")
    assert done.out == ""


def test_an_unknown_exception_is_a_bug_told_in_two_lines(program: Program, raising: object) -> None:
    raising(KeyError("oops"))  # type: ignore[operator]
    done = program("report", "x")
    assert done.code == 70
    assert done.err.splitlines()[0] == "bug: KeyError: 'oops'"
    assert "--debug" in done.err
    assert "Traceback" not in done.err


@pytest.mark.parametrize("words", [["--debug", "report", "x"], ["report", "x", "--debug"]])
def test_debug_shows_the_traceback_wherever_it_stands(
    program: Program, raising: object, words: list[str]
) -> None:
    raising(KeyError("oops"))  # type: ignore[operator]
    done = program(*words)
    assert done.code == 70
    assert "Traceback" in done.err


def test_ctrl_c(program: Program, raising: object) -> None:
    raising(KeyboardInterrupt())  # type: ignore[operator]
    done = program("report", "x")
    assert done.code == 130
    assert "interrupted" in done.err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["backtset", "x.yaml"], "backtest"),
        (["backtest", "x.yaml", "--fron", "2020-01-01"], "--from"),
        (["data", "chekc", "x"], "check"),
        (["data", "check", "x", "--profle", "y"], "--profile"),
        (["report"], "name a run"),
        (["backtest", "x.yaml", "-j", "0"], "--jobs"),
        (["backtest", "x.yaml", "-j", "two"], "--jobs"),
        (["data", "import", "x.csv"], "--out"),
    ],
)
def test_typos_and_missing_words_name_the_nearest(program: Program, words: list[str], told: str) -> None:
    done = program(*words)
    assert done.code == 2
    assert told in done.err


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["backtest", "nope.yaml"], 2, "nope.yaml"),
        (["backtest", QUICKSTART, QUICKSTART], 2, "twice"),
        (["backtest", QUICKSTART, "--set", "executoin.path=ohlc"], 2, "execution"),
        (["backtest", QUICKSTART, "--from", "tomorrow"], 2, "tomorrow"),
        (["backtest", QUICKSTART, "--set", "strategy.params.fats=20"], 4, "fast"),
        (["backtest", QUICKSTART, "--set", "data.source=nope.csv"], 3, "nope.csv"),
        (["report", "nope"], 6, "nope"),
        (["verify", "nope"], 6, "nope"),
        (["data", "check", "nope.csv"], 3, "nope.csv"),
        (["data", "info", "a.yaml", "b.csv"], 2, "not both"),
        (["data", "generate", "x.csv", "--symbols", "A/USD", "--price", "cheap"], 2, "cheap"),
        (["data", "generate", "x.csv", "--symbols", "A/USD", "--start", "soon"], 2, "soon"),
        (["strategy", "show", "nope.py"], 4, "nope.py"),
        (["strategy", "new", "x", "--scope", "portfoli"], 2, "portfolio"),
        (["strategy", "new", "1x"], 2, "my_idea"),
        (["strategy", "list", "nowhere"], 2, "nowhere"),
        (["bench", "matchin"], 2, "matching"),
        (["bench", "matching", "--against", "never"], 2, "never"),
        (["config", "check", "nope.yaml"], 2, "nope.yaml"),
    ],
)
def test_mistakes(program: Program, words: list[object], code: int, told: str) -> None:
    done = program(*words)
    assert (done.code, done.out) == (code, "")
    assert told in done.err
    assert "Traceback" not in done.err
    assert list(Path().iterdir()) == []
