"""Every tick script through oracle and kernels; every rule of the contract's part on tick data has a script."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.golden.words import ScriptError
from tests.golden_ticks.kernel_backend import KernelBackend
from tests.golden_ticks.oracle_backend import OracleBackend
from tests.golden_ticks.protocol import TickBackend
from tests.golden_ticks.rules import RULES
from tests.golden_ticks.runner import run_script
from tests.golden_ticks.script import parse, parse_file

HERE = Path(__file__).parent
SCRIPTS = sorted(HERE.glob("*.txt"))
BACKENDS: dict[str, type[TickBackend]] = {"oracle": OracleBackend, "kernel": KernelBackend}


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_script(path: Path, backend: str) -> None:
    run_script(parse_file(path), BACKENDS[backend]())


def test_every_rule_has_a_script() -> None:
    covered = {rule for path in SCRIPTS for rule in parse_file(path).covers}
    assert not sorted(set(RULES) - covered), "rules without a script"
    assert not sorted(covered - set(RULES)), "scripts name rules that do not exist"
    assert len(set(RULES)) == len(RULES)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0 tread 100 1 buy", "did you mean 'trade'"),
        ("config modle log", "did you mean 'model'"),
        ("0 trade 100.5 1 buy", "not a multiple of 1"),
        ("0 add bid 1:100.5x2", "not a multiple of 1"),
        ("0 exce bid 1:100x2", "did you mean 'exec'"),
        ("0 cancel bid a1:100", "invalid literal"),
        ("submit a1 BUY MARKET 1", "requests come after an event"),
        ("0 snapshot bid 99 1 ask 101 1\nsubmit a1 BUY MARKET 1 gtc", "unexpected 'gtc'"),
    ],
)
def test_a_wrong_script_is_refused(text: str, message: str) -> None:
    with pytest.raises(ScriptError, match=message):
        parse("wrong", text)


@pytest.mark.parametrize(
    "expected",
    [
        "",  # a fill that is not expected
        "a1 FILL 2 @101 TAKER BOOK",
        "a1 FILL 1 @100 TAKER BOOK",
        "a1 FILL 1 @101 MAKER BOOK",
        "a1 FILL 1 @101 TAKER BOOK, a1 ACCEPTED",
        "a1 FILL 1 @101 TAKER BOOK, position=2",
        "a1 FILL 1 @101 TAKER BOOK ts=1",
        "a1 FILL 1 @101 TAKER BOOK, told a1 FILL 1 FILLED",
        "a1 FILL 1 @101 TAKER BOOK, told a1 ACCEPTED t=0",
        "a1 FILL 1 @101 TAKER BOOK, told a1 ACCEPTED t=1",  # but not of the fill
        "a1 FILL 1 @101 TAKER BOOK, told a1 ACCEPTED, told a1 FILL 1 FILLED, a1 SEEN ACCEPTED",
    ],
)
def test_a_wrong_expectation_is_noticed(expected: str) -> None:
    text = f"""config reports all
0 snapshot bid 99 1 ask 101 1
submit a1 BUY MARKET 1
1 depth bid 98 1 -> {expected}
"""
    with pytest.raises(ScriptError, match="wrong:"):
        run_script(parse("wrong", text), OracleBackend())


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    "expected",
    [
        "bids=a1:100x2 1:100x5",  # the other way round
        "bids=1:100x5 a1:100x1",
        "bids=1:100x5/4 a1:100x2",
        "asks=1:101x1",
        "asks=none",
        "bid=100x7",
        "ask=none",
        "unknown=0",
        "a1 FRONT 4",
    ],
)
def test_a_wrong_order_book_is_noticed(expected: str, backend: str) -> None:
    text = f"""config level orders
0 snapshot bid 1:100x5 ask 2:101x1
submit a1 BUY LIMIT 2 @100
1 cancel bid 3:100 -> {expected}
"""
    with pytest.raises(ScriptError, match="wrong:"):
        run_script(parse("wrong", text), BACKENDS[backend]())
    run_script(parse("right", text.replace(expected, "bids=1:100x5 a1:100x2, unknown=1")), BACKENDS[backend]())
