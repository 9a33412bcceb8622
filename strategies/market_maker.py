"""Market making on a book: quotes on both sides, skewed against the inventory."""

from tradectl.strategy import (
    POST_ONLY,
    Array,
    Choice,
    Float,
    Float64,
    Int,
    Int64,
    OrderType,
    exp,
    log,
    power,
    sqrt,
    strategy,
)

LIMIT = int(OrderType.LIMIT)
BINS = 64  # depths at which arrivals of trades are counted
SECOND = 1e9  # ns
AVELLANEDA_STOIKOV, CLOSED_FORM = 0, 1


@strategy
class MarketMaker:
    """Keep one order on each side around a price that leans against what is held.

    `model: glft` quotes by the closed form of O. Gueant, C.-A. Lehalle and J. Fernandez-Tapia, Dealing with the
    inventory risk (2013), `as` by M. Avellaneda and S. Stoikov, High-frequency trading in a limit order book
    (2008), with a horizon that rolls. In both a quote d ticks from the mid is reached by A exp(-k d) trades a
    second and the mid moves by sigma ticks a square root of a second; the position counts in orders of `qty`.
    Sigma is measured on the run's own mids; A and k too (`intensity: measured`) by a line through the logarithm
    of the arrivals at each depth, else they are the parameters.
    """

    class Params:
        model = Choice("glft", {"as": AVELLANEDA_STOIKOV, "glft": CLOSED_FORM}, help="the formula of the quotes")
        gamma = Float(0.01, low=1e-6, high=10.0, help="aversion to inventory, per tick and order held")
        intensity = Choice("measured", ["fixed", "measured"], help="where A and k come from")
        arrivals = Float(1.0, low=1e-6, high=1e6, help="A: trades a second that reach the mid")
        kappa = Float(0.5, low=1e-4, high=100.0, help="k: decay of the arrivals with depth, per tick")
        depth_step = Int(1, low=1, high=100_000, help="half ticks between two depths at which arrivals are counted")
        horizon = Float(10.0, low=0.01, high=86_400.0, help="s, the rolling horizon of model `as`")
        memory = Float(60.0, low=1.0, high=86_400.0, help="s, half-life of what is measured")
        qty = Float(1.0, low=1e-9, high=1e9, help="size of an order, in units of the base")
        max_inventory = Int(5, low=1, high=10_000, help="largest position, in orders")
        min_spread = Int(1, low=1, high=100_000, help="least distance of the two quotes, ticks")
        requote_ticks = Int(2, low=1, high=10_000, help="an order keeps its place until its target is this far off")
        front_ticks = Int(1, low=0, high=10_000, help="... and this much more where it stands in front")
        front = Float(1.0, low=0.0, high=1e6, help="in front: at most so many orders of `qty` are ahead")
        interval = Float(0.2, low=0.001, high=3600.0, help="s between two looks at the quotes")
        warmup = Float(20.0, low=0.0, high=86_400.0, help="s of measuring before the first quote")

    class State:
        bid = Int64()  # order ids, 0: none
        ask = Int64()
        twice_mid = Int64()  # bid + ask in ticks at the last look
        since = Int64()  # ns, of the first look at a whole book
        seen = Float64()  # s that the measurements stand for
        moved = Float64()  # squared moves of the mid over that time, ticks²
        reached = Array(Float64, BINS)  # arrivals by how far from the mid they reached
        taker_ts = Int64()  # ns, exchange time of the arrival that is being counted
        taker_side = Int64()
        taker_far = Int64()  # half ticks

    def on_start(ctx, p, s):
        ctx.set_timer(ctx.now + int(p.interval * SECOND))

    def on_trade(ctx, p, s):
        far = ctx.trade_side * (2 * ctx.trade_ticks - ctx.bid_ticks - ctx.ask_ticks)
        if ctx.ts_exchange == s.taker_ts and ctx.trade_side == s.taker_side:
            s.taker_far = max(s.taker_far, far)  # one taker's order is told in several trades
            return
        count_arrival(p, s)
        s.taker_ts = ctx.ts_exchange
        s.taker_side = ctx.trade_side
        s.taker_far = far if ctx.spread_ticks > 0 and ctx.is_synchronised else 0

    def on_timer(ctx, p, s):
        ctx.set_timer(ctx.now + int(p.interval * SECOND))
        if not ctx.is_synchronised or ctx.spread_ticks <= 0 or ctx.spread_ticks > 1_000_000:
            withdraw(ctx, s.bid)
            withdraw(ctx, s.ask)
            s.twice_mid = 0
            return
        measure(ctx, p, s)
        if ctx.now - s.since >= p.warmup * SECOND:
            quote(ctx, p, s)

    def on_fill(ctx, p, s, fill):
        if ctx.spread_ticks > 0 and s.twice_mid != 0:
            quote(ctx, p, s)


