"""YAML → validated models → what a run needs; every mistake is told with its line, all at once.

`load.load_config` reads a file; `models.RunConfig` is what it gives; `schema` describes it to editors and
readers; `show.show` lists each value with its origin. Models are imported on first use only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tradectl.config.load import Loaded, Provenance, load_config, load_text
    from tradectl.config.models import RunConfig
    from tradectl.config.schema import json_schema, reference_markdown

__all__ = [
    "Loaded",
    "Provenance",
    "RunConfig",
    "json_schema",
    "load_config",
    "load_text",
    "reference_markdown",
]

_HOMES = {
    "Loaded": "load", "Provenance": "load", "load_config": "load", "load_text": "load", "RunConfig": "models",
    "json_schema": "schema", "reference_markdown": "schema",
}  # fmt: skip


def __getattr__(name: str) -> Any:
    """Import a public name from its module when it is first asked for."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
