"""The tables of docs/metrics.md, from the registry."""

from __future__ import annotations

from collections.abc import Sequence

from tradectl.metrics.conventions import OWN
from tradectl.metrics.registry import FAMILIES, PROFILED

__all__ = ["metric_tables"]


def metric_tables() -> dict[str, str]:
    """Return Markdown tables by name: the conventions, each family's metrics, and what the profiles have."""
    told = {"conventions": _table(("what", "how"), OWN.rows())}
    for family, metrics in FAMILIES.items():
        rows = [(f"`{name}`", one.unit, one.formula) for name, one in metrics.items()]
        told[family] = _table(("metric", "unit", "formula and source"), rows)
    names = [
        (name, ", ".join(f"`{metric}`" for metric in known)) for name, known in PROFILED.items() if known
    ]
    return told | {"profiles": _table(("profile", "metrics that are the package's"), names)}


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    cells = [[cell.replace("|", "\\|") for cell in row] for row in (head, ("---",) * len(head), *rows)]
    return "\n".join(f"| {' | '.join(row)} |" for row in cells)
