"""Execution of one parent order along the traded volume."""

from twap import begin, next_part, slice_ns, take_fill, take_order, work

from tradectl.strategy import Bool, Choice, Float, Int, Int64, strategy

SECOND = 1e9  # ns
SEEN, WAITING = 0, 0


@strategy
class Vwap:
    """Buy or sell `qty` so that the part done follows the part of the volume traded.

    `volume: seen` looks at the trades: with V traded since the start, r lots traded a second since the first event
    and a time T left, V / (V + r T) of the volume has gone by. `given` takes an intraday profile instead: the
    relative volumes `w1` .. `w8` of eight equal parts of the duration. Slices, offset, patience, cap and end are
    those of `twap.py`. Source: R. Kissell and M. Glantz, Optimal Trading Strategies (2003), on VWAP schedules.
    """

    class Params:
        side = Choice("buy", {"buy": 1, "sell": -1}, help="what the parent order does")
        qty = Float(100.0, low=1e-9, high=1e12, help="quantity of the parent order, in units of the base")
        delay = Float(0.0, low=0.0, high=31_536_000.0, help="s from the first event to the start")
        duration = Float(3600.0, low=0.1, high=31_536_000.0, help="s from start to end")
        slices = Int(60, low=1, high=100_000, help="equal parts of the duration")
        offset = Int(0, low=-100_000, high=100_000, help="ticks behind the own best price")
        patience = Float(0.7, low=0.0, high=1.0, help="part of a slice after which the other side is taken; 1: never")
        max_share = Float(1.0, low=1e-6, high=1.0, help="most of what traded since the start; 1: no cap")
        finish = Bool(True, help="send what is left at the end as a market order")
        volume = Choice("seen", ["seen", "given"], help="where the schedule comes from")
        w1 = Float(1.0, low=0.0, high=1e6, help="relative volume of the first eighth of the duration")
        w2 = Float(1.0, low=0.0, high=1e6, help="... of the second")
        w3 = Float(1.0, low=0.0, high=1e6, help="... of the third")
        w4 = Float(1.0, low=0.0, high=1e6, help="... of the fourth")
        w5 = Float(1.0, low=0.0, high=1e6, help="... of the fifth")
        w6 = Float(1.0, low=0.0, high=1e6, help="... of the sixth")
        w7 = Float(1.0, low=0.0, high=1e6, help="... of the seventh")
        w8 = Float(1.0, low=0.0, high=1e6, help="... of the last")

    class State:
        begin = Int64()  # ns
        parent = Int64()  # lots
        target = Int64()  # lots that should be done by the end of this slice
        done = Int64()  # lots, as reports have told
        order = Int64()  # the order on its way or at work, 0: none
        traded = Int64()  # lots that traded since the start
        slice = Int64()  # the current slice; -1: not begun, `slices`: over
        phase = Int64()  # of this slice: waiting, taking; or sending the rest
        first = Int64()  # ns, of the first event
        total = Int64()  # lots that traded since then

    def on_start(ctx, p, s):
        s.first = ctx.now
        begin(ctx, p, s)

    def on_trade(ctx, p, s):
        s.total += ctx.trade_lots
        if s.slice >= 0:
            s.traded += ctx.trade_lots

    def on_timer(ctx, p, s):
        next_part(ctx, p, s)
        if s.phase == WAITING:
            part = part_seen(ctx, p, s) if p.volume == SEEN else part_given(p, min(s.slice + 1, p.slices) / p.slices)
            s.target = max(s.target, int(s.parent * min(part, 1.0)))
        work(ctx, p, s)

    def on_fill(ctx, p, s, fill):
        take_fill(s, fill)

    def on_order(ctx, p, s, order):
        if take_order(s, order):
            work(ctx, p, s)


def part_seen(ctx, p, s):
    """Return the part of the volume that will have traded by the end of this slice, at the mean rate so far."""
    if s.slice + 1 >= p.slices:
        return 1.0
    elapsed = (ctx.now - s.first) / SECOND
    rate = s.total / elapsed if elapsed > 0.0 else 0.0
    end = slice_ns(p, s.slice + 1) / SECOND
    now = (ctx.now - s.begin) / SECOND
    by_end, by_all = s.traded + rate * (end - now), s.traded + rate * (p.duration - now)
    return by_end / by_all if by_all > 0.0 else end / p.duration


def part_given(p, time):
    """Return the part of the given profile up to a part of the duration, 0 .. 1."""
    weights = (p.w1, p.w2, p.w3, p.w4, p.w5, p.w6, p.w7, p.w8)
    before, total = 0.0, 0.0
    for k in range(8):
        total += weights[k]
        before += weights[k] * min(max(8.0 * time - k, 0.0), 1.0)
    return before / total if total > 0.0 else time
