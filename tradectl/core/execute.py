"""Execution: one order meets a price; what it may fill, at what price, and what that changes."""

from __future__ import annotations

from tradectl.core.account import apply_trade, closing_lots, freed_margin, revalue
from tradectl.core.buying import affordable_lots, available_atoms
from tradectl.core.codes import (
    AccountType,
    FillPhase,
    LiquiditySide,
    OrderFlag,
    OrderStatus,
    Reason,
    TimeInForce,
)
from tradectl.core.jit import kernel, routine
from tradectl.core.layout import NONE, currency_at, fill_at, order_at, position_at, venue_at
from tradectl.core.markouts import await_markout
from tradectl.core.money import muldiv_ceil, muldiv_floor
from tradectl.core.orders import (
    emit_order,
    finish_order,
    is_live,
    push_report,
    release_reserves,
    unlink_order,
)

__all__ = ["UNCAPPED", "affordable", "can_pay", "execute", "expire", "slipped"]

NANO, MICRO = 1_000_000_000, 1_000_000
UNCAPPED = 0  # no limit on the price after slippage
CASH = int(AccountType.CASH)
TAKER = int(LiquiditySide.TAKER)
AT_OPEN, AT_CLOSE = int(FillPhase.OPEN), int(FillPhase.CLOSE)
BOOK = int(FillPhase.BOOK)  # this phase and those above it are of tick data
REDUCE_ONLY = int(OrderFlag.REDUCE_ONLY)
SYSTEM = int(OrderFlag.SYSTEM)
IOC, FOK = int(TimeInForce.IOC), int(TimeInForce.FOK)
SUBMITTED = int(OrderStatus.SUBMITTED)
PARTIALLY_FILLED, FILLED = int(OrderStatus.PARTIALLY_FILLED), int(OrderStatus.FILLED)
CANCELED, EXPIRED = int(OrderStatus.CANCELED), int(OrderStatus.EXPIRED)
PENDING_UPDATE = int(OrderStatus.PENDING_UPDATE)
REDUCE_ONLY_CLOSED = int(Reason.REDUCE_ONLY_CLOSED)
IOC_REMAINDER, FOK_UNFILLED = int(Reason.IOC_REMAINDER), int(Reason.FOK_UNFILLED)
SHRUNK_TO_BUYING_POWER = int(Reason.SHRUNK_TO_BUYING_POWER)
OUTPUTS_FULL = int(Reason.OUTPUTS_FULL)
SHRUNK_TO_POSITION = int(Reason.SHRUNK_TO_POSITION)


@kernel
def slipped(engine, market, side, price_ticks, lots):
    """Return a price made worse by the slippage model, ticks (docs/fills.md, 3.3); never below one tick."""
    slip = engine.slip_ticks
    if engine.slip_nano > 0:
        slip += muldiv_ceil(price_ticks, engine.slip_nano, NANO)
    if engine.slip_share_nano > 0 and market.volume > 0:
        share = muldiv_floor(lots, MICRO, market.volume)
        impact = muldiv_ceil(price_ticks, engine.slip_share_nano, NANO)
        impact = muldiv_ceil(impact, share, MICRO)
        slip += muldiv_ceil(impact, share, MICRO)
    return max(price_ticks + side * slip, 1)


@routine
def expire(world, engine, market, currency, slot):
    """Expire what an IOC or FOK order could not fill at once."""
    order = order_at(world.orders, slot)
    reason = FOK_UNFILLED if order.time_in_force == FOK else IOC_REMAINDER
    finish_order(world, engine, market, currency, slot, EXPIRED, reason)


@routine
def shrink_reduce_only(world, engine, market, currency, strategy, instrument, side):
    """After a fill of a side closed lots: shrink or cancel working reduce_only orders of that side to what is left."""
    position = position_at(world.positions, strategy * world.n_instruments + instrument)
    slot = market.first_order
    while slot != NONE:  # at most n_orders steps
        order = order_at(world.orders, slot)
        following = order.next
        working = order.status != SUBMITTED and order.before != SUBMITTED
        if working and order.strategy == strategy and order.side == side and order.flags & REDUCE_ONLY:
            if position.lots * order.side >= 0:
                finish_order(world, engine, market, currency, slot, CANCELED, REDUCE_ONLY_CLOSED)
            elif order.leaves_lots > abs(position.lots):
                order.qty_lots = order.filled_lots + abs(position.lots)
                order.leaves_lots = abs(position.lots)
        slot = following


@routine
def affordable(world, engine, market, currency, position, order, price_ticks, lots, fee_nano):
    """Return (lots, reason): what the account can pay for of `lots` at a price."""
    closing = closing_lots(position.lots, order.side, lots)
    opening = lots - closing
    if opening == 0:
        return lots, 0
    available = available_atoms(engine, currency) + order.reserve_atoms
    if engine.account_type != CASH:
        available += freed_margin(market, closing)
        if currency.rate_pico != 1_000_000_000_000:
            available = muldiv_floor(available, 1_000_000_000_000, currency.rate_pico)
    paid = affordable_lots(engine, market, order.side, price_ticks, opening, fee_nano, available)
    return (closing + paid, SHRUNK_TO_BUYING_POWER) if paid < opening else (lots, 0)


@routine
def can_pay(world, engine, market, slot, price_ticks, slips):
    """Return whether position and account allow all that an order has left at a price, slippage counted."""
    order = order_at(world.orders, slot)
    position = position_at(world.positions, order.strategy * world.n_instruments + order.instrument)
    currency = currency_at(world.currencies, market.currency)
    lots = order.leaves_lots
    if order.flags & REDUCE_ONLY and closing_lots(position.lots, order.side, lots) < lots:
        return False
    if engine.account_type == CASH and order.side < 0 and lots > position.lots:
        return False
    price = slipped(engine, market, order.side, price_ticks, lots) if slips else price_ticks
    paid, _ = affordable(world, engine, market, currency, position, order, price, lots, market.taker_nano)
    return paid == lots


