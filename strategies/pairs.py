"""Pairs trading with a rolling hedge ratio."""

import math

from tradectl.strategy import (
    Float,
    Float64,
    Int,
    Int64,
    Line,
    PairStats,
    Rolling,
    beta,
    ready,
    rolling,
    rolling_std,
    strategy,
)


@strategy(scope="portfolio")
class Pairs:
    """Trade how far the second of two instruments is from what the first one says it should be.

    The hedge ratio is the slope of the second one's closes on the first one's over `window` bars; the score is the
    newest residual of that line over the residuals' standard deviation. Beyond `enter` the cheap one is bought
    and the dear one sold, a unit of the second against as many of the first as the ratio says then; the pair is
    closed when the score has come back to `leave`, or when it has gone on to `stop`, after which it has to
    come back to `leave` before the next trade. Where the ratio has moved away from the position's by more than the
    fraction `rehedge`, the first leg is brought to what the new one says for the units of the second that are held;
    0 keeps the legs as they were opened, and so does a ratio that is not positive. A small fraction follows the
    regression bar by bar, as Chan does, and pays for it. Ids in alphabetical order; needs a margin account.
    Sources: E. Gatev, W. Goetzmann and K. Rouwenhorst, Pairs Trading, Review of Financial Studies 19 (2006); the
    rolling regression is E. Chan's, Algorithmic Trading (2013), chapter 3.
    """

    class Params:
        window = Int(200, low=10, high=2000, help="bars over which ratio and deviation are measured")
        enter = Float(2.0, low=0.1, high=10.0, help="score at which the pair is opened")
        leave = Float(0.2, low=0.0, high=9.0, help="score at which it is closed")
        stop = Float(5.0, low=0.2, high=100.0, help="score at which it is given up")
        rehedge = Float(0.0, low=0.0, high=10.0, help="drift of the ratio at which the first leg follows; 0: never")
        invest = Float(1.0, low=0.01, high=10.0, help="both legs together, fraction of equity")

    class State:
        fit = PairStats("window")
        spread = Rolling("window").of(fit)
        side = Int64()  # of the second instrument: 1 long, -1 short, 0 no position
        barred = Int64()  # 1 after a stop, until the score has come back
        ratio = Float64()  # of the position

    class Plots:
        score = Line(panel="score")
        ratio = Line(panel="hedge ratio")

    def on_start(ctx, p, s):
        if ctx.n_instruments != 2:
            raise ValueError("a pair is two instruments: name two in data.symbols")

    def on_batch(ctx, p, s):
        first = closed_at(ctx, 0)
        second = closed_at(ctx, 1)
        if first != first or second != second:
            return
        beta(s.fit, first, second)
        if not ready(s.fit):
            return
        rolling(s.spread, s.fit.residual)
        deviation = rolling_std(s.spread)
        score = s.fit.residual / deviation if deviation > 0.0 else math.nan
        ctx.plot("score", score)
        ctx.plot("ratio", s.fit.value)
        if score == score and is_idle(ctx):
            decide(ctx, p, s, score, first, second)


def closed_at(ctx, instrument):
    """Return the close of an instrument's bar that ends now, NaN where there is none or it cannot be traded."""
    tradable = ctx.select(instrument)
    return ctx.close if tradable and ctx.has_bar else math.nan


def is_idle(ctx):
    """Return whether no order of either leg works: what was decided is done."""
    ctx.select(0)
    working = ctx.open_orders
    ctx.select(1)
    return working + ctx.open_orders == 0


def decide(ctx, p, s, score, first, second):
    """Open the pair, close it or bring its legs back into proportion."""
    size = abs(score)
    if s.side != 0 and (s.side * score >= -p.leave or size >= p.stop):
        s.barred = 1 if size >= p.stop else 0
        s.side = 0
        for leg in range(2):
            ctx.select(leg)
            ctx.close_position()
    elif s.side != 0:
        if 0.0 < p.rehedge * s.ratio < abs(s.fit.value - s.ratio) and s.fit.value > 0.0:
            ctx.select(1)
            units = ctx.position
            ctx.select(0)
            s.ratio = s.fit.value
            ctx.target_value(-units * s.ratio * first)
    elif s.barred != 0:
        s.barred = 1 if size > p.leave else 0
    elif p.enter <= size < p.stop and s.fit.value > 0.0:
        s.side = -1 if score > 0.0 else 1
        s.ratio = s.fit.value
        units = p.invest * ctx.equity / (second + s.ratio * first)
        ctx.select(0)
        ctx.target_value(-s.side * units * s.ratio * first)
        ctx.select(1)
        ctx.target_value(s.side * units * second)
