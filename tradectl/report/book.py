"""The book around chosen fills: the depth just before each, and what the mid did afterwards."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from tradectl.report.html import Chart, Section, table
from tradectl.report.ladders import Ladder
from tradectl.report.model import Report
from tradectl.report.text import DASH, TICKS, count, signed, tone

__all__ = ["book"]

Row = Mapping[str, Any]
HEADS = ("Fill", "At (UTC)", "Instrument", "Side", "Took", "Price", "Quantity", "Bid", "Ask", "Ahead", "Mark-out, 1 s")


def book(report: Report) -> Section | None:
    """Return the depth before the fills with the worst mark-outs; None without depth data."""
    market = report.market
    rows = [row for row in market.chosen.to_dicts() if row["fill_id"] in market.ladders]
    if not rows:
        return None
    made = Section("book", "Book around fills")
    made.lead = (
        f"The {len(rows)} fills with the worst mark-outs after a second, and the depth that the feed showed just "
        "before each, own orders not among it."
    )
    made.add(table(HEADS, [_row(row) for row in rows], left=(0, 1, 2, 3, 4)))
    charts = [_ladder(report, row, market.ladders[row["fill_id"]]) for row in rows]
    options = "".join(f'<option value="{one.id}">{escape(one.title)}</option>' for one in charts)
    made.add(f'<p class="pager"><label>Fill <select data-shows>{options}</select></label></p>')
    for chart in charts:
        made.draw(chart)
    return made


def _row(row: Row) -> tuple[Any, ...]:
    prices = (DASH if row[name] is None else f"{row[name]:,.10g}" for name in ("bid", "ask"))
    took = "yes" if row["liquidity_side"] == "TAKER" else "no"
    what = (f"{row['price']:,.10g}", f"{row['qty']:,.8g}", *prices, count(row["queue_ahead"]))
    lost = (signed(row["lost"]), tone(row["lost"]))
    when = f"{row['ts']:%Y-%m-%d %H:%M:%S}"
    return (str(row["fill_id"]), when, row["symbol"], row["side"].lower(), took, *what, lost)


def _ladder(report: Report, row: Row, ladder: Ladder) -> Chart:
    tick, lot = report.market.grids[str(row["symbol"])]
    traces: list[dict[str, Any]] = []
    for name, levels, colour in (("Bids", ladder.bids, "own"), ("Asks", ladder.asks, "series-2")):
        traces.append({
            "type": "bar", "orientation": "h", "name": name, "marker": {"color": f"@{colour}"},
            "y": [price * tick for price, _ in levels], "x": [lots * lot for _, lots in levels],
            "hovertemplate": "%{y}: %{x:,}<extra></extra>",
        })  # fmt: skip
    side = "bought" if row["side"] == "BUY" else "sold"
    line = {"type": "line", "xref": "paper", "x0": 0, "x1": 1, "y0": row["price"], "y1": row["price"]}
    layout = {
        "barmode": "overlay", "hovermode": "closest", "xaxis": {"title": {"text": "quantity"}, "rangemode": "tozero"},
        "yaxis": {"tickformat": TICKS}, "shapes": [{**line, "line": {"color": "@loss", "width": 1.5, "dash": "dot"}}],
    }  # fmt: skip
    best = [f"{levels[0][0] * tick:,.10g} × {levels[0][1] * lot:,.8g}" if levels else "none" for levels in
            (ladder.bids, ladder.asks)]  # fmt: skip
    told = f"{side.capitalize()} {row['qty']:,.8g} at {row['price']:,.10g} (dotted); bid {best[0]}, ask {best[1]}."
    return Chart(f"book-{row['fill_id']}", f"Fill {row['fill_id']}, {row['symbol']}", told, traces, layout, 340)
