"""Mark-outs: where the mid of an instrument stands a while after each of its fills.

Fills wait in a pool that all instruments share, each instrument's in a list in the order in which they happened, with
one cursor a horizon. A horizon of a fill is settled before the first event of its instrument that is later: the mid
that stands then is the last one at or before it. A late fill is not settled before the fill ahead of it. While a
book is broken by a gap its mid is not known.
"""

from __future__ import annotations

from tradectl.core.jit import kernel, routine
from tradectl.core.layout import MARKOUT, NEVER, market_at, markout_at, venue_at
from tradectl.core.records import copy_words

__all__ = ["HORIZONS_NS", "await_markout", "flush_markouts", "known_mark", "settle_markouts"]

HORIZONS_NS = (1_000_000_000, 10_000_000_000, 60_000_000_000)
N_HORIZONS = len(HORIZONS_NS)
LAST = N_HORIZONS - 1
WORDS = MARKOUT.itemsize // 8


@routine
def known_mark(world, market):
    """Return a market's mark, twice the mid; 0 while its book is broken: what that shows is not the market."""
    if market.level != 0 and venue_at(world.venues, market.index).broken != 0:
        return 0
    return market.twice_mark


@routine
def take_place(world, engine):
    """Return a free place of the pool, from 1; 0: there is none."""
    place = engine.mark_free
    if place != 0:
        engine.mark_free = markout_at(world.markouts, place - 1).next
    elif engine.mark_fresh < world.markout_capacity:
        engine.mark_fresh += 1
        place = engine.mark_fresh
    return place


@kernel
def emit(world, address):
    """Append a MARKOUT row to the outputs; there is room for one a fill and for all that were pending before."""
    copy_words(world.markouts_out + world.n_markouts * WORDS * 8, address, WORDS)
    markout_at(world.markouts_out, world.n_markouts).next = 0
    world.n_markouts += 1


@routine
def await_markout(world, engine, fill):
    """Let a fill on tick data wait for its horizons; without a place in the pool it gets none and is counted."""
    venue = venue_at(world.venues, fill.instrument)
    place = take_place(world, engine)
    row = markout_at(world.markouts, place - 1) if place != 0 else markout_at(world.markouts_out, world.n_markouts)
    row.fill_id = fill.fill_id
    row.ts_event = fill.ts_event
    row.twice_mark = fill.twice_mark
    row.instrument = fill.instrument
    row.side = fill.side
    row.next = 0
    for h in range(N_HORIZONS):
        row.twice[h] = 0
    if place == 0:
        engine.n_unmarked += 1
        world.n_markouts += 1
        return
    if venue.mark_tail != 0:
        markout_at(world.markouts, venue.mark_tail - 1).next = place
    venue.mark_tail = place
    for h in range(N_HORIZONS):
        if venue.mark_heads[h] == 0:
            venue.mark_heads[h] = place
    venue.mark_due = min(venue.mark_due, fill.ts_event + HORIZONS_NS[0])


@routine
def release(world, engine, venue):
    """Hand out the oldest pending fill of an instrument and give its place back."""
    place = venue.mark_heads[LAST]
    row = markout_at(world.markouts, place - 1)
    emit(world, world.markouts + (place - 1) * WORDS * 8)
    venue.mark_heads[LAST] = row.next
    if row.next == 0:
        venue.mark_tail = 0
    row.next = engine.mark_free
    engine.mark_free = place


@routine
def settle_markouts(world, engine, market, venue, until):
    """Settle the horizons of an instrument's fills that lie before `until` (exchange time) at the present mid.

    A fill of which a horizon stays unknown is counted, once.
    """
    due, mark = NEVER, known_mark(world, market)
    for h in range(N_HORIZONS):
        while venue.mark_heads[h] != 0:  # at most as many steps as pending fills
            row = markout_at(world.markouts, venue.mark_heads[h] - 1)
            if row.ts_event + HORIZONS_NS[h] >= until:
                due = min(due, row.ts_event + HORIZONS_NS[h])
                break
            row.twice[h] = mark
            missing = 0
            for settled in range(h + 1):
                missing += row.twice[settled] == 0
            if mark == 0 and missing == 1:
                engine.n_unmarked += 1
            if h == LAST:
                release(world, engine, venue)
            else:
                venue.mark_heads[h] = row.next
    venue.mark_due = due


@routine
def flush_markouts(world, engine):
    """At the end of the data: settle what its last events tell; horizons behind them stay unknown."""
    for i in range(world.n_instruments if engine.local_view else 0):
        venue = venue_at(world.venues, i)
        if venue.mark_tail != 0:
            settle_markouts(world, engine, market_at(world.markets, i), venue, venue.ts_event + 1)
        while venue.mark_heads[LAST] != 0:  # at most as many steps as pending fills
            release(world, engine, venue)
        for h in range(N_HORIZONS):
            venue.mark_heads[h] = 0
        venue.mark_due = NEVER
