"""Channel breakout with a trailing stop, after the Turtle traders."""

import math

from tradectl.strategy import Atr, Donchian, Float, Float64, Int, Int64, Steps, atr, donchian, ready, strategy


@strategy
class DonchianBreakout:
    """Buy when the close is above the highest high of the bars before; trail a stop some ATRs below the close.

    The stop is one reduce_only order for the whole position; it is only ever raised, by modify. Source:
    R. Donchian's channel rule (1960) with the ATR stop of the Turtles (C. Faith, Way of the Turtle, 2007).
    """

    class Params:
        length = Int(20, low=2, high=500, help="bars in the channel")
        atr = Int(14, low=2, high=200, help="bars in the average true range")
        width = Float(3.0, low=0.1, high=50.0, help="distance of the stop in average true ranges")

    class State:
        channel = Donchian("length")
        range = Atr("atr")
        stop = Int64()  # order id of the stop
        level = Float64()  # price of the stop

    class Plots:
        upper = Steps()
        stop = Steps()

    def on_bar(ctx, p, s):
        complete = donchian(s.channel, ctx.high_ticks, ctx.low_ticks)
        atr(s.range, ctx.high, ctx.low, ctx.close)
        ctx.plot("upper", s.channel.prior_upper * ctx.tick_size if complete else math.nan)
        ctx.plot("stop", s.level if ctx.position_lots > 0 else math.nan)
        if ctx.position_lots > 0:
            trail(ctx, s, ctx.close - p.width * s.range.value)
        elif complete and ready(s.range) and ctx.open_orders == 0 and ctx.is_tradable:
            if ctx.close_ticks > s.channel.prior_upper:
                ctx.buy()

    def on_fill(ctx, p, s, fill):
        if fill.side > 0:
            if ctx.is_live(s.stop):
                ctx.cancel(s.stop)  # of an earlier part of the entry
            s.level = fill.price - p.width * s.range.value
            s.stop = ctx.sell(stop=s.level, reduce_only=True)


def trail(ctx, s, level):
    """Raise the stop to `level` if that is at least one tick up; put it back where it is gone."""
    if not ctx.is_live(s.stop):
        s.stop = ctx.sell(stop=s.level, reduce_only=True)
    elif level >= s.level + ctx.tick_size:
        s.level = level
        ctx.modify(s.stop, stop=level)
