"""The whole surface of `ctx`: `strategy.ctx_type` makes these attributes and methods, compiled and plain."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tradectl.strategy import ctx_book as b
from tradectl.strategy import ctx_orders as o
from tradectl.strategy import ctx_portfolio as f
from tradectl.strategy import ctx_plot as d
from tradectl.strategy import ctx_read as r

__all__ = ["ATTRIBUTES", "METHODS"]

ATTRIBUTES: dict[str, Callable[..., Any]] = {
    name: getattr(r, "ctx_" + name)
    for name in (
        "now open high low close volume open_ticks high_ticks low_ticks close_ticks volume_lots ts_event timeframe_ns "
        "frame last last_ticks tick_size lot_size is_tradable has_bar is_ready instrument n_instruments position "
        "position_lots entry_price unrealised realised equity balance buying_power drawdown trading_state open_orders "
        "is_session_open session session_open session_close"
    ).split()
} | {
    name: getattr(b, "ctx_" + name)
    for name in (
        "bid ask bid_qty ask_qty bid_ticks ask_ticks bid_lots ask_lots mid spread_ticks is_synchronised "
        "trade_price trade_qty trade_ticks trade_lots trade_side ts_exchange"
    ).split()
}
METHODS: dict[str, Callable[..., Any]] = {
    **{
        name: getattr(o, "ctx_" + name)
        for name in (
            "buy sell buy_value sell_value submit target target_lots target_percent target_value close_position "
            "cancel cancel_all modify"
        ).split()
    },
    **{name: getattr(r, "ctx_" + name) for name in "order_status is_live leaves round_qty select".split()},
    **{
        name: getattr(b, "ctx_" + name)
        for name in (
            "level_price level_qty depth_qty queue_ahead order_price order_ticks order_side is_in_flight set_timer"
        ).split()
    },
    "rebalance": f.ctx_rebalance,
    "plot": d.ctx_plot,
}
