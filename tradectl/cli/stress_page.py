"""A stress test as one page of HTML: heat maps, every axis alone, break-even points; no script, no network."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

from tradectl.cli.stress_table import (
    AXIS_NAMES,
    Write,
    amount_of,
    axis_rows,
    colour_of,
    columns_of,
    ink_of,
    lines_of,
    titles_of,
)

__all__ = ["page_of"]

STYLE = """
:root { color-scheme: light dark; --paper: #fff; --ink: #1c2024; --dim: #5d666f; --line: #d9dde1; --own: #1c2024; }
@media (prefers-color-scheme: dark) {
  :root { --paper: #16191c; --ink: #e4e7ea; --dim: #98a1aa; --line: #33393f; --own: #fff; }
}
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem 1rem 3rem; max-width: 76rem; background: var(--paper); color: var(--ink);
  font: 15px/1.45 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
h1 { font-size: 1.4rem; margin: 0 0 .2rem; } h2 { font-size: 1.05rem; margin: 2rem 0 .5rem; }
p { margin: .3rem 0; } .dim, caption { color: var(--dim); }
.maps { display: flex; flex-wrap: wrap; gap: 0 2.5rem; } .maps section { flex: 1 1 24rem; min-width: 0; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
caption { text-align: left; padding-bottom: .4rem; font-size: .85rem; }
th, td { padding: .3rem .6rem; text-align: right; white-space: nowrap; }
th { font-weight: 600; } tbody th, th:first-child { text-align: left; padding-left: 0; }
tbody th { font-weight: 400; }
.map table { width: 100%; } .map td { min-width: 3.6rem; border: 2px solid var(--paper); }
.map td.own { outline: 2px solid var(--own); outline-offset: -4px; font-weight: 700; }
.axes td, .axes th { border-top: 1px solid var(--line); } .axes thead th { border-top: 0; }
.axes tr.first td, .axes tr.first th { border-top: 2px solid var(--dim); }
.axes tr.own :is(th, td) { font-weight: 700; }
@media (max-width: 40rem) { .map td { min-width: 0; } th, td { padding: .3rem .35rem; font-size: .85rem; } }
"""


def page_of(result: Mapping[str, Any]) -> str:
    """Return the page of a result of `stress_run.stress`."""
    name, grid = escape(str(result["name"])), result["grid"]
    writes = {"pnl": amount_of(result), "fill_ratio": _tenths}
    own = ", ".join(f"{AXIS_NAMES[axis]} {result['base'][axis]}" for axis in AXIS_NAMES if result["base"][axis] != "–")
    told = "\n".join(f"<p>{_words(line)}</p>" for line in lines_of(result))
    head = escape(f"{', '.join(result['instruments'])}, {result['events']:,} events. As in the config: {own}.")
    maps = "\n".join(
        f'<section class="map"><h2>{escape(title)}</h2>'
        f'<div class="wide">{"".join(_map(grid, figure, writes[figure]))}</div></section>'
        for figure, title in titles_of(result).items()
    )
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>stress: {name}</title>
<style>{STYLE}</style>
</head>
<body>
<h1>{name} under stress</h1>
<p class="dim">{head}</p>
<div class="maps">
{maps}
</div>
<h2>What it says</h2>
{told}
<h2>Each axis alone</h2>
<div class="wide axes">{"".join(_axes(result))}</div>
</body>
</html>
"""


def _words(line: str) -> str:
    """Return a line with the terminal's markup as HTML; what is bold or coloured there is bold."""
    from rich.text import Text

    text = Text.from_markup(line)
    strong = [span for span in text.spans if span.style != "dim"]
    made, at = "", 0
    for span in strong:
        made += escape(text.plain[at : span.start]) + f"<b>{escape(text.plain[span.start : span.end])}</b>"
        at = span.end
    return made + escape(text.plain[at:])


def _map(grid: Mapping[str, Any], figure: str, write: Write) -> Iterator[str]:
    """Yield the parts of one heat map's table; the config's own cell is framed."""
    values = grid[figure]
    scale = max((abs(value) for row in values for value in row if value is not None), default=0.0)
    heads = "".join(f'<th scope="col">{escape(label)}</th>' for label in grid["column_labels"])
    axes = f"{AXIS_NAMES[grid['rows']]} down, {AXIS_NAMES[grid['columns']]} across; framed: as in the config"
    yield f"<table><caption>{axes}</caption><thead><tr><th></th>{heads}</tr></thead><tbody>"
    for label, row in zip(grid["row_labels"], values, strict=True):
        yield f'<tr><th scope="row">{escape(label)}</th>'
        for latency, value in zip(grid["column_labels"], row, strict=True):
            own = ' class="own"' if [label, latency] == list(grid["base"]) else ""
            style = ""
            if value is not None:
                colour = colour_of(value, figure, scale)
                style = f' style="background:rgb{colour};color:{ink_of(colour)}"'
            yield f"<td{own}{style}>{write(value)}</td>"
        yield "</tr>"
    yield "</tbody></table>"


def _tenths(value: float | None) -> str:
    """Write a ratio in little room, for phones."""
    return "–" if value is None else f"{value:.1%}"


def _axes(result: Mapping[str, Any]) -> Iterator[str]:
    """Yield the parts of the table of all axes."""
    columns = columns_of(result)
    heads = "".join(f'<th scope="col">{title}</th>' for title, _key, _write in columns)
    yield f"<table><thead><tr><th></th>{heads}</tr></thead><tbody>"
    for row in axis_rows(result):
        marks = " ".join(word for word, there in (("first", row.is_first), ("own", row.is_own)) if there)
        yield f'<tr class="{marks}"><th scope="row">{escape(f"{AXIS_NAMES[row.axis]} {row.value}")}</th>'
        yield "".join(f"<td>{write(row.cell[key])}</td>" for _, key, write in columns) + "</tr>"
    yield "</tbody></table>"
