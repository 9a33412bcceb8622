"""Tick data in the fold: trades, quotes, depth; what an event changes, whom it fills, which hooks it calls.

A message of the venue may be several events; orders are judged and hooks called at its last one, so that
nobody sees half of it.
"""

from __future__ import annotations

from tradectl.core.account import mark_market
from tradectl.core.calendars import DROP, is_closed
from tradectl.core.codes import BookLevel, EventFlag, EventKind, FoldCode, GapScope, Hook, TriggerSource
from tradectl.core.depth_view import shown_best, shown_qty
from tradectl.core.jit import kernel, routine
from tradectl.core.l3 import forget_all, is_astray
from tradectl.core.l3_own import strike_crossed
from tradectl.core.ladder import best, clear, set_level
from tradectl.core.ladder_layout import NO_ASK, NO_BID, ladder_at
from tradectl.core.ladder_notes import is_marked
from tradectl.core.layout import market_at, venue_at
from tradectl.core.markouts import settle_markouts
from tradectl.core.prints import match_print
from tradectl.core.resting import (
    TOUCH,
    fill_crossed,
    level_changed,
    quote_changed,
    refresh_fronts,
    trade_at_own,
)
from tradectl.engine.arrivals import apply_due, fire_stops, resume_book
from tradectl.engine.batch import check_drawdown, sample_equity
from tradectl.engine.dues import settle_now
from tradectl.engine.frames import add_print, close_frames
from tradectl.engine.hooks import call_hooks, call_tick_hooks
from tradectl.engine.l3_events import take_order
from tradectl.engine.local import run_local, run_reports

__all__ = ["is_tick", "take_tick"]

TRADE, QUOTE, DEPTH = int(EventKind.TRADE), int(EventKind.QUOTE), int(EventKind.DEPTH)
ORDER_ADD, ORDER_EXEC = int(EventKind.ORDER_ADD), int(EventKind.ORDER_EXEC)
GAP, CLEAR = int(EventKind.GAP), int(EventKind.CLEAR)
MESSAGE_END, HIDDEN = int(EventFlag.MESSAGE_END), int(EventFlag.HIDDEN)
SNAPSHOT_BEGIN, SNAPSHOT_END = int(EventFlag.SNAPSHOT_BEGIN), int(EventFlag.SNAPSHOT_END)
PRINTS, QUOTES, LADDER = int(BookLevel.PRINTS), int(BookLevel.QUOTES), int(BookLevel.DEPTH)
BY_ORDER = int(BookLevel.ORDERS)
ON_TRADE, ON_QUOTE, ON_DEPTH = int(Hook.ON_TRADE), int(Hook.ON_QUOTE), int(Hook.ON_DEPTH)
BY_LAST = int(TriggerSource.LAST)
LEVELS = 1  # VENUE.touched: what a message has changed so far; or TOUCH
TRADES_ALONE = int(GapScope.TRADES)
WHOLE = 2  # VENUE.broken: synchronised again; orders that waited for it go on at the message's end
BOOK_HOOKS = (1 << ON_QUOTE) | (1 << ON_DEPTH)
DONE, BAD_EVENT = int(FoldCode.DONE), int(FoldCode.BAD_EVENT)


@kernel
def is_tick(kind):
    """Return whether an event is of the kinds that this module alone applies: those of a book, and trades."""
    return TRADE <= kind <= ORDER_EXEC or kind == GAP or kind == CLEAR


@kernel
def put_level(world, market, venue, index, price_ticks, lots):
    """Set one level of the ladder; queues and own consumption at it follow, and whether the touch may differ."""
    ladder = world.books + venue.ladder
    state = ladder_at(ladder, 0)
    touch = state.best[index]
    before = set_level(ladder, index, price_ticks, lots)
    if price_ticks == touch or state.best[index] != touch:
        venue.touched = TOUCH
    if state.note_count != 0 and is_marked(ladder, index, price_ticks):
        level_changed(world, market, venue, index, price_ticks, before, lots)


@kernel
def take_depth(world, market, venue, event):
    """Apply one level of a depth message."""
    venue.touched = max(venue.touched, LEVELS)
    if event.flags & SNAPSHOT_BEGIN:
        clear(world.books + venue.ladder)
    put_level(world, market, venue, (1 - event.side) >> 1, event.w0, event.w1)
    if event.flags & SNAPSHOT_END:
        refresh_fronts(world, market, venue)
        if venue.broken != 0:
            venue.broken = WHOLE
        venue.touched = TOUCH
    venue.ts_depth = max(venue.ts_depth, event.ts_event)
    if event.ts_event < venue.ts_trade:
        venue.n_late += 1


