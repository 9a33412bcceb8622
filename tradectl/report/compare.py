"""Several runs in one page: equity and drawdown laid over each other, figures and settings that differ."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tradectl.report.draw import Trace, line, stamps
from tradectl.report.equity import drawdown_of
from tradectl.report.html import Chart, Section, note, table
from tradectl.report.model import Report
from tradectl.report.page import page
from tradectl.report.series import MOST
from tradectl.report.text import DASH, count, decimal, money, percent, signed, stamp, tone

__all__ = ["build_comparison", "differences", "differing", "labels"]

POINTS = 240_000  # of all lines of a chart
COLOURS = 7  # of the palette
DASHES = ("solid", "dash", "dot")  # runs that share a colour differ in these
FIGURES: tuple[tuple[str, str, Callable[[Any], str]], ...] = (
    ("Final equity", "final_equity", money), ("CAGR", "cagr", percent), ("Largest drawdown", "max_drawdown", percent),
    ("Volatility a year", "volatility", percent), ("Sharpe ratio", "sharpe", decimal),
    ("Trades", "trades", count), ("Trades won", "win_rate", percent), ("Profit factor", "profit_factor", decimal),
    ("Time in the market", "exposure", percent), ("Turnover", "turnover", decimal), ("Fees", "fees", money),
    ("Orders", "orders", count), ("Fills", "fills", count), ("Denied", "denied", count),
    ("Rejected", "rejected", count),
    ("Ambiguous bars", "ambiguous_bars", count), ("Events", "events", count),
)  # fmt: skip


def labels(reports: Sequence[Report]) -> list[str]:
    """Return a name for each run: its own where that is unique, else with the time of its folder."""
    names = [report.name for report in reports]
    times = [report.data.folder.name[:16] for report in reports]
    unique = [n if names.count(n) == 1 else f"{n} {time}" for n, time in zip(names, times, strict=True)]
    return [n if unique.count(n) == 1 else f"{n} ({k + 1})" for k, n in enumerate(unique)]


def build_comparison(reports: Sequence[Report]) -> str:
    """Return the page of several runs."""
    names = labels(reports)
    title = f"{len(names)} runs compared"
    same = all(report.summary.get("status") == "complete" for report in reports)
    badges = [("all complete", "gain") if same else ("not all complete", "loss")]
    foot = "Made by tradectl from the runs' own files."
    sections = [_overlay(reports, names), _figures(reports, names), _settings(reports, names)]
    return page(title, " · ".join(report.data.folder.name for report in reports), badges, sections, foot)


def _overlay(reports: Sequence[Report], names: Sequence[str]) -> Section:
    made = Section("equity", "Equity", "Each run begins at 100, so that different balances lie over each other.")
    if len({report.currency for report in reports}) > 1:
        made.add(note("The accounts are in different currencies.", "warn"))
    levels, drawdowns, words, deepest = [], [], [], []
    few = min(MOST, POINTS // len(reports))
    for k, (report, name) in enumerate(zip(reports, names, strict=True)):
        ts, equity = stamps(report.data.equity["ts"]), report.data.equity["equity"].to_numpy()
        if not len(ts) or not report.data.initial > 0.0:
            continue
        style: Trace = {
            "colour": f"series-{k % COLOURS + 1}", "most": few, "legendgroup": name,
            "line": {"dash": DASHES[k // COLOURS % len(DASHES)]},
        }  # fmt: skip
        levels.append(line(name, ts, 100.0 * equity / report.data.initial, **style, hovertemplate="%{y:.2f}"))
        down = drawdown_of(equity, report.data.initial)
        drawdowns.append(line(name, ts, -100.0 * down, **style, hovertemplate="%{y:.2f} %"))
        words.append(f"{name} {signed(report.summary.get('total_return'), percent)}")
        deepest.append(f"{name} {percent(float(down.max()))}")
    dates = {"xaxis": {"type": "date"}}
    below = {**dates, "yaxis": {"ticksuffix": " %", "rangemode": "tozero"}}
    made.draw(Chart("compare-equity", "Equity, start = 100", f"Return: {', '.join(words)}.", levels, dates, 420))
    made.draw(Chart("compare-drawdown", "Drawdown", f"Deepest: {', '.join(deepest)}.", drawdowns, below, 280))
    return made


def _figures(reports: Sequence[Report], names: Sequence[str]) -> Section:
    made = Section("figures", "Figures")
    told = [report.summary for report in reports]
    rows: list[Sequence[Any]] = [("Period", *(_period(report) for report in reports))]
    returns = [one.get("total_return") for one in told]
    rows.append(("Total return", *((signed(value, percent), tone(value)) for value in returns)))
    currencies = {report.currency for report in reports}
    units = dict.fromkeys(("final_equity", "fees"), f", {currencies.pop()}") if len(currencies) == 1 else {}
    rows += [(name + units.get(key, ""), *(write(one.get(key)) for one in told)) for name, key, write in FIGURES]
    rows.append(("Status", *(one.get("status") for one in told)))
    made.add(table(("", *names), rows, kind="several"))
    return made


def _period(report: Report) -> str:
    first, last = report.span
    return f"{stamp(first)[:10]} to {stamp(last)[:10]}" if last else DASH


def _settings(reports: Sequence[Report], names: Sequence[str]) -> Section:
    made = Section("settings", "Settings that differ")
    rows = differences([report.config for report in reports])
    if rows:
        made.add(table(("Key", *names), rows, left=range(len(names) + 1), kind="words"))
    else:
        made.lead = "All settings are the same."
    sources = {tuple(sorted((place, one["blake2b"]) for place, one in r.lock["sources"].items())) for r in reports}
    if len(sources) > 1:
        made.add(note("The strategies' sources are not the same files."))
    if len({report.summary.get("data_hash") for report in reports}) > 1:
        made.add(note("The runs read different data."))
    versions = differing([report.lock["versions"] for report in reports])
    if versions:
        made.add(note(f"The runs were made by different versions: {'; '.join(versions)}."))
    return made


def differing(versions: Sequence[Mapping[str, str]]) -> list[str]:
    """Return what runs have in different versions, with those; what one alone needs (a calendar's package) is none."""
    names = dict.fromkeys(name for one in versions for name in one)
    found = {name: list(dict.fromkeys(one[name] for one in versions if name in one)) for name in names}
    return [f"{name} {' and '.join(each)}" for name, each in found.items() if len(each) > 1]


def differences(configs: Sequence[Mapping[str, Any]]) -> list[tuple[str, ...]]:
    """Return (key, value in each configuration) of all keys whose values are not the same."""
    flat = [_flat(config) for config in configs]
    keys = dict.fromkeys(key for one in flat for key in one)
    rows = [(key, *(one.get(key, DASH) for one in flat)) for key in keys if key != "name"]
    return [row for row in rows if len(set(row[1:])) > 1]


def _flat(value: Any, key: str = "") -> dict[str, str]:
    """Return nested settings as one level: a.b[0].c."""
    if isinstance(value, Mapping):
        inner = [(f"{key}.{name}" if key else str(name), one) for name, one in value.items()]
    elif isinstance(value, list) and any(isinstance(one, (Mapping, list)) for one in value):
        inner = [(f"{key}[{k}]", one) for k, one in enumerate(value)]
    elif isinstance(value, list):
        return {key: ", ".join(map(str, value))}
    else:
        return {key: str(value)}
    return {name: text for place, one in inner for name, text in _flat(one, place).items()}
