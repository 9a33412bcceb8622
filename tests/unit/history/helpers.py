"""Writes small bar files and opens them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tradectl.history.model import DataBlock, InstrumentSpec
from tradectl.history.open import History, open_history

HEADER = "timestamp,open,high,low,close,volume"
START_MS = 1_700_000_040_000  # a whole minute
MINUTE = 60_000_000_000


def bar(minute: int, close: float = 100.0, volume: float = 1.0, *, spread: float = 0.5) -> str:
    """One CSV line: a bar that opens `minute` minutes after the start."""
    stamp = START_MS + minute * 60_000
    return f"{stamp},{close:.2f},{close + spread:.2f},{close - spread:.2f},{close:.2f},{volume}"


def bars(n: int, first: int = 0) -> list[str]:
    return [bar(k, 100 + (k % 7) * 0.25, 1 + k % 5) for k in range(first, first + n)]


def write(path: Path, lines: list[str], header: str = HEADER) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([header, *lines] if header else lines) + "\n")
    return path


def opened(
    source: Path | str | list[str], specs: dict[str, InstrumentSpec] | None = None, **options: Any
) -> History:
    place = source if isinstance(source, list) else str(source)
    return open_history([DataBlock(source=place, **options)], specs or {})


def events(history: History, max_rows: int = 262_144) -> Any:
    """All events as one array."""
    chunks = [chunk.copy() for chunk in history.chunks(max_rows)]
    return np.concatenate(chunks) if chunks else None
