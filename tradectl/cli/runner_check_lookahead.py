"""`check lookahead`: a run against the same run in worlds that end, or are scrambled, at chosen times."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from tradectl.cli.runner import Progress
from tradectl.cli.runner_check_decisions import Decision
from tradectl.cli.runner_check_files import Watch
from tradectl.cli.runner_check_stamps import stamp_findings
from tradectl.cli.runner_check_walk import MEMORY, Mark, Walk, walk
from tradectl.cli.runner_check_world import Asked, Worlds
from tradectl.config.wire import Wired
from tradectl.engine.host_fault import iso
from tradectl.errors import ConfigError, DataError, StrategyError

__all__ = ["CUTS", "check_lookahead"]

CUTS = 12  # times at which the future is taken away
SEED = 20_240_229
VARIANTS = {"cut off": 0, "scrambled": SEED}
Told = dict[str, Any]


def check_lookahead(
    asked: Asked, cuts: int, all_decisions: bool, trusted: Sequence[Path], progress: Progress, prepare: str = ""
) -> Told:
    """Return the verdict (`passed`, `leak`, `not repeatable`, `unproven`), findings and notes as plain values.

    `trusted` files are read as they are; `prepare` is a command that makes side files anew (see `Worlds`).
    """
    if cuts < 1:
        raise ConfigError(f"--cuts: expected 1 or more; got {cuts}")
    with tempfile.TemporaryDirectory(prefix="tradectl-check-") as scratch:
        worlds = Worlds(asked, Path(scratch), tuple(one.resolve() for one in trusted), prepare)
        return _Check(worlds, progress).run(cuts, all_decisions)


@dataclass(repr=False)
class _Check:
    """One check under way; `base` is the run on all data, `marked` the same once more, stopped at each cut."""

    worlds: Worlds
    progress: Progress
    findings: list[Told] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    unproven: list[str] = field(default_factory=list)
    seen: dict[str, set[Path]] = field(default_factory=lambda: {"read": set(), "cut": set(), "written": set()})
    derived: dict[str, str] = field(default_factory=dict)  # what the last world made of less data
    compared: int = 0
    folds: int = 0

    def run(self, cuts: int, all_decisions: bool) -> Told:
        """Do all of it."""
        self.base = self._walk()
        if self.seen["read"] and self.worlds.jit:
            # What compiled code took from a file is frozen in the compiler's cache; plain code reads it each time.
            self.worlds.plain = True
            self.notes.append("the strategy reads files when it is loaded: it was run as plain Python (`jit: false`)")
            self.base = self._walk()
        if self.base.raised:
            raise StrategyError(self.base.raised, hint="`tradectl backtest` names the line; mend it first")
        if not self.base.n_events:
            raise DataError("the run has no events")
        times = self._times(cuts, all_decisions)
        self.marked = self._walk(times)
        self.times = times
        if self._repeats():
            self.worlds.read_tables()
            self.findings += stamp_findings(self.worlds)
            self._compare_worlds()
            self._judge_files()
        return self._told()

    def _times(self, cuts: int, all_decisions: bool) -> list[int]:
        """Return the cuts, ns: half of them at decisions, evenly chosen, half evenly spread; or at all decisions."""
        first, last = self.base.first_ts, self.base.last_ts
        decided = sorted({one.ts for one in self.base.decisions if first <= one.ts < last})
        wanted = len(decided) if all_decisions else (cuts + 1) // 2
        at = sorted({round(x) for x in np.linspace(0, len(decided) - 1, min(wanted, len(decided)))}) if decided else []
        spread = cuts if all_decisions else cuts - len(at)
        # A pinch off the even places: on the hour everything happens, between hours the rest.
        even = [first + int((last - first) * (k + 0.5) / spread) for k in range(spread)]
        return sorted({decided[k] for k in at} | set(even))

    def _walk(self, times: Sequence[int] = (), ts: int | None = None, seed: int = 0) -> Walk:
        """Wire and fold the run, in the world of a time if one is given; note which files were opened."""
        cutting = ts is not None
        with self.worlds.watch(ts, seed) as watch:
            wired = self.worlds.wire(ts, seed)
            if cutting:
                self._grid(wired, ts or 0)
            total, done = wired.data.total_rows, 0

            def told(more: int) -> None:
                nonlocal done
                done += more
                if not cutting:
                    self.progress("folding the run" if not self.folds else "folding it again", done, total)

            made = walk(wired, times, (seed or 0) if cutting else None, told)
        self._note(watch)
        self.folds += 1
        return made

    def _note(self, watch: Watch) -> None:
        for name, paths in self.seen.items():
            paths |= getattr(watch, name)

    def _grid(self, wired: Wired, ts: int) -> None:
        """Note what the tool itself derives from data that was not known."""
        self.derived = self.worlds.same_grid(wired)
        for what, how in self.derived.items():
            note = f"{what}: {how} at {iso(ts)}; set it under `instruments` to make it certain"
            if not any(one.startswith(f"{what}:") for one in self.notes):
                self.notes.append(note)

    # --- comparing

    def _repeats(self) -> bool:
        """Return whether two runs on the same data decide the same; if not, add the finding."""
        n = max((mark.n_decisions for mark in self.marked.marks.values()), default=0)
        found = _differing(self.base.decisions[:n], self.marked.decisions[:n])
        if found is None and not self.marked.raised:
            return True
        told: Told = {"kind": "not repeatable", "variant": "run again", "cut": None, "derived": {}}
        self.findings.append(told | _pair(*(found or (None, None)), raised=self.marked.raised))
        return False

    def _compare_worlds(self) -> None:
        """Compare the run with itself in every world."""
        as_files = bool(self.worlds.tables)
        for variant, seed in VARIANTS.items():
            if not as_files and self.worlds.jit:
                # Compiled code sees nothing but the state and the events: one fold stops at every cut.
                self._compare_walk(variant, self.times, self._stream(seed))
                continue
            for k, ts in enumerate(self.times):
                self.progress(f"folding with the future {variant}", k, len(self.times))
                try:
                    found = self._walk([ts], ts, seed + k if seed else 0)
                except StrategyError as error:
                    self._add(variant, ts, "raised", None, None, raised=error.message.splitlines()[0])
                    continue
                except DataError as error:
                    self.unproven.append(f"{variant} at {iso(ts)}: the data cannot be read: {error.message}")
                    continue
                self._compare_walk(variant, [ts], found)

    def _stream(self, seed: int) -> Walk:
        """Fold the events once, with each cut's future taken away or scrambled."""
        self.derived = {}
        for one in self.worlds.inferred():
            self.notes.append(f"{one}: its tick size is that of all data; `instruments` can make it certain")
        return self._walk(self.times, self.times[0], seed)

    def _compare_walk(self, variant: str, times: Sequence[int], other: Walk) -> None:
        for ts in times:
            mark, its = self.marked.marks[ts], other.marks[ts]
            self.compared += 1
            pair = _differing(self.base.decisions[: mark.n_decisions], other.decisions[: its.n_decisions])
            if pair is not None or its.raised:
                kind = "raised" if its.raised else "decision"
                self._add(variant, ts, kind, *(pair or (None, None)), raised=its.raised)
            elif not self.derived:
                self._compare_state(variant, mark, its)

    def _compare_state(self, variant: str, mark: Mark, its: Mark) -> None:
        """Compare the state where both runs count in the same units."""
        parts = [name for name in mark.parts if mark.parts[name] != its.parts[name]]
        if not parts:
            return
        if set(parts) == set(MEMORY):
            self._add(variant, mark.ts, "memory", None, None, fields=list(self._fields(mark, its)))
        else:
            self._add(variant, mark.ts, "state", None, None, fields=parts)

    def _fields(self, mark: Mark, its: Mark) -> Iterator[str]:
        """Yield the fields of strategies' memories that differ."""
        assert self.worlds.whole is not None
        for spec, one, place in zip(
            self.worlds.whole.spec.strategies, self.worlds.whole.loaded, _offsets(self.worlds.whole), strict=True
        ):
            params, state, end = place
            if mark.memory[params:state] != its.memory[params:state]:
                yield f"{spec.name}: parameters"
            size = one.state_dtype.itemsize
            n = (end - state) // size
            was, now = (np.frombuffer(m.memory, one.state_dtype, n, state) for m in (mark, its))
            for name in one.state_dtype.names or ():
                if was[name].tobytes() != now[name].tobytes():
                    yield f"{spec.name}: s.{name}"

    def _add(self, variant: str, ts: int, kind: str, was: Decision | None, now: Decision | None, **more: Any) -> None:
        told = {"kind": kind, "variant": variant, "cut": iso(ts), "cut_ns": ts, "derived": dict(self.derived)}
        self.findings.append(told | _pair(was, now, **more))

    # --- files and the verdict

    def _judge_files(self) -> None:
        """Say which files leave the check without proof."""
        data, trusted = self.worlds.data_paths(), set(self.worlds.trusted)
        made = self.seen["written"]
        for path in sorted(self.seen["read"] - self.seen["cut"] - trusted - made):
            self.unproven.append(f"the strategy reads {path}, which cannot be cut: no table with a column of times")
        for path in sorted(self.seen["cut"] - data - trusted - self.worlds.made):
            self.unproven.append(
                f"the strategy reads {path}, made before the run: it was cut by its stamps, and what its rows knew "
                "when they were made cannot be seen"
            )
        for path in sorted(made):
            self.notes.append(f"the strategy writes {path}: here to a temporary place, and each run made it anew")
            if path.exists() and path not in trusted:
                self.unproven.append(f"{path} was left by an earlier run: delete it, and check again")

    def _told(self) -> Told:
        kinds = {one["kind"] for one in self.findings}
        first = min(self.findings, key=lambda one: (one.get("ts_ns") or one.get("cut_ns") or 0), default=None)
        if first is not None:
            first = first | {"data": self.worlds.around(first.get("ts_ns") or first["cut_ns"])}
        if not self.base.decisions:
            self.notes.append("the strategy decided nothing here: check it on data on which it trades")
        verdict = "passed"
        if self.unproven:
            verdict = "unproven"
        if kinds:
            verdict = "not repeatable" if kinds == {"not repeatable"} else "leak"
        if verdict == "unproven":
            self.notes.append("--trust FILE vouches for a file; --prepare COMMAND makes it anew from cut data")
        return {
            "verdict": verdict,
            "passed": verdict == "passed",
            "config": str(self.worlds.asked.config),
            "decisions": len(self.base.decisions),
            "events": self.base.n_events,
            "from": iso(self.base.first_ts),
            "to": iso(self.base.last_ts),
            "cuts": [iso(ts) for ts in self.times],
            "comparisons": self.compared,
            "differing": len([one for one in self.findings if one["cut"]]),
            "method": "files" if self.worlds.tables else "events",
            "first": first,
            "findings": self.findings,
            "unproven": list(dict.fromkeys(self.unproven)),
            "notes": list(dict.fromkeys(self.notes)),
        }


