"""Bringing a catalogue up to what an exchange has: only what is missing is fetched, and written step by step."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from tradectl.exchanges.rest import CandleBatch, FundingBatch, fetch_funding, fetch_ohlcv
from tradectl.exchanges.rest_store import Series, Span, gaps_between
from tradectl.exchanges.rest_trades import TradeBatch, fetch_trades

__all__ = ["Fetched", "sync"]

STEP_ROWS = 100_000  # rows held in memory until they are written
STEP_S = 20.0  # or so long
HOLES_KEPT = 5
Batch = CandleBatch | TradeBatch | FundingBatch
Progress = Callable[[int, int], None]  # rows so far, reached (ns UTC)


@dataclass
class Fetched:
    """What one fetch of one series did; stamps ns UTC (of candles their ends)."""

    rows: int = 0  # that the venue sent
    new: int = 0  # of these, rows that were not in the catalogue
    first_ns: int = 0
    last_ns: int = 0
    holes: int = 0  # stretches between rows in which the venue has none: missing candles, missing trade ids
    missing: int = 0  # how many candles or trades these are
    longest: list[Span] = field(default_factory=list)  # of the holes between candles: end before, end after
    unfinished: int = 0  # candles that were not over
    faulty: int = 0
    whole: bool = False  # everything that was asked for is there


async def sync(
    exchange: Any,
    series: Series,
    span: Span,
    report: Fetched,
    progress: Progress,
    told: Callable[[str], None],
) -> None:
    """Fetch what `series` lacks of `span`; what is whole is written also when this is cut short or fails.

    `report` is filled as it goes.
    """
    for start, end in gaps_between(series.covered(), *span):
        begin = series.resume_from(start)
        batches = _batches(exchange, series, (begin, end), told)
        await _take(series, batches, (start, end), report, progress)
    report.whole = True


def _batches(exchange: Any, series: Series, span: Span, told: Callable[[str], None]) -> AsyncIterator[Batch]:
    symbol = series.spec.instrument.symbol
    if series.kind == "trades":
        return fetch_trades(exchange, symbol, *span, told=told)
    if series.kind == "funding":
        return fetch_funding(exchange, symbol, *span, told=told)
    return fetch_ohlcv(exchange, symbol, series.timeframe_ns, *span, told=told)


async def _take(
    series: Series, batches: AsyncIterator[Batch], span: Span, report: Fetched, progress: Progress
) -> None:
    """Write batches in steps; the last rows of a step come again with the next, which joins their files."""
    held: list[Any] = []
    fresh, before = 0, 0  # rows that are not written, end of the last candle seen
    reached = written = span[0]
    due = time.monotonic() + STEP_S

    def write() -> None:
        nonlocal held, fresh, written
        if reached > written or fresh:
            report.new += series.add(held if fresh else [], (written, reached))
        written, fresh = reached, 0
        held = held[_last_stamp(held) :] if series.kind == "trades" else []

    try:
        async for batch in batches:
            if batch.since_ns > reached:  # the venue no longer has what lies before
                reached = written = batch.since_ns
            held += batch.rows
            fresh += len(batch.rows)
            reached = max(reached, batch.until_ns)
            before = _count(report, batch, series.timeframe_ns, before)
            progress(report.rows, max(reached, report.last_ns))
            if fresh >= STEP_ROWS or time.monotonic() >= due:
                write()
                due = time.monotonic() + STEP_S
    finally:
        write()


def _last_stamp(rows: Sequence[Any]) -> int:
    """Return where the rows begin that have the last receive stamp: that of the latest row so far."""
    last = max((row[0] for row in rows), default=0)
    return next((index for index, row in enumerate(rows) if row[0] == last), 0)


def _count(report: Fetched, batch: Batch, timeframe_ns: int, before: int) -> int:
    """Add a batch to the report; return the end of its last candle."""
    stamps = [row[0] for row in batch.rows]
    report.rows += len(stamps)
    if stamps:
        report.first_ns = min(report.first_ns or stamps[0], stamps[0])
        report.last_ns = max(report.last_ns, stamps[-1])
    if isinstance(batch, TradeBatch):
        report.missing += batch.missing
        report.holes += batch.missing > 0
    if isinstance(batch, CandleBatch):
        report.unfinished += batch.unfinished
        report.faulty += batch.faulty
        ends = [before, *stamps] if before else stamps
        wide = [(a, b) for a, b in pairwise(ends) if b - a > timeframe_ns]
        report.holes += len(wide)
        report.missing += sum((b - a) // timeframe_ns - 1 for a, b in wide)
        report.longest = sorted([*report.longest, *wide], key=lambda span: span[0] - span[1])[:HOLES_KEPT]
    return stamps[-1] if stamps else before
