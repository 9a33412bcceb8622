"""docs/metrics.md tells every metric as the code does."""

from __future__ import annotations

from pathlib import Path

from tradectl.cli.docs import filled
from tradectl.metrics.page import metric_tables
from tradectl.metrics.registry import METRICS

PAGE = Path(__file__).parents[3] / "docs" / "metrics.md"


def test_the_page_is_what_the_registry_says() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert filled(text, metric_tables()) == text, (
        "fill it with tradectl.cli.docs.filled(text, metric_tables())"
    )
    assert all(f"`{name}`" in text for name in METRICS)
