"""The resolved configuration as rows: key, value, where the value came from."""

from __future__ import annotations

from typing import Any

from tradectl.config.load import Loaded, Provenance
from tradectl.config.paths import Loc, dotted

__all__ = ["show"]


def show(loaded: Loaded) -> list[tuple[str, Any, Provenance]]:
    """Return (dotted key, plain value, origin) for every value, in the order of the models."""
    rows: list[tuple[str, Any, Provenance]] = []

    def visit(value: Any, loc: Loc) -> None:
        name = dotted(loc)
        if name in loaded.sources:
            rows.append((name, value, loaded.sources[name]))
        elif isinstance(value, dict):
            for key, inner in value.items():
                visit(inner, (*loc, key))
        elif isinstance(value, list):
            for index, inner in enumerate(value):
                visit(inner, (*loc, index))

    visit(loaded.resolved(), ())
    return rows
