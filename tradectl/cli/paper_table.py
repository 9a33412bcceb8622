"""How the feeds of a paper session were, in lines for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tradectl.cli.output import count

__all__ = ["interruption_notes", "session_notes"]

MOST = 5  # interruptions listed


def session_notes(summary: Mapping[str, Any]) -> list[str]:
    """Return lines with markup: channels, interruptions with the orders sent meanwhile, latencies."""
    from rich.markup import escape

    feeds = summary.get("feeds")
    if not feeds:
        return []
    channels = feeds["channels"]
    messages = sum(one["messages"] for one in channels)
    again = sum(max(one["connections"] - 1, 0) for one in channels)
    dropped = sum(one["dropped"] for one in channels)
    parts = [f"{count(messages)} messages on {len(channels)} channels"]
    parts += [f"channels connected again {count(again)} times"] if again else []
    parts += [f"{count(dropped)} depth messages left out under load"] if dropped else []
    parts += [f"resumed {len(feeds['resumed'])} times"] if feeds["resumed"] else []
    lines = [f"[cyan]feeds[/] {', '.join(parts)}; ended: {escape(summary.get('ended') or '–')}"]
    lines += interruption_notes(feeds.get("interruptions") or ())
    for one in feeds.get("unnoted") or ():
        span = f"{one['at'][:19]} to {one['until'][:19]}".replace("T", " ")
        left = "its gaps and messages, no other notes, no latencies"
        lines.append(f"[yellow]feed[/] {span}, before it was broken off: {left}")
    lines.append(f"[dim]{_latency(feeds)}[/]")
    return lines


def interruption_notes(interruptions: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return lines with markup: the first interruptions, and how many more there are."""
    from rich.markup import escape

    groups = _grouped(interruptions)
    lines = [f"[yellow]feed[/] {escape(_told(group))}" for group in groups[:MOST]]
    if len(groups) > MOST:
        lines.append(f"[yellow]feed[/] {count(len(groups) - MOST)} more interruptions in summary.json")
    return lines


def _grouped(interruptions: Sequence[Mapping[str, Any]]) -> list[list[Mapping[str, Any]]]:
    """Return interruptions of one cause together: one exchange, one moment, the same thing."""
    groups: dict[tuple[Any, ...], list[Mapping[str, Any]]] = {}
    for one in interruptions:
        key = (one["exchange"], one["what"], one.get("text"), one["at"][:21])
        groups.setdefault(key, []).append(one)
    return list(groups.values())


def _told(group: Sequence[Mapping[str, Any]]) -> str:
    """Return what happened at once, in words."""
    first = group[0]
    channels = ", ".join(f"{one.get('symbol', '')} {one.get('channel', '')}".strip() for one in group)
    ends = [one["until"] for one in group if one.get("until")]
    until = f"until {max(ends)[11:23]}" if len(ends) == len(group) else "to the end"
    sent = sum(one["orders"] for one in group)
    meanwhile = f"; {count(sent)} orders sent meanwhile" if sent else ""
    text = f" ({first['text']})" if first.get("text") else ""
    return f"{first['at'][11:23]} {until} {first['what']}{text}: {first['exchange']} {channels}{meanwhile}"


def _latency(feeds: Mapping[str, Any]) -> str:
    """Return the latencies in words."""
    told = []
    for name, figures in (
        ("lag behind the venue", feeds["lag"]),
        ("message to fold", feeds["latency"]["message_to_fold"]),
        ("message to order", feeds["latency"]["message_to_order"]),
    ):
        if figures["count"]:
            told.append(f"{name} p50 {_time(figures['p50_us'])}, p99 {_time(figures['p99_us'])}")
    return " · ".join(told)


def _time(us: float) -> str:
    return f"{us:.0f} µs" if us < 1_000 else f"{us / 1e3:.1f} ms"
