"""How a run on tick data traded, for people: a table by liquidity side, a few lines, what its feed was like."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from tradectl.cli.output import count, money, percent, seconds
from tradectl.report.text import unmarked

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["execution_notes", "execution_table", "feed_notes"]

SIDES = ("maker", "taker")
MOST_LISTED = 5  # instruments named one by one


def _bps(found: Mapping[str, Any] | None) -> str:
    value = (found or {}).get("bps")
    return "–" if value is None else f"{value:,.2f}"


def execution_table(summary: Mapping[str, Any]) -> Table | None:
    """Return spreads and mark-outs in basis points by liquidity side; None where there is nothing to tell."""
    from rich import box
    from rich.table import Table

    from tradectl.metrics.conventions import marks_of

    told = summary.get("execution")
    if not told or not told.get("fills"):
        return None
    made = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
    against = "" if "mid" in marks_of(summary) else ", by the last trade"
    made.add_column(f"[dim]spreads and mark-outs in bps{against}[/]")
    for name in (*SIDES, "all"):
        made.add_column(name, justify="right")
    fills = [told[side]["effective_spread"]["fills"] for side in SIDES]
    made.add_row("fills", *(count(number) for number in fills), count(told["fills"]))
    maker = told["maker_share_notional"]
    shares = ("–", "–") if maker is None else (percent(maker), percent(1.0 - maker))
    made.add_row("share of notional", *shares, "")
    made.add_row("effective spread", *(_bps(told[side]["effective_spread"]) for side in SIDES), "")
    horizons = list(told["markout"])
    for label in horizons:
        made.add_row(f"realised, {label}", *(_bps(told[side]["realised_spread"][label]) for side in SIDES), "")
    for label in horizons:
        each = [_bps(told[side]["markout"][label]) for side in SIDES]
        made.add_row(f"mark-out, {label}", *each, _bps(told["markout"][label]))
    return made


def execution_notes(summary: Mapping[str, Any]) -> list[str]:
    """Return lines with markup: fill ratio and times, queues, shortfall, messages, inventory, parts of the profit."""
    told = summary.get("execution")
    if not told:
        return []
    lines = []
    amount = partial(money, currency=str(summary.get("currency", "")))
    if told["orders"]:
        times = ", ".join(f"{name} {seconds(told['first_fill_s'][name])}" for name in ("median", "p90"))
        lots = "" if told["fill_ratio_qty"] is None else f", {percent(told['fill_ratio_qty'])} of the quantity"
        share = percent(told["fill_ratio_orders"])
        lines.append(f"filled {count(told['orders_filled'])} of {count(told['orders'])} orders ({share}){lots}")
        lines.append(f"first fill after acceptance: {times}")
    post, fill = told["queue_at_post_lots"]["median"], told["queue_at_fill_lots"]["median"]
    if post is not None:
        lines.append(f"queue ahead, median lots: {count(post)} at post, {count(fill)} at fill")
    cost = told["shortfall"]
    if cost["shortfall"] is not None:
        parts = " + ".join(f"{name} {amount(cost[name])}" for name in ("delay", "impact", "fee", "opportunity"))
        bps = "–" if cost["bps"] is None else f"{cost['bps']:,.2f}"
        left = told["orders"] - cost["orders"]
        less = f"; {count(left)} orders of which a mid is not known are left out" if left else ""
        lines.append(f"shortfall {amount(cost['shortfall'])} ({bps} bps) = {parts}{less}")
    lines += _messages(told["messages"]) + _inventory(told["instruments"])
    profit = told["pnl"]
    names = ("spread", "inventory", "fees", "funding") + (("conversion",) if profit["conversion"] else ())
    parts = " + ".join(f"{name} {amount(profit[name])}" for name in names)
    lines.append(f"profit {amount(profit['total'])} = {parts}")
    if told["unmarked_fills"]:
        lines.append(f"[yellow]mark-outs[/] {count(told['unmarked_fills'])} fills lack some: {unmarked(summary)}")
    return lines


def _messages(told: Mapping[str, Any]) -> list[str]:
    each = f", {told['per_fill']:,.1f} a fill" if told["per_fill"] is not None else ""
    parts = ", ".join(f"{count(told[name])} {name}" for name in ("orders", "cancels", "modifies"))
    return [f"messages {count(told['total'])}: {parts}{each}"]


def _inventory(instruments: Mapping[str, Any]) -> list[str]:
    from rich.markup import escape

    lines = []
    for symbol, one in list(instruments.items())[:MOST_LISTED]:
        held = one["inventory"]
        if held["max_abs"]:
            mean, size = ("–" if held[key] is None else f"{held[key]:,.6g}" for key in ("mean", "mean_abs"))
            text = f"mean {mean}, mean size {size}, largest {held['max_abs']:,.6g}"
            text += f", none {percent(held['flat_share'])} of the time"
            lines.append(f"inventory {escape(symbol)}: {text}")
    return lines


def feed_notes(summary: Mapping[str, Any]) -> list[str]:
    """Return lines with markup about each instrument's feed, and a warning where answers came late."""
    from rich.markup import escape

    lines = []
    books = [one for one in summary.get("book") or [] if one["messages"] or one["late"] or one["gaps"]]
    for one in books[:MOST_LISTED]:
        parts = [f"{count(one['messages'])} messages"]
        for name, text in (
            ("late", "late events"), ("gaps", "gaps"), ("crossed", "left locked or crossed"),
            ("unknown", "messages of unknown orders"), ("spent", "of orders that own ones had used up"),
            ("remainders", "orders outlived their end in the recording, for own ones took an execution of theirs"),
            ("strayed", "messages showed another touch than the recording's"),
        ):  # fmt: skip
            parts += [f"{count(one[name])} {text}"] if one.get(name) else []
        if one.get("broken_at_end"):
            parts.append("[yellow]not whole again after the last gap: nothing filled from there on[/]")
        lines.append(f"[cyan]book[/] {escape(one['instrument'])} ({one['level']}): {', '.join(parts)}")
    if len(books) > MOST_LISTED:
        lines.append(f"[cyan]book[/] {len(books) - MOST_LISTED} more in summary.json")
    acks = summary.get("acks") or {}
    if acks.get("late"):
        mean = seconds(acks["mean_lateness_ms"] / 1e3)
        lines.append(
            f"[yellow]acks[/] {percent(acks['late_share'])} of {count(acks['count'])} answers came late, {mean} on "
            "average: an answer is known with the instrument's next event, however short latency.response is"
        )
    return lines
