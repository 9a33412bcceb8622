"""What `stress --out` writes: stress.json, stress.parquet and stress.html."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tradectl.cli.output import json_text
from tradectl.cli.stress_page import page_of
from tradectl.errors import StoreError

__all__ = ["write_stress"]


def write_stress(result: Mapping[str, Any], folder: Path) -> list[Path]:
    """Write the files, each under its name only when whole; return their paths."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return [
            _placed(folder / "stress.json", lambda path: _write_text(path, json_text(result, indent=1) + "\n")),
            _placed(folder / "stress.parquet", lambda path: _write_table(result, path)),
            _placed(folder / "stress.html", lambda path: _write_text(path, page_of(result))),
        ]
    except OSError as error:
        raise StoreError(f"{folder}: cannot be written: {error.strerror or error}") from error


def _placed(path: Path, write: Callable[[Path], Any]) -> Path:
    """Write a file under another name and put it in its place."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        write(beside)
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)
    return path


def _write_text(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


def _write_table(result: Mapping[str, Any], path: Path) -> None:
    import polars as pl

    from tradectl.db.parquet import write_frame

    texts = ("queue", "latency", "fee_level", "slippage", "state_hash", "fills_hash", "error")
    counts = ("entry_ns", "response_ns", "orders", "fills", "denied", "rejected", "ambiguous_bars", "strategy_errors")
    types: dict[str, Any] = {**dict.fromkeys(texts, pl.String), **dict.fromkeys(counts, pl.Int64)}
    rows = result["cells"]
    write_frame(pl.DataFrame(rows, schema={name: types.get(name, pl.Float64) for name in rows[0]}), path)
