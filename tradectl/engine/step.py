"""`step`: what one event does to the state. Every mode folds this and nothing else."""

from __future__ import annotations

from tradectl.core.account import mark_market, refresh_equity
from tradectl.core.bars import fill_budget
from tradectl.core.calendars import begin_of_bar
from tradectl.core.codes import (
    Command,
    EventFlag,
    EventKind,
    FillPhase,
    FoldCode,
    Hook,
    LiquiditySide,
    MarketStatus,
    OrderFlag,
    Reason,
    TradingState,
)  # fmt: skip
from tradectl.core.execute import book_fill
from tradectl.core.jit import kernel, routine
from tradectl.core.layout import currency_at, detail_at, market_at, order_at, position_at, venue_at
from tradectl.core.markouts import flush_markouts
from tradectl.engine.arrivals import apply_due
from tradectl.engine.batch import check_drawdown, flatten, process_batch, sample_equity
from tradectl.engine.change import ANY, cancel_where
from tradectl.engine.dues import ALL, charge_rest, take_rate
from tradectl.engine.frames import call_warm_batch, take_warm_frame
from tradectl.engine.hooks import call_everywhere, deliver_reports
from tradectl.engine.local import run_local, run_reports
from tradectl.engine.ticks import is_tick, take_tick
from tradectl.risk.gate import is_warming

__all__ = ["step", "step_bars"]

BAR, STATUS, COMMAND = int(EventKind.BAR), int(EventKind.STATUS), int(EventKind.COMMAND)
TIMER, GAP = int(EventKind.TIMER), int(EventKind.GAP)
FUNDING, MARK = int(EventKind.FUNDING), int(EventKind.MARK)
LAST, SYNTHETIC, DETAIL = int(EventFlag.LAST), int(EventFlag.SYNTHETIC), int(EventFlag.DETAIL)
WARMUP = int(EventFlag.WARMUP)
DONE, BAD_EVENT = int(FoldCode.DONE), int(FoldCode.BAD_EVENT)
LISTED, DELISTED = int(MarketStatus.LISTED), int(MarketStatus.DELISTED)
ON_START, ON_STOP = int(Hook.ON_START), int(Hook.ON_STOP)
ACTIVE, REDUCING, HALTED = int(TradingState.ACTIVE), int(TradingState.REDUCING), int(TradingState.HALTED)
START, STOP, HALT = int(Command.START), int(Command.STOP), int(Command.HALT)
RESUME, REDUCE = int(Command.RESUME), int(Command.REDUCE)
CANCEL_ALL, FLATTEN = int(Command.CANCEL_ALL), int(Command.FLATTEN)
CANCELED_BY_COMMAND = int(Reason.CANCELED_BY_COMMAND)
INSTRUMENT_DELISTED = int(Reason.INSTRUMENT_DELISTED)
DETAILS_FULL = int(Reason.DETAILS_FULL)
REDUCE_ONLY = int(OrderFlag.REDUCE_ONLY)
DELISTING = int(FillPhase.DELISTING)
TAKER = int(LiquiditySide.TAKER)


@kernel
def begin_warmup(engine):
    """Note that this event is one of warm-up: what hooks ask for until it is over is refused."""
    engine.n_warmup += 1
    engine.warm_end = engine.n_events + 1


@kernel
def take_bar(world, engine, event):
    """Store a bar in its market, or leave it out; the batch is processed when its last event arrives."""
    market = market_at(world.markets, event.instrument)
    if event.flags & WARMUP:
        begin_warmup(engine)
    start = max(event.ts_event - market.tf_ns, market.ts_event)
    if market.hours != 0:
        start = begin_of_bar(world, engine, market, start, event.ts_event)
        if start < 0:
            engine.n_outside += 1
            return
    if engine.batch_open == 0:
        engine.batch += 1
        engine.batch_open = 1
        engine.batch_ts = event.ts_recv
        engine.batch_low = event.instrument
        engine.batch_high = event.instrument
        if engine.next_timer < event.ts_recv:
            run_reports(world, engine, event.ts_recv - 1)
        elif engine.report_head != engine.report_tail:
            deliver_reports(world, engine, event.ts_recv - 1)
    else:
        engine.batch_low = min(engine.batch_low, event.instrument)
        engine.batch_high = max(engine.batch_high, event.instrument)
    market.start = start
    market.batch = engine.batch
    market.ts_event = event.ts_event
    market.open = event.w0
    market.high = event.w1
    market.low = event.w2
    market.close = event.w3
    market.volume = event.w4
    market.synthetic = 1 if event.flags & SYNTHETIC else 0
    engine.n_bars += 1
    engine.n_synthetic += market.synthetic
    fill_budget(engine, market)


