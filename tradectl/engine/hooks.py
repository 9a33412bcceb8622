"""Calling a strategy's hooks: cursors, the call by address, its requests, its faults, its reports."""

from __future__ import annotations

from tradectl.core.codes import Hook, Reason
from tradectl.core.jit import kernel, routine
from tradectl.core.layout import REPORT, order_at, position_at, report_at, strategy_at, word_at
from tradectl.core.records import call_hook, call_report_hook
from tradectl.engine.change import ANY, cancel_where
from tradectl.engine.requests import handle_requests
from tradectl.engine.submit import order_slot
from tradectl.strategy.ctx_read import select_instrument, state_of

__all__ = [
    "N_HOOKS", "SOURCE", "call_bar_hook", "call_bar_hooks", "call_batch_hooks", "call_everywhere", "call_hooks",
    "call_one", "call_tick_hooks", "deliver_reports",
]  # fmt: skip

N_HOOKS = len(Hook)
ON_BAR, ON_BATCH = int(Hook.ON_BAR), int(Hook.ON_BATCH)
ON_ORDER, ON_FILL = int(Hook.ON_ORDER), int(Hook.ON_FILL)
SOURCE = -1  # the frame index of the source's own bars
DISABLE = 2
FILL_REPORT = 2
REPORT_SIZE = REPORT.itemsize
CANCELED_BY_FAULT = int(Reason.CANCELED_BY_FAULT)


@routine
def record_fault(world, engine, s, hook):
    """Drop the requests of a hook that raised; disable the strategy, or stop the fold after this event."""
    strategy = strategy_at(world.strategies, s)
    engine.n_requests = 0
    strategy.n_errors += 1
    strategy.enabled = 0
    strategy.ts_fault = engine.now
    strategy.fault_event = engine.n_events
    strategy.fault_instrument = world.cursor_instrument
    strategy.fault_hook = hook
    if strategy.on_error == DISABLE:
        cancel_where(world, engine, s, ANY, CANCELED_BY_FAULT)
    elif engine.fault_strategy == 0:
        engine.fault_strategy = s + 1


@kernel
def call_one(world, engine, s, i, hook, frame):
    """Call one hook of strategy `s` with the cursors on instrument `i` and its bar of a timeframe."""
    strategy = strategy_at(world.strategies, s)
    address = word_at(world.hooks, s * N_HOOKS + hook).value
    if address == 0 or strategy.enabled == 0:
        return
    world.cursor_strategy = s
    world.cursor_frame = frame
    select_instrument(world, i)
    if call_hook(address, world.self_address, world.blob + strategy.params, state_of(world, strategy, i)) != 0:
        record_fault(world, engine, s, hook)
    elif engine.n_requests > 0:
        handle_requests(world, engine)


@kernel
def call_bar_hook(world, engine, s, i, frame):
    """Call `on_bar` of a strategy if it trades the instrument, for its bar of a timeframe."""
    if word_at(world.used, s * world.n_instruments + i).value:
        call_one(world, engine, s, i, ON_BAR, frame)


@routine
def call_bar_hooks(world, engine, i, frame):
    """Call `on_bar` of every strategy that trades an instrument."""
    for s in range(world.n_strategies):
        call_bar_hook(world, engine, s, i, frame)


@kernel
def call_hooks(world, engine, i, hook):
    """Call a hook of every strategy that trades an instrument."""
    for s in range(world.n_strategies):
        if word_at(world.used, s * world.n_instruments + i).value:
            call_one(world, engine, s, i, hook, SOURCE)


@routine
def call_tick_hooks(world, engine, i, hook):
    """Call a hook of tick data of every strategy that trades an instrument, where a call of its own is cheap enough."""
    call_hooks(world, engine, i, hook)


@routine
def call_batch_hooks(world, engine, frame):
    """Call `on_batch` of every portfolio strategy."""
    for s in range(world.n_strategies):
        if strategy_at(world.strategies, s).portfolio:
            call_one(world, engine, s, 0, ON_BATCH, frame)


@routine
def call_everywhere(world, engine, hook):
    """Call a hook (`on_start`, `on_stop`) of every strategy, once per state record."""
    for s in range(world.n_strategies):
        if strategy_at(world.strategies, s).portfolio:
            call_one(world, engine, s, 0, hook, SOURCE)
        else:
            for i in range(world.n_instruments):
                if word_at(world.used, s * world.n_instruments + i).value:
                    call_one(world, engine, s, i, hook, SOURCE)


@kernel
def see_report(world, report):
    """Let a strategy's own view of order and position follow a report."""
    order = order_at(world.orders, order_slot(world, report.order_id))
    if order.id == report.order_id:
        order.n_unseen = max(order.n_unseen - 1, 0)
        order.seen = report.status
        order.seen_leaves = report.leaves_lots
    if report.kind == FILL_REPORT:
        position = position_at(world.positions, report.strategy * world.n_instruments + report.instrument)
        position.seen_lots += report.side * report.qty_lots


@routine
def deliver_one(world, engine, report, address_of_report):
    """Hand one report to its strategy's `on_order` or `on_fill`; what it tells is known from now on."""
    s = report.strategy
    if engine.local_view != 0:
        see_report(world, report)
    strategy = strategy_at(world.strategies, s)
    hook = ON_FILL if report.kind == FILL_REPORT else ON_ORDER
    if engine.wants_reports & report.kind == 0:
        return
    address = word_at(world.hooks, s * N_HOOKS + hook).value
    if address == 0 or strategy.enabled == 0:
        return
    world.cursor_strategy = s
    world.cursor_frame = SOURCE
    select_instrument(world, report.instrument)
    state = state_of(world, strategy, report.instrument)
    if call_report_hook(address, world.self_address, world.blob + strategy.params, state, address_of_report) != 0:
        record_fault(world, engine, s, hook)
    elif engine.n_requests > 0:
        handle_requests(world, engine)


@routine
def deliver_reports(world, engine, until):
    """Deliver the queued reports due by `until`, at most a queue's worth (the rest waits for the next event)."""
    for _ in range(world.report_mask + 1):
        if engine.report_head == engine.report_tail:
            return
        slot = engine.report_head & world.report_mask
        report = report_at(world.reports, slot)
        if report.ts_deliver > until:
            return
        engine.report_head += 1
        deliver_one(world, engine, report, world.reports + slot * REPORT_SIZE)
