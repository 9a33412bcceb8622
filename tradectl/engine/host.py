"""The host loop: events in chunks through the fold, rows out, and what happens when the fold stops early."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

from tradectl.core.codes import Command, EventKind, FoldCode, Reason
from tradectl.core.event import empty_events
from tradectl.engine.host_audit import Balance, audit_ledger, ledgers, live_orders
from tradectl.engine.host_fault import bad_event, capacity_error, raised_error
from tradectl.engine.host_watchdog import Hang, Watchdog
from tradectl.engine.ports import Events, Progress, Recorder, Sink
from tradectl.engine.state import State
from tradectl.errors import StrategyError, TradectlError

__all__ = ["CHUNK", "Host", "Outcome", "command_event", "fold_all"]

CHUNK = 65_536  # events between two looks at progress and Ctrl-C


def command_event(command: Command, ts_event: int) -> Events:
    """Return one COMMAND event at a time, ns UTC."""
    event = empty_events(1)
    event["ts_event"] = event["ts_recv"] = ts_event
    event["kind"] = EventKind.COMMAND
    event["w0"] = command
    return event


@dataclass
class Outcome:
    """How a fold ended: `complete`, `failed` (with the error) or `interrupted`; `events` were applied."""

    status: str = "complete"
    error: TradectlError | None = None
    events: int = 0
    last_ts: int = 0
    balances: list[Balance] = field(default_factory=list)


class Interrupted(Exception):
    """Ctrl-C was seen between two chunks."""


@dataclass(repr=False)
class Host:
    """Drives one state over one stream of chunks.

    `commands`: the stream has no START and STOP of its own, so they are added. `loaded` are the strategies
    in the order of the spec, for exact messages when one raises. `watchdog_s` 0: no watchdog. `lazy`: rows stay in
    their buffers until these are full or somebody drains them.
    """

    state: State
    sink: Sink
    loaded: Sequence[Any] = ()
    hooks: Sequence[Any] = ()
    recorder: Recorder | None = None
    progress: Progress | None = None
    watchdog_s: float = 0.0
    on_hang: Callable[[Hang], None] | None = None
    commands: bool = True
    lazy: bool = False
    interrupted: bool = False

    def __post_init__(self) -> None:
        self._watchdog = Watchdog(self.state, self.watchdog_s, self.on_hang)

    def run(self, chunks: Iterator[Events]) -> Outcome:
        """Fold all chunks, STOP, hand out the orders still live, audit the ledger; never leaves rows behind.

        Raises InvariantViolation where the audit fails; a data error of the stream itself passes through.
        """
        outcome = Outcome()
        try:
            with CtrlC(self):
                self.open()
                self._fold_stream(chunks, outcome)
        except Interrupted:
            outcome.status = "interrupted"
        except TradectlError as error:
            outcome.status, outcome.error = "failed", error
        self.close(outcome)
        return outcome

    def open(self) -> None:
        """Begin to watch the fold."""
        self._watchdog.start()

    def close(self, outcome: Outcome) -> None:
        """Hand out the rows that are left and the orders still live; audit the ledger."""
        outcome.events = int(self.state.engine[0]["n_events"])
        self._watchdog.stop()
        self.drain()
        live = live_orders(self.state)
        if len(live):
            self.sink.rows("orders", live)
        outcome.balances = self.audit(outcome)

    def audit(self, outcome: Outcome) -> list[Balance]:
        """Return the ledgers; a fold that a full store stopped in mid-event need not balance, any other must."""
        balances = ledgers(self.state)
        if outcome.error is None or isinstance(outcome.error, StrategyError):
            audit_ledger(self.state, balances)
        return balances

    def _fold_stream(self, chunks: Iterator[Events], outcome: Outcome) -> None:
        for events in chunks:
            if self.interrupted:
                raise Interrupted
            self.feed(events, outcome)
            if self.progress is not None:
                self.progress(int(self.state.engine[0]["n_events"]), outcome.last_ts)
        self.finish(outcome)

    def feed(self, events: Events, outcome: Outcome) -> None:
        """Fold one chunk; before the first, START at its time."""
        if not len(events):
            return
        if self.commands and outcome.last_ts == 0:
            self.apply(command_event(Command.START, int(events["ts_recv"][0])))
        outcome.last_ts = int(events["ts_recv"][-1])
        self.apply(events)

    def finish(self, outcome: Outcome) -> None:
        """STOP at the time of the last event."""
        if self.commands and outcome.last_ts:
            self.apply(command_event(Command.STOP, outcome.last_ts))

    def apply(self, events: Events) -> None:
        """Record and fold one chunk, draining as often as the buffers ask; raise what stops the run."""
        if self.recorder is not None:
            self.recorder.append(events)
        snapshot = self.state.snapshot() if self.loaded else None
        start = 0
        while True:
            with self._watchdog:
                code, at = self.state.fold(events[start:])
            at += start
            if code == FoldCode.DONE and self.lazy:
                return
            moved = at > start or self.state.has_outputs
            self.drain()
            if code == FoldCode.DONE:
                return
            if code == FoldCode.DRAIN and moved:
                start = at
                continue
            if code == FoldCode.BAD_EVENT:
                raise bad_event(self.state, events[at])
            if code == FoldCode.STRATEGY_RAISED:
                self._raised(snapshot, events[:at])
            reason = int(self.state.engine[0]["fault_reason"])
            raise capacity_error(
                Reason(reason) if code != FoldCode.DRAIN else Reason.OUTPUTS_FULL, events[at - 1]
            )

    def _raised(self, snapshot: dict[str, bytes] | None, events: Events) -> None:
        """Raise what a strategy raised, found by replaying the chunk in plain Python; Ctrl-C is no fault."""
        index = int(self.state.engine[0]["fault_strategy"]) - 1
        told = self.hooks[index].last_error if index < len(self.hooks) else None
        if isinstance(told, KeyboardInterrupt):
            raise Interrupted
        if snapshot is None:
            raise StrategyError(f"strategy {self.state.spec.strategies[index].name} raised")
        raise raised_error(self.state, snapshot, events, index, self.loaded[index])

    def drain(self) -> None:
        """Hand the rows written so far to the sink."""
        if not self.state.has_outputs:
            return
        for kind, rows in self.state.drain().items():
            if len(rows):
                self.sink.rows(kind, rows)


@dataclass(repr=False)  # `signal` takes the repr of a handler, and so of all that it holds
class CtrlC:
    """While it is entered, the first Ctrl-C asks the host to stop after its chunk; a second one raises."""

    host: Host
    before: Any = None

    def __enter__(self) -> None:
        if threading.current_thread() is threading.main_thread():
            self.before = signal.signal(signal.SIGINT, self._note)

    def __exit__(self, *_error: object) -> None:
        if self.before is not None:
            signal.signal(signal.SIGINT, self.before)

    def _note(self, _number: int, _frame: FrameType | None) -> None:
        if self.host.interrupted:
            raise KeyboardInterrupt
        self.host.interrupted = True


@dataclass
class Discard:
    """A sink that keeps nothing."""

    def rows(self, kind: str, rows: Any) -> None:
        """Drop the rows."""


def fold_all(states: Sequence[State], chunks: Iterator[Events], commands: bool = True) -> list[Outcome]:
    """Fold several states over one pass of a stream (scenarios); outputs are dropped, ledgers audited."""
    hosts = [Host(state, Discard(), commands=commands) for state in states]
    outcomes = [Outcome() for _ in states]
    for events in chunks:
        for host, outcome in zip(hosts, outcomes, strict=True):
            _attempt(host.feed, outcome, events)
    for host, outcome in zip(hosts, outcomes, strict=True):
        _attempt(host.finish, outcome)
        outcome.events = int(host.state.engine[0]["n_events"])
        outcome.balances = host.audit(outcome)
    return outcomes


def _attempt(act: Callable[..., None], outcome: Outcome, *args: Any) -> None:
    """Let a fold that has not failed go on; note where it fails."""
    if outcome.error is None:
        try:
            act(*args, outcome)
        except TradectlError as error:
            outcome.status, outcome.error = "failed", error
