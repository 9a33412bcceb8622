"""What decoders ask for, fetched: snapshots, missing trades and new subscriptions, each with its own back-off."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

from tradectl.errors import FeedError
from tradectl.exchanges.backfill import fetch_depth, fetch_missing_trades, fetch_newest_trades
from tradectl.exchanges.backoff import Backoff, Desk
from tradectl.exchanges.codec import EventBuffer
from tradectl.exchanges.decoders.base import UNREADABLE, VenueDecoder
from tradectl.exchanges.inbox import CALL, Shedder
from tradectl.exchanges.model import Channel, FeedMarket, FeedNote, Malformed, Need, NeedKind
from tradectl.exchanges.rest import Candle, last_bars
from tradectl.exchanges.rest_call import Patience, call

__all__ = ["Needs"]

BARS = "bars"
MOST_BARS = 1_000  # asked for after a connection was away
Key = tuple[str, int, int, int]


class Needs:
    """Fetches for one exchange; a need that is being served already is not served twice.

    Answers go through the inbox, so that the decoder hears of them between messages, in order.
    """

    def __init__(
        self,
        exchange: Any,
        feed: Shedder,
        decoder: VenueDecoder,
        desk: Desk,
        resubscribe: Callable[[Need], None],
    ) -> None:
        self._exchange = exchange
        self._feed = feed
        self._decoder = decoder
        self._desk = desk
        self._resubscribe = resubscribe
        self._tasks: dict[Key, asyncio.Task[None]] = {}
        self._backoffs: dict[tuple[NeedKind, int], Backoff] = {}
        self._served_ns: dict[tuple[NeedKind, int], int] = {}
        self._held: list[Need] = []  # books that wait until depth is taken again

    def take(self) -> None:
        """Serve what the decoder needs, and empty its list."""
        asked = list(self._decoder.needs)
        self._decoder.needs.clear()
        for need in asked:
            if need.channel == Channel.DEPTH and self._feed.shedding:
                self._held.append(need)
            elif need.kind == NeedKind.RESUBSCRIBE:
                self._resubscribe(need)
            else:
                self._begin(need)

    def awaits_trades(self, market: FeedMarket) -> bool:
        """Say whether missing trades of a market are being fetched: later ones are held meanwhile."""
        return any(
            key[:2] == (NeedKind.TRADES, market.index) and not task.done()
            for key, task in self._tasks.items()
        )

    def release(self) -> None:
        """Serve what waited for the overload to end."""
        self._decoder.needs.extend(self._held)
        self._held.clear()
        self.take()

    def _begin(self, need: Need) -> None:
        key = need.key
        task = self._tasks.get(key)
        if task is not None and not task.done():
            return
        self._tasks = {one: task for one, task in self._tasks.items() if not task.done()}
        serve = {NeedKind.SNAPSHOT: self._snapshot, NeedKind.COMPARE: self._compare}.get(need.kind, self._trades)
        self._tasks[key] = asyncio.create_task(serve(need))

    async def _paced(self, need: Need) -> None:
        """Wait, unless the last request of this kind and market was long enough ago."""
        key = (need.kind, need.market.index)
        backoff = self._backoffs.setdefault(key, self._desk.backoff())
        now_ns = self._desk.clock.now_ns()
        if not backoff.held(now_ns - self._served_ns.get(key, 0)):
            await asyncio.sleep(backoff.wait_s())
        self._served_ns[key] = self._desk.clock.now_ns()

    async def _snapshot(self, need: Need) -> None:
        """Fetch a book until it is there."""
        while True:
            await self._paced(need)
            try:
                payload = await self._called(need, partial(fetch_depth, self._exchange, need.market))
            except Exception as error:  # told, and tried again after the back-off
                self._note("gap", need, f"no snapshot: {error}")
                continue
            self._give(need.key, partial(self._give_snapshot, need, payload))
            return

    async def _trades(self, need: Need) -> None:
        """Fetch trades within the time that live ones wait for them; else say that they cannot be had."""
        rows: Sequence[Mapping[str, Any]] | None = None
        fetch = partial(fetch_missing_trades, self._exchange, need)
        try:
            async with asyncio.timeout(self._desk.settings.backfill_ns / 1e9):
                await self._paced(need)
                rows = await self._called(need, fetch)
            place = str(need.after) if self._decoder.counted else f"{_clock(need.since_ns)} UTC"
            self._note("backfilled", need, f"{len(rows)} trades after {place}")
        except TimeoutError:
            self._note("gap", need, "missing trades did not come in time")
        except Exception as error:  # a gap, which the decoder tells in its place
            self._note("gap", need, f"missing trades cannot be had: {error}")
        self._give(need.key, partial(self._give_trades, need, rows))

    async def _compare(self, need: Need) -> None:
        """Fetch the newest trades; what cannot be had now is compared the next time."""
        await self._paced(need)
        try:
            rows = await self._called(need, partial(fetch_newest_trades, self._exchange, need))
        except Exception as error:  # told; nothing is known to be missing
            self._note("limited", need, f"its newest trades cannot be compared: {error}")
            return
        self._give(need.key, partial(self._give_compared, need, rows))

    def bars(self, market: FeedMarket) -> None:
        """Fetch the bars that were closed while a market's channel of them was away."""
        task = self._tasks.get(key := (BARS, market.index, 0, 0))
        if task is None or task.done():
            self._tasks[key] = asyncio.create_task(self._bars(Need(NeedKind.SNAPSHOT, market, Channel.OHLCV)))

    async def _bars(self, need: Need) -> None:
        market, line = need.market, self._decoder.lines[need.market.index].bars
        now_ns = self._desk.clock.now_ns()
        missing = min((now_ns - line.last_end) // market.timeframe_ns, MOST_BARS) if line.last_end else 0
        if missing <= 0:
            return
        try:
            rows = await last_bars(self._exchange, market.symbol, market.timeframe_ns, missing, now_ns)
        except Exception as error:  # the bars that come next tell of the gap
            self._note("gap", need, f"missing bars cannot be had: {error}")
            return
        self._note("backfilled", need, f"{len(rows)} bars")
        self._give((BARS, market.index, 0, 0), partial(self._give_bars, need, rows))

    def _give_bars(self, need: Need, rows: Sequence[Candle], recv_ns: int, out: EventBuffer) -> None:
        line = self._decoder.lines[need.market.index].bars
        for end_ns, *texts in rows:
            o, h, low, c, volume = texts
            line.close(end_ns, line.read((o, h, low, c, volume)), recv_ns, out)

    async def _called(self, need: Need, work: Callable[[], Any]) -> Any:
        settings = self._desk.settings
        patience = Patience(8, settings.backoff_min_ns / 1e9, settings.backoff_max_ns / 1e9)
        try:
            return await call(self._exchange, work, patience, partial(self._limited, need))
        except FeedError:
            raise
        except (KeyError, TypeError, ValueError, IndexError, StopIteration) as error:
            raise FeedError(
                f"{self._exchange.id}: an answer that is not what its API says: {error!r}"
            ) from error

    def _give_snapshot(self, need: Need, payload: Any, recv_ns: int, out: EventBuffer) -> None:
        try:
            self._decoder.snapshot(need.market, payload, recv_ns, out)
        except Malformed as error:
            self._note("malformed", need, f"snapshot: {error}")
            self._decoder.needs.append(need)

    def _give_trades(
        self, need: Need, rows: Sequence[Mapping[str, Any]] | None, recv_ns: int, out: EventBuffer
    ) -> None:
        try:
            self._decoder.trades(need, rows, recv_ns, out)
        except Malformed as error:
            self._note("malformed", need, f"trades: {error}")
            self._decoder.trades(need, None, recv_ns, out)

    def _give_compared(
        self, need: Need, rows: Sequence[Mapping[str, Any]], recv_ns: int, out: EventBuffer
    ) -> None:
        try:
            lost = self._decoder.compare(need.market, rows, recv_ns, out)
        except UNREADABLE as error:
            self._note("malformed", need, f"trades: {error}")
            return
        if lost:
            self._note("backfilled", need, f"{lost} trades that the connection left out")

    def _give(self, key: Key, act: Callable[[int, EventBuffer], None]) -> None:
        """Put an answer into the inbox; it may be taken at once, and the decoder may need the same again."""
        self._tasks.pop(key, None)
        self._desk.inbox.put(self._desk.clock.now_ns(), self._feed, CALL, act)

    def _limited(self, need: Need, text: str) -> None:
        self._note("limited", need, text.removeprefix(f"{self._exchange.id}: "))

    def _note(self, what: str, need: Need, text: str) -> None:
        now_ns = self._desk.clock.now_ns()
        symbol, channel = need.market.symbol, need.channel.name.lower()
        self._desk.note(FeedNote(now_ns, self._exchange.id, what, symbol, channel, text))

    async def close(self) -> None:
        """End what is being fetched."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _clock(ns: int) -> str:
    """Return the time of day, to the millisecond."""
    return f"{datetime.fromtimestamp(ns / 1e9, UTC):%H:%M:%S.%f}"[:-3]