@routine
def take_detail(world, engine, event):
    """Keep a finer bar for the ambiguous bar that may contain it."""
    market = market_at(world.markets, event.instrument)
    if market.n_detail > 0:  # the coarse bar that the earlier ones lie in never came
        first = detail_at(world.details, event.instrument * world.detail_capacity).ts_event
        if (first - 1) // market.tf_ns != (event.ts_event - 1) // market.tf_ns:
            market.n_detail = 0
    if market.n_detail >= world.detail_capacity:
        engine.fault_reason = DETAILS_FULL
        return
    detail = detail_at(world.details, event.instrument * world.detail_capacity + market.n_detail)
    market.n_detail += 1
    detail.ts_event = event.ts_event
    detail.open = event.w0
    detail.high = event.w1
    detail.low = event.w2
    detail.close = event.w3
    detail.volume = event.w4


@routine
def delist(world, engine, market, instrument, price_ticks):
    """Cancel an instrument's orders and close what is held, at its last price or written off."""
    cancel_where(world, engine, ANY, instrument, INSTRUMENT_DELISTED)
    charge_rest(world, engine, instrument)
    currency = currency_at(world.currencies, market.currency)
    price = 0 if engine.write_off else (price_ticks if price_ticks > 0 else market.last)
    market.start = engine.now
    for s in range(world.n_strategies):
        position = position_at(world.positions, s * world.n_instruments + instrument)
        if position.lots != 0:
            slot = world.order_mask + 1  # the spare slot: the fill of no order
            order = order_at(world.orders, slot)
            order.id = 0
            order.instrument = instrument
            order.strategy = s
            order.side = -1 if position.lots > 0 else 1
            order.order_type = 1
            order.time_in_force = 1
            order.tag = 0
            order.leaves_lots = abs(position.lots)
            order.held_lots = 0
            order.flags = REDUCE_ONLY
            book_fill(world, engine, market, currency, position, slot, price, abs(position.lots), TAKER, DELISTING)
    mark_market(world, engine, market, price if price > 0 else market.last)
    refresh_equity(world, engine)


@kernel
def pass_time(world, engine, ts):
    """Let it be `ts`; on tick data what was due here before it comes first."""
    if engine.local_view != 0 and engine.next_local <= ts:
        run_local(world, engine, ts)
    engine.now = ts


@routine
def take_status(world, engine, event):
    """List, halt or delist an instrument."""
    market = market_at(world.markets, event.instrument)
    pass_time(world, engine, event.ts_recv)
    if event.w0 == DELISTED and market.status != DELISTED and market.has_price != 0:
        delist(world, engine, market, event.instrument, event.w1)
    market.status = event.w0


@routine
def take_command(world, engine, event):
    """Obey a command: start and stop call their hooks, the others act on orders and the trading state."""
    pass_time(world, engine, event.ts_recv)
    if event.w0 == START:
        engine.stopped = 0  # a session that goes on after its end
        if engine.started == 0:
            engine.started = 1
            call_everywhere(world, engine, ON_START)
    elif event.w0 == STOP and engine.stopped == 0:
        run_reports(world, engine, event.ts_recv)
        charge_rest(world, engine, ALL)
        engine.stopped = 1
        call_everywhere(world, engine, ON_STOP)
        flush_markouts(world, engine)
        if engine.local_view != 0 and engine.last_sample != engine.now:
            sample_equity(world, engine, engine.now)
    elif event.w0 == HALT:
        engine.trading_state = HALTED
    elif event.w0 == RESUME:
        engine.trading_state = ACTIVE
        engine.breached = 0
        engine.trough_atoms = engine.peak_atoms  # a drawdown that is still beyond its limit breaches again
    elif event.w0 == REDUCE:
        engine.trading_state = REDUCING
    elif event.w0 == CANCEL_ALL or event.w0 == FLATTEN:
        cancel_where(world, engine, ANY, ANY, CANCELED_BY_COMMAND)
        if event.w0 == FLATTEN:
            flatten(world, engine)
    deliver_reports(world, engine, event.ts_recv)


