"""What went another way than wished: refusals, ambiguous bars with their scenarios, faults and gaps of the data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from tradectl.core.codes import MESSAGES, Reason
from tradectl.report.html import Section, details, note, table
from tradectl.report.model import Report
from tradectl.report.text import count, counted, duration, money, ns_of, percent, share, signed, tone, treated

__all__ = ["data", "orders", "path"]

SCENARIOS = (("adverse", "Adverse"), ("base", "Base (as run)"), ("favourable", "Favourable"))
MOST = 30  # rows that a table shows before it is folded


def orders(report: Report) -> Section | None:
    """Return what became of the orders, and why some were refused; None without orders."""
    told, rows = report.summary, report.data.orders
    if rows.is_empty():
        return None
    made = Section("orders", "Orders")
    made.lead = (
        f"{counted(told['orders'], 'order')}, {counted(told['fills'], 'fill')}; {count(told['denied'])} denied by "
        f"the risk checks before they left, {count(told['rejected'])} rejected by the venue."
    )
    by_status = rows["status"].cast(str).value_counts(sort=True)
    by_type = rows["order_type"].cast(str).value_counts(sort=True)
    made.side_by_side(
        table(("Became", "Orders", "Share"), _shares(by_status.rows()), caption="What became of them"),
        table(("Type", "Orders", "Share"), _shares(by_type.rows()), caption="Order types"),
    )
    refused = [
        (name.replace("_", " ").lower(), MESSAGES[Reason[name]] if name in Reason.__members__ else "", count(n))
        for name, n in (told.get("refusals") or {}).items()
    ]
    heads = ("Reason", "Which says", "Orders")
    made.add(table(heads, refused, caption="Denied and rejected, by reason", left=(0, 1), kind="words"))
    return made


def _shares(rows: list[tuple[Any, ...]]) -> list[tuple[str, str, str]]:
    whole = sum(n for _name, n in rows) or 1
    return [(str(name).replace("_", " ").lower(), count(n), share(n / whole)) for name, n in rows]


def path(report: Report) -> Section | None:
    """Return how much hangs on the unknown path inside bars; None for runs without bars."""
    told = report.summary
    if not told.get("bars"):
        return None
    made = Section("path", "Ambiguous bars")
    found, scenarios = told.get("ambiguous") or {}, told.get("scenarios") or {}
    if not told.get("ambiguous_bars"):
        made.lead = (
            "In no bar did it matter which of its high and its low came first: the adverse and the favourable scenario "
            "are the run itself."
        )
        return made
    made.lead = (
        f"In {count(told['ambiguous_bars'])} of {count(told['bars'])} bars the result hangs on which of high and low "
        f"came first: {share(found.get('fills_share'))} of the fills and {share(found.get('pnl_share'))} of the "
        "realised profit and loss. The scenarios run everything again, each bar taking the worse or the better of the "
        "two paths. They are scenarios, no bounds."
    )
    rows = []
    for key, name in SCENARIOS:
        one = scenarios.get(key)
        if isinstance(one, Mapping):
            gained = one.get("total_return")
            figures = percent(one.get("max_drawdown")), count(one.get("trades")), count(one.get("fills"))
            rows.append((name, (signed(gained, percent), tone(gained)), money(one.get("final_equity")), *figures))
    heads = ("Scenario", "Return", f"Final equity, {report.currency}", "Largest drawdown", "Trades", "Fills")
    made.add(table(heads, rows))
    return made


def data(report: Report) -> Section | None:
    """Return what the run read: spans, grids, faults and gaps; of a journal, whose feeds are told, notes alone."""
    told = report.summary.get("data") or {}
    if not told:
        return None
    made = Section("data", "Data")
    noted = [note(str(text)) for text in told.get("notes") or ()]
    if "rows_used" not in told:
        made.add(*noted)
        return made
    each = told.get("instruments") or []
    gaps, missing = (sum(int(one.get(key) or 0) for one in each) for key in ("gap_count", "missing_bars"))
    has_bars = any(one.get("gap_count") and not one.get("kinds") for one in each)
    of_bars = f", {counted(missing, 'bar')} missing" if has_bars else ""
    made.lead = f"{count(told.get('rows_used'))} of {count(told.get('rows_read'))} rows used; " + (
        f"{counted(gaps, 'gap')}{of_bars}. Nothing fills in a gap." if gaps else "no gaps."
    )
    rows = [
        (
            one["instrument"], one["timeframe"], count(one["rows"]), _day(one["first_ns"]), _day(one["last_ns"]),
            *(f"{one[f'{step}_size']} ({one[f'{step}_from']})" for step in ("tick", "lot")), count(one["gap_count"]),
        )
        for one in each
    ]  # fmt: skip
    heads = ("Instrument", "Data", "Rows", "From (UTC)", "To (UTC)", "Tick (from)", "Lot (from)", "Gaps")
    spans = table(heads, rows, left=(0, 1))
    made.add(spans if len(rows) <= MOST else details(f"{len(rows)} instruments", spans))
    faults = [
        (one["kind"].replace("_", " "), one["instrument"], treated(one, each), count(one["count"]))
        for one in told.get("faults") or [] if one["kind"] != "gap"
    ]  # fmt: skip
    made.add(table(("Fault", "Instrument", "What was done", "Rows"), faults, caption="Faults", left=(0, 1, 2)))
    made.add(_gaps(told.get("gaps") or [], gaps, report.data.orders))
    if left_out := (report.summary.get("calendar") or {}).get("left_out"):
        made.add(note(f"{count(left_out)} bars, trades or quotes outside the sessions were left out."))
    if report.summary.get("synthetic_bars"):
        made_up = count(report.summary["synthetic_bars"])
        made.add(note(f"{made_up} bars are made up to fill gaps; nothing fills in them."))
    made.add(*noted)
    return made


def _day(text: Any) -> str:
    return str(text).replace("T", " ")[:16]


def _gaps(found: list[Mapping[str, Any]], total: int, orders: pl.DataFrame) -> str:
    """Return the gaps that summary.json keeps, each with the number of orders sent inside of it."""
    rows = []
    sent = orders["ts_submitted"].cast(pl.Int64)
    for one in found:
        since, until = (ns_of(one[key]) for key in ("from_ns", "to_ns"))
        inside = int(((sent > since) & (sent < until)).sum())
        missing = count(one["missing"]) if one.get("missing") else ""
        rows.append((one["instrument"], _day(one["from_ns"]), duration((until - since) / 1e9), missing, count(inside)))
    heads = ("Instrument", "From (UTC)", "For", "Bars missing", "Orders sent inside")
    kept = f"The first {len(rows)} of {count(total)} gaps" if total > len(rows) else "Gaps"
    return details(kept, table(heads, rows), is_open=len(rows) <= MOST)
