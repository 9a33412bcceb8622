"""A grid of resting orders on the book."""

from tradectl.strategy import POST_ONLY, Array, Float, Int, Int64, OrderType, strategy

LIMIT = int(OrderType.LIMIT)
LINES = 100  # most lines on one side of the middle
SECOND = 1e9  # ns


@strategy
class BookGrid:
    """Bids on the lines below, asks on those above; what fills is answered one line further on the other side.

    The lines are `step` ticks apart, `lines` on each side of the mid at which the grid was set. A bid that fills
    puts an ask on the line above it, an ask that fills a bid on the line below: each such pair earns a step less
    fees. When the mid leaves the grid by more than a step, everything is canceled, the position closed, and
    a new grid set around the mid after `pause`. A common rule without an author.
    """

    class Params:
        lines = Int(8, low=1, high=LINES, help="lines on each side")
        step = Int(5, low=1, high=1_000_000, help="ticks between two lines")
        qty = Float(1.0, low=1e-9, high=1e9, help="size of an order, in units of the base")
        pause = Float(30.0, low=0.0, high=86_400.0, help="s without a grid after the mid has left one")
        look = Float(1.0, low=0.001, high=3600.0, help="s between two looks")

    class State:
        middle = Int64()  # ticks, the line that no order stands on at first; 0: no grid is set
        orders = Array(Int64, 2 * LINES + 1)  # order id on each line, 0: none
        wanted = Array(Int64, 2 * LINES + 1)  # side of the order that belongs on each line, 0: none
        ts_free = Int64()  # ns, from when on a grid may be set

    def on_start(ctx, p, s):
        ctx.set_timer(ctx.now + int(p.look * SECOND))

    def on_timer(ctx, p, s):
        ctx.set_timer(ctx.now + int(p.look * SECOND))
        if not ctx.is_synchronised or ctx.spread_ticks <= 0 or ctx.spread_ticks > 1_000_000:
            return
        mid = (ctx.bid_ticks + ctx.ask_ticks) // 2
        if s.middle == 0:
            if ctx.now >= s.ts_free and ctx.open_orders == 0 and ctx.position_lots == 0:
                set_grid(p, s, mid)
            elif ctx.now >= s.ts_free and ctx.open_orders == 0:
                ctx.close_position()  # what filled while its cancel was on its way
        elif abs(mid - s.middle) > (p.lines + 1) * p.step:
            ctx.cancel_all()
            ctx.close_position()
            s.middle = 0
            s.ts_free = ctx.now + int(p.pause * SECOND)
        if s.middle != 0:
            place(ctx, p, s)

    def on_fill(ctx, p, s, fill):
        line = fill.tag - 1
        if s.middle == 0 or line < 0 or fill.leaves_lots > 0 or s.orders[line] != fill.order_id:
            return
        s.orders[line] = 0
        s.wanted[line] = 0
        answer = line + fill.side
        if 0 <= answer <= 2 * p.lines:
            s.wanted[answer] = -fill.side
            place(ctx, p, s)


def set_grid(p, s, mid):
    """Set the lines around a price: bids are wanted below, asks above."""
    s.middle = mid
    for line in range(2 * p.lines + 1):
        s.orders[line] = 0
        s.wanted[line] = (1 if line < p.lines else 0) - (1 if line > p.lines else 0)


def place(ctx, p, s):
    """Send an order for each line that wants one and has none, where it would not take."""
    lots = max(int(p.qty / ctx.lot_size + 0.5), 1)
    for line in range(2 * p.lines + 1):
        side = s.wanted[line]
        if side == 0 or ctx.is_live(s.orders[line]):
            continue
        price = s.middle + (line - p.lines) * p.step
        rests = price < ctx.ask_ticks if side > 0 else price > ctx.bid_ticks
        if rests and price > 0:
            s.orders[line] = ctx.submit(side, LIMIT, lots, price, flags=POST_ONLY, tag=line + 1)
