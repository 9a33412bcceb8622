"""Every command explains itself, with an example that parses; help is fast and imports nothing heavy."""

from __future__ import annotations

import resource
import shlex
import subprocess
import sys
from typing import Any

import pytest
import typer

from tests.cli.tools import ROOT, Program, process
from tradectl import __version__
from tradectl.cli.docs import commands
from tradectl.cli.main import app

ROOT_COMMAND = typer.main.get_command(app)
ALL = dict(commands(ROOT_COMMAND, "tradectl"))
LEAVES = {name: one for name, one in ALL.items() if not hasattr(one, "commands")}
WANTED = (
    "backtest paper control sandbox stress bench verify report explain warmup doctor data config strategy "
    "data_import data_export "
    "check check_lookahead check_warmup "
    "data_check data_book data_info data_resample data_generate config_check config_schema config_show strategy_new "
    "strategy_list strategy_show strategy_rules data_fetch data_record"
).split()
HEAVY = ("numba", "polars", "ccxt", "pydantic", "numpy", "rich", "yaml", "llvmlite")
HELP_BUDGET_S = 0.4  # of the processor; the goal is 0.25 s on a quiet machine


def examples(command: Any) -> list[str]:
    return [line.strip() for line in (command.epilog or "").splitlines() if line.startswith("  ")]


def test_every_command_is_there() -> None:
    assert sorted(name.removeprefix("tradectl ").replace(" ", "_") for name in ALL) == sorted(WANTED)


@pytest.mark.parametrize("name", ALL)
def test_every_command_has_help(name: str) -> None:
    command = ALL[name]
    assert len(command.help or "") > 20
    assert command.short_help is None or len(command.short_help) <= 60


@pytest.mark.parametrize("name", LEAVES)
def test_every_command_has_examples_that_parse(name: str) -> None:
    lines = examples(LEAVES[name])
    assert lines
    for line in lines:
        words = shlex.split(line, comments=True)
        if ">" in words:
            words = words[: words.index(">")]
        depth = len(name.split())
        assert words[:depth] == name.split()
        LEAVES[name].make_context(name, words[depth:])


@pytest.mark.parametrize("name", LEAVES)
def test_every_option_has_help(name: str) -> None:
    assert not [one.name for one in LEAVES[name].params if not one.help]


@pytest.mark.parametrize(
    "words", [[], ["-h"], ["--help"], ["data"], ["data", "check", "-h"], ["backtest", "--help"]]
)
def test_help_is_printed(program: Program, words: list[str]) -> None:
    done = program(*words)
    assert "Usage: tradectl" in done.out + done.err
    assert done.code == (0 if {"-h", "--help"} & set(words) else 2)


def test_version(program: Program) -> None:
    assert program("--version").out == f"tradectl {__version__}\n"


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys\nfrom tradectl.cli.main import run\ncode = run(['--help'])\n"
        f"sys.exit(code or ', '.join(name for name in {HEAVY!r} if name in sys.modules) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_help_is_fast() -> None:
    taken = []
    for _ in range(5):
        begun = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert process("--help").code == 0
        ended = resource.getrusage(resource.RUSAGE_CHILDREN)
        taken.append(ended.ru_utime + ended.ru_stime - begun.ru_utime - begun.ru_stime)
    assert min(taken) < HELP_BUDGET_S
