"""Pages in a real browser, offline: every chart drawn, nothing on the console, quick to see, small enough."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tests.report.conftest import MakeRun, report_of
from tests.report.test_page import early
from tradectl.cli.main import run
from tradectl.db.catalogue import find_run
from tradectl.report.build import build
from tradectl.report.compare import build_comparison
from tradectl.report.model import Report

CHROMIUM = Path("/usr/bin/chromium")
PAINT_MS, LARGEST = 3_000, 12_000_000
DESKTOP, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 800}
FIRST_PAINT = "performance.getEntriesByName('first-contentful-paint')[0].startTime"
BIG = """
name: million
strategy: {{path: {strategy}, params: {{fast: 20, slow: 60, short: true}}}}
data: {{source: bars, kind: bars, symbols: [BIG/USD]}}
bars: [15m]
account: {{type: margin, currency: USD, balance: 100000, leverage: 2}}
sizing: {{method: percent_equity, value: 0.5}}
execution: {{scenarios: false}}
"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if not CHROMIUM.is_file():
        pytest.skip(f"there is no browser at {CHROMIUM}")
    with playwright.sync_playwright() as started:
        made = started.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        yield made
        made.close()


class Opened:
    """A page in the browser, with what it wrote on the console and whom it asked for anything."""

    def __init__(self, browser: Any, place: Path, size: dict[str, int] = DESKTOP, scheme: str = "light") -> None:
        self.context = browser.new_context(viewport=size, color_scheme=scheme, offline=True)
        self.page = self.context.new_page()
        self.said: list[str] = []
        self.asked: list[str] = []
        self.page.on("console", lambda one: self.said.append(one.text))
        self.page.on("pageerror", lambda one: self.said.append(str(one)))
        self.page.on("request", lambda one: self.asked.append(one.url[:60]))
        self.page.goto(f"file://{place}")
        self.page.wait_for_selector("html[data-drawn]", timeout=60_000)

    def check(self) -> None:
        """Assert that all is drawn and nothing was said or asked for."""
        state = self.page.evaluate("tradectlReport")
        assert state["errors"] == []
        assert state["drawn"] == state["charts"] > 0
        assert self.page.locator(".plot:not(:has(.main-svg))").count() == 0
        assert self.said == []
        assert [url for url in self.asked if not url.startswith(("file:", "data:", "blob:"))] == []
        wide = self.page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        assert wide <= 0, "the page is wider than the screen"


def written(folder: Path, text: str) -> Path:
    place = folder / "page.html"
    place.write_text(text, encoding="utf-8")
    assert place.stat().st_size <= LARGEST
    return place


@pytest.mark.parametrize(("size", "scheme"), [(DESKTOP, "light"), (PHONE, "dark")])
@pytest.mark.parametrize("kind", ["bars", "book", "idle"])
def test_every_chart_is_drawn(
    browser: Any, pages: dict[str, str], tmp_path: Path, kind: str, size: dict[str, int], scheme: str
) -> None:
    opened = Opened(browser, written(tmp_path, pages[kind]), size, scheme)
    opened.check()
    assert opened.page.evaluate("document.documentElement.dataset.theme") == scheme
    assert opened.page.evaluate(FIRST_PAINT) <= PAINT_MS
    opened.context.close()


def test_a_comparison_is_drawn(browser: Any, bars: Report, make_run: MakeRun, tmp_path: Path) -> None:
    other = report_of(make_run("quickstart.yaml", "--set", "strategy.params.fast=20", "--set", "name=slower"))
    opened = Opened(browser, written(tmp_path, build_comparison([bars, other])), PHONE)
    opened.check()
    opened.context.close()


def test_panels_of_plotted_series_are_drawn(browser: Any, make_run: MakeRun, tmp_path: Path) -> None:
    page = build(report_of(make_run("rsi_reversion.yaml")))
    opened = Opened(browser, written(tmp_path, page), PHONE)
    opened.check()
    assert opened.page.evaluate("document.getElementById('price-0').data.map((one) => one.name)")[1:3] == ["rsi", "low"]
    assert opened.page.locator("#price-0 .cartesianlayer .subplot").count() == 2
    assert opened.page.locator("#price-0").get_by_text("RSI", exact=True).count() == 1
    opened.context.close()


MARKS = """() => [...document.querySelectorAll('#price-0 .scatterlayer .trace')].slice(-2).map((trace) =>
  [...trace.querySelectorAll('.point')].map((one) => one.getBoundingClientRect()).map((box) => [box.x, box.right]))"""
SOLD = "document.getElementById('price-0').data.at(-1).customdata"


