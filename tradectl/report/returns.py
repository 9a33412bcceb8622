"""Returns by month and year, rolling Sharpe ratio and volatility, and how the days are distributed."""

from __future__ import annotations

import calendar
import math
from typing import Any

import numpy as np
import polars as pl

from tradectl.metrics.series import calendar_returns, histogram, rolling
from tradectl.report.draw import heat
from tradectl.report.html import Chart, Section, details, note, table
from tradectl.report.model import Report
from tradectl.report.text import count, counted, decimal, percent, signed, tone

__all__ = ["returns"]

MONTHS = [name for name in calendar.month_abbr if name]
WINDOWS = ((180, 90), (60, 30), (20, 10))  # days of a run, days of the rolling window
DAY_NS = 86_400 * 10**9


def returns(report: Report) -> Section | None:
    """Return what days, months and years made; None for runs of less than two days."""
    daily = report.data.daily
    if daily.height < 2:
        return None
    made = Section("returns", "Returns", "Daily returns (UTC days, those without trading included), compounded.")
    made.draw(_calendar(daily))
    made.add(_table(daily))
    window = next((window for least, window in WINDOWS if daily.height >= least), 0)
    if window:
        made.draw(_rolling(daily, window))
    else:
        made.add(note(f"A rolling view wants {WINDOWS[-1][0]} days; the run has {daily.height}."))
    made.draw(_distribution(report))
    return made


def _calendar(daily: pl.DataFrame) -> Chart:
    months, years = calendar_returns(daily), calendar_returns(daily, "year")
    names = [str(year) for year in years["year"]][::-1]
    cells: dict[str, list[float | None]] = {name: [None] * (len(MONTHS) + 1) for name in names}
    gap: list[float | None] = [None] * len(MONTHS)
    for year, month, value, _days in months.rows():
        cells[str(year)][month - 1] = 100.0 * value if math.isfinite(value) else None
    whole = [[*gap, 100.0 * value if math.isfinite(value) else None] for value in years["return"]][::-1]
    best, worst = (months.sort("return").row(k, named=True) for k in (-1, 0))
    told = ", ".join(
        f"{word} month {MONTHS[one['month'] - 1]} {one['year']} {signed(one['return'], percent)}"
        for word, one in (("best", best), ("worst", worst))
    )
    if months.height == 1:
        told = told.partition(", ")[0].removeprefix("best month ")
    told = f"In percent; {told}; {count((months['return'] > 0).sum())} of {counted(months.height, 'month')} above 0."
    layout = {
        "yaxis": {"type": "category", "showgrid": False}, "hovermode": "closest",
        "xaxis": {"type": "category", "side": "top", "showgrid": False, "tickangle": 0}, "showlegend": False,
        "margin": {"l": 48, "r": 12, "t": 30, "b": 8},
    }  # fmt: skip
    # a scale each: beside what a year makes every month would be pale; all columns in both, for cells of one width
    traces = [heat([*MONTHS, "Year"], names, rows) for rows in ([cells[name] for name in names], whole)]
    return Chart("calendar-chart", "Months and years", told, traces, layout, 70 + 34 * len(names))


def _table(daily: pl.DataFrame) -> str:
    """Return the months as a table, for those who read rather than look."""
    rows: list[tuple[Any, ...]] = []
    for (year,), months in calendar_returns(daily).partition_by("year", as_dict=True, maintain_order=True).items():
        known = dict(zip(months["month"], months["return"], strict=True))
        cells = [(signed(known.get(k), percent), tone(known.get(k))) for k in range(1, len(MONTHS) + 1)]
        whole = float(np.prod(1.0 + months["return"].to_numpy()) - 1.0)
        rows.append((str(year), *cells, (signed(whole, percent), tone(whole))))
    return details("Months as a table", table(("Year", *MONTHS, "Year's return"), rows))


def _rolling(daily: pl.DataFrame, window: int) -> Chart:
    frame = rolling(daily, window).with_columns(pl.col("day").cast(pl.String)).drop_nulls()
    x = frame["day"].to_list()
    sharpe, volatility = (frame[name].fill_nan(None) for name in ("sharpe", "volatility"))
    known = sharpe.drop_nulls()
    told = f"Over the last {window} days, a year. "
    if len(known):
        told += f"Sharpe ratio between {decimal(known.min())} and {decimal(known.max())}, last {decimal(known[-1])}; "
    told += f"volatility between {percent(volatility.min())} and {percent(volatility.max())}."
    style = {"type": "scatter", "mode": "lines", "x": x, "connectgaps": False}
    traces = [
        {**style, "y": sharpe.to_list(), "name": "Sharpe ratio", "hovertemplate": "%{y:.2f}", "line": _line("own")},
        {
            **style, "y": (volatility * 100.0).to_list(), "name": "Volatility", "yaxis": "y2",
            "hovertemplate": "%{y:.1f} %", "line": _line("series-2"),
        },
    ]  # fmt: skip
    layout = {
        "xaxis": {"type": "date", "anchor": "y2"},
        "yaxis": {"domain": [0.56, 1.0], "title": {"text": "Sharpe"}, "zeroline": True},
        "yaxis2": {"domain": [0.0, 0.44], "title": {"text": "Volatility"}, "ticksuffix": " %", "rangemode": "tozero"},
    }
    return Chart("rolling-chart", "Rolling Sharpe ratio and volatility", told, traces, layout, 360)


def _line(colour: str) -> dict[str, Any]:
    return {"color": f"@{colour}", "width": 1.6}


def _distribution(report: Report) -> Chart:
    values = report.data.daily["return"].to_numpy()
    bins = histogram(values)
    middle = ((bins["low"] + bins["high"]) * 50.0).to_list()
    figure = report.figures
    named = ", ".join(f"{word} {signed(figure.get(f'{word}_day'), percent)}" for word in ("mean", "best", "worst"))
    still = int((values == 0.0).sum())
    zeros = f", {count(still)} of them 0 (in the grey bar)" if still else ""
    told = (
        f"{count(len(values))} days{zeros}: {named}; one day in twenty loses {percent(figure.get('value_at_risk'))} or "
        f"more; skewness {decimal(figure.get('skew'))}, kurtosis {decimal(figure.get('kurtosis'))} (3 is normal)."
    )
    at_zero = "@other" if still else "@gain"  # the bar that begins at 0 holds them
    colours = ["@loss" if low < 0.0 else "@gain" if low > 0.0 else at_zero for low in bins["low"]]
    trace = {
        "type": "bar", "x": middle, "y": bins["count"].to_list(), "marker": {"color": colours},
        "hovertemplate": "around %{x:.2f} %: %{y} days<extra></extra>",
        "width": ((bins["high"] - bins["low"]) * 92.0).to_list(),
    }  # fmt: skip
    few = {"dtick": 1} if max(bins["count"]) <= 5 else {}  # days are whole
    axes = {"xaxis": {"ticksuffix": " %"}, "yaxis": {"title": {"text": "days"}, **few}}
    layout = {**axes, "hovermode": "closest", "showlegend": False}
    return Chart("distribution-chart", "Distribution of daily returns", told, [trace], layout, 280)
