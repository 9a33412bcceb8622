"""`check warmup`: a run against the same run begun later and later: after how many bars do they decide the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from tradectl.cli.runner import Progress
from tradectl.cli.runner_check_decisions import Decision
from tradectl.cli.runner_check_walk import Walk, walk
from tradectl.cli.runner_check_world import Asked
from tradectl.config.load import Loaded
from tradectl.config.wire import Wired, wire
from tradectl.core.codes import Hook
from tradectl.core.records import struct_of
from tradectl.engine.host_fault import iso
from tradectl.errors import ConfigError, DataError, StrategyError
from tradectl.strategy.indicators import Indicator, ready
from tradectl.strategy.warmup import strategy_warmup

__all__ = ["check_warmup"]

BARS = (Hook.ON_BAR, Hook.ON_BATCH)
SHARE = 0.5  # of the run in which it may begin later
LEAST = 4  # bars that a run needs to be begun later
Told = dict[str, Any]
Stamps = npt.NDArray[np.int64]


@dataclass(repr=False)
class _Heard:
    """What the hooks of one run tell: times of bars and of all calls, and when each state's indicators were ready.

    `ready` counts the bars of each state (by its address), up to the one with which all its indicators were ready.
    """

    wired: Wired
    bars: dict[int, None] = field(default_factory=dict)
    calls: dict[int, None] = field(default_factory=dict)
    counts: dict[int, int] = field(default_factory=dict)
    ready: dict[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Find the indicators of each strategy's state."""
        self.indicators = [
            [name for name, one in loaded.spec.state.items() if isinstance(one, Indicator)]
            for loaded in self.wired.loaded
        ]
        self.structs = [struct_of(loaded.state_dtype) for loaded in self.wired.loaded]

    def __call__(self, strategy: int, hook: Hook, now: int, state: int) -> None:
        self.calls[now] = None
        if hook not in BARS:
            return
        self.bars[now] = None
        if not self.indicators[strategy] or state in self.ready:
            return
        self.counts[state] = self.counts.get(state, 0) + 1
        record = self.structs[strategy].from_address(state)
        if all(ready(getattr(record, name)) for name in self.indicators[strategy]):
            self.ready[state] = self.counts[state]

    def times(self) -> Stamps:
        """Return the times that count as bars, sorted: those of bar hooks, without any those of all hooks."""
        return np.array(sorted(self.bars or self.calls), np.int64)

    def ready_bar(self) -> int | None:
        """Return the bar with which all indicators of all states were ready; None: there are none, or never."""
        return max(self.ready.values()) if self.ready and len(self.ready) == len(self.counts) else None


def check_warmup(asked: Asked, starts: int, most: int | None, progress: Progress) -> Told:
    """Return for each start from which bar on decisions and positions agree, and the warm-up that follows."""
    loaded = asked.load()
    if any(block.kind == "journal" for block in loaded.config.data):
        raise ConfigError(f"{loaded.path}: a journal is replayed whole; a check of warm-up needs history")
    base, heard = _run(loaded, progress, "folding the whole run")
    times = heard.times()
    if len(times) < LEAST:
        raise DataError(f"the strategy is called on {len(times)} bars; later starts need at least {LEAST}")
    half = max(int(len(times) * SHARE), 1)
    offsets = sorted({max(1, round(half * k / starts)) for k in range(1, starts + 1)})
    rows = []
    for k, offset in enumerate(offsets):
        begin = int(times[offset - 1])
        later = asked.load({"data.from": iso(begin)})
        other, _ = _run(later, lambda *_: None, "")
        progress("folding from later starts", k + 1, len(offsets))
        rows.append(_compared(base, other, times, offset))
    return _told(asked, loaded, heard, base, rows, most)


def _run(loaded: Loaded, progress: Progress, stage: str) -> tuple[Walk, _Heard]:
    wired = wire(loaded)
    heard, done = _Heard(wired), 0

    def told(more: int) -> None:
        nonlocal done
        done += more
        progress(stage, done, wired.data.total_rows)

    made = walk(wired, told=told, after=heard)
    if made.raised:
        raise StrategyError(made.raised, hint="`tradectl backtest` names the line; mend it first")
    return made, heard


