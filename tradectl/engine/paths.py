"""A bar's path: which of the two it takes, and whether the bar is ambiguous (docs/fills.md, 3.2, 3.5)."""

from __future__ import annotations

from tradectl.core.account import value_of
from tradectl.core.bars import high_comes_first, is_stop, takes_part, walk_gap, walk_path
from tradectl.core.codes import OrderFlag, OrderType, PathRule
from tradectl.core.jit import kernel, routine
from tradectl.core.layout import (
    CURRENCY,
    DETAIL,
    ENGINE,
    MARKET,
    NONE,
    ORDER,
    POSITION,
    bar_at,
    currency_at,
    fill_at,
    market_at,
    order_at,
    position_at,
    word_at,
)  # fmt: skip
from tradectl.core.orders import is_live, refresh_keys
from tradectl.core.records import copy_words

__all__ = ["match_path", "scratch_words"]

ADVERSE, FAVOURABLE = int(PathRule.ADVERSE), int(PathRule.FAVOURABLE)
STOP_LIMIT, LIMIT = int(OrderType.STOP_LIMIT), int(OrderType.LIMIT)
REDUCE_ONLY, TRIGGERED = int(OrderFlag.REDUCE_ONLY), int(OrderFlag.TRIGGERED)
ENGINE_WORDS, CURRENCY_WORDS = ENGINE.itemsize // 8, CURRENCY.itemsize // 8
MARKET_WORDS, POSITION_WORDS, ORDER_WORDS = MARKET.itemsize // 8, POSITION.itemsize // 8, ORDER.itemsize // 8
DETAIL_SIZE = DETAIL.itemsize


def scratch_words(n_currencies: int, n_strategies: int, order_capacity: int) -> int:
    """Return how many 8-byte words of scratch space a trial needs: the slots and two saved states."""
    fixed = 2 + ENGINE_WORDS + n_currencies * CURRENCY_WORDS + MARKET_WORDS + n_strategies * POSITION_WORDS
    return 1 + order_capacity + 2 * (fixed + order_capacity * ORDER_WORDS)


@routine
def note_slots(world, market):
    """Write the slots of a market's working orders to the scratch space: count, then slots."""
    count = 0
    slot = market.first_order
    while slot != NONE:  # at most n_orders steps
        count += 1
        word_at(world.scratch, count).value = slot
        slot = order_at(world.orders, slot).next
    word_at(world.scratch, 0).value = count
    return count


@routine
def swap_state(world, instrument, area, saving):
    """Copy what a path can change to the scratch area (saving) or back: engine, balances, market, positions, orders."""
    at = area
    cursors = word_at(at, 0)
    orders_cursor = word_at(at, 1)
    if saving:
        cursors.value, orders_cursor.value = world.n_fills, world.n_orders
    else:
        world.n_fills, world.n_orders = cursors.value, orders_cursor.value
    at = swap(at + 16, world.engine, ENGINE_WORDS, saving)
    at = swap(at, world.currencies, CURRENCY_WORDS * world.n_currencies, saving)
    at = swap(at, world.markets + instrument * MARKET_WORDS * 8, MARKET_WORDS, saving)
    for s in range(world.n_strategies):
        position = world.positions + (s * world.n_instruments + instrument) * POSITION_WORDS * 8
        at = swap(at, position, POSITION_WORDS, saving)
    for k in range(word_at(world.scratch, 0).value):
        slot = word_at(world.scratch, k + 1).value
        at = swap(at, world.orders + slot * ORDER_WORDS * 8, ORDER_WORDS, saving)


@kernel
def swap(area, live, words, saving):
    """Copy words from `live` to `area` or back; return the address behind the area."""
    if saving:
        copy_words(area, live, words)
    else:
        copy_words(live, area, words)
    return area + words * 8


@routine
def same_outcome(world, instrument, area):
    """Return whether the live state and a saved one hold the same position, balance and orders."""
    at = area + 16 + ENGINE_WORDS * 8
    for c in range(world.n_currencies):
        if currency_at(at, c).balance_atoms != currency_at(world.currencies, c).balance_atoms:
            return False
    at += (world.n_currencies * CURRENCY_WORDS + MARKET_WORDS) * 8
    for s in range(world.n_strategies):
        was_held = position_at(at, s)
        held = position_at(world.positions, s * world.n_instruments + instrument)
        if was_held.lots != held.lots or was_held.cost_atoms != held.cost_atoms:
            return False
    at += world.n_strategies * POSITION_WORDS * 8
    for k in range(word_at(world.scratch, 0).value):
        was = order_at(at, k)
        now = order_at(world.orders, word_at(world.scratch, k + 1).value)
        if was.status != now.status or was.filled_lots != now.filled_lots or was.flags != now.flags:
            return False
        if was.notional_atoms != now.notional_atoms:
            return False
        if was.leaves_lots != now.leaves_lots and is_live(now):  # what an ended order had left is nothing
            return False
    return True


