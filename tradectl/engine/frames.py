"""Derived bars: aggregated in the fold, closed when time reaches their end, never by a later bar's content."""

from __future__ import annotations

from tradectl.core.account import mark_market
from tradectl.core.calendars import bar_end, print_end
from tradectl.core.codes import BarBy, FoldCode
from tradectl.core.jit import kernel, routine
from tradectl.core.layout import NEVER, frame_at, market_at, venue_at
from tradectl.engine.hooks import call_bar_hooks, call_batch_hooks

__all__ = ["add_print", "add_to_frames", "call_warm_batch", "close_frames", "take_warm_frame"]

TIME, VOLUME, NOTIONAL = int(BarBy.TIME), int(BarBy.VOLUME), int(BarBy.NOTIONAL)
DONE, BAD_EVENT = int(FoldCode.DONE), int(FoldCode.BAD_EVENT)


@routine
def add_to_frames(world, engine, market, instrument):
    """Add a source bar to the derived bars of its instrument; `core.calendars` says where these end.

    A derived bar of its own length is itself.
    """
    for k in range(world.n_frames):
        frame = frame_at(world.frames, instrument * world.n_frames + k)
        if frame.by != TIME or frame.tf_ns % market.tf_ns != 0:  # those are made of trades and quotes alone
            continue
        if frame.end == 0:
            frame.end = market.ts_event if frame.tf_ns == market.tf_ns else bar_end(world, market, frame.tf_ns)
            frame.open = market.open
            frame.high = market.high
            frame.low = market.low
            frame.volume = market.volume
            frame.count = 1
            engine.next_frame_end = min(engine.next_frame_end, frame.end)
        else:
            frame.high = max(frame.high, market.high)
            frame.low = min(frame.low, market.low)
            if market.volume >= 0:
                frame.volume += market.volume
            frame.count += 1
            if frame.end < market.ts_event:  # it lies over the session's close
                frame.end = market.ts_event
        frame.close = market.close


@kernel
def begin_frame(world, market, frame, ts, price_ticks):
    """Begin a derived bar with a price seen at local time `ts`; one that is not of time ends when it is full."""
    frame.end = NEVER if frame.by != TIME else print_end(world, market, frame.tf_ns, ts)
    frame.open = price_ticks
    frame.high = price_ticks
    frame.low = price_ticks
    frame.volume = -1
    frame.count = 0
    frame.amount = 0


@kernel
def add_lots(frame, price_ticks, lots):
    """Add a quantity (-1: unknown) to a derived bar, and to what it is measured by."""
    if lots >= 0:
        frame.volume = max(frame.volume, 0) + lots
    if frame.by == VOLUME:
        frame.amount += lots
    elif frame.by == NOTIONAL:
        frame.amount += price_ticks * lots
    else:
        frame.amount += 1


@routine
def add_print(world, engine, instrument, ts, price_ticks, lots):
    """Add a trade, or with -1 lots a new mid, received at `ts` to the derived bars of its instrument.

    A bar of time holds what was received before its end; any other ends with what filled it.
    """
    for k in range(world.n_frames):
        frame = frame_at(world.frames, instrument * world.n_frames + k)
        if frame.end == 0:
            begin_frame(world, market_at(world.markets, instrument), frame, ts, price_ticks)
        frame.high = max(frame.high, price_ticks)
        frame.low = min(frame.low, price_ticks)
        frame.close = price_ticks
        frame.count += 1
        add_lots(frame, price_ticks, lots)
        if frame.by != TIME and frame.amount >= frame.size:
            frame.end = ts
        engine.next_frame_end = min(engine.next_frame_end, frame.end)
        engine.next_local = min(engine.next_local, frame.end)


@kernel
def first_end(world):
    """Return the earliest end of any bar in the making."""
    earliest = NEVER
    for j in range(world.n_instruments * world.n_frames):
        end = frame_at(world.frames, j).end
        if end != 0:
            earliest = min(earliest, end)
    return earliest


@routine
def count_ended(world, k, end):
    """Return how many instruments have a derived bar of time of place `k` that has just ended at `end`."""
    ended = 0
    for i in range(world.n_instruments):
        frame = frame_at(world.frames, i * world.n_frames + k)
        ended += 1 if frame.by == TIME and frame.end == 0 and frame.ts_event == end else 0
    return ended


@kernel
def ends_together(world, engine, k, end):
    """Return whether bars of place `k` end at `end`: one has ended, or without hours the clock says so."""
    frame = frame_at(world.frames, k)
    if engine.has_hours == 0 and frame.by == TIME and end % frame.tf_ns == 0:
        return True
    return count_ended(world, k, end) > 0


@routine
def close_frames(world, engine, until):
    """Close all derived bars that end by `until`: by end, then timeframe (finest first), then instrument."""
    while engine.next_frame_end <= until:  # each step closes at least one bar
        end = engine.next_frame_end
        engine.now = end
        for k in range(world.n_frames):
            for i in range(world.n_instruments):
                frame = frame_at(world.frames, i * world.n_frames + k)
                if frame.end == end:
                    frame.ts_event = end
                    frame.end = 0
                    call_bar_hooks(world, engine, i, k)
        for k in range(world.n_frames if world.n_portfolio > 0 else 0):
            if ends_together(world, engine, k, end):
                call_batch_hooks(world, engine, k)
        engine.next_frame_end = first_end(world)


@kernel
def put_frame(engine, frame, event):
    """Let a derived bar have ended, or end with the bars of this time, with what a BAR event tells."""
    frame.ts_event = event.ts_event
    frame.open = event.w0
    frame.high = event.w1
    frame.low = event.w2
    frame.close = event.w3
    frame.volume = event.w4
    frame.end = event.ts_event if engine.batch_open else 0


@routine
def take_warm_frame(world, engine, market, event):
    """Take a derived bar of the history of an instrument with tick data, and call its hooks.

    Its close is the market's price until the instrument's first tick. Return DONE, or BAD_EVENT for a frame that is not
    of time.
    """
    frame = frame_at(world.frames, event.instrument * world.n_frames + event.aux)
    if event.aux >= world.n_frames or frame.by != TIME:
        return BAD_EVENT
    put_frame(engine, frame, event)
    venue = venue_at(world.venues, event.instrument)
    if venue.ts_event == 0 or market.has_price == 0:
        market.twice_mark = 2 * event.w3
        venue.twice_seen = market.twice_mark
        mark_market(world, engine, market, event.w3)
    engine.next_frame_end = first_end(world)
    if frame.end == 0:
        call_bar_hooks(world, engine, event.instrument, event.aux)
    return DONE


@routine
def call_warm_batch(world, engine, ts):
    """After the last bar of warm-up of an end: call portfolio strategies for each timeframe that has one there."""
    for k in range(world.n_frames if world.n_portfolio > 0 else 0):
        if count_ended(world, k, ts) > 0:
            call_batch_hooks(world, engine, k)
