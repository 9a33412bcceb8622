"""All live feeds of a session: opened together, taken from in the order in which messages were received."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tradectl.core.codes import EventKind
from tradectl.engine.ports import Events
from tradectl.errors import FeedError
from tradectl.exchanges.backoff import Desk
from tradectl.exchanges.capability import channels_on, check_plan
from tradectl.exchanges.clock import Clock
from tradectl.exchanges.codec import EventBuffer
from tradectl.exchanges.connect import new_exchange
from tradectl.exchanges.decoders import decoder_of
from tradectl.exchanges.decoders.base import VenueDecoder
from tradectl.exchanges.event_rows import Steps
from tradectl.exchanges.feed import Feed
from tradectl.exchanges.feed_log import FeedLog
from tradectl.exchanges.inbox import CALL, Inbox
from tradectl.exchanges.markets import Spec, instrument_of, load_markets, market_cache
from tradectl.exchanges.model import (
    Channel,
    ChannelHealth,
    ExchangePlan,
    FeedMarket,
    FeedNote,
    FeedSettings,
    Position,
)
from tradectl.exchanges.rest import last_bars
from tradectl.exchanges.tally import Tally
from tradectl.exchanges.unified import UnifiedFeed

__all__ = ["Bar", "Hub"]

TICK_S = 1.0
Bar = tuple[int, int, int, int, int, int]  # end (ns UTC), open, high, low, close (ticks), volume (lots)


@dataclass(frozen=True)
class Opened:
    """One market before it has its place among the run's instruments."""

    plan: ExchangePlan
    exchange: Any
    spec: Spec
    raw: Mapping[str, Any]


