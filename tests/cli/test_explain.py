"""`tradectl explain`: its checks against the gate's own verdicts, its story against what the run wrote."""

from __future__ import annotations

import json
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tests.cli.tools import QUICKSTART, Program
from tests.unit.metrics.ticks import STRATEGY, market_events, records
from tradectl.cli import explain_trace
from tradectl.cli.explain_checks import Check, checks_of
from tradectl.cli.explain_trace import SHOWN_POINTS, Hooks, Trace
from tradectl.core.codes import AccountType, BookLevel, Command, EventFlag, EventKind, OrderStatus, Reason
from tradectl.core.instrument import Instrument
from tradectl.core.ladder_layout import MIN_WINDOW
from tradectl.core.layout import engine_at, event_at
from tradectl.core.watch import WATCHERS
from tradectl.engine.host import command_event
from tradectl.engine.host_audit import live_orders
from tradectl.engine.spec import AccountSpec, ExecutionSpec, InstrumentLimits, RiskSpec, RunSpec, StrategySpec
from tradectl.engine.state import State
from tradectl.engine.step import step
from tradectl.strategy.compile import compile_hooks
from tradectl.strategy.loader import load_strategy

WILD = '''
"""Asks for all sorts of orders."""
from tradectl.strategy import Int64, strategy


@strategy
class Wild:
    """A walk through sizes, prices, types and flags."""

    class State:
        x = Int64()

    def on_depth(ctx, p, s):
        for _ in range(2):
            s.x = (s.x * 1103515245 + 12345) % 2147483648
            a = s.x // 65536
            side = 1 if a % 2 == 0 else -1
            kind = (a // 2) % 5 + (1 if a % 97 else 90)
            lots = (a // 11) % 60 - 2
            price = ctx.bid_ticks + (a // 7) % 61 - 30 if a % 41 else 0
            stop = ctx.ask_ticks + side * ((a // 13) % 40 - 3)
            tif = (a // 17) % 3 + 1 if a % 31 else 7
            ctx.submit(side, kind, lots, price, stop, tif, (a // 19) % 4)
'''
TIMED = '''
"""Acts between two events."""
from tradectl.strategy import Int64, strategy


@strategy
class Timed:
    """It submits, modifies and cancels an order, each with a timer of its own."""

    class State:
        n = Int64()
        order = Int64()

    def on_start(ctx, p, s):
        ctx.set_timer(ctx.now + 5_000_000_000)

    def on_timer(ctx, p, s):
        s.n += 1
        ctx.set_timer(ctx.now + 10_000_000_000)
        if s.n == 1:
            s.order = ctx.submit(1, 2, 4, 990)
        elif s.n == 2:
            ctx.modify(s.order, qty=3 * ctx.lot_size)
        elif s.n == 3:
            ctx.cancel(s.order)
'''
Told = dict[str, Any]


def state_of(folder: Path, code: str, account: AccountType, risk: RiskSpec, limits: InstrumentLimits) -> State:
    """Return the state of a run of one strategy in one instrument; orders take 10 ms."""
    source = folder / "strategy.py"
    source.write_text(code)
    loaded = load_strategy(source, {}, n_instruments=1, jit=False)
    hooks = compile_hooks(loaded, jit=False)
    addresses = {int(k): a for k, a in hooks.addresses.items()}
    strategy = StrategySpec("one", loaded.params_bytes(), loaded.state_bytes(), addresses)
    balances = {"USD": 3_000 * 10**8}
    spec = RunSpec(
        [Instrument("T", "X/USD", "X", "USD", Decimal("0.01"), Decimal("0.1"), Decimal("0.2"), Decimal(2))],
        [limits], [strategy], AccountSpec(account, "USD", balances, 2 * 10**9),
        ExecutionSpec(latency_entry_ns=10**7, sample_ns=0), risk, order_capacity=64, keep_alive=(hooks, loaded),
    )  # fmt: skip
    return State(spec)