@kernel
def put_touch(world, market, venue, index, price_ticks, lots):
    """Let an L1 side show one level."""
    ladder = world.books + venue.ladder
    before = best(ladder, index)
    if before != price_ticks and before != NO_BID and before != NO_ASK:
        put_level(world, market, venue, index, before, 0)
    if lots > 0 or before == price_ticks:
        put_level(world, market, venue, index, price_ticks, lots)
    if ladder_at(ladder, 0).note_count != 0:
        quote_changed(world, market, index, best(ladder, index), lots)


@kernel
def take_quote(world, market, venue, event):
    """Apply a quote: both sides of an L1 book; where there is depth too, the quote changes nothing."""
    if market.level == QUOTES:
        put_touch(world, market, venue, 0, event.w0, event.w1)
        put_touch(world, market, venue, 1, event.w2, event.w3)
        venue.touched = max(venue.touched, LEVELS)
        venue.ts_depth = max(venue.ts_depth, event.ts_event)
        if venue.broken != 0:
            venue.broken = WHOLE
            venue.touched = TOUCH


@kernel
def take_trade(world, engine, market, venue, event):
    """Apply a trade: own orders that it reaches, stops that it triggers, bars that it belongs to."""
    late = event.ts_event < venue.ts_depth
    if late:
        venue.n_late += 1
    venue.ts_trade = max(venue.ts_trade, event.ts_event)
    venue.trade_ticks = event.w0
    venue.trade_lots = event.w1
    venue.trade_id = event.w2
    venue.trade_side = event.side
    if market.n_orders > 0 and venue.broken == 0:
        market.start = event.ts_event
        if market.level == PRINTS:
            fire_stops(world, engine, market, venue, event.w0, event.w0)
            match_print(world, engine, market, event.w0, event.w1)
        else:
            reached = event.w0 <= venue.own_bid or event.w0 >= venue.own_ask
            if reached and market.level != BY_ORDER:
                moves_queue = not late and event.flags & HIDDEN == 0
                trade_at_own(world, engine, market, venue, event.w0, event.w1, event.side, moves_queue)
            if venue.trigger == BY_LAST and (event.w0 >= venue.stop_up or event.w0 <= venue.stop_down):
                fire_stops(world, engine, market, venue, event.w0, event.w0)
    if market.level == PRINTS:
        market.twice_mark = 2 * event.w0
        venue.twice_seen = market.twice_mark
        mark_market(world, engine, market, event.w0)
    if world.n_frames > 0:
        add_print(world, engine, event.instrument, event.ts_recv, event.w0, event.w1)


@kernel
def print_execution(world, engine, market, venue, event):
    """Let the execution of a recorded order be the last trade: order by order each is told by its execution alone."""
    venue.ts_trade = max(venue.ts_trade, event.ts_event)
    venue.trade_ticks = event.w0
    venue.trade_lots = event.w1
    venue.trade_id = event.w2
    venue.trade_side = -event.side
    if market.n_orders > 0 and venue.broken == 0 and venue.trigger == BY_LAST:
        if event.w0 >= venue.stop_up or event.w0 <= venue.stop_down:
            fire_stops(world, engine, market, venue, event.w0, event.w0)
    if world.n_frames > 0:
        add_print(world, engine, event.instrument, event.ts_recv, event.w0, event.w1)
    if engine.tick_hooks & (1 << ON_TRADE):
        call_tick_hooks(world, engine, event.instrument, ON_TRADE)


@routine
def judge_book(world, engine, market, venue, bid, ask):
    """At a message's end: fill own orders that the other side reached, fire stops by the touch."""
    if venue.broken == WHOLE:
        venue.broken = 0
        resume_book(world, engine, market, venue)
    if venue.broken == 0 and bid < ask:
        if venue.own_bid >= ask or venue.own_ask <= bid:
            if market.level == BY_ORDER:
                strike_crossed(world, engine, market, venue)
                venue.touched = TOUCH
            else:
                fill_crossed(world, engine, market, venue)
        if venue.trigger != BY_LAST and (ask >= venue.stop_up or bid <= venue.stop_down):
            if bid != NO_BID and ask != NO_ASK:
                fire_stops(world, engine, market, venue, ask, bid)


@kernel
def end_touch(world, engine, market, venue, event):
    """At the end of a message that may have changed the touch: marks, own orders; return whether it did."""
    books = world.books
    bid, ask = shown_best(books, market, venue, 0), shown_best(books, market, venue, 1)
    bid_lots, ask_lots = shown_qty(books, market, venue, 0, bid), shown_qty(books, market, venue, 1, ask)
    if market.level == BY_ORDER:
        venue.strayed = 1 if is_astray(books + venue.ladder) else 0
    moved = bid != venue.bid or ask != venue.ask
    changed = moved or bid_lots != venue.bid_lots or ask_lots != venue.ask_lots
    if bid >= ask:
        venue.n_crossed += 1
    elif moved and bid != NO_BID and ask != NO_ASK:
        market.twice_mark = bid + ask
        mark_market(world, engine, market, (bid + ask) >> 1)
        if world.n_frames > 0 and market.mid_bars != 0:
            add_print(world, engine, event.instrument, event.ts_recv, (bid + ask) >> 1, -1)
    if market.n_orders > 0 or venue.broken == WHOLE:
        market.start = event.ts_event
        if venue.broken == WHOLE:
            venue.twice_seen = market.twice_mark  # what was seen before the gap is no measure
        judge_book(world, engine, market, venue, bid, ask)
    venue.bid = bid  # a fill in between tells the touch before it
    venue.ask = ask
    venue.bid_lots = bid_lots
    venue.ask_lots = ask_lots
    venue.twice_seen = market.twice_mark
    return changed


