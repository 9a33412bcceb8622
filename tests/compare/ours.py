"""Runs a script of orders through tradectl's fold: requests are put between events at their local times."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from tests.compare.script import MODELS, Done, Fill, Market, Order, Rules
from tests.golden.kernel_backend import take_requests
from tradectl.core.codes import (
    AccountType,
    BookLevel,
    FoldCode,
    OrderType,
    ReportKind,
    RequestKind,
    TimeInForce,
)
from tradectl.core.instrument import Instrument
from tradectl.engine.spec import AccountSpec, ExecutionSpec, InstrumentLimits, RunSpec, StrategySpec
from tradectl.engine.state import State

__all__ = ["run_ours"]

CHUNK = 65_536


def _state(market: Market, rules: Rules, n_orders: int) -> State:
    model, power = MODELS[rules.model]
    instrument = Instrument("T", "X/USD", "X", "USD", market.tick_size, market.lot_size)
    limits = InstrumentLimits(level=BookLevel.DEPTH, queue_model=model, queue_power=power)
    execution = ExecutionSpec(
        latency_entry_ns=rules.entry_ns, latency_response_ns=rules.response_ns, sample_ns=10**15
    )
    reports = 1 << (8 * n_orders + 64).bit_length()
    return State(
        RunSpec(
            [instrument],
            [limits],
            [StrategySpec("script", b"", b"", {})],
            AccountSpec(AccountType.MARGIN, "USD", {"USD": 10**17}, 10**10),
            execution,
            report_capacity=reports,
            output_capacity=65_536,
            latencies=list(rules.triples),
        )
    )


def _request(state: State, ts: int, **values: int) -> int:
    """Put one request at local time `ts`; return the order's id."""
    row = state.requests[0]
    for name in row.dtype.names:
        row[name] = values.get(name, 0)
    state.engine[0]["now"] = ts
    state.engine[0]["n_requests"] = 1
    take_requests(state.address)
    assert row["reason"] == 0 or values["kind"] == RequestKind.CANCEL, int(row["reason"])
    return int(row["order_id"])


def _fold(state: State, events: npt.NDArray[Any]) -> None:
    at = 0
    while at < len(events):
        code, done = state.fold(events[at : at + CHUNK])
        assert code in (FoldCode.DONE, FoldCode.DRAIN), (code, at)
        at += done
        state.drain()


def run_ours(market: Market, orders: list[Order], rules: Rules) -> list[Done]:
    """Return what became of each order."""
    state = _state(market, rules, len(orders))
    moments = [(order.sent, 0, k) for k, order in enumerate(orders)]
    moments += [(order.canceled, 1, k) for k, order in enumerate(orders) if order.canceled]
    ids: dict[int, int] = {}
    at = 0
    for ts, cancels, k in sorted(moments):
        until = int(np.searchsorted(market.events["ts_recv"], ts, "right"))
        _fold(state, market.events[at:until])
        at = until
        if cancels:
            _request(state, ts, kind=RequestKind.CANCEL, order_id=ids[k])
        else:
            ids[k] = _request(
                state, ts, kind=RequestKind.SUBMIT, side=orders[k].side, order_type=OrderType.LIMIT,
                qty_lots=orders[k].qty_lots, price_ticks=orders[k].price_ticks, time_in_force=TimeInForce.GTC,
            )  # fmt: skip
    _fold(state, market.events[at:])
    return _results(state, ids, len(orders))


def _results(state: State, ids: dict[int, int], n: int) -> list[Done]:
    """Read the reports, all of which are still in their ring."""
    engine = state.engine[0]
    assert engine["report_tail"] <= len(state.reports)
    of = {order_id: k for k, order_id in ids.items()}
    results = [Done() for _ in range(n)]
    for report in state.reports[: int(engine["report_tail"])]:
        done = results[of[int(report["order_id"])]]
        done.ts_known = done.ts_known or int(report["ts_deliver"])
        if report["kind"] == ReportKind.FILL:
            done.fills.append(
                Fill(*(int(report[name]) for name in ("ts_event", "price_ticks", "qty_lots", "ts_deliver")))
            )
    return results
