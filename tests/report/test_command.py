"""`tradectl report`: pages, lists and formats."""

from __future__ import annotations

import csv
import io
import shutil
from pathlib import Path

import pytest

from tests.cli.tools import Program
from tests.report.conftest import MakeRun
from tradectl.metrics.load import RunData
from tradectl.metrics.registry import METRICS, compute_all


@pytest.fixture
def program(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Program:
    monkeypatch.chdir(tmp_path)
    return Program(capsys)


@pytest.fixture
def runs(make_run: MakeRun, tmp_path: Path) -> list[str]:
    """Return two runs in ./runs of the program's folder."""
    made = [make_run("quickstart.yaml"), make_run("market_maker.yaml")]
    for one in made:
        shutil.copytree(one.path, tmp_path / "runs" / one.name)
    return [one.name for one in made]


def test_a_page_in_the_run_folder_or_elsewhere(program: Program, runs: list[str], tmp_path: Path) -> None:
    done = program("report", runs[0])
    assert done.code == 0
    assert "total return" in done.out
    page = tmp_path / "runs" / runs[0] / "report.html"
    assert page.read_text().startswith("<!doctype html>")
    assert program("report", runs[0], "--out", "x.html").code == 0
    assert Path("x.html").is_file()
    page.unlink()
    assert program("report", runs[0], "--no-html").code == 0
    assert program("report", *runs).code == 0
    assert not page.exists()


def test_the_list_has_the_latest_first(program: Program, runs: list[str]) -> None:
    done = program("report", "--list", "--json")
    assert {one["run"] for one in done.objects} == set(runs)
    assert set(done.objects[0]) >= {"name", "status", "total_return", "sharpe", "fills", "made"}
    assert "market-maker" in program("report", "--list").out
    assert program("report", "--list", "--runs", "nowhere").code == 6


def test_figures_in_every_format(program: Program, runs: list[str]) -> None:
    rows = list(csv.reader(io.StringIO(program("report", *runs, "--format", "csv").out)))
    assert rows[0] == ["figure", *runs]
    told = {row[0]: row[1:] for row in rows}
    assert set(METRICS) <= set(told)
    objects = program("report", *runs, "--format", "json").objects
    assert float(told["total_return"][0]) == objects[0]["total_return"] == objects[0]["metrics"]["total_return"]
    assert float(told["beta"][0]) == objects[0]["metrics"]["beta"]
    lines = program("report", *runs, "--format", "md").out.splitlines()
    assert lines[0] == f"| Figure | {runs[0]} | {runs[1]} |"
    assert lines[1] == "| --- | ---: | ---: |"
    assert f"| final_equity | {objects[0]['final_equity']:,.2f} |" in "\n".join(lines)
    assert not Path("runs", runs[0], "report.html").exists()


@pytest.mark.parametrize("profile", ["quantstats", "empyrical"])
def test_metrics_of_a_profile(program: Program, runs: list[str], tmp_path: Path, profile: str) -> None:
    run = RunData.open(tmp_path / "runs" / runs[0])
    (found,) = program("report", runs[0], "--profile", profile, "--json").objects
    assert found["profile"] == profile
    wanted = compute_all(run, profile=profile)
    assert wanted["sharpe"] != compute_all(run)["sharpe"]
    assert found["metrics"]["sharpe"] == pytest.approx(wanted["sharpe"])
    table = program("report", runs[0], "--profile", profile, "--format", "md")
    assert table.code == 0
    assert f"| sharpe | {wanted['sharpe']:.6g} |" in table.out
    assert not (tmp_path / "runs" / runs[0] / "report.html").exists()


def test_runs_are_compared(program: Program, runs: list[str]) -> None:
    assert program("report", *runs, "--compare").code == 0
    assert "2 runs compared" in Path("compare.html").read_text()


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (["--format", "xml", "--list"], 2, "csv, json, md, table"),
        ([], 2, "name a run"),
        (["quick", "--compare"], 2, "two runs or more"),
        (["quick", "market", "--out", "x.html"], 2, "--compare"),
        (["quick", "--out", "no/such/folder.html"], 6, "cannot be written"),
        (["quick", "--data", "nowhere.csv"], 3, "no file matches"),
        (["nothing"], 6, "no run"),
        (["quick", "--profile", "quantstat"], 2, "quantstats"),
    ],
)
def test_faults_are_told(program: Program, runs: list[str], arguments: list[str], code: int, text: str) -> None:
    done = program("report", *arguments)
    assert done.code == code
    assert text in done.err
