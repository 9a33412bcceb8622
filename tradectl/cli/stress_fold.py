"""Many variants of one run folded over the same events: opened once, in memory where they fit, several at a time."""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field

from tradectl.cli.stress_axes import Point, spec_at
from tradectl.cli.stress_cell import Cell, Tally, cell_of
from tradectl.config.wire import Wired
from tradectl.core.event import EVENT
from tradectl.core.jit import DISABLE_JIT
from tradectl.engine.host import Host
from tradectl.engine.host_watchdog import Hang
from tradectl.engine.ports import Events
from tradectl.engine.state import State
from tradectl.errors import StrategyError

__all__ = ["Folds", "Pipe"]

MEMORY_SHARE = 0.5  # of the free memory that the events may take
UNKNOWN_MEMORY = 1 << 30  # bytes, where the system does not tell what is free
PASS = 8  # variants that share one reading of events that do not fit, at least
AHEAD = 2  # chunks that a reading may be ahead of the slowest of them


def free_memory() -> int:
    """Return how many bytes of memory nobody uses, or UNKNOWN_MEMORY."""
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return UNKNOWN_MEMORY


class Pipe:
    """Chunks on their way from one reader to one fold, that may stop taking them."""

    def __init__(self) -> None:
        self._queue: queue.Queue[Events | BaseException | None] = queue.Queue(AHEAD)
        self._closed = False

    def put(self, item: Events | BaseException | None) -> None:
        """Hand on a chunk, what went wrong, or None for the end; waits while AHEAD are under way."""
        if not self._closed:
            self._queue.put(item)

    def close(self) -> None:
        """Take no more."""
        self._closed = True
        while not self._queue.empty():  # wakes a reader that waits
            self._queue.get_nowait()

    def __iter__(self) -> Iterator[Events]:
        while (item := self._queue.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item


@dataclass(repr=False)
class Folds:
    """Folds variants of a wired run, `jobs` at a time, over events that may take `memory` bytes (None: half of it).

    Compiled code lets go of the interpreter, so threads are enough. Plain strategies may hold Python objects and run
    one at a time. `told` hears (events folded, events in all) of a call. Whatever the numbers, cells are the same.
    """

    wired: Wired
    jobs: int
    told: Callable[[int, int], None]
    memory: int | None = None
    in_memory: bool = False
    count: int = 0  # folds done
    events: int = 0  # of one fold
    initial_atoms: int | None = None  # equity with which all begin
    stage: str = "folding events"
    _chunks: list[Events] = field(default_factory=list)
    _hosts: list[Host] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        """Make room for the events."""
        if DISABLE_JIT or not all(block.jit for block in self.wired.config.strategies):
            self.jobs = 1
        if self.memory is None:
            self.memory = int(free_memory() * MEMORY_SHARE)

    def load(self, told: Callable[[int], None]) -> None:
        """Read the events into memory, if they fit; `told` hears how many there are so far."""
        left, seen = self.memory or 0, 0
        if (self.wired.data.total_rows or 0) * EVENT.itemsize > left:
            return
        for events in self._read():
            left, seen = left - events.nbytes, seen + len(events)
            if left < 0:
                self._chunks.clear()
                return
            self._chunks.append(events)
            told(seen)
        self.in_memory, self.events = True, seen

    def _read(self) -> Iterator[Events]:
        return self.wired.chunks(self.wired.config.engine.chunk)

    def one(self, point: Point) -> Cell:
        """Fold one point."""
        return self.run([point])[0]

    def base(self, point: Point) -> Cell:
        """Fold the config's own point; what stops it is raised as `backtest` tells it."""
        (cell,) = self.run([point], strict=True)
        return cell

    def run(self, points: Sequence[Point], *, strict: bool = False) -> list[Cell]:
        """Fold points; return their cells in that order. Ctrl-C ends the folds after their chunks.

        `strict`: the error that stops a fold is raised, and does not stand in its cell.
        """
        done, total = 0, len(points) * (self.events or self.wired.data.total_rows or 0)

        def more(events: int) -> None:
            nonlocal done
            with self._lock:
                done += events
                self.told(done, total)

        # Variants that share a reading wait for its slowest: they need a thread each.
        width = self.jobs if self.in_memory else min(len(points), max(PASS, self.jobs))
        pool = ThreadPoolExecutor(width, thread_name_prefix="stress")
        try:
            if self.in_memory:
                futures = [pool.submit(self._fold, p, iter(self._chunks), more, strict) for p in points]
                wait(futures, return_when=FIRST_EXCEPTION)
                return [future.result() for future in futures]
            cells: list[Cell] = []
            for at in range(0, len(points), width):
                cells += [future.result() for future in self._pass(pool, points[at : at + width], more, strict)]
            return cells
        finally:
            for host in tuple(self._hosts):
                host.interrupted = True
            pool.shutdown(cancel_futures=True)

    def _pass(
        self, pool: ThreadPoolExecutor, points: Sequence[Point], more: Callable[[int], None], strict: bool
    ) -> list[Future[Cell]]:
        """Fold points over one reading of the events."""
        pipes = [Pipe() for _ in points]
        futures = [
            pool.submit(self._fold_piped, *pair, more, strict) for pair in zip(points, pipes, strict=True)
        ]
        end: BaseException | None = None
        try:
            for events in self._read():
                for pipe in pipes:
                    pipe.put(events)
        except BaseException as error:
            end = error
            raise
        finally:
            for pipe in pipes:
                pipe.put(end)
        return futures

    def _fold_piped(self, point: Point, pipe: Pipe, more: Callable[[int], None], strict: bool) -> Cell:
        try:
            return self._fold(point, iter(pipe), more, strict)
        finally:
            pipe.close()

    def _fold(
        self, point: Point, chunks: Iterator[Events], more: Callable[[int], None], strict: bool
    ) -> Cell:
        state = State(spec_at(self.wired.spec, point).without_plots())
        seen = 0

        def progress(events: int, ts_event: int) -> None:
            nonlocal seen
            del ts_event
            more(events - seen)
            seen = events

        tally, wired = Tally(len(state.spec.instruments), state.initial_atoms), self.wired
        # With the strategies the host tells where one raised; that costs a copy of the state a chunk.
        loaded, hooks = (wired.loaded, wired.hooks) if strict else ([], [])
        host = Host(
            state, tally, loaded, hooks, progress=progress, commands=not wired.data.whole,
            watchdog_s=wired.config.engine.watchdog.ns / 1e9, on_hang=_hung,
        )  # fmt: skip
        self._hosts.append(host)
        try:
            outcome = host.run(chunks)
        finally:
            self._hosts.remove(host)
        if outcome.status == "interrupted":
            raise KeyboardInterrupt
        if strict and outcome.error is not None:
            raise outcome.error
        with self._lock:
            self.count, self.events = self.count + 1, outcome.events
            self.initial_atoms = tally.initial_atoms
        return cell_of(point, state, outcome, tally)


def _hung(hang: Hang) -> None:
    """End the process: compiled code in a loop cannot be stopped."""
    os.write(2, f"error: {hang}\n".encode())
    os._exit(StrategyError.exit_code)
