"""The top of the page: what became of the money, in one sentence and a dozen figures."""

from __future__ import annotations

from tradectl.report.html import Section, note, tiles
from tradectl.report.model import Report
from tradectl.report.text import (
    Write,
    count,
    days,
    decimal,
    duration,
    money,
    percent,
    signed,
    stamp,
    tone,
    unvalued,
)

__all__ = ["badges", "headline", "sentence"]

DAY, SECOND = 86_400 * 10**9, 10**9  # ns
LARGE = (("Total return", "total_return"), ("CAGR", "cagr"))
REST: tuple[tuple[str, str, Write], ...] = (
    ("Sharpe ratio", "sharpe", decimal),
    ("Volatility a year", "volatility", percent),
    ("Profit factor", "profit_factor", decimal),
    ("Trades won", "win_rate", percent),
    ("Trades", "trades", count),
    ("Fills", "fills", count),
    ("Orders", "orders", count),
    ("Time in the market", "exposure", percent),
    ("Turnover", "turnover", decimal),
)


def headline(report: Report) -> Section:
    """Return the figures that a reader wants first."""
    told, made = report.summary, Section("result", "Result", sentence(report))
    large = [(name, signed(told.get(key), percent), tone(told.get(key))) for name, key in LARGE]
    large += [("Largest drawdown", percent(told.get("max_drawdown")), "")]
    large += [(f"Final equity, {report.currency}", money(told.get("final_equity")), "")]
    rest = [(name, write(told.get(key)), "") for name, key, write in REST]
    rest += [(f"Fees, {report.currency}", money(told.get("fees")), "")]
    made.add(tiles(large, "large"), tiles(rest))
    made.add(*_remarks(report))
    return made


def sentence(report: Report) -> str:
    """Say what became of the money, and what holding the instruments would have made."""
    told, (first, last) = report.summary, report.span
    gone = f"{money(told['initial_equity'])} {report.currency} became {money(told['final_equity'])}"
    text = f"{gone}, {signed(told.get('total_return'), percent)}"
    if last > first:
        text += f" in {_length(last - first)} ({stamp(first, seconds=False)} to {stamp(last, seconds=False)} UTC)"
    held = report.held
    if held is not None:
        names = [name for name in report.held_names if name not in report.unrated]
        what = names[0] if len(names) == 1 else f"all {len(names)} instruments"
        text += f"; buying and holding {what} made {signed(held, percent)}"
    return text + "."


def _length(span: int) -> str:
    """Write the length of a run, ns."""
    return days(span / DAY) if span >= 2 * DAY else duration(round(span / SECOND))


def badges(report: Report) -> list[tuple[str, str]]:
    """Return what marks the run: (text, class)."""
    told = report.summary
    status, balanced = str(told.get("status")), (told.get("audit") or {}).get("balanced")
    mode = "paper session" if told.get("mode") == "paper" else "backtest"
    return [
        (mode, ""),
        (status, "" if status == "complete" else "loss"),
        ("ledger balanced", "gain") if balanced else ("ledger not balanced", "loss"),
    ]


def _remarks(report: Report) -> list[str]:
    """Return what must not be overlooked."""
    told = report.summary
    found = []
    if told.get("error"):
        found.append(note(str(told["error"].get("message")), "bad"))
    if told.get("breached"):
        found.append(note("The drawdown limit was breached.", "bad"))
    for one in told.get("disabled_strategies") or ():
        where = f"it raised in {one['hook']} on {one['instrument']} at {one['ts_event']}"
        found.append(note(f"Strategy {one['strategy']} was disabled: {where}. {one.get('error') or ''}", "bad"))
    if unknown := unvalued(told):
        found.append(note(unknown, "warn"))
    elif (told.get("final_equity") or 0.0) <= 0.0:
        found.append(note("The account lost everything.", "bad"))
    if report.why:
        found.append(note(f"Without prices: {report.why}. Charts that need them are left out.", "warn"))
    for name, source in report.unrated.items():
        why = f"the data has no prices of {source}, which would convert it into {report.currency}"
        found.append(note(f"Buying and holding leaves out {name}: {why}.", "warn"))
    return found
