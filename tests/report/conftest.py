"""Runs whose pages are made: one on bars, one on a book, one without a trade."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable
from pathlib import Path

import pytest

from tradectl.cli.main import run
from tradectl.cli.report_prices import read_market
from tradectl.db.catalogue import Run, find_run
from tradectl.report.build import build
from tradectl.report.model import Report, open_report

CONFIGS = Path(__file__).parents[2] / "configs"
MakeRun = Callable[..., Run]


@pytest.fixture(scope="session")
def make_run(tmp_path_factory: pytest.TempPathFactory) -> MakeRun:
    """Return what runs a shipped config with more options; runs of a session are made once."""
    folder = tmp_path_factory.mktemp("reported")
    made: dict[tuple[str, ...], Run] = {}

    def make(config: str, *options: str) -> Run:
        key = (config, *options)
        if key not in made:
            place = folder / str(len(made))
            with contextlib.redirect_stdout(io.StringIO()):
                code = run(["backtest", str(CONFIGS / config), "--out", str(place), "--quiet", *options])
            assert code == 0
            made[key] = find_run("latest", place)
        return made[key]

    return make


def report_of(made: Run) -> Report:
    return open_report(made, read_market(made, []))


@pytest.fixture(scope="session")
def bars(make_run: MakeRun) -> Report:
    return report_of(make_run("quickstart.yaml"))


@pytest.fixture(scope="session")
def book(make_run: MakeRun) -> Report:
    return report_of(make_run("market_maker.yaml"))


@pytest.fixture(scope="session")
def idle(make_run: MakeRun) -> Report:
    return report_of(make_run("quickstart.yaml", "--to", "2024-01-01T01:00:00"))


@pytest.fixture(scope="session")
def pages(bars: Report, book: Report, idle: Report) -> dict[str, str]:
    return {"bars": build(bars), "book": build(book), "idle": build(idle)}
