"""Checksums by which venues let a book be checked: CRC32 of the text of its best levels.

Levels are (price, quantity) as the venue wrote them, best first: a rebuilt book keeps that text.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest
from zlib import crc32

__all__ = ["KRAKEN_LEVELS", "OKX_LEVELS", "kraken_checksum", "okx_checksum"]

KRAKEN_LEVELS = 10
OKX_LEVELS = 25
Level = tuple[str, str]


def kraken_checksum(bids: Sequence[Level], asks: Sequence[Level]) -> int:
    """Return Kraken's unsigned CRC32: the ten best asks, then the ten best bids.

    Of each level price and volume, without point and leading zeros, are written one after the other
    (Kraken's documentation of its book channel).
    """
    text = "".join(
        number.replace(".", "").lstrip("0")
        for side in (asks, bids)
        for level in side[:KRAKEN_LEVELS]
        for number in level[:2]
    )
    return crc32(text.encode())


def okx_checksum(bids: Sequence[Level], asks: Sequence[Level]) -> int:
    """Return OKX's signed CRC32 of the 25 best levels, `bid:qty:ask:qty:…`, the longer side alone at the end."""
    parts: list[str] = []
    for bid, ask in zip_longest(bids[:OKX_LEVELS], asks[:OKX_LEVELS]):
        parts.extend(bid[:2] if bid else ())
        parts.extend(ask[:2] if ask else ())
    value = crc32(":".join(parts).encode())
    return value - (1 << 32) if value >= 1 << 31 else value
