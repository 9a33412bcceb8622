"""A hub without a network: it brings the events of the book sample in `data/` as fast as they are taken.

Its clock shows the time of the last event, so that an hour of the market passes in a second.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from tradectl.config.load import load_config
from tradectl.config.wire_data import open_data
from tradectl.core.event import empty_events
from tradectl.engine.ports import Events
from tradectl.exchanges.feed import Subscription
from tradectl.exchanges.feed_log import FeedLog
from tradectl.exchanges.markets import Spec, instrument_of
from tradectl.exchanges.model import Channel, ChannelHealth, FeedMarket, Position
from tradectl.exchanges.tally import Tally

ROOT = Path(__file__).parents[2]
RAW = {
    "id": "BTCUSDT", "symbol": "BTC/USDT", "base": "BTC", "quote": "USDT", "type": "spot", "spot": True,
    "precision": {"price": "0.01", "amount": "0.00001"}, "limits": {"amount": {"min": "0.00001"}, "cost": {"min": "5"}},
    "maker": "0.001", "taker": "0.001", "swap": False, "future": False, "option": False, "contract": False,
}  # fmt: skip


def sample(limit: int = 1 << 62) -> tuple[Any, Events]:
    """Return the instrument and the events of the book sample."""
    opened = open_data(load_config(ROOT / "configs" / "market_maker.yaml", env={}).config, ROOT / "configs")
    parts = [part.copy() for part in opened.chunks(65_536)]
    return opened.instruments[0], np.concatenate(parts)[:limit]


class EventClock:
    """Shows the time of the last event, and 1 µs more each time it is looked at."""

    def __init__(self) -> None:
        self.ns = 0

    def now_ns(self) -> int:
        self.ns += 1_000
        return self.ns

    def check(self) -> str:
        return ""


class ReplayedHub:
    """Stands for `exchanges.hub.Hub`: events [begin, begin + limit), `burst` at a time, then it calls `done`."""

    burst = 16
    begin = 0
    limit = 20_000
    done: Callable[[], None] | None = None

    def __init__(
        self, _plans: Any, _settings: Any, clock: EventClock, positions: Mapping[str, Position] | None = None
    ) -> None:
        self.clock = clock
        self.positions = dict(positions or {})
        self.log = FeedLog()
        self.tally = Tally((), self.log)
        self.markets: list[FeedMarket] = []
        self.specs: dict[str, Spec] = {}
        self.taken_recv_ns: list[int] = []
        self._at = 0
        self._task: asyncio.Task[None] | None = None

    async def open(self) -> list[FeedMarket]:
        instrument, events = sample()
        self._events = events[self.begin : self.begin + self.limit]
        self.clock.ns = max(self.clock.ns, int(self._events["ts_recv"][0]))
        channels = frozenset({Channel.TRADES, Channel.DEPTH})
        self.specs = {instrument.id: replace(instrument_of("binance", RAW), instrument=instrument)}
        self.markets = [
            FeedMarket(0, "binance", instrument.symbol, "X", instrument, channels, instrument.lot_size)
        ]
        desk: Any = SimpleNamespace(backoff=lambda: None)
        self.subscriptions = [Subscription(self.markets[0], channel, desk) for channel in sorted(channels)]
        self.tally = Tally(self.subscriptions, self.log)
        for one in self.subscriptions:
            one.health.state, one.health.epoch = "live", 1
        return self.markets

    @property
    def waiting(self) -> int:
        return 0

    async def start(self, wake: Callable[[], None]) -> None:
        self._task = asyncio.create_task(self._run(wake))

    async def _run(self, wake: Callable[[], None]) -> None:
        while self._at < len(self._events):
            await asyncio.sleep(0)
            wake()
        if self.done is not None:
            self.done()

    def take(self, _limit: int) -> Events:
        part = self._events[self._at : self._at + self.burst]
        self._at += len(part)
        made = empty_events(len(part))
        made[:] = part
        if len(part):
            self.clock.ns = max(self.clock.ns, int(part["ts_recv"][-1]))
        self.taken_recv_ns = [self.clock.ns] if len(part) else []
        self.tally.add(made)
        return made

    def health(self) -> list[ChannelHealth]:
        self.tally.settle()
        return [one.health for one in self.subscriptions]

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
