"""`check lookahead`: every planted leak is found, honest strategies pass, and what cannot be seen is said."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.cli.leaks import DATA, FIXTURES, N, bars, folder_of, hourly, stamps, write
from tests.cli.tools import ROOT, Program
from tradectl.cli.runner_check_lookahead import check_lookahead
from tradectl.cli.runner_check_world import Asked
from tradectl.core.jit import DISABLE_JIT
from tradectl.errors import StrategyError

SMOOTH = """import sys
rows = [line.split(",") for line in open(sys.argv[1]).read().splitlines()[1:]]
with open(sys.argv[2], "w") as file:
    file.write("timestamp,close,smooth\\n")
    for k, row in enumerate(rows):
        near = [float(each[4]) for each in rows[max(k - 8, 0) : k + {ahead}]]
        file.write(f"{{row[0]}},{{row[4]}},{{sum(near) / len(near):.4f}}\\n")
"""
SHIPPED = sorted(path for path in (ROOT / "configs").glob("*.yaml") if "\ndata:" in path.read_text(encoding="utf-8"))
READ = "tomorrow whole_mean fitted day_high back_fill quantile negative_shift cache".split()
BOTH = "[{source: PRICES_1h.csv, timeframe: 1h, stamp: close}, {source: PRICES_15m.csv, timeframe: 15m, detail: true}]"
SHORT_BARS = "2024-01-02" if DISABLE_JIT else "2024-01-04"
SHORT_BOOK = "2024-01-01T23:46:00Z" if DISABLE_JIT else "2024-01-01T23:55:00Z"
GRID = "{PRICES: {tick_size: 0.01}}"


def check(config: Path, cuts: int = 4, trust: tuple[Path, ...] = (), **more: Any) -> dict[str, Any]:
    return check_lookahead(Asked(config, **more), cuts, False, trust, lambda *_: None)


@pytest.mark.parametrize("name", READ)
def test_strategies_that_read_their_own_file_are_caught(tmp_path: Path, name: str) -> None:
    result = check(folder_of(tmp_path, name))
    assert (result["verdict"], result["method"], result["unproven"]) == ("leak", "files", [])
    assert result["first"]["kind"] == "decision"
    assert {"with_future", "without", "ts", "cut", "variant"} <= result["first"].keys()
    assert not (tmp_path / "cache.json").exists()  # what a strategy writes stays out of its folder


def test_every_leak_of_the_fixtures_is_checked() -> None:
    others = "book_peek honest chance last_row limits memory model side_file survivors table".split()
    assert sorted(path.stem for path in FIXTURES.glob("*.py")) == sorted([*READ, *others])


def test_a_number_frozen_into_compiled_code_is_caught(tmp_path: Path) -> None:
    result = check(folder_of(tmp_path, "last_row", jit=True))
    assert result["verdict"] == "leak"
    assert "plain Python" in result["notes"][0]


def test_knowledge_without_a_decision_is_caught(tmp_path: Path) -> None:
    result = check(folder_of(tmp_path, "memory"))
    assert (result["verdict"], result["first"]["fields"]) == ("leak", ["memory: s.top"])


def test_a_universe_of_survivors_is_caught(tmp_path: Path) -> None:
    config = folder_of(tmp_path, "survivors", data="{source: [prices.csv, other.csv], timeframe: 15m}")
    write(tmp_path / "other.csv", bars(2))
    assert check(config)["verdict"] == "leak"


def test_book_data_is_cut_as_events_and_for_readers_as_files(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "data" / "sample" / "book", tmp_path / "book")
    data = f"{{source: book, kind: book, symbols: [ALTSYN/USD], to: '{SHORT_BOOK}'}}"
    result = check(folder_of(tmp_path, "book_peek", data=data), 2)
    assert (result["verdict"], result["method"], result["unproven"]) == ("leak", "events", [])


def test_a_tick_size_of_the_whole_file_is_caught_where_it_matters(tmp_path: Path) -> None:
    config = folder_of(tmp_path, "limits", jit=True)
    write(tmp_path / "prices.csv", bars(1, 0.5, 300) + bars(3, 0.01, N)[300:])
    result = check(config)
    assert (result["verdict"], list(result["first"]["derived"])) == ("leak", ["LOCAL:PRICES tick_size"])
    certain = check(config, overrides={"instruments": {"PRICES": {"tick_size": 0.01, "lot_size": 1}}})
    assert (certain["verdict"], certain["notes"]) == ("passed", [])


@pytest.mark.parametrize("finer", [False, True])
def test_bars_stamped_at_their_open_and_read_as_closes_are_caught(tmp_path: Path, finer: bool) -> None:
    data, more = (BOTH, {"execution": "{detail: 15m}"}) if finer else (DATA % ", stamp: close", {})
    config = folder_of(tmp_path, "limits", data=data, jit=True, **more)
    write(tmp_path / "prices.csv", bars(1), column="open_time")
    write(tmp_path / "PRICES_15m.csv", bars(1))
    write(tmp_path / "PRICES_1h.csv", hourly(bars(1)), minutes=60)
    result = check(config, 2)
    assert (result["verdict"], result["first"]["kind"]) == ("leak", "stamp")
    assert ("3,600 s" if finer else "900 s") in result["first"]["text"]


def test_closes_that_are_stamped_as_such_pass(tmp_path: Path) -> None:
    config = folder_of(tmp_path, "limits", jit=True, data=DATA % ", stamp: close", instruments=GRID)
    assert check(config, 2)["verdict"] == "passed"


def test_chance_is_not_repeatable(tmp_path: Path) -> None:
    result = check(folder_of(tmp_path, "chance"))
    assert (result["verdict"], result["comparisons"]) == ("not repeatable", 0)


@pytest.mark.parametrize("cuts", [1, 9])
def test_honest_strategies_pass(tmp_path: Path, cuts: int) -> None:
    result = check(folder_of(tmp_path, "honest"), cuts)
    assert (result["verdict"], result["decisions"] > 10, len(result["cuts"])) == ("passed", True, cuts)
    assert result["comparisons"] == 2 * cuts


def side(tmp_path: Path) -> Path:
    close = np.array(bars(1))[:, 3]
    smooth = np.convolve(close, np.ones(9) / 9, "same")  # centred: four bars ahead
    rows = [f"{ts},{c:.2f},{m:.4f}" for ts, c, m in zip(stamps(N), close, smooth, strict=True)]
    path = tmp_path / "smooth.csv"
    path.write_text("\n".join(["timestamp,close,smooth", *rows]) + "\n")
    return path


def test_files_made_before_the_run_prove_nothing(tmp_path: Path) -> None:
    config, path = folder_of(tmp_path, "side_file"), side(tmp_path)
    result = check(config)
    assert (result["verdict"], result["passed"], len(result["unproven"])) == ("unproven", False, 1)
    assert str(path) in result["unproven"][0]
    assert check(config, trust=(path,))["verdict"] == "passed"


def test_files_can_be_made_anew_for_each_run(tmp_path: Path, program: Program) -> None:
    config = folder_of(tmp_path, "side_file")
    side(tmp_path)
    tool = tmp_path / "smooth.py"
    for ahead, code in ((5, 1), (1, 0)):
        tool.write_text(SMOOTH.format(ahead=ahead))
        words = f"{sys.executable} {tool} {{data}}/prices.csv {{out}}/smooth.csv"
        done = program("check", "lookahead", config, "--cuts", 2, "--prepare", words, "--json")
        assert (done.code, done.objects[0]["verdict"]) == (code, "leak" if code else "passed")
    failed = program("check", "lookahead", config, "--prepare", f"{sys.executable} {tmp_path}/none.py")
    assert (failed.code, "exit code 2" in failed.err) == (4, True)
    assert program("check", "lookahead", config, "--prepare", "no-such-program").code == 2


def test_a_cache_of_an_earlier_run_proves_nothing(tmp_path: Path) -> None:
    config = folder_of(tmp_path, "cache")
    (tmp_path / "cache.json").write_text("100.0")
    result = check(config)
    assert (result["verdict"], result["findings"]) == ("unproven", [])
    assert "cache.json" in result["unproven"][0]


def test_a_file_can_be_vouched_for(tmp_path: Path) -> None:
    config, level = folder_of(tmp_path, "model"), tmp_path / "level.txt"
    level.write_text("101.0")
    assert check(config)["verdict"] == "unproven"
    assert check(config, trust=(level,))["verdict"] == "passed"


@pytest.mark.parametrize("config", SHIPPED, ids=lambda path: path.stem)
def test_shipped_strategies_pass(config: Path) -> None:
    book = "kind: book" in config.read_text(encoding="utf-8")
    try:
        result = check(config, 2, overrides={"data.to": SHORT_BOOK if book else SHORT_BARS})
    except StrategyError as error:
        if "No module named" not in str(error):
            raise
        pytest.skip(f"an optional package is not installed: {error}")
    assert (result["verdict"], result["unproven"]) == ("passed", [])
    assert result["method"] == ("events" if book else "files")


@pytest.mark.proof
@pytest.mark.parametrize("config", SHIPPED, ids=lambda path: path.stem)
def test_shipped_strategies_pass_at_many_times(config: Path) -> None:
    result = check(config, 20)
    assert (result["verdict"], result["decisions"] > 0) == ("passed", True)


def test_the_command_says_what_differs(tmp_path: Path, program: Program) -> None:
    config = folder_of(tmp_path, "tomorrow")
    done = program("check", "lookahead", config, "--cuts", 3)
    assert done.code == 1
    for text in ("leak", "with the future", "without it", "LOCAL:PRICES", "the data was"):
        assert text in done.out
    quiet = program("check", "lookahead", config, "--cuts", 1, "-q", "--set", "name=other")
    assert (quiet.code, quiet.out) == (1, "")


def test_the_command_passes_and_speaks_json(tmp_path: Path, program: Program) -> None:
    done = program("check", "lookahead", folder_of(tmp_path, "honest"), "--cuts", 1, "--json")
    assert (done.code, [one["verdict"] for one in done.objects]) == (0, ["passed"])
    assert "passed" in program("check", "lookahead", tmp_path / "leak.yaml", "--cuts", 1).out


def test_errors_are_told(tmp_path: Path, program: Program) -> None:
    config = folder_of(tmp_path, "honest")
    assert program("check", "lookahead", config, "--cuts", 0).code == 2
    missing = program("check", "lookahead", tmp_path / "leek.yaml")
    assert (missing.code, "leak.yaml" in missing.err) == (2, True)
    (tmp_path / "prices.csv").unlink()
    assert program("check", "lookahead", config).code == 3
