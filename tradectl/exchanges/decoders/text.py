"""Reading what venues write: JSON, times as text, ids that are no numbers."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable
from datetime import datetime
from functools import lru_cache
from hashlib import blake2b
from typing import Any

__all__ = ["id_of", "iso_ns", "loads"]

SECOND = 1_000_000_000  # ns
DIGITS = 9  # of a second's fraction


def _reader() -> Callable[[str], Any]:
    """Return orjson's reader where it is installed (three times as fast), else the standard one."""
    try:
        return importlib.import_module("orjson").loads  # type: ignore[no-any-return]
    except ImportError:
        return json.loads


loads = _reader()


@lru_cache(maxsize=64)
def _minute_ns(minute: str) -> int:
    return int(datetime.fromisoformat(f"{minute}+00:00").timestamp()) * SECOND


def iso_ns(text: str) -> int:
    """Return a UTC time `2023-02-09T20:19:35.39625135Z` (any number of decimals) in ns."""
    if text[16] != ":" or text[-1] != "Z":
        raise ValueError(f"{text!r} is no UTC time")
    fraction = text[20:-1]
    nanos = int(fraction.ljust(DIGITS, "0")[:DIGITS]) if fraction else 0
    return _minute_ns(text[:16]) + int(text[17:19]) * SECOND + nanos


def id_of(text: str | int) -> int:
    """Return a trade's id: its number if it is one, else 63 bits of a hash of its text."""
    if isinstance(text, int) or (text.isdecimal() and len(text) < 19):
        return int(text)
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "little") >> 1
