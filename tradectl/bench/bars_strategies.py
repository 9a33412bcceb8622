"""The strategies that the bench of the fold runs: none, two averages that trade, five indicators that trade."""
# mypy: ignore-errors
# ruff: noqa: D102, D106

from tradectl.strategy import (
    Atr,
    Ema,
    Float64,
    Int,
    Int64,
    Rsi,
    Sma,
    atr,
    ema,
    rsi,
    sma,
    sma_compare,
    strategy,
)


@strategy
class Idle:
    """Count bars."""

    class State:
        bars = Int64()

    def on_bar(ctx, p, s):
        s.bars += 1


@strategy
class SmaCross:
    """Long while the fast average is above the slow one."""

    class Params:
        fast = Int(10, low=2, high=500)
        slow = Int(30, low=3, high=500)

    class State:
        fast = Sma("fast")
        slow = Sma("slow")
        side = Int64()

    def on_bar(ctx, p, s):
        sma(s.fast, ctx.close_ticks)
        sma(s.slow, ctx.close_ticks)
        side = sma_compare(s.fast, s.slow)
        if side == 0 or side == s.side:
            return
        s.side = side
        if side > 0:
            ctx.buy()
        elif ctx.position_lots > 0:
            ctx.close_position()


@strategy
class FiveIndicators:
    """The same, with an EMA, an RSI and an ATR computed beside the two averages."""

    class Params:
        fast = Int(10, low=2, high=500)
        slow = Int(30, low=3, high=500)
        length = Int(14, low=2, high=500)

    class State:
        fast = Sma("fast")
        slow = Sma("slow")
        smooth = Ema("length")
        strength = Rsi("length")
        range = Atr("length")
        side = Int64()
        seen = Float64()

    def on_bar(ctx, p, s):
        sma(s.fast, ctx.close_ticks)
        sma(s.slow, ctx.close_ticks)
        smooth = ema(s.smooth, ctx.close)
        strength = rsi(s.strength, ctx.close)
        s.seen = smooth + strength + atr(s.range, ctx.high, ctx.low, ctx.close)
        side = sma_compare(s.fast, s.slow)
        if side == 0 or side == s.side:
            return
        s.side = side
        if side > 0:
            ctx.buy()
        elif ctx.position_lots > 0:
            ctx.close_position()
