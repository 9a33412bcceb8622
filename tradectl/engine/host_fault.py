"""Errors of a fold that stopped early, each with the time, the instrument and the way out."""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tradectl.core.codes import MESSAGES, EventKind, FoldCode, Hook, Reason
from tradectl.engine.ports import Events
from tradectl.engine.state import State
from tradectl.errors import ConfigError, DataError, StrategyError, TradectlError
from tradectl.strategy.compile import CompiledHooks, compile_hooks
from tradectl.strategy.loader import LoadedStrategy
from tradectl.strategy.modules import source_line

__all__ = ["bad_event", "capacity_error", "disabled_strategies", "iso", "raised_error"]


def iso(ts_ns: int) -> str:
    """Write ns UTC as ISO text, to the second where nothing finer is there."""
    seconds, rest = divmod(int(ts_ns), 1_000_000_000)
    text = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{text}.{rest:09d}Z" if rest else f"{text}Z"


def bad_event(state: State, event: Any) -> DataError:
    """Say which event the engine cannot apply, and why."""
    number, kind = int(state.engine[0]["n_events"]), int(event["kind"])
    name = EventKind(kind).name if kind in set(EventKind) else str(kind)
    where = f"event {number:,} at {iso(event['ts_recv'])}: {name} of instrument {int(event['instrument'])}"
    n = len(state.spec.instruments)
    if kind in (EventKind.BAR, EventKind.STATUS) and event["instrument"] >= n:
        return DataError(f"{where}: the run has {n} instruments")
    if kind == EventKind.BAR:
        return DataError(f"{where}: earlier than an event before it")
    return DataError(f"{where}: this engine runs on BAR, STATUS, COMMAND, TIMER and GAP events")


def capacity_error(reason: Reason, event: Any) -> TradectlError:
    """Say which store is full and which key of the configuration makes it larger."""
    message = f"at {iso(event['ts_recv'])}: {MESSAGES[reason]}"
    if reason == Reason.DETAILS_FULL:
        return DataError(message)
    return ConfigError(message)


def disabled_strategies(state: State, hooks: Sequence[CompiledHooks]) -> list[dict[str, Any]]:
    """Return where each strategy raised that `on_strategy_error: disable` switched off, as plain values.

    `event` counts the events applied, that one included; `error` is known of plain Python (`jit: false`) only.
    """
    made = []
    for k, row in enumerate(state.strategies[: len(state.spec.strategies)]):
        if row["n_errors"] == 0 or not state.spec.strategies[k].disable_on_error:
            continue
        error = hooks[k].last_error if k < len(hooks) else None
        made.append(
            {
                "strategy": state.spec.strategies[k].name,
                "hook": Hook(int(row["fault_hook"])).name.lower(),
                "instrument": state.spec.instruments[int(row["fault_instrument"])].id,
                "ts_event": iso(int(row["ts_fault"])),
                "event": int(row["fault_event"]),
                "error": None if error is None else f"{type(error).__name__}: {error}".rstrip(": "),
            }
        )
    return made


class Capture:
    """A strategy's hooks, wrapped to note what was raised, on which instrument and at what time."""

    def __init__(self, state: State, loaded: LoadedStrategy) -> None:
        self.state = state
        self.error: BaseException | None = None
        self.instrument = self.now = 0
        functions = {hook: self._wrapped(fn) for hook, fn in loaded.functions.items()}
        self.hooks = compile_hooks(replace(loaded, functions=functions), jit=False)

    def _wrapped(self, fn: Any) -> Any:
        def call(*args: Any) -> None:
            try:
                fn(*args)
            except BaseException as error:
                if self.error is None:
                    self.error = error
                    self.instrument = int(self.state.world.cursor_instrument)
                    self.now = int(self.state.engine[0]["now"])
                raise

        return call


def raised_error(
    state: State, snapshot: dict[str, bytes], events: Events, index: int, loaded: LoadedStrategy
) -> StrategyError:
    """Replay a chunk with one strategy in plain Python, up to the event in which it raised.

    `events` ends with that event; the state ends as it was, for a fold is a function of both.
    """
    capture = Capture(state, loaded)
    row = slice(index * len(Hook), (index + 1) * len(Hook))
    before, after = state.hooks.copy(), state.snapshot()
    for hook in Hook:
        state.hooks[row][hook] = capture.hooks.addresses.get(hook, 0)
    state.restore(snapshot)
    try:
        start = 0
        code, at = state.fold(events)
        while code == FoldCode.DRAIN and at > 0:
            start += at
            state.drain()
            code, at = state.fold(events[start:])
        state.drain()
    finally:
        state.hooks[:] = before
        state.restore(after)
    name = state.spec.strategies[index].name
    if capture.error is None:
        when = iso(int(state.engine[0]["now"]))
        hint = "run it with `jit: false` to look closer: integer overflow and bounds differ in plain Python"
        return StrategyError(f"{loaded.path}: {name} raised at {when} in compiled code", hint=hint)
    error = capture.error
    place, line = loaded.path, 1
    for frame in traceback.extract_tb(error.__traceback__):
        if Path(frame.filename) in loaded.sources:
            place, line = Path(frame.filename), frame.lineno or 1
    what = f"{type(error).__name__}: {error}".rstrip(": ")
    where = f"{name} on {state.spec.instruments[capture.instrument].id} at {iso(capture.now)}"
    made = StrategyError(f"{place}:{line}: {what}{source_line(place, line)}", hint=where)
    made.__cause__ = error
    return made
