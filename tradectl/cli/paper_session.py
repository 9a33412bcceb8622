"""A paper session under way: what the feeds bring is journaled and folded, time passes, commands are obeyed."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from tradectl.cli.paper_feeds import Kept, keep, kept_of
from tradectl.cli.paper_memory import give_back
from tradectl.cli.runner_fold import Folded
from tradectl.config.feed import Feed
from tradectl.core.codes import Command
from tradectl.db.session import SessionFolder
from tradectl.db.snapshot import packed
from tradectl.engine.bar_gate import BarGate
from tradectl.engine.live import Live
from tradectl.engine.ports import Events
from tradectl.errors import StoreError, TradectlError
from tradectl.exchanges.clock import Clock
from tradectl.exchanges.model import Channel
from tradectl.metrics.histogram import Durations

if TYPE_CHECKING:
    from tradectl.exchanges.hub import Hub

__all__ = ["Latencies", "Session"]

TAKE = 512  # messages decoded and folded at a time
PULSE_S = 0.01
PAUSE_NS = 300_000  # after this long without a message the next one does not wait for others
DRAIN_NS = 250_000_000  # between two times that rows are taken from their buffers
SECOND = 1_000_000_000


@dataclass
class Latencies:
    """From the receipt of a message to the end of its fold, all of them and those in which orders were sent; ns."""

    messages: Durations = field(default_factory=Durations)
    orders: Durations = field(default_factory=Durations)
    steps: Durations = field(default_factory=Durations)  # journal and fold of one batch, for each of its events
    lag: Durations = field(default_factory=Durations)  # the venue's time to receipt, of every message


@dataclass(repr=False)
class Session:
    """One live run; `stop` ends it, `failure` is what ended it otherwise."""

    hub: Hub
    clock: Clock
    live: Live
    folded: Folded
    folder: SessionFolder
    feed: Feed
    latencies: Latencies = field(default_factory=Latencies)
    unnoted: list[tuple[int, int]] = field(default_factory=list)  # times (ns) of which the journal alone tells
    reason: str = ""  # why it ended
    failure: BaseException | None = None

    def __post_init__(self) -> None:
        frames_ns = {one.index: one.timeframe_ns for one in self.hub.markets if Channel.OHLCV in one.channels}
        self._gate = BarGate(frames_ns, self.feed.bar_grace.ns) if len(frames_ns) > 1 else None
        self.hub.log.lags = self.latencies.lag.add_many
        assert self.live.journal is not None
        self.journal = self.live.journal
        self._writer = ThreadPoolExecutor(1, "writer")
        self._writing: asyncio.Future[None] | None = None
        self._ended = asyncio.Event()
        self._saved = self._synced = self._drained = self._taken = self.clock.now_ns()
        self._is_taking = False
        self._loop = asyncio.get_running_loop()

    async def run(self, duration_s: float | None) -> None:
        """Listen until the time is over, somebody stops it, or something fails."""
        give_back()
        gc.collect()
        gc.freeze()  # what is there now stays
        gc.disable()  # a collection comes between messages, not with one
        pulse = asyncio.create_task(self._pulse())
        try:
            await self.hub.start(self._wake)
            await asyncio.wait_for(self._ended.wait(), duration_s)
        except TimeoutError:
            self.reason = "its time was over"
        except BaseException as error:
            self.failure = self.failure or error
        finally:
            pulse.cancel()
            await self._close()

    def stop(self, reason: str) -> None:
        """End the session soon."""
        self.reason = self.reason or reason
        self._ended.set()

    def command(self, command: Command) -> None:
        """Apply a user's command now."""
        self._guarded(partial(self.live.command, command, self._now()))

    def _now(self) -> int:
        """Return the time of an event made here: behind what was applied, not behind what waits."""
        return self.live.last_ts if self.hub.waiting else self.clock.now_ns()

    def _fail(self, error: BaseException) -> None:
        self.failure = self.failure or error
        self._ended.set()

    def _guarded(self, act: Callable[[], object]) -> bool:
        """Do something to the fold unless it has failed; a failure ends the session."""
        if self.failure is None:
            try:
                act()
            except Exception as error:
                self._fail(error)
        return self.failure is None

    # --- events

    def _wake(self) -> None:
        """Fold what came: after a pause at once, in a burst together with what is behind it."""
        if not self._is_taking and self.clock.now_ns() - self._taken > PAUSE_NS:
            self._drain()
        else:
            self._loop.call_soon(self._drain)

    def _drain(self) -> None:
        if self._guarded(self._take) and self.hub.waiting:
            self._loop.call_soon(self._drain)

    def _take(self) -> None:
        """Decode, journal and fold what waits."""
        self._is_taking = True  # what is left wakes us before these events are applied
        events = self.hub.take(TAKE)
        self._is_taking = False
        received = self.hub.taken_recv_ns
        if self._gate is not None and len(events):
            events = self._gate.put(events)
            received = self._gate.receipts(received)
        if len(events):
            self._taken = self._fold(events, received)

    def _fold(self, events: Events, received: list[int]) -> int:
        """Journal and fold events of messages with these receive times (ns); return when that was done."""
        engine, clock = self.folded.state.engine_view, self.clock
        orders, before = engine.n_orders, clock.now_ns()
        self.live.apply(events)
        now = clock.now_ns()
        self.latencies.steps.add((now - before) // len(events))
        for recv_ns in received:
            self.latencies.messages.add(now - recv_ns)
        if engine.n_orders != orders and received:
            self.latencies.orders.add(now - received[0])
        return now

    def _release(self, now: int, everything: bool = False) -> None:
        """Fold the bars that have waited long enough for others."""
        if self._gate is not None:
            for batch, received in zip(self._gate.due(now, everything), self._gate.freed, strict=True):
                self._guarded(partial(self._fold, batch, received))

    async def _pulse(self) -> None:
        """Let time pass where no event does it, and look after the disk."""
        timer_ns, hub, live = self.feed.timer.ns, self.hub, self.live
        while True:
            await asyncio.sleep(PULSE_S)
            now = self.clock.now_ns()
            self._release(now)
            if not hub.waiting and (live.due <= now or now - live.last_ts >= timer_ns):
                self._guarded(partial(live.timer, now))
            if now - self._drained >= DRAIN_NS:
                self._drained = now
                self._guarded(live.host.drain)
            self._guarded(partial(self._look_after, now))

    def _look_after(self, now: int) -> None:
        """Force the journal to the disk, save the state, collect garbage, each in its time."""
        if now - self._synced < self.feed.fsync.ns or (self._writing is not None and not self._writing.done()):
            return
        if self._writing is not None:
            self._writing.result()
        self._synced = now
        saves = now - self._saved >= self.feed.snapshot.ns
        gc.collect(2 if saves else 1)
        if saves:
            self._saved = now
            self._writing = self._loop.run_in_executor(self._writer, self._snapshot())
        else:
            self._writing = self._loop.run_in_executor(self._writer, self.journal.sync)

    def _snapshot(self) -> partial[None]:
        """Return the writing of a snapshot of the state as it is now: journal first, then rows, then the state."""
        self.live.host.drain()
        state, spool = self.folded.state, self.folded.spool
        spool.flush()
        return partial(self._save, state.snapshot(), self.live.events, dict(spool.counts), kept_of(self))

    def _save(self, parts: dict[str, bytes], events: int, rows: dict[str, int], feeds: Kept) -> None:
        self.journal.sync()
        self.folded.spool.force()
        self.folder.keep(events, packed(parts, events, rows))
        keep(self.folder, feeds)

    # --- the end

    async def _close(self) -> None:
        """Leave the feeds, apply what came, cancel, stop; where the fold failed only leave."""
        await self.hub.close()
        if isinstance(self.failure, asyncio.CancelledError):
            self.failure, self.reason = None, self.reason or "interrupted"
        while self.hub.waiting and self._guarded(self._take):
            pass
        self._release(self._now(), everything=True)
        for command in (Command.CANCEL_ALL, Command.STOP):
            self._guarded(partial(self.live.command, command, self._now()))
        if self._writing is not None:
            await asyncio.wait([self._writing])
        self._writer.shutdown()
        if not isinstance(self.failure, StoreError):
            self.journal.close()
        outcome = self.folded.outcome
        outcome.last_ts = self.live.last_ts
        if isinstance(self.failure, TradectlError):
            outcome.status, outcome.error = "failed", self.failure
