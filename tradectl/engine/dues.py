"""Funding in the fold: at once on tick data; on bars when the bar that contains its time is applied.

A bar tells only at its end what was traded inside it. So a settlement waits: one at or before a bar's start is
charged before the bar's opens, one inside it between opens and path, one at its end after the path.
"""

from __future__ import annotations

from tradectl.core.codes import EventKind, FoldCode, Reason
from tradectl.core.funding import charge_funding
from tradectl.core.jit import kernel, routine
from tradectl.core.layout import DUE, due_at, market_at
from tradectl.core.records import copy_words

__all__ = ["ALL", "AT_END", "BEFORE_OPEN", "INSIDE", "charge_dues", "charge_rest", "settle_now", "take_rate"]

FUNDING = int(EventKind.FUNDING)
DONE, BAD_EVENT = int(FoldCode.DONE), int(FoldCode.BAD_EVENT)
FUNDING_FULL = int(Reason.FUNDING_FULL)
BEFORE_OPEN, INSIDE, AT_END = 0, 1, 2
ALL = -1
WORDS = DUE.itemsize // 8


@kernel
def note_mark(market, event):
    """Return the price that an event of FUNDING or MARK tells, else the last mark, ticks; 0: none was told yet."""
    told = event.w1 if event.kind == FUNDING else event.w0
    if told > 0:
        market.mark_ticks = told
    return market.mark_ticks


@kernel
def settle_now(world, engine, market, event):
    """Take a FUNDING or MARK event of an instrument with tick data: at the mark, else the last price."""
    price = note_mark(market, event)
    if event.kind == FUNDING:
        price = price if price > 0 else market.last
        charge_funding(world, engine, market, event.instrument, event.ts_event, price, event.w0)


@routine
def take_rate(world, engine, event):
    """Take a FUNDING or MARK event of an instrument with bars; return a FoldCode."""
    if event.instrument >= world.n_instruments:
        return BAD_EVENT
    price = note_mark(market_at(world.markets, event.instrument), event)
    if event.kind != FUNDING or event.w0 == 0:
        return DONE
    if engine.n_dues >= world.dues_capacity:
        engine.fault_reason = FUNDING_FULL
        return DONE
    due = due_at(world.dues, engine.n_dues)
    engine.n_dues += 1
    due.ts_event = event.ts_event
    due.rate_pico = event.w0
    due.price_ticks = price
    due.instrument = event.instrument
    return DONE


@kernel
def price_of(market, due, when):
    """Return the price of a settlement: the mark told with it or before, else what the bars say of its time, ticks."""
    if due.price_ticks > 0:
        return due.price_ticks
    if when == INSIDE:
        return market.open
    return market.close if when == AT_END else market.last


@kernel
def keep_due(world, k, kept):
    """Move what goes on waiting from place `k` to place `kept`."""
    if kept != k:
        copy_words(world.dues + kept * WORDS * 8, world.dues + k * WORDS * 8, WORDS)


@routine
def charge_dues(world, engine, when):
    """Charge what is due BEFORE_OPEN, INSIDE or AT_END of the bars of this batch; the rest waits, in its order."""
    kept = 0
    for k in range(engine.n_dues):
        due = due_at(world.dues, k)
        market = market_at(world.markets, due.instrument)
        until = market.start if when == BEFORE_OPEN else market.ts_event - (1 if when == INSIDE else 0)
        if market.batch == engine.batch and due.ts_event <= until:
            charge_funding(
                world, engine, market, due.instrument, due.ts_event, price_of(market, due, when), due.rate_pico
            )
        else:
            keep_due(world, k, kept)
            kept += 1
    engine.n_dues = kept


@routine
def charge_rest(world, engine, instrument):
    """Charge what waits for bars that do not come, at the mark or the last price, of an instrument or of ALL."""
    kept = 0
    for k in range(engine.n_dues):
        due = due_at(world.dues, k)
        if instrument == ALL or due.instrument == instrument:
            market = market_at(world.markets, due.instrument)
            price = price_of(market, due, BEFORE_OPEN)
            charge_funding(world, engine, market, due.instrument, due.ts_event, price, due.rate_pico)
        else:
            keep_due(world, k, kept)
            kept += 1
    engine.n_dues = kept
