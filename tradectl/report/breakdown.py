"""Where profit and loss come from: by instrument, side, hour, weekday; and what trading cost."""

from __future__ import annotations

import calendar
from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl

from tradectl.metrics.series import profit_by
from tradectl.report.draw import bars, stamps, steps, throughout
from tradectl.report.html import Chart, Section, details, note, table, tiles
from tradectl.report.model import Report
from tradectl.report.text import TICKS, count, counted, money, percent, signed, tone

__all__ = ["costs", "profit"]

MOST = 30  # groups that a chart or table shows: those with the largest amounts
WEEKDAYS = list(calendar.day_name)
# group, title, how its values are written, whether the names are long
GROUPS: tuple[tuple[str, str, Callable[[Any], str], bool], ...] = (
    ("symbol", "By instrument", str, True),
    ("side", "By side", lambda side: str(side).capitalize(), False),
    ("hour", "By hour of entry (UTC)", lambda hour: f"{hour:02d}", False),
    ("weekday", "By weekday of entry (UTC)", lambda day: WEEKDAYS[day - 1][:3], False),
)
MORE: tuple[tuple[str, str, Callable[[Any], str], bool], ...] = (
    ("strategy", "By strategy", str, True),
    ("tag", "By tag", lambda tag: str(tag) if tag else "none", False),
    ("exit_type", "By type of exit", str, False),
)  # told where there are several


def profit(report: Report) -> Section | None:
    """Return the finished trades' result by group; None without any."""
    trips = report.data.trips
    if trips.is_empty():
        return None
    made = Section("profit", "Profit and loss", f"Finished trades after fees, in {report.currency}.")
    charts, tables = [], []
    several = [one for one in MORE if trips[one[0]].n_unique() > 1]
    for group, title, write, is_long in (*GROUPS, *several):
        rows = profit_by(trips, group)
        if rows.height > MOST:
            rows = rows.with_columns(size=pl.col("result").abs()).top_k(MOST, by="size").sort(group)
            title += f", the {MOST} largest"
        names = ["none" if value is None else write(value) for value in rows[group]]
        if rows.height > 1:
            charts.append(_chart(group, title, names, rows, is_long))
        tables.append(_table(title, names, rows))
    made.charts += charts
    if charts:
        made.side_by_side(*(chart.html() for chart in charts))
    made.add(details("As tables", "".join(tables), is_open=not charts))
    return made


def _chart(group: str, title: str, names: list[str], rows: pl.DataFrame, is_long: bool) -> Chart:
    results = rows["result"].to_list()
    best, worst = int(np.argmax(results)), int(np.argmin(results))
    told = f"Best {names[best]} {signed(results[best])}"
    told += f", worst {names[worst]} {signed(results[worst])}." if worst != best else "."
    hover = "%{y}: %{x:,.2f}" if is_long else "%{x}: %{y:,.2f}"
    trace = bars(names, results, across=is_long, hovertemplate=hover + ", %{customdata} trades<extra></extra>")
    trace["customdata"] = rows["trades"].to_list()
    money_axis, name_axis = {"tickformat": TICKS}, {"type": "category"}
    layout: dict[str, Any] = {"hovermode": "closest", "showlegend": False, "bargap": 0.35}
    if is_long:
        layout |= {"xaxis": money_axis, "yaxis": {**name_axis, "autorange": "reversed"}}
    else:
        layout |= {"xaxis": name_axis, "yaxis": money_axis}
    height = max(240, 90 + 26 * len(names)) if is_long else 240
    return Chart(f"profit-{group}", title, told, [trace], layout, height)


def _table(title: str, names: list[str], rows: pl.DataFrame) -> str:
    cells = [
        (
            name, count(row["trades"]), (signed(row["result"]), tone(row["result"])), signed(row["mean_result"]),
            percent(row["win_rate"]), money(row["fees"]),
        )
        for name, row in zip(names, rows.to_dicts(), strict=True)
    ]  # fmt: skip
    return table(("", "Trades", "Result", "Mean", "Won", "Fees"), cells, caption=title)


def costs(report: Report) -> Section | None:
    """Return what trading cost; None where nothing was traded."""
    fills, figure = report.data.fills, report.figures
    if fills.is_empty():
        return None
    made = Section("costs", "Costs")
    made.add(tiles([
        (f"Fees, {report.currency}", money(figure.get("fees")), ""),
        (f"Funding, {report.currency}", money(figure.get("funding")), ""),
        ("Fees of notional", percent(figure.get("fee_rate")), ""),
        ("Fees of gross profit", percent(figure.get("fee_share")), ""),
    ]))  # fmt: skip
    rows = (
        fills.with_columns(pl.col("symbol", "liquidity_side").cast(pl.String))
        .join(report.data.currencies, on="symbol", how="left", maintain_order="left")
        .with_columns(pl.col("fee", "notional") * pl.col("rate"))
    )
    total = rows["fee"].to_numpy().cumsum()
    told = f"{money(total[-1])} {report.currency} in {counted(len(total), 'fill')}; below 0 are rebates."
    when, fees = throughout(report.span, stamps(rows["ts"]), total)
    trace = steps("Fees", when, fees, "series-2", hovertemplate="%{y:,.2f}")
    layout = {"xaxis": {"type": "date"}, "yaxis": {"tickformat": TICKS, "rangemode": "tozero"}, "showlegend": False}
    made.draw(Chart("fees-chart", "Fees so far", told, [trace], layout, 220))
    groups = rows.group_by("symbol", "liquidity_side").agg(pl.len(), pl.col("notional", "fee").sum())
    by = groups.sort("fee", descending=True)
    cells = [
        (symbol, side.lower(), count(n), money(notional), money(fee), percent(fee / notional if notional else None))
        for symbol, side, n, notional, fee in by.head(MOST).rows()
    ]
    made.add(table(("Instrument", "Liquidity", "Fills", "Notional", "Fees", "Of notional"), cells, left=(0, 1)))
    if by.height > MOST:
        made.add(note(f"{by.height - MOST} more are in fills.parquet."))
    return made
