"""Crossover of exponential averages, sized so that the position's volatility is a given one."""

from tradectl.strategy import Bool, Ema, Float, Int, Line, Volatility, ema, ready, strategy, volatility


@strategy
class EmaCross:
    """Long while the fast average is above the slow one, with target ÷ realised volatility of equity in it.

    The size follows the volatility: an order is sent when the side changes, or when what is held is more than
    `band` of the wanted size away from it. With `short` (margin accounts) the position is short while the fast
    average is below. Sources: the double crossover method, J. J. Murphy, Technical Analysis of the Financial
    Markets (1999), chapter 9; sizing, T. Moskowitz, Y. Ooi and L. Pedersen, Time Series Momentum, Journal of
    Financial Economics 104 (2012).
    """

    class Params:
        fast = Int(20, low=2, high=500, help="bars in the fast average")
        slow = Int(60, low=3, high=1000, help="bars in the slow average")
        window = Int(96, low=2, high=2000, help="bars over which the volatility is measured")
        periods = Float(35_040.0, low=1.0, high=1e9, help="bars in a year: 35,040 of 15 minutes, 252 days of stocks")
        target = Float(0.2, low=0.001, high=5.0, help="volatility of the position in a year, fraction of equity")
        most = Float(0.95, low=0.01, high=100.0, help="largest position, fraction of equity")
        band = Float(0.2, low=0.0, high=0.9, help="how far the size may be off, fraction of the wanted one")
        short = Bool(False, help="also go short; needs a margin account")

    class State:
        fast = Ema("fast")
        slow = Ema("slow")
        volatility = Volatility("window", periods="periods")

    class Plots:
        fast = Line()
        slow = Line()
        volatility = Line(panel="volatility, %")

    def on_bar(ctx, p, s):
        ctx.plot("fast", ema(s.fast, ctx.close))
        ctx.plot("slow", ema(s.slow, ctx.close))
        ctx.plot("volatility", 100.0 * volatility(s.volatility, ctx.close))
        if not ready(s.fast) or not ready(s.slow) or not ready(s.volatility) or not ctx.is_tradable:
            return
        if ctx.open_orders > 0 or s.volatility.value <= 0.0:
            return
        side = wanted_side(s.fast.value, s.slow.value, p.short)
        wanted = side * min(p.target / s.volatility.value, p.most)
        held = ctx.position * ctx.close / ctx.equity if ctx.equity > 0.0 else 0.0
        if abs(wanted - held) > p.band * abs(wanted):
            ctx.target_percent(wanted)


def wanted_side(fast, slow, short):
    """Return 1 for a long position, -1 for a short one, 0 for none."""
    if fast > slow:
        return 1.0
    return -1.0 if short and fast < slow else 0.0
