"""Sessions of a market in the fold: which one a time belongs to, whether it is open, where its bars end.

A calendar is a table of sittings (SITTING), made before the run; 24/7 has none: its sessions are the UTC days.
A time at which a session closes is the first one that does not belong to it.
"""

from __future__ import annotations

from tradectl.core.codes import Reason
from tradectl.core.jit import kernel, routine
from tradectl.core.layout import calendar_at, sitting_at

__all__ = [
    "DAY_NS",
    "DROP",
    "KEEP",
    "bar_end",
    "begin_of_bar",
    "clock_end",
    "is_closed",
    "is_open",
    "print_end",
    "session_of",
    "session_of_bar",
]  # fmt: skip

DAY_NS = 86_400 * 1_000_000_000
KEEP, DROP = 1, 2  # MARKET.hours: what lies outside the sessions is traded, or left out; 0: 24/7
MONDAY = 3  # 1970-01-01 was a Thursday: three days after the Monday that its week began with
CALENDAR_ENDS = int(Reason.CALENDAR_ENDS)


@routine
def find_sitting(world, market, ts):
    """Return the row of the first sitting that closes after `ts`; the calendar's first and last rows are its edges."""
    calendar = calendar_at(world.calendars, market.index)
    at = calendar.at
    while at > calendar.first and sitting_at(world.sittings, at - 1).close > ts:  # at most as many as rows
        at -= 1
    while at < calendar.last and sitting_at(world.sittings, at).close <= ts:  # likewise
        at += 1
    calendar.at = at  # a hint, no state: it makes the next look-up short
    return at


@kernel
def check_row(world, engine, market, row):
    """Stop the fold where its time lies beyond what the calendar knows."""
    calendar = calendar_at(world.calendars, market.index)
    if row == calendar.first or row == calendar.last:
        engine.fault_reason = CALENDAR_ENDS


@kernel
def session_of(world, market, ts):
    """Return (number, open, close) of the session that is on at `ts`, else of the next one; ns UTC."""
    if market.hours == 0:
        number = ts // DAY_NS
        return number, number * DAY_NS, (number + 1) * DAY_NS
    row = sitting_at(world.sittings, find_sitting(world, market, ts))
    return row.number, row.session_open, row.session_close


@kernel
def is_open(world, market, ts):
    """Return whether a market is open at `ts`: from an open until before its close."""
    return market.hours == 0 or sitting_at(world.sittings, find_sitting(world, market, ts)).open <= ts


@kernel
def is_closed(world, engine, market, ts):
    """Return whether what happens at `ts` is to be left out; a fault beyond the calendar's edges."""
    row = find_sitting(world, market, ts)
    check_row(world, engine, market, row)
    return ts < sitting_at(world.sittings, row).open


@routine
def sitting_of_bar(world, market, start, end):
    """Return the row of the sitting that the bar (start, end] is in; of one that lies over a close that sitting's."""
    row = find_sitting(world, market, end - 1)
    before = max(row - 1, calendar_at(world.calendars, market.index).first)
    if end <= sitting_at(world.sittings, row).open and sitting_at(world.sittings, before).close > start:
        return before
    return row


@kernel
def session_of_bar(world, market, start, end):
    """Return (number, open, close) of the session that the bar (start, end] is of, else of the next one; ns UTC."""
    if market.hours == 0:
        return session_of(world, market, end - 1)
    row = sitting_at(world.sittings, sitting_of_bar(world, market, start, end))
    return row.number, row.session_open, row.session_close


@routine
def begin_of_bar(world, engine, market, start, end):
    """Return when the bar (start, end] began, not before its session did; -1: it is outside and left out."""
    row = sitting_of_bar(world, market, start, end)
    check_row(world, engine, market, row)
    opens = sitting_at(world.sittings, row).open
    if end <= opens:
        return -1 if market.hours == DROP else start
    return max(start, opens)


@kernel
def clock_end(ts, tf_ns):
    """Return the end of the bar by the clock (UTC) that `ts` lies in."""
    return (ts // tf_ns + 1) * tf_ns


@routine
def sitting_end(world, market, row, tf_ns, ts):
    """Return the end of the derived bar of a length that `ts` lies in, which belongs to sitting `row`.

    Whole days: the close of their last session; weeks begin on Monday. Shorter: counted from the open, or by the
    clock, and cut at the close; before the open by the clock, cut at the open.
    """
    calendar = calendar_at(world.calendars, market.index)
    sitting = sitting_at(world.sittings, row)
    if tf_ns % DAY_NS == 0:
        days = tf_ns // DAY_NS
        group = (sitting.number + MONDAY) // days
        while row < calendar.last - 1 and (sitting_at(world.sittings, row + 1).number + MONDAY) // days == group:
            row += 1  # at most as many as a bar has sittings
        return sitting_at(world.sittings, row).session_close
    if ts < sitting.open:
        return min(clock_end(ts, tf_ns), sitting.open)
    if calendar.by_clock:
        return min(clock_end(ts, tf_ns), sitting.close)
    return min(sitting.open + clock_end(ts - sitting.open, tf_ns), sitting.close)


@kernel
def bar_end(world, market, tf_ns):
    """Return the end of the derived bar of a length that the current source bar of a market is part of."""
    if market.hours == 0:
        return clock_end(market.ts_event - 1, tf_ns)
    row = sitting_of_bar(world, market, market.start, market.ts_event)
    inside = min(market.ts_event, sitting_at(world.sittings, row).close) - 1
    return max(sitting_end(world, market, row, tf_ns, inside), market.ts_event)


@kernel
def print_end(world, market, tf_ns, ts):
    """Return the end of the derived bar of a length that what is received at `ts` is part of."""
    if market.hours == 0:
        return clock_end(ts, tf_ns)
    return sitting_end(world, market, find_sitting(world, market, ts), tf_ns, ts)
