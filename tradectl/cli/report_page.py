"""Writing a report's page: whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from tradectl.cli.report_prices import read_market
from tradectl.db.catalogue import Run
from tradectl.errors import StoreError

__all__ = ["NAME", "write_comparison", "write_page", "write_report"]

NAME = "report.html"  # in the run folder


def write_report(run: Run, place: Path | None, data: Sequence[str]) -> Path:
    """Write the page of one run to `place`, or into its folder; return where it is."""
    from tradectl.report.build import build
    from tradectl.report.model import open_report

    return write_page(place or run.path / NAME, build(open_report(run, read_market(run, data))))


def write_comparison(runs: Sequence[Run], place: Path) -> Path:
    """Write one page of several runs; return where it is."""
    from tradectl.report.compare import build_comparison
    from tradectl.report.model import Market, open_report

    return write_page(place, build_comparison([open_report(run, Market()) for run in runs]))


def write_page(place: Path, text: str) -> Path:
    """Write a page under its name only when it is whole; StoreError where it cannot be."""
    temporary = place.with_name(f".{place.name}.tmp")
    try:
        with temporary.open("w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(place)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise StoreError(
            f"{place} cannot be written: {error.strerror or error}", hint="--out FILE.html names another place"
        ) from error
    return place
