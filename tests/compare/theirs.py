"""Runs a script of orders through hftbacktest, by its public interface, one feed event or answer at a time."""

from __future__ import annotations

from typing import Any

import hftbacktest as hb
import numpy as np
import numpy.typing as npt
from hftbacktest.order import FILLED, PARTIALLY_FILLED
from hftbacktest.types import event_dtype

from tests.compare.script import MODELS, Done, Fill, Market, Order, Rules
from tradectl.core.codes import EventKind
from tradectl.engine.state import aligned

__all__ = ["feed_rows", "run_theirs"]

LATENCY = np.dtype([("req_ts", "i8"), ("exch_ts", "i8"), ("resp_ts", "i8"), ("_padding", "i8")], align=True)
TIMEOUT, END, FEED, ANSWER = 0, 1, 2, 3  # what wait_next_feed returns
MODEL_CALLS = {
    "risk_averse": "risk_adverse_queue_model",
    "power": "power_prob_queue_model",
    "log": "log_prob_queue_model",
    "power2": "power_prob_queue_model2",
    "log2": "log_prob_queue_model2",
    "power3": "power_prob_queue_model3",
}


def feed_rows(market: Market) -> npt.NDArray[Any]:
    """Return the events as hftbacktest reads them: once in exchange order, once in receive order."""
    events = market.events
    events = events[(events["kind"] == EventKind.DEPTH) | (events["kind"] == EventKind.TRADE)]
    kind = np.where(events["kind"] == EventKind.DEPTH, hb.DEPTH_EVENT, hb.TRADE_EVENT).astype(np.uint64)
    side = np.where(events["side"] > 0, hb.BUY_EVENT, hb.SELL_EVENT).astype(np.uint64)
    rows = aligned(len(events), event_dtype)
    rows["ev"] = kind | np.where(events["side"] == 0, 0, side).astype(np.uint64)
    rows["exch_ts"], rows["local_ts"] = events["ts_event"], events["ts_recv"]
    rows["px"] = events["w0"] * float(market.tick_size)
    rows["qty"] = events["w1"] * float(market.lot_size)
    order = np.argsort(rows["exch_ts"], kind="stable")
    if (order[1:] > order[:-1]).all():  # received as they happened: each row counts for both
        rows["ev"] |= np.uint64(hb.EXCH_EVENT | hb.LOCAL_EVENT)
        return rows
    there, here = rows[order], rows.copy()
    there["ev"] |= np.uint64(hb.EXCH_EVENT)
    here["ev"] |= np.uint64(hb.LOCAL_EVENT)
    both = aligned(2 * len(rows), event_dtype)
    np.concatenate([there, here], out=both)
    return both


def _asset(market: Market, rules: Rules, rows: npt.NDArray[Any]) -> Any:
    asset = hb.BacktestAsset().data(rows).linear_asset(1.0).trading_value_fee_model(0.0, 0.0)
    asset = asset.tick_size(float(market.tick_size)).lot_size(float(market.lot_size))
    if rules.triples:
        latency = aligned(len(rules.triples), LATENCY)
        for name, column in zip(("req_ts", "exch_ts", "resp_ts"), np.array(rules.triples).T, strict=True):
            latency[name] = column
        asset.latencies = latency  # read where it is: it must live as long as the asset
        asset = asset.intp_order_latency(latency)
    else:
        asset = asset.constant_order_latency(rules.entry_ns, rules.response_ns)
    name = rules.model.partition("_")[0] if rules.model != "risk_averse" else rules.model
    call = getattr(asset, MODEL_CALLS[name])
    asset = call(MODELS[rules.model][1]) if name.startswith("power") else call()
    return asset.partial_fill_exchange() if rules.partial else asset.no_partial_fill_exchange()


class Stopped(Exception):
    """The simulator ended its run with an error code."""


def run_theirs(market: Market, orders: list[Order], rules: Rules, may_stop: bool = False) -> list[Done]:
    """Return what became of each order; with `may_stop`, until the simulator gives up."""
    rows = feed_rows(market)
    asset = _asset(market, rules, rows)  # it and the rows must outlive the run, which reads them in place
    back = hb.HashMapMarketDepthBacktest([asset])
    results = [Done() for _ in orders]
    try:
        _send_all(back, market, orders, results)
    except Stopped:
        if not may_stop:
            raise
    back.close()
    lot = float(market.lot_size)
    for done in results:
        done.fills = [fill._replace(qty_lots=round(fill.qty_lots / lot)) for fill in done.fills]
    return results


def _send_all(back: Any, market: Market, orders: list[Order], results: list[Done]) -> None:
    """Send and cancel the orders at their times, then let the rest of the market pass."""
    moments = [(order.sent, 0, k) for k, order in enumerate(orders)]
    moments += [(order.canceled, 1, k) for k, order in enumerate(orders) if order.canceled]
    tick, lot = float(market.tick_size), float(market.lot_size)
    live: dict[int, float] = {}
    back.elapse(0)
    for ts, cancels, k in sorted(moments):
        _pass_time(back, ts, live, results)
        if not cancels:
            order = orders[k]
            send = back.submit_buy_order if order.side > 0 else back.submit_sell_order
            live[k] = order.qty_lots * lot
            assert send(0, k + 1, order.price_ticks * tick, live[k], hb.GTC, hb.LIMIT, False) == 0
        elif k in live:
            assert back.cancel(0, k + 1, False) == 0
    _pass_time(back, int(market.events["ts_recv"][-1]), live, results)


def _pass_time(back: Any, until: int, live: dict[int, float], results: list[Done]) -> None:
    """Let time pass up to `until`; look at the live orders whenever something came."""
    while live and back.current_timestamp < until:
        code = back.wait_next_feed(True, until - back.current_timestamp)
        if code not in (TIMEOUT, END, FEED, ANSWER):
            raise Stopped(f"hftbacktest stopped with code {code}")
        if code == END:
            break
        if code == ANSWER:
            _look(back, live, results)
    if back.current_timestamp < until:
        back.elapse(until - back.current_timestamp)
    _look(back, live, results)


def _look(back: Any, live: dict[int, float], results: list[Done]) -> None:
    """Write down what is new of the live orders."""
    now, orders = back.current_timestamp, back.orders(0)
    for k in list(live):
        order, done = orders.get(k + 1), results[k]
        if order.status == hb.NONE:
            continue
        done.ts_known = done.ts_known or now
        left = 0.0 if order.status == FILLED else order.leaves_qty
        if order.status in (FILLED, PARTIALLY_FILLED) and left < live[k]:
            done.fills.append(Fill(order.exch_timestamp, order.exec_price_tick, live[k] - left, now))
            live[k] = left
        if order.status in (FILLED, hb.CANCELED, hb.EXPIRED):
            del live[k]
