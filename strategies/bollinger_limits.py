"""Limit orders that rest on the Bollinger bands."""

from tradectl.strategy import Bollinger, Bool, Float, Int, Int64, Line, bollinger, ready, strategy

ENTRY, EXIT = 1, 2  # tags of the orders


@strategy
class BollingerLimits:
    """Rest a bid on the lower band and, with `short`, an ask on the upper one; leave by a limit on the middle.

    After each bar the orders are moved to where the bands are now, by modify. A fill cancels what is left of
    the entries; a position that the middle has not closed within `patience` bars is closed at the market.
    Source of the bands: J. Bollinger, Bollinger on Bollinger Bands (2001); the rule is a common one.
    """

    class Params:
        length = Int(20, low=2, high=500, help="bars in the mean")
        factor = Float(2.0, low=0.1, high=10.0, help="standard deviations between the mean and a band")
        patience = Int(96, low=1, high=100_000, help="bars that a position is held at most")
        short = Bool(False, help="also sell at the upper band; needs a margin account")

    class State:
        bands = Bollinger("length", factor="factor")
        bid = Int64()  # order ids
        ask = Int64()
        exit = Int64()
        held = Int64()  # bars since the position was opened

    class Plots:
        upper = Line()
        middle = Line()
        lower = Line()

    def on_bar(ctx, p, s):
        bollinger(s.bands, ctx.close)
        ctx.plot("upper", s.bands.upper)
        ctx.plot("middle", s.bands.middle)
        ctx.plot("lower", s.bands.lower)
        if not ready(s.bands) or not ctx.is_tradable:
            return
        if ctx.position_lots == 0:
            s.held = 0
            s.bid = rest(ctx, s.bid, 1, min(s.bands.lower, ctx.close))
            if p.short:
                s.ask = rest(ctx, s.ask, -1, max(s.bands.upper, ctx.close))
            return
        s.held += 1
        if s.held >= p.patience:
            ctx.cancel_all()
            ctx.close_position(tag=EXIT)
        else:
            leave(ctx, s, s.bands.middle)

    def on_fill(ctx, p, s, fill):
        if fill.tag == ENTRY:
            if ctx.is_live(s.bid):
                ctx.cancel(s.bid)
            if ctx.is_live(s.ask):
                ctx.cancel(s.ask)


def rest(ctx, order, side, price):
    """Move an entry to a price, or send it where there is none; return its id."""
    if ctx.is_live(order):
        if abs(ctx.order_price(order) - price) >= ctx.tick_size:
            ctx.modify(order, limit=price)
        return order
    return ctx.buy(limit=price, tag=ENTRY) if side > 0 else ctx.sell(limit=price, tag=ENTRY)


def leave(ctx, s, price):
    """Keep an exit for the whole position at a price."""
    if not ctx.is_live(s.exit):
        if ctx.position_lots > 0:
            s.exit = ctx.sell(limit=price, reduce_only=True, tag=EXIT)
        else:
            s.exit = ctx.buy(limit=price, reduce_only=True, tag=EXIT)
    elif abs(ctx.leaves(s.exit) - abs(ctx.position)) > 0.5 * ctx.lot_size:
        ctx.cancel(s.exit)  # the entry went on filling: the next bar sends one for all
    elif abs(ctx.order_price(s.exit) - price) >= ctx.tick_size:
        ctx.modify(s.exit, limit=price)
