"""Simple moving average crossover, the textbook trend follower."""

from tradectl.strategy import Bool, Int, Int64, Line, Sma, sma, sma_compare, strategy


@strategy
class SmaCross:
    """Hold a long position while the fast average of closes is above the slow one.

    The averages are compared as exact integers. Where they are equal, the position stays as it is. With
    `short` (margin accounts) the position is short while the fast average is below. Source: the double
    crossover method, J. J. Murphy, Technical Analysis of the Financial Markets (1999), chapter 9.
    """

    class Params:
        fast = Int(10, low=2, high=500, help="bars in the fast average")
        slow = Int(30, low=3, high=500, help="bars in the slow average")
        short = Bool(False, help="also go short; needs a margin account")

    class State:
        fast = Sma("fast")
        slow = Sma("slow")
        side = Int64()  # the side that is wanted: +1 long, -1 flat or short, 0 not known yet

    class Plots:
        fast = Line()
        slow = Line()

    def on_bar(ctx, p, s):
        ctx.plot("fast", sma(s.fast, ctx.close_ticks) * ctx.tick_size)
        ctx.plot("slow", sma(s.slow, ctx.close_ticks) * ctx.tick_size)
        side = sma_compare(s.fast, s.slow)
        if side == 0 or side == s.side or not ctx.is_tradable:
            return
        s.side = side
        if ctx.open_orders > 0:
            ctx.cancel_all()
        if ctx.position_lots == 0:
            enter(ctx, side, p.short)
        else:
            ctx.close_position()

    def on_fill(ctx, p, s, fill):
        if ctx.position_lots == 0:  # the old position is closed: now the other side
            enter(ctx, s.side, p.short)


def enter(ctx, side, short):
    """Open a position with the configured sizing."""
    if side > 0:
        ctx.buy()
    elif short:
        ctx.sell()
