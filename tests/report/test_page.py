"""What stands in a page: every section, every chart in words, the run's own figures, and nothing from elsewhere."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tests.report.conftest import MakeRun, report_of
from tests.report.test_series import unpack as unpacked
from tradectl.db.catalogue import Run
from tradectl.report import conduct
from tradectl.report.build import build
from tradectl.report.model import Report
from tradectl.report.text import money, percent, signed

COMMON = {"result", "equity", "figures", "audit", "lock", "data"}
TRADED = COMMON | {"prices", "trades", "profit", "costs", "orders"}
SECTIONS = {
    "bars": TRADED | {"path", "returns"},
    "book": TRADED | {"execution", "returns", "book"},
    "idle": COMMON | {"prices", "path"},
}


def sections(page: str) -> set[str]:
    return set(re.findall(r'<section id="([\w-]+)">', page))


def charts(page: str) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="charts">(.*?)</script>', page, re.DOTALL)
    assert found is not None
    return dict(json.loads(found[1]))


@pytest.mark.parametrize("kind", SECTIONS)
def test_sections_and_charts(pages: dict[str, str], kind: str) -> None:
    page = pages[kind]
    assert sections(page) == SECTIONS[kind]
    places = dict(re.findall(r'<div class="plot" id="([\w-]+)" role="img" aria-label="([^"]+)"', page))
    assert set(places) == set(charts(page))
    assert all(len(words) > 20 for words in places.values())
    links = set(re.findall(r'<a href="#([\w-]+)">', page))
    assert links == sections(page)


@pytest.mark.parametrize("kind", SECTIONS)
def test_a_page_needs_no_other_file(pages: dict[str, str], kind: str) -> None:
    own = re.sub(r"<script>.*?</script>", "", pages[kind], flags=re.DOTALL)
    assert not re.findall(r'(?:src|href)="(?!#|data:)', own)
    assert "http" not in re.sub(r"<pre>.*?</pre>", "", own, flags=re.DOTALL)
    assert pages[kind].count("<script>") == 3  # the theme, Plotly once, the page's own


def test_figures_are_the_summary_s(bars: Report, pages: dict[str, str]) -> None:
    told = bars.summary
    for text in (signed(told["total_return"], percent), money(told["final_equity"]), percent(told["max_drawdown"])):
        assert f">{text}</dd>" in pages["bars"]
    assert told["state_hash"] in pages["bars"]


def test_every_chart_s_colours_are_in_the_palette(pages: dict[str, str]) -> None:
    drawn = json.dumps([charts(page) for page in pages.values()])
    named = set(re.findall(r'"@([\w-]+)"', drawn)) - {"diverging"}
    assert named
    assert not [name for name in named if f"--{name}:" not in pages["bars"]]


def test_trips_of_the_table_are_the_run_s(bars: Report, pages: dict[str, str]) -> None:
    found = re.search(r'id="trips">(.*?)</script>', pages["bars"])
    assert found is not None
    columns = {one["name"]: one["values"] for one in json.loads(found[1])["columns"]}
    assert columns["P&L, USD"] == bars.data.trips["result"].to_list()
    assert len(columns["MAE"]) == bars.summary["trades"]


def test_prices_that_are_gone_are_said(make_run: MakeRun, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    shutil.copytree(make_run("quickstart.yaml").path, folder)
    lock = json.loads((folder / "lock.json").read_text())
    lock["data"]["root"] = str(tmp_path / "nowhere")
    (folder / "lock.json").write_text(json.dumps(lock))
    report = report_of(Run(folder, json.loads((folder / "summary.json").read_text())))
    assert report.prices is None
    page = build(report)
    assert "the data of the run is missing" in page
    assert "mae-chart" not in page


def test_what_a_run_is_called_is_no_markup(bars: Report) -> None:
    name = "</script><b>&"
    data = replace(bars.data, summary={**bars.data.summary, "name": name})
    page = build(replace(bars, data=data))
    assert "<h1>&lt;/script&gt;&lt;b&gt;&amp;</h1>" in page
    assert name not in page


def test_troubles_stand_at_the_top(bars: Report) -> None:
    trouble = {
        "error": {"message": "it <raised>"}, "breached": True, "status": "failed", "final_equity": -1.0,
        "disabled_strategies": [
            {"strategy": "s", "hook": "on_bar", "instrument": "X:A", "ts_event": "2024", "event": 1, "error": "oops"}
        ],
    }  # fmt: skip
    page = build(replace(bars, data=replace(bars.data, summary={**bars.data.summary, **trouble})))
    for text in ("it &lt;raised&gt;", "drawdown limit", "lost everything", "oops", '<span class="badge loss">failed'):
        assert text in page


def test_what_the_benchmark_leaves_out_is_told(bars: Report) -> None:
    assert bars.prices is not None
    assert not bars.unrated
    page = build(replace(bars, data=replace(bars.data, prices=bars.prices.with_columns(rated_by=pl.lit("X:GONE")))))
    assert f"leaves out {bars.held_names[0]}: the data has no prices of X:GONE" in page
    assert "; buying and holding" not in page


def test_of_a_journal_notes_alone_are_told(bars: Report) -> None:
    told = {"notes": ["first bar of 1h is partial"]}
    section = conduct.data(replace(bars, data=replace(bars.data, summary={**bars.data.summary, "data": told})))
    assert section is not None
    assert "first bar of 1h is partial" in section.html()
    assert "rows used" not in section.html()


def test_data_faults_and_gaps_are_told(bars: Report) -> None:
    told = dict(bars.data.summary["data"])
    told["faults"] = [{"kind": "off_tick", "instrument": "X:A", "action": "round", "count": 7, "examples": []}]
    told["instruments"] = [{**told["instruments"][0], "gap_count": 1, "missing_bars": 4320}]
    gap = {"from_ns": "2024-01-03T00:00:00Z", "to_ns": "2024-01-06T00:00:00Z"}
    told["gaps"] = [{"instrument": "X:A", **gap, "missing": 4320}]
    told["notes"] = ["a note"]
    page = build(replace(bars, data=replace(bars.data, summary={**bars.data.summary, "data": told})))
    days = [pl.datetime(2024, 1, day, time_zone="UTC") for day in (3, 6)]
    inside = bars.data.orders.filter(pl.col("ts_submitted").is_between(*days)).height
    for text in ("off tick", "rounded", "4,320 bars missing", "a note", f"<td>3 d</td><td>4,320</td><td>{inside}</td>"):
        assert text in page
    told["instruments"] = [{**told["instruments"][0], "kinds": {"depth": 5}, "missing_bars": 0}]
    page = build(replace(bars, data=replace(bars.data, summary={**bars.data.summary, "data": told})))
    assert "1 gap. Nothing fills in a gap." in page


@pytest.mark.parametrize("what", ["nothing happened", "all was lost"])
def test_runs_that_say_little(bars: Report, what: str) -> None:
    data = bars.data
    if what == "nothing happened":
        tables = {name: getattr(data, name).clear() for name in ("equity", "fills", "orders", "positions")}
    else:
        zero = pl.when(pl.int_range(pl.len()) > 9_000).then(0.0).otherwise(pl.col("equity"))
        tables = {"equity": data.equity.with_columns(equity=zero)}
    page = build(replace(bars, data=replace(data, **tables)))
    assert {"result", "equity", "audit"} <= sections(page)
    own = re.sub(r"<(script|pre)\b.*?</\1>", "", page, flags=re.DOTALL)
    assert not re.findall(r".{20}\b(?:nan|inf)\b.{20}", own)


def early(report: Report) -> Report:
    """Return a report of a run that ended with its first trade."""
    trip = report.data.trips.row(0, named=True)
    tables = {
        name: getattr(report.data, name).filter(pl.col("ts") <= trip["ts_close"]) for name in ("equity", "fills")
    }
    return replace(report, data=replace(report.data, **tables))


def test_a_run_that_ended_early_is_told_to_its_end(bars: Report) -> None:
    report = early(bars)
    page = build(report)
    drawn = charts(page)
    span = [at // 1_000_000 for at in report.span]
    names = ("equity-chart", "exposure-chart", "fees-chart", "price-0")
    ends = {name: drawn[name]["traces"][0]["packed"] for name in names}
    assert {name: unpacked(one)[0][[0, -1]].tolist() for name, one in ends.items()} == dict.fromkeys(ends, span)
    assert unpacked(ends["fees-chart"])[1][0] == 0.0
    assert "1 finished round trip, from flat to flat or to a flip, after fees: it made" in page
    assert "1 buy and 1 sell filled" in page
    assert "mae-chart" not in drawn


def test_scenarios_of_ambiguous_bars(bars: Report) -> None:
    one = {"final_equity": 90_000.0, "total_return": -0.1, "max_drawdown": 0.2, "trades": 3, "fills": 6}
    other = {**one, "total_return": 0.1, "final_equity": 110_000.0}
    told = {
        "ambiguous_bars": 7, "ambiguous": {"fills": 2, "fills_share": 0.25, "pnl_share": 0.5},
        "scenarios": {"adverse": one, "base": one, "favourable": other},
    }  # fmt: skip
    page = build(replace(bars, data=replace(bars.data, summary={**bars.data.summary, **told})))
    assert "In 7 of 20,160 bars" in page
    assert "25.0 % of the fills and 50.0 % of the realised" in page
    assert re.search(r'Favourable</th><td class="gain">\+10\.00 %</td><td>110,000\.00</td>', page)


def test_refusals_say_why(book: Report, pages: dict[str, str]) -> None:
    assert book.summary["refusals"] == {"POST_ONLY_WOULD_TAKE": book.summary["rejected"]}
    assert "post_only, but it would take liquidity at once" in pages["book"]
