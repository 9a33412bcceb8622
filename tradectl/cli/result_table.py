"""The result of a run as a table for people, and what they should know beside the figures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tradectl.cli.execution_table import execution_notes, execution_table, feed_notes
from tradectl.cli.output import count, money, percent, seconds
from tradectl.cli.paper_table import session_notes
from tradectl.core.instrument import ATOMS_PER_UNIT
from tradectl.report.text import treated, unvalued

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

__all__ = ["HEADLINE", "notes", "print_result", "result_table"]

SCENARIOS = ("adverse", "base", "favourable")
PICO = 10**12  # a rate of one
MOST_LISTED = 5  # instruments, or reasons, named one by one


def _figure(value: Any) -> str:
    return "–" if not isinstance(value, (int, float)) or value != value else f"{value:,.2f}"


# label, key of the summary, how it is written
HEADLINE: tuple[tuple[str, str, Callable[[Any], str]], ...] = (
    ("total return", "total_return", percent),
    ("final equity", "final_equity", money),
    ("initial equity", "initial_equity", money),
    ("fees", "fees", money),
    ("funding paid", "funding", money),
    ("max drawdown", "max_drawdown", percent),
    ("volatility, a year", "volatility", percent),
    ("Sharpe ratio", "sharpe", _figure),
    ("trades", "trades", count),
    ("won", "win_rate", percent),
    ("profit factor", "profit_factor", _figure),
    ("fills", "fills", count),
    ("orders", "orders", count),
    ("denied / rejected", "denied", count),
    ("ambiguous bars", "ambiguous_bars", count),
    ("events", "events", count),
)


def _funding(summary: Mapping[str, Any]) -> float:
    """Return the funding paid in all currencies, in the account's one; below 0: received."""
    balances = summary.get("balances") or ()
    paid = sum(int(one.get("funding_atoms", 0)) * int(one.get("rate_pico", PICO)) // PICO for one in balances)
    return paid / ATOMS_PER_UNIT


def _cell(summary: Mapping[str, Any], key: str, write: Callable[[Any], str]) -> str:
    if key == "funding":
        return money(_funding(summary), str(summary.get("currency", "")))
    if key == "denied":
        return f"{count(summary.get('denied'))} / {count(summary.get('rejected'))}"
    if write is money:
        return money(summary.get(key), str(summary.get("currency", "")))
    return write(summary.get(key))


def result_table(*summaries: Mapping[str, Any]) -> Table:
    """Return the headline figures, one column for each run."""
    from rich import box
    from rich.markup import escape
    from rich.table import Table
    from rich.text import Text

    made = Table(box=box.SIMPLE_HEAD, pad_edge=False, title_justify="left", header_style="bold")
    currencies = {str(summary["currency"]) for summary in summaries if summary.get("currency")}
    made.add_column(f"[dim]money in {escape(', '.join(sorted(currencies)))}[/]" if currencies else "")
    for summary in summaries:
        made.add_column(escape(str(summary.get("name", "run"))), justify="right")
    if any(summary.get("status", "complete") != "complete" for summary in summaries):
        made.add_row(
            "status", *(f"[red]{escape(str(summary.get('status', '–')))}[/]" for summary in summaries)
        )
    for label, key, write in HEADLINE:
        if key == "funding" and not any(map(_funding, summaries)):
            continue
        cells = []
        for summary in summaries:
            text = _cell(summary, key, write)
            cells.append(Text(text, style=_colour(key, summary.get(key))))
        made.add_row(label, *cells, end_section=key in ("sharpe", "ambiguous_bars"))
    for label in SCENARIOS:
        if any(summary.get("ambiguous_bars") for summary in summaries):
            made.add_row(f"return, {label}", *(_scenario(summary, label) for summary in summaries))
    return made


def _colour(key: str, value: Any) -> str:
    if key != "total_return" or not isinstance(value, (int, float)):
        return ""
    return "green" if value > 0 else "red" if value < 0 else ""


def _scenario(summary: Mapping[str, Any], name: str) -> str:
    found = (summary.get("scenarios") or {}).get(name)
    if isinstance(found, Mapping):
        return percent(found.get("total_return"))
    initial = summary.get("initial_equity")
    return percent(found / initial - 1) if found is not None and initial else "–"


def print_result(console: Console, summary: Mapping[str, Any]) -> None:
    """Print one run: its figures, how it traded where it ran on tick data, and what to know beside them."""
    console.print(result_table(summary))
    made = execution_table(summary)
    if made is not None:
        console.print(made)
    for line in (*execution_notes(summary), *notes(summary)):
        console.print(line)


def notes(summary: Mapping[str, Any]) -> list[str]:
    """Return lines with markup: grid, faults and gaps of the data, audit, speed, and where the run lies."""
    from rich.markup import escape

    from tradectl.metrics.conventions import marking_of

    data = summary.get("data") or {}
    lines = [*_grid(data.get("instruments") or []), *_faults(data)]
    lines += [f"[cyan]note[/] {escape(str(note))}" for note in data.get("notes") or ()]
    lines += feed_notes(summary)
    lines += session_notes(summary)
    if left_out := (summary.get("calendar") or {}).get("left_out"):
        what = f"{count(left_out)} bars, trades or quotes outside the sessions"
        lines.append(f"[cyan]note[/] {what} were left out (execution.outside_session)")
    if summary.get("synthetic_bars"):
        made_up = count(summary["synthetic_bars"])
        lines.append(f"[yellow]data[/] {made_up} bars are made up to fill gaps; nothing fills in them")
    if summary.get("error"):
        lines.append(f"[red]error[/] {escape(str(summary['error'].get('message')))}")
    if summary.get("breached"):
        lines.append("[yellow]risk[/] the drawdown limit was breached")
    for one in summary.get("disabled_strategies") or ():
        what = f": {one['error']}" if one.get("error") else ""
        where = f"{one['hook']} on {one['instrument']} at {one['ts_event']}, event {count(one['event'])}{what}"
        lines.append(f"[red]strategy[/] {escape(str(one['strategy']))} was disabled: it raised in {escape(where)}")
    if unknown := unvalued(summary):
        lines.append(f"[yellow]data[/] {escape(unknown)}")
    elif (summary.get("final_equity") or 0.0) <= 0.0:
        lines.append("[red]risk[/] the account lost everything; margin calls and liquidation are not simulated")
    lines += _refused(summary.get("refusals") or {})
    if summary.get("ambiguous_bars"):
        share = (summary.get("ambiguous") or {}).get("fills_share")
        lines.append(
            f"[yellow]path[/] {percent(share)} of the fills hang on which of high and low came first"
        )
    timing = summary.get("timing") or {}
    parts = [
        f"{key[:-2]} {seconds(timing[key])}"
        for key in timing
        if key.endswith("_s") and timing[key] is not None
    ]
    speed = f", {count(summary.get('events_per_s'))} events/s" if summary.get("events_per_s") else ""
    sampled = calendar_year(summary)
    lines.append(
        f"[dim]{sampled} a year, sample deviation, no risk-free rate; marked at the {marking_of(summary)}[/]"
    )
    lines.append(f"[dim]{' · '.join(parts)}{speed}[/]")
    balanced = (summary.get("audit") or {}).get("balanced")
    audit = "[green]ledger balanced[/]" if balanced else "[red]ledger not balanced[/]"
    lines.append(f"{audit} · state {escape(str(summary.get('state_hash', '–')))}")
    lines.append(f"run: [bold]{escape(str(summary.get('run_dir', '–')))}[/]")
    return lines


def calendar_year(summary: Mapping[str, Any]) -> str:
    """Return how returns are sampled, and how many of them a year has."""
    told = summary.get("calendar") or {}
    if not told.get("sessions"):
        return "daily UTC returns, 365"
    return f"returns from close to close of sessions, {told['periods_per_year']:.6g}"


def _grid(instruments: Sequence[Mapping[str, Any]]) -> list[str]:
    """Say which tick and lot sizes were inferred."""
    from rich.markup import escape

    guessed: dict[str, str] = {}  # an instrument has one grid, however many sources (a detail block) feed it
    for one in instruments:
        if "inferred" in (one.get("tick_from"), one.get("lot_from")):
            guessed[str(one["instrument"])] = ", ".join(
                f"{key} {one[f'{key}_size']} ({one[f'{key}_from']})" for key in ("tick", "lot") if f"{key}_size" in one
            )
    lines = [
        f"[cyan]grid[/] {escape(name)}: {escape(sizes)}" for name, sizes in list(guessed.items())[:MOST_LISTED]
    ]
    if len(guessed) > MOST_LISTED:
        lines.append(f"[cyan]grid[/] {len(guessed) - MOST_LISTED} more inferred; see `tradectl data info`")
    return lines


def _refused(refusals: Mapping[str, int]) -> list[str]:
    """Say why orders were denied or rejected, the most frequent reasons first."""
    from tradectl.core.codes import MESSAGES, Reason

    lines = []
    for name, number in list(refusals.items())[:MOST_LISTED]:
        message = f": {MESSAGES[Reason[name]]}" if name in Reason.__members__ else ""
        lines.append(f"[yellow]refused[/] {count(number)} × {name}{message}")
    rest = list(refusals.items())[MOST_LISTED:]
    if rest:
        lines.append(f"[yellow]refused[/] {', '.join(f'{count(number)} × {name}' for name, number in rest)}")
    return lines


def _faults(data: Mapping[str, Any]) -> list[str]:
    """Count faults by kind and action, missing bars, and breaks of book data."""
    kinds: dict[tuple[str, str], int] = {}
    for fault in data.get("faults") or []:
        key = (str(fault["kind"]), treated(fault, data.get("instruments") or []))
        kinds[key] = kinds.get(key, 0) + int(fault["count"])
    lines = [
        f"[yellow]data[/] {number:,} {kind}: {done}" for (kind, done), number in sorted(kinds.items()) if kind != "gap"
    ]
    instruments = data.get("instruments") or []
    gaps, breaks = (
        sum(int(one.get("gap_count") or 0) for one in instruments if bool(one.get("kinds")) == of_book)
        for of_book in (False, True)
    )
    if gaps:
        missing = sum(int(one.get("missing_bars") or 0) for one in instruments)
        bars = f"{missing:,} bar{' is' if missing == 1 else 's are'} missing"
        lines.append(f"[yellow]data[/] {gaps:,} gap{'s' * (gaps != 1)}, {bars}; nothing fills in them")
    if breaks:
        told = f"{breaks:,} break{'s' * (breaks != 1)} in the sequence of messages"
        lines.append(f"[yellow]data[/] {told}; a book fills nothing until it is whole again")
    return lines
