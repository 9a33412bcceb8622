"""What happens here, at local time: reports that arrive, timers that fire, derived bars that end."""

from __future__ import annotations

from tradectl.core.codes import Hook
from tradectl.core.jit import kernel, routine
from tradectl.core.layout import NEVER, report_at, timer_at
from tradectl.engine.frames import close_frames
from tradectl.engine.hooks import SOURCE, call_one, deliver_reports

__all__ = ["run_local", "run_reports"]

ON_TIMER = int(Hook.ON_TIMER)


@kernel
def report_due(world, engine):
    """Return when the next report arrives (NEVER: none is on its way)."""
    if engine.report_head == engine.report_tail:
        return NEVER
    return report_at(world.reports, engine.report_head & world.report_mask).ts_deliver


@routine
def fire_timers(world, engine, ts):
    """Call `on_timer` of every state record whose time has come, by strategy, then instrument."""
    engine.now = max(engine.now, ts)
    earliest = NEVER
    for s in range(world.n_strategies):
        for i in range(world.n_instruments):
            timer = timer_at(world.timers, s * world.n_instruments + i)
            if timer.at <= ts:
                timer.at = NEVER
                call_one(world, engine, s, i, ON_TIMER, SOURCE)
    for k in range(world.n_strategies * world.n_instruments):
        earliest = min(earliest, timer_at(world.timers, k).at)
    engine.next_timer = earliest


@kernel
def note_next(world, engine):
    """Set the time at which something is due next: bars at their end, reports and timers 1 ns after their time."""
    due = min(report_due(world, engine), engine.next_timer) + 1
    engine.next_local = min(due, engine.next_frame_end)


@routine
def run_reports(world, engine, ts):
    """After the events of a time: deliver the reports due by it, then fire the timers."""
    while True:  # each step uses up a report or a timer
        due = report_due(world, engine)
        if due > ts and engine.next_timer > ts:
            break
        if due <= engine.next_timer:
            deliver_reports(world, engine, due)
        else:
            fire_timers(world, engine, engine.next_timer)
    note_next(world, engine)


@routine
def run_local(world, engine, ts):
    """Before an event at `ts`: in order of time, bars that end by it, reports and timers strictly before it."""
    while True:  # each step closes a bar or uses up a report or a timer
        due = report_due(world, engine)
        first = min(due, engine.next_timer)
        if engine.next_frame_end <= min(first, ts):
            close_frames(world, engine, engine.next_frame_end)
        elif first >= ts:
            break
        elif due <= engine.next_timer:
            engine.now = max(engine.now, due)
            deliver_reports(world, engine, due)
        else:
            fire_timers(world, engine, engine.next_timer)
    note_next(world, engine)
