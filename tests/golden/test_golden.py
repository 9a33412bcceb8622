"""Every golden script through every backend; every rule of the fill contract has a script."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.golden.kernel_backend import KernelBackend
from tests.golden.oracle_backend import OracleBackend
from tests.golden.protocol import E9, Backend, Config, Step
from tests.golden.rules import RULES
from tests.golden.runner import run_script
from tests.golden.script import START_S, parse, parse_file
from tests.golden.words import ScriptError
from tradectl.core.codes import FillAt, FoldCode, Reason

HERE = Path(__file__).parent
SCRIPTS = sorted(HERE.glob("*.txt"))
BACKENDS: dict[str, Callable[[], Backend]] = {"oracle": OracleBackend, "kernel": KernelBackend}


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_script(path: Path, backend: str) -> None:
    run_script(parse_file(path), BACKENDS[backend]())


@pytest.mark.parametrize("backend", BACKENDS)
def test_fill_at_close_demands_zero_latency(backend: str) -> None:
    with pytest.raises(Exception, match="latency"):
        BACKENDS[backend]().configure(Config(fill_at=FillAt.CLOSE, latency_entry_ns=1))


def test_funding_that_no_bar_ends_is_bounded() -> None:
    backend = KernelBackend()
    backend.configure(Config())
    room = len(backend.state.dues)
    settled = Step(START_S * E9, funding=[(0, START_S * E9, 10**8, 0)] * (room + 1))
    events = backend.events(settled)
    assert backend.state.fold(events[:room])[0] == FoldCode.DONE
    assert backend.state.fold(events[room:])[0] == FoldCode.CAPACITY
    assert backend.state.engine[0]["fault_reason"] == Reason.FUNDING_FULL


def test_every_rule_has_a_script() -> None:
    covered = {rule for path in SCRIPTS for rule in parse_file(path).covers}
    assert not sorted(set(RULES) - covered), "rules without a script"
    assert not sorted(covered - set(RULES)), "scripts name rules that do not exist"
    assert len(set(RULES)) == len(RULES)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("bra 1 1 1 1", "did you mean 'bar'"),
        ("config tick 1 lot 1 slipage.ticks 1", "did you mean 'slippage.ticks'"),
        ("config tick 1 lot 1\nbar 100.5 101 100 100", "not a multiple of 1"),
        ("bar Y 1 1 1 1", "unknown instrument 'Y'"),
        ("bar 1 1 1 1\nsubmit a1 BUY MARKET 1 gtc", "unexpected 'gtc'"),
    ],
)
def test_a_wrong_script_is_refused(text: str, message: str) -> None:
    with pytest.raises(ScriptError, match=message):
        parse("wrong", text)


@pytest.mark.parametrize(
    "line",
    [
        "bar 100 100 100 100",  # a fill that is not expected
        "bar 100 100 100 100 -> a1 FILL 2 @100 TAKER OPEN",
        "bar 100 100 100 100 -> a1 FILL 1 @101 TAKER OPEN",
        "bar 100 100 100 100 -> a1 FILL 1 @100 MAKER OPEN",
        "bar 100 100 100 100 -> a1 FILL 1 @100 TAKER OPEN, a2 FILL 1 @100 TAKER OPEN",
        "bar 100 100 100 100 -> a1 FILL 1 @100 TAKER OPEN, a1 ACCEPTED",
        "bar 100 100 100 100 -> a1 FILL 1 @100 TAKER OPEN, position=2",
        "bar 100 100 100 100 -> a1 FILL 1 @100 TAKER OPEN fee=1",
    ],
)
def test_a_wrong_expectation_is_noticed(line: str) -> None:
    text = f"config tick 1 lot 1\nbar 100 100 100 100\nsubmit a1 BUY MARKET 1\n{line}\n"
    with pytest.raises(ScriptError, match="wrong:4"):
        run_script(parse("wrong", text), OracleBackend())
