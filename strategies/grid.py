"""A grid of limit orders below the market, on bars."""

import math

from tradectl.strategy import Array, Float, Float64, Int, Int64, Steps, strategy

LINES = 50  # most lines


@strategy
class Grid:
    """Bids on lines a fraction `step` apart below the price; what a bid bought is sold one line higher.

    Each line has the same share of equity. When the price has risen a step above a grid that holds nothing, or has
    fallen a step below its last line, everything is canceled and closed, and a new grid set at the price of
    then. Only long, so a cash account will do. A common rule without an author.
    """

    class Params:
        lines = Int(8, low=1, high=LINES, help="bids below the price")
        step = Float(0.004, low=0.0001, high=0.5, help="distance of two lines, fraction of the price")
        invest = Float(0.9, low=0.01, high=1.0, help="fraction of equity when all bids have filled")

    class State:
        top = Float64()  # price of the line that the highest bid is sold at; 0: no grid is set
        lots = Int64()  # size of each order
        bids = Array(Int64, LINES)  # order ids by line, 0: none
        asks = Array(Int64, LINES)  # of what was bought on a line
        bought = Array(Int64, LINES)  # lots held of each line

    class Plots:
        top = Steps()
        bottom = Steps()

    def on_bar(ctx, p, s):
        if not ctx.is_tradable:
            return
        bottom = line_price(p, s, p.lines)
        ctx.plot("top", s.top if s.top > 0.0 else math.nan)
        ctx.plot("bottom", bottom if s.top > 0.0 else math.nan)
        above = ctx.position_lots == 0 and ctx.close > s.top * (1.0 + p.step)
        if s.top > 0.0 and (above or ctx.close < bottom * (1.0 - p.step)):
            ctx.cancel_all()
            ctx.close_position()
            s.top = 0.0
        elif s.top > 0.0:
            for line in range(p.lines):
                place(ctx, p, s, line)
        elif ctx.open_orders == 0:
            if ctx.position_lots == 0:
                set_grid(ctx, p, s)
            else:
                ctx.close_position()  # what filled while its cancel was on its way

    def on_fill(ctx, p, s, fill):
        line = fill.tag - 1
        if s.top == 0.0 or line < 0:
            return
        s.bought[line] += fill.side * fill.qty_lots
        if fill.leaves_lots == 0:
            place(ctx, p, s, line)


def line_price(p, s, line):
    """Return the price of a line, 0 the top."""
    return s.top * (1.0 - p.step * line)


def set_grid(ctx, p, s):
    """Set the lines below the last close, and what each order buys."""
    s.top = ctx.close
    s.lots = int(p.invest * ctx.equity / (p.lines * s.top * ctx.lot_size))
    for line in range(p.lines):
        s.bids[line] = 0
        s.asks[line] = 0
        s.bought[line] = 0
        place(ctx, p, s, line)


def place(ctx, p, s, line):
    """Send the order that a line waits for, where it has none: a bid, or the sale of what it bought."""
    if ctx.is_live(s.bids[line]) or ctx.is_live(s.asks[line]):
        return
    if s.bought[line] > 0:
        s.asks[line] = ctx.sell(s.bought[line] * ctx.lot_size, limit=line_price(p, s, line), tag=line + 1)
    elif s.lots > 0:
        s.bids[line] = ctx.buy(s.lots * ctx.lot_size, limit=line_price(p, s, line + 1), tag=line + 1)
