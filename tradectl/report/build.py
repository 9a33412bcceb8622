"""The report of one run: which sections it has, in which order."""

from __future__ import annotations

from tradectl.report import (
    book,
    breakdown,
    conduct,
    equity,
    execution,
    feeds,
    figures,
    headline,
    proof,
    returns,
    trading,
)
from tradectl.report.html import Section
from tradectl.report.model import Maker, Report
from tradectl.report.page import page
from tradectl.report.text import count

__all__ = ["SECTIONS", "build"]

# One line a section; what a run has nothing of is left out.
SECTIONS: tuple[Maker, ...] = (
    headline.headline,
    equity.equity,
    returns.returns,
    trading.prices,
    trading.round_trips,
    breakdown.profit,
    breakdown.costs,
    execution.execution,
    book.book,
    feeds.feeds,
    conduct.orders,
    conduct.path,
    conduct.data,
    figures.figures,
    proof.audit,
    proof.lock,
)


def build(report: Report) -> str:
    """Return the page of a run."""
    made: list[Section] = [section for maker in SECTIONS if (section := maker(report)) is not None]
    told = report.summary
    what = ", ".join(report.symbols[:4]) + (f" and {len(report.symbols) - 4} more" if len(report.symbols) > 4 else "")
    about = " · ".join(part for part in (what, f"{count(told.get('events'))} events", report.data.folder.name) if part)
    version = report.lock["versions"].get("tradectl", "")
    foot = f"Made by tradectl {version} from the run's own files."
    return page(report.name, about, headline.badges(report), made, foot)
