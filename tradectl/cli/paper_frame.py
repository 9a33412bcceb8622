"""Drawing a screen of tables line by line: Rich's own tables take ten times as long, and messages would wait."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style

__all__ = ["Cell", "Column", "Line", "Table", "beside", "flow", "share", "spark", "table_lines"]

Cell = tuple[str, str]  # text, and the name of its style
Line = list[Segment]
STYLES = {
    "": Style.null(),
    "bold": Style(bold=True),
    "dim": Style(dim=True),
    "title": Style(color="cyan", bold=True),
    "good": Style(color="green"),
    "bad": Style(color="red"),
    "warn": Style(color="yellow"),
    "alarm": Style(color="white", bgcolor="red", bold=True),
    "calm": Style(color="black", bgcolor="green", bold=True),
    "careful": Style(color="black", bgcolor="yellow", bold=True),
}
BARS = "▁▂▃▄▅▆▇█"
GAP = "  "
LEAST = 12  # cells of a column of long text


@dataclass(frozen=True)
class Column:
    """One column; where it is narrow those of the largest `rank` go first, those of rank 0 stay, `long` text is cut."""

    title: str
    right: bool = False
    rank: int = 0
    long: bool = False


@dataclass(frozen=True)
class Table:
    """A titled table; `empty` stands in place of no rows, `least` are the lines that it gets before others get more.

    Rows are in the order of their importance.
    """

    title: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]
    empty: str = "none"
    least: int = 4

    @property
    def height(self) -> int:
        """Return the lines that it would like."""
        return len(self.rows) + (2 if self.rows else 1)


def fit(text: str, width: int, right: bool = False) -> str:
    """Return text in exactly `width` cells; what is cut ends in …."""
    size = len(text) if text.isascii() else cell_len(text)
    if size > width:
        return set_cell_size(text, width - 1) + "…" if width > 0 else ""
    pad = " " * (width - size)
    return pad + text if right else text + pad


def piece(text: str, style: str = "") -> Segment:
    """Return a piece of a line."""
    return Segment(text, STYLES[style])


def table_lines(table: Table, width: int, height: int) -> list[Line]:
    """Return a table in exactly `height` lines of `width` cells."""
    title = table.title if table.rows or not table.empty else f"{table.title}: {table.empty}"
    lines = [[piece(fit(f"{title} " + "─" * width, width).replace("…", "─"), "title")]] if height else []
    kept, widths = _widths(table, width)
    if table.rows and height > 1:
        lines.append(_row([(table.columns[k].title, "dim") for k in kept], table, kept, widths, width))
    shown = table.rows[: max(height - 2, 0)]
    lines += [_row([row[k] for k in kept], table, kept, widths, width) for row in shown]
    return lines + [[piece(" " * width)] for _ in range(height - len(lines))]


def _widths(table: Table, width: int) -> tuple[list[int], list[int]]:
    """Return which columns are shown and how wide each is; long text has what the others leave."""
    kept = list(range(len(table.columns)))
    sizes = [
        max(len(column.title), *(cell_len(row[k][0]) for row in table.rows)) if table.rows else 0
        for k, column in enumerate(table.columns)
    ]
    least = [min(size, LEAST) if column.long else size for size, column in zip(sizes, table.columns, strict=True)]
    while sum(least[k] for k in kept) + len(GAP) * (len(kept) - 1) > width:
        worst = max(kept, key=lambda k: table.columns[k].rank)
        if table.columns[worst].rank == 0:
            break
        kept.remove(worst)
    spare = max(width - sum(least[k] for k in kept) - len(GAP) * (len(kept) - 1), 0)
    return kept, [min(sizes[k], least[k] + spare) for k in kept]


def _row(cells: Sequence[Cell], table: Table, kept: Sequence[int], widths: Sequence[int], width: int) -> Line:
    line, used = [], 0
    for (text, style), k, size in zip(cells, kept, widths, strict=True):
        gap = GAP if used else ""
        room = min(size, width - used - len(gap))
        if room <= 0:
            break
        line.append(piece(gap + fit(text, room, table.columns[k].right), style))
        used += len(gap) + room
    line.append(piece(" " * (width - used)))
    return line


def flow(pieces: Iterable[Cell], width: int) -> Line:
    """Return pieces in a row of exactly `width` cells; the first is cut where it must, later ones are left out."""
    line: Line = []
    used = 0
    for text, style in pieces:
        gap = len(GAP) if used else 0
        if used + gap + cell_len(text) > width:
            if not used:
                return [piece(fit(text, width), style)]
            break
        line.append(piece(GAP[:gap]))
        line.append(piece(text, style))
        used += gap + cell_len(text)
    return [*line, piece(" " * (width - used))]


def beside(left: Sequence[Line], right: Sequence[Line]) -> list[Line]:
    """Return two blocks of equal height next to each other."""
    return [[*a, piece(GAP), *b] for a, b in zip(left, right, strict=True)]


def share(height: int, wanted: Sequence[int], least: Sequence[int]) -> list[int]:
    """Share out lines one after the other: first up to what each needs at `least`, then what is left."""
    given = [0] * len(wanted)
    for wishes in ([min(pair) for pair in zip(wanted, least, strict=True)], wanted):
        progress = True
        while progress:
            progress = False
            for k, wish in enumerate(wishes):
                if given[k] < wish and sum(given) < height:
                    given[k] += 1
                    progress = True
    return given


def spark(values: Sequence[float], width: int) -> str:
    """Return the last `width` values as a row of bars between their least and their largest."""
    shown = values[-width:] if width > 0 else []
    if not shown:
        return ""
    low, high = min(shown), max(shown)
    scale = (len(BARS) - 1) / (high - low) if high > low else 0.0
    return "".join(BARS[round((value - low) * scale)] for value in shown)