def test_many_trades_on_a_phone_and_on_paper(browser: Any, make_run: MakeRun, tmp_path: Path) -> None:
    report = report_of(make_run("bollinger_limits.yaml"))
    opened = Opened(browser, written(tmp_path, build(report)), PHONE)
    page = opened.page
    told = page.evaluate(SOLD)
    of_each = [int(text.split()[0]) if "orders" in text else 1 for text in told]
    assert sum(of_each) == report.data.fills.filter(pl.col("side") == "SELL")["order_id"].n_unique()
    page.evaluate("void Plotly.relayout('price-0', {'xaxis.range': ['2024-01-10 00:00', '2024-01-12 00:00']})")
    page.wait_for_function(f"{SOLD}.length !== {len(told)}")
    assert page.evaluate("document.getElementById('price-0')._fullLayout.xaxis.type") == "date"
    for marks in page.evaluate(MARKS):
        assert len(marks) > 5
        assert all(left[1] <= right[0] + 1 for left, right in itertools.pairwise(marks)), "no mark covers another"
    opened.check()
    page.set_viewport_size({"width": 690, "height": 900})
    page.emulate_media(media="print")
    page.evaluate("void window.dispatchEvent(new Event('beforeprint'))")
    assert page.evaluate("document.documentElement.scrollWidth") <= 690
    assert page.get_by_text("1–20 of 87").is_visible()
    opened.context.close()


def test_the_table_of_trades_sorts_and_turns(browser: Any, pages: dict[str, str], bars: Report, tmp_path: Path) -> None:
    opened = Opened(browser, written(tmp_path, pages["bars"]))
    page = opened.page
    cells = "[...document.querySelectorAll('[data-table] tbody tr')].map((row) => row.cells[7].textContent)"
    first = page.evaluate(cells)
    page.get_by_role("button", name="P&L, USD").click()
    best = page.evaluate(cells)
    results = sorted(bars.data.trips["result"].to_list(), reverse=True)
    assert first != best
    assert best == [f"{value:,.2f}".replace("-", "−") for value in results[: len(best)]]
    assert page.locator("th[aria-sort=descending]").count() == 1
    page.get_by_role("button", name="P&L, USD").click()
    assert page.evaluate(cells)[0] == best[-1] or len(results) > len(best)
    page.get_by_role("button", name="More").click()
    assert len(page.evaluate(cells)) == len(results) - len(best)
    assert page.locator(".pager").is_visible()
    opened.context.close()


def test_a_short_table_has_no_pages(browser: Any, bars: Report, tmp_path: Path) -> None:
    opened = Opened(browser, written(tmp_path, build(early(bars))))
    assert opened.page.locator("[data-table] tbody tr").count() == 1
    assert not opened.page.locator(".pager").is_visible()
    opened.context.close()


def test_dark_and_light(browser: Any, pages: dict[str, str], tmp_path: Path) -> None:
    opened = Opened(browser, written(tmp_path, pages["bars"]))
    colour = "document.querySelector('#equity-chart .scatterlayer .js-line').style.stroke"
    light = opened.page.evaluate(colour)
    opened.page.get_by_role("button", name="Dark").click()
    opened.page.wait_for_function(f"{colour} !== '{light}'")
    assert opened.page.evaluate("document.documentElement.dataset.theme") == "dark"
    opened.check()
    opened.context.close()


@pytest.mark.proof
def test_a_million_bars(browser: Any, tmp_path: Path) -> None:
    strategy = Path(__file__).parents[2] / "strategies" / "sma_cross.py"
    bars, config = tmp_path / "bars", tmp_path / "big.yaml"
    config.write_text(BIG.format(strategy=strategy))
    assert run(["data", "generate", str(bars), "--symbols", "BIG/USD", "--bars", "1000000", "--seed", "3"]) == 0
    assert run(["backtest", str(config), "--out", str(tmp_path / "runs"), "--quiet"]) == 0
    report = report_of(find_run("latest", tmp_path / "runs"))
    assert report.prices is not None
    assert report.prices.height == 1_000_000
    opened = Opened(browser, written(tmp_path, build(report)))
    opened.check()
    assert opened.page.evaluate(FIRST_PAINT) <= PAINT_MS
    # a day of two years: what is drawn is picked anew, from what lies in it
    day = "['2025-03-01 00:00', '2025-03-02 00:00']"
    before = opened.page.evaluate("document.getElementById('price-0').data[0].x.length")
    opened.page.evaluate(f"Plotly.relayout('price-0', {{'xaxis.range': {day}}})")
    opened.page.wait_for_function("document.getElementById('price-0').data[0].x.length < 1000")
    after = opened.page.evaluate("document.getElementById('price-0').data[0].x")
    assert before > 2_000
    assert len(after) > 60, "60,000 of 1,000,000 bars are 86 a day"
    assert after[-1] - after[0] < 2 * 86_400_000
    opened.context.close()
