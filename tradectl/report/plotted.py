"""The series that strategies plot themselves: over an instrument's prices, and in panels below them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl

from tradectl.report.draw import Floats, Trace, broken, stamps
from tradectl.report.model import Report
from tradectl.report.text import TICKS, quantity

__all__ = ["Plotted", "plotted"]

POINTS = 120_000  # of all plotted series of a page
FEWEST = 500  # points of one
HEIGHT, PANEL, GAP = 420, 130, 26  # pixels: of the prices, of a panel, between two
COLOURS = ("series-4", "series-3", "series-5", "series-6", "series-7", "series-2")
Told = Mapping[str, str]


@dataclass
class Plotted:
    """What a chart of prices gets: traces, its layout and height, and what the series are in words."""

    traces: list[Trace] = field(default_factory=list)
    layout: dict[str, Any] = field(default_factory=dict)
    height: int = HEIGHT
    told: str = ""


def plotted(report: Report, symbol: str, charts: int) -> Plotted:
    """Return the series of one instrument, of which the page has `charts`."""
    mine = report.plots.filter(pl.col("symbol").cast(pl.String) == symbol)
    found = [(name, one, rows) for name, one, rows in _series(report, mine) if rows.height]
    panels = list(dict.fromkeys(one["panel"] for _name, one, _rows in found if one["panel"]))
    made = Plotted(layout=_layout(panels), height=HEIGHT + len(panels) * (PANEL + GAP))
    most = max(POINTS // max(charts * len(found), 1), FEWEST)
    words = []
    for k, (name, one, rows) in enumerate(found):
        ts, values = stamps(rows["ts"]), rows["value"].to_numpy()
        more: Trace = {"hovertemplate": "%{y:,.6~g}"}
        if one["panel"]:
            more["yaxis"] = f"y{panels.index(one['panel']) + 2}"
        made.traces.append(broken(name, ts, values, COLOURS[k % len(COLOURS)], one["style"], most=most, **more))
        words.append(_words(name, one["panel"], values))
    made.told = f" The strategy's own series: {'; '.join(words)}." if words else ""
    return made


def _series(report: Report, rows: pl.DataFrame) -> Iterator[tuple[str, Told, pl.DataFrame]]:
    """Yield (name shown, what was declared, rows) of each series of each strategy."""
    told: Mapping[str, list[Told]] = report.summary.get("plots", {})
    for strategy, declared in told.items():
        own = rows.filter(pl.col("strategy").cast(pl.String) == strategy)
        for one in declared:
            name = f"{strategy}: {one['name']}" if len(told) > 1 else one["name"]
            yield name, one, own.filter(pl.col("series").cast(pl.String) == one["name"])


def _layout(panels: list[str]) -> dict[str, Any]:
    """Return the axes: prices above, a panel of its own below for each name."""
    height = HEIGHT + len(panels) * (PANEL + GAP)
    axes: dict[str, Any] = {"xaxis": {"type": "date"}, "yaxis": {"tickformat": TICKS}}
    if panels:
        axes["xaxis"]["anchor"] = f"y{len(panels) + 1}"
        axes["yaxis"]["domain"] = [1.0 - HEIGHT / height, 1.0]
    for k, name in enumerate(panels):
        top = 1.0 - (HEIGHT + GAP + k * (PANEL + GAP)) / height
        axes[f"yaxis{k + 2}"] = {"domain": [max(top - PANEL / height, 0.0), top], "title": {"text": name}, "nticks": 5}
    return axes


def _words(name: str, panel: str, values: Floats) -> str:
    """Return a series in words: its range and its last value."""
    where = f"{name} in the panel {panel}" if panel else f"{name} over the prices"
    known = values[np.isfinite(values)]
    if not len(known):
        return f"{where}, without a value"
    low, high, last = (quantity(one) for one in (known.min(), known.max(), known[-1]))
    return f"{where}, always {last}" if low == high else f"{where}, between {low} and {high}, at last {last}"
