"""Breakouts of a channel in both directions, written by hand."""

from tradectl.strategy import (
    Atr,
    Bollinger,
    Donchian,
    Float64,
    Int64,
    atr,
    bollinger,
    donchian,
    ready,
    strategy,
)


@strategy
class Twin:
    """Long above the channel with a stop that trails, short below it until the middle of the Bollinger bands."""

    class State:
        channel = Donchian(20)
        range = Atr(14)
        close = Float64(float("nan"))
        bands = Bollinger(20, 2.0)
        stop = Int64()
        stop_price = Float64()
        exit = Int64()
        next = Int64()

    def on_bar(ctx, p, s):
        donchian(s.channel, ctx.high_ticks, ctx.low_ticks)
        atr(s.range, ctx.high, ctx.low, ctx.close)
        bollinger(s.bands, ctx.close)
        s.close = ctx.close
        if not (ctx.is_tradable and ready(s.channel) and ready(s.range) and ready(s.bands)):
            return
        is_above = ctx.close_ticks > s.channel.prior_upper
        is_below = ctx.close_ticks < s.channel.prior_lower
        if not ctx.is_live(s.exit):
            s.next = 0
        if ctx.position_lots > 0:
            if is_below:
                s.next = -1
                leave(ctx, s)
            elif not ctx.is_live(s.exit):
                trail(ctx, s)
        elif ctx.position_lots < 0:
            if is_above or ctx.close > s.bands.middle:
                s.next = 1 if is_above else 0
                leave(ctx, s)
        elif ctx.open_orders == 0:
            if is_above:
                ctx.buy()
            elif is_below:
                ctx.sell_value(0.25 * ctx.equity)

    def on_fill(ctx, p, s, fill):
        if ctx.position_lots == 0:
            wanted = s.next
            s.next = 0
            if wanted > 0:
                ctx.buy()
            elif wanted < 0:
                ctx.sell_value(0.25 * ctx.equity)
        elif fill.side > 0 and ctx.position_lots > 0:
            if ctx.is_live(s.stop):
                ctx.cancel(s.stop)
            s.stop_price = s.close - 3.0 * s.range.value
            s.stop = ctx.sell(stop=s.stop_price, reduce_only=True)


def leave(ctx, s):
    """Close the position, once."""
    if not ctx.is_live(s.exit):
        if ctx.open_orders > 0:
            ctx.cancel_all()
        s.exit = ctx.close_position()


def trail(ctx, s):
    """Raise the stop behind the close."""
    level = ctx.close - 3.0 * s.range.value
    if not ctx.is_live(s.stop):
        s.stop = ctx.sell(stop=s.stop_price, reduce_only=True)
    elif level >= s.stop_price + ctx.tick_size:
        s.stop_price = level
        ctx.modify(s.stop, stop=level)
