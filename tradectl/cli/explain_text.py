"""One order's life for people: a headline, its checks, its queue, its fills, its cost."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tradectl.cli.output import money, table
from tradectl.cli.paper_table import interruption_notes

if TYPE_CHECKING:
    from rich.console import RenderableType

__all__ = ["life"]

Told = Mapping[str, Any]
SHOWN = 12  # points of the queue in the table; --json has up to 200
BAR = 24  # characters of the longest bar


def _number(value: Any, unit: str = "") -> str:
    """Write a figure shortly: a price or quantity as it is, a limit that is not set as none."""
    if value is None:
        return "none"
    if isinstance(value, str):
        return value
    if unit and unit not in ("price", "qty", "orders"):
        return money(value, unit)
    return f"{value:,.10g}"


def _small(amount: float) -> str:
    """Write an amount of money to the atom, without zeros at its end."""
    return f"{amount:,.8f}".rstrip("0").rstrip(".")


def _clock(stamp: str | None) -> str:
    """Return the time of day of an ISO stamp."""
    return "–" if stamp is None else stamp[11:].rstrip("Z")


def life(told: Told) -> Iterator[RenderableType]:
    """Yield the parts in the order in which they happened."""
    yield from _head(told)
    yield _checks(told["checks"]) if told["checks"] else "no checks: the gate lets orders of the risk unit pass"
    yield from _latency(told["latency"])
    yield _moments(told["moments"])
    yield from interruption_notes(told["interruptions"])
    if told["queue"]:
        yield _queue(told["queue"])
    for fill in told["fills"]:
        yield from _fill(fill)
    yield from _end(told)


def _head(told: Told) -> Iterator[str]:
    from rich.markup import escape

    seen = told["decision"]
    prices = "".join(f" {name} {seen[name]:,.10g}" for name in ("limit", "stop") if seen[name] is not None)
    flags = "".join(f" {name}" for name in ("post_only", "reduce_only", "system") if told[name])
    what = f"{told['side']} {seen['qty']:,.10g} {told['order_type']}{prices} {told['time_in_force']}{flags}"
    yield f"[bold]order {told['order_id']}[/] {escape(told['symbol'])}: {what} [dim]{escape(told['strategy'])}[/]"
    later = [f"{name} {_number(told[name])}" for name in ("qty", "limit", "stop") if told[name] != seen[name]]
    if later:
        yield f"  modified later, at last {', '.join(later)}"
    where = f" in {seen['hook']}" if seen["hook"] else ""
    yield f"decided {seen['ts']}{where}, event {seen['event']:,}"
    if "last" in seen:
        touch = ""
        if "bid" in seen:
            sides = (f"{_number(seen[name])} × {_number(seen[f'{name}_qty'])}" for name in ("bid", "ask"))
            touch = "bid {}, ask {}, mid {}, ".format(*sides, _number(seen["mid"]))
        yield f"  in sight: {touch}last {_number(seen['last'])}, position {_number(seen['position'])}"


def _checks(checks: Sequence[Told]) -> RenderableType:
    rows = [
        (
            one["stage"], one["check"], _number(one["figure"], one["unit"]), _number(one["limit"], one["unit"]),
            one["unit"], "passed" if one["passed"] else f"REFUSED {one['reason']}",
        )
        for one in checks
    ]  # fmt: skip
    return table("checks", ("stage", "check", "figure", "limit", "in", ""), rows, right=(2, 3))


def _latency(told: Told) -> Iterator[str]:
    parts = [
        f"{name} {_clock(one['ts'])}" + (f" (+{one['after_ms']:,.6g} ms)" if one["after_ms"] else "")
        for name, one in told.items()
        if one["ts"] is not None
    ]
    if parts:
        yield "[bold]latency[/] " + ", ".join(parts)


def _moments(moments: Sequence[Told]) -> RenderableType:
    rows = [
        (
            _clock(one["ts"]), _clock(one["ts_event"]), _clock(one["ts_delivered"]), one["status"],
            _number(one["filled"]) + " of " + _number(one["qty"]),
            "" if one["limit"] is None else _number(one["limit"]),
        )
        for one in moments
    ]  # fmt: skip
    return table("course", ("here", "at the venue", "told", "status", "filled", "limit"), rows, right=(5,))


def _queue(points: Sequence[Told]) -> RenderableType:
    n = len(points)
    shown = points if n <= SHOWN else [points[k * (n - 1) // (SHOWN - 1)] for k in range(SHOWN)]
    most = max((one["ahead"] or 0.0 for one in points), default=0.0)
    rows = []
    for one in shown:
        ahead = one["ahead"]
        length = round(BAR * ahead / most) if ahead and most else 0
        rows.append((_clock(one["ts"]), "not shown" if ahead is None else f"{ahead:,.6g}", "█" * length))
    return table(f"queue ahead ({len(points)} points)", ("at the venue", "ahead", ""), rows, right=(1,))


def _fill(fill: Told) -> Iterator[RenderableType]:
    yield (
        f"[bold]fill {fill['fill_id']}[/] {fill['qty']:,.10g} at {fill['price']:,.10g} {fill['liquidity_side'] or ''} "
        f"{fill['phase']}, {fill['ts']}, fee {_small(fill['fee'])}, position {fill['position']:,.10g}"
    )
    if "bar" in fill:
        if fill["bar"]:
            parts = ", ".join(f"{name} {value:,.10g}" for name, value in fill["bar"].items())
            yield f"  bar: {parts}" + (" [yellow](ambiguous)[/]" if fill["ambiguous"] else "")
        return
    moved = ", ".join(f"{label} {_number(value)}" for label, value in fill["markout"].items())
    ahead = "" if fill["queue_ahead"] is None else f", {_number(fill['queue_ahead'])} ahead"
    yield f"  mid before {_number(fill['mid'])}{ahead}; mark-out {moved}"
    if fill["book"]:
        bids, asks = fill["book"]["bids"], fill["book"]["asks"]
        rows = []
        for k in range(max(len(bids), len(asks))):
            bid, ask = (side[k] if k < len(side) else None for side in (bids, asks))
            left = ("", "") if bid is None else (_number(bid[1]), _number(bid[0]))
            rows.append((*left, *(("", "") if ask is None else (_number(ask[0]), _number(ask[1])))))
        yield table("", ("bid qty", "bid", "ask", "ask qty"), rows, right=(0, 1, 2, 3), wrap=0)


def _end(told: Told) -> Iterator[str]:
    from rich.markup import escape

    end, cost = told["end"], told["cost"]
    why = f": {end['message']}" if end["message"] else ""
    when = f" {end['ts']}" if end["ts"] else ""
    average = "" if end["avg_price"] is None else f", {end['filled']:,.10g} at {end['avg_price']:,.10g}"
    yield f"[bold]end[/] {end['status']}{when}{average}{escape(why)}"
    currency = escape(cost["currency"])
    for name in ("decision", "arrival"):
        one = cost[f"against_{name}"]
        if one is not None:
            yield (
                f"  against {name} price {one['price']:,.10g}: {one['ticks']:,.6g} ticks, {one['bps']:,.3f} bps, "
                f"{_small(one['money'])} {currency}"
            )
    missed = ""
    if cost["opportunity"] is not None:
        missed = f", not filled {cost['unfilled_qty']:,.10g}: {_small(cost['opportunity'])}"
    yield f"  fee {_small(cost['fee'])} {currency}{missed}"
    for doubt in told["doubts"]:
        yield f"[yellow]doubt[/] {escape(doubt)}"
