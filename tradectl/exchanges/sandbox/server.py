"""The sandbox server: several venues behind one port, told apart by their real host, the path's first segment."""

from __future__ import annotations

import asyncio
import heapq
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tradectl.core.codes import EventKind
from tradectl.errors import ConfigError, FeedError
from tradectl.exchanges.sandbox.app import Front
from tradectl.exchanges.sandbox.fault import Fault
from tradectl.exchanges.sandbox.faults import Faults
from tradectl.exchanges.sandbox.market import KEPT_TRADES, Change, Market
from tradectl.exchanges.sandbox.outlet import Outlet
from tradectl.exchanges.sandbox.protocols import new_protocol
from tradectl.exchanges.sandbox.protocols.base import Protocol
from tradectl.exchanges.sandbox.sources import Source, Stream, synthetic

__all__ = ["Sandbox", "Venue"]

DEFAULT_RATE = 200.0  # messages a second of each exchange
SECOND_NS = 1_000_000_000
LOOK_S = 0.002  # between two looks at the schedule
MOST_AT_ONCE = 2_000  # changes before what waits is written
BEHIND_NS = 250_000_000  # later than this is behind the schedule
CLOCK_NS = 50_000_000  # between two looks at what the clock tells: candles, mark prices


@dataclass
class Venue:
    """One exchange: its protocol and who listens."""

    name: str
    protocol: Protocol
    outlet: Outlet
    source: Source

    def market(self, symbol: str) -> Market:
        """Return the market of a unified symbol; FeedError with those there are."""
        for named in self.protocol.named:
            if named.listing.symbol == symbol:
                return named.market
        there = ", ".join(named.listing.symbol for named in self.protocol.named)
        raise FeedError(f"the sandbox's {self.name} has no {symbol}", hint=f"valid: {there}")


