"""Seeded random runs on tick data: messages that contradict each other, late stamps, gaps, orders of all kinds."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field, replace
from decimal import Decimal

from tests.golden.protocol import E9, Cancel, Config, InstrumentSpec, Modify, Request, Submit
from tests.golden_ticks.protocol import Event, Result, Step, StepReport, TickBackend, TickConfig
from tests.oracle.random_hours import with_hours, with_times
from tradectl.core.codes import (
    AccountType,
    BookLevel,
    Command,
    EventFlag,
    EventKind,
    MarketStatus,
    OrderType,
    QueueModel,
    TimeInForce,
    TriggerSource,
)

__all__ = ["Run", "census", "compare", "make_run", "run_steps"]

END, BEGIN, WHOLE = int(EventFlag.MESSAGE_END), int(EventFlag.SNAPSHOT_BEGIN), int(EventFlag.SNAPSHOT_END)
HIDDEN = int(EventFlag.HIDDEN)
TYPES = (OrderType.MARKET, OrderType.LIMIT, OrderType.LIMIT, OrderType.STOP_MARKET, OrderType.STOP_LIMIT)


@dataclass
class Run:
    """One random run."""

    seed: int
    config: TickConfig
    steps: list[Step]


@dataclass
class Shape:
    """A made-up market of one instrument: lots by price and side, as the feed last said."""

    level: BookLevel
    mid: int = 100
    lots: dict[int, dict[int, int]] = field(default_factory=lambda: {1: {}, -1: {}})
    newest: int = 0


# ---- configurations


def random_config(rng: random.Random) -> TickConfig:
    """Return a configuration; money is sometimes short, latency often zero."""
    n = rng.choice([1, 1, 1, 2])
    sizes = [rng.choice([("1", "1"), ("0.01", "0.001"), ("0.5", "0.1")]) for _ in range(n)]
    specs = tuple(InstrumentSpec("AB"[k], Decimal(tick), Decimal(lot)) for k, (tick, lot) in enumerate(sizes))
    unit = max(int(spec.atoms_per_tick_lot) for spec in specs) * 100
    slippage = rng.choice(["none", "none", "none", "ticks", "bps"])
    base = Config(
        instruments=specs,
        account=rng.choice([AccountType.CASH, *[AccountType.MARGIN] * 4]),
        leverage_e9=rng.choice([E9, 3 * E9, 10 * E9]),
        balance_atoms=unit * rng.choice([6, 9, 14, 40, *[10**4] * 4]),
        maker_e9=rng.choice([0, -100_000, 1_234_567]),
        taker_e9=rng.choice([0, 500_000, 10_000_000]),
        participation_e9=rng.choice([E9, E9, E9 // 2]),
        limit_touch=rng.random() < 0.3,
        entry_bar=rng.random() < 0.7,
        slippage_ticks=rng.choice([1, 2]) if slippage == "ticks" else 0,
        slippage_rate_e9=rng.choice([5_000_000, 60_000_000]) if slippage == "bps" else 0,
        latency_entry_ns=rng.choice([0, 0, 1, 4, 15, 60]),
        max_open_orders=rng.choice([None, None, None, 4]),
    )
    triples = random_triples(rng) if rng.random() < 0.25 else ()
    return TickConfig(
        base,
        tuple(rng.choice([BookLevel.PRINTS, BookLevel.QUOTES, *[BookLevel.DEPTH] * 3]) for _ in range(n)),
        rng.choice(list(QueueModel)),
        rng.choice([1.0, 2.0, 3.0, 3.0, 0.5, 1.7]),
        rng.choice(list(TriggerSource)),
        rng.choice([0, 1, 1, 2]),
        rng.choice([0, 0, 1, 5, 30]),
        rng.choice([0, 0, 2]),
        triples,
    )


def random_triples(rng: random.Random) -> tuple[tuple[int, int, int], ...]:
    """Return recorded (request, exchange, response) stamps, ascending by request; slow orders are overtaken."""
    made, asked = [], 1000
    for _ in range(rng.randint(1, 6)):
        asked += rng.randint(1, 120)
        reached = asked + rng.choice([rng.randint(0, 20), rng.randint(0, 200)])
        made.append((asked, reached, reached + rng.randint(0, 20)))
    return tuple(made)


# ---- market data


def stamps(rng: random.Random, shape: Shape, now: int, jitter: int) -> int:
    """Return the exchange stamp of an event received at `now`: mostly increasing, some late."""
    ts = max(1, now - rng.randint(0, jitter))
    if rng.random() < 0.75:
        ts = max(ts, min(shape.newest, now))
    shape.newest = max(shape.newest, ts)
    return ts


def price_near(rng: random.Random, shape: Shape, side: int) -> int:
    """Return a price on a side of the market, now and then beyond it."""
    return shape.mid - side * rng.choice([0, 1, 1, 1, 2, 2, 3, 5])


def snapshot(rng: random.Random, shape: Shape, ts: int, now: int, index: int) -> list[Event]:
    """Return a whole book, sometimes the same as before."""
    if rng.random() < 0.5 or not shape.lots[1]:
        for side in (1, -1):
            shape.lots[side] = {
                shape.mid - side * k: rng.randint(1, 12) for k in range(1, 6) if rng.random() < 0.8
            }
    rows = [(side, price, lots) for side in (1, -1) for price, lots in shape.lots[side].items()]
    if not rows:
        rows = [(1, shape.mid - 1, 3)]
        shape.lots[1][shape.mid - 1] = 3
    made = [Event(EventKind.DEPTH, ts, now, (price, lots), side, 0, index) for side, price, lots in rows]
    made[0] = replace(made[0], flags=made[0].flags | BEGIN)
    made[-1] = replace(made[-1], flags=made[-1].flags | WHOLE | END)
    return made


def depth(rng: random.Random, shape: Shape, ts: int, now: int, index: int) -> list[Event]:
    """Return a message of one to four levels; what it crosses goes with it, mostly."""
    made = []
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        side = rng.choice([1, -1])
        price = price_near(rng, shape, side)
        lots = rng.choice([0, 0, 1, 2, 3, 5, 8, 13])
        if price in shape.lots[side] and rng.random() < 0.6:
            lots = max(0, shape.lots[side][price] + rng.choice([-4, -2, -1, 1, 2, 0]))
        made.append((side, price, lots))
        if rng.random() < 0.9 and lots:
            made += [(-side, p, 0) for p in shape.lots[-side] if side * p <= side * price]
    for side, price, lots in made:
        shape.lots[side].pop(price, None)
        if lots:
            shape.lots[side][price] = lots
    last = len(made) - 1
    return [
        Event(EventKind.DEPTH, ts, now, (price, lots), side, END if k == last else 0, index)
        for k, (side, price, lots) in enumerate(made)
    ]


def trade(rng: random.Random, shape: Shape, ts: int, now: int, index: int) -> list[Event]:
    """Return a trade at, near or beyond the touch; often the book then shows it."""
    side = rng.choice([1, -1])  # aggressor
    prices = sorted(shape.lots[-side], reverse=side < 0)
    price = prices[0] if prices and rng.random() < 0.7 else price_near(rng, shape, -side)
    held = shape.lots[-side].get(price, 0)
    lots = rng.choice([1, 1, 2, 3, 5, 8, 20, held or 1, held + 2, held + 5])
    flags = END | (HIDDEN if rng.random() < 0.05 else 0)
    shown = rng.choice([side, side, side, side, 0])
    made = [Event(EventKind.TRADE, ts, now, (price, lots), shown, flags, index)]
    if shape.level == BookLevel.DEPTH and held and rng.random() < 0.6:
        left = max(0, held - lots - rng.choice([0, 0, 0, 1, -1]))
        made.append(Event(EventKind.DEPTH, ts, now, (price, left), -side, END, index))
        shape.lots[-side].pop(price)
        if left:
            shape.lots[-side][price] = left
    return made


def quote(rng: random.Random, shape: Shape, ts: int, now: int, index: int) -> list[Event]:
    """Return a quote around the middle; sometimes of one side only, sometimes crossed."""
    bid, ask = shape.mid - rng.choice([0, 1, 1, 2]), shape.mid + rng.choice([0, 1, 1, 2])
    bid_lots, ask_lots = (rng.choice([0, 1, 2, 5, 9, 9, 9]) for _ in range(2))
    shape.lots = {1: {bid: bid_lots} if bid_lots else {}, -1: {ask: ask_lots} if ask_lots else {}}
    return [Event(EventKind.QUOTE, ts, now, (bid, bid_lots, ask, ask_lots), 0, END, index)]


def message(rng: random.Random, shape: Shape, index: int, now: int, jitter: int) -> list[Event]:
    """Return the next message of an instrument."""
    shape.mid = max(20, shape.mid + rng.choice([0, 0, 0, 0, 0, 1, -1]))
    ts, draw = stamps(rng, shape, now, jitter), rng.random()
    if draw < 0.03:
        kind = rng.choice([EventKind.GAP, EventKind.GAP, EventKind.CLEAR])
        if kind == EventKind.CLEAR:
            shape.lots = {1: {}, -1: {}}
        return [Event(kind, ts, now, (), 0, rng.choice([0, END]), index)]
    if shape.level == BookLevel.PRINTS or draw < 0.35:
        return trade(rng, shape, ts, now, index)
    if shape.level == BookLevel.QUOTES:
        return quote(rng, shape, ts, now, index)
    return (snapshot if draw > 0.93 or not shape.newest else depth)(rng, shape, ts, now, index)


def other_event(rng: random.Random, now: int) -> list[Event]:
    """Return a rare event of no instrument."""
    if rng.random() < 0.7:
        return [Event(EventKind.TIMER, now, now, (rng.choice([0, 3, 20]),))]
    if rng.random() < 0.25:
        status = rng.choice([MarketStatus.HALTED, *[MarketStatus.LISTED] * 4, MarketStatus.DELISTED])
        words = (int(status), rng.choice([0, 0, 97]))
        return [Event(EventKind.STATUS, now, now, words)]
    command = rng.choice([Command.CANCEL_ALL, Command.HALT, Command.FLATTEN, *[Command.RESUME] * 6])
    return [Event(EventKind.COMMAND, now, now, (int(command),))]


# ---- requests


def random_submit(rng: random.Random, shapes: list[Shape]) -> Submit:
    """Return an order near the market."""
    index = rng.randrange(len(shapes))
    shape, side, kind = shapes[index], rng.choice([1, -1]), rng.choice(TYPES)
    tif = rng.choice([TimeInForce.GTC, TimeInForce.GTC, TimeInForce.GTC, TimeInForce.IOC, TimeInForce.FOK])
    stop = kind in (OrderType.STOP_MARKET, OrderType.STOP_LIMIT)
    trigger = shape.mid + side * rng.choice([-1, 0, 1, 1, 2, 3]) if stop else 0
    near = trigger if stop else shape.mid
    limited = kind in (OrderType.LIMIT, OrderType.STOP_LIMIT)
    limit = near - side * rng.choice([-3, -2, -1, 0, 1, 1, 2, 2, 3]) if limited else 0
    own = sorted(shape.lots[side], reverse=side > 0)
    if own and kind == OrderType.LIMIT and rng.random() < 0.6:  # where a trade is likely to come
        limit, tif = rng.choice(own[:2]), TimeInForce.GTC
    plain = kind == OrderType.LIMIT and tif == TimeInForce.GTC
    return Submit(
        side, int(kind), rng.choice([1, 1, 2, 3, 5, 8, 13, 0 if rng.random() < 0.05 else 4]), limit, trigger,
        int(tif), post_only=plain and rng.random() < 0.25, reduce_only=rng.random() < 0.2, instrument=index,
    )  # fmt: skip


def random_request(rng: random.Random, shapes: list[Shape], sent: list[Submit]) -> Request:
    """Return a submission, a cancel or a change of a recent order."""
    draw = rng.random()
    if draw < 0.65 or not sent:
        made = random_submit(rng, shapes)
        sent.append(made)
        return made
    order_id = max(1, len(sent) - int(rng.expovariate(0.4)))
    if draw < 0.8:
        return Cancel(order_id)
    old = sent[order_id - 1]
    near = shapes[old.instrument].mid
    qty = rng.choice([None, max(1, old.qty_lots - 1), old.qty_lots + 2, 1])
    limit = rng.choice([None, near - old.side * rng.choice([-1, 0, 1, 2])])
    trigger = rng.choice([None, near + old.side * rng.choice([-1, 0, 1, 2])])
    return Modify(order_id, qty, limit, trigger)


def make_run(seed: int, n_steps: int = 40) -> Run:
    """Return the random run of `seed`."""
    rng, other = random.Random(seed), random.Random(f"funding {seed}")
    config = random_config(rng)
    shapes = [Shape(level) for level in config.levels]
    now, jitter, busy = 1000, rng.choice([0, 0, 3, 12]), rng.choice([0.3, 0.7, 1.2])
    sent: list[Submit] = []
    steps = []
    for number in range(n_steps):
        index = number if number < len(shapes) else rng.randrange(len(shapes))
        events = message(rng, shapes[index], index, now, jitter)
        if number < len(shapes) and config.levels[index] == BookLevel.DEPTH:
            events = snapshot(rng, shapes[index], stamps(rng, shapes[index], now, 0), now, index)
        if number >= len(shapes) and rng.random() < 0.06:
            events = other_event(rng, now)
        if number >= len(shapes) and other.random() < 0.04:
            kind, words = other.choice([
                (EventKind.MARK, (other.randrange(80, 120),)),
                (EventKind.FUNDING, (other.randrange(-(10**10), 10**10), other.choice([0, 0, 97]))),
            ])  # fmt: skip
            events = [*events, Event(kind, now, now, words, 0, END, index)]
        step = Step(events)
        step.requests = [
            random_request(rng, shapes, sent) for _ in range(min(4, int(rng.expovariate(1 / busy))))
        ]
        if rng.random() < 0.05:
            step.timer = now + rng.choice([1, 2, 10, 30])
        steps.append(step)
        now += rng.choice([0, 0, 1, 1, 2, 5, 10, 30])
    hours = random.Random(f"hours {seed}")
    if hours.random() < 0.4:
        config = replace(config, base=with_hours(hours, config.base, 1000, 40, (now - 1000) // 40))
        for step in steps:
            if step.events:
                step.requests = with_times(hours, step.events[-1].ts_recv, 20, step.requests)
    return Run(seed, config, steps)


# ---- comparing


def run_steps(run: Run, backend: TickBackend) -> tuple[list[StepReport], Result]:
    """Run all steps; return their reports and the result."""
    backend.configure(run.config)
    return [backend.step(step) for step in run.steps], backend.result()


def same(name: str, a: object, b: object) -> bool:
    """Compare two values; queue fronts to 1e-9."""
    if name != "front":
        return a == b
    if a is None or b is None:
        return a is b
    assert isinstance(a, float | int)
    assert isinstance(b, float | int)
    return abs(a - b) <= 1e-9 * max(1.0, abs(a))


def compare(a: tuple[list[StepReport], Result], b: tuple[list[StepReport], Result]) -> str:
    """Return the first difference of two runs as text, empty if there is none."""
    for number, (left, right) in enumerate(zip(a[0], b[0], strict=True)):
        for name in ("outcomes", "fills", "told", "equity_atoms"):
            if getattr(left, name) != getattr(right, name):
                return f"step {number}: {name}\n  a {getattr(left, name)}\n  b {getattr(right, name)}"
        for order_id in sorted({*left.orders, *right.orders}):
            rows = left.orders.get(order_id), right.orders.get(order_id)
            if None in rows:
                return f"step {number}: order {order_id}\n  a {rows[0]}\n  b {rows[1]}"
            for name in vars(rows[0]):
                if not same(name, getattr(rows[0], name), getattr(rows[1], name)):
                    return f"step {number}: {name} of order {order_id}\n  a {rows[0]}\n  b {rows[1]}"
    return "" if a[1] == b[1] else f"result\n  a {a[1]}\n  b {b[1]}"


def census(reports: list[StepReport]) -> Counter[int]:
    """Count fills by phase."""
    return Counter(fill.phase for report in reports for fill in report.fills)
