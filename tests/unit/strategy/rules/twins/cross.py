"""The moving average cross, written by hand."""

from tradectl.strategy import Cross, Int, Int64, Sma, cross, ready, sma, sma_compare, strategy


@strategy
class Twin:
    """Long from the bar on which the fast average crosses above the slow one, until it crosses below."""

    class Params:
        fast = Int(10, low=2, high=500)
        slow = Int(30, low=3, high=500)

    class State:
        fast = Sma("fast")
        slow = Sma("slow")
        cross = Cross()
        exit = Int64()

    def on_bar(ctx, p, s):
        sma(s.fast, ctx.close_ticks)
        sma(s.slow, ctx.close_ticks)
        turned = cross(s.cross, sma_compare(s.fast, s.slow))
        if not ctx.is_tradable or not ready(s.fast) or not ready(s.slow):
            return
        if ctx.position_lots > 0:
            if turned < 0 and not ctx.is_live(s.exit):
                if ctx.open_orders > 0:
                    ctx.cancel_all()
                s.exit = ctx.close_position()
        elif turned > 0 and ctx.open_orders == 0:
            ctx.buy()
