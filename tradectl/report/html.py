"""The parts that sections are made of: charts with their words, tables, tiles of figures, notes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any

from tradectl.report.text import DASH

__all__ = ["Chart", "Section", "details", "note", "pairs", "table", "tiles"]


@dataclass(frozen=True)
class Chart:
    """One picture: Plotly traces and layout; colours are names of the page's palette after an `@`.

    `told` is what the chart shows, in words and figures, for those who do not see it.
    """

    id: str
    title: str
    told: str
    traces: Sequence[Mapping[str, Any]]
    layout: Mapping[str, Any] = field(default_factory=dict)
    height: int = 320

    def html(self) -> str:
        """Return the place where the chart is drawn."""
        label = escape(f"{self.title}. {self.told}", quote=True)
        return (
            f'<figure class="chart"><figcaption><b>{escape(self.title)}</b>'
            f"<span>{escape(self.told)}</span></figcaption>"
            f'<div class="plot" id="{self.id}" role="img" aria-label="{label}" style="height:{self.height}px"></div>'
            "</figure>"
        )

    def spec(self) -> dict[str, Any]:
        """Return what the page's script draws."""
        return {"traces": list(self.traces), "layout": dict(self.layout)}


@dataclass
class Section:
    """A part of the page with its heading: pieces of HTML and the charts among them."""

    id: str
    title: str
    lead: str = ""
    parts: list[str] = field(default_factory=list)
    charts: list[Chart] = field(default_factory=list)

    def draw(self, chart: Chart) -> None:
        """Add a chart."""
        self.charts.append(chart)
        self.parts.append(chart.html())

    def add(self, *parts: str) -> None:
        """Add pieces of HTML; empty ones are left out."""
        self.parts += [part for part in parts if part]

    def side_by_side(self, *parts: str) -> None:
        """Add pieces that stand beside each other where there is room."""
        self.add(f'<div class="pair">{"".join(f"<div>{part}</div>" for part in parts if part)}</div>')

    def html(self) -> str:
        """Return the whole section."""
        lead = f'<p class="lead">{escape(self.lead)}</p>' if self.lead else ""
        body = "\n".join(self.parts)
        return f'<section id="{self.id}"><h2>{escape(self.title)}</h2>{lead}\n{body}\n</section>'


def tiles(rows: Sequence[tuple[str, str, str]], kind: str = "") -> str:
    """Return figures as tiles: name, value, and the value's class (`gain`, `loss` or none)."""
    cells = "".join(
        f'<div class="tile"><dt>{escape(name)}</dt><dd class="{tone}">{escape(value)}</dd></div>'
        for name, value, tone in rows
    )
    return f'<dl class="tiles {kind}">{cells}</dl>'


def table(
    heads: Sequence[str],
    rows: Sequence[Sequence[Any]],
    *,
    caption: str = "",
    left: Sequence[int] = (0,),
    kind: str = "",
) -> str:
    """Return a table; the columns in `left` are text, the others figures, the first cell of a row names it.

    A cell is text, or (text, class).
    """
    if not rows:
        return ""
    top = f"<caption>{escape(caption)}</caption>" if caption else ""
    head = "".join(f'<th scope="col"{_class(k in left, "")}>{escape(name)}</th>' for k, name in enumerate(heads))
    body = "".join(f"<tr>{''.join(_cell(k, cell, k in left) for k, cell in enumerate(row))}</tr>" for row in rows)
    inner = f"{top}<thead><tr>{head}</tr></thead><tbody>{body}</tbody>"
    return f'<div class="wide"><table class="{kind}">{inner}</table></div>'


def _cell(place: int, cell: Any, is_text: bool) -> str:
    text, tone = cell if isinstance(cell, tuple) else (cell, "")
    shown = escape(DASH if text is None else str(text))
    if place == 0:
        return f'<th scope="row"{_class(is_text, tone)}>{shown}</th>'
    return f"<td{_class(is_text, tone)}>{shown}</td>"


def _class(is_text: bool, tone: str) -> str:
    names = " ".join(name for name in ("l" if is_text else "", tone) if name)
    return f' class="{names}"' if names else ""


def pairs(rows: Sequence[tuple[str, Any]], caption: str = "") -> str:
    """Return names and values as a table of two columns, rows without a value left out."""
    kept = [(name, value) for name, value in rows if value not in (None, "")]
    if not kept:
        return ""
    top = f"<caption>{escape(caption)}</caption>" if caption else ""
    body = "".join(f'<tr><th scope="row" class="l">{escape(n)}</th>{_cell(1, v, False)}</tr>' for n, v in kept)
    return f'<div class="wide"><table class="pairs">{top}<tbody>{body}</tbody></table></div>'


def note(text: str, kind: str = "") -> str:
    """Return a remark; `kind` is none, `warn` or `bad`."""
    return f'<p class="note {kind}">{escape(text)}</p>'


def details(title: str, body: str, is_open: bool = False) -> str:
    """Return something that opens when asked for."""
    if not body:
        return ""
    return f"<details{' open' if is_open else ''}><summary>{escape(title)}</summary>{body}</details>"