class Hub:
    """The feeds of all exchanges.

    `open`, then `start`, then `take` whenever it wakes; `close` in any case. `specs` has each instrument's
    specification by id, `log` what happened to the feeds, `tally` how they are, `taken_recv_ns` the receive times
    (ns) of the messages of the last `take`.
    """

    def __init__(
        self,
        plans: Sequence[ExchangePlan],
        settings: FeedSettings,
        clock: Clock,
        positions: Mapping[str, Position] | None = None,
    ) -> None:
        self._plans = list(plans)
        self._clock = clock
        self._resumed = dict(positions or {})
        self._inbox = Inbox(settings.queue)
        self.log = FeedLog()
        self._desk = Desk(settings, clock, self._inbox, self.log.note, random.Random(settings.seed))
        self._exchanges: list[Any] = []
        self._feeds: list[Feed] = []
        self._out = EventBuffer()
        self.tally = Tally((), self.log)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ticker: asyncio.Task[None] | None = None
        self._bar_aux: list[int] = []  # by instrument; empty where there is one timeframe at most
        self.markets: list[FeedMarket] = []
        self.specs: dict[str, Spec] = {}
        self.taken_recv_ns: list[int] = []

    @property
    def timeframes_ns(self) -> list[int]:
        """Return the bar lengths of the session; a BAR's `aux` is an index here."""
        return sorted({plan.timeframe_ns for plan in self._plans if Channel.OHLCV in plan.channels})

    @property
    def waiting(self) -> int:
        """Return how many messages wait."""
        return len(self._inbox)

    # --- the beginning

    async def open(self) -> list[FeedMarket]:
        """Load all markets and return the session's, sorted by instrument id; FeedError for what is not there."""
        opened = [one for plan in self._plans for one in await self._open_one(plan)]
        opened.sort(key=lambda one: one.spec.instrument.id)
        ids = [one.spec.instrument.id for one in opened]
        twice = sorted({one for one in ids if ids.count(one) > 1})
        if twice:
            raise FeedError(f"{twice[0]} is wanted twice")
        self.markets = [_market(index, one) for index, one in enumerate(opened)]
        self.specs = {one.spec.instrument.id: one.spec for one in opened}
        timeframes = self.timeframes_ns
        if len(timeframes) > 1:
            self._bar_aux = [timeframes.index(m.timeframe_ns) if m.timeframe_ns else 0 for m in self.markets]
        for plan, exchange in zip(self._plans, self._exchanges, strict=True):
            self._feeds.append(self._feed(plan, exchange))
        self.tally = Tally((one for feed in self._feeds for one in feed.subscriptions), self.log)
        return self.markets

    async def _open_one(self, plan: ExchangePlan) -> list[Opened]:
        """Return the markets of one exchange."""
        exchange = new_exchange(plan.name, plan.endpoint, plan.options)
        self._exchanges.append(exchange)

        def told(text: str) -> None:
            self.note("limited", text.removeprefix(f"{plan.name}: "), plan.name)

        most_s = self._desk.settings.connect_ns / 1e9
        try:
            async with asyncio.timeout(most_s):
                loaded = await load_markets(exchange, market_cache(), plan.symbols, told)
        except TimeoutError:
            raise FeedError(f"{plan.name}: its markets did not come within {most_s:g} s") from None
        check_plan(exchange, plan, loaded)
        return [
            Opened(plan, exchange, instrument_of(plan.name, loaded[name]), loaded[name])
            for name in plan.symbols
        ]

    def _feed(self, plan: ExchangePlan, exchange: Any) -> Feed:
        """Return the feed of one exchange, its decoder placed where an earlier session ended."""
        markets = [market for market in self.markets if market.exchange == plan.name]
        decoder = decoder_of(plan.name, markets, self._desk.settings)
        if isinstance(decoder, VenueDecoder):
            feed = Feed(exchange, markets, decoder, self._desk)
        else:
            feed = UnifiedFeed(exchange, markets, self._desk)
        for market in markets:
            if market.instrument.id in self._resumed:
                feed.decoder.resume(market, self._resumed[market.instrument.id])
        return feed

    async def start(self, wake: Callable[[], None]) -> None:
        """Subscribe to everything; `wake` is called when something waits, once until the next `take`.

        It may take at once: that is the fastest way, for nothing comes between a message's receipt and its events.
        """
        self._inbox.wake = wake
        self._loop = asyncio.get_running_loop()
        for feed in self._feeds:
            feed.start()
        self._ticker = asyncio.create_task(self._tick())

    async def _tick(self) -> None:
        """Once a second look after the clock, the channels and the decoders."""
        while True:
            await asyncio.sleep(TICK_S)
            try:
                jumped = self._clock.check()
                if jumped:
                    self.log.note(FeedNote(self._clock.now_ns(), "", "clock", text=jumped))
                self.tally.settle()
                for feed in self._feeds:
                    feed.tick()
            except Exception as error:  # a tick that fails is told, and the next one comes
                self.log.note(FeedNote(self._clock.now_ns(), "", "lost", text=f"tick: {error!r}"))

    # --- events

    def take(self, limit: int = 4096) -> Events:
        """Decode up to `limit` waiting messages, oldest first, and return their events."""
        items, out = self._inbox.items, self._out
        self._inbox.begin()
        self.taken_recv_ns = received = []
        for _ in range(min(limit, len(items))):
            recv_ns, feed, channel, payload = items.popleft()
            start = len(out)
            try:
                if channel == CALL:
                    payload(recv_ns, out)
                else:
                    received.append(recv_ns)
                    feed.decoder.decode(payload, recv_ns, out)
            except (
                Exception
            ) as error:  # of a message only: it is told, its channel is broken, the others go on
                out.cut(start)
                feed.malformed(channel, payload, error, recv_ns, out)
            if feed.decoder.needs:
                feed.serve()
        if self._inbox.rest() and self._loop is not None:
            self._loop.call_soon(self._inbox.again)  # later: these events come first
        events = out.take()
        if self._bar_aux:
            bars = events["kind"] == EventKind.BAR
            events = events.copy()
            events["aux"][bars] = np.take(self._bar_aux, events["instrument"][bars])
        self.tally.add(events)
        return events

    def health(self) -> list[ChannelHealth]:
        """Return how each channel is."""
        self.tally.settle()
        return [one.told() for feed in self._feeds for one in feed.subscriptions]

    def positions(self) -> dict[str, Position]:
        """Return where each instrument's trades stand, by its id."""
        self.tally.settle()
        taken = [one for feed in self._feeds for one in feed.subscriptions if one.position.trade_ns]
        return self._resumed | {one.market.instrument.id: one.position for one in taken}

    async def warmup(self, bars: int, timeframe_ns: int) -> dict[int, list[Bar]]:
        """Return the last finished `bars` of each instrument index over REST, oldest first."""
        found: dict[int, list[Bar]] = {}
        for feed in self._feeds:
            for market in feed.markets:
                rows = await last_bars(feed.exchange, market.symbol, timeframe_ns, bars, self._clock.now_ns())
                step, lots = Steps(market.instrument.tick_size).one, Steps(market.qty_step).one
                if len(rows) < bars:
                    there = f"{len(rows)} of {bars} bars of warm-up"
                    self.note("warmup", there, market.exchange, market.symbol)
                found[market.index] = [
                    (end_ns, step(o), step(h), step(low), step(c), lots(volume))
                    for end_ns, o, h, low, c, volume in rows
                ]
        return found

    def note(self, what: str, text: str, exchange: str = "", symbol: str = "") -> None:
        """Keep a note of this moment."""
        self.log.note(FeedNote(self._clock.now_ns(), exchange, what, symbol, text=text))

    # --- the end

    async def close(self) -> None:
        """End all feeds; nothing is left pending."""
        if self._ticker is not None:
            self._ticker.cancel()
            await asyncio.gather(self._ticker, return_exceptions=True)
        refused = self._exchanges[len(self._feeds) :]  # opened, but refused before they were feeds
        for exchange in refused:
            exchange.timeout_on_exit = 0
        await asyncio.gather(*(one.close() for one in [*self._feeds, *refused]))
        self.tally.settle()


def _market(index: int, one: Opened) -> FeedMarket:
    plan, spec = one.plan, one.spec
    timeframe_ns = plan.timeframe_ns if Channel.OHLCV in plan.channels else 0
    return FeedMarket(
        index, plan.name, spec.instrument.symbol, spec.raw_id, spec.instrument, channels_on(plan, one.raw),
        spec.qty_step, timeframe_ns, one.raw,
    )  # fmt: skip
