"""Taking with the imbalance of the book, and four ways out."""

from tradectl.strategy import IOC, Choice, Float, Float64, Int, Int64, strategy

SECOND = 1e9  # ns
WAIT, ENTER, LEAVE = 0, 1, 2  # tags of orders


@strategy
class ImbalanceTaker:
    """Take the touch on the side to which the book leans; leave when it leans back, at a gain, a loss or a time.

    The imbalance is (B - A) / (B + A), where B and A add the quantities of the best `levels` bids and asks, each
    level weighing `decay` times the one before; it is smoothed over messages. That it foretells the next move
    of the mid: R. Cont, A. Kukanov and S. Stoikov, The price impact of order book events (2014). Entries are IOC at
    the touch, so that they pay no more than was seen; exits are market orders, so that they happen.
    """

    class Params:
        levels = Int(5, low=1, high=50, help="levels of each side that are looked at")
        decay = Float(0.7, low=0.0, high=1.0, help="weight of a level, of the one before it")
        smooth = Float(0.2, low=0.001, high=1.0, help="weight of a message in the smoothed imbalance")
        enter = Float(0.6, low=0.0, high=1.0, help="imbalance from which on a position is entered")
        leave = Float(0.1, low=-1.0, high=1.0, help="imbalance in its favour below which a position is left")
        max_spread = Int(2, low=1, high=100_000, help="widest spread to enter at, ticks")
        take_profit = Int(8, low=1, high=1_000_000, help="gain at which a position is left, ticks of the mid")
        stop_loss = Int(6, low=1, high=1_000_000, help="loss at which a position is left, ticks of the mid")
        hold = Float(30.0, low=0.01, high=86_400.0, help="longest time in a position, s")
        pause = Float(5.0, low=0.0, high=86_400.0, help="time from an exit to the next entry, s")
        qty = Float(1.0, low=1e-9, high=1e9, help="size of an entry, in units of the base")
        sides = Choice("both", ["both", "long", "short"], help="positions that may be entered")

    class State:
        value = Float64()  # smoothed imbalance, -1 .. 1
        order = Int64()  # the order on its way, 0: none
        twice_entry = Int64()  # bid + ask in ticks when the position was entered
        ts_changed = Int64()  # ns, of the last fill

    def on_depth(ctx, p, s):
        if not ctx.is_synchronised or ctx.spread_ticks <= 0 or ctx.spread_ticks > 1_000_000:
            return
        s.value += p.smooth * (imbalance(ctx, p) - s.value)
        if ctx.is_live(s.order):
            return
        if ctx.position_lots != 0:
            watch(ctx, p, s)
        elif ctx.spread_ticks <= p.max_spread and ctx.now - s.ts_changed >= p.pause * SECOND:
            consider(ctx, p, s)

    def on_timer(ctx, p, s):
        if ctx.position_lots != 0 and not ctx.is_live(s.order):
            s.order = ctx.close_position(tag=LEAVE)  # the book stood still for the whole holding time

    def on_fill(ctx, p, s, fill):
        s.ts_changed = ctx.now
        if fill.tag == ENTER:
            s.twice_entry = ctx.bid_ticks + ctx.ask_ticks
            ctx.set_timer(ctx.now + int(p.hold * SECOND))


def imbalance(ctx, p):
    """Return the weighted imbalance of the best levels, -1 (all asks) .. 1 (all bids)."""
    bids, asks = ctx.depth_qty(1, p.levels, p.decay), ctx.depth_qty(-1, p.levels, p.decay)
    total = bids + asks
    return (bids - asks) / total if total > 0.0 else 0.0


def consider(ctx, p, s):
    """Enter to the side to which the book leans far enough."""
    if s.value >= p.enter and p.sides != 2:
        s.order = ctx.buy(qty=ctx.round_qty(p.qty), limit=ctx.ask, tif=IOC, tag=ENTER)
    elif s.value <= -p.enter and p.sides != 1:
        s.order = ctx.sell(qty=ctx.round_qty(p.qty), limit=ctx.bid, tif=IOC, tag=ENTER)


def watch(ctx, p, s):
    """Leave the position if any of the four reasons holds."""
    side = 1 if ctx.position_lots > 0 else -1
    gain = side * (ctx.bid_ticks + ctx.ask_ticks - s.twice_entry)  # half ticks
    over = ctx.now - s.ts_changed >= p.hold * SECOND
    if side * s.value < p.leave or gain >= 2 * p.take_profit or gain <= -2 * p.stop_loss or over:
        s.order = ctx.close_position(tag=LEAVE)
