"""Candles and funding rates of an exchange over REST, in windows of our own: none twice, only what is final."""

from __future__ import annotations

import math
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from tradectl.errors import FeedError, nearest
from tradectl.exchanges.rest_call import call
from tradectl.history.stamps import DAY_NS, format_timeframe, parse_timeframe

__all__ = [
    "Candle", "CandleBatch", "FundingBatch", "check_funding", "fetch_funding", "fetch_ohlcv", "last_bars",
    "timeframe_name", "venue_now",
]  # fmt: skip

Candle = tuple[int, str, str, str, str, str]  # exclusive end (ns UTC); open, high, low, close, volume as text
Told = Callable[[str], None]
MS = 1_000_000  # ns
# Candles of one answer; of other exchanges what ccxt says, else FEW. A page that is cut is asked for again.
PAGES = {
    "binance": 1000,
    "binanceusdm": 1000,
    "bybit": 1000,
    "okx": 300,
    "coinbase": 300,
    "coinbaseexchange": 300,
}
FEW = 100
NEWEST_ONLY = {"kraken": 720}  # venues that give only their last candles, whatever is asked for
EMPTY_WINDOWS = 2  # so many in a row, then days are looked through for where trading goes on
FUNDING_PAGE = 100
FUNDING_SPAN_NS = FUNDING_PAGE * 8 * 3_600_000_000_000  # of one request; less where it is paid more often


@dataclass
class CandleBatch:
    """Finished candles, oldest first; what begins in [`since_ns`, `until_ns`) is all there."""

    since_ns: int
    until_ns: int
    rows: list[Candle] = field(default_factory=list)
    unfinished: int = 0  # candles left out because they were not over
    faulty: int = (
        0  # candles left out because they are none: no number, or high and low that do not hold the rest
    )


@dataclass
class FundingBatch:
    """All funding rates of [`since_ns`, `until_ns`), oldest first: time of settlement (ns UTC), rate as text."""

    since_ns: int
    until_ns: int
    rows: list[tuple[int, str]]


async def venue_now(exchange: Any, told: Told | None = None) -> int:
    """Return the venue's own time, ns UTC; the local clock's where it does not tell it."""
    if exchange.has.get("fetchTime") is True:
        stamp = await call(exchange, exchange.fetch_time, told=told)
        if stamp is not None:
            return int(stamp) * MS
    return time.time_ns()


def timeframe_name(exchange: Any, timeframe_ns: int) -> str:
    """Return what ccxt calls a timeframe; FeedError lists those that the exchange has."""
    frames = {
        parse_timeframe(name): name for name in exchange.timeframes or {} if not name.endswith(("M", "y"))
    }
    if timeframe_ns not in frames:
        asked = format_timeframe(timeframe_ns)
        listed = ", ".join(frames[key] for key in sorted(frames))
        near = nearest(asked, frames.values(), limit=0).partition("valid:")[0]
        raise FeedError(f"{exchange.id} has no candles of {asked}", hint=f"{near}valid: {listed}")
    return str(frames[timeframe_ns])


# --- candles


async def fetch_ohlcv(
    exchange: Any,
    symbol: str,
    timeframe_ns: int,
    since_ns: int,
    until_ns: int,
    progress: Callable[[int], None] | None = None,
    told: Told | None = None,
) -> AsyncIterator[CandleBatch]:
    """Yield the finished candles that begin in [`since_ns`, `until_ns`) and end by `until_ns`, a window at a time.

    `progress` gets numbers of rows, `told` what a user should hear. The markets must be loaded.
    """
    windows = _Windows(exchange, symbol, timeframe_name(exchange, timeframe_ns), timeframe_ns, told)
    now_ns = await venue_now(exchange, told)
    limit_ns = min(until_ns, now_ns)
    walk = (windows.newest if exchange.id in NEWEST_ONLY else windows.forward)(since_ns, limit_ns)
    async for start, end, raw in walk:
        batch = CandleBatch(start, end)
        for row in raw:
            close_ns = row[0] * MS + timeframe_ns
            if close_ns > limit_ns:
                batch.unfinished += close_ns > now_ns
                continue
            candle = _candle(row, close_ns)
            if candle is None:
                batch.faulty += 1
            else:
                batch.rows.append(candle)
        if (
            end >= limit_ns
        ):  # the candle in which this falls is still to come; weeks do not begin at multiples
            batch.until_ns = max(
                start, end - (end % timeframe_ns if timeframe_ns <= DAY_NS else timeframe_ns)
            )
        if progress is not None:
            progress(len(batch.rows))
        yield batch


async def last_bars(exchange: Any, symbol: str, timeframe_ns: int, bars: int, now_ns: int) -> list[Candle]:
    """Return the last finished candles before `now_ns` (or the venue's time, where that is earlier), oldest first.

    There are fewer than `bars` only where the venue has fewer within eight times their span.
    """
    end = min(now_ns, await venue_now(exchange))
    rows: list[Candle] = []
    for reach in (1, 2, 8):  # a quiet market has no candle where nothing was traded
        start = max(end - (reach * bars + 1) * timeframe_ns, 0)
        batches = fetch_ohlcv(exchange, symbol, timeframe_ns, start, end)
        rows = [row async for batch in batches for row in batch.rows]
        if len(rows) >= bars:
            break
    return rows[-bars:] if bars else []


