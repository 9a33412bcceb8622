"""Entries that rest in the book, written by hand: a bid on a band, a stop below a channel."""

from tradectl.strategy import (
    Bollinger,
    Donchian,
    Float64,
    Int64,
    Rsi,
    Sma,
    bollinger,
    donchian,
    ready,
    rsi,
    sma,
    strategy,
)


@strategy
class Twin:
    """Bid on the lower band while the RSI is low, sell short through the channel below the average."""

    class State:
        index = Rsi(14)
        bands = Bollinger(20, 2.0)
        close = Float64(float("nan"))
        average = Sma(50)
        channel = Donchian(20)
        stop = Int64()
        stop_price = Float64()
        target = Int64()
        bid = Int64()
        bid_price = Float64()
        ask = Int64()
        ask_price = Float64()
        ask_trigger = Float64()
        exit = Int64()

    def on_bar(ctx, p, s):
        weakness = rsi(s.index, ctx.close)
        bollinger(s.bands, ctx.close)
        sma(s.average, ctx.close_ticks)
        donchian(s.channel, ctx.high_ticks, ctx.low_ticks)
        s.close = ctx.close
        if not (ctx.is_tradable and ready(s.index) and ready(s.bands) and ready(s.average) and ready(s.channel)):
            return
        is_weak = weakness < 55.0
        is_below = ctx.close_ticks * s.average.length < s.average.total
        held = ctx.position_lots
        if held > 0:
            if ctx.close > s.bands.middle:
                leave(ctx, s)
            elif not ctx.is_live(s.exit):
                if not ctx.is_live(s.stop):
                    s.stop = ctx.sell(stop=s.stop_price, reduce_only=True)
                bid(ctx, s, is_weak, held)
        elif held < 0:
            if ctx.close > s.bands.upper:
                leave(ctx, s)
            elif not ctx.is_live(s.exit):
                ask(ctx, s, is_below, held)
        else:
            bid(ctx, s, is_weak, held)
            ask(ctx, s, is_below, held)

    def on_fill(ctx, p, s, fill):
        held = ctx.position_lots
        if (held == 0 or (fill.side < 0 and held < 0)) and ctx.is_live(s.bid):
            ctx.cancel(s.bid)
        if (held == 0 or (fill.side > 0 and held > 0)) and ctx.is_live(s.ask):
            ctx.cancel(s.ask)
        if fill.side > 0 and held > 0:
            if ctx.is_live(s.stop):
                ctx.cancel(s.stop)
            s.stop_price = ctx.entry_price * 0.98
            s.stop = ctx.sell(stop=s.stop_price, reduce_only=True)
        elif fill.side < 0 and held < 0:
            if ctx.is_live(s.target):
                ctx.cancel(s.target)
            s.target = ctx.buy(limit=ctx.entry_price * 0.99, reduce_only=True)


def bid(ctx, s, is_wanted, held):
    """Keep the bid on the lower band."""
    price = s.bands.lower
    if ctx.is_live(s.bid):
        if not is_wanted:
            ctx.cancel(s.bid)
        elif abs(price - s.bid_price) >= ctx.tick_size:
            s.bid_price = price
            ctx.modify(s.bid, limit=price)
    elif is_wanted and held == 0:
        s.bid_price = price
        qty = ctx.round_qty(0.5 * ctx.equity / s.close)
        s.bid = ctx.buy(qty, limit=price) if qty > 0.0 else 0


def ask(ctx, s, is_wanted, held):
    """Keep the sell stop at the channel's low, with a limit below it."""
    trigger = s.channel.lower * ctx.tick_size
    price = trigger * 0.999
    if ctx.is_live(s.ask):
        if not is_wanted:
            ctx.cancel(s.ask)
        elif abs(price - s.ask_price) >= ctx.tick_size or abs(trigger - s.ask_trigger) >= ctx.tick_size:
            s.ask_price = price
            s.ask_trigger = trigger
            ctx.modify(s.ask, limit=price, stop=trigger)
    elif is_wanted and held == 0:
        s.ask_price = price
        s.ask_trigger = trigger
        s.ask = ctx.sell(limit=price, stop=trigger)


def leave(ctx, s):
    """Close the position, once."""
    if not ctx.is_live(s.exit):
        if ctx.open_orders > 0:
            ctx.cancel_all()
        s.exit = ctx.close_position()