class Sandbox:
    """A local exchange; `async with Sandbox(["binance"]) as server` serves at `server.endpoint` until the block ends.

    Market time is the wall clock: what a source tells is stamped when it is due, at `speed` times the source's pace,
    on an absolute schedule; what is late is sent at once and counted. While paused nothing happens but `advance`;
    with `waits` it is paused until somebody subscribes.
    """

    def __init__(
        self, exchanges: Sequence[str] = ("binance",), source: Source | Sequence[str] | None = None, *,
        seed: int = 1, rate: float = DEFAULT_RATE, speed: float = 1.0, port: int = 0, host: str = "127.0.0.1",
        faults: Sequence[Fault] = (), loops: bool = False, paused: bool = False, waits: bool = False,
        keep: int = KEPT_TRADES,
    ) -> None:  # fmt: skip
        if speed <= 0 or not exchanges:
            raise ConfigError("sandbox: at least one exchange and a speed above 0 are needed")
        self.host, self.port, self.speed, self.loops = host, port, speed, loops
        self.venues: dict[str, Venue] = {}
        self.started_ns = time.time_ns()
        for name in dict.fromkeys(exchanges):
            outlet = Outlet(name)
            protocol = new_protocol(name, outlet)
            own = source if isinstance(source, Source) else _made_up(protocol, source, rate, f"{seed}:{name}")
            self.venues[name] = Venue(name, protocol, outlet, own)
            for index in _served(own, name):
                protocol.list_market(Market(own.listings[index], index, self.started_ns, keep))
            if not protocol.by_index:
                raise ConfigError(f"the sandbox's {name} can have none of the source's symbols")
        self.faults = Faults(list(self.venues.values()), faults, seed)
        self.finished = asyncio.Event()
        self.changes = self.slow_clients = self.behind_ns = self.behind_most_ns = self.behind_count = 0
        self._paused = paused or waits
        self._waits = waits  # for the first subscription
        self._heap: list[tuple[int, int, int, Change, Stream, Venue]] = []
        self._origin = self.started_ns  # wall time at which the source's clock shows `_source_start`
        self._source_start = 0
        self._ticked = 0
        self._task: asyncio.Task[None] | None = None
        self._front = Front(self)

    @property
    def endpoint(self) -> str:
        """Return the address to give to `feed.exchanges.NAME.endpoint`."""
        return f"http://{self.host}:{self.port}"

    @property
    def source_name(self) -> str:
        """Return what the markets come from."""
        return next(iter(self.venues.values())).source.name

    @property
    def is_synthetic(self) -> bool:
        """Return whether the markets are made up."""
        return next(iter(self.venues.values())).source.is_synthetic

    async def __aenter__(self) -> Sandbox:
        self.port = await self._front.start(self.host, self.port)
        self._origin = time.time_ns()
        self._open_streams()
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_exc: object) -> None:
        assert self._task is not None
        self._task.cancel()
        (error,) = await asyncio.gather(self._task, return_exceptions=True)
        for venue in self.venues.values():
            for connection in list(venue.outlet.connections):
                connection.cut()
        await self._front.stop()
        if kind is None and isinstance(error, Exception):
            raise error  # the source could not be read on

    def _open_streams(self) -> None:
        """Open the source's streams and let the opening books stand before any client comes."""
        firsts = [
            (venue, stream, first)
            for venue in self.venues.values()
            for stream in venue.source.streams()
            if (first := next(stream, None)) is not None
        ]
        self._source_start = min((change.at for _, _, (_, change) in firsts), default=0)
        for order, (venue, stream, (index, change)) in enumerate(firsts):
            heapq.heappush(self._heap, (change.at, order, index, change, stream, venue))
        while self._heap and self._heap[0][0] == self._source_start:
            self._step(self._origin)

    def _due(self, at: int) -> int:
        """Return the wall time of a moment of the source."""
        return self._origin + int((at - self._source_start) / self.speed)

    def _step(self, stamp: int) -> None:
        """Let the next change happen."""
        at, order, index, change, stream, venue = self._heap[0]
        following = next(stream, None)
        if following is None:
            heapq.heappop(self._heap)
        else:
            late = max(following[1].at, at)  # a recording's own disorder is not repeated
            heapq.heapreplace(self._heap, (late, order, following[0], following[1], stream, venue))
        self._apply(venue.protocol, index, change, stamp)
        self.changes += 1

    @staticmethod
    def _apply(protocol: Protocol, index: int, change: Change, stamp: int) -> None:
        named = protocol.by_index.get(index)
        if named is None:
            return  # an instrument that the venue does not have
        market = named.market
        stamp = max(stamp, market.stamp)
        if change.kind == EventKind.TRADE:
            for row in change.rows:
                protocol.on_trade(named, market.trade(row, stamp))
        elif change.kind == EventKind.DEPTH:
            if levels := market.depth(change, stamp):
                protocol.on_depth(named, levels)
        elif change.kind == EventKind.MARK:
            market.mark_price = change.rows[0][1]
        elif change.kind == EventKind.FUNDING:
            market.rate = change.rows[0][1]

    async def _run(self) -> None:
        """Follow the schedule until the source ends, or cannot be read on."""
        try:
            await self._follow()
        finally:
            self.flush()
            self.finished.set()

    async def _follow(self) -> None:
        while True:
            now = time.time_ns()
            self.faults.tick(now - self.started_ns)
            if self._waits and any(venue.outlet.listeners for venue in self.venues.values()):
                self._waits = False
                self.resume()
            if not self._paused:
                self._catch_up(now)
                if not self._heap and not self._again():
                    return
                if now - self._ticked >= CLOCK_NS:
                    self._ticked = now
                    for venue in self.venues.values():
                        venue.protocol.on_time(now)
            self.flush()
            await asyncio.sleep(LOOK_S)

    def _catch_up(self, now: int) -> None:
        """Let happen what is due, as far as one batch goes."""
        for _ in range(MOST_AT_ONCE):
            if not self._heap or self._due(self._heap[0][0]) > now:
                self.behind_ns = 0
                return
            self._step(self._due(self._heap[0][0]))
        self.behind_ns = max(now - self._due(self._heap[0][0]), 0) if self._heap else 0
        self.behind_most_ns = max(self.behind_most_ns, self.behind_ns)
        self.behind_count += self.behind_ns > BEHIND_NS

    def _again(self) -> bool:
        """Begin the source anew, if it is to be repeated; prices jump back to where they began."""
        if self.loops:
            self._origin = time.time_ns()
            self._open_streams()
        return bool(self._heap)

    def flush(self) -> None:
        """Write what waits."""
        for venue in self.venues.values():
            self.slow_clients += venue.outlet.flush()

    def pause(self) -> None:
        """Let nothing more happen by itself."""
        self._paused = True

    def resume(self) -> None:
        """Go on by the schedule from here."""
        if self._paused and self._heap:
            self._origin += time.time_ns() - self._due(self._heap[0][0])
        self._paused = False

    def advance(self, changes: int) -> int:
        """While paused: let the next changes happen at once, in all markets; returns how many there were."""
        done = 0
        while self._heap and done < changes:
            now = time.time_ns()
            self._step(now)
            done += 1
        self.flush()
        return done

    def fault(self, text: str) -> Fault:
        """Let a fault happen now, told as on the command line (`drop`, `gap:5:depth`)."""
        made = Fault.parse(text)
        self.faults.begin(made)
        return made

    def truth(self, exchange: str, symbol: str, since_id: int = 0) -> dict[str, Any]:
        """Return the true book as text levels with its update id, and all kept trades with ids above `since_id`."""
        if exchange not in self.venues:
            raise FeedError(f"the sandbox has no {exchange}", hint=f"valid: {', '.join(self.venues)}")
        venue = self.venues[exchange]
        market = venue.market(symbol)
        named = venue.protocol.by_index[market.index]
        return {
            "symbol": symbol, "update_id": market.update_id, "ts": market.stamp,
            "bids": named.pairs(0, 0), "asks": named.pairs(1, 0),
            "trades": [
                {"id": t.id, "ts": t.ts, "side": t.side, "price": named.price(t.price), "qty": named.qty(t.lots)}
                for t in market.trades.between(since_id + 1, market.trades.next_id)
            ],
        }  # fmt: skip

    def state(self) -> dict[str, Any]:
        """Return counts of messages sent, connections and faults, and how far it is behind its schedule."""
        return {
            "source": self.source_name, "synthetic": self.is_synthetic, "speed": self.speed,
            "paused": self._paused, "finished": self.finished.is_set(), "changes": self.changes,
            "seconds": (time.time_ns() - self.started_ns) / SECOND_NS,
            "behind_s": self.behind_ns / SECOND_NS, "behind_most_s": self.behind_most_ns / SECOND_NS,
            "behind_count": self.behind_count, "slow_clients": self.slow_clients,
            "exchanges": {
                venue.name: {
                    "symbols": [named.listing.symbol for named in venue.protocol.named],
                    "connections": len(venue.outlet.connections), "dialled": venue.outlet.dialled,
                    "sent": dict(venue.outlet.sent),
                }
                for venue in self.venues.values()
            },
            "faults": self.faults.done,
        }  # fmt: skip


def _made_up(protocol: Protocol, symbols: Sequence[str] | None, rate: float, seed: str) -> Source:
    """Return a venue's synthetic source: of the given symbols those that it can have, or its defaults."""
    wanted = [
        one
        for one in symbols or protocol.defaults
        if protocol.has_perpetuals or ":" not in one.partition("=")[0]
    ]
    if not wanted:
        raise ConfigError(
            f"the sandbox's {protocol.name} has no perpetuals", hint=f"valid: {', '.join(protocol.defaults)}"
        )
    return synthetic(wanted, rate, seed)


def _served(source: Source, name: str) -> list[int]:
    """Return which listings a venue has: those recorded at it, or of a source that has none such each symbol once."""
    own = [index for index, one in enumerate(source.listings) if one.venue == name]
    first = {one.symbol: index for index, one in reversed(list(enumerate(source.listings)))}
    return own or sorted(first.values())