# --- comparing


def _compared(base: Walk, other: Walk, times: Stamps, offset: int) -> Told:
    """Compare a run with one begun `offset` bars later."""
    begin = int(times[offset - 1])
    was, now = (_by_time(one.decisions, begin) for one in (base, other))
    differing = sorted(ts for ts in was.keys() | now.keys() if _signals(was, ts) != _signals(now, ts))
    last = differing[-1] if differing else None
    agreeing = sum(1 for ts in was if last is None or ts > last)
    after = times[offset:]
    unequal = _positions(base, after) != _positions(other, after)
    return {
        "offset": offset,
        "start": iso(begin),
        "bars": len(after),
        "decisions": sum(len(each) for each in was.values()),
        "differing": len(differing),
        "agree_from_bar": 1 if last is None else int(np.searchsorted(after, last, "right")) + 1,
        "agreeing_after": agreeing,
        "agrees": agreeing > 0 or not differing,
        "last_difference": None if last is None else _difference(was, now, last),
        "positions_from_bar": int(np.flatnonzero(unequal)[-1]) + 2 if unequal.any() else 1,
        "positions_agree": not (len(unequal) and bool(unequal[-1])),
    }


def _declared(heard: _Heard) -> int | None:
    """Return how many bars the indicators say they need; None where there are none, or bars of several lengths."""
    needs = [strategy_warmup(loaded) for loaded in heard.wired.loaded]
    return max(needs) if any(needs) and len(heard.wired.config.bars) < 2 else None


def _by_time(decisions: Sequence[Decision], begin: int) -> dict[int, list[Decision]]:
    """Return what hooks decided on each moment after a start."""
    made: dict[int, list[Decision]] = {}
    for one in decisions:
        if one.ts > begin and one.hook not in ("on_start", "on_stop"):
            made.setdefault(one.ts, []).append(one)
    return made


def _signals(decisions: Mapping[int, list[Decision]], ts: int) -> list[str]:
    return sorted(str(one.signal()) for one in decisions.get(ts, ()))


def _difference(was: Mapping[int, list[Decision]], now: Mapping[int, list[Decision]], ts: int) -> Told:
    whole, later = (", ".join(one.text() for one in each.get(ts, ())) or "nothing" for each in (was, now))
    return {"ts": iso(ts), "whole_run": whole, "later_start": later}


def _positions(one: Walk, times: Stamps) -> npt.NDArray[Any]:
    """Return the signs of all positions at each time, as one text each."""
    held: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for fill in one.fills:
        key = int(fill["strategy"]), int(fill["instrument"])
        held.setdefault(key, []).append((int(fill["ts_event"]), int(np.sign(fill["position_lots"]))))
    made = np.full(len(times), "", dtype=object)
    for key in sorted(held):
        stamps = np.array([ts for ts, _ in held[key]], np.int64)
        signs = np.array([0, *(sign for _, sign in held[key])])
        at = signs[np.searchsorted(stamps, times, "right")]
        made += np.array([f"{key}{sign}" if sign else "" for sign in at], dtype=object)
    return made


# --- telling


def _told(asked: Asked, loaded: Loaded, heard: _Heard, base: Walk, rows: list[Told], most: int | None) -> Told:
    agrees = all(one["agrees"] for one in rows)
    longest = max(one["agree_from_bar"] for one in rows)
    is_ready = heard.ready_bar()
    # A warm-up of n bars: the first bar that counts is n + 1.
    needed = max(longest - 1, (is_ready or 1) - 1)
    feed = loaded.config.feed
    return {
        "config": str(asked.config),
        "passed": most is None or (agrees and needed <= most),
        "agrees": agrees,
        "positions_agree": all(one["positions_agree"] for one in rows),
        "unit": "bars" if heard.bars else "calls",
        "bars": len(heard.times()),
        "decisions": len(base.decisions),
        "ready_bar": is_ready,
        "declared_bars": _declared(heard),
        "longest": longest,
        "longest_positions": max(one["positions_from_bar"] for one in rows),
        "recommended": needed if agrees else None,
        "feed_warmup": None if feed is None else feed.warmup,
        "max": most,
        "starts": rows,
    }
