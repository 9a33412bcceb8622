from __future__ import annotations

import re
from dataclasses import replace

from tests.report.conftest import MakeRun, report_of
from tests.report.test_page import charts
from tradectl.report.compare import build_comparison, differences, differing, labels
from tradectl.report.model import Report


def test_differences_name_the_key() -> None:
    one = {"name": "a", "fees": {"maker": 0.1, "taker": 0.2}, "data": [{"source": ["x", "y"]}], "bars": []}
    two = {
        "name": "b",
        "fees": {"maker": 0.1, "taker": 0.3},
        "data": [{"source": ["x"]}],
        "seed": 1,
        "bars": [],
    }
    assert differences([one, two]) == [
        ("fees.taker", "0.2", "0.3"),
        ("data[0].source", "x, y", "x"),
        ("seed", "–", "1"),
    ]
    assert differences([one, one]) == []


def test_versions_differ_where_both_runs_name_them() -> None:
    old, new = (
        {"tradectl": "1", "numpy": "2.0", "python": "3.11"},
        {"tradectl": "1", "numpy": "2.1", "python": "3.11"},
    )
    with_calendar = {**old, "exchange_calendars": "4.13"}
    assert differing([old, with_calendar]) == []
    assert differing([old, with_calendar, new]) == ["numpy 2.0 and 2.1"]


def test_runs_lie_over_each_other(bars: Report, make_run: MakeRun) -> None:
    other = report_of(make_run("quickstart.yaml", "--set", "strategy.params.fast=20", "--set", "name=slower"))
    page = build_comparison([bars, other])
    assert set(charts(page)) == {"compare-equity", "compare-drawdown"}
    assert [one["name"] for one in charts(page)["compare-equity"]["traces"]] == ["quickstart", "slower"]
    assert "Final equity, USD</th>" in page
    assert "Sharpe ratio</th>" in page
    row = re.search(r"<tr><th[^>]*>strategies\[0\]\.params\.fast</th>(.*?)</tr>", page)
    assert row is not None
    assert re.findall(r">([^<>]+)</td>", row[1]) == ["10", "20"]


def test_a_run_that_starts_with_nothing_has_no_line(bars: Report) -> None:
    empty = replace(bars, data=replace(bars.data, summary={**bars.data.summary, "initial_equity": None}))
    assert len(charts(build_comparison([bars, empty]))["compare-equity"]["traces"]) == 1


def test_runs_of_one_name_are_told_apart(bars: Report) -> None:
    names = labels([bars, bars])
    assert len(set(names)) == 2
    lock = {**bars.lock, "versions": {**bars.lock["versions"], "exchange_calendars": "4.13"}}
    page = build_comparison([bars, replace(bars, lock=lock)])
    assert "All settings are the same" in page
    assert "different versions" not in page
