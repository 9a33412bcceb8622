"""A paper session's feeds: channels, interruptions and the orders sent meanwhile, latencies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from tradectl.report.html import Section, details, note, table
from tradectl.report.model import Report
from tradectl.report.text import DASH, count, duration, ns_of, stamp

__all__ = ["feeds"]

LASTS = (1 << 63) - 1  # ns
LISTED = 100  # interruptions and orders that tables show
STAGES = {
    "lag": "Exchange's stamp to receipt",
    "message_to_fold": "Receipt to applied",
    "message_to_order": "Receipt to an order sent",
    "step": "One step of the fold",
}
QUANTILES = (("Median", "p50_us"), ("90 %", "p90_us"), ("99 %", "p99_us"), ("99.9 %", "p99_9_us"), ("Most", "max_us"))


def feeds(report: Report) -> Section | None:
    """Return how the feeds were; None for a backtest."""
    told = report.summary.get("feeds")
    if not told:
        return None
    found = told.get("interruptions") or []
    total = told.get("interrupted", len(found))
    gaps = sum(1 for one in found if one["what"] == "gap")
    made = Section("feeds", "Feeds")
    made.lead = (
        f"{len(told.get('channels') or [])} channels; {count(total)} interruptions, {count(gaps)} of them gaps; "
        f"{count(told.get('orders_meanwhile'))} orders were sent during them. "
        f"Ended: {report.summary.get('ended') or DASH}."
    )
    made.add(_channels(told.get("channels") or []))
    made.add(_interruptions(found, total))
    made.add(_meanwhile(report.data.orders, found))
    made.add(_latencies(told))
    if told.get("resumed"):
        made.add(note(f"Resumed: {', '.join(stamp(one['at_ns']) for one in told['resumed'])}."))
    for one in told.get("unnoted") or []:
        span = f"{_when(one['at'])} to {_when(one['until'])}"
        made.add(note(f"{span}, before it was broken off: its gaps and messages, no other notes, no latencies."))
    if told.get("lifted_stamps"):
        made.add(note(f"{count(told['lifted_stamps'])} stamps went back in time and count as those before them."))
    return made


def _when(text: str) -> str:
    return text.replace("T", " ")[:19]


def _channels(found: Sequence[Mapping[str, Any]]) -> str:
    rows = [
        (
            one["instrument"], one["channel"], count(one["connections"]), count(one["messages"]), count(one["gaps"]),
            count(one["dropped"]), duration(one["lag_ms"] / 1e3),
        )
        for one in found
    ]  # fmt: skip
    heads = ("Instrument", "Channel", "Connections", "Messages", "Gaps", "Dropped", "Last lag")
    return table(heads, rows, caption="Channels", left=(0, 1))


def _span(one: Mapping[str, Any]) -> tuple[int, int]:
    """Return the beginning and the end of an interruption, ns UTC; without an end it lasts."""
    return ns_of(one["at"]), ns_of(one["until"]) if one.get("until") else LASTS


def _interruptions(found: Sequence[Mapping[str, Any]], total: int) -> str:
    rows = []
    for one in found[:LISTED]:
        since, until = _span(one)
        lasted = duration((until - since) / 1e9) if one.get("until") else "to the end"
        place = " ".join(str(one.get(key) or "") for key in ("exchange", "symbol", "channel")).strip()
        rows.append((_when(one["at"]), lasted, one["what"], place, one.get("text") or "", count(one.get("orders"))))
    heads = ("At (UTC)", "For", "What", "Channel", "Because", "Orders meanwhile")
    caption = "Interruptions" if total <= LISTED else f"{LISTED} of {count(total)} interruptions"
    return table(heads, rows, caption=caption, left=(0, 2, 3, 4))


def _meanwhile(orders: pl.DataFrame, found: Sequence[Mapping[str, Any]]) -> str:
    """Return the orders that were sent during interruptions."""
    spans = [pl.col("at").is_between(*_span(one), closed="none") for one in found if one.get("orders")]
    inside = pl.any_horizontal(spans) if spans else pl.lit(False)
    sent = orders.with_columns(at=pl.col("ts_submitted").cast(pl.Int64)).filter(inside)
    rows = [
        (
            f"{row['ts_submitted']:%Y-%m-%d %H:%M:%S}", row["symbol"], row["side"].lower(),
            row["order_type"].replace("_", " ").lower(), f"{row['qty']:,.8g}", f"{row['filled']:,.8g}",
            row["status"].replace("_", " ").lower(),
        )
        for row in sent.head(LISTED).cast({pl.Enum: pl.String}).to_dicts()
    ]  # fmt: skip
    heads = ("Sent (UTC)", "Instrument", "Side", "Type", "Quantity", "Filled", "Became")
    title = f"What was decided during them: {count(sent.height)} orders"
    return details(title, table(heads, rows, left=(0, 1, 2, 3, 6)), is_open=len(rows) <= 10)


def _latencies(told: Mapping[str, Any]) -> str:
    known = {"lag": told.get("lag"), **(told.get("latency") or {})}
    rows = [
        (name, count(one["count"]), *(_us(one.get(key)) for _, key in QUANTILES))
        for key, name in STAGES.items() if (one := known.get(key)) and one.get("count")
    ]  # fmt: skip
    heads = ("From … to", "Messages", *(name for name, _ in QUANTILES))
    return table(heads, rows, caption="Latencies of this machine")


def _us(value: Any) -> str:
    return duration(None if value is None else value / 1e6)