@routine
def book_fill(world, engine, market, currency, position, slot, price_ticks, lots, liquidity, phase):
    """Book a fill: account, order, output row, report; return the lots that it closed."""
    order = order_at(world.orders, slot)
    rate = market.taker_nano if liquidity == TAKER else market.maker_nano
    closed = closing_lots(position.lots, order.side, lots)
    order.ts_last = market.start if phase == AT_OPEN or phase >= BOOK else engine.now
    notional, fee, realised = apply_trade(
        engine, market, position, currency, order.side, price_ticks, lots, rate, order.ts_last
    )
    order.leaves_lots -= lots
    order.filled_lots += lots
    order.notional_atoms += notional
    order.fees_atoms += fee
    order.n_fills += 1
    if order.leaves_lots == 0:
        order.status = FILLED
    elif order.status < PENDING_UPDATE:
        order.status = PARTIALLY_FILLED
    else:
        order.before = PARTIALLY_FILLED
    release_reserves(world, engine, currency, order, order.leaves_lots)
    if market.volume >= 0:
        market.budget -= lots
    revalue(world, engine, market, market.last)
    engine.n_fills += 1
    if world.n_fills >= world.fills_capacity:
        engine.fault_reason = OUTPUTS_FULL
        return closed
    fill = fill_at(world.fills, world.n_fills)
    world.n_fills += 1
    fill.fill_id = engine.next_fill_id
    engine.next_fill_id += 1
    fill.order_id = order.id
    fill.ts_event = order.ts_last
    fill.price_ticks = price_ticks
    fill.qty_lots = lots
    fill.notional_atoms = notional
    fill.fee_atoms = fee
    fill.realised_atoms = realised
    fill.position_lots = position.lots
    fill.tag = order.tag
    fill.instrument = order.instrument
    fill.strategy = order.strategy
    fill.side = order.side
    fill.liquidity_side = liquidity
    fill.phase = phase
    fill.ambiguous = 0
    fill.twice_mark = market.twice_mark
    fill.front = order.front
    fill.order_type = order.order_type
    fill.time_in_force = order.time_in_force
    fill.bid = 0
    fill.ask = 0
    if market.level != 0:
        venue = venue_at(world.venues, order.instrument)
        fill.twice_mark = venue.twice_seen
        fill.bid = venue.bid
        fill.ask = venue.ask
        await_markout(world, engine, fill)
    push_report(world, engine, order, 2, price_ticks, lots, fee, liquidity)
    return closed


@routine
def execute(world, engine, market, slot, price_ticks, slips, cap_ticks, liquidity, phase):
    """Fill an order at a price as far as budget, position and buying power allow, and settle what is left.

    `slips`: the price is made worse by slippage, not beyond `cap_ticks` (UNCAPPED: no cap). What a
    GTC order could not fill for want of budget goes on working; at a close (`fill_at: close`) any order does.
    On tick data (phases from BOOK on) the caller ends what is left, for an order may take from several levels.
    """
    order = order_at(world.orders, slot)
    strategy, instrument, side = order.strategy, order.instrument, order.side
    position = position_at(world.positions, strategy * world.n_instruments + instrument)
    currency = currency_at(world.currencies, market.currency)
    fok = order.time_in_force == FOK and phase < BOOK
    immediate = (fok or order.time_in_force == IOC) and phase < BOOK and phase != AT_CLOSE
    lots = order.leaves_lots
    if order.flags & REDUCE_ONLY:
        lots = closing_lots(position.lots, order.side, lots)
        if lots == 0:
            finish_order(world, engine, market, currency, slot, CANCELED, REDUCE_ONLY_CLOSED)
            return
    lots = lots if market.volume < 0 else min(lots, market.budget)
    if lots == 0 or (fok and lots < order.leaves_lots):
        if immediate:
            expire(world, engine, market, currency, slot)
        return
    reason = 0
    if engine.account_type == CASH and side < 0 and lots > position.lots:
        lots, reason = max(position.lots, 0), SHRUNK_TO_POSITION
    price = price_ticks
    if slips:
        price = slipped(engine, market, order.side, price_ticks, lots)
        if cap_ticks != UNCAPPED:
            price = min(price, cap_ticks) if order.side > 0 else max(price, cap_ticks)
    fee_nano = market.taker_nano if liquidity == TAKER else market.maker_nano
    whole = order.time_in_force == FOK and phase >= BOOK  # it has been judged as a whole
    if reason == 0 and not whole and order.flags & SYSTEM == 0:
        lots, reason = affordable(world, engine, market, currency, position, order, price, lots, fee_nano)
    if fok and lots < order.leaves_lots:
        if immediate:
            expire(world, engine, market, currency, slot)
        return
    if lots > 0:
        closed = book_fill(world, engine, market, currency, position, slot, price, lots, liquidity, phase)
        if order.leaves_lots == 0:  # its last fill was its report
            unlink_order(world, market, slot)
            engine.n_live -= 1
            emit_order(world, engine, slot)
        if closed > 0:  # may end this order too
            shrink_reduce_only(world, engine, market, currency, strategy, instrument, side)
    if not is_live(order):
        return
    if reason != 0:
        engine.n_shrunk += 1
        finish_order(world, engine, market, currency, slot, CANCELED, reason)
    elif immediate:
        expire(world, engine, market, currency, slot)
