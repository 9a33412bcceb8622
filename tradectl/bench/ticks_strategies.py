"""The strategies that the bench of tick data runs: none, an empty hook, a market maker on messages or on a timer."""
# mypy: ignore-errors
# ruff: noqa: D102, D106

from tradectl.strategy import Int, Int64, OrderType, strategy

LIMIT = int(OrderType.LIMIT)


@strategy
class Still:
    """Look at nothing: it has no hook that tick data calls."""

    class State:
        bars = Int64()

    def on_bar(ctx, p, s):
        s.bars += 1


@strategy
class Watch:
    """Be called on each message, and do nothing."""

    def on_depth(ctx, p, s):
        return


@strategy
class WatchQuotes:
    """Be called on each change of the touch, and do nothing."""

    def on_quote(ctx, p, s):
        return


def quote(ctx, p, s):
    """Keep one order on each side, some ticks behind the touch and farther on the side held; it stays while near."""
    if ctx.spread_ticks <= 0 or ctx.spread_ticks > 10_000:
        return
    if ctx.position_lots != s.held:
        s.held = ctx.position_lots
        s.lean = s.held // p.lean_lots
    bid = ctx.bid_ticks - p.away_ticks - max(s.lean, 0)
    ask = ctx.ask_ticks + p.away_ticks - min(s.lean, 0)
    if abs(bid - s.bid) >= p.requote_ticks or not ctx.is_live(s.bid_order):
        if ctx.is_live(s.bid_order):
            ctx.cancel(s.bid_order)
        s.bid_order = ctx.submit(1, LIMIT, p.lots, bid)
        s.bid = bid
    if abs(ask - s.ask) >= p.requote_ticks or not ctx.is_live(s.ask_order):
        if ctx.is_live(s.ask_order):
            ctx.cancel(s.ask_order)
        s.ask_order = ctx.submit(-1, LIMIT, p.lots, ask)
        s.ask = ask


@strategy
class Maker:
    """Make a market, looking at each message."""

    class Params:
        lots = Int(10, low=1, high=10_000)
        away_ticks = Int(2, low=0, high=1_000)
        requote_ticks = Int(6, low=1, high=1_000)
        lean_lots = Int(50, low=1, high=100_000, help="lots held that move a quote by a tick")

    class State:
        bid_order = Int64()
        ask_order = Int64()
        bid = Int64()
        ask = Int64()
        held = Int64()
        lean = Int64()  # ticks

    def on_depth(ctx, p, s):
        quote(ctx, p, s)


@strategy
class TimerMaker:
    """Make a market, looking ten times a second."""

    class Params:
        lots = Int(10, low=1, high=10_000)
        away_ticks = Int(2, low=0, high=1_000)
        requote_ticks = Int(6, low=1, high=1_000)
        lean_lots = Int(50, low=1, high=100_000, help="lots held that move a quote by a tick")
        interval = Int(100_000_000, low=1, help="ns")

    class State:
        bid_order = Int64()
        ask_order = Int64()
        bid = Int64()
        ask = Int64()
        held = Int64()
        lean = Int64()  # ticks

    def on_start(ctx, p, s):
        ctx.set_timer(ctx.now + p.interval)

    def on_timer(ctx, p, s):
        ctx.set_timer(ctx.now + p.interval)
        quote(ctx, p, s)