@routine
def break_book(world, engine, market, venue, event):
    """Break the book at a gap: nothing fills until it is whole again; or clear it. Missing trades are only counted."""
    if event.kind == GAP:
        venue.n_gaps += 1
        if event.aux == TRADES_ALONE:
            return
        venue.broken = 1 if market.level != PRINTS else 0  # prints alone have no book that could be stale
    elif market.level == BY_ORDER:
        forget_all(world.books + venue.ladder)
        venue.broken = WHOLE if venue.broken != 0 else 0  # an empty book is whole: what follows is all there is
        venue.touched = TOUCH
    elif market.level != PRINTS:
        clear(world.books + venue.ladder)
        refresh_fronts(world, market, venue)
        venue.touched = TOUCH


@kernel
def end_message(world, engine, market, venue, event):
    """Call the hooks of a finished message, then what is due at its time."""
    hooks = engine.tick_hooks
    touched = venue.touched
    if touched != 0:
        venue.n_messages += 1
        venue.touched = 0  # what own orders take from now on is seen at the next message's end
        due = hooks & (1 << ON_DEPTH)
        if touched == TOUCH and end_touch(world, engine, market, venue, event):
            due = hooks & BOOK_HOOKS
        for hook in range(ON_DEPTH, ON_QUOTE - 1, -1):  # in one place, for it is inlined
            if due & (1 << hook):
                call_hooks(world, engine, event.instrument, hook)
        venue.n_strayed += venue.strayed
    if engine.next_frame_end <= event.ts_recv:  # a bar by count, volume or notional is full
        close_frames(world, engine, event.ts_recv)
    if engine.equity_atoms != engine.checked_atoms:
        engine.checked_atoms = engine.equity_atoms
        check_drawdown(world, engine)
    if engine.next_local <= event.ts_recv + 1:
        run_reports(world, engine, event.ts_recv)
    if event.ts_recv >= engine.next_sample:
        engine.next_sample = event.ts_recv + 1
        if engine.sample_ns > 0:
            engine.next_sample = (event.ts_recv // engine.sample_ns + 1) * engine.sample_ns
        sample_equity(world, engine, event.ts_recv)


@kernel
def take_tick(world, engine, event):
    """Apply one event of tick data, or of funding; return DONE, or BAD_EVENT for an instrument without tick data."""
    if event.instrument >= world.n_instruments:
        return BAD_EVENT
    market = market_at(world.markets, event.instrument)
    kind = event.kind
    if market.level == 0 or event.ts_recv < engine.now:
        return DONE if kind == GAP and market.level == 0 else BAD_EVENT  # bars have no book that could break
    venue = venue_at(world.venues, event.instrument)
    if engine.next_local <= event.ts_recv:
        run_local(world, engine, event.ts_recv)
    engine.now = event.ts_recv
    venue.ts_event = event.ts_event
    if venue.next_arrival < event.ts_event:
        apply_due(world, engine, market, venue, event.ts_event)
    if venue.mark_due < event.ts_event:  # fills that have just happened may be due too
        settle_markouts(world, engine, market, venue, event.ts_event)
    told = kind == TRADE or kind == QUOTE
    if told and market.hours == DROP and is_closed(world, engine, market, event.ts_event):
        engine.n_outside += 1
    elif kind == DEPTH:
        if market.level != LADDER:
            return BAD_EVENT
        take_depth(world, market, venue, event)
    elif ORDER_ADD <= kind <= ORDER_EXEC:
        if market.level != BY_ORDER:
            return BAD_EVENT
        take_order(world, engine, market, venue, event)
        if kind == ORDER_EXEC and event.w1 > 0:
            print_execution(world, engine, market, venue, event)
    elif kind == TRADE:
        take_trade(world, engine, market, venue, event)
        if engine.tick_hooks & (1 << ON_TRADE):
            call_tick_hooks(world, engine, event.instrument, ON_TRADE)
    elif kind == QUOTE:
        take_quote(world, market, venue, event)
    elif kind == GAP or kind == CLEAR:
        break_book(world, engine, market, venue, event)
    else:
        settle_now(world, engine, market, event)
    if event.flags & MESSAGE_END:
        end_message(world, engine, market, venue, event)
    return DONE
