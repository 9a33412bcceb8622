"""Execution of one parent order evenly over time; `vwap.py` shares what works a slice."""

from tradectl.strategy import IOC, Bool, Choice, Float, Int, Int64, OrderStatus, OrderType, Reason, strategy

LIMIT, MARKET = int(OrderType.LIMIT), int(OrderType.MARKET)
FILLED = int(OrderStatus.FILLED)  # the first of the final ones
CANCELED = int(Reason.CANCELED_BY_STRATEGY)
CHILD, TAKE, REST = 1, 2, 3  # tags: an order that waits, one that takes, what finishes the parent
SECOND = 1e9  # ns
AGAIN = 1_000_000_000  # ns between two looks at a parent order whose time is over
WIDE = 1_000_000  # ticks; a spread of more is none
WAITING, TAKING, ENDING = 0, 1, 2


@strategy
class Twap:
    """Buy or sell `qty` in equal slices: by the end of slice k, (k + 1) / slices of it should be done.

    At the start of each slice what is missing to its target is sent as one limit order `offset` ticks behind the own
    best price (below zero: towards the other side, as far as IOC at its best). What is left of it after `patience` of
    the slice takes the other side's best price (IOC). With `max_share` below 1 the parent never has more than
    this share of what traded since its start. At the end the remainder goes as a market order (`finish`).
    The schedule is that of R. Almgren and N. Chriss, Optimal execution of portfolio transactions (2001),
    for a trader without risk aversion. What it cost stands in the run's tables of fills and orders.
    """

    class Params:
        side = Choice("buy", {"buy": 1, "sell": -1}, help="what the parent order does")
        qty = Float(100.0, low=1e-9, high=1e12, help="quantity of the parent order, in units of the base")
        delay = Float(0.0, low=0.0, high=31_536_000.0, help="s from the first event to the start")
        duration = Float(3600.0, low=0.1, high=31_536_000.0, help="s from start to end")
        slices = Int(60, low=1, high=100_000, help="equal parts of the duration")
        offset = Int(0, low=-100_000, high=100_000, help="ticks behind the own best price")
        patience = Float(0.7, low=0.0, high=1.0, help="part of a slice after which the other side is taken; 1: never")
        max_share = Float(1.0, low=1e-6, high=1.0, help="most of what traded since the start; 1: no cap")
        finish = Bool(True, help="send what is left at the end as a market order")

    class State:
        begin = Int64()  # ns
        parent = Int64()  # lots
        target = Int64()  # lots that should be done by the end of this slice
        done = Int64()  # lots, as reports have told
        order = Int64()  # the order on its way or at work, 0: none
        traded = Int64()  # lots that traded since the start
        slice = Int64()  # the current slice; -1: not begun, `slices`: over
        phase = Int64()  # of this slice: waiting, taking; or sending the rest

    def on_start(ctx, p, s):
        begin(ctx, p, s)

    def on_trade(ctx, p, s):
        if s.slice >= 0:
            s.traded += ctx.trade_lots

    def on_timer(ctx, p, s):
        next_part(ctx, p, s)
        s.target = s.parent * min(s.slice + 1, p.slices) // p.slices
        work(ctx, p, s)

    def on_fill(ctx, p, s, fill):
        take_fill(s, fill)

    def on_order(ctx, p, s, order):
        if take_order(s, order):
            work(ctx, p, s)


def begin(ctx, p, s):
    """Set the parent order and the timer of its first slice."""
    s.begin = ctx.now + int(p.delay * SECOND)
    s.parent = int(p.qty / ctx.lot_size + 1e-6)
    s.slice = -1
    ctx.set_timer(s.begin)


def slice_ns(p, k):
    """Return when slice `k` begins, ns after the start."""
    return int(p.duration * SECOND * k / p.slices)


def next_part(ctx, p, s):
    """Go on to what has begun by now, the waiting or the taking part of a slice; set the timer of the next."""
    age = ctx.now - s.begin
    if s.slice < 0 or age >= slice_ns(p, s.slice + 1):
        s.slice += 1
        s.phase = WAITING
    elif s.slice < p.slices:
        s.phase = TAKING
    if s.slice >= p.slices:
        return
    start, end = slice_ns(p, s.slice), slice_ns(p, s.slice + 1)
    turn = start + int((end - start) * p.patience)
    ctx.set_timer(s.begin + (turn if s.phase == WAITING and turn < end else end))


def take_fill(s, fill):
    """Take in a fill."""
    s.done += fill.qty_lots
    if fill.leaves_lots == 0 and fill.order_id == s.order:
        s.order = 0


def take_order(s, order):
    """Take in a report; return whether an order was canceled to make room for the next."""
    if order.order_id != s.order or order.status < FILLED:
        return False
    s.order = 0
    return order.reason == CANCELED


def work(ctx, p, s):
    """Send what is missing to the target, once no other order is at work."""
    if s.slice >= p.slices:
        end(ctx, p, s)
        return
    if ctx.is_live(s.order):
        if not ctx.is_in_flight(s.order):
            ctx.cancel(s.order)  # its report calls `work` again
        return
    lots = min(s.target, s.parent) - s.done
    if p.max_share < 1.0:
        lots = min(lots, int(p.max_share * s.traded) - s.done)
    if lots <= 0 or ctx.spread_ticks > WIDE:
        return
    own, other = ctx.bid_ticks, ctx.ask_ticks
    if p.side < 0:
        own, other = other, own
    price = own - p.side * p.offset
    if s.phase == TAKING or p.side * price >= p.side * other:
        s.order = ctx.submit(p.side, LIMIT, lots, other, tif=IOC, tag=TAKE)
    elif price > 0:
        s.order = ctx.submit(p.side, LIMIT, lots, price, tag=CHILD)


def end(ctx, p, s):
    """After the last slice: withdraw what waits, send the rest; look again until nothing is left to do."""
    live = ctx.is_live(s.order)
    if s.done >= s.parent or not (live or p.finish):
        return
    ctx.set_timer(ctx.now + AGAIN)
    if live and s.phase != ENDING and not ctx.is_in_flight(s.order):
        ctx.cancel(s.order)
    elif not live:
        s.phase = ENDING
        s.order = ctx.submit(p.side, MARKET, s.parent - s.done, tag=REST)