@routine
def path_can_matter(world, market, bar):
    """Return whether a bar can reach orders on both sides of its open, a stop-limit, or what is overdue."""
    above, below = False, False
    slot = market.first_order
    while slot != NONE:  # at most n_orders steps
        order = order_at(world.orders, slot)
        slot = order.next
        if not takes_part(market, order):
            continue
        rises = order.side > 0
        level = order.trigger_ticks
        if not is_stop(order):
            if order.order_type != LIMIT and order.order_type != STOP_LIMIT:
                continue
            rises = order.side < 0
            level = order.price_ticks
        reached = level <= bar.high if rises else level >= bar.low
        if reached and is_stop(order) and order.order_type == STOP_LIMIT:
            return True
        if level <= bar.open if rises else level >= bar.open:  # overdue: the path decides at which price it is met
            return True
        above = above or (reached and rises)
        below = below or (reached and not rises)
    return above and below


@kernel
def worth_at(world, market, price_ticks):
    """Return balance plus the position at a close, atoms: what the two paths of one bar are compared by."""
    currency = currency_at(world.currencies, market.currency)
    return currency.balance_atoms + value_of(market, market.net_lots, price_ticks)


@kernel
def exit_in_reach(engine, market, order, bar):
    """Return whether a bar's range holds the price at which a path meets a reduce_only order."""
    if order.flags & REDUCE_ONLY == 0 or not takes_part(market, order):
        return False
    level = order.trigger_ticks
    if not is_stop(order):
        if order.order_type != LIMIT and order.order_type != STOP_LIMIT:
            return False
        if market.volume >= 0 and market.budget == 0:
            return False
        level = order.price_ticks - (0 if engine.limit_touch else order.side)
    return bar.low <= level <= bar.high


@routine
def exits_rival(world, engine, bar, area):
    """Return whether a stop and a target could have taken each other's place in the walk just made.

    Both are a strategy's reduce_only orders of one side, in reach as they stood in the saved state, before
    the walk, and one has acted since. Where both filled whole neither took anything from the other.
    """
    at = area + (2 + ENGINE_WORDS + world.n_currencies * CURRENCY_WORDS) * 8
    market = market_at(at, 0)
    at += (MARKET_WORDS + world.n_strategies * POSITION_WORDS) * 8
    count = word_at(world.scratch, 0).value
    for i in range(count):
        stop = order_at(at, i)
        if is_stop(stop) and exit_in_reach(engine, market, stop, bar):
            stop_now = order_at(world.orders, word_at(world.scratch, i + 1).value)
            for k in range(count):
                limit = order_at(at, k)
                same = limit.side == stop.side and limit.strategy == stop.strategy
                if same and not is_stop(limit) and exit_in_reach(engine, market, limit, bar):
                    limit_now = order_at(world.orders, word_at(world.scratch, k + 1).value)
                    acted = stop_now.flags & TRIGGERED != 0 or limit_now.filled_lots > limit.filled_lots
                    whole = stop_now.filled_lots == stop.qty_lots and limit_now.filled_lots == limit.qty_lots
                    if acted and not whole:
                        return True
    return False


@routine
def resolve(world, engine, market, instrument, bar, is_detail):
    """Walk one bar's path; return 1 if it is ambiguous, 2 if finer bars must decide (nothing was walked)."""
    high_first = high_comes_first(engine, bar)
    if not path_can_matter(world, market, bar):
        walk_path(world, engine, market, bar, high_first)
        return 0
    slots = note_slots(world, market)
    area = world.scratch + (1 + slots) * 8
    fixed = 2 + ENGINE_WORDS + world.n_currencies * CURRENCY_WORDS + MARKET_WORDS
    second = area + (fixed + world.n_strategies * POSITION_WORDS + slots * ORDER_WORDS) * 8
    swap_state(world, instrument, area, True)
    walk_path(world, engine, market, bar, not high_first)
    other = worth_at(world, market, bar.close)
    swap_state(world, instrument, second, True)
    swap_state(world, instrument, area, False)
    walk_path(world, engine, market, bar, high_first)
    if same_outcome(world, instrument, second) and not exits_rival(world, engine, bar, area):
        return 0
    own = worth_at(world, market, bar.close)
    swap_state(world, instrument, area, False)
    if market.n_detail > 0 and not is_detail:
        return 2
    if (engine.path == ADVERSE and other < own) or (engine.path == FAVOURABLE and other > own):
        high_first = not high_first
    walk_path(world, engine, market, bar, high_first)
    return 1


@routine
def match_path(world, engine, market, instrument):
    """Let working orders act along this bar's path; count the bar if it is ambiguous."""
    if market.high < market.key_up and market.low > market.key_down:
        return
    bar = bar_at(world.markets + instrument * MARKET_WORDS * 8, 0)
    outcome = resolve(world, engine, market, instrument, bar, False)
    if outcome == 2:
        outcome = 0
        for k in range(market.n_detail):
            detail = bar_at(world.details + (instrument * world.detail_capacity + k) * DETAIL_SIZE, 0)
            if k > 0:  # what a jump passed is met at the new price on either path
                walk_gap(world, engine, market, detail.open)
            outcome |= resolve(world, engine, market, instrument, detail, True)
    if outcome != 0:
        engine.n_ambiguous += 1
        for k in range(world.batch_fills, world.n_fills):
            fill = fill_at(world.fills, k)
            if fill.instrument == instrument:
                fill.ambiguous = 1
    refresh_keys(world, market)
