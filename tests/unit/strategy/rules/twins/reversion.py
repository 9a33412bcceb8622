"""RSI reversion with a stop and a target, written by hand."""

from tradectl.strategy import Float, Float64, Int, Int64, Rsi, rsi, strategy


@strategy
class Twin:
    """Buy half the equity when the RSI is low; leave when it is high, or at a stop or target around the entry."""

    class Params:
        length = Int(14, low=2, high=100)
        low_mark = Float(30.0, low=5.0, high=50.0)
        stop_at = Float(0.02)

    class State:
        rsi = Rsi("length")
        close = Float64(float("nan"))
        stop = Int64()
        stop_price = Float64()
        target = Int64()
        exit = Int64()

    def on_bar(ctx, p, s):
        index = rsi(s.rsi, ctx.close)
        s.close = ctx.close
        if not ctx.is_tradable or s.rsi.count < s.rsi.needed:
            return
        if ctx.position_lots == 0:
            if index < p.low_mark and ctx.open_orders == 0:
                qty = ctx.round_qty(0.5 * ctx.equity / ctx.close)
                if qty > 0.0:
                    ctx.buy(qty)
        elif index > 70.0:
            if not ctx.is_live(s.exit):
                if ctx.open_orders > 0:
                    ctx.cancel_all()
                s.exit = ctx.close_position()
        elif not ctx.is_live(s.exit) and not ctx.is_live(s.stop):
            s.stop = ctx.sell(stop=s.stop_price, reduce_only=True)

    def on_fill(ctx, p, s, fill):
        if fill.side < 0 or ctx.position_lots <= 0:
            return
        if ctx.is_live(s.stop):
            ctx.cancel(s.stop)
        s.stop_price = ctx.entry_price * (1.0 - p.stop_at)
        s.stop = ctx.sell(stop=s.stop_price, reduce_only=True)
        if ctx.is_live(s.target):
            ctx.cancel(s.target)
        s.target = ctx.sell(limit=ctx.entry_price * 1.03, reduce_only=True)
