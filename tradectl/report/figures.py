"""Every figure of a run with its formula, by family, and the conventions behind them."""

from __future__ import annotations

from collections.abc import Mapping

from tradectl.metrics.conventions import conventions_for, marking_of
from tradectl.metrics.registry import FAMILIES
from tradectl.metrics.sample import Metric
from tradectl.report.html import Section, details, pairs, table
from tradectl.report.model import Report
from tradectl.report.text import Write, count, days, decimal, duration, money, percent

__all__ = ["WRITERS", "figures"]

HOUR = 3_600.0  # seconds
WRITERS: dict[str, Write] = {
    "fraction": percent,
    "ratio": decimal,
    "money": money,
    "days": days,
    "hours": lambda value: duration(None if value is None else value * HOUR),
    "count": count,
}
TITLES = {"headline": "Headline", "ratios": "Ratios", "returns": "Returns", "risk": "Risk", "drawdowns": "Drawdowns",
          "trades": "Trades", "benchmark": "Against buying and holding"}  # fmt: skip


def figures(report: Report) -> Section:
    """Return all metrics, one table a family, and what they assume."""
    made = Section("figures", "All figures")
    made.lead = (
        f"{count(len(report.figures))} figures, each with its formula; a dash is a figure that is not defined for this "
        "run. What all of them assume stands at the end."
    )
    parts = [
        details(f"{TITLES.get(family, family)} ({len(metrics)})", _family(report, metrics), is_open=family == "ratios")
        for family, metrics in FAMILIES.items()
    ]
    rows = conventions_for("tradectl", marking_of(report.summary), report.data.sessions).rows()
    made.add(*parts, details("Conventions", pairs(rows), is_open=True))
    return made


def _family(report: Report, metrics: Mapping[str, Metric]) -> str:
    rows = []
    for name, one in metrics.items():
        label, value = one.label[:1].upper() + one.label[1:], WRITERS[one.unit](report.figures.get(name))
        rows.append((label, value, one.formula.replace("`", "")))
    return table(("Figure", "Value", "Formula"), rows, left=(0, 2), kind="formulas")
