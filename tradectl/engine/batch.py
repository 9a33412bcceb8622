"""One timestamp: all bars that end at it, in the phases of docs/fills.md, 4."""

from __future__ import annotations

from tradectl.core.account import is_valued, mark_market
from tradectl.core.bars import after_open, match_open, reaches_open
from tradectl.core.codes import Breach, OrderFlag, OrderType, Reason, RequestKind, TradingState
from tradectl.core.jit import kernel, routine
from tradectl.core.layout import NEVER, equity_at, market_at, position_at, request_at
from tradectl.core.money import muldiv_ceil
from tradectl.core.orders import expire_until, refresh_keys, take_order_id
from tradectl.engine.change import ANY, apply_arrivals, cancel_where
from tradectl.engine.dues import AT_END, BEFORE_OPEN, INSIDE, charge_dues
from tradectl.engine.frames import add_to_frames, close_frames
from tradectl.engine.hooks import SOURCE, call_bar_hook, call_bar_hooks, call_batch_hooks, deliver_reports
from tradectl.engine.paths import match_path
from tradectl.engine.submit import place_system_order
from tradectl.risk.gate import is_warming

__all__ = ["check_drawdown", "flatten", "process_batch", "sample_equity"]

NANO = 1_000_000_000
DRAWDOWN_EPSILON = 1e-9
MARKET = int(OrderType.MARKET)
FLATTEN_FLAGS = int(OrderFlag.REDUCE_ONLY) | int(OrderFlag.SYSTEM)
SUBMIT = int(RequestKind.SUBMIT)
REDUCING, HALTED = int(TradingState.REDUCING), int(TradingState.HALTED)
REJECT, FLATTEN = int(Breach.REJECT), int(Breach.FLATTEN)
CANCELED_BY_RISK = int(Reason.CANCELED_BY_RISK)


@routine
def match_opens(world, engine):
    """Match at the opens of this timestamp, after what arrived by then; return how many of its bars had orders."""
    low, high = engine.batch_low, engine.batch_high + 1
    world.batch_fills = world.n_fills
    busy = 0
    for i in range(low, high):
        market = market_at(world.markets, i)
        if market.batch == engine.batch and market.n_orders > 0:
            busy += 1
            if market.next_expiry <= market.start:
                expire_until(world, engine, market, market.start)
            if market.attention != 0 and engine.latency_entry_ns > 0:
                apply_arrivals(world, engine, market)
                refresh_keys(world, market)
    if busy == 0:
        return 0
    for reducing_pass in range(1, -1, -1):
        for i in range(low, high):
            market = market_at(world.markets, i)
            if market.batch == engine.batch and market.n_orders > 0 and market.synthetic == 0 and reaches_open(market):
                match_open(world, engine, market, reducing_pass == 1)
    return busy


@routine
def match_paths(world, engine):
    """Match the working orders of all bars of this timestamp along their paths; before and after, let orders expire."""
    for i in range(engine.batch_low, engine.batch_high + 1):
        market = market_at(world.markets, i)
        if market.batch == engine.batch and market.n_orders > 0:
            real = market.synthetic == 0
            if real and (market.attention != 0 or reaches_open(market)):
                after_open(world, market)
                refresh_keys(world, market)
            if market.next_expiry < market.ts_event:
                expire_until(world, engine, market, market.ts_event - 1)
            if real:
                match_path(world, engine, market, i)
            if market.next_expiry <= market.ts_event:
                expire_until(world, engine, market, market.ts_event)


@routine
def flatten(world, engine):
    """Halt trading and send a reduce_only MARKET order of the risk unit for every position."""
    engine.trading_state = HALTED
    for s in range(world.n_strategies):
        for i in range(world.n_instruments):
            position = position_at(world.positions, s * world.n_instruments + i)
            if position.lots != 0:
                request = request_at(world.requests, engine.n_requests)
                request.order_id = take_order_id(world, engine)
                request.qty_lots = abs(position.lots)
                request.price_ticks = 0
                request.trigger_ticks = 0
                request.tag = 0
                request.expires = 0
                request.instrument = i
                request.strategy = s
                request.reason = 0
                request.legs = 0
                request.kind = SUBMIT
                request.side = -1 if position.lots > 0 else 1
                request.order_type = MARKET
                request.time_in_force = 1
                request.flags = FLATTEN_FLAGS
                place_system_order(world, engine, request)


