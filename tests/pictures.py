"""Makes the pictures of the README: a report's page on the shipped sample, and a session's terminal.

`make pictures`; needs Playwright and Chromium, as the browser tests do.
"""

from __future__ import annotations

import asyncio
import io
import tempfile
from pathlib import Path
from typing import Any

from rich.console import Console

from tests.paper.replayed import ROOT
from tests.report.test_browser import CHROMIUM, Opened
from tradectl.bench.paper import sandbox
from tradectl.cli.main import run
from tradectl.cli.paper_session import Session
from tradectl.cli.paper_view import View
from tradectl.cli.runner_paper import PaperRequest, run_paper
from tradectl.db.catalogue import find_run

PICTURES = ROOT / "docs" / "pictures"
PAGE = {"width": 1180, "height": 1200}
TERMINAL = (120, 30)  # columns, lines
SECONDS, RATE = 45, 600  # how long the session lasts; messages a second


def picture_of_a_report(browser: Any, folder: Path) -> None:
    """Run the quick start, and picture the head of its page."""
    runs = folder / "runs"
    assert run(["backtest", str(ROOT / "configs" / "quickstart.yaml"), "--out", str(runs), "--quiet"]) == 0
    page = folder / "report.html"
    assert run(["report", str(find_run("latest", runs).path), "--out", str(page)]) == 0
    opened = Opened(browser, page, PAGE)
    opened.page.screenshot(path=PICTURES / "report.png")
    opened.context.close()


def drawing_of_a_session(folder: Path) -> Path:
    """Paper-trade against the sandbox; return a drawing of what the terminal shows after a while."""
    width, height = TERMINAL
    console = Console(width=width, height=height, file=io.StringIO(), record=True, force_terminal=True)

    async def look(session: Session) -> None:
        view = View(session)
        for _ in range(SECONDS):
            view.scene()  # rates are those between two looks
            await asyncio.sleep(1.0)
        console.print(view.scene())
        session.stop("it was seen")

    with sandbox(RATE, "--exchange", "binance", "--exchange", "kraken") as endpoint:
        sets = [f"feed.exchanges.{name}.endpoint={endpoint}" for name in ("binance", "kraken")]
        config = ROOT / "configs" / "paper_sandbox.yaml"
        run_paper(PaperRequest(config, sets=sets, out=folder / "paper", watches=(look,)), lambda *_: None)
    drawn = folder / "paper.svg"
    drawn.write_text(console.export_svg(title="tradectl paper"), encoding="utf-8")
    return drawn


def picture_of_a_drawing(browser: Any, drawn: Path) -> None:
    """Picture a drawing of a terminal."""
    beside = drawn.with_suffix(".html")
    beside.write_text(f'<img width="{PAGE["width"]}" src="{drawn.name}">', encoding="utf-8")
    page = browser.new_page(viewport=PAGE)
    page.goto(f"file://{beside}")
    page.locator("img").screenshot(path=PICTURES / "paper.png")
    page.close()


def main() -> None:
    """Make both."""
    from playwright.sync_api import sync_playwright

    PICTURES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        drawn = drawing_of_a_session(Path(name))  # its loop and the browser's do not go together
        with sync_playwright() as started:
            browser = started.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
            picture_of_a_report(browser, Path(name))
            picture_of_a_drawing(browser, drawn)
            browser.close()


if __name__ == "__main__":
    main()
