"""What `tradectl check` shows: a verdict, what it rests on, and what is to be done."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tradectl.cli.output import count, print_notes, table

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["print_lookahead", "print_warmup"]

Told = dict[str, Any]
SHOWN = 12  # findings in the table
COLOURS = {"passed": "green", "leak": "red", "not repeatable": "red", "unproven": "yellow"}
MEANINGS = {
    "passed": "no decision knew anything of the future",
    "leak": "look-ahead",
    "not repeatable": "two runs on the same data decide differently",
    "unproven": "nothing was found, and not everything could be seen",
}
ROWS = {"known": "last row known:", "unknown": "first unknown:"}
NAMES = {"with_future": "with the future", "without": "without it"}


def print_lookahead(console: Console, result: Told) -> None:
    """Print the result of `check lookahead`."""
    from rich.markup import escape

    verdict = result["verdict"]
    console.print(f"[bold {COLOURS[verdict]}]{verdict}[/] {MEANINGS[verdict]}")
    done = f"{count(result['comparisons'])} comparisons at {count(len(result['cuts']))} times"
    differ = f"{count(result['differing'])} differ"
    console.print(f"[dim]{result['from']} … {result['to']} · {count(result['decisions'])} decisions[/]")
    console.print(f"[dim]{done} · {differ}[/]")
    first = result["first"]
    if first is not None:
        console.print(f"\n[bold]First difference[/]: {escape(_what(first))}")
        for key, name in NAMES.items():
            if first["kind"] in ("decision", "raised", "not repeatable"):
                console.print(f"  {name + ':':17}{escape(_side(first, key))}")
        if first.get("cut"):
            console.print(f"  [dim]the data was {first['variant']} after {first['cut']}[/]")
        for key, name in ROWS.items():
            if first.get("data", {}).get(key):
                console.print(f"  [dim]{name:17}{escape(first['data'][key])}[/]")
        for what, how in first["derived"].items():
            console.print(f"  {escape(what)}: {escape(how)}", style="yellow")
    rows = [(one["cut"] or "", one["variant"], one["kind"], _short(one)) for one in result["findings"]]
    if len(rows) > 1:
        console.print()
        title = "Differences" + (f" (the first {SHOWN} of {len(rows)})" if len(rows) > SHOWN else "")
        console.print(table(title, ("cut", "data", "what", "first"), rows[:SHOWN]))
    for text in result["unproven"]:
        console.print(f"[yellow]not seen[/] {escape(text)}")
    print_notes(result["notes"])


def _what(finding: Told) -> str:
    """Return in words what a finding is."""
    kind = finding["kind"]
    if kind == "stamp":
        return str(finding["text"])
    if kind == "memory":
        return f"the strategy's memory at {finding['cut']}: {', '.join(finding['fields'])}"
    if kind == "state":
        return f"the state at {finding['cut']}: {', '.join(finding['fields'])}"
    if kind == "raised":
        return str(finding["raised"])
    known = finding["with_future"] or finding["without"]
    return f"{known['strategy']} {known['hook']} at {finding['ts']}" if known else str(finding.get("raised", ""))


def _side(finding: Told, key: str) -> str:
    decision = finding[key]
    if decision is not None:
        return str(decision["text"])
    return "it raised" if key == "without" and finding.get("raised") else "nothing"


def _short(finding: Told) -> str:
    if finding["kind"] != "decision":
        return _what(finding)
    return f"{finding['ts']} {_side(finding, 'with_future')} / {_side(finding, 'without')}"


def print_warmup(console: Console, result: Told) -> None:
    """Print the result of `check warmup`."""
    unit = result["unit"]
    rows = [
        (
            count(one["offset"]), one["start"], f"{count(one['differing'])} of {count(one['decisions'])}",
            f"{unit[:-1]} {count(one['agree_from_bar'])}" if one["agrees"] else "never",
            f"{unit[:-1]} {count(one['positions_from_bar'])}" if one["positions_agree"] else "never",
        )
        for one in result["starts"]
    ]  # fmt: skip
    names = ("later by", "begins after", "differing", "decisions agree", "positions agree")
    console.print(table(f"Begun later ({unit})", names, rows, right=(0, 2, 3, 4), wrap=0))
    for line in _advice(result):
        console.print(line)


def _advice(result: Told) -> list[str]:
    unit, lines = result["unit"], []
    if result["ready_bar"] is not None:
        lines.append(f"Indicators are ready with {unit[:-1]} {count(result['ready_bar'])}.")
        declared = result["declared_bars"]
        if declared is not None and declared < result["ready_bar"]:
            lines.append(
                f"[yellow]They say {count(declared)}[/]: one that is fed with another's values has to name it, as "
                "Ema(9).of(fast), or its bars are not added; one that is fed on some bars only is ready later, too."
            )
    if result["agrees"]:
        longest = count(result["longest"])
        enough = f"[bold]{count(result['recommended'])} {unit}[/] of warm-up are enough here."
        lines.append(f"Decisions agree from {unit[:-1]} {longest} on: {enough}")
    else:
        worst = next(one for one in result["starts"] if not one["agrees"])
        last = worst["last_difference"]
        lines.append("[bold red]Decisions never agree[/]: what the strategy does depends on where its data begins.")
        lines.append(f"  {last['ts']}: the whole run: {last['whole_run']}")
        lines.append(f"  {'':{len(last['ts'])}}  begun at {worst['start']}: {last['later_start']}")
    if not result["positions_agree"]:
        lines.append("Positions never agree: it still holds, or never took, a position from before the start.")
    given = result["feed_warmup"]
    if given is not None:
        suffices = result["recommended"] is not None and given >= result["recommended"]
        lines.append(f"`feed.warmup` is {count(given)}" + (", enough." if suffices else ": [yellow]too few[/]."))
    if not result["passed"]:
        lines.append(f"[red]--max {count(result['max'])} is exceeded.[/]")
    return lines