@pytest.mark.parametrize("kept", [64, 1])
def test_the_course_tells_what_begins_and_ends_between_two_events(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kept: int
) -> None:
    monkeypatch.setattr(explain_trace, "KEPT_COURSES", kept)
    level = InstrumentLimits(level=BookLevel.DEPTH, window=MIN_WINDOW)
    state = state_of(tmp_path, TIMED, AccountType.MARGIN, RiskSpec(), level)
    rows = market_events(10, 1)
    start, apart = rows[0][0], 10**10
    rows += [(start + k * apart, EventKind.DEPTH, 1, EventFlag.MESSAGE_END, 0, 980, k) for k in (1, 2, 3)]
    trace = explain_trace.follow(state, iter([records(rows)]), 1, True, lambda _done: None)
    assert trace.same
    first, second, third = (apart // 2 + k * apart for k in range(3))
    way = 10**7
    course = [
        (first, 0, "SUBMITTED", 4), (apart, first + way, "ACCEPTED", 4),
        (second, 0, "PENDING_UPDATE", 4), (2 * apart, second + way, "ACCEPTED", 3),
        (third, 0, "PENDING_CANCEL", 3), (3 * apart, third + way, "CANCELED", 3),
    ]  # fmt: skip
    told = [
        (one.ts - start, max(one.ts_event - start, 0), OrderStatus(one.looks[0]).name, one.looks[3])
        for one in trace.moments
    ]
    assert told == (course if kept == 64 else [*course[:2], course[3], course[5]])
    assert trace.courses == 3


def wild_run(folder: Path, account: AccountType, risk: RiskSpec, limits: InstrumentLimits) -> dict[int, Any]:
    """Fold in plain Python with an observer at the gate; return (checks, status, reason) by order id."""
    state = state_of(folder, WILD, account, risk, limits)
    events = records(market_events(260, 5))
    found: dict[int, list[Check]] = {}

    def watch(world: Any, engine: Any, order: Any, fault: int, credit: int) -> None:
        if order.id > 0:
            found[order.id] = checks_of(world, engine, order, fault, credit)

    WATCHERS.append(watch)
    try:
        with Hooks(state):
            engine = engine_at(state.world.engine, 0)
            for part in (command_event(Command.START, int(events["ts_recv"][0])), events):
                for k in range(len(part)):
                    step(state.world, engine, event_at(part.ctypes.data, k))
    finally:
        WATCHERS.remove(watch)
    ended = {int(row["id"]): row for row in (*state.drain()["orders"], *live_orders(state))}
    return {number: (checks, ended[number]) for number, checks in found.items()}


@pytest.mark.parametrize(
    ("account", "risk", "limits"),
    [
        (AccountType.MARGIN, RiskSpec(), {}),
        (AccountType.CASH, RiskSpec(), {"max_position_lots": 300}),
        (
            AccountType.MARGIN,
            RiskSpec(
                max_order_notional_atoms=50 * 10**8, price_collar_nano=20_000_000, max_open_orders=12,
                rate_orders=3, rate_ns=10**9, max_exposure_atoms=400 * 10**8,
            ),
            {"max_order_lots": 48, "max_position_lots": 150, "max_position_notional": 120 * 10**8},
        ),
    ],
)  # fmt: skip
def test_checks_say_what_the_gate_did(
    tmp_path: Path, account: AccountType, risk: RiskSpec, limits: dict[str, Any]
) -> None:
    level = InstrumentLimits(level=BookLevel.DEPTH, window=MIN_WINDOW, **limits)
    orders = wild_run(tmp_path, account, risk, level)
    assert len(orders) > 100
    seen: Counter[Reason] = Counter()
    for number, (checks, row) in orders.items():
        denied = row["status"] == OrderStatus.DENIED
        assert all(check.passed for check in checks[:-1]), number
        assert checks[-1].passed == (not denied), (number, Reason(int(row["reason"])), checks[-1])
        if denied:
            assert checks[-1].reason == row["reason"], (number, Reason(int(row["reason"])), checks[-1])
            seen[checks[-1].reason] += 1
    assert len(seen) >= 4, seen


@pytest.fixture(scope="module")
def book_config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A configuration over depth and trades as CSV."""
    import yaml

    folder = tmp_path_factory.mktemp("book")
    depth = ["timestamp,local_timestamp,is_snapshot,side,price,amount"]
    trades = ["timestamp,local_timestamp,price,amount,side,id"]
    rows = market_events(300, 7)
    for k, (ts, kind, side, _, _, ticks, lots) in enumerate(rows):
        price, qty = f"{ticks / 100:.2f}", f"{lots / 1000:.3f}"
        if kind == EventKind.DEPTH:
            snapshot = "true" if k < 10 else "false"
            depth.append(f"{ts},{ts},{snapshot},{'bid' if side > 0 else 'ask'},{price},{qty}")
        else:
            trades.append(f"{ts},{ts},{price},{qty},{'buy' if side > 0 else 'sell'},{k}")
    (folder / "depth.csv").write_text("\n".join(depth) + "\n")
    (folder / "trades.csv").write_text("\n".join(trades) + "\n")
    (folder / "busy.py").write_text(STRATEGY)
    config = {
        "name": "busy",
        "strategy": {"path": "busy.py"},
        "data": [
            {"source": f"{kind}.csv", "kind": kind, "symbols": ["X/USD"]} for kind in ("depth", "trades")
        ],
        "instruments": {"X/USD": {"tick_size": 0.01, "lot_size": 0.001}},
        "account": {"type": "margin", "currency": "USD", "balance": 1000, "leverage": 2},
        "execution": {"latency": {"entry": "100ms", "response": "50ms"}},
        "fees": {"maker": -0.0001, "taker": 0.0005},
        "risk": {"max_order_qty": 0.0075},
    }
    path = folder / "run.yaml"
    path.write_text(yaml.safe_dump(config))
    return path


@pytest.fixture
def book_run(program: Program, book_config: Path, tmp_path: Path) -> Told:
    done = program("backtest", book_config, "--out", tmp_path / "runs", "--json")
    assert done.code == 0, done.err
    return dict(done.objects[0])


def explained(program: Program, run: Told, order_id: int) -> Told:
    done = program("explain", run["run_dir"], order_id, "--json")
    assert done.code == 0, done.err
    return dict(done.objects[0])


def orders_of(run: Told) -> list[Told]:
    return pl.read_parquet(Path(run["run_dir"]) / "orders.parquet").to_dicts()


def test_book_run_and_the_lives_of_its_orders(program: Program, book_run: Told, tmp_path: Path) -> None:
    told = book_run["execution"]
    assert told["fills"] == book_run["fills"] > 20
    assert book_run["book"][0]["instrument"].endswith("X/USD")
    assert book_run["acks"]["count"] > 0
    folder = Path(book_run["run_dir"])
    assert pl.read_parquet(folder / "execution.parquet").height == told["orders"]
    assert pl.read_parquet(folder / "markouts.parquet").height == book_run["fills"]
    fills = pl.read_parquet(folder / "fills.parquet")
    orders = orders_of(book_run)
    by_status = {order["status"]: order for order in orders}
    assert {"FILLED", "CANCELED", "DENIED"} <= set(by_status)
    resting = next(o for o in orders if o["status"] == "FILLED" and o["side"] == "BUY" and o["queue_at_post"])
    for order in [*by_status.values(), resting]:
        life = explained(program, book_run, order["order_id"])
        assert life["doubts"] == []
        assert life["end"]["status"] == order["status"]
        assert len(life["fills"]) == order["n_fills"] == fills.filter(order_id=order["order_id"]).height
        assert life["decision"]["hook"] == "on_depth"
        if order["status"] == "DENIED":
            assert (life["checks"][-1]["check"], life["checks"][-1]["passed"]) == ("max_order_qty", False)
            assert life["checks"][-1]["reason"] == order["reason"] == "MAX_ORDER_QTY"
            assert life["latency"]["arrived"]["ts"] is None
            assert [(one["status"], one["ts_event"]) for one in life["moments"]] == [("DENIED", None)]
            continue
        assert life["decision"]["mid"] == pytest.approx(order["mid_submit"])
        assert all(check["passed"] for check in life["checks"])
        assert life["latency"]["arrived"]["after_ms"] == pytest.approx(100.0)
        assert life["latency"]["delivered"]["after_ms"] >= 150.0
        for fill in life["fills"]:
            assert 0 < len(fill["book"]["bids"]) <= 5
            assert [fill["book"][side][0][0] for side in ("bids", "asks")] == [fill["bid"], fill["ask"]]
    life = explained(program, book_run, resting["order_id"])
    assert life["queue"][0]["ahead"] == pytest.approx(resting["queue_at_post"] / 1000)
    done = program("report", folder)
    for text in ("mark-out, 60s", "shortfall", "queue ahead", "inventory", "profit", "book ", "acks"):
        assert text in done.out
    assert max(len(line) for line in done.out.splitlines() if "mark-out" in line) < 80


def test_the_story_as_text(program: Program, book_run: Told) -> None:
    order = next(one for one in orders_of(book_run) if one["status"] == "FILLED" and one["queue_at_post"])
    place = Path(book_run["run_dir"]) / "summary.json"
    text = place.read_text()
    sent = order["ts_submitted"].isoformat()[:19]
    seen = {"at": f"{sent}.000000000+00:00", "what": "gap", "exchange": "x", "symbol": "A", "orders": 3}
    before = {**seen, "at": "2000-01-01T00:00:00.000000000+00:00", "until": "2000-01-02T00:00:00.000000000+00:00"}
    after = {**seen, "at": "2100-01-01T00:00:00.000000000+00:00"}
    place.write_text(json.dumps(json.loads(text) | {"feeds": {"interruptions": [before, seen, after]}}))
    done = program("explain", book_run["run_dir"], order["order_id"])
    place.write_text(text)
    assert done.code == 0, done.err
    assert (done.out.count(" gap: x"), done.out.count("to the end gap: x A; 3 orders sent meanwhile")) == (1, 1)
    for text in ("in sight: bid", "max_exposure", "latency sent", "queue ahead", "mid before", "end FILLED", "fee"):
        assert text in done.out, text


def test_the_head_tells_the_order_as_it_was_decided(program: Program, book_run: Told) -> None:
    order = next(one for one in orders_of(book_run) if one["side"] == "SELL" and one["qty"] == 0.007)
    life = explained(program, book_run, order["order_id"])
    assert (life["qty"], life["decision"]["qty"]) == (0.007, 0.005)
    assert life["decision"]["limit"] == life["limit"]
    done = program("explain", book_run["run_dir"], order["order_id"])
    head, after = done.out.splitlines()[:2]
    assert f"SELL 0.005 LIMIT limit {order['limit']:.10g}" in head
    assert after == "  modified later, at last qty 0.007"


def test_an_order_of_a_bar_run(program: Program, tmp_path: Path) -> None:
    run = dict(program("backtest", QUICKSTART, "--out", tmp_path / "runs", "--json").objects[0])
    assert run["execution"] is None
    assert not (Path(run["run_dir"]) / "markouts.parquet").exists()
    first = orders_of(run)[0]
    life = explained(program, run, first["order_id"])
    assert life["doubts"] == []
    assert life["queue"] == []
    assert life["decision"]["last"] > 0
    assert "bid" not in life["decision"]
    fill = life["fills"][0]
    assert fill["bar"]["low"] <= fill["price"] <= fill["bar"]["high"]
    assert life["cost"]["against_decision"]["ticks"] is not None
    done = program("explain", run["run_dir"], first["order_id"])
    assert "bar: open" in done.out


def test_orders_that_are_not_there(program: Program, book_run: Told) -> None:
    most = max(order["order_id"] for order in orders_of(book_run))
    for wrong in (0, most + 5, 10**12):
        done = program("explain", book_run["run_dir"], wrong)
        assert done.code == 2, wrong
        assert f"has no order {wrong}" in done.err
        if wrong:
            assert f"nearest: {most}" in done.err
    assert program("explain", book_run["run_dir"], "seven").code == 2
    assert program("explain", "nowhere", 1).code == 6


def test_changed_sources_are_a_doubt(program: Program, book_run: Told) -> None:
    path = next((Path(book_run["run_dir"]) / "sources").rglob("busy.py"))
    path.write_text(path.read_text().replace("k == 3", "k == 4"))
    life = explained(program, book_run, 1)
    assert any("is not the file that ran" in doubt for doubt in life["doubts"])
    done = program("explain", book_run["run_dir"], 1)
    assert "doubt" in done.out


def test_points_of_a_long_queue_are_few() -> None:
    trace = Trace(1, queue=[(k, float(k)) for k in range(1000)])
    points = trace.points()
    assert len(points) == SHOWN_POINTS
    assert (points[0], points[-1]) == (trace.queue[0], trace.queue[-1])
    assert points == sorted(set(points))
