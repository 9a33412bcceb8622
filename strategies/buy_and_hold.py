"""Buying and holding: what every other strategy has to be better than."""

from tradectl.strategy import Bool, strategy


@strategy
class BuyAndHold:
    """Buy each instrument once, at its first bar, for what `sizing` says; keep it to the end.

    What the gate refuses at that bar is asked for again at the next one. Source: the benchmark of E. Fama and
    M. Blume, Filter Rules and Stock-Market Trading, Journal of Business 39 (1966).
    """

    class State:
        bought = Bool()

    def on_bar(ctx, p, s):
        if not s.bought and ctx.open_orders == 0 and ctx.is_tradable:
            ctx.buy()

    def on_fill(ctx, p, s, fill):
        s.bought = True
