"""Prices with what was bought and sold on them, and the table of round trips."""

from __future__ import annotations

from html import escape
from typing import Any

import numpy as np
import polars as pl

from tradectl.report.draw import Trace, line, markers, stamps
from tradectl.report.html import Chart, Section, note
from tradectl.report.model import Report
from tradectl.report.page import json_script
from tradectl.report.plotted import plotted
from tradectl.report.prices import STAMP
from tradectl.report.series import MOST
from tradectl.report.text import count, counted, duration, percent, signed

__all__ = ["prices", "round_trips"]

CHARTED = 12  # instruments with a chart of their own
POINTS = 240_000  # of all price lines
SCATTERED = 1_500  # points of the chart of excursions, at least
LISTED = 5_000  # round trips that the page's table holds
SECOND = 1e9  # ns
MARKS = (("BUY", "Bought", 0, "own"), ("SELL", "Sold", 180, "loss"))  # side, name, degrees, colour


def prices(report: Report) -> Section | None:
    """Return a chart for each of the most traded instruments; None where nothing was traded or priced."""
    fills, symbols = report.data.fills, report.symbols[:CHARTED]
    if not symbols and report.prices is None:
        return None
    symbols = symbols or report.held_names[:CHARTED]
    made = Section("prices", "Prices and trades")
    made.lead = (
        "Triangles point at the mean price of orders that filled: from below what was bought, from above what was "
        "sold. Orders too close to be told apart share a triangle, the larger the more they are."
    )
    made.add('<p class="lead mouse">Drag in a chart to zoom, double-click to go back.</p>')
    if report.prices is None:
        made.add(note(f"Without prices ({report.why}) only the fills are shown.", "warn"))
    if len(report.symbols) > CHARTED:
        rest = len(report.symbols) - CHARTED
        made.add(note(f"The {CHARTED} instruments with the largest notional are shown; {rest} more in fills.parquet."))
    charts = [_price_chart(report, fills, symbol, k, len(symbols)) for k, symbol in enumerate(symbols)]
    if len(charts) > 1:
        options = "".join(f'<option value="{one.id}">{escape(one.title)}</option>' for one in charts)
        made.add(f'<p class="pager"><label>Instrument <select data-shows>{options}</select></label></p>')
    for chart in charts:
        made.draw(chart)
    return made


