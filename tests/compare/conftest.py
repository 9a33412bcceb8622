"""The comparison needs a package of its own: collected where that is installed, or asked for by name."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave the tests out of a run of the whole suite without hftbacktest; asked for, they say why they skip."""
    asked = any("compare" in str(one) for one in config.invocation_params.args)
    missing = importlib.util.find_spec("hftbacktest") is None
    return True if missing and not asked and collection_path.name.startswith("test_") else None
