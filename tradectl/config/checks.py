"""Combinations of valid values that are impossible together, each said once, all at the same time."""

from __future__ import annotations

from pydantic_core import PydanticCustomError

from tradectl.config.models import RunConfig

def raise_conflicts(config: RunConfig) -> None:
    pass
