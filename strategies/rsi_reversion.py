"""Mean reversion on Wilder's RSI with a stop and a target order."""

from tradectl.strategy import Bool, Float, Int, Int64, Line, Rsi, rsi, strategy

ENTRY, STOP, TARGET = 1, 2, 3  # tags of the orders


@strategy
class RsiReversion:
    """Buy when the RSI is low; leave by a stop below or a target above the fill, both reduce_only.

    Each fill of the entry gets its own pair of exit orders; the engine shrinks or cancels what is left of
    them as the position shrinks. With `limit` the entry waits one bar at the close instead of paying the
    market. Source: the oversold rule of J. Welles Wilder, New Concepts in Technical Trading Systems (1978),
    with fixed exits.
    """

    class Params:
        length = Int(14, low=2, high=200, help="changes in the RSI")
        low = Float(30.0, low=1.0, high=50.0, help="buy when the RSI is below")
        stop = Float(0.02, low=0.0001, high=0.9, help="distance of the stop, fraction of the fill price")
        target = Float(0.02, low=0.0001, high=9.0, help="distance of the target, fraction of the fill price")
        limit = Bool(False, help="enter by a limit order at the close")

    class State:
        rsi = Rsi("length")
        entry = Int64()  # order id of the last entry

    class Plots:
        rsi = Line(panel="RSI")
        low = Line(panel="RSI")

    def on_bar(ctx, p, s):
        index = rsi(s.rsi, ctx.close)
        ctx.plot("rsi", index)
        ctx.plot("low", p.low)
        if ctx.is_live(s.entry):
            ctx.cancel(s.entry)  # a limit that did not fill within the bar
            return
        if index < p.low and ctx.position_lots == 0 and ctx.open_orders == 0 and ctx.is_tradable:
            if p.limit:
                s.entry = ctx.buy(limit=ctx.close, tag=ENTRY)
            else:
                s.entry = ctx.buy(tag=ENTRY)

    def on_fill(ctx, p, s, fill):
        if fill.tag == ENTRY:
            ctx.sell(fill.qty, stop=fill.price * (1.0 - p.stop), reduce_only=True, tag=STOP)
            ctx.sell(fill.qty, limit=fill.price * (1.0 + p.target), reduce_only=True, tag=TARGET)
