"""A folder with made-up bars and a strategy that leaks, ready to be checked."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

FIXTURES = Path(__file__).parents[1] / "fixtures" / "leaks"
BEGIN = datetime(2024, 1, 1, tzinfo=UTC)
N = 400  # bars of 15 minutes: four days
CONFIG = """
name: leak
strategy: {{path: {name}.py, jit: {jit}}}
data: {data}
account: {{type: margin, currency: USD, balance: 100000000, leverage: 3}}
"""
DATA = "{source: prices.csv, timeframe: 15m, symbols: [PRICES]%s}"


def bars(seed: int, tick: float = 0.01, n: int = N) -> list[list[float]]:
    """Return n rows of open, high, low, close, volume, seeded."""
    chance = np.random.default_rng(seed)
    close = np.round(100.0 * np.exp(np.cumsum(chance.normal(0, 0.004, n))) / tick) * tick
    opened = np.concatenate([[close[0]], close[:-1]])
    wick = np.abs(np.round(chance.normal(0, 0.2, (2, n)) / tick) * tick)
    high, low = np.maximum(opened, close) + wick[0], np.minimum(opened, close) - wick[1]
    return np.column_stack([opened, high, low, close, chance.integers(10, 1000, n)]).tolist()


def stamps(n: int, minutes: int = 15) -> list[str]:
    """Return n times of opens."""
    return [f"{BEGIN + timedelta(minutes=minutes * k):%Y-%m-%dT%H:%M:%SZ}" for k in range(n)]


def write(path: Path, rows: list[list[float]], minutes: int = 15, column: str = "timestamp") -> None:
    """Write bars as CSV."""
    lines = [
        f"{ts},{','.join(f'{value:.2f}' for value in row[:4])},{row[4]:.0f}"
        for ts, row in zip(stamps(len(rows), minutes), rows, strict=True)
    ]
    path.write_text("\n".join([f"{column},open,high,low,close,volume", *lines]) + "\n")


def folder_of(folder: Path, name: str, data: str = DATA % "", jit: bool = False, **more: Any) -> Path:
    """Fill a folder with a strategy of the fixtures, its data and a configuration; return this."""
    for one in (f"{name}.py", "table.py"):
        shutil.copy(FIXTURES / one, folder)
    write(folder / "prices.csv", bars(1))
    path = folder / "leak.yaml"
    text = CONFIG.format(name=name, jit=str(jit).lower(), data=data)
    path.write_text(text + "".join(f"{key}: {value}\n" for key, value in more.items()))
    return path


def hourly(rows: list[list[float]]) -> list[list[float]]:
    """Return bars of an hour made of four of 15 minutes."""
    made = []
    for k in range(0, len(rows), 4):
        four = np.array(rows[k : k + 4])
        made.append([four[0, 0], four[:, 1].max(), four[:, 2].min(), four[-1, 3], four[:, 4].sum()])
    return made
