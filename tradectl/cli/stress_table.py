"""A stress test for people: each axis alone as a table, two heat maps in colour, break-even points in words."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from tradectl.cli.output import count, money, percent, seconds

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

__all__ = [
    "AXIS_NAMES", "Write", "amount_of", "axis_rows", "colour_of", "columns_of", "ink_of", "lines_of", "print_stress",
    "titles_of",
]  # fmt: skip

AXIS_NAMES = {"queue": "queue model", "latency": "latency", "fee_level": "fees", "slippage": "ticks of slippage"}
LOSS, GAIN, FILLED = (178, 24, 43), (0, 119, 72), (8, 88, 158)  # ends of the scales; their other end is PAPER
PAPER = (238, 238, 238)
Write = Callable[[Any], str]


def columns_of(result: Mapping[str, Any]) -> tuple[tuple[str, str, Write], ...]:
    """Return the columns of the table of axes: title, figure, how it is written."""
    amount = amount_of(result)
    return (
        ("P&L", "pnl", amount),
        ("return", "total_return", percent),
        ("fees", "fees", amount),
        ("orders", "orders", count),
        ("fills", "fills", count),
        ("filled orders", "fill_ratio_orders", percent),
        ("filled quantity", "fill_ratio_qty", percent),
        ("maker", "maker_share_notional", percent),
        ("max drawdown", "max_drawdown", percent),
    )


def amount_of(result: Mapping[str, Any]) -> Write:
    """Return what writes money in a result's currency."""
    return partial(money, currency=str(result["currency"]))


def print_stress(console: Console, result: Mapping[str, Any]) -> None:
    """Print a result of `stress_run.stress`."""
    from rich.markup import escape

    console.print(f"[bold]{escape(str(result['name']))}[/]: each axis alone, the others as in the config (•)")
    console.print(axes_table(result))
    for figure, title in titles_of(result).items():
        write = amount_of(result) if figure == "pnl" else percent
        console.print(heat_map(result["grid"], figure, title, write))
    for line in lines_of(result):
        console.print(line)


