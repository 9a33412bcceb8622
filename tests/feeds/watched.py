"""A hub that listens to a sandbox; its events are folded into plain books and lists, to be held against the truth."""

from __future__ import annotations

import asyncio
import gc
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from tradectl.core.codes import EventFlag, EventKind, GapScope
from tradectl.exchanges.clock import Clock
from tradectl.exchanges.hub import Hub
from tradectl.exchanges.model import Channel, ExchangePlan, FeedSettings, GapReason, Position
from tradectl.exchanges.sandbox import Sandbox

BOTH = frozenset({Channel.TRADES, Channel.DEPTH})
BAR_NS = 60_000_000_000
QUICK = FeedSettings(
    stale_ns=3_000_000_000, backoff_min_ns=50_000_000, backoff_max_ns=500_000_000, backfill_ns=4_000_000_000,
    compare_ns=1_000_000_000,
)  # fmt: skip
PATIENT = replace(QUICK, stale_ns=30_000_000_000, backfill_ns=20_000_000_000)  # where the machine may stall


class Watched:
    """Use as `async with`; what asyncio complains of (tasks destroyed, exceptions not retrieved) is an error."""

    def __init__(
        self,
        server: Sandbox,
        exchange: str,
        symbols: Sequence[str],
        channels: frozenset[Channel] = BOTH,
        settings: FeedSettings = QUICK,
        positions: Mapping[str, Position] | None = None,
    ) -> None:
        plan = ExchangePlan(exchange, tuple(symbols), channels, BAR_NS, server.endpoint)
        self.server, self.exchange = server, exchange
        self.hub = Hub([plan], settings, Clock(), positions)
        self.books: dict[int, dict[int, dict[int, int]]] = {}
        self.whole: dict[int, bool] = {}
        self.trades: dict[int, list[tuple[int, int, int]]] = {}  # id, ticks, lots
        self.gaps: Counter[tuple[str, str]] = Counter()  # what is missing, why
        self.kinds: Counter[int] = Counter()
        self.bars: dict[int, list[int]] = {}  # ends, ns
        self.complaints: list[str] = []
        self.last_recv = 0
        self._awake = asyncio.Event()

    async def __aenter__(self) -> Watched:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: self.complaints.append(str(context)))
        try:
            await self.hub.open()
        except BaseException:
            await self.hub.close()
            raise
        await self.hub.start(self._awake.set)
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self.hub.close()
        gc.collect()
        await asyncio.sleep(0.01)
        assert not self.complaints, self.complaints

    async def until(self, done: Callable[[], bool], seconds: float, what: str = "") -> None:
        """Take events until something is so."""
        end = time.monotonic() + seconds
        while not done():
            left = end - time.monotonic()
            assert left > 0, f"{what or 'it'} did not happen: {self.told()}"
            try:
                await asyncio.wait_for(self._awake.wait(), min(left, 0.05))
            except TimeoutError:
                continue
            self._awake.clear()
            self.take()

    async def listen(self, seconds: float) -> None:
        """Take events for a while."""
        end = time.monotonic() + seconds
        await self.until(lambda: time.monotonic() >= end, seconds + 5)

    def take(self) -> None:
        for event in self.hub.take():
            self._apply(event)

    def _apply(self, event: Any) -> None:
        index, kind = int(event["instrument"]), int(event["kind"])
        assert event["ts_recv"] >= self.last_recv, "receive times decrease"
        self.last_recv = int(event["ts_recv"])
        self.kinds[kind] += 1
        if kind == EventKind.TRADE:
            trade = int(event["w2"]), int(event["w0"]), int(event["w1"])
            self.trades.setdefault(index, []).append(trade)
        elif kind == EventKind.GAP:
            of_trades = event["aux"] == GapScope.TRADES
            self.gaps["trades" if of_trades else "book", GapReason(int(event["w2"])).name] += 1
            if not of_trades:
                assert self.whole.get(index), "a book is broken twice"
                self.whole[index] = False
        elif kind == EventKind.BAR:
            self.bars.setdefault(index, []).append(int(event["ts_event"]))
        elif kind == EventKind.DEPTH:
            self._level(index, event)

    def _level(self, index: int, event: Any) -> None:
        if event["flags"] & EventFlag.SNAPSHOT_BEGIN:
            self.books[index] = {1: {}, -1: {}}
            self.whole[index] = True
        assert self.whole.get(index), "depth of a book that is not whole"
        side = self.books[index][int(event["side"])]
        if event["w1"]:
            side[int(event["w0"])] = int(event["w1"])
        else:
            side.pop(int(event["w0"]), None)

    # --- the truth

    def truth(self, index: int, since: int = 0) -> dict[str, Any]:
        """Return the server's book and trades in ticks and lots."""
        market = self.hub.markets[index]
        told = self.server.truth(self.exchange, market.symbol, since)
        tick, lot = market.instrument.tick_size, market.qty_step

        def steps(text: Any, step: Decimal) -> int:
            return int(Decimal(str(text)) / step)

        sides = {
            sign: {steps(price, tick): steps(qty, lot) for price, qty in told[name]}
            for sign, name in ((1, "bids"), (-1, "asks"))
        }
        trades = [(one["id"], steps(one["price"], tick), steps(one["qty"], lot)) for one in told["trades"]]
        return {"book": sides, "trades": trades}

    def books_are_true(self) -> bool:
        """Say whether every book is whole and the server's, as far as it is deep."""
        for market in self.hub.markets:
            book = self.books.get(market.index)
            if book is None or not self.whole[market.index]:
                return False
            true = self.truth(market.index)["book"]
            for side in (1, -1):
                levels = sorted(book[side].items(), reverse=side > 0)
                there = sorted(true[side].items(), reverse=side > 0)
                if levels != there[: len(levels)] or len(levels) < min(len(there), 10):
                    return False
        return True

    def trades_are_true(self) -> bool:
        """Say whether all trades since the first one are there, each once, in order; ids that are texts are hashed."""
        from_id = 1 if self.exchange == "bybit" else 0
        for market in self.hub.markets:
            mine = [trade[from_id:] for trade in self.trades.get(market.index, [])]
            true = [trade[from_id:] for trade in self.truth(market.index)["trades"]]
            if not mine or mine != true[-len(mine) :]:
                return False
        return True

    async def settled(self, seconds: float = 15.0) -> None:
        """Let the books be whole again, then the market stand still; books and trades must become the server's."""
        channels = self.hub.markets[0].channels
        if Channel.DEPTH in channels:
            await self.until(lambda: all(self.whole.values()), seconds, "whole books")
        self.server.pause()
        if Channel.DEPTH in channels:
            await self.until(self.books_are_true, seconds, "a true book")
        if Channel.TRADES in channels:
            await self.until(self.trades_are_true, seconds, "true trades")

    def told(self) -> str:
        notes = [f"{n.what} {n.symbol} {n.channel} {n.text}" for n in list(self.hub.log.notes)[-12:]]
        states = [f"{h.market.symbol} {h.channel.name} {h.state} {h.epoch}" for h in self.hub.health()]
        return f"{dict(self.gaps)}, whole {self.whole}\n" + "\n".join([*states, *notes])
