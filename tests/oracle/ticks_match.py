"""Matching of the tick oracle: taking, queues, crossings, prints (docs/fills.md, 8)."""

from __future__ import annotations

from fractions import Fraction
from math import floor

from tests.golden.protocol import E9
from tests.oracle.bars_match import affordable, slipped
from tests.oracle.ticks_world import LIMITS, TickOrder, TickWorld
from tradectl.core.codes import BookLevel, FillPhase, LiquiditySide, OrderStatus, Reason, Side, TimeInForce

__all__ = ["arrive", "crossed", "print_alone", "trade_at_own", "waits", "would_take"]

MAKER, TAKER = LiquiditySide.MAKER, LiquiditySide.TAKER
BEHIND = 1e18  # lots ahead of an order behind the touch of an L1 book
TIE = 1e-7
IMMEDIATE = (TimeInForce.IOC, TimeInForce.FOK)


def waits(world: TickWorld, order: TickOrder) -> bool:
    """Say whether a reduce_only stop or GTC limit waits for a position."""
    kind = order.is_stop or (order.type in LIMITS and order.tif not in IMMEDIATE)
    return order.reduce_only and kind and not world.reducible(order)


def slips(order: TickOrder) -> bool:
    """Say whether an order pays slippage: one without a limit."""
    return order.type not in LIMITS


def execute(
    world: TickWorld, order: TickOrder, price: int, room: int, terms: tuple[LiquiditySide, FillPhase]
) -> int:
    """Fill at most `room` lots as far as position and account allow; return the lots (3.4)."""
    liquidity, phase = terms
    if order.reduce_only and not world.reducible(order):
        world.end(order, OrderStatus.CANCELED, Reason.REDUCE_ONLY_CLOSED)
        return 0
    qty = min(order.leaves, room)
    if order.reduce_only:
        qty = min(qty, world.reducible(order))
    shrunk = Reason.NONE
    held = max(0, world.positions[order.instrument].lots)
    if world.cash and order.side == Side.SELL and qty > held:
        qty, shrunk = held, Reason.SHRUNK_TO_POSITION
    if slips(order):
        price = worse(world, order, price)
    closing = min(qty, world.reducible(order))
    if qty > closing and order.tif != TimeInForce.FOK:
        can = affordable(world, order, price, liquidity, closing, qty - closing)
        if can < qty - closing:
            qty, shrunk = closing + can, Reason.SHRUNK_TO_BUYING_POWER
    if qty:
        world.book(order, price, qty, liquidity, phase, world.at)
    if order.live and shrunk:
        world.end(order, OrderStatus.CANCELED, shrunk)
    return qty


def worse(world: TickWorld, order: TickOrder, price: int) -> int:
    """Return a price with slippage in ticks or bps."""
    world.bars = [None] * len(world.markets)
    return slipped(world, order, price, order.leaves)


def whole(world: TickWorld, order: TickOrder, price: int) -> bool:
    """Say whether position and account allow all that a FOK order wants, at `price`."""
    want, reducible = order.leaves, world.reducible(order)
    if order.reduce_only and reducible < want:
        return False
    if world.cash and order.side == Side.SELL and want > world.positions[order.instrument].lots:
        return False
    price = worse(world, order, price) if slips(order) else price
    closing = min(want, reducible)
    opening = want - closing
    return not opening or affordable(world, order, price, TAKER, closing, opening) == opening


# ---- taking from a book (8.2, 8.3)


def within(order: TickOrder, price: int) -> bool:
    """Say whether a price is within the order's limit, if it has one."""
    return order.type not in LIMITS or order.side * price <= order.side * order.limit


def would_take(world: TickWorld, order: TickOrder) -> bool:
    """Say whether a limit reaches the other side of the book, or (trades alone) lies beyond the last print."""
    market = world.markets[order.instrument]
    if order.type not in LIMITS or market.broken:
        return False
    if market.level == BookLevel.PRINTS:
        last = world.last[order.instrument]
        assert last is not None
        beyond = order.side * (order.limit - last)
        return beyond > 0 or (beyond == 0 and world.config.limit_touch)
    opposite = market.book.best(-order.side)
    return opposite is not None and within(order, opposite)


def offers(world: TickWorld, order: TickOrder) -> list[tuple[int, int]]:
    """Return (price, lots) that an order can take within its limit, best first."""
    market = world.markets[order.instrument]
    found = [(price, lots) for price, lots in market.book.offers(-order.side) if within(order, price)]
    touch = market.book.best(-order.side)
    if market.level == BookLevel.QUOTES and world.ticks.l1_leftover_ticks and touch is not None:
        behind = touch + order.side * world.ticks.l1_leftover_ticks
        if within(order, behind):
            found.append((behind, 10**15))
    return found


def take(world: TickWorld, order: TickOrder) -> None:
    """Take what is offered, level by level."""
    book = world.markets[order.instrument].book
    for price, lots in offers(world, order):
        wanted = min(lots, order.leaves)
        got = execute(world, order, price, lots, (TAKER, FillPhase.BOOK))
        if got and lots < 10**15:
            book.take(-order.side, price, got)
        if got < wanted or not order.live:
            return