def axes_table(result: Mapping[str, Any]) -> Table:
    """Return one row for each value of each axis, the others as in the config."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    made = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
    made.add_column("")
    columns = columns_of(result)
    for title, _key, _write in columns:
        made.add_column(title, justify="right")
    for row in axis_rows(result):
        title = AXIS_NAMES[row.axis]
        name = f"{title if row.is_first else ' ' * len(title)} {row.value}"
        figures = [Text(write(row.cell[key]), style=_sign_style(key, row.cell[key])) for _, key, write in columns]
        made.add_row(name + (" •" if row.is_own else ""), *figures, end_section=row.is_last)
    return made


def titles_of(result: Mapping[str, Any]) -> dict[str, str]:
    """Return the titles of the heat maps by figure."""
    return {"pnl": f"P&L in {result['currency']}", "fill_ratio": "fill ratio"}


class AxisRow(NamedTuple):
    """One value of an axis and its cell, the others as in the config."""

    axis: str
    value: str
    cell: Mapping[str, Any]
    is_own: bool  # it is what the config says
    is_first: bool
    is_last: bool


def axis_rows(result: Mapping[str, Any]) -> Iterator[AxisRow]:
    """Yield all values of all axes."""
    base = {name: result["base"][name] for name in AXIS_NAMES}
    for axis in AXIS_NAMES:
        values = [value for value in result["axes"][axis] if value != "–"]
        for value in values:
            wanted = {**base, axis: value}
            cell = next(one for one in result["cells"] if all(one[name] == wanted[name] for name in AXIS_NAMES))
            yield AxisRow(axis, value, cell, value == base[axis], value == values[0], value == values[-1])


def _sign_style(key: str, value: float | None) -> str:
    if key not in ("pnl", "total_return") or value is None:
        return ""
    return "green" if value > 0 else "red" if value < 0 else ""


def heat_map(grid: Mapping[str, Any], figure: str, title: str, write: Write) -> Table:
    """Return a product of two axes with a coloured cell for each figure."""
    from rich import box
    from rich.table import Table

    made = Table(
        box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 0), header_style="bold", title=title, title_justify="left",
        title_style="bold",
    )  # fmt: skip
    made.add_column(f"[dim]{AXIS_NAMES[grid['rows']]} ↓  {AXIS_NAMES[grid['columns']]} →[/]")
    own_row, own_column = grid["base"]
    for label in grid["column_labels"]:
        made.add_column(label + (" •" if label == own_column else ""), justify="right")
    values = grid[figure]
    scale = max((abs(value) for row in values for value in row if value is not None), default=0.0)
    for label, row in zip(grid["row_labels"], values, strict=True):
        cells = [_coloured(value, figure, scale, write) for value in row]
        made.add_row(label + (" •  " if label == own_row else "  "), *cells)
    return made


def _coloured(value: float | None, figure: str, scale: float, write: Write) -> Text:
    from rich.text import Text

    if value is None:
        return Text(" – ")
    colour = colour_of(value, figure, scale)
    return Text(f" {write(value)} ", style=f"{ink_of(colour)} on #{bytes(colour).hex()}")


def ink_of(colour: tuple[int, int, int]) -> str:
    """Return the colour of writing that is read best on a colour."""
    red, green, blue = colour
    return "black" if 299 * red + 587 * green + 114 * blue > 140_000 else "white"


def colour_of(value: float, figure: str, scale: float) -> tuple[int, int, int]:
    """Return red, green and blue, 0 to 255: P&L from red over paper to green, ratios from paper to blue."""
    end = FILLED if figure != "pnl" else GAIN if value > 0 else LOSS
    share = min(abs(value) / scale, 1.0) if figure == "pnl" and scale > 0 else min(max(value, 0.0), 1.0)
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(PAPER, end, strict=True))
    return red, green, blue


# --- words


def lines_of(result: Mapping[str, Any]) -> list[str]:
    """Return lines with markup: best and worst variant, break-even points, notes, speed."""
    from rich.markup import escape

    amount = amount_of(result)
    lines = [*_extremes(result["cells"], amount), _latency_line(result["break_even"]["latency"], amount)]
    lines += _fee_lines(result["break_even"]["fee"], amount)
    lines += [f"[cyan]note[/] {escape(str(note))}" for note in result["notes"]]
    timing, total = result["timing"], result["events"] * len(result["cells"])
    speed = f", {count(total / timing['cells_s'])} events/s" if timing["cells_s"] > 0 else ""
    where = "events in memory" if result["in_memory"] else "events read again"
    lines.append(
        f"[dim]{len(result['cells'])} variants × {count(result['events'])} events in {seconds(timing['cells_s'])}"
        f"{speed}, {result['jobs']} at a time, {where}, {seconds(timing['total_s'])} in all[/]"
    )
    return lines


def _extremes(cells: Sequence[Mapping[str, Any]], amount: Write) -> list[str]:
    known = sorted((one for one in cells if one["pnl"] is not None), key=lambda one: one["pnl"])
    if len(known) < 2:
        return []
    made = []
    for name, one in (("worst", known[0]), ("best", known[-1])):
        place = ", ".join(f"{AXIS_NAMES[axis]} {one[axis]}" for axis in AXIS_NAMES if one[axis] != "–")
        made.append(f"[bold]{name}[/]  {amount(one['pnl'])} at {place}")
    return made


def _latency_line(found: Mapping[str, Any], amount: Write) -> str:
    head = "[bold]break-even latency[/]"
    words = {
        "always_profit": "none: a profit at every latency tried",
        "never_profit": "none: a profit at no latency tried",
        "unknown": "not known: no latency has a figure",
    }
    if found["status"] in words:
        return f"{head} {words[found['status']]}"
    low, high = found["low"], found["high"]
    verb = "ends" if found["status"] == "profit_ends" else "begins"
    more = f"; the first of {found['crossings']} changes of sign" if found["crossings"] > 1 else ""
    around = " and ".join(f"{one['latency']} ({amount(one['pnl'])})" for one in found["within"])
    if found["is_jump"]:
        more += "; [yellow]a jump: P&L does not pass through zero there, and may turn again nearby[/]"
    return (
        f"{head} the profit {verb} between {low['latency']} ({amount(low['pnl'])}) and {high['latency']} "
        f"({amount(high['pnl'])}) [dim](looked for between {around})[/]{more}"
    )


def _fee_lines(found: Mapping[str, Any], amount: Write) -> list[str]:
    head = "[bold]break-even fee[/]"
    if found["status"] == "no_fills":
        return [f"{head} none: the run fills nothing"]
    rate, factor = found["rate"], found["factor"]
    what = "a fee of" if rate >= 0 else "a loss before fees: it would take a rebate of"
    told = f"{head} {what} {abs(rate) * 1e4:,.4f} bps of notional on every fill"
    if factor == factor and factor >= 0:
        told += f", or {factor:,.4f} × the fees paid"
    lines = [f"{told} [dim](linear: {amount(found['gross'])} before fees)[/]"]
    for one in found["tried"]:
        same = "the same fills" if one["same_fills"] else "[yellow]other fills, so it is not exact[/]"
        lines.append(f"  [dim]a run with {one['fee_level']}:[/] P&L {amount(one['pnl'])}, {same}")
    return lines