@routine
def take_timer(world, engine, event):
    """Let time pass without data: what is due here."""
    if event.ts_recv >= engine.now:
        run_local(world, engine, event.ts_recv)
        engine.now = event.ts_recv
        run_reports(world, engine, event.ts_recv)


@routine
def take_arrivals(world, engine, event):
    """Let time pass without data: what arrived at the venues `w0` ns before it takes effect."""
    for i in range(world.n_instruments):
        venue = venue_at(world.venues, i)
        if venue.next_arrival < event.ts_recv - event.w0:
            apply_due(world, engine, market_at(world.markets, i), venue, event.ts_recv - event.w0)


@routine
def take_warm_tick(world, engine, market, event):
    """Apply a bar of warm-up of an instrument with tick data: its time passes, its hooks are called."""
    begin_warmup(engine)
    if engine.batch_open == 0:
        run_local(world, engine, event.ts_recv)
    engine.now = event.ts_recv
    code = take_warm_frame(world, engine, market, event)
    if event.flags & LAST and engine.batch_open:  # instruments of bars warm up with this one
        process_batch(world, engine)
    elif event.flags & LAST:
        call_warm_batch(world, engine, event.ts_event)
    run_reports(world, engine, event.ts_recv)
    return code


@routine
def close_before(world, engine, event):
    """Close the derived bars that ended before a source bar, beside tick data."""
    if event.flags & WARMUP:
        engine.warm_end = engine.n_events + 1
    run_local(world, engine, event.ts_recv - 1)


@kernel
def step_bars(world, engine, event):
    """Apply one event of a run without tick data, which is all that such a run compiles; see `step`."""
    engine.n_events += 1
    return take_event(world, engine, event)


@kernel
def step(world, engine, event):
    """Apply one event; return a FoldCode: DONE, or BAD_EVENT for one that this engine cannot apply."""
    engine.n_events += 1
    ticks = is_tick(event.kind)
    if (event.kind == FUNDING or event.kind == MARK) and event.instrument < world.n_instruments:
        ticks = market_at(world.markets, event.instrument).level != 0
    if ticks:
        return take_tick(world, engine, event)
    if event.kind == TIMER and event.ts_recv >= engine.now:
        run_local(world, engine, event.ts_recv)
        engine.now = event.ts_recv
        take_arrivals(world, engine, event)
    if event.kind == BAR and engine.local_view != 0 and event.instrument < world.n_instruments:
        if engine.batch_open == 0 and engine.next_frame_end < event.ts_recv:  # no tick came since
            close_before(world, engine, event)
        market = market_at(world.markets, event.instrument)
        if market.level != 0 and event.flags & WARMUP:
            return take_warm_tick(world, engine, market, event) if event.ts_recv >= engine.now else BAD_EVENT
    return take_event(world, engine, event)


@kernel
def take_event(world, engine, event):
    """Apply one event that is not of tick data."""
    if event.kind == BAR:
        if event.instrument >= world.n_instruments or event.ts_recv < engine.batch_ts:
            return BAD_EVENT
        if event.flags & DETAIL:
            take_detail(world, engine, event)
        else:
            take_bar(world, engine, event)
    elif event.kind == STATUS:
        if event.instrument >= world.n_instruments:
            return BAD_EVENT
        take_status(world, engine, event)
    elif event.kind == COMMAND:
        take_command(world, engine, event)
    elif event.kind == TIMER:
        take_timer(world, engine, event)
    elif event.kind == FUNDING or event.kind == MARK:
        code = take_rate(world, engine, event)
        if code != DONE:
            return code
    elif event.kind != GAP:  # bars have no book that could break
        return BAD_EVENT
    if event.flags & LAST:
        if engine.batch_open:
            process_batch(world, engine)
        elif event.kind == BAR and event.flags & DETAIL == 0:  # all bars of this time were left out
            return DONE
        elif not is_warming(engine):
            check_drawdown(world, engine)
        if not is_warming(engine):
            sample_equity(world, engine, event.ts_recv)
    return DONE