class _Windows:
    """Asks for one market's candles; raw rows are ccxt's: [open time ms, o, h, l, c, v], numbers as text."""

    def __init__(self, exchange: Any, symbol: str, name: str, step_ns: int, told: Told | None) -> None:
        self.exchange, self.symbol, self.name, self.step, self.told = exchange, symbol, name, step_ns, told
        stated = exchange.feature_value(symbol, "fetchOHLCV", "limit") if exchange.features else None
        self.page = PAGES.get(exchange.id) or int(stated or FEW)

    async def forward(self, start: int, end: int) -> AsyncIterator[tuple[int, int, list[Any]]]:
        """Yield (from, to, rows) window by window; long stretches without candles are jumped over."""
        empty = 0
        while start < end:
            stop = min(start + self.page * self.step, end)
            rows = await self._window(start, stop)
            empty = 0 if rows else empty + 1
            if empty >= EMPTY_WINDOWS and stop < end:
                stop = min(await self._next_day(stop), end)
                empty = 0
            yield start, stop, rows
            start = stop

    async def newest(self, start: int, end: int) -> AsyncIterator[tuple[int, int, list[Any]]]:
        """Yield what a venue gives that keeps only its last candles, as far as it reaches back."""
        count = NEWEST_ONLY.get(self.exchange.id, 0)
        begin = start
        while start < end:
            rows = [row for row in await self._ask(start, end, None) if start <= row[0] * MS < end]
            if not rows:
                yield start, end, []
                return
            if start == begin and rows[0][0] * MS - start > self.step:
                start = rows[0][0] * MS
                if self.told is not None:
                    self.told(
                        f"{self.exchange.id} gives only its last {count} candles; trades reach back further"
                    )
            stop = min(rows[-1][0] * MS + self.step, end)
            yield start, stop, rows
            start = stop

    async def _window(self, start: int, end: int) -> list[Any]:
        """Return the rows that open in [start, end); where a round number came instead of all, also the rest."""
        got = await self._ask(start, end, min(self.page, math.ceil((end - start) / self.step)))
        rows = [row for row in got if start <= row[0] * MS < end]
        if not rows or len(rows) % 10 or len(rows) * self.step >= end - start:
            return rows
        first, last = rows[0][0] * MS, rows[-1][0] * MS
        before = await self._window(start, first) if first - start >= self.step else []
        after = await self._window(last + self.step, end) if end - last > self.step else []
        return [*before, *rows, *after]

    async def _ask(self, start: int, end: int, limit: int | None, name: str = "") -> list[Any]:
        """Return one answer's rows, each open time once, oldest first."""
        params = {} if limit is None else {"until": max(end // MS - 1, 0)}  # both ends count at most venues
        asked = self.symbol, name or self.name, -(-start // MS), limit, params
        rows = await call(self.exchange, partial(self.exchange.fetch_ohlcv, *asked), told=self.told)
        return [row for _, row in sorted({int(row[0]): row for row in rows or []}.items())]

    async def _next_day(self, start: int) -> int:
        """Return from where on there may be candles again: days are looked through, a page of them at once."""
        if self.step >= DAY_NS or "1d" not in self.exchange.timeframes:
            return start
        day = start - start % DAY_NS
        days = await self._ask(day, day + self.page * DAY_NS, self.page, "1d")
        there = [row[0] * MS for row in days if row[0] * MS >= day]
        return max(start, there[0] if there else day + self.page * DAY_NS)


def _candle(row: list[Any], close_ns: int) -> Candle | None:
    """Return a row as a candle; None where it is none."""
    try:
        o, h, l, c, v = (float(value) for value in row[1:6])  # noqa: E741
    except (TypeError, ValueError):
        return None
    if not (0.0 < l <= min(o, c) and max(o, c) <= h < math.inf and 0.0 <= v < math.inf):
        return None
    return (close_ns, *(str(value) for value in row[1:6]))  # type: ignore[return-value]


# --- funding


def check_funding(exchange: Any, symbol: str) -> None:
    """Raise FeedError where a market pays no funding, or its venue does not tell what was paid."""
    if not exchange.has.get("fetchFundingRateHistory"):
        raise FeedError(f"{exchange.id} gives no funding rates of the past")
    if not exchange.market(symbol).get("swap"):
        raise FeedError(f"{exchange.id}: {symbol} is no perpetual swap: it has no funding")


async def fetch_funding(
    exchange: Any, symbol: str, since_ns: int, until_ns: int, told: Told | None = None
) -> AsyncIterator[FundingBatch]:
    """Yield the funding rates settled in [`since_ns`, `until_ns`), a window at a time, oldest first."""
    start, end = since_ns, min(until_ns, await venue_now(exchange, told))
    span = FUNDING_SPAN_NS
    while start < end:
        stop = min(start + span, end)
        last = (
            {"after": stop // MS} if exchange.id == "okx" else {"until": stop // MS - 1}
        )  # ccxt leaves it to us
        ask = partial(exchange.fetch_funding_rate_history, symbol, start // MS, FUNDING_PAGE, last)
        rows = await call(exchange, ask, told=told) or []
        if len(rows) >= FUNDING_PAGE and span > FUNDING_SPAN_NS // 64:  # there may be more than were sent
            span //= 2
            continue
        found = {int(row["timestamp"]) * MS: str(row["fundingRate"]) for row in rows}
        yield FundingBatch(start, stop, sorted(row for row in found.items() if start <= row[0] < stop))
        start = stop