def count_arrival(p, s):
    """Count the last arrival in its depth; one that did not reach beyond the mid tells nothing."""
    if s.taker_far > 0:
        s.reached[min((s.taker_far - 1) // p.depth_step, BINS - 1)] += 1.0
    s.taker_far = 0


def measure(ctx, p, s):
    """Take in the move of the mid since the last look, and let what is old fade."""
    twice_mid = ctx.bid_ticks + ctx.ask_ticks
    if s.twice_mid != 0:
        keep = exp(-log(2.0) * p.interval / p.memory)
        move = 0.5 * (twice_mid - s.twice_mid)
        s.moved = s.moved * keep + move * move
        s.seen = s.seen * keep + p.interval
        for k in range(BINS):
            s.reached[k] *= keep
    elif s.since == 0:
        s.since = ctx.now
    s.twice_mid = twice_mid


def fitted(p, s):
    """Return (A, k): least squares of log arrivals a second that reach a depth, over the depths that are reached.

    A is of one side: trades of both sides are counted together and halved.
    """
    n, x, y, xx, xy, above = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    for j in range(BINS):
        k = BINS - 1 - j
        above += s.reached[k]  # all that went at least so far
        if s.reached[k] > 0.0 and above >= 1.0:
            depth, rate = 0.5 * (k * p.depth_step + 1), log(0.5 * above / s.seen)
            n += 1.0
            x += depth
            y += rate
            xx += depth * depth
            xy += depth * rate
    spread = n * xx - x * x
    slope = (n * xy - x * y) / spread if spread > 0.0 else 0.0
    if n < 3.0 or slope > -1e-4:
        return p.arrivals, p.kappa
    return exp((y - slope * x) / n), -slope


def distances(p, s, held):
    """Return how far (bid, ask) should be from the mid in ticks when `held` orders are in the position."""
    variance = s.moved / s.seen if s.seen > 0.0 else 0.0  # ticks² a second
    arrivals, kappa = p.arrivals, p.kappa
    if p.intensity == 1:
        arrivals, kappa = fitted(p, s)
    base = log(1.0 + p.gamma / kappa) / p.gamma
    if p.model == CLOSED_FORM:
        steep = power(1.0 + p.gamma / kappa, 1.0 + kappa / p.gamma)
        lean = sqrt(variance * p.gamma / (2.0 * kappa * arrivals) * steep)
        return base + 0.5 * lean + held * lean, base + 0.5 * lean - held * lean
    lean = p.gamma * variance * p.horizon
    return base + 0.5 * lean + held * lean, base + 0.5 * lean - held * lean


def quote(ctx, p, s):
    """Take both quotes to their targets."""
    lots = max(int(p.qty / ctx.lot_size + 0.5), 1)
    below, above = distances(p, s, ctx.position_lots / lots)
    mid = 0.5 * (ctx.bid_ticks + ctx.ask_ticks)
    lack = max(0.5 * (p.min_spread - below - above), 0.0)
    bid = int(max(mid - below - lack, 1.0))
    ask = int(min(mid + above + lack, 2.0 * mid)) + 1
    bid, ask = min(bid, ctx.ask_ticks - 1), max(ask, ctx.bid_ticks + 1)  # makers only
    room = p.max_inventory * lots
    s.bid = kept(ctx, p, s.bid, 1, bid, min(lots, room - ctx.position_lots))
    s.ask = kept(ctx, p, s.ask, -1, ask, min(lots, room + ctx.position_lots))


def kept(ctx, p, order, side, target, lots):
    """Return the id of the order that stands for a side: the old one if it may keep its place, else a new one."""
    if not ctx.is_live(order):
        return ctx.submit(side, LIMIT, lots, target, flags=POST_ONLY) if lots > 0 else 0
    if ctx.is_in_flight(order):
        return order
    if lots <= 0:
        withdraw(ctx, order)
        return order
    allowed = p.requote_ticks
    if ctx.queue_ahead(order) <= p.front * p.qty:
        allowed += p.front_ticks
    if abs(ctx.order_ticks(order) - target) >= allowed:
        ctx.modify(order, limit=target * ctx.tick_size)
    return order


def withdraw(ctx, order):
    """Cancel an order, if there is one that can be."""
    if ctx.is_live(order) and not ctx.is_in_flight(order):
        ctx.cancel(order)