def takes_whole(world: TickWorld, order: TickOrder) -> bool:
    """Say whether a FOK order can take all that it wants, judged at the worst of its prices."""
    left = order.leaves
    for price, lots in offers(world, order):
        left -= lots
        if left <= 0:
            return whole(world, order, price)
    return False


def rest(world: TickWorld, order: TickOrder) -> None:
    """Let an order wait in the queue at its limit."""
    market = world.markets[order.instrument]
    own = market.book.best(order.side)
    order.front = float(market.book.qty(order.side, order.limit))
    behind = own is not None and order.side * order.limit < order.side * own
    if market.level == BookLevel.QUOTES and behind:
        order.front = BEHIND
    order.resting, order.traded = True, 0


def arrive(world: TickWorld, order: TickOrder) -> None:
    """Let an order without an open trigger meet its market."""
    market = world.markets[order.instrument]
    if market.level == BookLevel.PRINTS:
        return
    if market.broken:
        if order.tif in IMMEDIATE:
            world.end(order, OrderStatus.CANCELED, Reason.BOOK_BROKEN)
        return
    if not waits(world, order) and (order.tif != TimeInForce.FOK or takes_whole(world, order)):
        take(world, order)
    if not order.live:
        return
    if order.tif in IMMEDIATE:
        world.expire(order)
    elif order.type in LIMITS:
        rest(world, order)
    else:
        world.end(order, OrderStatus.CANCELED, Reason.NO_LIQUIDITY)


# ---- resting orders


def was_there(world: TickWorld, order: TickOrder) -> bool:
    """Say whether an order had arrived before the event happened, which may be told late."""
    return order.arrival < world.at


def passed(world: TickWorld, instrument: int, side: int, price: int, strictly: bool) -> int:
    """Fill whole, at their own price, the orders of a side that a price, with `strictly` a trade, has passed."""
    filled = 0
    while True:
        found = [
            o
            for o in world.working(instrument)
            if o.side == side and o.type in LIMITS and not o.is_stop and not waits(world, o)
            and side * (o.limit - price) >= (1 if strictly else 0)
            and (not strictly or was_there(world, o))
        ]  # fmt: skip
        if not found:
            return filled
        order = min(found, key=lambda o: (-side * o.limit, o.priority))
        filled += execute(world, order, order.limit, order.leaves, (MAKER, FillPhase.THROUGH))


def crossed(world: TickWorld, instrument: int) -> None:
    """At a message's end: fill what the other side has reached with lots that own orders have not taken."""
    book = world.markets[instrument].book
    offered = {side: book.offers(-side) for side in (1, -1)}
    for side in (1, -1):
        if offered[side]:
            passed(world, instrument, side, offered[side][0][0], strictly=False)


def trade_at_own(world: TickWorld, instrument: int, trade: tuple[int, int, int], moves_queue: bool) -> None:
    """Let a trade (price, lots, aggressor) reach own orders: those it passed, then those at its price."""
    price, lots, aggressor = trade
    bid, ask = world.markets[instrument].touch
    for side in (1, -1):
        if aggressor == side:
            continue
        given = passed(world, instrument, side, price, strictly=True)
        touch = bid if side > 0 else ask
        at_touch = touch is not None and side * price <= side * touch
        if moves_queue and (aggressor == -side or at_touch):
            at_price(world, instrument, side, (price, lots, given))


def at_price(world: TickWorld, instrument: int, side: int, trade: tuple[int, int, int]) -> None:
    """Share what a trade (price, lots, already given) leaves among the orders in the queue at its price."""
    price, lots, given = trade
    for order in world.working(instrument):
        if not (order.resting and order.live and order.side == side and order.limit == price):
            continue
        if not was_there(world, order):
            continue
        left = max(lots - given, 0)
        order.traded += lots
        order.front -= left
        exact = 0.5 - order.front
        if order.front != round(order.front) and abs(exact - round(exact)) < TIE:
            world.near_ties += 1
        reached = min(floor(exact), left)
        if reached > 0:
            if not waits(world, order):
                given += execute(world, order, order.limit, reached, (MAKER, FillPhase.QUEUE))
            order.front = 0.0


# ---- trades alone (8.1)


def print_alone(world: TickWorld, instrument: int, price: int, lots: int) -> None:
    """Let a print reach own orders by priority; together they take at most `participation` of it."""
    room = floor(lots * Fraction(world.config.participation_e9, E9))
    for order in world.working(instrument):
        if order.live and not order.is_stop and not waits(world, order) and was_there(world, order):
            room -= meet_print(world, order, price, room)


def meet_print(world: TickWorld, order: TickOrder, price: int, room: int) -> int:
    """Let one order meet a print; return the lots that it took."""
    new = order.first_bar and not order.post_only
    order.first_bar = False
    rests = order.type in LIMITS
    better = order.side * (order.limit - price)
    met = not rests or better > 0 or (better == 0 and (new or world.config.limit_touch))
    taker = new or not rests
    at = price if taker else order.limit
    got = 0
    if met and room and (order.tif != TimeInForce.FOK or (room >= order.leaves and whole(world, order, at))):
        got = execute(world, order, at, room, (TAKER if taker else MAKER, FillPhase.PRINT))
    if order.live and order.tif in IMMEDIATE:
        world.expire(order)
    return got
