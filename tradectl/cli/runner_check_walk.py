"""A run folded up to given times, hook by hook: its decisions, and what its state was at each of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

import numpy as np

from tradectl.cli.runner_check_decisions import After, Decision, Recorder
from tradectl.config.wire import Wired
from tradectl.core.codes import Command, FoldCode
from tradectl.core.event import empty_events
from tradectl.engine.advance import advance, advance_bars
from tradectl.engine.host import command_event
from tradectl.engine.host_fault import iso
from tradectl.engine.ports import Events
from tradectl.engine.state import State
from tradectl.errors import StoreError

__all__ = ["Mark", "Walk", "scrambled", "walk"]

TAIL = 256  # scrambled events that stand behind each cut
MEMORY = ("blob",)  # parts of the state that are the strategies' own


@dataclass(frozen=True)
class Mark:
    """How a run stood after all events until `ts`: counts, hashes of the state's parts, the strategies' bytes."""

    ts: int
    n_events: int
    n_decisions: int
    parts: dict[str, str]
    memory: bytes
    raised: str = ""


@dataclass
class Walk:
    """What was seen of one fold; `fills` are FILL records, `times` those of the first and last event, ns."""

    decisions: list[Decision] = field(default_factory=list)
    marks: dict[int, Mark] = field(default_factory=dict)
    fills: list[Any] = field(default_factory=list)
    first_ts: int = 0
    last_ts: int = 0
    n_events: int = 0
    raised: str = ""


def scrambled(events: Events, seed: int) -> Events:
    """Return up to TAIL events as noise: the same times and kinds, all words shuffled and scaled, seeded."""
    made = empty_events(min(len(events), TAIL))
    made[:] = events[: len(made)]
    chance = np.random.default_rng(seed)
    order = chance.permutation(len(made))
    for name in ("w0", "w1", "w2", "w3", "w4", "side"):
        made[name] = made[name][order]
    for name in ("w0", "w1", "w2", "w3"):
        made[name] = made[name] * int(chance.integers(2, 5))
    return made


class _Fold:
    """One state and the entry point that folds into it."""

    def __init__(self, wired: Wired, after: After | None) -> None:
        self.wired = wired
        self.recorder = Recorder(wired.spec, after)
        self.state = State(self.recorder.spec)
        self.recorder.watch(self.state)
        self.advance = (advance if self.state.engine[0]["local_view"] else advance_bars).load()
        self.walk = Walk(self.recorder.decisions)

    def drain(self) -> None:
        self.walk.fills.extend(self.state.drain()["fills"])

    def fold(self, events: Events, high: int) -> None:
        """Fold events [0, high), whatever stands behind them; stops for good where a strategy raises."""
        low = 0
        while low < high and not self.walk.raised:
            code, low = self.advance(self.state.address, events.ctypes.data, low, high)
            self.drain()
            if code == FoldCode.STRATEGY_RAISED:
                self.walk.raised = self._fault()
            elif code not in (FoldCode.DONE, FoldCode.DRAIN):
                raise StoreError(f"the fold stopped at {iso(int(self.state.engine[0]['now']))}: {FoldCode(code).name}",
                                 hint="`tradectl backtest` tells why")  # fmt: skip

    def _fault(self) -> str:
        index = int(self.state.engine[0]["fault_strategy"]) - 1
        error = self.wired.hooks[index].last_error if 0 <= index < len(self.wired.hooks) else None
        if isinstance(error, KeyboardInterrupt):
            raise KeyboardInterrupt
        name = self.state.spec.strategies[index].name
        return f"{name} raised {type(error).__name__}: {error}" if error else f"{name} raised"

    def mark(self, ts: int) -> None:
        """Note how the run stands."""
        parts = {name: blake2b(getattr(self.state, name).data, digest_size=8).hexdigest() for name in State.STATE}
        self.walk.marks[ts] = Mark(
            ts, int(self.state.engine[0]["n_events"]), len(self.walk.decisions), parts,
            self.state.blob.tobytes(), self.walk.raised,
        )  # fmt: skip


def walk(
    wired: Wired,
    cuts: Sequence[int] = (),
    tail: int | None = None,
    told: Callable[[int], None] | None = None,
    after: After | None = None,
) -> Walk:
    """Fold a run, marking each cut (sorted times, ns); with cuts it ends at the last of them, else with STOP.

    `tail`: what the fold finds behind each cut: None: the next events, 0: nothing, else noise from that seed. What a
    strategy raises ends the walk and stands in `raised`. `told` hears the number of events of each chunk.
    """
    fold, left = _Fold(wired, after), list(cuts)
    for events in _begun(wired, fold.walk):
        at, stamps = 0, events["ts_recv"]
        while left and len(events) and left[0] < stamps[-1]:
            cut = int(np.searchsorted(stamps, left[0], "right"))
            piece = events[at:cut]
            if tail is not None:
                piece = _with_tail(piece, scrambled(events[cut:], tail + cut) if tail else empty_events(0))
            fold.fold(piece, cut - at)
            fold.mark(left.pop(0))
            at = cut
        if cuts and not left:
            break
        fold.fold(events[at:], len(events) - at)
        if told is not None:
            told(len(events))
        if fold.walk.raised:
            break
    for ts in left:
        fold.mark(ts)
    if not cuts and fold.walk.last_ts and not wired.data.whole:
        fold.fold(command_event(Command.STOP, fold.walk.last_ts), 1)
    fold.walk.n_events = int(fold.state.engine[0]["n_events"])
    return fold.walk


def _begun(wired: Wired, seen: Walk) -> Iterator[Events]:
    """Yield the run's events, START before them; note the times of the first and the last."""
    for events in wired.chunks(wired.config.engine.chunk):
        if not len(events):
            continue
        if not seen.first_ts:
            seen.first_ts = int(events["ts_recv"][0])
            if not wired.data.whole:
                yield command_event(Command.START, seen.first_ts)
        seen.last_ts = int(events["ts_recv"][-1])
        yield events


def _with_tail(piece: Events, tail: Events) -> Events:
    made = empty_events(len(piece) + len(tail))
    made[: len(piece)] = piece
    made[len(piece) :] = tail
    return made
