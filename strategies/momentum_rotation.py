"""Cross-sectional momentum: hold what rose most."""

from tradectl.strategy import Bool, Float, Float64, Int, Int64, Line, PerInstrument, Roc, ready, roc, strategy


@strategy(scope="portfolio")
class MomentumRotation:
    """Every `every` bars, hold the `top` instruments of highest return over `lookback` bars in equal weights.

    Ties go to the instrument that is first in the alphabet; instruments that are not tradable, have no bar
    at this time or not enough history are passed over, and their share stays in cash. Source: N. Jegadeesh
    and S. Titman, Returns to Buying Winners and Selling Losers, Journal of Finance 48 (1993); long side only.
    """

    class Params:
        lookback = Int(168, low=1, high=1000, help="bars over which the return is measured")
        top = Int(5, low=1, high=100, help="how many instruments are held")
        every = Int(24, low=1, high=10000, help="bars between two rebalances")
        invest = Float(0.95, low=0.01, high=1.0, help="fraction of equity to invest")
        rising = Bool(True, help="hold only what rose; otherwise the best even in a falling market")

    class State:
        roc = PerInstrument(Roc("lookback"))
        weight = PerInstrument(Float64)
        batches = Int64()

    class Plots:
        momentum = Line(panel="change, %")

    def on_batch(ctx, p, s):
        for i in range(ctx.n_instruments):
            ctx.select(i)
            if ctx.has_bar:
                ctx.plot("momentum", 100.0 * roc(s.roc[i], ctx.close))
        s.batches += 1
        if s.batches % p.every == 0 and choose(ctx, s, p.top, p.invest / p.top, p.rising) > 0:
            ctx.rebalance(s.weight)


def choose(ctx, s, top, weight, rising):
    """Give `weight` to the `top` best instruments; return how many have enough history."""
    known = 0
    for i in range(ctx.n_instruments):
        s.weight[i] = 0.0
        if ready(s.roc[i]):
            known += 1
    for _place in range(top):
        best = -1
        for i in range(ctx.n_instruments):
            if s.weight[i] == 0.0 and ready(s.roc[i]) and (s.roc[i].value > 0.0 or not rising):
                if best < 0 or s.roc[i].value > s.roc[best].value:
                    if ctx.select(i) and ctx.has_bar:
                        best = i
        if best < 0:
            break
        s.weight[best] = weight
    return known
