"""The compiled fold behind the backend protocol: events are folded, requests go through the same handlers."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types

from tests.golden.protocol import (
    Cancel, Config, FillRow, Modify, OrderRow, PositionRow, Result, Step, StepReport, Submit,
)  # fmt: skip
from tradectl.core.codes import (
    Breach, EventFlag, EventKind, FillAt, FoldCode, OrderFlag, OrderType, Reason, RequestKind,
)  # fmt: skip
from tradectl.core.event import EVENT, empty_events
from tradectl.core.instrument import Instrument
from tradectl.core.jit import entry
from tradectl.core.layout import NO_LIMIT, UNCHANGED, engine_at, request_at, world_at
from tradectl.core.orders import take_order_id
from tradectl.engine.requests import handle_requests
from tradectl.engine.spec import (
    AccountSpec, ExecutionSpec, Hours, InstrumentLimits, RiskSpec, RunSpec, StrategySpec,
)  # fmt: skip
from tradectl.engine.state import State

__all__ = ["KernelBackend", "hours_of"]

LIMITS = (OrderType.LIMIT, OrderType.STOP_LIMIT)
STOPS = (OrderType.STOP_MARKET, OrderType.STOP_LIMIT)


NOTHING = dict.fromkeys(EVENT.names, 0)


@entry(lambda: types.int64(types.int64))
def take_requests(world_address):
    """Judge the requests in the buffer, as after a hook; submissions get their order ids here."""
    world = world_at(world_address, 0)
    engine = engine_at(world.engine, 0)
    for k in range(engine.n_requests):
        request = request_at(world.requests, k)
        if request.kind == 1:
            request.order_id = take_order_id(world, engine)
    handle_requests(world, engine)
    return 0


def or_none(value: int | None, none: int = NO_LIMIT) -> int:
    return none if value is None else value


def hours_of(config: Config) -> Hours | None:
    """Return the sessions of a configuration as a table between its edges."""
    if config.sessions is None:
        return None
    told = [(-NO_LIMIT, -1), *config.sessions, (NO_LIMIT, NO_LIMIT)]
    rows = [(opened, closed, opened, closed, number) for number, (opened, closed) in enumerate(told)]
    return Hours(np.array(rows, np.int64), keeps_outside=config.keeps_outside)


class KernelBackend:
    """Runs steps through `advance`."""

    name = "kernel"

    def __init__(self) -> None:
        self.state: Any = None

    def configure(self, config: Config) -> None:
        """Begin a new run."""
        if config.fill_at == FillAt.CLOSE and config.latency_entry_ns:
            raise ValueError("fill_at: close demands zero latency")  # config.checks refuses it for users
        self.config = config
        hours = hours_of(config)
        limits = [
            InstrumentLimits(
                config.maker_e9,
                config.taker_e9,
                or_none(i.max_order_qty_lots),
                or_none(i.max_position_lots),
                timeframe_ns=config.timeframe_ns,
                hours=hours,
            )
            for i in config.instruments
        ]
        instruments = [
            Instrument("T", i.name, i.name, "USD", i.tick_size, i.lot_size) for i in config.instruments
        ]
        self.state = State(
            RunSpec(
                instruments,
                limits,
                [StrategySpec("test", b"", b"", {})],
                AccountSpec(config.account, "USD", {"USD": config.balance_atoms}, self.leverage(config)),
                ExecutionSpec(
                    config.fill_at,
                    config.path,
                    config.participation_e9,
                    config.slippage_ticks,
                    config.slippage_rate_e9,
                    config.slippage_share_e9,
                    config.limit_gap_open,
                    config.limit_touch,
                    config.entry_bar,
                    config.write_off,
                    config.latency_entry_ns,
                ),
                RiskSpec(
                    or_none(config.max_order_notional_atoms),
                    or_none(config.price_collar_e9, 0),
                    or_none(config.max_exposure_atoms),
                    or_none(config.max_open_orders),
                    or_none(config.max_order_rate, 0),
                    config.rate_window_ns,
                    or_none(config.max_drawdown_e9),
                    Breach(config.on_breach),
                ),
                detail_capacity=64 if config.detail_ns else 0,
                order_capacity=256,
                request_capacity=64,
                report_capacity=64,
                output_capacity=20_000,
                equity_capacity=1024,
            )
        )
        for row, spec in zip(self.state.markets, config.instruments, strict=True):
            row["min_qty_lots"] = spec.min_qty_lots
            row["max_qty_lots"] = spec.max_qty_lots
            row["max_price_ticks"] = spec.max_price_ticks
            row["min_notional_atoms"] = spec.min_notional_atoms
            row["max_notional_atoms"] = spec.max_notional_atoms
        self.fills: list[FillRow] = []
        self.final: dict[int, OrderRow] = {}
        self.before: dict[int, OrderRow] = {}
        self.equity: list[tuple[int, int]] = []

    @staticmethod
    def leverage(config: Config) -> int:
        return 1_000_000_000 if config.account == 1 else config.leverage_e9

    def events(self, step: Step) -> Any:
        """Write the step as events."""
        rows: list[dict[str, int]] = [
            {"kind": EventKind.STATUS, "instrument": i, "w0": status, "w1": price} for i, status, price in step.statuses
        ]
        rows += [{"kind": EventKind.COMMAND, "w0": command} for command in step.commands]
        rows += [
            {"kind": EventKind.FUNDING, "instrument": i, "ts_event": ts, "w0": rate, "w1": price}
            for i, ts, rate, price in step.funding
        ]
        for i in sorted({*step.bars, *step.details}):
            for flags, bar in [
                *((int(EventFlag.DETAIL), b) for b in step.details.get(i, [])),
                *((0, b) for b in [step.bars.get(i)] if b is not None),
            ]:
                flags |= int(EventFlag.SYNTHETIC) if bar.synthetic else 0
                flags |= int(EventFlag.WARMUP) if step.warmup else 0
                volume = -1 if bar.volume is None else bar.volume
                words = {"w0": bar.open, "w1": bar.high, "w2": bar.low, "w3": bar.close, "w4": volume}
                rows.append({"kind": EventKind.BAR, "instrument": i, "flags": flags, **words})
        events = empty_events(len(rows))
        for k, row in enumerate(rows):
            events[k] = tuple((NOTHING | {"ts_event": step.ts, "ts_recv": step.ts} | row).values())
        if rows:
            events[-1]["flags"] |= int(EventFlag.LAST)
        return events

    def request(self, k: int, r: Submit | Cancel | Modify) -> None:
        """Write one request into the buffer."""
        self.state.requests[k : k + 1] = 0
        row = self.state.requests[k]
        if isinstance(r, Submit):
            values: dict[str, int] = {
                "kind": RequestKind.SUBMIT, "side": r.side, "order_type": r.order_type, "qty_lots": r.qty_lots,
                "price_ticks": r.limit_ticks, "trigger_ticks": r.trigger_ticks, "time_in_force": r.time_in_force,
                "instrument": r.instrument, "expires": r.expires,
                "flags": (OrderFlag.POST_ONLY if r.post_only else 0) | (OrderFlag.REDUCE_ONLY if r.reduce_only else 0),
                "reason": self.fault(r),
            }  # fmt: skip
        elif isinstance(r, Cancel):
            values = {"kind": RequestKind.CANCEL, "order_id": r.order_id}
        else:
            values = {
                "kind": RequestKind.MODIFY, "order_id": r.order_id, "qty_lots": or_none(r.qty_lots, UNCHANGED),
                "price_ticks": or_none(r.limit_ticks, UNCHANGED), "trigger_ticks": or_none(r.trigger_ticks, UNCHANGED),
                "reason": int(r.qty_fault or r.limit_fault or r.trigger_fault),
            }  # fmt: skip
        for name, value in values.items():
            row[name] = value

    @staticmethod
    def fault(r: Submit) -> int:
        """Return the fault of the written values that the order's type uses."""
        faults = [
            r.qty_fault,
            *([r.limit_fault] if r.order_type in LIMITS else []),
            *([r.trigger_fault] if r.order_type in STOPS else []),
        ]
        return int(Reason.NOT_A_NUMBER if Reason.NOT_A_NUMBER in faults else next((f for f in faults if f), 0))

    def step(self, step: Step) -> StepReport:
        """Apply one timestamp."""
        seen = len(self.fills)
        events = self.events(step)
        code, _ = self.state.fold(events)
        assert code == FoldCode.DONE, (code, self.state.engine)
        self.state.engine[0]["now"] = step.ts
        outcomes = []
        for r in step.requests:
            self.request(0, r)
            self.state.engine[0]["n_requests"] = 1
            take_requests(self.state.address)
            outcomes.append(int(self.state.requests[0]["reason"]))
        self.drain()
        if not step.warmup:
            self.equity.append((step.ts, int(self.state.engine[0]["equity_atoms"])))
        rows = {row.order_id: row for row in self.rows()}
        changed = [row for order_id, row in rows.items() if self.before.get(order_id) != row]
        self.before = rows
        return StepReport(self.fills[seen:], outcomes, changed)

    def drain(self) -> None:
        """Take the output rows away."""
        if not self.state.has_outputs:
            return
        out = self.state.drain()
        for f in out["fills"]:
            self.fills.append(
                FillRow(*(int(f[n]) for n in (
                    "order_id", "instrument", "side", "price_ticks", "qty_lots", "liquidity_side", "phase",
                    "fee_atoms", "realised_atoms", "ts_event",
                )), bool(f["ambiguous"]))
            )  # fmt: skip
        for o in out["orders"]:
            self.final[int(o["id"])] = self.row(o, 0)

    @staticmethod
    def row(o: Any, leaves: int) -> OrderRow:
        names = ("id", "instrument", "side", "order_type", "status", "reason", "filled_lots")
        return OrderRow(*(int(o[n]) for n in names), leaves, int(o["ts_submitted"]))

    def rows(self) -> list[OrderRow]:
        """Return all orders by id."""
        table = self.state.orders[:-1]
        live = table[(table["status"] >= 2) & (table["status"] <= 7)]
        rows = {**self.final, **{int(o["id"]): self.row(o, int(o["leaves_lots"])) for o in live}}
        return [rows[k] for k in sorted(rows)]

    def result(self) -> Result:
        """Return the rows of the run so far."""
        c, e = self.state.currencies[0], self.state.engine[0]
        cost = sum(int(p["cost_atoms"]) for p in self.state.positions)
        booked = int(c["balance_atoms"]) + cost + int(c["fees_atoms"]) + int(c["funding_atoms"])
        audit = booked == int(c["initial_atoms"]) + int(c["realised_atoms"])
        return Result(
            self.fills,
            self.rows(),
            [
                PositionRow(k, int(p["lots"]), int(p["cost_atoms"]), int(p["realised_atoms"]))
                for k, p in enumerate(self.state.positions)
            ],
            int(c["balance_atoms"]),
            int(c["fees_atoms"]),
            self.equity,
            int(e["n_ambiguous"]),
            e["trading_state"],
            audit,
            int(c["funding_atoms"]),
        )
