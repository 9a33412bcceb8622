"""How well a run on tick data traded: spreads and mark-outs, shortfall, inventory, sources of profit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tradectl.metrics.conventions import marks_of
from tradectl.report.draw import bars
from tradectl.report.html import Chart, Section, note, table, tiles
from tradectl.report.model import Report
from tradectl.report.text import (
    DASH,
    TICKS,
    count,
    counted,
    decimal,
    duration,
    money,
    quantity,
    share,
    signed,
    tone,
    unmarked,
)

__all__ = ["execution"]

SIDES = ("maker", "taker")
PARTS = tuple((name, name.capitalize()) for name in ("spread", "inventory", "fees", "funding", "conversion"))
COSTS = (("delay", "Delay"), ("impact", "Impact"), ("fee", "Fees"), ("opportunity", "Opportunity"))
MOST = 40  # instruments listed
Told = Mapping[str, Any]


def execution(report: Report) -> Section | None:
    """Return the execution analysis; None for runs on bars."""
    told = report.summary.get("execution")
    if not told:
        return None
    made = Section("execution", "Execution")
    against = _against(report.summary)
    made.lead = (
        f"Against the {against} just before each fill. Spreads and mark-outs in basis points, weighted by notional; "
        "above 0 is good for the account."
    )
    made.add(_tiles(told))
    short = _shortfall(told, report.currency, against)
    made.side_by_side(_in(made, _sources(told["pnl"], report.currency)), _in(made, short))
    made.side_by_side(_in(made, _markouts(told, against)), _spreads(told))
    made.add(_instruments(told["instruments"]), _books(report.summary.get("book") or []))
    acks = report.summary.get("acks") or {}
    if acks.get("late"):
        made.add(note(
            f"{share(acks['late_share'])} of {count(acks['count'])} answers came late, by "
            f"{duration(acks['mean_lateness_ms'] / 1e3)} on average: an answer is known with the instrument's next "
            "event, however short the response latency is.", "warn",
        ))  # fmt: skip
    if told.get("unmarked_fills"):
        fills = counted(told["unmarked_fills"], "fill")
        made.add(note(f"{fills} without all mark-outs: {unmarked(report.summary)}.", "warn"))
    return made


def _against(summary: Told) -> str:
    """Return what fills are measured by: the mid, the last trade where trades are all there is."""
    return " or ".join("last trade" if mark == "trade" else mark for mark in marks_of(summary) if mark != "close")


def _in(made: Section, chart: Chart) -> str:
    """Register a chart whose place is given by what stands beside it."""
    made.charts.append(chart)
    return chart.html()


def _tiles(told: Told) -> str:
    first, post, fill = told["first_fill_s"], told["queue_at_post_lots"], told["queue_at_fill_lots"]
    messages = told.get("messages") or {}
    return tiles([
        ("Maker share of notional", share(told["maker_share_notional"]), ""),
        ("Orders filled", share(told["fill_ratio_orders"]), ""),
        ("Quantity filled", share(told["fill_ratio_qty"]), ""),
        ("Cancels for each order filled", decimal(told["cancel_fill_ratio"]), ""),
        ("Time to first fill, median", duration(first["median"]), ""),
        ("Time to first fill, 90 %", duration(first["p90"]), ""),
        ("Queue at post, mean lots", decimal(post["mean"]), ""),
        ("Queue at fill, mean lots", decimal(fill["mean"]), ""),
        ("Messages a fill", decimal(messages.get("per_fill")), ""),
        ("Shortfall, bps", decimal(told["shortfall"]["bps"]), ""),
    ])  # fmt: skip


def _amounts(told: Told, names: tuple[tuple[str, str], ...]) -> tuple[list[str], list[float], str]:
    """Return names, amounts, and both in words; amounts that are not known or nothing are left out."""
    kept = [(name, float(told[key])) for key, name in names if told.get(key)]
    return [n for n, _ in kept], [v for _, v in kept], ", ".join(f"{n.lower()} {signed(v)}" for n, v in kept)


def _sources(told: Told, currency: str) -> Chart:
    names, values, words = _amounts(told, PARTS)
    words = f"{signed(told['total'])} {currency} = {words or 'nothing'}."
    return Chart("profit-chart", "Where the profit comes from", words, [_amount_bars(names, values)], _PLAIN, 260)


def _shortfall(told: Told, currency: str, against: str) -> Chart:
    names, values, words = _amounts(told["shortfall"], COSTS)
    total = told["shortfall"]["shortfall"]
    made = f"{money(total)} {currency} = {words or 'nothing'}"
    words = f"Cost against the {against} at each decision, below 0 a gain: {made}."
    left = told["orders"] - told["shortfall"]["orders"]
    words += f" {counted(left, 'order')} without a known {against} left out." if left else ""
    trace = _amount_bars(names, values)
    trace["marker"] = {"color": ["@loss" if value > 0 else "@gain" for value in values]}
    return Chart("shortfall-chart", "Implementation shortfall", words, [trace], _PLAIN, 260)


_PLAIN = {"yaxis": {"tickformat": TICKS}, "hovermode": "closest", "showlegend": False, "bargap": 0.45}


def _amount_bars(names: list[str], values: list[float]) -> dict[str, Any]:
    text: dict[str, Any] = {"text": [signed(value) for value in values], "textposition": "auto", "textangle": 0}
    return bars(names, values, **text, hovertemplate="%{x}: %{y:,.2f}<extra></extra>")


def _markouts(told: Told, against: str) -> Chart:
    horizons = list(told["markout"])
    traces, words = [], []
    for side, colour in zip(SIDES, ("own", "series-2"), strict=True):
        values = [told[side]["markout"][label]["bps"] for label in horizons]
        if any(value is not None for value in values):
            style = {"name": side.capitalize(), "marker": {"color": f"@{colour}"}, "hovertemplate": "%{y:.2f} bps"}
            traces.append({"type": "bar", "x": horizons, "y": values, **style})
            words.append(f"{side} " + ", ".join(f"{x} {decimal(y)}" for x, y in zip(horizons, values, strict=True)))
    text = f"How far the {against} went for the account after a fill, bps: {'; '.join(words) or DASH}."
    layout = {"yaxis": {"ticksuffix": " bps"}, "xaxis": {"type": "category"}}
    return Chart("markout-chart", "Mark-outs", text, traces, layout, 260)


def _spreads(told: Told) -> str:
    rows: list[Sequence[Any]] = [("Fills", *(count(told[side]["effective_spread"]["fills"]) for side in SIDES))]
    rows.append(("Effective spread", *(_bps(told[side]["effective_spread"]) for side in SIDES)))
    for key, name in (("realised_spread", "Realised spread"), ("markout", "Mark-out")):
        rows += [(f"{name}, {label}", *(_bps(told[side][key][label]) for side in SIDES)) for label in told["markout"]]
    return table(("Basis points", "Maker", "Taker"), rows, caption="Spreads and mark-outs")


def _bps(found: Told) -> tuple[str, str]:
    return decimal(found["bps"]), tone(found["bps"])


def _instruments(found: Mapping[str, Told]) -> str:
    rows = []
    for symbol, one in list(found.items())[:MOST]:
        held = one["inventory"]
        amounts = (quantity(held[key]) for key in ("mean_abs", "max_abs", "end"))
        flat = share(held["flat_share"])
        rows.append((symbol, count(one["fills"]), share(one["maker_share_notional"]), *amounts, flat))
    heads = ("Instrument", "Fills", "Maker", "Held on average", "Held at most", "Held at the end", "Time without")
    return table(heads, rows, caption="Inventory, base units")


def _books(found: list[Told]) -> str:
    names = (("late", "Late"), ("gaps", "Gaps"), ("crossed", "Locked or crossed"), ("unknown", "Unknown orders"))
    rows = [
        (one["instrument"], one["level"], count(one["messages"]), *(count(one.get(key)) for key, _ in names))
        for one in found[:MOST] if one["messages"] or one["late"] or one["gaps"]
    ]  # fmt: skip
    heads = ("Instrument", "Level", "Messages", *(name for _, name in names))
    return table(heads, rows, caption="Books", left=(0, 1))
