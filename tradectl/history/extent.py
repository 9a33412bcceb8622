"""What a run spans: the prices of its instruments. Detail and funding outside of these are left out, and counted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal

import numpy as np

from tradectl.core.codes import EventKind
from tradectl.history import stamps
from tradectl.history.book_source import BookPart, BookSource
from tradectl.history.model import iso
from tradectl.history.source import Source
from tradectl.history.stream import Target, window, within

__all__ = ["bound", "has_prices", "left_out"]

Span = tuple[int, int]
NOTHING: Span = (1 << 62, -(1 << 62))
LONGEST_MONTH_NS = 31 * stamps.DAY_NS


def bound(targets: Sequence[Target]) -> None:
    """Set each target's `prices`: the span of its own, else that of all targets; None where there are none at all."""
    own = [_union(_span(source) for source, _ in target.sources) for target in targets]
    everything = _union(own)
    for target, span in zip(targets, own, strict=True):
        target.prices = span or everything


def left_out(target: Target, source: Source | BookSource) -> tuple[int, str]:
    """Return how many rows of the source that its block and the listing let through are outside the target's prices.

    The text says so; it is empty where there are none.
    """
    if target.prices is None:
        return 0, ""
    if isinstance(source, BookSource):
        before, after, what = *_rates_outside(target, source), "settlement{} of funding"
    else:
        before, after, what = *_bars_outside(target, source), "bar{} of detail"
    sides = ((before, "before the first", target.prices[0]), (after, "after the last", target.prices[1]))
    parts = [
        f"{count:,} {what.format('s' * (count > 1))} {side} price ({iso(stamp)})"
        for count, side, stamp in sides
        if count
    ]
    verb = "were" if before + after > 1 else "was"
    return before + after, f"{target.id}: {' and '.join(parts)} {verb} left out" if parts else ""


def has_prices(source: Source | BookSource) -> bool:
    """Tell whether a source has prices that are traded: it is neither detail nor only funding and marks."""
    if isinstance(source, Source):
        return not source.block.detail
    return bool(source.kinds - {"funding", "mark"}) and any(_is_priced(part) for part in source.parts)


def _is_priced(part: BookPart) -> bool:
    return part.lowest_kind < EventKind.FUNDING  # trades, quotes, depth and orders have the lower codes


def _span(source: Source | BookSource) -> Span | None:
    """Return from when to when a source's prices go inside its block's window, ns UTC; None: it has none of its own.

    A part of a catalogue that holds prices and funding counts whole.
    """
    if not has_prices(source):
        return None
    if isinstance(source, Source):
        if not source.used:
            return NOTHING
        length = LONGEST_MONTH_NS if source.timeframe_ns == stamps.MONTH_NS else source.timeframe_ns
        return source.used_first_ns - length, source.used_last_ns + source.block.feed_ns
    low, high = source.block.span
    spans = [part.span for part in source.parts if _is_priced(part)]
    return max(min(first for first, _ in spans), low), min(max(last for _, last in spans), high - 1)


def _union(spans: Iterable[Span | None]) -> Span | None:
    known = [span for span in spans if span is not None]
    return (min(first for first, _ in known), max(last for _, last in known)) if known else None


def _bars_outside(target: Target, source: Source) -> Span:
    """Return how many bars end before and after the prices; the source is read only where some do."""
    start, end = target.window(source)
    if not source.used or (source.used_first_ns > start and source.used_last_ns <= end):
        return 0, 0
    asked, counts = window(target.spec, source.block), np.zeros(2, np.int64)
    for rows in source.stream(1, *asked):
        ts = within(rows, *asked).ts
        counts += np.count_nonzero(ts <= start), np.count_nonzero(ts > end)
    return int(counts[0]), int(counts[1])


def _rates_outside(target: Target, source: BookSource) -> Span:
    """Return how many settlements come before and after the prices; only parts without prices are read."""
    (start, end), (low, high) = target.window(source), window(target.spec, source.block)
    grid = (Decimal(1), Decimal(1))
    counts = np.zeros(2, np.int64)
    for part in source.parts:
        if (has_prices(source) and _is_priced(part)) or (part.span[0] >= start and part.span[1] < end):
            continue
        for ticks in part.stream(grid, 1, low, high):
            recv = ticks.ts_recv[ticks.full("kind") == EventKind.FUNDING]
            counts += np.count_nonzero(recv < start), np.count_nonzero(recv >= end)
    return int(counts[0]), int(counts[1])