@routine
def breach(world, engine):
    """Do once what `on_breach` says when the drawdown limit is breached."""
    engine.breached = 1
    engine.ts_breach = engine.now
    engine.trading_state = REDUCING
    if engine.on_breach != REJECT:
        cancel_where(world, engine, ANY, ANY, CANCELED_BY_RISK)
    if engine.on_breach == FLATTEN:
        flatten(world, engine)


@kernel
def check_drawdown(world, engine):
    """Follow peak and trough of equity; act when the drawdown exceeds its limit (decided in integers)."""
    if not is_valued(world):
        return
    equity = engine.equity_atoms
    if equity > engine.peak_atoms:
        engine.peak_atoms = equity
        engine.trough_atoms = equity
    elif equity < engine.trough_atoms:
        engine.trough_atoms = equity
        peak = engine.peak_atoms
        drawdown = (peak - equity) / peak if peak > 0 else 0.0
        engine.max_drawdown = max(engine.max_drawdown, drawdown)
        near = drawdown * NANO >= engine.drawdown_limit_nano * (1.0 - DRAWDOWN_EPSILON)
        if near and engine.breached == 0 and muldiv_ceil(peak - equity, NANO, peak) > engine.drawdown_limit_nano:
            breach(world, engine)


@kernel
def sample_equity(world, engine, ts_event):
    """Append a row to the equity curve, where equity is known."""
    if not is_valued(world):
        return
    row = equity_at(world.equity_out, world.n_equity)
    row.ts_event = ts_event
    row.equity_atoms = engine.equity_atoms
    engine.last_sample = ts_event
    world.n_equity += 1


@kernel
def batch_start(world, engine):
    """Return when the shortest bar of this batch began."""
    shortest = NEVER
    for i in range(engine.batch_low, engine.batch_high + 1):
        market = market_at(world.markets, i)
        if market.batch == engine.batch:
            shortest = min(shortest, market.tf_ns)
    return engine.batch_ts - shortest


@routine
def mark_batch(world, engine):
    """Mark all instruments of this timestamp at their closes and add their bars to the derived ones."""
    for i in range(engine.batch_low, engine.batch_high + 1):
        market = market_at(world.markets, i)
        if market.batch == engine.batch:
            mark_market(world, engine, market, market.close)
            market.n_detail = 0
            if world.n_frames > 0:
                add_to_frames(world, engine, market, i)


@routine
def call_batch(world, engine):
    """Call the hooks of all source bars of this timestamp."""
    for i in range(engine.batch_low, engine.batch_high + 1):
        if market_at(world.markets, i).batch == engine.batch:
            call_bar_hooks(world, engine, i, SOURCE)
    if world.n_portfolio > 0:
        call_batch_hooks(world, engine, SOURCE)


@kernel
def process_batch(world, engine):
    """Process all bars of one timestamp; its last event has just been applied."""
    ts = engine.batch_ts
    low = engine.batch_low
    single = low == engine.batch_high and world.n_strategies == 1 and world.n_portfolio == 0
    engine.batch_open = 0
    if engine.next_frame_end < ts and engine.next_frame_end <= batch_start(world, engine):
        close_frames(world, engine, batch_start(world, engine))
    engine.now = ts
    if engine.n_dues > 0:
        charge_dues(world, engine, BEFORE_OPEN)
    busy = 0
    if engine.n_live > 0 and not is_warming(engine):
        busy = match_opens(world, engine)
    if engine.n_dues > 0:
        charge_dues(world, engine, INSIDE)
    if busy > 0:
        match_paths(world, engine)
    if engine.n_dues > 0:
        charge_dues(world, engine, AT_END)
    if single and world.n_frames == 0:  # the usual backtest: one instrument, one strategy
        market = market_at(world.markets, low)
        mark_market(world, engine, market, market.close)
        market.n_detail = 0
    else:
        mark_batch(world, engine)
    if not is_warming(engine):
        check_drawdown(world, engine)
    if engine.report_head != engine.report_tail:
        deliver_reports(world, engine, ts)
    if engine.source_hook:
        if single:
            call_bar_hook(world, engine, 0, low, SOURCE)
        else:
            call_batch(world, engine)
    if engine.next_frame_end <= ts:
        close_frames(world, engine, ts)
    if engine.report_head != engine.report_tail:
        deliver_reports(world, engine, ts)