def _offsets(wired: Wired) -> list[tuple[int, int, int]]:
    """Return (params, state, end) of each strategy in the bytes of all memories."""
    from tradectl.engine.state import State

    offsets = State(wired.spec).offsets
    n = len(wired.spec.instruments)
    return [
        (params, state, state + size * (1 if spec.portfolio else n))
        for (params, state, size), spec in zip(offsets, wired.spec.strategies, strict=True)
    ]


def _differing(was: Sequence[Decision], now: Sequence[Decision]) -> tuple[Decision | None, Decision | None] | None:
    """Return the first pair of decisions that is not the same, None for one that is missing."""
    for one, other in zip(was, now, strict=False):
        if not one.same(other):
            return one, other
    if len(was) == len(now):
        return None
    k = min(len(was), len(now))
    return (was[k] if len(was) > k else None), (now[k] if len(now) > k else None)


def _pair(was: Decision | None, now: Decision | None, **more: Any) -> Told:
    """Return two decisions as plain values, with the time of the earlier one."""
    known = [one for one in (was, now) if one is not None]
    ts = min((one.ts for one in known), default=None)
    return {
        "ts": None if ts is None else iso(ts),
        "ts_ns": ts,
        "with_future": None if was is None else was.to_dict(),
        "without": None if now is None else now.to_dict(),
        **more,
    }
