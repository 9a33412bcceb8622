"""Seeded random runs for comparing simulators row by row; the same neutral steps as golden scripts."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, fields
from decimal import Decimal

from tests.golden.protocol import (
    E9,
    Backend,
    Bar,
    Cancel,
    Config,
    InstrumentSpec,
    Modify,
    Request,
    Result,
    Step,
    Submit,
)
from tests.oracle.random_hours import with_hours, with_times
from tradectl.core.codes import (
    AccountType,
    Breach,
    Command,
    FillAt,
    MarketStatus,
    OrderType,
    PathRule,
    Reason,
    Side,
    TimeInForce,
)

__all__ = ["Flow", "census", "compare", "make_flow", "run_flow"]

MINUTE = 60 * E9
START = 1_600_000_020 * E9
STOPS = (OrderType.STOP_MARKET, OrderType.STOP_LIMIT)
COMMANDS = (Command.HALT, Command.RESUME, Command.REDUCE, Command.CANCEL_ALL, Command.FLATTEN)
LIMITS = (OrderType.LIMIT, OrderType.STOP_LIMIT)


@dataclass
class Flow:
    """One random run."""

    seed: int
    config: Config
    steps: list[Step]


# ---- configurations


def random_spec(rng: random.Random, number: int) -> InstrumentSpec:
    """Return an instrument whose grid often needs no rounding, sometimes does."""
    tick, lot = rng.choice([("0.01", "0.0001"), ("1", "1"), ("0.5", "0.001"), ("0.001", "0.00000333")])
    return InstrumentSpec(
        name="ABC"[number],
        tick_size=Decimal(tick),
        lot_size=Decimal(lot),
        min_qty_lots=rng.choice([0] * 12 + [2]),
        max_qty_lots=rng.choice([10**12] * 4 + [18]),
        max_price_ticks=rng.choice([10**9] * 9 + [115]),
        min_notional_atoms=rng.choice([0, 0, 0, 0, 150]),
        max_notional_atoms=rng.choice([2**62] * 19 + [10**10]),
        max_order_qty_lots=rng.choice([None, None, None, 25]),
        max_position_lots=rng.choice([None, None, None, 30]),
    )


def random_config(rng: random.Random) -> Config:
    """Return a configuration in which money is sometimes short."""
    specs = tuple(random_spec(rng, n) for n in range(rng.choice([1, 1, 1, 2, 3])))
    unit = max(1, *(int(spec.atoms_per_tick_lot) for spec in specs)) * 100  # one lot at its usual price
    slippage = rng.choice(["none", "none", "ticks", "bps", "share"])
    latency = rng.choice([0, 0, 0, 0, 1, MINUTE, MINUTE + 1, 3 * MINUTE])
    fill_at = FillAt.NEXT_OPEN if latency or rng.random() < 0.7 else FillAt.CLOSE
    return Config(
        instruments=specs,
        account=rng.choice([AccountType.CASH, AccountType.MARGIN]),
        leverage_e9=rng.choice([E9, 2 * E9, 5 * E9, 3 * E9]),
        balance_atoms=unit * rng.choice([52, 102, 205, 400, 10**5]) // 10,
        maker_e9=rng.choice([0, 200_000, -100_000, 1_234_567]),
        taker_e9=rng.choice([0, 500_000, 1_234_567, 10_000_000]),
        fill_at=fill_at,
        path=rng.choice([PathRule.ADAPTIVE, *PathRule]),
        limit_gap_open=rng.random() < 0.3,
        limit_touch=rng.random() < 0.4,
        entry_bar=rng.random() < 0.7,
        participation_e9=rng.choice([E9, E9, E9 // 2, E9 // 10, 333_333_333]),
        slippage_ticks=rng.choice([1, 2]) if slippage == "ticks" else 0,
        slippage_rate_e9=rng.choice([100_000, 5_000_000]) if slippage == "bps" else 0,
        slippage_share_e9=rng.choice([E9 // 10, E9 // 3]) if slippage == "share" else 0,
        write_off=rng.random() < 0.3,
        latency_entry_ns=latency,
        detail_ns=MINUTE // 3 if rng.random() < 0.2 else 0,
        **random_risk(rng, unit),  # type: ignore[arg-type]
    )


def random_risk(rng: random.Random, unit: int) -> dict[str, object]:
    """Return the risk limits: none in half of the runs, otherwise some."""
    if rng.random() < 0.5:
        return {}
    return {
        "max_order_notional_atoms": rng.choice([None, None, None, unit * 20]),
        "price_collar_e9": rng.choice([None, None, E9 // 20, E9 // 8]),
        "max_exposure_atoms": rng.choice([None, None, None, unit * 30]),
        "max_open_orders": rng.choice([None, None, None, 3, 6]),
        "max_order_rate": rng.choice([None, None, None, 2, 4]),
        "rate_window_ns": rng.choice([1, MINUTE, 3 * MINUTE]),
        "max_drawdown_e9": rng.choice([None, None, E9 // 50, E9 // 5]),
        "on_breach": rng.choice(list(Breach)),
    }


# ---- bars


def random_bar(rng: random.Random, last: int, volumes: bool) -> Bar:
    """Return a bar near `last`: small ranges, so that coincidences are frequent; some gaps, some flat."""
    jump = rng.choice([0, 0, 0, 0, 1, -1, 2, -2, 6, -6])
    opened = max(5, last + jump)
    reach = rng.choice([0, 1, 2, 3, 3, 6, 9])
    high, low = opened + rng.randint(reach // 2, reach), max(1, opened - rng.randint(reach // 2, reach))
    closed = rng.randint(low, high)
    volume = rng.choice([0, 1, 3, 10, 10, 50, 1000]) if volumes else None
    if rng.random() < 0.04:
        return Bar(last, last, last, last, 0 if volumes else None, synthetic=True)
    return Bar(opened, high, low, closed, volume)


def random_details(rng: random.Random, bar: Bar) -> list[Bar]:
    """Return three finer bars inside `bar` that agree with it; some begin with a gap."""
    edges = [bar.open, rng.randint(bar.low, bar.high), rng.randint(bar.low, bar.high), bar.close]
    made = []
    touches = rng.sample(range(3), 2)
    for n in range(3):
        a, b = edges[n], edges[n + 1]
        if n and rng.random() < 0.3:
            a = rng.randint(bar.low, bar.high)
        high = bar.high if n == touches[0] else max(a, b)
        low = bar.low if n == touches[1] else min(a, b)
        made.append(Bar(a, high, low, b))
    return made


# ---- orders


def random_submit(rng: random.Random, config: Config, lasts: list[int]) -> Submit:
    """Return an order near the last price, now and then an invalid one."""
    index = rng.randrange(len(lasts))
    kind = int(rng.choice([OrderType.MARKET, OrderType.LIMIT, OrderType.STOP_MARKET, OrderType.STOP_LIMIT]))
    side = int(rng.choice([Side.BUY, Side.BUY, Side.SELL]))
    tif = int(rng.choice([TimeInForce.GTC, TimeInForce.GTC, TimeInForce.IOC, TimeInForce.FOK]))
    near = lasts[index]
    away = side * rng.choice([-1, 0, 1, 1, 2, 2, 3, 5])
    trigger = max(1, near + away)
    limit = max(1, near - side * rng.choice([-2, -1, 0, 0, 1, 1, 2, 3]))
    if kind == OrderType.STOP_LIMIT:
        limit = max(1, trigger + side * rng.choice([-2, -1, 0, 0, 1, 2]))
    submit = Submit(
        side, kind, rng.choice([1, 1, 2, 3, 5, 8, 13, 20]),
        limit if kind in LIMITS else 0, trigger if kind in STOPS else 0, tif,
        post_only=kind == OrderType.LIMIT and tif == TimeInForce.GTC and rng.random() < 0.2,
        reduce_only=rng.random() < 0.25,
        instrument=index,
    )  # fmt: skip
    return spoil(rng, submit) if rng.random() < 0.06 else submit


def bracket(rng: random.Random, index: int, lasts: list[int]) -> list[Submit]:
    """Return an entry with a protective stop and a target on both sides of it, both reduce_only."""
    side, near, qty = rng.choice([1, -1]), lasts[index], rng.choice([1, 2, 5])
    entry = Submit(side, OrderType.MARKET, qty, instrument=index)
    if rng.random() < 0.4:
        entry = Submit(side, OrderType.LIMIT, qty, limit_ticks=max(1, near - side), instrument=index)
    stop, target = max(1, near - side * rng.randint(1, 3)), max(1, near + side * rng.randint(1, 3))
    return [
        entry,
        Submit(-side, OrderType.STOP_MARKET, qty, trigger_ticks=stop, reduce_only=True, instrument=index),
        Submit(-side, OrderType.LIMIT, qty, limit_ticks=target, reduce_only=True, instrument=index),
    ]


def spoil(rng: random.Random, submit: Submit) -> Submit:
    """Return the order with something wrong in it."""
    wrong: dict[str, object] = rng.choice(
        [
            {"qty_lots": 0}, {"qty_lots": -3}, {"qty_lots": 10**13}, {"qty_lots": 1000}, {"limit_ticks": 0},
            {"trigger_ticks": -5}, {"limit_ticks": 2 * 10**9}, {"side": 0}, {"order_type": 5},
            {"order_type": 0}, {"time_in_force": 4}, {"instrument": 7}, {"post_only": True},
            {"qty_lots": 2, "qty_fault": Reason.QTY_NOT_ON_LOT, "qty_text": "off"},
            {"limit_ticks": 100, "limit_fault": Reason.PRICE_NOT_ON_TICK, "limit_text": "off"},
            {"qty_lots": 0, "qty_fault": Reason.NOT_A_NUMBER, "qty_text": "nan"},
        ]
    )  # fmt: skip
    values = {f.name: getattr(submit, f.name) for f in fields(submit)}
    return Submit(**(values | wrong))


def random_request(rng: random.Random, config: Config, lasts: list[int], sent: list[Submit]) -> Request:
    """Return a submission, a cancel or a modification of an earlier order (often dead by then)."""
    draw = rng.random()
    if draw < 0.72 or not sent:
        made = random_submit(rng, config, lasts)
        sent.append(made)
        return made
    order_id = max(1, len(sent) - int(rng.expovariate(0.35)))
    if rng.random() < 0.03:
        order_id = 10**6
    if draw < 0.84:
        return Cancel(order_id)
    old = sent[order_id - 1] if order_id <= len(sent) else sent[-1]
    what = rng.choice(["less", "more", "prices", "both", "wrong"])
    qty = {"less": max(1, old.qty_lots - 1), "more": old.qty_lots + 2, "wrong": 0}.get(what)
    qty = rng.choice([1, 4, 9]) if what == "both" else qty
    if what in ("prices", "both"):
        near = lasts[old.instrument] if old.instrument < len(lasts) else 100
        return Modify(order_id, qty, max(1, near + rng.randint(-3, 3)), max(1, near + rng.randint(-3, 3)))
    return Modify(order_id, qty)


# ---- whole runs


def make_flow(seed: int, n_steps: int = 40) -> Flow:
    """Return the random run of `seed`."""
    rng = random.Random(seed)
    config = random_config(rng)
    n = len(config.instruments)
    lasts, delisted, halted = [100] * n, [False] * n, [False] * n
    volumes = rng.random() < 0.75
    eventful = rng.random() < 0.4
    sent: list[Submit] = []
    steps = []
    busy = rng.choice([0.4, 0.8, 1.6])
    brackets = rng.choice([0.0, 0.15, 0.35])
    irregular, now = rng.random() < 0.2, START
    for number in range(n_steps):
        step = Step(now)
        now += rng.choice([MINUTE, MINUTE, MINUTE // 3, 2 * MINUTE + 1]) if irregular else MINUTE
        if eventful:
            random_events(rng, step, delisted, halted)
        for index in range(n):
            if delisted[index] or halted[index] or (n > 1 and rng.random() < 0.1):
                continue
            bar = random_bar(rng, lasts[index], volumes)
            step.bars[index] = bar
            lasts[index] = bar.close
            if config.detail_ns and not bar.synthetic and rng.random() < 0.8:
                step.details[index] = random_details(rng, bar)
        asked = min(6, int(rng.expovariate(1 / busy)))
        if number == 0 and rng.random() < 0.9:
            asked = 0  # seldom orders come before the first price is known
        if not step.bars:  # nobody is called at a time without bars
            if step.statuses or step.commands:
                steps.append(step)
            continue
        step.requests = [random_request(rng, config, lasts, sent) for _ in range(asked)]
        if rng.random() < brackets:
            made = bracket(rng, rng.randrange(n), lasts)
            sent += made
            step.requests += made
        steps.append(step)
    add_funding(random.Random(f"funding {seed}"), steps, n)
    hours = random.Random(f"hours {seed}")
    if hours.random() < 0.4:
        config = with_hours(hours, config, START, MINUTE, 3 * n_steps)
        for step in steps:
            step.requests = with_times(hours, step.ts, MINUTE, step.requests)
    return Flow(seed, config, steps)


def add_funding(rng: random.Random, steps: list[Step], n: int) -> None:
    """Let every third run settle funding now and then: at a bar's end, inside it or before it."""
    if rng.random() < 0.33:
        for step in steps:
            while step.bars and rng.random() < 0.15:
                before = rng.choice([0, 0, MINUTE // 2, MINUTE, 2 * MINUTE])
                rate, price = rng.randrange(-5 * 10**9, 5 * 10**9), rng.choice([0, 0, rng.randrange(1, 10**4)])
                step.funding.append((rng.randrange(n), step.ts - before, rate, price))


def random_events(rng: random.Random, step: Step, delisted: list[bool], halted: list[bool]) -> None:
    """Add a rare status or command to a step."""
    if rng.random() < 0.012:
        index = rng.randrange(len(delisted))
        if not delisted[index]:
            delisted[index] = True
            step.statuses.append((index, MarketStatus.DELISTED, 0))
    elif rng.random() < 0.01:
        index = rng.randrange(len(delisted))
        if not delisted[index]:
            halted[index] = not halted[index]
            to = MarketStatus.HALTED if halted[index] else MarketStatus.LISTED
            step.statuses.append((index, to, 0))
    if rng.random() < 0.012:
                step.commands.append(rng.choice(list(COMMANDS)))
    elif rng.random() < 0.1:
        step.commands.append(Command.RESUME)


def run_flow(flow: Flow, backend: Backend) -> tuple[Result, list[list[int]]]:
    """Run a flow; return its result and the outcomes of the requests, one list per step."""
    backend.configure(flow.config)
    outcomes = [[int(code) for code in backend.step(step).outcomes] for step in flow.steps]
    return backend.result(), outcomes


def first_difference(name: str, rows_a: Iterable[object], rows_b: Iterable[object]) -> str:
    """Return the first row in which two tables differ, or an empty text."""
    list_a, list_b = list(rows_a), list(rows_b)
    for n, (a, b) in enumerate(zip(list_a, list_b, strict=False)):
        if a != b:
            return f"{name}[{n}]\n  a {a}\n  b {b}"
    if len(list_a) != len(list_b):
        longer, where = (list_a, "a") if len(list_a) > len(list_b) else (list_b, "b")
        n = min(len(list_a), len(list_b))
        return f"{name}[{n}] only in {where}\n  {where} {longer[n]}"
    return ""


def compare(
    result_a: Result,
    result_b: Result,
    outcomes_a: list[list[int]] | None = None,
    outcomes_b: list[list[int]] | None = None,
) -> str:
    """Return the first difference of two results as text, earliest cause first; empty if there is none."""
    text = first_difference("outcomes", outcomes_a or [], outcomes_b or [])
    fills = first_difference("fills", result_a.fills, result_b.fills)
    text = fills if fills and not text else "\n".join(part for part in (text, fills) if part)
    for name in ("orders", "positions", "equity"):
        text = text or first_difference(name, getattr(result_a, name), getattr(result_b, name))
    for name in ("balance_atoms", "fees_atoms", "funding_atoms", "ambiguous_bars", "trading_state", "audit_ok"):
        a, b = getattr(result_a, name), getattr(result_b, name)
        if not text and a != b:
            text = f"{name}: a {a}, b {b}"
    return text


def census(results: Iterable[Result], flows: Iterable[Flow]) -> Counter[tuple[str, str]]:
    """Count fills per order type × time in force."""
    counts: Counter[tuple[str, str]] = Counter()
    for result, flow in zip(results, flows, strict=True):
        submits = submitted(flow, result)
        for fill in result.fills:
            submit = submits.get(fill.order_id)
            if submit is not None:
                counts[OrderType(submit.order_type).name, TimeInForce(submit.time_in_force).name] += 1
    return counts


def submitted(flow: Flow, result: Result) -> dict[int, Submit]:
    """Return the request of each order id; orders of the risk unit's own have none.

    Their ids come before those of the requests of the same time.
    """
    found: dict[int, Submit] = {}
    rows = iter(result.orders)
    row = next(rows, None)
    for step in flow.steps:
        asked = [request for request in step.requests if isinstance(request, Submit)]
        mine = []
        while row is not None and row.ts_submitted == step.ts:
            mine.append(row)
            row = next(rows, None)
        for own, request in zip(mine[len(mine) - len(asked) :], asked, strict=True):
            found[own.order_id] = request
    return found