def _price_chart(report: Report, fills: pl.DataFrame, symbol: str, place: int, charts: int) -> Chart:
    mine = fills.filter(pl.col("symbol").cast(pl.String) == symbol)
    traces: list[Trace] = []
    told = ""
    if report.prices is not None:
        bars = report.prices.filter(pl.col("symbol") == symbol)
        if report.span[1]:  # a run that failed has data behind its end
            bars = bars.filter(pl.col("ts") <= pl.lit(report.span[1]).cast(STAMP))
        if bars.height:
            first, last = bars["close"][0], bars["close"][-1]
            low, high = (float(one) for one in (bars["low"].to_numpy().min(), bars["high"].to_numpy().max()))
            told = f"From {first:,.6g} to {last:,.6g}, between {low:,.6g} and {high:,.6g}; "
            few = min(POINTS // charts, MOST)
            traces.append(line("Price", stamps(bars["ts"]), bars["close"].to_numpy(), "other", most=few))
            traces[0]["hovertemplate"] = "%{y:,}"
    own = plotted(report, symbol, charts)
    traces += own.traces
    orders = []
    for side, name, angle, colour in MARKS:
        rows = _orders(mine.filter(pl.col("side") == side))
        orders.append(rows.height)
        if rows.height:
            values = rows["price"].to_numpy(), rows["qty"].to_numpy()
            traces.append(markers(name, stamps(rows["ts"]), *values, angle, colour))
    told += f"{counted(orders[0], 'buy')} and {counted(orders[1], 'sell')} filled.{own.told}"
    return Chart(f"price-{place}", symbol, told, traces, {**own.layout, "hovermode": "closest"}, own.height)


def _orders(fills: pl.DataFrame) -> pl.DataFrame:
    """Return ts, price and qty of what filled: one row an order, at the time of its first fill and its mean price."""
    mean = (pl.col("price") * pl.col("qty")).sum() / pl.col("qty").sum()
    alone = pl.when(pl.col("order_id") == 0).then(-pl.col("fill_id")).otherwise(pl.col("order_id"))
    grouped = fills.group_by(alone.alias("order"), maintain_order=True)
    return grouped.agg(pl.col("ts").first(), mean.alias("price"), pl.col("qty").sum()).sort("ts")


def round_trips(report: Report) -> Section | None:
    """Return the table of finished round trips; None without any."""
    trips = report.data.trips
    if trips.is_empty():
        return None
    made = Section("trades", "Trades", _words(report, trips))
    if trips.height > LISTED:
        made.add(note(f"The {count(LISTED)} trades that made or lost most of {count(trips.height)} are listed."))
        largest = trips.with_columns(size=pl.col("result").abs()).top_k(LISTED, by="size")
        trips = largest.sort("trip")
    made.add('<div class="wide" data-table="trips"></div>', json_script("trips", _columns(report, trips)))
    if report.prices is not None and trips.height > 1:
        made.draw(_excursions(trips))
    if report.prices is not None:
        made.add(note(
            "MAE and MFE: the farthest that the price went against the trade and for it, of its average entry price; "
            "bars from the open at which it began count whole, of a bar inside of which it began or ended only its own "
            "prices do."
        ))  # fmt: skip
    return made


def _excursions(trips: pl.DataFrame) -> Chart:
    """Return each trade's return against how far the price had gone against it."""
    some = trips.gather_every(max(1, trips.height // SCATTERED)).with_columns(pl.col("mae", "return") * 100.0)
    traces = [
        {
            "type": "scatter", "mode": "markers", "name": name, **{
                axis: part[key].to_list() for axis, key in (("x", "mae"), ("y", "return"))
            },
            "marker": {"size": 6, "opacity": 0.6, "color": f"@{colour}"},
            "hovertemplate": "against it %{x:.2f} %, made %{y:.2f} %<extra></extra>",
        }
        for name, colour, part in (
            ("Won", "gain", some.filter(pl.col("result") > 0)), ("Lost", "loss", some.filter(pl.col("result") <= 0)),
        )
    ]  # fmt: skip
    won = trips.filter(pl.col("result") > 0)["mae"].fill_nan(None).to_numpy()
    told = "Each point is a trade: how far the price went against it (MAE) and what it made."
    if np.isfinite(won).any():
        told += f" Half of the winners never were more than {percent(float(np.nanmedian(won)))} behind."
    layout = {
        "hovermode": "closest", "xaxis": {"ticksuffix": " %", "title": {"text": "MAE"}, "rangemode": "tozero"},
        "yaxis": {"ticksuffix": " %", "title": {"text": "return"}},
    }  # fmt: skip
    return Chart("mae-chart", "Went against it, and made", told, traces, layout, 300)


def _words(report: Report, trips: pl.DataFrame) -> str:
    result = trips["result"]
    held = trips["duration"].dt.total_nanoseconds().cast(pl.Float64).to_numpy()
    text = f"{counted(trips.height, 'finished round trip')}, from flat to flat or to a flip, after fees: "
    if trips.height == 1:
        text += f"it made {signed(result[0])} {report.currency} and was held {duration(held[0] / SECOND)}."
    else:
        text += (
            f"{percent((result > 0).mean())} won; best {signed(result.max())}, worst {signed(result.min())}, on "
            f"average {signed(result.mean())} {report.currency}; held {duration(float(np.median(held)) / SECOND)} in "
            "the median."
        )
    ambiguous = int(trips["ambiguous"].sum())
    word = "hangs" if ambiguous == 1 else "hang"
    return text + (f" {count(ambiguous)} {word} on the path of a bar." if ambiguous else "")


def _columns(report: Report, trips: pl.DataFrame) -> dict[str, Any]:
    """Return what the page's script makes the table from: columns with their kind and values."""
    strategies = trips["strategy"].n_unique() > 1
    tags = bool((trips["tag"].fill_null(0) != 0).any())
    told: list[tuple[str, str, str | pl.Expr, bool]] = [
        ("#", "count", pl.col("trip") + 1, True),
        ("Strategy", "text", "strategy", strategies),
        ("Instrument", "text", "symbol", trips["symbol"].n_unique() > 1),
        ("Side", "text", pl.col("side").cast(pl.String).str.to_lowercase(), True),
        ("Opened (UTC)", "time", pl.col("ts_open").cast(pl.Int64) // 1_000_000, True),
        ("Held", "duration", pl.col("duration").dt.total_nanoseconds() / SECOND, True),
        ("Quantity", "price", "qty", True),
        ("Entry", "price", "entry_price", True),
        ("Exit", "price", "exit_price", True),
        (f"P&L, {report.currency}", "money", "result", True),
        ("Return", "percent", "return", True),
        ("Costs", "money", pl.col("fees") * pl.col("rate"), True),
        ("MAE", "percent", pl.col("mae").fill_nan(None), report.prices is not None),
        ("MFE", "percent", pl.col("mfe").fill_nan(None), report.prices is not None),
        ("Tag", "count", "tag", tags),
        ("Fills", "count", "n_fills", True),
    ]
    made = []
    for name, kind, source, wanted in told:
        if wanted:
            values = trips.select(source if isinstance(source, str) else source.alias("x")).to_series().to_list()
            made.append({"name": name, "kind": kind, "values": values, "tone": name.startswith(("P&L", "Return"))})
    return {"caption": "Finished round trips", "columns": made}
