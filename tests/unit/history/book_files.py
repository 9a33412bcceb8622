"""Writes small files of book data, and opens them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tests.unit.history.helpers import opened
from tradectl.history.stream import History

T0 = 1_700_000_000_000_000_000  # ns
MS = 1_000_000


def table(path: Path, header: str, lines: list[str]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([header, *lines]) + "\n")
    return path


def trades(path: Path, n: int = 60, first: int = 0, step_ms: int = 10) -> Path:
    """Trades k at T0 + k * step, received 2 ms later; prices on 0.5, quantities on 0.01."""
    lines = []
    for k in range(first, first + n):
        at = T0 + k * step_ms * MS
        side = "buy" if k % 3 else "sell"
        lines.append(f"{at},{at + 2 * MS},{100 + (k % 40) * 0.5},{1 + k % 7}.25,{side},{1000 + k}")
    return table(path, "timestamp,local_timestamp,price,amount,side,id", lines)


def depth(path: Path, n: int = 40, *, snapshot: bool = True, step_ms: int = 10) -> Path:
    """A snapshot of four levels, then one change of a bid and one of an ask a message."""
    lines = []
    if snapshot:
        for side, price, qty in (("bid", 100, 5), ("bid", 99.5, 6), ("ask", 101, 7), ("ask", 101.5, 8)):
            lines.append(f"{T0},{T0 + MS},true,{side},{price},{qty}")
    for k in range(1, n + 1):
        at = T0 + k * step_ms * MS
        lines.append(f"{at},{at + MS},false,bid,{99.5 - (k % 20) * 0.5},{k % 4}")
        lines.append(f"{at},{at + MS},false,ask,{101 + (k % 20) * 0.5},{(k + 1) % 4}")
    return table(path, "timestamp,local_timestamp,is_snapshot,side,price,amount", lines)


def quotes(path: Path, n: int = 50) -> Path:
    lines = []
    for k in range(n):
        at = T0 + k * 10 * MS
        lines.append(f"{at},{at + MS},{100 + k % 9},{k + 1},{101 + k % 9},{k + 2}")
    return table(path, "timestamp,local_timestamp,bid,bid_size,ask,ask_size", lines)


def book(source: Path | str | list[str], kind: str, specs: Any = None, **options: Any) -> History:
    return opened(source, specs, kind=kind, **options)


def levels(events: Any) -> tuple[dict[int, int], dict[int, int]]:
    """Bids and asks after some DEPTH events."""
    sides: tuple[dict[int, int], dict[int, int]] = ({}, {})
    for event in events:
        if event["flags"] & 8:
            sides[0].clear()
            sides[1].clear()
        if event["kind"] != 4:
            continue
        side = sides[0 if event["side"] > 0 else 1]
        side.pop(int(event["w0"]), None)
        if event["w1"]:
            side[int(event["w0"])] = int(event["w1"])
    return sides


def joined(history: History, rows: int = 65_536) -> Any:
    return np.concatenate([chunk.copy() for chunk in history.chunks(rows)])
